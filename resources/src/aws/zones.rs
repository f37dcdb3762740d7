//! The Availability Zones of a region, and those in which a platform stands.

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use rayplat_engine::error::ProviderError;

use super::{
    Clients, STACK_TAG, URN_TAG,
    ec2::{filter, from_tags},
    errors::classify,
};

/// Zones in which EKS puts no control plane, by the ids that mean the same in every account.
/// <https://docs.aws.amazon.com/eks/latest/userguide/network-reqs.html>
pub const WITHOUT_CONTROL_PLANE: [&str; 3] = ["use1-az3", "usw1-az2", "cac1-az3"];

/// A zone of the region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// E.g. `us-east-1a`; which zone that is differs between accounts.
    pub name: String,
    /// E.g. `use1-az1`.
    pub id: String,
}

/// The zones that the account can use now: Local Zones and those that are not opted in are
/// left out, [`WITHOUT_CONTROL_PLANE`] is not.
///
/// # Errors
/// The account cannot be asked.
pub async fn zones(clients: &Clients) -> Result<Vec<Zone>, ProviderError> {
    let request = clients.ec2.describe_availability_zones().filters(filter("zone-type", "availability-zone"));
    let answer = request.filters(filter("state", "available")).send().await.map_err(|error| {
        let error = classify(error).during("ec2", "DescribeAvailabilityZones");
        error.hint("Allow ec2:DescribeAvailabilityZones, or name the zones: `availability_zones: [us-east-1a, ...]`.")
    })?;
    let mut zones: Vec<Zone> = answer
        .availability_zones()
        .iter()
        .filter(|zone| zone.opt_in_status().is_none_or(|status| status.as_str() != "not-opted-in"))
        .map(|zone| Zone {
            name: zone.zone_name().unwrap_or_default().to_owned(),
            id: zone.zone_id().unwrap_or_default().to_owned(),
        })
        .collect();
    zones.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(zones)
}

/// The URNs of the subnets and NAT gateways that carry a stack's tags: where it stands,
/// for a run whose state was lost.
///
/// # Errors
/// The account cannot be asked.
pub async fn standing_network(clients: &Clients, stack: &str) -> Result<Vec<String>, ProviderError> {
    let of_stack = || filter(&format!("tag:{STACK_TAG}"), stack);
    let subnets = asked("DescribeSubnets", clients.ec2.describe_subnets().filters(of_stack()).send().await)?;
    let gateways = clients.ec2.describe_nat_gateways().filter(of_stack());
    let gateways = asked("DescribeNatGateways", gateways.filter(filter("state", "available")).send().await)?;
    let subnets = subnets.subnets().iter().map(|subnet| from_tags(subnet.tags()));
    let gateways = gateways.nat_gateways().iter().map(|gateway| from_tags(gateway.tags()));
    Ok(subnets.chain(gateways).filter_map(|tags| tags.get(URN_TAG).cloned()).collect())
}

fn asked<T, E>(operation: &str, answer: Result<T, SdkError<E, HttpResponse>>) -> Result<T, ProviderError>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    answer.map_err(|error| classify(error).during("ec2", operation))
}
