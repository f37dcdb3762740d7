//! VPCs come, change and go.

use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::network::{self, Vpc, insert_vpc, visible_from, vpc, vpc_answer};
use super::params::{flag, refuse, required, text};
use super::tags;
use super::{forget_tokens, route_tables};

/// VPCs in a region before Service Quotas is asked (L-F678F1CE).
const MOST_VPCS: usize = 5;

/// `CreateVpc`.
pub(super) fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let text = required(params, "CidrBlock")?;
    let block: ipnet::Ipv4Net = text.parse().map_err(|_| {
        refuse(
            "InvalidParameterValue",
            format!("Value ({text}) for parameter cidrBlock is invalid. This is not a valid CIDR block."),
        )
    })?;
    // "The allowed block size is between a /28 netmask and /16 netmask":
    // <https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html>
    if !(16..=28).contains(&block.prefix_len()) {
        return Err(refuse("InvalidVpc.Range", format!("The CIDR '{text}' is invalid.")));
    }
    let tags = tags::from_specifications(params, "vpc")?;
    if account.ec2.vpcs.len() >= MOST_VPCS {
        return Err(refuse("VpcLimitExceeded", "The maximum number of VPCs has been reached."));
    }
    let id = format!("vpc-{}", account.draw_hex(17));
    let visible_ms = visible_from(account);
    // AWS writes a block with host bits in its canonical form.
    let (cidr, dns_support, dns_hostnames, seeded) = (block.trunc(), true, false, false);
    insert_vpc(account, Vpc { id: id.clone(), cidr, tags, dns_support, dns_hostnames, seeded, visible_ms });
    let mut answer = account.ec2.vpcs.get(&id).map(|vpc| vpc_answer(account, vpc)).unwrap_or_default();
    answer["state"] = json!("pending");
    Ok(json!({"vpc": answer}))
}

/// `DeleteVpc`: what AWS made with it goes too; anything else holds it.
pub(super) fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = required(params, "VpcId")?;
    vpc(account, id)?;
    let ec2 = &account.ec2;
    let held = ec2.subnets.values().any(|it| it.vpc_id == id)
        || ec2.internet_gateways.values().any(|it| it.vpc_id.as_deref() == Some(id))
        || ec2.security_groups.values().any(|it| it.vpc_id == id && it.name != "default")
        || ec2.route_tables.values().any(|it| it.vpc_id == id && !it.is_main())
        || ec2.vpc_endpoints.values().any(|it| it.vpc_id == id)
        || ec2.network_interfaces.values().any(|it| it.vpc_id == id);
    if held {
        return Err(refuse("DependencyViolation", format!("The vpc '{id}' has dependencies and cannot be deleted.")));
    }
    account.ec2.vpcs.shift_remove(id);
    account.ec2.security_groups.retain(|_, group| group.vpc_id != id);
    route_tables::remove_main(account, id);
    forget_tokens(account, id);
    Ok(json!({"return": true}))
}

/// `ModifyVpcAttribute`: one attribute a call.
pub(super) fn modify(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = required(params, "VpcId")?;
    vpc(account, id)?;
    let value = |name: &str| params.get(name).map_or(Ok(None), |member| flag(member, "Value"));
    let (support, hostnames) = (value("EnableDnsSupport")?, value("EnableDnsHostnames")?);
    if support.is_some() == hostnames.is_some() {
        return Err(refuse(
            "InvalidParameterCombination",
            "Exactly one of enableDnsSupport and enableDnsHostnames must be given.",
        ));
    }
    let vpc = account.ec2.vpcs.get_mut(id).ok_or_else(|| network::vpc_not_found(id))?;
    vpc.dns_support = support.unwrap_or(vpc.dns_support);
    vpc.dns_hostnames = hostnames.unwrap_or(vpc.dns_hostnames);
    Ok(json!({"return": true}))
}

/// `DescribeVpcAttribute`.
pub(super) fn describe_attribute(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let vpc = vpc(account, required(params, "VpcId")?)?;
    let (name, value) = match text(params, "Attribute") {
        Some("enableDnsSupport") => ("enableDnsSupport", vpc.dns_support),
        Some("enableDnsHostnames") => ("enableDnsHostnames", vpc.dns_hostnames),
        other => {
            let other = other.unwrap_or_default();
            return Err(refuse(
                "InvalidParameterValue",
                format!("Value ({other}) for parameter attribute is invalid."),
            ));
        }
    };
    Ok(json!({"vpcId": vpc.id, name: {"value": value}}))
}
