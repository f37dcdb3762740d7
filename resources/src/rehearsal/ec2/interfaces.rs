//! Elastic network interfaces: what ties security groups and subnets to the
//! things that use them.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::network::{free_address, subnet_not_found};
use super::params::{self, USUAL_PAGE, iso_time, refuse, required, texts};
use super::tags::{Tags, to_set};

/// A network interface.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NetworkInterface {
    /// `eni-…`.
    pub id: String,
    /// The subnet its address is of.
    pub subnet_id: String,
    /// The subnet's VPC.
    pub vpc_id: String,
    /// Its primary address.
    pub private_ip: Ipv4Addr,
    /// The groups that apply to it.
    pub group_ids: Vec<String>,
    /// E.g. `Amazon EKS my-cluster`.
    pub description: String,
    /// What uses it, e.g. `cluster/NAME` or `nodegroup/CLUSTER/NAME`; none when it
    /// was left behind (status `available`).
    pub owner: Option<String>,
    /// The instance it is attached to, for a node's.
    pub instance_id: Option<String>,
    /// When it was made, milliseconds since the epoch.
    pub created_ms: u64,
    /// Tags.
    pub tags: Tags,
}

/// What [`attach`] makes.
pub(crate) struct NewInterface<'a> {
    pub subnet_id: &'a str,
    pub group_ids: &'a [String],
    pub description: String,
    pub owner: Option<String>,
    pub instance_id: Option<String>,
    pub tags: Tags,
}

/// Makes an interface for another service.
///
/// # Errors
/// The subnet does not exist.
pub(crate) fn attach(account: &mut Account, new: NewInterface<'_>) -> Result<String, ApiError> {
    let subnet = account.ec2.subnets.get(new.subnet_id).ok_or_else(|| subnet_not_found(new.subnet_id))?.clone();
    let id = format!("eni-{}", account.draw_hex(17));
    let interface = NetworkInterface {
        id: id.clone(),
        private_ip: free_address(account, &subnet),
        subnet_id: subnet.id,
        vpc_id: subnet.vpc_id,
        group_ids: new.group_ids.to_vec(),
        description: new.description,
        owner: new.owner,
        instance_id: new.instance_id,
        created_ms: account.now_ms,
        tags: new.tags,
    };
    account.ec2.network_interfaces.insert(id.clone(), interface);
    Ok(id)
}

/// Removes the interfaces that another service used.
pub(crate) fn remove_where(account: &mut Account, gone: impl Fn(&NetworkInterface) -> bool) {
    account.ec2.network_interfaces.retain(|_, interface| !gone(interface));
}

/// `DeleteNetworkInterface`.
pub(super) fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = required(params, "NetworkInterfaceId")?;
    let interface = account.ec2.network_interfaces.get(id).ok_or_else(|| not_found(id))?;
    if interface.owner.is_some() {
        return Err(refuse("InvalidParameterValue", format!("Network interface '{id}' is currently in use.")));
    }
    account.ec2.network_interfaces.shift_remove(id);
    Ok(json!({"return": true}))
}

/// `DescribeNetworkInterfaces`.
pub(super) fn describe(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let ids = texts(params, "NetworkInterfaceId");
    for id in &ids {
        if !account.ec2.network_interfaces.contains_key(id) {
            return Err(not_found(id));
        }
    }
    let filters = params::filters(params)?;
    let mut items = Vec::new();
    for interface in account.ec2.network_interfaces.values() {
        if !ids.is_empty() && !ids.contains(&interface.id) {
            continue;
        }
        if params::passes(&filters, &interface.tags, |name| attribute(account, interface, name))? {
            items.push((interface.id.clone(), answer(account, interface)));
        }
    }
    Ok(params::paged_answer("networkInterfaceSet", params::page(params, &USUAL_PAGE, items)?))
}

fn status(interface: &NetworkInterface) -> &'static str {
    if interface.owner.is_some() { "in-use" } else { "available" }
}

