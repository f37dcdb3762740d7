//! NAT gateways.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::interfaces::{NewInterface, attach as attach_interface, remove_where};
use super::network::{Subnet, free_addresses, subnet};
use super::params::{self, USUAL_PAGE, iso_time, refuse, required, text, texts};
use super::tags::{self, Tags, to_set};
use super::{addresses, forget_tokens, internet_gateways, remember, replay};

/// NAT gateways in a zone before Service Quotas is asked (L-FE5A380F).
const MOST_IN_A_ZONE: usize = 5;
/// Seconds from pending to available, from deleting to deleted, and until a deleted or
/// failed one is not shown any more ("usually in about an hour").
/// <https://docs.aws.amazon.com/vpc/latest/userguide/nat-gateway-troubleshooting.html>
const CREATE: (f64, f64) = (60.0, 120.0);
const FAIL: (f64, f64) = (5.0, 15.0);
const DELETE: (f64, f64) = (30.0, 70.0);
const SHOWN_MS: u64 = 3_600_000;

/// Where a NAT gateway is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NatState {
    /// Being made.
    Pending,
    /// It serves.
    Available,
    /// It could not be made.
    Failed,
    /// Being deleted.
    Deleting,
    /// Gone, and still shown.
    Deleted,
}

impl NatState {
    fn text(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }
}

/// A public NAT gateway.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NatGateway {
    /// `nat-…`.
    pub id: String,
    /// Its subnet.
    pub subnet_id: String,
    /// The subnet's VPC.
    pub vpc_id: String,
    /// The zone of its subnet.
    pub zone: String,
    /// Its elastic address.
    pub allocation_id: String,
    /// Its interface, until it is deleted.
    pub interface_id: Option<String>,
    /// Where it is in its life.
    pub state: NatState,
    /// When the state ends, milliseconds since the epoch.
    due_ms: Option<u64>,
    /// Why it failed, or will: code and message.
    failure: Option<(String, String)>,
    created_ms: u64,
    deleted_ms: Option<u64>,
    /// Tags.
    pub tags: Tags,
}

/// `CreateNatGateway`: what is wrong with the address or the VPC shows as the state
/// `failed`, and not in the answer.
pub(super) fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    if let Some(answer) = replay(account, "CreateNatGateway", params)? {
        return Ok(answer);
    }
    let subnet = subnet(account, required(params, "SubnetId")?)?.clone();
    if text(params, "ConnectivityType").is_some_and(|kind| kind != "public") {
        return Err(refuse("InvalidParameterValue", "The rehearsal account has public NAT gateways only."));
    }
    let allocation_id = required(params, "AllocationId")?.to_owned();
    let taken = addresses::address(account, &allocation_id)?.interface_id.is_some();
    let tags = tags::from_specifications(params, "natgateway")?;
    let standing = |it: &&NatGateway| matches!(it.state, NatState::Pending | NatState::Available | NatState::Deleting);
    if account.ec2.nat_gateways.values().filter(standing).filter(|it| it.zone == subnet.zone).count() >= MOST_IN_A_ZONE
    {
        return Err(refuse("NatGatewayLimitExceeded", "The maximum number of NAT Gateways has been reached."));
    }
    let failure = obstacle(account, &subnet, &allocation_id, taken).map(|(code, text)| (code.to_owned(), text));
    let id = format!("nat-{}", account.draw_hex(17));
    let (low, high) = if failure.is_some() { FAIL } else { CREATE };
    let due_ms = Some(account.draw_due(&format!("nat/{id}"), "create", low, high));
    let mut made = NatGateway {
        id: id.clone(),
        subnet_id: subnet.id,
        vpc_id: subnet.vpc_id,
        zone: subnet.zone,
        allocation_id,
        interface_id: None,
        state: NatState::Pending,
        due_ms,
        failure,
        created_ms: account.now_ms,
        deleted_ms: None,
        tags,
    };
    if made.failure.is_none() {
        made.interface_id = Some(connect(account, &made)?);
    }
    let mut answer = json!({"natGateway": answer(account, &made)});
    if let Some(token) = text(params, "ClientToken") {
        answer["clientToken"] = json!(token);
    }
    account.ec2.nat_gateways.insert(id.clone(), made);
    remember(account, "CreateNatGateway", params, &id, &answer);
    Ok(answer)
}

/// Why the gateway will fail.
fn obstacle(account: &Account, subnet: &Subnet, allocation_id: &str, taken: bool) -> Option<(&'static str, String)> {
    if internet_gateways::of_vpc(account, &subnet.vpc_id).is_none() {
        Some(("Gateway.NotAttached", format!("Network {} has no Internet gateway attached", subnet.vpc_id)))
    } else if taken {
        Some(("Resource.AlreadyAssociated", format!("Elastic IP address [{allocation_id}] is already associated")))
    } else if free_addresses(account, subnet) == 0 {
        let message = "Subnet has insufficient free addresses to create this NAT gateway";
        Some(("InsufficientFreeAddressesInSubnet", message.to_owned()))
    } else {
        None
    }
}

