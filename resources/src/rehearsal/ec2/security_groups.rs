//! Security groups.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::network::{arn, vpc};
use super::params::{self, USUAL_PAGE, missing, refuse, required, text, texts};
use super::rules::{Peer, Permission, Rule, group_id, permissions_answer};
use super::tags::{self, Tags, to_set};

/// A security group with its rules.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// `sg-…`.
    pub id: String,
    /// Unique in its VPC.
    pub name: String,
    /// Cannot be changed.
    pub description: String,
    /// The VPC it is in.
    pub vpc_id: String,
    /// Rules of both directions by their id.
    pub rules: IndexMap<String, Rule>,
    /// Tags.
    pub tags: Tags,
}

impl SecurityGroup {
    pub(super) fn new(id: &str, name: &str, description: &str, vpc_id: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            description: description.to_owned(),
            vpc_id: vpc_id.to_owned(),
            rules: IndexMap::new(),
            tags: Tags::new(),
        }
    }
}

/// The rule that every new group has: all traffic may leave.
pub(super) fn allow_all_out(account: &mut Account, group: &mut SecurityGroup) {
    add_rule(account, group, true, Permission::all(Peer::Ipv4("0.0.0.0/0".to_owned())));
}

/// All traffic from members of the group.
pub(super) fn allow_self(account: &mut Account, group: &mut SecurityGroup) {
    let peer = Peer::Group(group.id.clone());
    add_rule(account, group, false, Permission::all(peer));
}

fn add_rule(account: &mut Account, group: &mut SecurityGroup, egress: bool, permission: Permission) {
    let id = format!("sgr-{}", account.draw_hex(17));
    group.rules.insert(id.clone(), Rule { id, egress, permission, description: None, tags: Tags::new() });
}

/// `CreateSecurityGroup`.
pub(super) fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let name = required(params, "GroupName")?;
    let description = required(params, "GroupDescription")?;
    check_name(name)?;
    check_description(description)?;
    // Accounts made after 2013 have no EC2-Classic; without a VPC the default VPC
    // would be used, and a rehearsal has none.
    let vpc_id = text(params, "VpcId").ok_or_else(|| refuse("VPCIdNotSpecified", "No default VPC for this user"))?;
    vpc(account, vpc_id)?;
    if find_by_name(account, vpc_id, name).is_some() {
        return Err(refuse(
            "InvalidGroup.Duplicate",
            format!("The security group '{name}' already exists for VPC '{vpc_id}'"),
        ));
    }
    let tags = tags::from_specifications(params, "security-group")?;
    let id = format!("sg-{}", account.draw_hex(17));
    let mut group = SecurityGroup::new(&id, name, description, vpc_id);
    group.tags = tags;
    allow_all_out(account, &mut group);
    let answer = json!({
        "return": true,
        "groupId": id,
        "securityGroupArn": arn(account, "security-group", &id),
        "tagSet": to_set(&group.tags),
    });
    account.ec2.security_groups.insert(id, group);
    Ok(answer)
}

fn check_name(name: &str) -> Result<(), ApiError> {
    if name.starts_with("sg-") {
        return Err(refuse(
            "InvalidParameterValue",
            format!("Invalid security group name '{name}'. Group names may not be in the format sg-*."),
        ));
    }
    if name == "default" {
        return Err(refuse("InvalidParameterValue", "Cannot use reserved security group name: default"));
    }
    check_text(name, "name", "groupName")
}

fn check_description(description: &str) -> Result<(), ApiError> {
    check_text(description, "description", "GroupDescription")
}

fn check_text(value: &str, what: &str, member: &str) -> Result<(), ApiError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || " ._-:/()#,@[]+=&;{}!$*".contains(c);
    if value.len() > 255 || !value.chars().all(allowed) {
        return Err(refuse(
            "InvalidParameterValue",
            format!(
                "Value ({value}) for parameter {member} is invalid. Invalid security group {what}. Valid {what}s are strings less than 256 characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{{}}!$*"
            ),
        ));
    }
    Ok(())
}

fn find_by_name<'a>(account: &'a Account, vpc_id: &str, name: &str) -> Option<&'a SecurityGroup> {
    account.ec2.security_groups.values().find(|group| group.vpc_id == vpc_id && group.name == name)
}

/// Makes a group for another service: traffic among its members, all traffic out.
pub(crate) fn create_owned_group(
    account: &mut Account,
    vpc_id: &str,
    name: &str,
    description: &str,
    tags: Tags,
) -> String {
    let id = format!("sg-{}", account.draw_hex(17));
    let mut group = SecurityGroup::new(&id, name, description, vpc_id);
    group.tags = tags;
    allow_self(account, &mut group);
    allow_all_out(account, &mut group);
    account.ec2.security_groups.insert(id.clone(), group);
    id
}

