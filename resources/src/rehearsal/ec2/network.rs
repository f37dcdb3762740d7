//! VPCs, subnets and availability zones as they are described, and the network that is
//! seeded from what a manifest names. What changes them is in the files beside this one.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::params::{self, USUAL_PAGE, refuse, texts};
use super::route_tables;
use super::security_groups::{self, SecurityGroup};
use super::tags::{Tags, to_set};
use crate::aws::WITHOUT_CONTROL_PLANE;

/// A virtual network.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Vpc {
    /// `vpc-…`.
    pub id: String,
    /// The primary IPv4 block.
    #[serde(with = "cidr_text")]
    pub cidr: Ipv4Net,
    /// Tags.
    pub tags: Tags,
    /// Does AWS's resolver answer?
    #[serde(default = "yes")]
    pub dns_support: bool,
    /// Do instances get names? Interface endpoints with private names need it.
    #[serde(default)]
    pub dns_hostnames: bool,
    /// It was there before the rehearsal: its private subnets have a way out that is not
    /// modelled.
    #[serde(default = "yes")]
    pub seeded: bool,
    /// From when on calls see it, milliseconds since the epoch.
    #[serde(default)]
    pub visible_ms: u64,
}

fn yes() -> bool {
    true
}

/// A subnet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Subnet {
    /// `subnet-…`.
    pub id: String,
    /// The VPC it is in.
    pub vpc_id: String,
    /// Its IPv4 block.
    #[serde(with = "cidr_text")]
    pub cidr: Ipv4Net,
    /// E.g. `us-east-1a`.
    pub zone: String,
    /// Tags.
    pub tags: Tags,
    /// Do instances get a public address?
    #[serde(default)]
    pub map_public_ip: bool,
    /// From when on calls see it, milliseconds since the epoch.
    #[serde(default)]
    pub visible_ms: u64,
}

/// How long a new object may stay unseen, seconds: EC2 is eventually consistent.
/// <https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>
const UNSEEN: f64 = 2.0;

/// When a new object becomes visible: mostly at once.
pub(super) fn visible_from(account: &mut Account) -> u64 {
    let late = account.draw() < 0.25;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let delay = (account.draw() * UNSEEN * 1000.0) as u64;
    account.now_ms + if late { delay } else { 0 }
}

/// The VPC, if it is there and visible.
pub(super) fn vpc<'a>(account: &'a Account, id: &str) -> Result<&'a Vpc, ApiError> {
    account.ec2.vpcs.get(id).filter(|it| it.visible_ms <= account.now_ms).ok_or_else(|| vpc_not_found(id))
}

/// The subnet, if it is there and visible.
pub(super) fn subnet<'a>(account: &'a Account, id: &str) -> Result<&'a Subnet, ApiError> {
    account.ec2.subnets.get(id).filter(|it| it.visible_ms <= account.now_ms).ok_or_else(|| subnet_not_found(id))
}

