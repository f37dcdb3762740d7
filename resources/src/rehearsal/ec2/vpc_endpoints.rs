//! VPC endpoints: the gateway for S3 and DynamoDB, and interfaces for other services.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::interfaces::{NewInterface, attach as attach_interface, remove_where};
use super::network::{subnet, vpc};
use super::params::{self, USUAL_PAGE, flag, iso_time, refuse, required, text, texts};
use super::route_tables::{Route, Target, table, table_mut};
use super::tags::{self, Tags, to_set};
use super::{forget_tokens, remember, replay};

/// Seconds from pending to available, and from deleting to gone, of an interface endpoint.
const CREATE: (f64, f64) = (45.0, 110.0);
const DELETE: (f64, f64) = (20.0, 60.0);

/// Where an endpoint is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// Being made.
    Pending,
    /// It serves.
    Available,
    /// Being deleted.
    Deleting,
}

impl EndpointState {
    fn text(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Available => "available",
            Self::Deleting => "deleting",
        }
    }
}

/// A VPC endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct VpcEndpoint {
    /// `vpce-…`.
    pub id: String,
    /// Its VPC.
    pub vpc_id: String,
    /// E.g. `com.amazonaws.us-east-1.s3`.
    pub service_name: String,
    /// An interface, and not a gateway.
    pub interface: bool,
    /// Where it is in its life.
    pub state: EndpointState,
    due_ms: Option<u64>,
    /// The tables with a route to it, of a gateway.
    pub route_table_ids: Vec<String>,
    /// One subnet a zone, of an interface.
    pub subnet_ids: Vec<String>,
    /// Groups of its interfaces.
    pub group_ids: Vec<String>,
    /// Does the service's own name lead to it?
    pub private_dns: bool,
    created_ms: u64,
    /// Tags.
    pub tags: Tags,
}

impl VpcEndpoint {
    fn owner(&self) -> String {
        format!("vpce/{}", self.id)
    }

    /// The prefix list that routes to a gateway endpoint have as destination.
    fn prefix_list(&self) -> &'static str {
        if self.service_name.ends_with(".s3") { "pl-63a5400a" } else { "pl-02cd2c6b" }
    }
}

/// `CreateVpcEndpoint`.
pub(super) fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    if let Some(answer) = replay(account, "CreateVpcEndpoint", params)? {
        return Ok(answer);
    }
    let vpc_id = required(params, "VpcId")?.to_owned();
    vpc(account, &vpc_id)?;
    let service_name = required(params, "ServiceName")?.to_owned();
    let interface = match text(params, "VpcEndpointType") {
        None | Some("Gateway") => false,
        Some("Interface") => true,
        Some(other) => {
            return Err(refuse(
                "InvalidParameter",
                format!("Endpoint type ({other}) is not in the rehearsal account."),
            ));
        }
    };
    check_service(account, &service_name, interface)?;
    let tags = tags::from_specifications(params, "vpc-endpoint")?;
    let id = format!("vpce-{}", account.draw_hex(17));
    let mut made = VpcEndpoint {
        id: id.clone(),
        vpc_id,
        service_name,
        interface,
        state: if interface { EndpointState::Pending } else { EndpointState::Available },
        due_ms: None,
        route_table_ids: Vec::new(),
        subnet_ids: Vec::new(),
        group_ids: groups(account, params, interface)?,
        private_dns: flag(params, "PrivateDnsEnabled")?.unwrap_or(interface),
        created_ms: account.now_ms,
        tags,
    };
    check_names(account, &made)?;
    if interface {
        let subnets = texts(params, "SubnetId");
        check_subnets(account, &made, &subnets)?;
        connect(account, &mut made, &subnets)?;
        made.due_ms = Some(account.draw_due(&format!("vpce/{id}"), "create", CREATE.0, CREATE.1));
    } else {
        let tables = texts(params, "RouteTableId");
        check_tables(account, &made, &tables)?;
        route(account, &mut made, &tables)?;
    }
    let mut answer = json!({"vpcEndpoint": answer(account, &made)});
    if let Some(token) = text(params, "ClientToken") {
        answer["clientToken"] = json!(token);
    }
    account.ec2.vpc_endpoints.insert(id.clone(), made);
    remember(account, "CreateVpcEndpoint", params, &id, &answer);
    Ok(answer)
}

