//! Policies that are part of a role.

use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::checks::{encoded, listed, no_such_entity, required, required_name};
use super::document::check_identity;
use super::role::{changeable, named};

/// Characters of all of a role's inline policies, white space aside (IAM quotas).
const MAX_INLINE: usize = 10_240;

fn missing(name: &str) -> ApiError {
    no_such_entity(format!("The role policy with name {name} cannot be found."))
}

/// `PutRolePolicy`
pub fn put(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let name = required_name(params, "PolicyName", 128)?;
    let document = required(params, "PolicyDocument")?;
    let role = changeable(account, params)?;
    check_identity(document)?;
    let size = |text: &str| text.chars().filter(|letter| !letter.is_whitespace()).count();
    let others: usize = role.inline.iter().filter(|(known, _)| *known != name).map(|(_, text)| size(text)).sum();
    if others + size(document) > MAX_INLINE {
        let message = format!("Maximum policy size of {MAX_INLINE} bytes exceeded for role {}", role.name);
        return Err(ApiError::new(409, "LimitExceeded", message));
    }
    role.inline.insert(name.to_owned(), document.to_owned());
    Ok(json!({}))
}

/// `GetRolePolicy`
pub fn get(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let name = required_name(params, "PolicyName", 128)?;
    let role = named(account, params)?;
    let document = role.inline.get(name).ok_or_else(|| missing(name))?;
    Ok(json!({"RoleName": role.name, "PolicyName": name, "PolicyDocument": encoded(document)}))
}

/// `DeleteRolePolicy`
pub fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let name = required_name(params, "PolicyName", 128)?;
    let role = changeable(account, params)?;
    role.inline.remove(name).map(|_| json!({})).ok_or_else(|| missing(name))
}

/// `ListRolePolicies`
pub fn list(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let role = named(account, params)?;
    let names = role.inline.keys().map(|name| (name.clone(), json!(name)));
    listed(params, "PolicyNames", names.collect())
}