/// A block as text: `ipnet` is built here without serde.
mod cidr_text {
    use ipnet::Ipv4Net;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(cidr: &Ipv4Net, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(cidr)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ipv4Net, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An availability zone.
pub(crate) struct Zone {
    /// E.g. `us-east-1a`.
    pub name: String,
    /// E.g. `use1-az1`, the same zone in every account.
    pub id: String,
}

/// The zones of a region: six in us-east-1, three elsewhere.
pub(crate) fn zones(region: &str) -> Vec<Zone> {
    // us-east-1e is the zone in which EKS puts no control plane (use1-az3).
    let numbers: &[u8] = if region == "us-east-1" { &[1, 2, 4, 6, 3, 5] } else { &[1, 2, 3] };
    let short = short_region(region);
    numbers
        .iter()
        .zip('a'..)
        .map(|(number, letter)| Zone { name: format!("{region}{letter}"), id: format!("{short}-az{number}") })
        .collect()
}

/// The ARN of an EC2 resource.
pub(super) fn arn(account: &Account, kind: &str, id: &str) -> String {
    format!("arn:{}:ec2:{}:{}:{kind}/{id}", partition(&account.region), account.region, account.account_id)
}

/// The ARN partition of a region.
pub(crate) fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

/// `use1` of `us-east-1`, as zone ids have it.
fn short_region(region: &str) -> String {
    let parts: Vec<&str> = region.split('-').collect();
    let mut short = String::new();
    for (index, part) in parts.iter().enumerate() {
        short.push_str(match *part {
            "east" => "e",
            "west" => "w",
            "north" => "n",
            "south" => "s",
            "central" => "c",
            "northeast" => "ne",
            "northwest" => "nw",
            "southeast" => "se",
            "southwest" => "sw",
            "gov" if index == 1 => "g",
            other => other,
        });
    }
    short
}

impl Subnet {
    /// The id of the zone that the subnet is in.
    pub(crate) fn zone_id(&self, region: &str) -> String {
        zones(region).into_iter().find(|zone| zone.name == self.zone).map(|zone| zone.id).unwrap_or_default()
    }
}

/// Makes the VPC and the private subnets that a manifest names, in turn in the zones
/// that EKS can use, with a route to a NAT gateway, and answers the VPC's id. What exists is
/// left as it is, so seeding again changes nothing. Without `vpc_id` the VPC
/// gets an id of its own.
///
/// # Errors
/// In words: the block is malformed or too small, or a subnet is in another VPC.
pub fn seed_network(
    account: &mut Account,
    vpc_id: Option<&str>,
    subnets: &[&str],
    cidr: &str,
) -> Result<String, String> {
    let block: Ipv4Net =
        cidr.parse().map_err(|error| format!("the VPC's block {cidr} is not an IPv4 CIDR: {error}"))?;
    let block = block.trunc();
    let existing = subnets.iter().find_map(|id| account.ec2.subnets.get(*id));
    let vpc_id = match (vpc_id, existing) {
        (Some(id), _) => id.to_owned(),
        (None, Some(subnet)) => subnet.vpc_id.clone(),
        (None, None) => match account.ec2.vpcs.values().find(|vpc| vpc.cidr == block) {
            Some(vpc) => vpc.id.clone(),
            None => format!("vpc-{}", account.draw_hex(17)),
        },
    };
    if !account.ec2.vpcs.contains_key(&vpc_id) {
        seed_vpc(account, &vpc_id, block);
    }
    let block = account.ec2.vpcs.get(&vpc_id).map_or(block, |vpc| vpc.cidr);
    for id in subnets {
        match account.ec2.subnets.get(*id) {
            Some(subnet) if subnet.vpc_id != vpc_id => {
                return Err(format!("subnet {id} is in {}, not in {vpc_id}", subnet.vpc_id));
            }
            Some(_) => {}
            None => seed_subnet(account, &vpc_id, id, block)?,
        }
    }
    Ok(vpc_id)
}

fn seed_vpc(account: &mut Account, id: &str, cidr: Ipv4Net) {
    let tags = Tags::from([("Name".to_owned(), "rehearsal".to_owned())]);
    let (seeded, visible_ms) = (true, 0);
    let vpc = Vpc { id: id.to_owned(), cidr, tags, dns_support: true, dns_hostnames: true, seeded, visible_ms };
    insert_vpc(account, vpc);
}

/// Puts a VPC there with what AWS makes with each: a default group, which cannot be
/// deleted, and a main route table. (The default network ACL is not state: see
/// [`super::network_acls`].)
pub(super) fn insert_vpc(account: &mut Account, vpc: Vpc) {
    let id = &vpc.id.clone();
    account.ec2.vpcs.insert(id.clone(), vpc);
    route_tables::insert_main(account, id);
    let group_id = format!("sg-{}", account.draw_hex(17));
    let mut group = SecurityGroup::new(&group_id, "default", "default VPC security group", id);
    security_groups::allow_self(account, &mut group);
    security_groups::allow_all_out(account, &mut group);
    account.ec2.security_groups.insert(group_id, group);
}

fn seed_subnet(account: &mut Account, vpc_id: &str, id: &str, block: Ipv4Net) -> Result<(), String> {
    let siblings: Vec<&Subnet> = account.ec2.subnets.values().filter(|subnet| subnet.vpc_id == vpc_id).collect();
    // /20s of a /16: sixteen subnets of 4,096 addresses.
    let length = (block.prefix_len() + 4).clamp(16, 28);
    let cidr = block
        .subnets(length)
        .map_err(|_| format!("the VPC's block {block} is too small for a subnet of /{length}"))?
        .find(|candidate| siblings.iter().all(|sibling| !sibling.cidr.contains(candidate)))
        .ok_or_else(|| format!("the VPC's block {block} has no room for subnet {id}; name fewer subnets"))?;
    let zones = zones(&account.region);
    let zone = zones
        .iter()
        .filter(|zone| !WITHOUT_CONTROL_PLANE.contains(&zone.id.as_str()))
        .min_by_key(|zone| siblings.iter().filter(|sibling| sibling.zone == zone.name).count())
        .map(|zone| zone.name.clone())
        .unwrap_or_default();
    let subnet = Subnet {
        id: id.to_owned(),
        vpc_id: vpc_id.to_owned(),
        cidr,
        tags: Tags::from([
            ("Name".to_owned(), format!("rehearsal-private-{zone}")),
            ("kubernetes.io/role/internal-elb".to_owned(), "1".to_owned()),
        ]),
        zone,
        map_public_ip: false,
        visible_ms: 0,
    };
    account.ec2.subnets.insert(id.to_owned(), subnet);
    Ok(())
}

/// Addresses left in a subnet: five are AWS's own, each interface takes one.
pub(super) fn free_addresses(account: &Account, subnet: &Subnet) -> u32 {
    let total = 1u32.checked_shl(u32::from(32 - subnet.cidr.prefix_len())).unwrap_or(u32::MAX);
    let used = account.ec2.network_interfaces.values().filter(|interface| interface.subnet_id == subnet.id).count();
    total.saturating_sub(5).saturating_sub(u32::try_from(used).unwrap_or(u32::MAX))
}

/// An address of the subnet that no interface has.
pub(super) fn free_address(account: &Account, subnet: &Subnet) -> Ipv4Addr {
    subnet
        .cidr
        .hosts()
        .skip(3)
        .find(|address| account.ec2.network_interfaces.values().all(|interface| interface.private_ip != *address))
        .unwrap_or(subnet.cidr.network())
}

/// `DescribeVpcs`.
pub(super) fn describe_vpcs(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let ids = texts(params, "VpcId");
    for id in &ids {
        vpc(account, id)?;
    }
    let filters = params::filters(params)?;
    let mut items = Vec::new();
    for vpc in account.ec2.vpcs.values() {
        if vpc.visible_ms > account.now_ms || (!ids.is_empty() && !ids.contains(&vpc.id)) {
            continue;
        }
        let keep = params::passes(&filters, &vpc.tags, |name| {
            Some(vec![match name {
                "vpc-id" => vpc.id.clone(),
                "cidr" | "cidr-block-association.cidr-block" => vpc.cidr.to_string(),
                "state" => "available".to_owned(),
                "is-default" | "isDefault" => "false".to_owned(),
                "owner-id" => account.account_id.clone(),
                _ => return None,
            }])
        })?;
        if keep {
            items.push((vpc.id.clone(), vpc_answer(account, vpc)));
        }
    }
    Ok(params::paged_answer("vpcSet", params::page(params, &USUAL_PAGE, items)?))
}

pub(super) fn vpc_answer(account: &Account, vpc: &Vpc) -> Value {
    let suffix = vpc.id.trim_start_matches("vpc-");
    json!({
        "vpcId": vpc.id,
        "ownerId": account.account_id,
        "state": "available",
        "cidrBlock": vpc.cidr.to_string(),
        "cidrBlockAssociationSet": [{
            "associationId": format!("vpc-cidr-assoc-{suffix}"),
            "cidrBlock": vpc.cidr.to_string(),
            "cidrBlockState": {"state": "associated"},
        }],
        "dhcpOptionsId": format!("dopt-{suffix}"),
        "instanceTenancy": "default",
        "isDefault": false,
        "tagSet": to_set(&vpc.tags),
    })
}

/// `DescribeSubnets`.
pub(super) fn describe_subnets(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let ids = texts(params, "SubnetId");
    for id in &ids {
        subnet(account, id)?;
    }
    let filters = params::filters(params)?;
    let mut items = Vec::new();
    for subnet in account.ec2.subnets.values() {
        if subnet.visible_ms > account.now_ms || (!ids.is_empty() && !ids.contains(&subnet.id)) {
            continue;
        }
        let keep = params::passes(&filters, &subnet.tags, |name| {
            Some(vec![match name {
                "subnet-id" => subnet.id.clone(),
                "vpc-id" => subnet.vpc_id.clone(),
                "availability-zone" | "availabilityZone" => subnet.zone.clone(),
                "availability-zone-id" | "availabilityZoneId" => subnet.zone_id(&account.region),
                "cidr" | "cidr-block" | "cidrBlock" => subnet.cidr.to_string(),
                "state" => "available".to_owned(),
                "owner-id" => account.account_id.clone(),
                "map-public-ip-on-launch" => subnet.map_public_ip.to_string(),
                "default-for-az" | "defaultForAz" => "false".to_owned(),
                _ => return None,
            }])
        })?;
        if keep {
            items.push((subnet.id.clone(), subnet_answer(account, subnet)));
        }
    }
    Ok(params::paged_answer("subnetSet", params::page(params, &USUAL_PAGE, items)?))
}

pub(super) fn subnet_answer(account: &Account, subnet: &Subnet) -> Value {
    json!({
        "subnetId": subnet.id,
        "subnetArn": arn(account, "subnet", &subnet.id),
        "vpcId": subnet.vpc_id,
        "ownerId": account.account_id,
        "state": "available",
        "cidrBlock": subnet.cidr.to_string(),
        "availabilityZone": subnet.zone,
        "availabilityZoneId": subnet.zone_id(&account.region),
        "availableIpAddressCount": free_addresses(account, subnet),
        "defaultForAz": false,
        "mapPublicIpOnLaunch": subnet.map_public_ip,
        "assignIpv6AddressOnCreation": false,
        "ipv6CidrBlockAssociationSet": [],
        "enableDns64": false,
        "ipv6Native": false,
        "privateDnsNameOptionsOnLaunch": {
            "hostnameType": "ip-name",
            "enableResourceNameDnsARecord": false,
            "enableResourceNameDnsAAAARecord": false,
        },
        "tagSet": to_set(&subnet.tags),
    })
}

/// `DescribeAvailabilityZones`.
pub(super) fn describe_zones(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let region = account.region.clone();
    let all = zones(&region);
    let names = texts(params, "ZoneName");
    let ids = texts(params, "ZoneId");
    if let Some(unknown) = names.iter().find(|name| all.iter().all(|zone| zone.name != **name)) {
        return Err(refuse("InvalidParameterValue", format!("Invalid availability zone: [{unknown}]")));
    }
    let filters = params::filters(params)?;
    let mut found = Vec::new();
    for zone in all {
        if !(names.is_empty() || names.contains(&zone.name)) || !(ids.is_empty() || ids.contains(&zone.id)) {
            continue;
        }
        let keep = params::passes(&filters, &Tags::new(), |name| {
            Some(vec![match name {
                "zone-name" => zone.name.clone(),
                "zone-id" => zone.id.clone(),
                "region-name" => region.clone(),
                "state" => "available".to_owned(),
                "zone-type" => "availability-zone".to_owned(),
                "opt-in-status" => "opt-in-not-required".to_owned(),
                "group-name" => format!("{region}-zg-1"),
                _ => return None,
            }])
        })?;
        if keep {
            found.push(json!({
                "zoneName": zone.name,
                "zoneId": zone.id,
                "zoneState": "available",
                "zoneType": "availability-zone",
                "regionName": region,
                "groupName": format!("{region}-zg-1"),
                "networkBorderGroup": region,
                "optInStatus": "opt-in-not-required",
                "messageSet": [],
            }));
        }
    }
    Ok(json!({"availabilityZoneInfo": found}))
}

pub(super) fn vpc_not_found(id: &str) -> ApiError {
    refuse("InvalidVpcID.NotFound", format!("The vpc ID '{id}' does not exist"))
}

pub(super) fn subnet_not_found(id: &str) -> ApiError {
    refuse("InvalidSubnetID.NotFound", format!("The subnet ID '{id}' does not exist"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zone_ids_use_the_short_name_of_the_region() {
        assert_eq!(short_region("us-east-1"), "use1");
        assert_eq!(short_region("ap-southeast-2"), "apse2");
        assert_eq!(short_region("us-gov-west-1"), "usgw1");
        assert_eq!(zones("eu-central-1")[2].id, "euc1-az3");
        assert_eq!(zones("us-east-1")[4].id, "use1-az3");
    }
}