/// The service has this kind of endpoint in this region.
fn check_service(account: &Account, name: &str, interface: bool) -> Result<(), ApiError> {
    let unknown = || refuse("InvalidServiceName", format!("The Vpc Endpoint Service '{name}' does not exist"));
    let service = name.strip_prefix(&format!("com.amazonaws.{}.", account.region)).ok_or_else(unknown)?;
    let known = service.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c));
    let gateway = matches!(service, "s3" | "dynamodb");
    if !known || service.is_empty() {
        return Err(unknown());
    }
    if gateway || interface {
        return Ok(());
    }
    let message = format!("Endpoint type (Gateway) does not match available service types ([Interface]). ({name})");
    Err(refuse("InvalidParameter", message))
}

fn groups(account: &Account, params: &Value, interface: bool) -> Result<Vec<String>, ApiError> {
    let groups = texts(params, "SecurityGroupId");
    for id in &groups {
        if !account.ec2.security_groups.contains_key(id) {
            return Err(super::security_groups::not_found(id));
        }
    }
    if !interface && !groups.is_empty() {
        return Err(refuse("InvalidParameter", "Security groups cannot be given for a gateway endpoint."));
    }
    Ok(groups)
}

/// Private names need DNS in the VPC, and one endpoint a service.
/// <https://docs.aws.amazon.com/vpc/latest/privatelink/create-interface-endpoint.html>
fn check_names(account: &Account, endpoint: &VpcEndpoint) -> Result<(), ApiError> {
    if !endpoint.interface || !endpoint.private_dns {
        return Ok(());
    }
    let vpc = vpc(account, &endpoint.vpc_id)?;
    if !vpc.dns_support || !vpc.dns_hostnames {
        let message = format!(
            "Enabling private DNS requires both enableDnsSupport and enableDnsHostnames VPC attributes set to true for {}",
            vpc.id
        );
        return Err(refuse("InvalidParameter", message));
    }
    let rival = account.ec2.vpc_endpoints.values().find(|it| {
        it.id != endpoint.id
            && it.interface
            && it.private_dns
            && (&it.vpc_id, &it.service_name) == (&endpoint.vpc_id, &endpoint.service_name)
    });
    match rival {
        None => Ok(()),
        Some(_) => Err(refuse(
            "InvalidParameter",
            format!(
                "private-dns-enabled cannot be set because there is already a conflicting DNS domain for {} in the VPC {}",
                endpoint.service_name, endpoint.vpc_id
            ),
        )),
    }
}

fn check_subnets(account: &Account, endpoint: &VpcEndpoint, more: &[String]) -> Result<(), ApiError> {
    let mut zones: Vec<&str> = Vec::new();
    for id in endpoint.subnet_ids.iter().chain(more) {
        let subnet = subnet(account, id)?;
        if subnet.vpc_id != endpoint.vpc_id {
            return Err(refuse("InvalidParameter", format!("Subnet {id} is not in VPC {}.", endpoint.vpc_id)));
        }
        if zones.contains(&subnet.zone.as_str()) {
            let message = format!("Found another VPC endpoint subnet in the availability zone of {id}");
            return Err(refuse("DuplicateSubnetsInSameZone", message));
        }
        zones.push(&subnet.zone);
    }
    Ok(())
}

fn connect(account: &mut Account, endpoint: &mut VpcEndpoint, subnets: &[String]) -> Result<(), ApiError> {
    for subnet_id in subnets {
        attach_interface(
            account,
            NewInterface {
                subnet_id,
                group_ids: &endpoint.group_ids,
                description: format!("VPC Endpoint Interface {}", endpoint.id),
                owner: Some(endpoint.owner()),
                instance_id: None,
                tags: Tags::new(),
            },
        )?;
        endpoint.subnet_ids.push(subnet_id.clone());
    }
    Ok(())
}

