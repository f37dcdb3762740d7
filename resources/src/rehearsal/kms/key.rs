//! Keys and their states.

use serde_json::{Value, json};

use super::super::params::{constraint, epoch_seconds, number, text};
use super::super::{Account, ApiError};
use super::{Key, arn, changeable_id, key_mut, listed, pending_deletion, policy, required_key, tags, validation};

const DAY_MS: u64 = 24 * 3600 * 1000;

fn shown(account: &Account, key: &Key) -> Value {
    let mut shown = json!({
        "AWSAccountId": account.account_id,
        "KeyId": key.id,
        "Arn": key.arn,
        "CreationDate": epoch_seconds(key.created_ms),
        "Enabled": key.state() == "Enabled",
        "Description": key.description,
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": key.state(),
        "Origin": "AWS_KMS",
        "KeyManager": "CUSTOMER",
        "CustomerMasterKeySpec": "SYMMETRIC_DEFAULT",
        "KeySpec": "SYMMETRIC_DEFAULT",
        "EncryptionAlgorithms": ["SYMMETRIC_DEFAULT"],
        "MultiRegion": false,
    });
    if let Some(deletion_ms) = key.deletion_ms {
        shown["DeletionDate"] = epoch_seconds(deletion_ms);
    }
    shown
}

fn new_id(account: &mut Account) -> String {
    let hex = account.draw_hex(32);
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

fn description(params: &Value) -> Result<String, ApiError> {
    let description = text(params, "Description").unwrap_or_default();
    if description.chars().count() > 8192 {
        let rule = "Member must have length less than or equal to 8192";
        return Err(validation(constraint(description, "description", rule)));
    }
    Ok(description.to_owned())
}

/// `CreateKey`: no token and no name, so every call makes a key.
pub fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let spec = text(params, "KeySpec").or_else(|| text(params, "CustomerMasterKeySpec")).unwrap_or("SYMMETRIC_DEFAULT");
    let usage = text(params, "KeyUsage").unwrap_or("ENCRYPT_DECRYPT");
    if spec != "SYMMETRIC_DEFAULT" || usage != "ENCRYPT_DECRYPT" {
        let message = format!("The rehearsal account makes only symmetric keys, not {spec} for {usage}.");
        return Err(ApiError::new(400, "UnsupportedOperationException", message));
    }
    let description = description(params)?;
    let policy = match text(params, "Policy") {
        Some(policy) => policy::checked(account, params, policy)?,
        None => policy::default(account),
    };
    let tags = tags::checked(params)?;
    let id = new_id(account);
    let key = Key {
        arn: arn(account, &format!("key/{id}")),
        id: id.clone(),
        description,
        policy,
        created_ms: account.now_ms,
        enabled: true,
        deletion_ms: None,
        rotation: false,
        rotation_days: 365,
        tags,
    };
    let answer = json!({"KeyMetadata": shown(account, &key)});
    account.kms.keys.insert(id, key);
    Ok(answer)
}

/// `DescribeKey`
pub fn describe(account: &Account, params: &Value) -> Result<Value, ApiError> {
    Ok(json!({"KeyMetadata": shown(account, required_key(account, params, true)?)}))
}

/// `ListKeys`
pub fn list(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let keys = account.kms.keys.values().map(|key| (key.id.clone(), json!({"KeyId": key.id, "KeyArn": key.arn})));
    listed(params, "Keys", keys.collect(), 100, 1000)
}

/// `EnableKey`, `DisableKey`
pub fn set_enabled(account: &mut Account, params: &Value, enabled: bool) -> Result<Value, ApiError> {
    let id = changeable_id(account, params)?;
    key_mut(account, &id)?.enabled = enabled;
    Ok(json!({}))
}

/// `UpdateKeyDescription`
pub fn update_description(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = changeable_id(account, params)?;
    key_mut(account, &id)?.description = description(params)?;
    Ok(json!({}))
}

/// The id of a key whose rotation is to change: it must be enabled.
fn rotatable_id(account: &Account, params: &Value) -> Result<String, ApiError> {
    let id = changeable_id(account, params)?;
    let key = required_key(account, params, false)?;
    if !key.enabled {
        return Err(ApiError::new(400, "DisabledException", format!("{} is disabled.", key.arn)));
    }
    Ok(id)
}

/// `EnableKeyRotation`
pub fn enable_rotation(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = rotatable_id(account, params)?;
    let days = match number(params, "RotationPeriodInDays") {
        None => None,
        Some(days) => Some(u32::try_from(days).ok().filter(|days| (90..=2560).contains(days)).ok_or_else(|| {
            let rule = "Member must have value between 90 and 2560";
            validation(constraint(&days.to_string(), "rotationPeriodInDays", rule))
        })?),
    };
    let key = key_mut(account, &id)?;
    key.rotation = true;
    key.rotation_days = days.unwrap_or(key.rotation_days);
    Ok(json!({}))
}

/// `DisableKeyRotation`
pub fn disable_rotation(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = rotatable_id(account, params)?;
    key_mut(account, &id)?.rotation = false;
    Ok(json!({}))
}

/// `GetKeyRotationStatus`: false while the key is pending deletion (its API page).
pub fn rotation_status(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let key = required_key(account, params, false)?;
    let rotates = key.rotation && key.deletion_ms.is_none();
    let mut answer = json!({"KeyId": key.arn, "KeyRotationEnabled": rotates});
    if rotates {
        let period = u64::from(key.rotation_days);
        answer["RotationPeriodInDays"] = json!(period);
        answer["NextRotationDate"] = epoch_seconds(key.created_ms + period * DAY_MS);
    }
    Ok(answer)
}

/// `ScheduleKeyDeletion`
pub fn schedule_deletion(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let days = number(params, "PendingWindowInDays").unwrap_or(30);
    let rule = match days {
        ..7 => Some("Member must have value greater than or equal to 7"),
        7..=30 => None,
        _ => Some("Member must have value less than or equal to 30"),
    };
    if let Some(rule) = rule {
        return Err(validation(constraint(&days.to_string(), "pendingWindowInDays", rule)));
    }
    let id = changeable_id(account, params)?;
    let deletion_ms = account.now_ms + u64::try_from(days).unwrap_or(30) * DAY_MS;
    let key = key_mut(account, &id)?;
    key.deletion_ms = Some(deletion_ms);
    Ok(json!({
        "KeyId": key.arn,
        "DeletionDate": epoch_seconds(deletion_ms),
        "KeyState": key.state(),
        "PendingWindowInDays": days,
    }))
}

/// `CancelKeyDeletion`: the key is disabled afterwards (its API page).
pub fn cancel_deletion(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let key = required_key(account, params, false)?;
    if key.deletion_ms.is_none() {
        let message = format!("{} is not pending deletion.", key.arn);
        return Err(ApiError::new(400, "KMSInvalidStateException", message));
    }
    let id = key.id.clone();
    let key = key_mut(account, &id)?;
    (key.deletion_ms, key.enabled) = (None, false);
    Ok(json!({"KeyId": key.arn}))
}

/// Refuses a key that is pending deletion.
pub fn check_not_pending(key: &Key) -> Result<(), ApiError> {
    if key.deletion_ms.is_some() { Err(pending_deletion(key)) } else { Ok(()) }
}
