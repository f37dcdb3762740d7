//! The emulated KMS: keys, their policies and states, aliases.

mod alias;
mod key;
mod policy;
mod tags;

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use policy::{allows_service, allows_service_with};

use super::params::{constraint, number, page, text};
use super::{Account, ApiError};

/// What the service holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By key id.
    pub keys: BTreeMap<String, Key>,
    /// By name, `alias/` included.
    pub aliases: BTreeMap<String, Alias>,
}

/// A symmetric key of the customer's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Key {
    /// A UUID.
    pub id: String,
    /// Ends in `key/ID`.
    pub arn: String,
    /// Empty if none was given.
    pub description: String,
    /// JSON text.
    pub policy: String,
    /// Milliseconds since the epoch.
    pub created_ms: u64,
    /// `false` after `DisableKey` and after a cancelled deletion.
    pub enabled: bool,
    /// When the key is to go: it is pending deletion until then.
    pub deletion_ms: Option<u64>,
    /// Does AWS rotate the key material?
    pub rotation: bool,
    /// Days between two rotations.
    pub rotation_days: u32,
    /// In the order in which they were set.
    pub tags: IndexMap<String, String>,
}

impl Key {
    /// `Enabled`, `Disabled`, `PendingDeletion`.
    pub fn state(&self) -> &'static str {
        match (self.deletion_ms, self.enabled) {
            (Some(_), _) => "PendingDeletion",
            (None, true) => "Enabled",
            (None, false) => "Disabled",
        }
    }
}

/// An alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The id of its key.
    pub key_id: String,
    /// Milliseconds since the epoch.
    pub created_ms: u64,
    /// Milliseconds since the epoch.
    pub updated_ms: u64,
}

/// Answers one call.
///
/// # Errors
/// The service's refusal.
pub fn call(account: &mut Account, operation: &str, params: &Value) -> Result<Value, ApiError> {
    match operation {
        "CreateKey" => key::create(account, params),
        "DescribeKey" => key::describe(account, params),
        "ListKeys" => key::list(account, params),
        "EnableKey" => key::set_enabled(account, params, true),
        "DisableKey" => key::set_enabled(account, params, false),
        "UpdateKeyDescription" => key::update_description(account, params),
        "EnableKeyRotation" => key::enable_rotation(account, params),
        "DisableKeyRotation" => key::disable_rotation(account, params),
        "GetKeyRotationStatus" => key::rotation_status(account, params),
        "ScheduleKeyDeletion" => key::schedule_deletion(account, params),
        "CancelKeyDeletion" => key::cancel_deletion(account, params),
        "GetKeyPolicy" => policy::get(account, params),
        "PutKeyPolicy" => policy::put(account, params),
        "ListKeyPolicies" => policy::list(account, params),
        "ListResourceTags" => tags::list(account, params),
        "TagResource" => tags::tag(account, params),
        "UntagResource" => tags::untag(account, params),
        "CreateAlias" => alias::create(account, params),
        "UpdateAlias" => alias::update(account, params),
        "DeleteAlias" => alias::delete(account, params),
        "ListAliases" => alias::list(account, params),
        _ => Err(ApiError::new(400, "UnknownOperationException", "")),
    }
}

/// Lets the keys go whose waiting time is over, with their aliases.
pub fn settle(account: &mut Account) {
    let now_ms = account.now_ms;
    let state = &mut account.kms;
    state.keys.retain(|_, key| key.deletion_ms.is_none_or(|due_ms| due_ms > now_ms));
    state.aliases.retain(|_, alias| state.keys.contains_key(&alias.key_id));
}

/// The key that an id, an ARN, an alias or an alias's ARN names.
pub fn find<'a>(account: &'a Account, name: &str) -> Option<&'a Key> {
    let prefix = format!("arn:{}:kms:{}:{}:", account.partition(), account.region, account.account_id);
    let resource = name.strip_prefix(&prefix).unwrap_or(name);
    if resource.starts_with("alias/") {
        let alias = account.kms.aliases.get(resource)?;
        return account.kms.keys.get(&alias.key_id);
    }
    // Bare ids come without `key/`, ARNs with it.
    let id = if resource == name { resource } else { resource.strip_prefix("key/")? };
    account.kms.keys.get(id)
}

fn validation(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "ValidationException", message)
}

fn required<'a>(params: &'a Value, name: &str) -> Result<&'a str, ApiError> {
    let shown = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
    text(params, name).ok_or_else(|| validation(constraint("", &shown, "Member must not be null")))
}

fn arn(account: &Account, resource: &str) -> String {
    format!("arn:{}:kms:{}:{}:{resource}", account.partition(), account.region, account.account_id)
}

/// The key of a request's `KeyId`. Most operations take no aliases.
fn required_key<'a>(account: &'a Account, params: &Value, takes_alias: bool) -> Result<&'a Key, ApiError> {
    let name = required(params, "KeyId")?;
    let is_alias = name.starts_with("alias/") || name.contains(":alias/");
    if is_alias && !takes_alias {
        return Err(ApiError::new(400, "NotFoundException", format!("Invalid keyId {name}")));
    }
    find(account, name).ok_or_else(|| not_found(account, name, is_alias))
}

fn not_found(account: &Account, name: &str, is_alias: bool) -> ApiError {
    let whole = match (name.starts_with("arn:"), is_alias) {
        (true, _) => name.to_owned(),
        (false, true) => arn(account, name),
        (false, false) => arn(account, &format!("key/{name}")),
    };
    let message =
        if is_alias { format!("Alias {whole} is not found.") } else { format!("Key '{whole}' does not exist") };
    ApiError::new(400, "NotFoundException", message)
}

/// The id of a request's key, refused while it is pending deletion.
fn changeable_id(account: &Account, params: &Value) -> Result<String, ApiError> {
    let key = required_key(account, params, false)?;
    match key.deletion_ms {
        None => Ok(key.id.clone()),
        Some(_) => Err(pending_deletion(key)),
    }
}

fn pending_deletion(key: &Key) -> ApiError {
    ApiError::new(400, "KMSInvalidStateException", format!("{} is pending deletion.", key.arn))
}

/// The key of that id, which was just looked up.
fn key_mut<'a>(account: &'a mut Account, id: &str) -> Result<&'a mut Key, ApiError> {
    let missing = ApiError::new(400, "NotFoundException", format!("Key '{id}' does not exist"));
    account.kms.keys.get_mut(id).ok_or(missing)
}

/// One page of a list under the name `member`, in the form of all of KMS's lists.
fn listed(
    params: &Value,
    member: &str,
    items: Vec<(String, Value)>,
    default: usize,
    most: usize,
) -> Result<Value, ApiError> {
    let limit = match number(params, "Limit") {
        None => default,
        Some(limit) => usize::try_from(limit).ok().filter(|limit| (1..=most).contains(limit)).ok_or_else(|| {
            let rule = format!("Member must have value between 1 and {most}");
            validation(constraint(&limit.to_string(), "limit", &rule))
        })?,
    };
    let page = page(items, text(params, "Marker"), limit)
        .ok_or_else(|| ApiError::new(400, "InvalidMarkerException", "Could not deserialize marker"))?;
    let mut answer = json!({"Truncated": page.next.is_some()});
    answer[member] = Value::Array(page.items);
    if let Some(next) = page.next {
        answer["NextMarker"] = json!(next);
    }
    Ok(answer)
}

#[cfg(test)]
mod tests;
