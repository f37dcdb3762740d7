//! Tags on EC2 resources.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::params::{self, USUAL_PAGE, list, refuse, required, texts};

/// Tags of one resource.
pub type Tags = BTreeMap<String, String>;

/// EC2 allows 50 tags on a resource (`TagLimitExceeded`).
const MOST_TAGS: usize = 50;

/// The tags of the request's `TagSpecification` for `resource_type`. A
/// specification of another type is refused, as EC2 does.
pub(super) fn from_specifications(params: &Value, resource_type: &str) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for specification in list(params, "TagSpecification") {
        let found = required(specification, "ResourceType")?;
        if found != resource_type {
            return Err(refuse(
                "InvalidParameterValue",
                format!("'{found}' is not a valid taggable resource type for this operation."),
            ));
        }
        add(&mut tags, list(specification, "Tag"))?;
    }
    Ok(tags)
}

/// Adds `Tag.N` members, checked.
fn add(tags: &mut Tags, items: &[Value]) -> Result<(), ApiError> {
    for item in items {
        let key = required(item, "Key")?;
        let value = item.get("Value").and_then(Value::as_str).unwrap_or_default();
        check(key, value)?;
        tags.insert(key.to_owned(), value.to_owned());
    }
    if tags.keys().filter(|key| !key.starts_with("aws:")).count() > MOST_TAGS {
        return Err(refuse(
            "TagLimitExceeded",
            format!("The maximum number of Tags for a resource has been reached: {MOST_TAGS}."),
        ));
    }
    Ok(())
}

fn check(key: &str, value: &str) -> Result<(), ApiError> {
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err(refuse(
            "InvalidParameterValue",
            format!(
                "Value ( {key} ) for parameter key is invalid. Tag keys starting with 'aws:' are reserved for internal use"
            ),
        ));
    }
    if key.chars().count() > 127 {
        return Err(refuse(
            "InvalidParameterValue",
            format!("Tag key exceeds the maximum length of 127 characters: {key}"),
        ));
    }
    if value.chars().count() > 255 {
        return Err(refuse(
            "InvalidParameterValue",
            format!("Tag value exceeds the maximum length of 255 characters: {value}"),
        ));
    }
    Ok(())
}

/// `tagSet` of an answer.
pub(super) fn to_set(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
}

/// `CreateTags`.
pub(super) fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    change(account, params, add)
}

/// `DeleteTags`: without tags all go; with a value only the very pair goes.
pub(super) fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    change(account, params, |tags, items| {
        if items.is_empty() {
            tags.retain(|key, _| key.starts_with("aws:"));
        }
        for item in items {
            let key = required(item, "Key")?;
            let expected = item.get("Value").and_then(Value::as_str);
            if key.starts_with("aws:") {
                check(key, "")?;
            }
            if expected.is_none_or(|value| tags.get(key).is_some_and(|current| current == value)) {
                tags.remove(key);
            }
        }
        Ok(())
    })
}

fn change(
    account: &mut Account,
    params: &Value,
    apply: impl Fn(&mut Tags, &[Value]) -> Result<(), ApiError>,
) -> Result<Value, ApiError> {
    let ids = texts(params, "ResourceId");
    if ids.is_empty() {
        return Err(params::missing("resourceIdSet"));
    }
    // All or nothing: work on copies first.
    let mut changed = Vec::new();
    for id in &ids {
        let mut tags = tags_of(account, id)?.clone();
        apply(&mut tags, list(params, "Tag"))?;
        changed.push(tags);
    }
    for (id, tags) in ids.iter().zip(changed) {
        *tags_of(account, id)? = tags;
    }
    Ok(json!({"return": true}))
}