fn check_tables(account: &Account, endpoint: &VpcEndpoint, more: &[String]) -> Result<(), ApiError> {
    for id in more {
        let table = table(account, id)?;
        if table.vpc_id != endpoint.vpc_id {
            return Err(refuse("InvalidParameter", format!("Route table {id} is not in VPC {}.", endpoint.vpc_id)));
        }
        let list = endpoint.prefix_list();
        if table.routes.iter().any(|route| route.destination == list) {
            let message = format!("route table {id} already has a route with destination-prefix-list-id {list}");
            return Err(refuse("RouteAlreadyExists", message));
        }
    }
    Ok(())
}

fn route(account: &mut Account, endpoint: &mut VpcEndpoint, tables: &[String]) -> Result<(), ApiError> {
    for id in tables {
        let (destination, target) = (endpoint.prefix_list().to_owned(), Target::Endpoint(endpoint.id.clone()));
        table_mut(account, id)?.routes.push(Route { destination, target });
        endpoint.route_table_ids.push(id.clone());
    }
    Ok(())
}

fn unroute(account: &mut Account, endpoint_id: &str, tables: Option<&[String]>) {
    let target = Target::Endpoint(endpoint_id.to_owned());
    for table in account.ec2.route_tables.values_mut() {
        if tables.is_none_or(|tables| tables.contains(&table.id)) {
            table.routes.retain(|route| route.target != target);
        }
    }
}

/// `ModifyVpcEndpoint`: all or nothing.
pub(super) fn modify(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let mut endpoint = endpoint(account, required(params, "VpcEndpointId")?)?.clone();
    if endpoint.state == EndpointState::Deleting {
        return Err(refuse("InvalidState", format!("The Vpc Endpoint {} is being deleted.", endpoint.id)));
    }
    let tables = (texts(params, "AddRouteTableId"), texts(params, "RemoveRouteTableId"));
    let subnets = (texts(params, "AddSubnetId"), texts(params, "RemoveSubnetId"));
    check_tables(account, &endpoint, &tables.0)?;
    endpoint.subnet_ids.retain(|id| !subnets.1.contains(id));
    check_subnets(account, &endpoint, &subnets.0)?;
    let added = groups(account, &json!({"SecurityGroupId": texts(params, "AddSecurityGroupId")}), endpoint.interface)?;
    let removed = texts(params, "RemoveSecurityGroupId");
    endpoint.group_ids.retain(|id| !removed.contains(id));
    endpoint.group_ids.extend(added);
    endpoint.private_dns = flag(params, "PrivateDnsEnabled")?.unwrap_or(endpoint.private_dns);
    check_names(account, &endpoint)?;
    unroute(account, &endpoint.id, Some(&tables.1));
    endpoint.route_table_ids.retain(|id| !tables.1.contains(id));
    route(account, &mut endpoint, &tables.0)?;
    let owner = Some(endpoint.owner());
    remove_where(account, |it| it.owner == owner && subnets.1.contains(&it.subnet_id));
    connect(account, &mut endpoint, &subnets.0)?;
    for interface in account.ec2.network_interfaces.values_mut().filter(|it| it.owner == owner) {
        interface.group_ids.clone_from(&endpoint.group_ids);
    }
    account.ec2.vpc_endpoints.insert(endpoint.id.clone(), endpoint);
    Ok(json!({"return": true}))
}

fn endpoint<'a>(account: &'a Account, id: &str) -> Result<&'a VpcEndpoint, ApiError> {
    account
        .ec2
        .vpc_endpoints
        .get(id)
        .ok_or_else(|| refuse("InvalidVpcEndpointId.NotFound", format!("The Vpc Endpoint Id '{id}' does not exist")))
}

/// `DeleteVpcEndpoints`: what cannot be deleted is listed in an answer with status 200.
pub(super) fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let mut unsuccessful = Vec::new();
    for id in texts(params, "VpcEndpointId") {
        match endpoint(account, &id) {
            Ok(found) => {
                let (interface, deleting) = (found.interface, found.state == EndpointState::Deleting);
                if interface && !deleting {
                    let due_ms = Some(account.draw_due(&format!("vpce/{id}"), "delete", DELETE.0, DELETE.1));
                    if let Some(endpoint) = account.ec2.vpc_endpoints.get_mut(&id) {
                        (endpoint.state, endpoint.due_ms) = (EndpointState::Deleting, due_ms);
                    }
                } else if !interface {
                    vanish(account, &id);
                }
            }
            Err(error) => {
                unsuccessful.push(json!({"resourceId": id, "error": {"code": error.code, "message": error.message}}));
            }
        }
    }
    Ok(json!({"unsuccessful": unsuccessful}))
}

