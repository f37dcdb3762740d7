//! Managed policies on roles.

use serde_json::{Value, json};

use super::super::params::text;
use super::super::{Account, ApiError};
use super::checks::{limit_exceeded, listed, no_such_entity, required};
use super::model::Attachment;
use super::role::{changeable, named};
use super::{managed, policies};

/// Managed policies of one role (IAM quotas; the default, which can be raised to 25).
const MAX_ATTACHED: usize = 10;

/// `AttachRolePolicy`. Attaching what is attached changes nothing.
pub fn attach(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let arn = required(params, "PolicyArn")?;
    let role = changeable(account, params)?;
    let (name, count) = (role.name.clone(), role.attached.len());
    if role.attached.iter().any(|attachment| attachment.policy_arn == arn) {
        return Ok(json!({}));
    }
    if !policies::exists(account, arn) || managed::is_service_linked(account, arn) {
        return Err(no_such_entity(format!("Policy {arn} does not exist or is not attachable.")));
    }
    if count >= MAX_ATTACHED {
        return Err(limit_exceeded("PoliciesPerRole", MAX_ATTACHED));
    }
    let what = format!("attachment/{name}/{}", policy_name(arn));
    let visible_ms = account.draw_due(&what, "visible", 1.0, 5.0);
    if let Some(role) = account.iam.roles.get_mut(&name) {
        role.attached.push(Attachment { policy_arn: arn.to_owned(), visible_ms });
    }
    Ok(json!({}))
}

/// `DetachRolePolicy`
pub fn detach(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let arn = required(params, "PolicyArn")?;
    let role = changeable(account, params)?;
    let before = role.attached.len();
    role.attached.retain(|attachment| attachment.policy_arn != arn);
    if role.attached.len() == before {
        return Err(no_such_entity(format!("Policy {arn} was not found.")));
    }
    Ok(json!({}))
}

/// `ListAttachedRolePolicies`
pub fn list(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let role = named(account, params)?;
    let prefix = text(params, "PathPrefix").unwrap_or("/");
    let under = role.attached.iter().filter(|attachment| policies::path_of(&attachment.policy_arn).starts_with(prefix));
    let items = under.map(|attachment| {
        let arn = &attachment.policy_arn;
        (arn.clone(), json!({"PolicyName": policy_name(arn), "PolicyArn": arn}))
    });
    listed(params, "AttachedPolicies", items.collect())
}

fn policy_name(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
}
