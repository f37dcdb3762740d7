//! The emulated ec2 service: what EKS stands on and launch templates describe.
//!
//! Parameters are strings, as the query protocol has them; answers carry EC2's
//! XML element names.

mod addresses;
mod egress;
mod instance_table;
mod instance_types;
mod interfaces;
mod internet_gateways;
mod launch_templates;
mod nat_gateways;
mod network;
mod network_acls;
mod params;
mod route_tables;
mod routes;
mod rule_changes;
mod rules;
mod security_groups;
mod subnet_changes;
mod tags;
mod template_data;
mod template_versions;
#[cfg(test)]
mod tests;
mod volumes;
mod vpc_changes;
mod vpc_endpoints;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Account, ApiError};

pub use addresses::Address;
pub use instance_table::{Architecture, Gpus, InstanceShape, instance_shape};
pub use interfaces::NetworkInterface;
pub use internet_gateways::InternetGateway;
pub use launch_templates::{LaunchTemplate, TemplateVersion};
pub use nat_gateways::{NatGateway, NatState};
pub use network::{Subnet, Vpc, seed_network};
pub use route_tables::{RouteTable, Target};
pub use rules::{Peer, Permission, Rule};
pub use security_groups::SecurityGroup;
pub use tags::Tags;
pub use volumes::Volume;
pub use vpc_endpoints::{EndpointState, VpcEndpoint};

pub(crate) use egress::has_way_out;
pub(crate) use interfaces::{NewInterface, attach as attach_interface, remove_where as remove_interfaces};
pub(crate) use launch_templates::resolve_version;
pub(crate) use network::partition;
pub(crate) use security_groups::{create_owned_group, remove_group};

/// What the service holds. Every map is keyed by the resource's id.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// VPCs.
    pub vpcs: IndexMap<String, Vpc>,
    /// Subnets.
    pub subnets: IndexMap<String, Subnet>,
    /// Security groups, each with its rules.
    pub security_groups: IndexMap<String, SecurityGroup>,
    /// Launch templates, each with its versions.
    pub launch_templates: IndexMap<String, LaunchTemplate>,
    /// Elastic network interfaces.
    pub network_interfaces: IndexMap<String, NetworkInterface>,
    /// Internet gateways.
    #[serde(default)]
    pub internet_gateways: IndexMap<String, InternetGateway>,
    /// Elastic addresses, by allocation id.
    #[serde(default)]
    pub addresses: IndexMap<String, Address>,
    /// NAT gateways, those that went within the hour included.
    #[serde(default)]
    pub nat_gateways: IndexMap<String, NatGateway>,
    /// Route tables with their routes and associations.
    #[serde(default)]
    pub route_tables: IndexMap<String, RouteTable>,
    /// VPC endpoints.
    #[serde(default)]
    pub vpc_endpoints: IndexMap<String, VpcEndpoint>,
    /// Volumes of EBS.
    #[serde(default)]
    pub volumes: IndexMap<String, Volume>,
    /// Answers given for client tokens, keyed `operation/token`.
    tokens: IndexMap<String, TokenUse>,
}

/// A client token that was used, for replaying the answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct TokenUse {
    /// The request, without the token.
    request: Value,
    answer: Value,
    /// The resource that the request made: the token goes with it.
    resource_id: String,
}

/// Answers one call.
///
/// # Errors
/// The service's refusal, in EC2's codes and words.
pub fn call(account: &mut Account, operation: &str, params: &Value) -> Result<Value, ApiError> {
    if params::flag(params, "DryRun")? == Some(true) {
        let mut rehearsed = account.clone();
        dispatch(&mut rehearsed, operation, params)?;
        return Err(ApiError::new(412, "DryRunOperation", "Request would have succeeded, but DryRun flag is set."));
    }
    dispatch(account, operation, params)
}