fn vanish(account: &mut Account, id: &str) {
    unroute(account, id, None);
    let owner = Some(format!("vpce/{id}"));
    remove_where(account, |it| it.owner == owner);
    account.ec2.vpc_endpoints.shift_remove(id);
    forget_tokens(account, id);
}

/// Brings the endpoints up to the account's time.
pub(super) fn settle(account: &mut Account) {
    let now = account.now_ms;
    let is_due = |it: &&VpcEndpoint| it.due_ms.is_some_and(|due| due <= now);
    let due: Vec<String> = account.ec2.vpc_endpoints.values().filter(is_due).map(|it| it.id.clone()).collect();
    for id in due {
        match account.ec2.vpc_endpoints.get_mut(&id) {
            Some(endpoint) if endpoint.state == EndpointState::Deleting => vanish(account, &id),
            Some(endpoint) => (endpoint.state, endpoint.due_ms) = (EndpointState::Available, None),
            None => {}
        }
    }
}

/// `DescribeVpcEndpoints`.
pub(super) fn describe(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let ids = texts(params, "VpcEndpointId");
    for id in &ids {
        endpoint(account, id)?;
    }
    let filters = params::filters(params)?;
    let mut items = Vec::new();
    for endpoint in account.ec2.vpc_endpoints.values() {
        let keep = params::passes(&filters, &endpoint.tags, |name| {
            Some(vec![match name {
                "vpc-endpoint-id" => endpoint.id.clone(),
                "vpc-id" => endpoint.vpc_id.clone(),
                "service-name" => endpoint.service_name.clone(),
                "vpc-endpoint-state" => endpoint.state.text().to_owned(),
                "vpc-endpoint-type" => kind(endpoint).to_owned(),
                _ => return None,
            }])
        })?;
        if keep && (ids.is_empty() || ids.contains(&endpoint.id)) {
            items.push((endpoint.id.clone(), answer(account, endpoint)));
        }
    }
    Ok(params::paged_answer("vpcEndpointSet", params::page(params, &USUAL_PAGE, items)?))
}

fn kind(endpoint: &VpcEndpoint) -> &'static str {
    if endpoint.interface { "Interface" } else { "Gateway" }
}

fn answer(account: &Account, endpoint: &VpcEndpoint) -> Value {
    let owner = Some(endpoint.owner());
    let interfaces = account.ec2.network_interfaces.values().filter(|it| it.owner == owner);
    let interfaces: Vec<&str> = interfaces.map(|it| it.id.as_str()).collect();
    let group = |id: &String| {
        let name = account.ec2.security_groups.get(id).map(|group| group.name.clone());
        json!({"groupId": id, "groupName": name.unwrap_or_default()})
    };
    let service = endpoint.service_name.rsplit(&format!("{}.", account.region)).next().unwrap_or_default();
    let names: Vec<Value> = if endpoint.interface {
        let name = format!("{}-{}.{service}.{}.vpce.amazonaws.com", endpoint.id, "0123abcd", account.region);
        vec![json!({"dnsName": name, "hostedZoneId": "Z7HUB22UULQXV"})]
    } else {
        Vec::new()
    };
    json!({
        "vpcEndpointId": endpoint.id,
        "vpcEndpointType": kind(endpoint),
        "vpcId": endpoint.vpc_id,
        "serviceName": endpoint.service_name,
        "state": endpoint.state.text(),
        "policyDocument": r#"{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}]}"#,
        "routeTableIdSet": endpoint.route_table_ids,
        "subnetIdSet": endpoint.subnet_ids,
        "groupSet": endpoint.group_ids.iter().map(group).collect::<Vec<_>>(),
        "ipAddressType": "ipv4",
        "privateDnsEnabled": endpoint.private_dns,
        "requesterManaged": false,
        "networkInterfaceIdSet": interfaces,
        "dnsEntrySet": names,
        "creationTimestamp": iso_time(endpoint.created_ms),
        "ownerId": account.account_id,
        "tagSet": to_set(&endpoint.tags),
    })
}
