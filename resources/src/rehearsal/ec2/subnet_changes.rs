//! Subnets come, change and go.

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::network::{self, Subnet, subnet, subnet_answer, visible_from, vpc};
use super::params::{flag, refuse, required, text};
use super::{route_tables, tags};

/// `CreateSubnet`.
pub(super) fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let vpc_id = required(params, "VpcId")?.to_owned();
    let asked = required(params, "CidrBlock")?;
    let around = vpc(account, &vpc_id)?.cidr;
    let cidr = block(asked, around)?;
    let zone = zone(account, params)?;
    let siblings = account.ec2.subnets.values().filter(|it| it.vpc_id == vpc_id);
    if siblings.into_iter().any(|it| it.cidr.contains(&cidr) || cidr.contains(&it.cidr)) {
        return Err(refuse("InvalidSubnet.Conflict", format!("The CIDR '{asked}' conflicts with another subnet")));
    }
    let tags = tags::from_specifications(params, "subnet")?;
    let id = format!("subnet-{}", account.draw_hex(17));
    let visible_ms = visible_from(account);
    let made = Subnet { id: id.clone(), vpc_id, cidr, zone, tags, map_public_ip: false, visible_ms };
    let mut answer = subnet_answer(account, &made);
    answer["state"] = json!("pending");
    account.ec2.subnets.insert(id, made);
    Ok(json!({"subnet": answer}))
}

/// The block, inside the VPC's and of a size that a subnet can have: /16 to /28.
/// <https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html>
fn block(asked: &str, around: Ipv4Net) -> Result<Ipv4Net, ApiError> {
    let cidr: Ipv4Net = asked.parse().map_err(|_| {
        refuse(
            "InvalidParameterValue",
            format!("Value ({asked}) for parameter cidrBlock is invalid. This is not a valid CIDR block."),
        )
    })?;
    let cidr = cidr.trunc();
    if (16..=28).contains(&cidr.prefix_len()) && around.contains(&cidr) {
        return Ok(cidr);
    }
    Err(refuse("InvalidSubnet.Range", format!("The CIDR '{asked}' is invalid.")))
}

fn zone(account: &Account, params: &Value) -> Result<String, ApiError> {
    let zones = network::zones(&account.region);
    let found = match (text(params, "AvailabilityZone"), text(params, "AvailabilityZoneId")) {
        (Some(name), _) => zones.iter().find(|zone| zone.name == name).ok_or(name),
        (None, Some(id)) => zones.iter().find(|zone| zone.id == id).ok_or(id),
        // AWS chooses.
        (None, None) => zones.first().ok_or(""),
    };
    found.map(|zone| zone.name.clone()).map_err(|asked| {
        let names: Vec<&str> = zones.iter().map(|zone| zone.name.as_str()).collect();
        refuse(
            "InvalidParameterValue",
            format!(
                "Value ({asked}) for parameter availabilityZone is invalid. Subnets can currently only be created in the following availability zones: {}.",
                names.join(", ")
            ),
        )
    })
}

/// `DeleteSubnet`: an interface in it holds it, whosever it is.
pub(super) fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = required(params, "SubnetId")?;
    subnet(account, id)?;
    if account.ec2.network_interfaces.values().any(|interface| interface.subnet_id == id) {
        return Err(refuse(
            "DependencyViolation",
            format!("The subnet '{id}' has dependencies and cannot be deleted."),
        ));
    }
    account.ec2.subnets.shift_remove(id);
    route_tables::forget_subnet(account, id);
    Ok(json!({"return": true}))
}

/// `ModifySubnetAttribute`.
pub(super) fn modify(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = required(params, "SubnetId")?;
    subnet(account, id)?;
    let Some(public) = params.get("MapPublicIpOnLaunch") else {
        return Err(refuse("InvalidParameterCombination", "No attributes specified."));
    };
    let public = flag(public, "Value")?.unwrap_or_default();
    if let Some(subnet) = account.ec2.subnets.get_mut(id) {
        subnet.map_public_ip = public;
    }
    Ok(json!({"return": true}))
}
