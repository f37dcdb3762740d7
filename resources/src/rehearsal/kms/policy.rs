//! Key policies: their check and what they allow.

use serde_json::{Value, json};

use super::super::params::{flag, text};
use super::super::{Account, ApiError, iam, policy, sts};
use super::{find, key_mut, listed, required, required_key, validation};

/// A key policy's size in bytes (KMS quotas).
const MAX_POLICY: usize = 32_768;

fn malformed(message: &str) -> ApiError {
    ApiError::new(400, "MalformedPolicyDocumentException", message)
}

/// The policy of a key that was made without one.
pub fn default(account: &Account) -> String {
    json!({
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [{
            "Sid": "Enable IAM User Permissions",
            "Effect": "Allow",
            "Principal": {"AWS": root(account)},
            "Action": "kms:*",
            "Resource": "*",
        }],
    })
    .to_string()
}

fn root(account: &Account) -> String {
    format!("arn:{}:iam::{}:root", account.partition(), account.account_id)
}

/// Checks a key policy: its shape, that its principals exist, and that the caller can
/// still change it afterwards.
pub fn checked(account: &Account, params: &Value, document: &str) -> Result<String, ApiError> {
    if document.len() > MAX_POLICY {
        return Err(ApiError::new(400, "LimitExceededException", "The key policy exceeds the policy size quota."));
    }
    let parsed: Value =
        serde_json::from_str(document).map_err(|_| malformed("Policy contains invalid JSON or syntax errors."))?;
    let statements = policy::statements(&parsed);
    let well_formed = |statement: &&Value| {
        let has = |name: &str| statement.get(name).is_some();
        matches!(statement.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny"))
            && (has("Action") || has("NotAction"))
            && (has("Principal") || has("NotPrincipal"))
            && (has("Resource") || has("NotResource"))
    };
    if !parsed.is_object() || statements.is_empty() || !statements.iter().all(well_formed) {
        return Err(malformed("Policy contains invalid JSON or syntax errors."));
    }
    // KMS resolves principals through IAM: a role that only IAM knows yet is refused, too.
    for statement in &statements {
        let who = statement.get("Principal");
        let principals = policy::texts(who.and_then(|who| who.get("AWS")));
        if principals.iter().any(|one| !iam::is_aws_principal(account, one)) {
            return Err(malformed("Policy contains a statement with one or more invalid principals."));
        }
    }
    let safe = flag(params, "BypassPolicyLockoutSafetyCheck") == Some(true) || lets_caller_change(account, &parsed);
    if !safe {
        return Err(malformed("The new key policy will not allow you to update the key policy in the future."));
    }
    Ok(document.to_owned())
}

fn lets_caller_change(account: &Account, policy: &Value) -> bool {
    let role = account.iam.roles.get(iam::CALLER_ROLE).map_or("", |role| role.arn.as_str());
    let (root, session) = (root(account), sts::caller_arn(account));
    policy::lets_principal(policy, &[&root, &account.account_id, role, &session], "kms:PutKeyPolicy")
}

/// The only name that a key policy can have.
fn check_name(params: &Value) -> Result<(), ApiError> {
    match text(params, "PolicyName") {
        None | Some("default") => Ok(()),
        Some(other) => Err(ApiError::new(400, "NotFoundException", format!("No such policy exists: {other}"))),
    }
}

/// `GetKeyPolicy`
pub fn get(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let key = required_key(account, params, false)?;
    check_name(params)?;
    Ok(json!({"Policy": key.policy, "PolicyName": "default"}))
}

/// `PutKeyPolicy`
pub fn put(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = required_key(account, params, false)?.id.clone();
    if text(params, "PolicyName").is_some_and(|name| name != "default") {
        return Err(validation("PolicyName must be default"));
    }
    let policy = checked(account, params, required(params, "Policy")?)?;
    key_mut(account, &id)?.policy = policy;
    Ok(json!({}))
}

/// `ListKeyPolicies`
pub fn list(account: &Account, params: &Value) -> Result<Value, ApiError> {
    required_key(account, params, false)?;
    listed(params, "PolicyNames", vec![("default".to_owned(), json!("default"))], 100, 1000)
}

/// Is the key enabled, and does its policy let the service principal do the action
/// (e.g. `kms:Encrypt`)? Conditions count as met.
pub fn allows_service(account: &Account, key_arn: &str, service_principal: &str, action: &str) -> bool {
    allows_service_with(account, key_arn, service_principal, action, &[])
}

/// The same for a request with this context (e.g. `kms:EncryptionContext:aws:logs:arn`
/// and its value); conditions on keys that it does not have count as met.
pub fn allows_service_with(
    account: &Account,
    key_arn: &str,
    service_principal: &str,
    action: &str,
    context: &[(&str, &str)],
) -> bool {
    let Some(key) = find(account, key_arn).filter(|key| key.state() == "Enabled") else {
        return false;
    };
    serde_json::from_str::<Value>(&key.policy)
        .is_ok_and(|document| policy::lets_service_with(&document, service_principal, action, context))
}
