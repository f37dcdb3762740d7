//! Reading JSON members, refusals, pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::super::ec2::Tags;
use super::super::{Account, ApiError, ec2};
use super::model::{Addon, Cluster, Nodegroup};

pub(super) fn invalid_parameter(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidParameterException", message)
}

pub(super) fn invalid_request(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidRequestException", message)
}

pub(super) fn in_use(message: impl Into<String>) -> ApiError {
    ApiError::new(409, "ResourceInUseException", message)
}

pub(super) fn not_found(message: impl Into<String>) -> ApiError {
    ApiError::new(404, "ResourceNotFoundException", message)
}

pub(super) fn limit_exceeded(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "ResourceLimitExceededException", message)
}

/// A string member, if it is there and not empty.
pub(super) fn text<'a>(params: &'a Value, name: &str) -> Option<&'a str> {
    params.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A string member that must be there.
pub(super) fn required<'a>(params: &'a Value, name: &str) -> Result<&'a str, ApiError> {
    text(params, name).ok_or_else(|| invalid_parameter(format!("{name} can't be null or empty.")))
}

/// An integer member; query members come as text.
pub(super) fn number(params: &Value, name: &str) -> Result<Option<i64>, ApiError> {
    match params.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => number.as_i64().map(Some).ok_or_else(|| not_a(name, "an integer")),
        Some(Value::String(text)) => text.parse().map(Some).map_err(|_| not_a(name, "an integer")),
        Some(_) => Err(not_a(name, "an integer")),
    }
}

/// A Boolean member; query members come as text.
pub(super) fn flag(params: &Value, name: &str) -> Result<Option<bool>, ApiError> {
    match params.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(Value::String(text)) if text == "true" => Ok(Some(true)),
        Some(Value::String(text)) if text == "false" => Ok(Some(false)),
        Some(_) => Err(not_a(name, "a Boolean")),
    }
}

fn not_a(name: &str, what: &str) -> ApiError {
    ApiError::new(400, "SerializationException", format!("{name} is not {what}"))
}

/// A list of strings; a single query member counts as a list of one.
pub(super) fn texts(params: &Value, name: &str) -> Vec<String> {
    match params.get(name) {
        Some(Value::Array(items)) => items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect(),
        Some(Value::String(text)) => vec![text.clone()],
        _ => Vec::new(),
    }
}

/// A member that is a structure; nothing and null are the same.
pub(super) fn structure<'a>(params: &'a Value, name: &str) -> Option<&'a Map<String, Value>> {
    params.get(name).and_then(Value::as_object)
}

/// A member of an enum.
pub(super) fn choice<'a>(params: &'a Value, name: &str, allowed: &[&str]) -> Result<Option<&'a str>, ApiError> {
    match text(params, name) {
        Some(value) if !allowed.contains(&value) => Err(invalid_parameter(format!(
            "Value '{value}' at '{name}' failed to satisfy constraint: Member must satisfy enum value set: [{}]",
            allowed.join(", ")
        ))),
        other => Ok(other),
    }
}

/// Checks a name against EKS's pattern `^[0-9A-Za-z][A-Za-z0-9-_]*`.
pub(super) fn check_name(member: &str, name: &str, longest: usize) -> Result<(), ApiError> {
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    let rest = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if !first || !rest {
        return Err(invalid_parameter(format!(
            "The {member} parameter contains invalid characters: '{name}'. It should begin with letter or digit and can have any of the following characters: the set of Unicode letters, digits, hyphens and underscores."
        )));
    }
    if name.len() > longest {
        return Err(invalid_parameter(format!("The {member} parameter '{name}' is longer than {longest} characters.")));
    }
    Ok(())
}

/// The `tags` member, checked.
pub(super) fn tags(params: &Value) -> Result<Tags, ApiError> {
    let mut tags = Tags::new();
    for (key, value) in structure(params, "tags").into_iter().flatten() {
        let value = value.as_str().ok_or_else(|| not_a("tags", "a map of strings"))?;
        check_tag(key, value)?;
        tags.insert(key.clone(), value.to_owned());
    }
    check_tag_count(&tags)?;
    Ok(tags)
}

/// Tag limits of the EKS API: 50 tags, 128 and 256 characters, no `aws:`.
pub(super) fn check_tag(key: &str, value: &str) -> Result<(), ApiError> {
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err(invalid_parameter(format!("Tag keys starting with 'aws:' are reserved for internal use: {key}")));
    }
    if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
        return Err(invalid_parameter(format!(
            "Tag key must have 1 to 128 characters and its value at most 256: {key}"
        )));
    }
    Ok(())
}