fn dispatch(account: &mut Account, operation: &str, params: &Value) -> Result<Value, ApiError> {
    match operation {
        "DescribeVpcs" => network::describe_vpcs(account, params),
        "CreateVpc" => vpc_changes::create(account, params),
        "DeleteVpc" => vpc_changes::delete(account, params),
        "ModifyVpcAttribute" => vpc_changes::modify(account, params),
        "DescribeVpcAttribute" => vpc_changes::describe_attribute(account, params),
        "DescribeSubnets" => network::describe_subnets(account, params),
        "CreateSubnet" => subnet_changes::create(account, params),
        "DeleteSubnet" => subnet_changes::delete(account, params),
        "ModifySubnetAttribute" => subnet_changes::modify(account, params),
        "DescribeNetworkAcls" => network_acls::describe(account, params),
        "DescribeAvailabilityZones" => network::describe_zones(account, params),
        "CreateSecurityGroup" => security_groups::create(account, params),
        "DescribeSecurityGroups" => security_groups::describe(account, params),
        "DeleteSecurityGroup" => security_groups::delete(account, params),
        "AuthorizeSecurityGroupIngress" => rule_changes::authorize(account, params, false),
        "AuthorizeSecurityGroupEgress" => rule_changes::authorize(account, params, true),
        "RevokeSecurityGroupIngress" => rule_changes::revoke(account, params, false),
        "RevokeSecurityGroupEgress" => rule_changes::revoke(account, params, true),
        "DescribeSecurityGroupRules" => rule_changes::describe(account, params),
        "ModifySecurityGroupRules" => rule_changes::modify(account, params),
        "CreateLaunchTemplate" => launch_templates::create(account, params),
        "DescribeLaunchTemplates" => launch_templates::describe(account, params),
        "ModifyLaunchTemplate" => launch_templates::modify(account, params),
        "DeleteLaunchTemplate" => launch_templates::delete(account, params),
        "CreateLaunchTemplateVersion" => template_versions::create(account, params),
        "DescribeLaunchTemplateVersions" => template_versions::describe(account, params),
        "DeleteLaunchTemplateVersions" => template_versions::delete(account, params),
        "CreateTags" => tags::create(account, params),
        "DeleteTags" => tags::delete(account, params),
        "DescribeTags" => tags::describe(account, params),
        "DescribeNetworkInterfaces" => interfaces::describe(account, params),
        "DeleteNetworkInterface" => interfaces::delete(account, params),
        "DescribeInstanceTypes" => instance_types::describe(account, params),
        "DescribeInstanceTypeOfferings" => instance_types::describe_offerings(account, params),
        other => ways(account, other, params),
    }
}

/// Gateways, addresses, routes and endpoints: what leads out of a VPC.
fn ways(account: &mut Account, operation: &str, params: &Value) -> Result<Value, ApiError> {
    match operation {
        "CreateInternetGateway" => internet_gateways::create(account, params),
        "AttachInternetGateway" => internet_gateways::attach(account, params),
        "DetachInternetGateway" => internet_gateways::detach(account, params),
        "DescribeInternetGateways" => internet_gateways::describe(account, params),
        "DeleteInternetGateway" => internet_gateways::delete(account, params),
        "AllocateAddress" => addresses::allocate(account, params),
        "DescribeAddresses" => addresses::describe(account, params),
        "ReleaseAddress" => addresses::release(account, params),
        "CreateNatGateway" => nat_gateways::create(account, params),
        "DescribeNatGateways" => nat_gateways::describe(account, params),
        "DeleteNatGateway" => nat_gateways::delete(account, params),
        "CreateRouteTable" => route_tables::create(account, params),
        "DescribeRouteTables" => route_tables::describe(account, params),
        "DeleteRouteTable" => route_tables::delete(account, params),
        "AssociateRouteTable" => route_tables::associate(account, params),
        "ReplaceRouteTableAssociation" => route_tables::replace_association(account, params),
        "DisassociateRouteTable" => route_tables::disassociate(account, params),
        "CreateRoute" => routes::create(account, params),
        "ReplaceRoute" => routes::replace(account, params),
        "DeleteRoute" => routes::delete(account, params),
        "CreateVpcEndpoint" => vpc_endpoints::create(account, params),
        "ModifyVpcEndpoint" => vpc_endpoints::modify(account, params),
        "DescribeVpcEndpoints" => vpc_endpoints::describe(account, params),
        "DeleteVpcEndpoints" => vpc_endpoints::delete(account, params),
        other => {
            Err(ApiError::new(400, "InvalidAction", format!("The action {other} is not valid for this web service.")))
        }
    }
}

/// Brings life cycles up to the account's time.
pub(super) fn settle(account: &mut Account) {
    nat_gateways::settle(account);
    vpc_endpoints::settle(account);
}

/// Looks a client token up: the recorded answer when the request is the same.
fn replay(account: &Account, operation: &str, params: &Value) -> Result<Option<Value>, ApiError> {
    let Some(token) = params::text(params, "ClientToken") else {
        return Ok(None);
    };
    match account.ec2.tokens.get(&format!("{operation}/{token}")) {
        None => Ok(None),
        Some(used) if used.request == without_token(params) => Ok(Some(used.answer.clone())),
        Some(_) => Err(params::refuse(
            "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
        )),
    }
}

/// Notes the answer given for the request's client token, if it has one.
fn remember(account: &mut Account, operation: &str, params: &Value, resource_id: &str, answer: &Value) {
    if let Some(token) = params::text(params, "ClientToken") {
        account.ec2.tokens.insert(
            format!("{operation}/{token}"),
            TokenUse { request: without_token(params), answer: answer.clone(), resource_id: resource_id.to_owned() },
        );
    }
}

fn without_token(params: &Value) -> Value {
    let mut request = params.clone();
    if let Some(members) = request.as_object_mut() {
        members.remove("ClientToken");
    }
    request
}

fn forget_tokens(account: &mut Account, resource_id: &str) {
    account.ec2.tokens.retain(|_, used| used.resource_id != resource_id);
}
