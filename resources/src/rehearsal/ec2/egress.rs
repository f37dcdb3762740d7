//! Can a node in a subnet reach what it needs at boot?

use super::super::Account;
use super::network::Subnet;
use super::route_tables::{self, Target};
use super::routes::is_blackhole;
use super::vpc_endpoints::EndpointState;

/// What a node without a way to the internet needs in its VPC.
/// <https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html>
const NEEDED: [&str; 5] = ["ec2", "ecr.api", "ecr.dkr", "s3", "sts"];

/// True if the subnet's table leads out, by a NAT gateway whose own subnet does, or by an
/// internet gateway; or if its VPC has the endpoints that nodes need. The way out of a
/// network that was there before the rehearsal is not modelled, and believed in.
pub(crate) fn has_way_out(account: &Account, subnet_id: &str) -> bool {
    let Some(subnet) = account.ec2.subnets.get(subnet_id) else {
        return false;
    };
    let seeded = account.ec2.vpcs.get(&subnet.vpc_id).is_none_or(|vpc| vpc.seeded);
    seeded || leads_out(account, subnet, 1) || has_endpoints(account, subnet)
}

fn leads_out(account: &Account, subnet: &Subnet, hops: u8) -> bool {
    let Some(table) = route_tables::of_subnet(account, &subnet.id) else {
        return false;
    };
    table.routes.iter().filter(|route| route.destination == "0.0.0.0/0").any(|route| match &route.target {
        target if is_blackhole(account, &subnet.vpc_id, target) => false,
        // Behind a NAT gateway the subnet needs no public addresses.
        Target::InternetGateway(_) => hops == 0 || subnet.map_public_ip,
        Target::NatGateway(id) => {
            let nat = account.ec2.nat_gateways.get(id);
            let beyond = nat.and_then(|nat| account.ec2.subnets.get(&nat.subnet_id));
            hops > 0 && beyond.is_some_and(|beyond| leads_out(account, beyond, 0))
        }
        Target::Endpoint(_) => false,
    })
}

fn has_endpoints(account: &Account, subnet: &Subnet) -> bool {
    let serves = |service: &str| {
        account.ec2.vpc_endpoints.values().any(|endpoint| {
            endpoint.vpc_id == subnet.vpc_id
                && endpoint.state == EndpointState::Available
                && endpoint.service_name.ends_with(&format!(".{service}"))
        })
    };
    NEEDED.iter().all(|service| serves(service))
}