/// Its interface, with the address mapped to it.
fn connect(account: &mut Account, gateway: &NatGateway) -> Result<String, ApiError> {
    let interface_id = attach_interface(
        account,
        NewInterface {
            subnet_id: &gateway.subnet_id,
            group_ids: &[],
            description: format!("Interface for NAT Gateway {}", gateway.id),
            owner: Some(format!("nat/{}", gateway.id)),
            instance_id: None,
            tags: Tags::new(),
        },
    )?;
    if let Some(address) = account.ec2.addresses.get_mut(&gateway.allocation_id) {
        address.interface_id = Some(interface_id.clone());
    }
    Ok(interface_id)
}

/// `DeleteNatGateway`. Its address and its subnet are held until it is deleted.
pub(super) fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = required(params, "NatGatewayId")?;
    let state = account.ec2.nat_gateways.get(id).map(|it| it.state).ok_or_else(|| not_found(id))?;
    if state == NatState::Pending || state == NatState::Available {
        let (low, high) = DELETE;
        let due_ms = account.draw_due(&format!("nat/{id}"), "delete", low, high);
        if let Some(gateway) = account.ec2.nat_gateways.get_mut(id) {
            (gateway.state, gateway.due_ms) = (NatState::Deleting, Some(due_ms));
        }
    }
    Ok(json!({"natGatewayId": id}))
}

fn not_found(id: &str) -> ApiError {
    refuse("NatGatewayNotFound", format!("The Nat Gateway {id} was not found"))
}

/// Brings the gateways up to the account's time.
pub(super) fn settle(account: &mut Account) {
    let now = account.now_ms;
    let due: Vec<String> = account
        .ec2
        .nat_gateways
        .values()
        .filter(|it| it.due_ms.is_some_and(|due| due <= now))
        .map(|it| it.id.clone())
        .collect();
    for id in due {
        end(account, &id);
    }
}

/// A state is over; what follows may be over, too.
fn end(account: &mut Account, id: &str) {
    while let Some(gateway) = account.ec2.nat_gateways.get_mut(id) {
        let Some(due) = gateway.due_ms.filter(|due| *due <= account.now_ms) else {
            return;
        };
        (gateway.state, gateway.due_ms) = match (gateway.state, &gateway.failure) {
            (NatState::Pending, Some(_)) => (NatState::Failed, Some(due + SHOWN_MS)),
            (NatState::Pending, None) => (NatState::Available, None),
            (NatState::Deleting, _) => (NatState::Deleted, Some(due + SHOWN_MS)),
            (NatState::Available, _) => (NatState::Available, None),
            (NatState::Failed | NatState::Deleted, _) => {
                account.ec2.nat_gateways.shift_remove(id);
                forget_tokens(account, id);
                return;
            }
        };
        if gateway.state == NatState::Deleted {
            gateway.deleted_ms = Some(due);
            let interface = gateway.interface_id.take();
            remove_where(account, |it| Some(&it.id) == interface.as_ref());
            for address in account.ec2.addresses.values_mut().filter(|it| it.interface_id == interface) {
                address.interface_id = None;
            }
        }
    }
}

/// `DescribeNatGateways`.
pub(super) fn describe(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let ids = texts(params, "NatGatewayId");
    for id in &ids {
        account.ec2.nat_gateways.get(id).ok_or_else(|| not_found(id))?;
    }
    let filters = params::filters(params)?;
    let mut items = Vec::new();
    for gateway in account.ec2.nat_gateways.values() {
        let keep = params::passes(&filters, &gateway.tags, |name| {
            Some(vec![match name {
                "nat-gateway-id" => gateway.id.clone(),
                "state" => gateway.state.text().to_owned(),
                "subnet-id" => gateway.subnet_id.clone(),
                "vpc-id" => gateway.vpc_id.clone(),
                _ => return None,
            }])
        })?;
        if keep && (ids.is_empty() || ids.contains(&gateway.id)) {
            items.push((gateway.id.clone(), answer(account, gateway)));
        }
    }
    Ok(params::paged_answer("natGatewaySet", params::page(params, &USUAL_PAGE, items)?))
}

fn answer(account: &Account, gateway: &NatGateway) -> Value {
    let mut address = json!({"allocationId": gateway.allocation_id, "isPrimary": true});
    let interface = gateway.interface_id.as_ref().and_then(|id| account.ec2.network_interfaces.get(id));
    if let Some(interface) = interface {
        address["networkInterfaceId"] = json!(interface.id);
        address["privateIp"] = json!(interface.private_ip.to_string());
        address["publicIp"] =
            json!(account.ec2.addresses.get(&gateway.allocation_id).map(|address| address.public_ip.to_string()));
        address["status"] = json!(if gateway.state == NatState::Pending { "associating" } else { "succeeded" });
    }
    let mut answer = json!({
        "natGatewayId": gateway.id,
        "subnetId": gateway.subnet_id,
        "vpcId": gateway.vpc_id,
        "state": gateway.state.text(),
        "connectivityType": "public",
        "createTime": iso_time(gateway.created_ms),
        "natGatewayAddressSet": [address],
        "tagSet": to_set(&gateway.tags),
    });
    if let Some(deleted_ms) = gateway.deleted_ms {
        answer["deleteTime"] = json!(iso_time(deleted_ms));
    }
    if let Some((code, message)) = gateway.failure.as_ref().filter(|_| gateway.state == NatState::Failed) {
        answer["failureCode"] = json!(code);
        answer["failureMessage"] = json!(message);
    }
    answer
}
