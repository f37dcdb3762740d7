//! What CreateCluster and UpdateClusterConfig insist on.

use std::collections::BTreeSet;

use ipnet::Ipv4Net;
use serde_json::Value;

use super::super::{Account, ApiError};
use super::answers::LOG_TYPES;
use super::model::Encryption;
use super::outside;
use super::params::{flag, invalid_parameter, required, structure, text, texts};
use crate::aws::WITHOUT_CONTROL_PLANE;

/// Checks subnets and groups, and answers the VPC they are of.
///
/// # Errors
/// `InvalidParameterException`, or `UnsupportedAvailabilityZoneException`.
pub(super) fn network(account: &Account, subnet_ids: &[String], group_ids: &[String]) -> Result<String, ApiError> {
    let mut vpcs = BTreeSet::new();
    let mut zones = BTreeSet::new();
    for id in subnet_ids {
        let subnet = account
            .ec2
            .subnets
            .get(id)
            .ok_or_else(|| invalid_parameter(format!("The subnet ID '{id}' does not exist (Service: AmazonEC2; Status Code: 400; Error Code: InvalidSubnetID.NotFound)")))?;
        let zone_id = subnet.zone_id(&account.region);
        if WITHOUT_CONTROL_PLANE.contains(&zone_id.as_str()) {
            return Err(ApiError::new(
                400,
                "UnsupportedAvailabilityZoneException",
                format!(
                    "Cannot create cluster because {}, the targeted availability zone, does not currently have sufficient capacity to support the cluster. Retry and choose from other availability zones.",
                    subnet.zone
                ),
            ));
        }
        vpcs.insert(subnet.vpc_id.clone());
        zones.insert(subnet.zone.clone());
    }
    if zones.len() < 2 {
        return Err(invalid_parameter("Subnets specified must be in at least two different AZs"));
    }
    let mut vpcs = vpcs.into_iter();
    let (Some(vpc), None) = (vpcs.next(), vpcs.next()) else {
        return Err(invalid_parameter("Subnets specified must belong to the same VPC"));
    };
    if group_ids.len() > 5 {
        return Err(invalid_parameter("At most 5 security groups can be specified"));
    }
    for id in group_ids {
        let group = account
            .ec2
            .security_groups
            .get(id)
            .ok_or_else(|| invalid_parameter(format!("The security group '{id}' does not exist (Service: AmazonEC2; Status Code: 400; Error Code: InvalidGroup.NotFound)")))?;
        if group.vpc_id != vpc {
            return Err(invalid_parameter(format!(
                "Security group(s) [{id}] are not in the same VPC as the subnets. Please specify security groups that are in the same VPC."
            )));
        }
    }
    Ok(vpc)
}

/// The zones of subnets.
pub(super) fn zones(account: &Account, subnet_ids: &[String]) -> BTreeSet<String> {
    subnet_ids.iter().filter_map(|id| account.ec2.subnets.get(id)).map(|subnet| subnet.zone.clone()).collect()
}

/// Endpoint access as asked, over what stands.
pub(super) fn endpoint_access(
    vpc_config: &Value,
    public: bool,
    private: bool,
    cidrs: &[String],
) -> Result<(bool, bool, Vec<String>), ApiError> {
    let public = flag(vpc_config, "endpointPublicAccess")?.unwrap_or(public);
    let private = flag(vpc_config, "endpointPrivateAccess")?.unwrap_or(private);
    if !public && !private {
        return Err(invalid_parameter("Private and public endpoint access cannot be false"));
    }
    let asked = texts(vpc_config, "publicAccessCidrs");
    for cidr in &asked {
        if cidr.parse::<Ipv4Net>().is_err() {
            return Err(invalid_parameter(format!("The following CIDRs are invalid in publicAccessCidrs: [{cidr}]")));
        }
    }
    let cidrs = if asked.is_empty() { cidrs.to_vec() } else { asked };
    Ok((public, private, cidrs))
}

/// The log types that will be on: those asked, over those that are.
pub(super) fn logging(params: &Value, current: &BTreeSet<String>) -> Result<BTreeSet<String>, ApiError> {
    let mut on = current.clone();
    let setups = params.get("logging").and_then(|logging| logging.get("clusterLogging")).and_then(Value::as_array);
    for setup in setups.into_iter().flatten() {
        let enabled = flag(setup, "enabled")?.unwrap_or(false);
        for kind in texts(setup, "types") {
            if !LOG_TYPES.contains(&kind.as_str()) {
                return Err(invalid_parameter(format!(
                    "Invalid log type '{kind}'. Valid types: [{}]",
                    LOG_TYPES.join(", ")
                )));
            }
            if enabled {
                on.insert(kind);
            } else {
                on.remove(&kind);
            }
        }
    }
    Ok(on)
}

/// `encryptionConfig`: one entry for secrets, with a key that is enabled.
pub(super) fn encryption(account: &Account, params: &Value) -> Result<Option<Encryption>, ApiError> {
    let entries = match params.get("encryptionConfig") {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(entries)) => entries,
        Some(_) => return Err(invalid_parameter("encryptionConfig must be a list")),
    };
    let entry = match entries.as_slice() {
        [] => return Ok(None),
        [entry] => entry,
        _ => {
            return Err(invalid_parameter("Only one encryptionConfig can be specified"));
        }
    };
    let resources = texts(entry, "resources");
    if resources != ["secrets"] {
        return Err(invalid_parameter(
            "Encryption resources must be [secrets]: EKS encrypts nothing else with your key",
        ));
    }
    let provider = entry.get("provider").ok_or_else(|| invalid_parameter("encryptionConfig needs a provider"))?;
    let key_arn = required(provider, "keyArn")?.to_owned();
    outside::check_key(account, &key_arn)?;
    Ok(Some(Encryption { resources, key_arn }))
}

/// The block of Kubernetes services: /12 to /24 in a private range, apart from
/// the VPC's. Without one EKS takes the range that the VPC does not use.
pub(super) fn service_cidr(account: &Account, params: &Value, vpc_id: &str) -> Result<String, ApiError> {
    let vpc = account.ec2.vpcs.get(vpc_id).map(|vpc| vpc.cidr);
    let config = structure(params, "kubernetesNetworkConfig").cloned().map(Value::Object);
    let config = config.unwrap_or(Value::Null);
    if text(&config, "ipFamily").is_some_and(|family| family != "ipv4") {
        return Err(invalid_parameter("The rehearsal account has IPv4 networks only."));
    }
    let Some(asked) = text(&config, "serviceIpv4Cidr") else {
        let in_tens = vpc.is_some_and(|vpc| vpc.network().octets()[0] == 10);
        return Ok(if in_tens { "172.20.0.0/16" } else { "10.100.0.0/16" }.to_owned());
    };
    let private = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];
    let block = asked.parse::<Ipv4Net>().ok().filter(|block| {
        (12..=24).contains(&block.prefix_len())
            && private.iter().filter_map(|range| range.parse::<Ipv4Net>().ok()).any(|range| range.contains(block))
    });
    let Some(block) = block else {
        return Err(invalid_parameter(format!(
            "serviceIpv4Cidr {asked} must be a block between /24 and /12 in 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16"
        )));
    };
    if vpc.is_some_and(|vpc| vpc.contains(&block) || block.contains(&vpc)) {
        return Err(invalid_parameter(format!("serviceIpv4Cidr {asked} overlaps with the CIDR of VPC {vpc_id}")));
    }
    Ok(asked.to_owned())
}
