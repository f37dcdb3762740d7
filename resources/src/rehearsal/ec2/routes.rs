//! Routes: one a destination in each table.

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::internet_gateways::gateway;
use super::nat_gateways::NatState;
use super::params::{refuse, required, text};
use super::route_tables::{Route, RouteTable, Target, table, table_mut};

/// `CreateRoute`.
pub(super) fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let (id, destination) = (required(params, "RouteTableId")?, destination(params)?);
    let table = table(account, id)?;
    if table.routes.iter().any(|route| route.destination == destination) {
        return Err(refuse("RouteAlreadyExists", format!("The route identified by {destination} already exists.")));
    }
    let target = target(account, params, table)?;
    table_mut(account, id)?.routes.push(Route { destination, target });
    Ok(json!({"return": true}))
}

/// `ReplaceRoute`.
pub(super) fn replace(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let (id, destination) = (required(params, "RouteTableId")?, destination(params)?);
    let target = target(account, params, table(account, id)?)?;
    let routes = &mut table_mut(account, id)?.routes;
    let Some(route) = routes.iter_mut().find(|route| route.destination == destination) else {
        return Err(refuse(
            "InvalidParameterValue",
            format!("There is no route defined for '{destination}' in the route table. Use CreateRoute instead."),
        ));
    };
    route.target = target;
    Ok(json!({"return": true}))
}

/// `DeleteRoute`.
pub(super) fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let (id, destination) = (required(params, "RouteTableId")?, destination(params)?);
    let routes = &mut table_mut(account, id)?.routes;
    let before = routes.len();
    routes.retain(|route| route.destination != destination);
    if routes.len() == before {
        return Err(refuse(
            "InvalidRoute.NotFound",
            format!("no route with destination-cidr-block {destination} in route table {id}"),
        ));
    }
    Ok(json!({"return": true}))
}

fn destination(params: &Value) -> Result<String, ApiError> {
    let asked = required(params, "DestinationCidrBlock")?;
    let block: Ipv4Net = asked.parse().map_err(|_| {
        refuse(
            "InvalidParameterValue",
            format!("Value ({asked}) for parameter destinationCidrBlock is invalid. This is not a valid CIDR block."),
        )
    })?;
    Ok(block.trunc().to_string())
}

fn target(account: &Account, params: &Value, table: &RouteTable) -> Result<Target, ApiError> {
    match (text(params, "GatewayId"), text(params, "NatGatewayId")) {
        (Some(id), None) => {
            let gateway = gateway(account, id)
                .map_err(|_| refuse("InvalidGatewayID.NotFound", format!("The gateway ID '{id}' does not exist")))?;
            if gateway.vpc_id.as_ref() != Some(&table.vpc_id) {
                let message = format!("route table {} and network gateway {id} belong to different networks", table.id);
                return Err(refuse("InvalidParameterValue", message));
            }
            Ok(Target::InternetGateway(id.to_owned()))
        }
        (None, Some(id)) => {
            let serves = |state| matches!(state, NatState::Pending | NatState::Available);
            let found = account.ec2.nat_gateways.get(id).filter(|it| serves(it.state));
            let nat = found.ok_or_else(|| {
                refuse("InvalidNatGatewayID.NotFound", format!("The natGateway ID '{id}' does not exist"))
            })?;
            if nat.vpc_id != table.vpc_id {
                let message = format!("route table {} and NAT gateway {id} belong to different networks", table.id);
                return Err(refuse("InvalidParameterValue", message));
            }
            Ok(Target::NatGateway(id.to_owned()))
        }
        (None, None) => Err(refuse("MissingParameter", "The request must contain exactly one target for the route.")),
        (Some(_), Some(_)) => {
            Err(refuse("InvalidParameterCombination", "A route must have exactly one target, and two were given."))
        }
    }
}

/// A route's target leads nowhere: gone, or detached.
pub(super) fn is_blackhole(account: &Account, vpc_id: &str, target: &Target) -> bool {
    match target {
        Target::InternetGateway(id) => {
            account.ec2.internet_gateways.get(id).is_none_or(|it| it.vpc_id.as_deref() != Some(vpc_id))
        }
        Target::NatGateway(id) => account.ec2.nat_gateways.get(id).is_none_or(|it| it.state != NatState::Available),
        Target::Endpoint(id) => !account.ec2.vpc_endpoints.contains_key(id),
    }
}

/// `routeSet` of a table: the local route first.
pub(super) fn answer(account: &Account, table: &RouteTable) -> Vec<Value> {
    let local = account.ec2.vpcs.get(&table.vpc_id).map(|vpc| {
        json!({
            "destinationCidrBlock": vpc.cidr.to_string(),
            "gatewayId": "local",
            "origin": "CreateRouteTable",
            "state": "active",
        })
    });
    let others = table.routes.iter().map(|route| {
        let state = if is_blackhole(account, &table.vpc_id, &route.target) { "blackhole" } else { "active" };
        let mut answer = json!({"origin": "CreateRoute", "state": state});
        match &route.target {
            Target::InternetGateway(id) => answer["gatewayId"] = json!(id),
            Target::NatGateway(id) => answer["natGatewayId"] = json!(id),
            Target::Endpoint(id) => answer["gatewayId"] = json!(id),
        }
        let member =
            if route.destination.starts_with("pl-") { "destinationPrefixListId" } else { "destinationCidrBlock" };
        answer[member] = json!(route.destination);
        answer
    });
    local.into_iter().chain(others).collect()
}
