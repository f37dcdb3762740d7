//! Route tables and what they are associated with.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::network::{subnet, visible_from, vpc};
use super::params::{self, USUAL_PAGE, refuse, required, texts};
use super::tags::{self, Tags, to_set};
use super::{forget_tokens, remember, replay, routes};

/// Where a route leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// An internet gateway.
    InternetGateway(String),
    /// A NAT gateway.
    NatGateway(String),
    /// A gateway endpoint; the destination is a prefix list.
    Endpoint(String),
}

/// A route.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Route {
    /// A block, or a prefix list's id.
    pub destination: String,
    /// Where it leads.
    pub target: Target,
}

/// A table's association with a subnet; of a VPC's main table with none.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Association {
    /// `rtbassoc-…`.
    pub id: String,
    /// The subnet; `None` for the VPC's main table.
    pub subnet_id: Option<String>,
}

/// A route table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RouteTable {
    /// `rtb-…`.
    pub id: String,
    /// Its VPC; the route to the VPC's own block is in every table.
    pub vpc_id: String,
    /// Routes beside the local one.
    pub routes: Vec<Route>,
    /// What uses it.
    pub associations: Vec<Association>,
    /// Tags.
    pub tags: Tags,
    /// From when on calls see it, milliseconds since the epoch.
    pub visible_ms: u64,
}

impl RouteTable {
    /// True for the table that a VPC's subnets have unless told otherwise.
    pub fn is_main(&self) -> bool {
        self.associations.iter().any(|it| it.subnet_id.is_none())
    }
}

/// The main table of a new VPC. Its ids follow from the VPC's.
pub(super) fn insert_main(account: &mut Account, vpc_id: &str) {
    let id = vpc_id.replacen("vpc-", "rtb-", 1);
    let association = Association { id: vpc_id.replacen("vpc-", "rtbassoc-", 1), subnet_id: None };
    let (vpc_id, routes, tags) = (vpc_id.to_owned(), Vec::new(), Tags::new());
    let made = RouteTable {
        id: id.clone(),
        vpc_id,
        routes,
        associations: vec![association],
        tags,
        visible_ms: account.now_ms,
    };
    account.ec2.route_tables.insert(id, made);
}

/// The VPC is gone.
pub(super) fn remove_main(account: &mut Account, vpc_id: &str) {
    account.ec2.route_tables.retain(|_, table| table.vpc_id != vpc_id);
}

/// The subnet is gone.
pub(super) fn forget_subnet(account: &mut Account, subnet_id: &str) {
    for table in account.ec2.route_tables.values_mut() {
        table.associations.retain(|it| it.subnet_id.as_deref() != Some(subnet_id));
    }
}

/// The table that a subnet's traffic follows.
pub(super) fn of_subnet<'a>(account: &'a Account, subnet_id: &str) -> Option<&'a RouteTable> {
    let explicit = |table: &&RouteTable| table.associations.iter().any(|it| it.subnet_id.as_deref() == Some(subnet_id));
    let tables = || account.ec2.route_tables.values();
    let vpc_id = account.ec2.subnets.get(subnet_id).map(|subnet| &subnet.vpc_id);
    tables().find(explicit).or_else(|| tables().find(|table| Some(&table.vpc_id) == vpc_id && table.is_main()))
}

/// The table, if it is there and visible.
pub(super) fn table<'a>(account: &'a Account, id: &str) -> Result<&'a RouteTable, ApiError> {
    account.ec2.route_tables.get(id).filter(|it| it.visible_ms <= account.now_ms).ok_or_else(|| not_found(id))
}

/// The same, to change it.
pub(super) fn table_mut<'a>(account: &'a mut Account, id: &str) -> Result<&'a mut RouteTable, ApiError> {
    let now = account.now_ms;
    account.ec2.route_tables.get_mut(id).filter(|it| it.visible_ms <= now).ok_or_else(|| not_found(id))
}

fn not_found(id: &str) -> ApiError {
    refuse("InvalidRouteTableID.NotFound", format!("The routeTable ID '{id}' does not exist"))
}

/// `CreateRouteTable`.
pub(super) fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    if let Some(answer) = replay(account, "CreateRouteTable", params)? {
        return Ok(answer);
    }
    let vpc_id = required(params, "VpcId")?.to_owned();
    vpc(account, &vpc_id)?;
    let tags = tags::from_specifications(params, "route-table")?;
    let id = format!("rtb-{}", account.draw_hex(17));
    let visible_ms = visible_from(account);
    let (routes, associations) = (Vec::new(), Vec::new());
    let made = RouteTable { id: id.clone(), vpc_id, routes, associations, tags, visible_ms };
    let answer = json!({"routeTable": answer(account, &made)});
    account.ec2.route_tables.insert(id.clone(), made);
    remember(account, "CreateRouteTable", params, &id, &answer);
    Ok(answer)
}

/// `DeleteRouteTable`: not while a subnet uses it, and never a main one.
pub(super) fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = required(params, "RouteTableId")?;
    if !table(account, id)?.associations.is_empty() {
        return Err(refuse(
            "DependencyViolation",
            format!("The routeTable '{id}' has dependencies and cannot be deleted."),
        ));
    }
    account.ec2.route_tables.shift_remove(id);
    forget_tokens(account, id);
    Ok(json!({"return": true}))
}

