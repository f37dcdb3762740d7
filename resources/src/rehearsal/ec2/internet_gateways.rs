//! Internet gateways.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::network::{visible_from, vpc};
use super::params::{self, USUAL_PAGE, refuse, required, texts};
use super::tags::{self, Tags, to_set};

/// Internet gateways in a region: as many as VPCs.
const MOST_GATEWAYS: usize = 5;

/// An internet gateway.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct InternetGateway {
    /// `igw-…`.
    pub id: String,
    /// The VPC that it is attached to.
    pub vpc_id: Option<String>,
    /// Tags.
    pub tags: Tags,
    /// From when on calls see it, milliseconds since the epoch.
    pub visible_ms: u64,
}

/// `CreateInternetGateway`.
pub(super) fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let tags = tags::from_specifications(params, "internet-gateway")?;
    if account.ec2.internet_gateways.len() >= MOST_GATEWAYS {
        let message = "The maximum number of internet gateways has been reached.";
        return Err(refuse("InternetGatewayLimitExceeded", message));
    }
    let id = format!("igw-{}", account.draw_hex(17));
    let visible_ms = visible_from(account);
    let made = InternetGateway { id: id.clone(), vpc_id: None, tags, visible_ms };
    let answer = answer(account, &made);
    account.ec2.internet_gateways.insert(id, made);
    Ok(json!({"internetGateway": answer}))
}

/// The gateway, if it is there and visible.
pub(super) fn gateway<'a>(account: &'a Account, id: &str) -> Result<&'a InternetGateway, ApiError> {
    account.ec2.internet_gateways.get(id).filter(|it| it.visible_ms <= account.now_ms).ok_or_else(|| not_found(id))
}

fn not_found(id: &str) -> ApiError {
    refuse("InvalidInternetGatewayID.NotFound", format!("The internetGateway ID '{id}' does not exist"))
}

/// The gateway that is attached to a VPC.
pub(super) fn of_vpc<'a>(account: &'a Account, vpc_id: &str) -> Option<&'a InternetGateway> {
    account.ec2.internet_gateways.values().find(|it| it.vpc_id.as_deref() == Some(vpc_id))
}

/// `AttachInternetGateway`.
pub(super) fn attach(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let (id, vpc_id) = (required(params, "InternetGatewayId")?, required(params, "VpcId")?);
    vpc(account, vpc_id)?;
    if let Some(attached) = &gateway(account, id)?.vpc_id {
        return Err(refuse(
            "Resource.AlreadyAssociated",
            format!("resource {id} is already attached to network {attached}"),
        ));
    }
    if of_vpc(account, vpc_id).is_some() {
        return Err(refuse(
            "InvalidParameterValue",
            format!("Network {vpc_id} already has an internet gateway attached"),
        ));
    }
    set(account, id, Some(vpc_id.to_owned()));
    Ok(json!({"return": true}))
}

fn set(account: &mut Account, id: &str, vpc_id: Option<String>) {
    if let Some(gateway) = account.ec2.internet_gateways.get_mut(id) {
        gateway.vpc_id = vpc_id;
    }
}

/// `DetachInternetGateway`: not while something in the VPC has a public address
/// (hashicorp/terraform#497).
pub(super) fn detach(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let (id, vpc_id) = (required(params, "InternetGatewayId")?, required(params, "VpcId")?);
    if gateway(account, id)?.vpc_id.as_deref() != Some(vpc_id) {
        return Err(refuse("Gateway.NotAttached", format!("resource {id} is not attached to network {vpc_id}")));
    }
    let ec2 = &account.ec2;
    let mapped = ec2.addresses.values().filter_map(|address| address.interface_id.as_ref());
    if mapped.filter_map(|id| ec2.network_interfaces.get(id)).any(|interface| interface.vpc_id == vpc_id) {
        return Err(refuse(
            "DependencyViolation",
            format!(
                "Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."
            ),
        ));
    }
    set(account, id, None);
    Ok(json!({"return": true}))
}

/// `DeleteInternetGateway`.
pub(super) fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = required(params, "InternetGatewayId")?;
    if gateway(account, id)?.vpc_id.is_some() {
        return Err(refuse(
            "DependencyViolation",
            format!("The internetGateway '{id}' has dependencies and cannot be deleted."),
        ));
    }
    account.ec2.internet_gateways.shift_remove(id);
    Ok(json!({"return": true}))
}

/// `DescribeInternetGateways`.
pub(super) fn describe(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let ids = texts(params, "InternetGatewayId");
    for id in &ids {
        gateway(account, id)?;
    }
    let filters = params::filters(params)?;
    let mut items = Vec::new();
    for gateway in account.ec2.internet_gateways.values().filter(|it| it.visible_ms <= account.now_ms) {
        let keep = params::passes(&filters, &gateway.tags, |name| {
            Some(match name {
                "internet-gateway-id" => vec![gateway.id.clone()],
                "attachment.vpc-id" => gateway.vpc_id.clone().into_iter().collect(),
                "attachment.state" => gateway.vpc_id.iter().map(|_| "available".to_owned()).collect(),
                "owner-id" => vec![account.account_id.clone()],
                _ => return None,
            })
        })?;
        if keep && (ids.is_empty() || ids.contains(&gateway.id)) {
            items.push((gateway.id.clone(), answer(account, gateway)));
        }
    }
    Ok(params::paged_answer("internetGatewaySet", params::page(params, &USUAL_PAGE, items)?))
}

fn answer(account: &Account, gateway: &InternetGateway) -> Value {
    let attachments: Vec<Value> =
        gateway.vpc_id.iter().map(|vpc_id| json!({"vpcId": vpc_id, "state": "available"})).collect();
    json!({
        "internetGatewayId": gateway.id,
        "ownerId": account.account_id,
        "attachmentSet": attachments,
        "tagSet": to_set(&gateway.tags),
    })
}