/// Removes a group that a service owns, unless something still uses it.
pub(crate) fn remove_group(account: &mut Account, id: &str) {
    if dependent(account, id).is_none() {
        account.ec2.security_groups.shift_remove(id);
    }
}

/// The id of something that stops the group from being deleted: an interface, or
/// another group whose rule names it. A launch template does not.
fn dependent(account: &Account, id: &str) -> Option<String> {
    let interface = account
        .ec2
        .network_interfaces
        .values()
        .find(|interface| interface.group_ids.iter().any(|group| group == id))
        .map(|interface| interface.id.clone());
    interface.or_else(|| {
        account
            .ec2
            .security_groups
            .values()
            .filter(|group| group.id != id)
            .find(|group| group.rules.values().any(|rule| rule.permission.peer == Peer::Group(id.to_owned())))
            .map(|group| group.id.clone())
    })
}

/// `DeleteSecurityGroup`.
pub(super) fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = match (text(params, "GroupId"), text(params, "GroupName")) {
        (Some(id), _) => group_id(id)?,
        (None, Some(name)) => {
            // A name alone means a group of the default VPC.
            return Err(name_not_found(name));
        }
        (None, None) => return Err(missing("GroupId")),
    };
    let group = account.ec2.security_groups.get(&id).ok_or_else(|| not_found(&id))?;
    if group.name == "default" {
        return Err(refuse(
            "CannotDelete",
            format!("the specified group: \"{id}\" name: \"default\" cannot be deleted by a user"),
        ));
    }
    if dependent(account, &id).is_some() {
        return Err(refuse("DependencyViolation", format!("resource {id} has a dependent object")));
    }
    account.ec2.security_groups.shift_remove(&id);
    Ok(json!({"return": true, "groupId": id}))
}

/// `DescribeSecurityGroups`.
pub(super) fn describe(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let ids = texts(params, "GroupId");
    for id in &ids {
        group_id(id)?;
        if !account.ec2.security_groups.contains_key(id) {
            return Err(not_found(id));
        }
    }
    if let Some(name) = texts(params, "GroupName").first() {
        return Err(name_not_found(name));
    }
    let filters = params::filters(params)?;
    let mut items = Vec::new();
    for group in account.ec2.security_groups.values() {
        if !ids.is_empty() && !ids.contains(&group.id) {
            continue;
        }
        if params::passes(&filters, &group.tags, |name| attribute(account, group, name))? {
            items.push((group.id.clone(), answer(account, group)));
        }
    }
    Ok(params::paged_answer("securityGroupInfo", params::page(params, &USUAL_PAGE, items)?))
}

fn attribute(account: &Account, group: &SecurityGroup, name: &str) -> Option<Vec<String>> {
    let (direction, field) = match name.strip_prefix("egress.") {
        Some(field) => (true, field),
        None => (false, name),
    };
    if let Some(field) = field.strip_prefix("ip-permission.") {
        return Some(
            group
                .rules
                .values()
                .filter(|rule| rule.egress == direction)
                .filter_map(|rule| match (field, &rule.permission.peer) {
                    ("group-id", Peer::Group(id)) => Some(id.clone()),
                    ("cidr", Peer::Ipv4(cidr)) | ("ipv6-cidr", Peer::Ipv6(cidr)) => Some(cidr.clone()),
                    ("protocol", _) => Some(rule.permission.protocol.clone()),
                    ("from-port", _) => rule.permission.from_port.map(|port| port.to_string()),
                    ("to-port", _) => rule.permission.to_port.map(|port| port.to_string()),
                    _ => None,
                })
                .collect(),
        );
    }
    Some(vec![match name {
        "group-id" => group.id.clone(),
        "group-name" => group.name.clone(),
        "vpc-id" => group.vpc_id.clone(),
        "description" => group.description.clone(),
        "owner-id" => account.account_id.clone(),
        _ => return None,
    }])
}

fn answer(account: &Account, group: &SecurityGroup) -> Value {
    let side =
        |egress: bool| permissions_answer(account, group.rules.values().filter(move |rule| rule.egress == egress));
    json!({
        "groupId": group.id,
        "groupName": group.name,
        "groupDescription": group.description,
        "securityGroupArn": arn(account, "security-group", &group.id),
        "vpcId": group.vpc_id,
        "ownerId": account.account_id,
        "ipPermissions": side(false),
        "ipPermissionsEgress": side(true),
        "tagSet": to_set(&group.tags),
    })
}

pub(super) fn not_found(id: &str) -> ApiError {
    refuse("InvalidGroup.NotFound", format!("The security group '{id}' does not exist"))
}

fn name_not_found(name: &str) -> ApiError {
    refuse("InvalidGroup.NotFound", format!("The security group '{name}' does not exist in default VPC 'none'"))
}