fn tags_of<'a>(account: &'a mut Account, id: &str) -> Result<&'a mut Tags, ApiError> {
    let ec2 = &mut account.ec2;
    let found = match id.split('-').next().unwrap_or_default() {
        "vpc" => ec2.vpcs.get_mut(id).map(|it| &mut it.tags),
        "subnet" => ec2.subnets.get_mut(id).map(|it| &mut it.tags),
        "sg" => ec2.security_groups.get_mut(id).map(|it| &mut it.tags),
        "sgr" => ec2.security_groups.values_mut().find_map(|group| group.rules.get_mut(id)).map(|it| &mut it.tags),
        "lt" => ec2.launch_templates.get_mut(id).map(|it| &mut it.tags),
        "eni" => ec2.network_interfaces.get_mut(id).map(|it| &mut it.tags),
        "igw" => ec2.internet_gateways.get_mut(id).map(|it| &mut it.tags),
        "eipalloc" => ec2.addresses.get_mut(id).map(|it| &mut it.tags),
        "nat" => ec2.nat_gateways.get_mut(id).map(|it| &mut it.tags),
        "rtb" => ec2.route_tables.get_mut(id).map(|it| &mut it.tags),
        "vpce" => ec2.vpc_endpoints.get_mut(id).map(|it| &mut it.tags),
        _ => {
            return Err(refuse("InvalidID", format!("The ID '{id}' is not valid")));
        }
    };
    found.ok_or_else(|| not_found(id))
}

fn not_found(id: &str) -> ApiError {
    let code = match id.split('-').next().unwrap_or_default() {
        "vpc" => "InvalidVpcID.NotFound",
        "subnet" => "InvalidSubnetID.NotFound",
        "sg" => "InvalidGroup.NotFound",
        "sgr" => "InvalidSecurityGroupRuleId.NotFound",
        "lt" => "InvalidLaunchTemplateId.NotFound",
        "igw" => "InvalidInternetGatewayID.NotFound",
        "eipalloc" => "InvalidAllocationID.NotFound",
        "nat" => "InvalidNatGatewayID.NotFound",
        "rtb" => "InvalidRouteTableID.NotFound",
        "vpce" => "InvalidVpcEndpointId.NotFound",
        _ => "InvalidNetworkInterfaceID.NotFound",
    };
    refuse(code, format!("The ID '{id}' does not exist"))
}

/// `DescribeTags`.
pub(super) fn describe(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let ec2 = &account.ec2;
    let mut all: Vec<(&str, &str, &Tags)> = Vec::new();
    all.extend(ec2.vpcs.iter().map(|(id, it)| ("vpc", id.as_str(), &it.tags)));
    all.extend(ec2.subnets.iter().map(|(id, it)| ("subnet", id.as_str(), &it.tags)));
    for (id, group) in &ec2.security_groups {
        all.push(("security-group", id, &group.tags));
        all.extend(group.rules.iter().map(|(id, rule)| ("security-group-rule", id.as_str(), &rule.tags)));
    }
    all.extend(ec2.launch_templates.iter().map(|(id, it)| ("launch-template", id.as_str(), &it.tags)));
    all.extend(ec2.network_interfaces.iter().map(|(id, it)| ("network-interface", id.as_str(), &it.tags)));
    all.extend(ec2.internet_gateways.iter().map(|(id, it)| ("internet-gateway", id.as_str(), &it.tags)));
    all.extend(ec2.addresses.iter().map(|(id, it)| ("elastic-ip", id.as_str(), &it.tags)));
    all.extend(ec2.nat_gateways.iter().map(|(id, it)| ("natgateway", id.as_str(), &it.tags)));
    all.extend(ec2.route_tables.iter().map(|(id, it)| ("route-table", id.as_str(), &it.tags)));
    all.extend(ec2.vpc_endpoints.iter().map(|(id, it)| ("vpc-endpoint", id.as_str(), &it.tags)));
    let filters = params::filters(params)?;
    let mut items = Vec::new();
    for (kind, id, tags) in all {
        for (key, value) in tags {
            let own = Tags::from([(key.clone(), value.clone())]);
            let keep = params::passes(&filters, &own, |name| {
                Some(vec![match name {
                    "key" => key.clone(),
                    "value" => value.clone(),
                    "resource-id" => id.to_owned(),
                    "resource-type" => kind.to_owned(),
                    _ => return None,
                }])
            })?;
            if keep {
                items.push((
                    format!("{id}\u{0}{key}"),
                    json!({"resourceId": id, "resourceType": kind, "key": key, "value": value}),
                ));
            }
        }
    }
    Ok(params::paged_answer("tagSet", params::page(params, &USUAL_PAGE, items)?))
}
