//! Elastic addresses.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::network::visible_from;
use super::params::{self, refuse, required, text, texts};
use super::tags::{self, Tags, to_set};

/// Elastic addresses in a region before Service Quotas is asked (L-0263D0A3).
const MOST_ADDRESSES: usize = 5;

/// An elastic address.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Address {
    /// `eipalloc-…`.
    pub allocation_id: String,
    /// The address.
    pub public_ip: Ipv4Addr,
    /// The interface that it is mapped to.
    pub interface_id: Option<String>,
    /// Tags.
    pub tags: Tags,
    /// From when on calls see it, milliseconds since the epoch.
    pub visible_ms: u64,
}

impl Address {
    /// `eipassoc-…` while it is mapped.
    pub(super) fn association_id(&self) -> Option<String> {
        self.interface_id.as_ref().map(|_| self.allocation_id.replacen("eipalloc-", "eipassoc-", 1))
    }
}

/// `AllocateAddress`.
pub(super) fn allocate(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    if text(params, "Domain").is_some_and(|domain| domain != "vpc") {
        return Err(refuse("InvalidParameterValue", "Invalid value for domain: only vpc is supported."));
    }
    let tags = tags::from_specifications(params, "elastic-ip")?;
    if account.ec2.addresses.len() >= MOST_ADDRESSES {
        return Err(refuse("AddressLimitExceeded", "The maximum number of addresses has been reached."));
    }
    let allocation_id = format!("eipalloc-{}", account.draw_hex(17));
    // RFC 2544's block for tests, which nobody routes.
    let bits = account.draw_u64().to_be_bytes();
    let public_ip = Ipv4Addr::new(198, 18 + bits[0] % 2, bits[1], bits[2]);
    let visible_ms = visible_from(account);
    let made = Address { allocation_id: allocation_id.clone(), public_ip, interface_id: None, tags, visible_ms };
    account.ec2.addresses.insert(allocation_id.clone(), made);
    Ok(json!({
        "publicIp": public_ip.to_string(),
        "allocationId": allocation_id,
        "domain": "vpc",
        "publicIpv4Pool": "amazon",
        "networkBorderGroup": account.region,
    }))
}

/// The address, if it is there and visible.
pub(super) fn address<'a>(account: &'a Account, id: &str) -> Result<&'a Address, ApiError> {
    account
        .ec2
        .addresses
        .get(id)
        .filter(|it| it.visible_ms <= account.now_ms)
        .ok_or_else(|| refuse("InvalidAllocationID.NotFound", format!("The allocation ID '{id}' does not exist")))
}

/// `ReleaseAddress`.
pub(super) fn release(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = required(params, "AllocationId")?;
    let address = address(account, id)?;
    if address.interface_id.is_some() {
        return Err(refuse("InvalidIPAddress.InUse", format!("Address {} is in use.", address.public_ip)));
    }
    account.ec2.addresses.shift_remove(id);
    Ok(json!({"return": true}))
}

/// `DescribeAddresses`: all on one page.
pub(super) fn describe(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let ids = texts(params, "AllocationId");
    for id in &ids {
        address(account, id)?;
    }
    let filters = params::filters(params)?;
    let mut items = Vec::new();
    for address in account.ec2.addresses.values().filter(|it| it.visible_ms <= account.now_ms) {
        let keep = params::passes(&filters, &address.tags, |name| {
            Some(match name {
                "allocation-id" => vec![address.allocation_id.clone()],
                "association-id" => address.association_id().into_iter().collect(),
                "network-interface-id" => address.interface_id.clone().into_iter().collect(),
                "public-ip" => vec![address.public_ip.to_string()],
                "domain" => vec!["vpc".to_owned()],
                _ => return None,
            })
        })?;
        if keep && (ids.is_empty() || ids.contains(&address.allocation_id)) {
            items.push(answer(account, address));
        }
    }
    Ok(json!({"addressesSet": items}))
}

fn answer(account: &Account, address: &Address) -> Value {
    let mut answer = json!({
        "publicIp": address.public_ip.to_string(),
        "allocationId": address.allocation_id,
        "domain": "vpc",
        "publicIpv4Pool": "amazon",
        "networkBorderGroup": account.region,
        "tagSet": to_set(&address.tags),
    });
    let interface = address.interface_id.as_ref().and_then(|id| account.ec2.network_interfaces.get(id));
    if let Some(interface) = interface {
        answer["associationId"] = json!(address.association_id());
        answer["networkInterfaceId"] = json!(interface.id);
        answer["networkInterfaceOwnerId"] = json!(account.account_id);
        answer["privateIpAddress"] = json!(interface.private_ip.to_string());
    }
    answer
}