/// `AssociateRouteTable`, with a subnet.
pub(super) fn associate(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = required(params, "RouteTableId")?;
    let subnet = subnet(account, required(params, "SubnetId")?)?.clone();
    same_network(account, id, &subnet.vpc_id, &subnet.id)?;
    let taken = account.ec2.route_tables.values().flat_map(|table| &table.associations);
    if taken.into_iter().any(|it| it.subnet_id.as_ref() == Some(&subnet.id)) {
        return Err(refuse(
            "Resource.AlreadyAssociated",
            format!("the specified association for route table {id} conflicts with an existing association"),
        ));
    }
    let association_id = format!("rtbassoc-{}", account.draw_hex(17));
    let made = Association { id: association_id.clone(), subnet_id: Some(subnet.id) };
    table_mut(account, id)?.associations.push(made);
    Ok(json!({"associationId": association_id, "associationState": {"state": "associated"}}))
}

fn same_network(account: &Account, table_id: &str, vpc_id: &str, subnet_id: &str) -> Result<(), ApiError> {
    if table(account, table_id)?.vpc_id == vpc_id {
        return Ok(());
    }
    let message = format!("Route table {table_id} and subnet {subnet_id} belong to different networks");
    Err(refuse("InvalidParameterValue", message))
}

/// Takes an association of a subnet out of its table.
fn take(account: &mut Account, id: &str) -> Result<(String, Association), ApiError> {
    for table in account.ec2.route_tables.values_mut() {
        if let Some(at) = table.associations.iter().position(|it| it.id == id) {
            if table.associations[at].subnet_id.is_none() {
                let message = format!("cannot disassociate the main route table association {id}");
                return Err(refuse("InvalidParameterValue", message));
            }
            return Ok((table.id.clone(), table.associations.remove(at)));
        }
    }
    Err(refuse("InvalidAssociationID.NotFound", format!("The association ID '{id}' does not exist")))
}

/// `ReplaceRouteTableAssociation`: the association gets a new id.
pub(super) fn replace_association(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let to = required(params, "RouteTableId")?;
    table(account, to)?;
    let (_, old) = take(account, required(params, "AssociationId")?)?;
    let id = format!("rtbassoc-{}", account.draw_hex(17));
    table_mut(account, to)?.associations.push(Association { id: id.clone(), subnet_id: old.subnet_id });
    Ok(json!({"newAssociationId": id, "associationState": {"state": "associated"}}))
}

/// `DisassociateRouteTable`.
pub(super) fn disassociate(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    take(account, required(params, "AssociationId")?)?;
    Ok(json!({"return": true}))
}

/// `DescribeRouteTables`.
pub(super) fn describe(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let ids = texts(params, "RouteTableId");
    for id in &ids {
        table(account, id)?;
    }
    let filters = params::filters(params)?;
    let mut items = Vec::new();
    for table in account.ec2.route_tables.values().filter(|it| it.visible_ms <= account.now_ms) {
        let keep = params::passes(&filters, &table.tags, |name| attribute(account, table, name))?;
        if keep && (ids.is_empty() || ids.contains(&table.id)) {
            items.push((table.id.clone(), answer(account, table)));
        }
    }
    Ok(params::paged_answer("routeTableSet", params::page(params, &USUAL_PAGE, items)?))
}

fn attribute(account: &Account, table: &RouteTable, name: &str) -> Option<Vec<String>> {
    let associations = table.associations.iter();
    let targets = table.routes.iter().map(|route| &route.target);
    Some(match name {
        "route-table-id" => vec![table.id.clone()],
        "vpc-id" => vec![table.vpc_id.clone()],
        "owner-id" => vec![account.account_id.clone()],
        "association.route-table-association-id" => associations.map(|it| it.id.clone()).collect(),
        "association.route-table-id" => associations.map(|_| table.id.clone()).collect(),
        "association.subnet-id" => associations.filter_map(|it| it.subnet_id.clone()).collect(),
        "association.main" => associations.map(|it| it.subnet_id.is_none().to_string()).collect(),
        "route.destination-cidr-block" => table.routes.iter().map(|route| route.destination.clone()).collect(),
        "route.gateway-id" => targets
            .filter_map(|target| match target {
                Target::InternetGateway(id) | Target::Endpoint(id) => Some(id.clone()),
                Target::NatGateway(_) => None,
            })
            .collect(),
        "route.nat-gateway-id" => targets
            .filter_map(|target| match target {
                Target::NatGateway(id) => Some(id.clone()),
                _ => None,
            })
            .collect(),
        _ => return None,
    })
}

pub(super) fn answer(account: &Account, table: &RouteTable) -> Value {
    let associations: Vec<Value> = table
        .associations
        .iter()
        .map(|it| {
            let mut answer = json!({
                "routeTableAssociationId": it.id,
                "routeTableId": table.id,
                "main": it.subnet_id.is_none(),
                "associationState": {"state": "associated"},
            });
            if let Some(subnet_id) = &it.subnet_id {
                answer["subnetId"] = json!(subnet_id);
            }
            answer
        })
        .collect();
    json!({
        "routeTableId": table.id,
        "vpcId": table.vpc_id,
        "ownerId": account.account_id,
        "routeSet": routes::answer(account, table),
        "associationSet": associations,
        "propagatingVgwSet": [],
        "tagSet": to_set(&table.tags),
    })
}