fn attribute(account: &Account, interface: &NetworkInterface, name: &str) -> Option<Vec<String>> {
    Some(match name {
        "group-id" => interface.group_ids.clone(),
        "group-name" => interface
            .group_ids
            .iter()
            .filter_map(|id| account.ec2.security_groups.get(id))
            .map(|group| group.name.clone())
            .collect(),
        "attachment.instance-id" => interface.instance_id.clone().into_iter().collect(),
        "attachment.status" => interface.owner.iter().map(|_| "attached".to_owned()).collect(),
        _ => vec![match name {
            "network-interface-id" => interface.id.clone(),
            "subnet-id" => interface.subnet_id.clone(),
            "vpc-id" => interface.vpc_id.clone(),
            "description" => interface.description.clone(),
            "status" => status(interface).to_owned(),
            "owner-id" => account.account_id.clone(),
            "requester-managed" => requester_managed(interface).to_string(),
            "interface-type" => kind(interface).to_owned(),
            "private-ip-address" | "addresses.private-ip-address" => interface.private_ip.to_string(),
            "availability-zone" => {
                account.ec2.subnets.get(&interface.subnet_id).map(|subnet| subnet.zone.clone()).unwrap_or_default()
            }
            _ => return None,
        }],
    })
}

/// What the interface is of, by its owner.
fn kind(interface: &NetworkInterface) -> &'static str {
    match interface.owner.as_deref().and_then(|owner| owner.split('/').next()) {
        Some("nat") => "nat_gateway",
        Some("vpce") => "vpc_endpoint",
        _ => "interface",
    }
}

/// EKS itself manages the interfaces of a control plane.
fn requester_managed(interface: &NetworkInterface) -> bool {
    interface.owner.is_some() && interface.instance_id.is_none()
}

fn answer(account: &Account, interface: &NetworkInterface) -> Value {
    let groups: Vec<Value> = interface
        .group_ids
        .iter()
        .map(|id| {
            let name = account.ec2.security_groups.get(id).map(|group| group.name.clone());
            json!({"groupId": id, "groupName": name.unwrap_or_default()})
        })
        .collect();
    let zone = account.ec2.subnets.get(&interface.subnet_id).map(|subnet| subnet.zone.clone());
    let mut answer = json!({
        "networkInterfaceId": interface.id,
        "subnetId": interface.subnet_id,
        "vpcId": interface.vpc_id,
        "availabilityZone": zone.unwrap_or_default(),
        "description": interface.description,
        "ownerId": account.account_id,
        "requesterManaged": requester_managed(interface),
        "status": status(interface),
        "privateIpAddress": interface.private_ip.to_string(),
        "privateIpAddressesSet": [{"privateIpAddress": interface.private_ip.to_string(), "primary": true}],
        "sourceDestCheck": true,
        "interfaceType": kind(interface),
        "groupSet": groups,
        "tagSet": to_set(&interface.tags),
    });
    let address = account.ec2.addresses.values().find(|it| it.interface_id.as_ref() == Some(&interface.id));
    if let Some(address) = address {
        answer["association"] = json!({
            "allocationId": address.allocation_id,
            "associationId": address.association_id(),
            "publicIp": address.public_ip.to_string(),
            "ipOwnerId": account.account_id,
        });
    }
    if interface.owner.is_some() {
        let suffix = interface.id.trim_start_matches("eni-");
        let mut attachment = json!({
            "attachmentId": format!("eni-attach-{suffix}"),
            "attachTime": iso_time(interface.created_ms),
            "deleteOnTermination": true,
            "deviceIndex": 0,
            "instanceOwnerId": account.account_id,
            "status": "attached",
        });
        if let Some(instance) = &interface.instance_id {
            attachment["instanceId"] = json!(instance);
        }
        answer["attachment"] = attachment;
    }
    answer
}

fn not_found(id: &str) -> ApiError {
    refuse("InvalidNetworkInterfaceID.NotFound", format!("The networkInterface ID '{id}' does not exist"))
}
