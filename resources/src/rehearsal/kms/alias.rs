//! Aliases.

use serde_json::{Value, json};

use super::super::params::{constraint, epoch_seconds, text};
use super::super::{Account, ApiError};
use super::key::check_not_pending;
use super::{Alias, Key, arn, find, listed, not_found, required, validation};

/// The alias name of a request: `alias/` and `[a-zA-Z0-9/_-]+`, not AWS's own.
fn name(params: &Value) -> Result<&str, ApiError> {
    let name = required(params, "AliasName")?;
    let invalid = |message: String| ApiError::new(400, "InvalidAliasNameException", message);
    let Some(rest) = name.strip_prefix("alias/") else {
        return Err(validation("Invalid identifier: an alias name must begin with the prefix alias/"));
    };
    if rest.is_empty()
        || name.len() > 256
        || !rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_-".contains(&byte))
    {
        let rule = "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$";
        return Err(validation(constraint(name, "aliasName", rule)));
    }
    if rest.starts_with("aws/") {
        return Err(invalid(format!("{name} is reserved: alias names that begin with alias/aws/ are AWS's own.")));
    }
    Ok(name)
}

/// The key that an alias is to point to: no alias itself, not pending deletion.
fn target<'a>(account: &'a Account, params: &Value) -> Result<&'a Key, ApiError> {
    let target = required(params, "TargetKeyId")?;
    if target.starts_with("alias/") || target.contains(":alias/") {
        return Err(validation("Aliases must refer to keys. Not aliases."));
    }
    let key = find(account, target).ok_or_else(|| not_found(account, target, false))?;
    check_not_pending(key)?;
    Ok(key)
}

/// `CreateAlias`
pub fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let name = name(params)?;
    let key_id = target(account, params)?.id.clone();
    if account.kms.aliases.contains_key(name) {
        let message = format!("An alias with the name {} already exists", arn(account, name));
        return Err(ApiError::new(400, "AlreadyExistsException", message));
    }
    let now_ms = account.now_ms;
    account.kms.aliases.insert(name.to_owned(), Alias { key_id, created_ms: now_ms, updated_ms: now_ms });
    Ok(json!({}))
}

/// `UpdateAlias`
pub fn update(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let name = name(params)?;
    let missing = not_found(account, name, true);
    let key_id = target(account, params)?.id.clone();
    let now_ms = account.now_ms;
    let alias = account.kms.aliases.get_mut(name).ok_or(missing)?;
    (alias.key_id, alias.updated_ms) = (key_id, now_ms);
    Ok(json!({}))
}

/// `DeleteAlias`
pub fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let name = name(params)?;
    let missing = not_found(account, name, true);
    account.kms.aliases.remove(name).map(|_| json!({})).ok_or(missing)
}

/// `ListAliases`, of one key or of all
pub fn list(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let wanted = match text(params, "KeyId") {
        None => None,
        Some(key) => Some(&find(account, key).ok_or_else(|| not_found(account, key, key.contains("alias/")))?.id),
    };
    let mine = account.kms.aliases.iter().filter(|(_, alias)| wanted.is_none_or(|id| alias.key_id == *id));
    let items = mine.map(|(name, alias)| {
        let shown = json!({
            "AliasName": name,
            "AliasArn": arn(account, name),
            "TargetKeyId": alias.key_id,
            "CreationDate": epoch_seconds(alias.created_ms),
            "LastUpdatedDate": epoch_seconds(alias.updated_ms),
        });
        (name.clone(), shown)
    });
    listed(params, "Aliases", items.collect(), 50, 100)
}