pub(super) fn check_tag_count(tags: &Tags) -> Result<(), ApiError> {
    if tags.len() > 50 {
        return Err(invalid_parameter("A resource can have at most 50 tags."));
    }
    Ok(())
}

/// One page of `items` (key, answer) in the order of their keys. The token names
/// the last key given.
pub(super) fn page(
    params: &Value,
    member: &str,
    mut items: Vec<(String, Value)>,
) -> Result<Map<String, Value>, ApiError> {
    let size = match number(params, "maxResults")? {
        None => 100,
        Some(n @ 1..=100) => usize::try_from(n).unwrap_or(100),
        Some(n) => {
            return Err(invalid_parameter(format!("maxResults must be between 1 and 100, but was {n}")));
        }
    };
    items.sort_by(|left, right| left.0.cmp(&right.0));
    if let Some(token) = text(params, "nextToken") {
        let last = URL_SAFE_NO_PAD
            .decode(token)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| invalid_parameter("Invalid pagination token"))?;
        items.retain(|(key, _)| *key > last);
    }
    let next = (items.len() > size).then(|| URL_SAFE_NO_PAD.encode(&items[size - 1].0));
    items.truncate(size);
    let mut answer = Map::new();
    answer.insert(member.to_owned(), items.into_iter().map(|(_, item)| item).collect());
    if let Some(token) = next {
        answer.insert("nextToken".to_owned(), Value::String(token));
    }
    Ok(answer)
}

/// A page of names.
pub(super) fn page_of_names<'a>(
    params: &Value,
    member: &str,
    names: impl Iterator<Item = &'a String>,
) -> Result<Value, ApiError> {
    let items = names.map(|name| (name.clone(), Value::String(name.clone()))).collect();
    page(params, member, items).map(Value::Object)
}

/// Epoch seconds, as restJson1 writes times.
pub(super) fn seconds(ms: u64) -> Value {
    #[allow(clippy::cast_precision_loss)]
    let seconds = ms as f64 / 1000.0;
    Value::from(seconds)
}

/// The ARN of an EKS resource, e.g. of `cluster/NAME`.
pub(super) fn arn(account: &Account, resource: &str) -> String {
    format!("arn:{}:eks:{}:{}:{resource}", ec2::partition(&account.region), account.region, account.account_id)
}

/// A drawn id in the form of a UUID.
pub(super) fn uuid(account: &mut Account) -> String {
    let hex = account.draw_hex(32);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

pub(super) fn no_cluster(name: &str) -> ApiError {
    not_found(format!("No cluster found for name: {name}.")).with("clusterName", name)
}

/// The cluster that the request names in `member` (`name` or `clusterName`).
pub(super) fn cluster<'a>(account: &'a Account, params: &Value, member: &str) -> Result<&'a Cluster, ApiError> {
    let name = required(params, member)?;
    account.eks.clusters.get(name).ok_or_else(|| no_cluster(name))
}

/// The cluster of that name, to change.
pub(super) fn cluster_mut<'a>(account: &'a mut Account, name: &str) -> Result<&'a mut Cluster, ApiError> {
    account.eks.clusters.get_mut(name).ok_or_else(|| no_cluster(name))
}

pub(super) fn nodegroup<'a>(cluster: &'a Cluster, name: &str) -> Result<&'a Nodegroup, ApiError> {
    cluster.nodegroups.get(name).ok_or_else(|| no_nodegroup(&cluster.name, name))
}

pub(super) fn nodegroup_mut<'a>(
    account: &'a mut Account,
    cluster_name: &str,
    name: &str,
) -> Result<&'a mut Nodegroup, ApiError> {
    cluster_mut(account, cluster_name)?.nodegroups.get_mut(name).ok_or_else(|| no_nodegroup(cluster_name, name))
}

fn no_nodegroup(cluster: &str, name: &str) -> ApiError {
    not_found(format!("No node group found for name: {name}.")).with("clusterName", cluster).with("nodegroupName", name)
}

pub(super) fn addon<'a>(cluster: &'a Cluster, name: &str) -> Result<&'a Addon, ApiError> {
    cluster.addons.get(name).ok_or_else(|| no_addon(&cluster.name, name))
}

pub(super) fn addon_mut<'a>(
    account: &'a mut Account,
    cluster_name: &str,
    name: &str,
) -> Result<&'a mut Addon, ApiError> {
    cluster_mut(account, cluster_name)?.addons.get_mut(name).ok_or_else(|| no_addon(cluster_name, name))
}

fn no_addon(cluster: &str, name: &str) -> ApiError {
    not_found(format!("No addon: {name} found in cluster: {cluster}"))
        .with("clusterName", cluster)
        .with("addonName", name)
}
