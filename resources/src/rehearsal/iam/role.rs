//! Roles and their tags.

use serde_json::{Value, json};

use super::super::params::{iso_time, number, text};
use super::super::{Account, ApiError};
use super::checks::{
    add_tags, delete_conflict, description, encoded, limit_exceeded, list_tags, listed, no_such_entity, path,
    remove_tags, required, required_name, shown_tags, validation,
};
use super::document::check_trust;
use super::model::Role;

/// Roles in one account (IAM quotas).
const MAX_ROLES: usize = 1000;

/// Characters of a trust policy, white space aside (IAM quotas).
const MAX_TRUST_POLICY: usize = 2048;

/// The role that a request names.
pub fn named<'a>(account: &'a mut Account, params: &Value) -> Result<&'a mut Role, ApiError> {
    let name = required_name(params, "RoleName", 64)?;
    let missing = || no_such_entity(format!("The role with name {name} cannot be found."));
    account.iam.roles.get_mut(name).ok_or_else(missing)
}

/// The role that a request means to change; AWS's own roles cannot be changed.
pub fn changeable<'a>(account: &'a mut Account, params: &Value) -> Result<&'a mut Role, ApiError> {
    let role = named(account, params)?;
    if role.path.starts_with("/aws-service-role/") || role.path.starts_with("/aws-reserved/") {
        let message = format!(
            "Cannot perform the operation on the protected role '{}' - this role is only modifiable by AWS",
            role.name
        );
        return Err(ApiError::new(400, "UnmodifiableEntity", message));
    }
    Ok(role)
}

fn shown(role: &Role) -> Value {
    let mut shown = json!({
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": iso_time(role.created_ms),
        "AssumeRolePolicyDocument": encoded(&role.trust_policy),
        "MaxSessionDuration": role.max_session,
    });
    if !role.description.is_empty() {
        shown["Description"] = json!(role.description);
    }
    shown
}

/// With what lists leave out.
fn shown_whole(role: &Role) -> Value {
    let mut shown = shown(role);
    if let Some(boundary) = &role.permissions_boundary {
        shown["PermissionsBoundary"] = json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary});
    }
    if !role.tags.is_empty() {
        shown["Tags"] = Value::Array(shown_tags(&role.tags));
    }
    shown
}

fn max_session(params: &Value) -> Result<Option<u32>, ApiError> {
    let Some(seconds) = number(params, "MaxSessionDuration") else {
        return Ok(None);
    };
    let seconds = u32::try_from(seconds).ok().filter(|seconds| (3600..=43_200).contains(seconds));
    seconds.map(Some).ok_or_else(|| {
        validation("1 validation error detected: Value at 'maxSessionDuration' failed to satisfy constraint: Member must have value between 3600 and 43200")
    })
}

fn checked_trust(account: &Account, text: &str) -> Result<String, ApiError> {
    check_trust(account, text)?;
    if text.chars().filter(|letter| !letter.is_whitespace()).count() > MAX_TRUST_POLICY {
        return Err(limit_exceeded("ACLSizePerRole", MAX_TRUST_POLICY));
    }
    Ok(text.to_owned())
}

/// `CreateRole`
pub fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let name = required_name(params, "RoleName", 64)?;
    let path = path(params)?;
    let trust = checked_trust(account, required(params, "AssumeRolePolicyDocument")?)?;
    let (description, max_session) = (description(params)?, max_session(params)?);
    // Names are unique without regard to case (CreateRole, RoleName).
    if account.iam.roles.keys().any(|known| known.eq_ignore_ascii_case(name)) {
        return Err(ApiError::new(409, "EntityAlreadyExists", format!("Role with name {name} already exists.")));
    }
    if account.iam.roles.len() >= MAX_ROLES {
        return Err(limit_exceeded("RolesPerAccount", MAX_ROLES));
    }
    let boundary = text(params, "PermissionsBoundary").map(str::to_owned);
    if let Some(arn) = &boundary
        && !super::policies::exists(account, arn)
    {
        return Err(no_such_entity(format!("Scope ARN: {arn} does not exist or is not attachable.")));
    }
    let mut role = Role::new(account, name, &path, trust);
    add_tags(&mut role.tags, params)?;
    role.description = description;
    role.max_session = max_session.unwrap_or(role.max_session);
    role.permissions_boundary = boundary;
    role.visible_ms = account.draw_due(&format!("role/{name}"), "visible", 2.0, 9.0);
    let answer = json!({"Role": shown_whole(&role)});
    account.iam.roles.insert(name.to_owned(), role);
    Ok(answer)
}

/// `GetRole`
pub fn get(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let mut role = shown_whole(named(account, params)?);
    role["RoleLastUsed"] = json!({});
    Ok(json!({"Role": role}))
}

/// `ListRoles`
pub fn list(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let prefix = text(params, "PathPrefix").unwrap_or("/");
    let under = account.iam.roles.values().filter(|role| role.path.starts_with(prefix));
    listed(params, "Roles", under.map(|role| (role.name.clone(), shown(role))).collect())
}

/// `DeleteRole`
pub fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let role = changeable(account, params)?;
    if !role.attached.is_empty() {
        return Err(delete_conflict("Cannot delete entity, must detach all policies first."));
    }
    if !role.inline.is_empty() {
        return Err(delete_conflict("Cannot delete entity, must delete policies first."));
    }
    let name = role.name.clone();
    if account.iam.instance_profiles.values().any(|role| *role == name) {
        return Err(delete_conflict("Cannot delete entity, must remove roles from instance profile first."));
    }
    account.iam.roles.remove(&name);
    Ok(json!({}))
}

/// `UpdateRole`: what is not given becomes the default again (UpdateRole, Description).
pub fn update(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let (description, max_session) = (description(params)?, max_session(params)?);
    let role = changeable(account, params)?;
    role.max_session = max_session.unwrap_or(3600);
    if text(params, "Description").is_some() {
        role.description = description;
    }
    Ok(json!({}))
}

/// `UpdateAssumeRolePolicy`
pub fn update_trust(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let name = changeable(account, params)?.name.clone();
    let trust = checked_trust(account, required(params, "PolicyDocument")?)?;
    let visible_ms = account.draw_due(&format!("role/{name}/trust"), "visible", 1.0, 6.0);
    let now_ms = account.now_ms;
    if let Some(role) = account.iam.roles.get_mut(&name) {
        role.former_trust_policy = Some(role.visible_trust_policy(now_ms).to_owned());
        role.trust_policy = trust;
        role.trust_visible_ms = visible_ms;
    }
    Ok(json!({}))
}

/// `TagRole`
pub fn tag(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    add_tags(&mut changeable(account, params)?.tags, params)?;
    Ok(json!({}))
}

/// `UntagRole`
pub fn untag(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    remove_tags(&mut changeable(account, params)?.tags, params);
    Ok(json!({}))
}

/// `ListRoleTags`
pub fn tags(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    list_tags(&named(account, params)?.tags, params)
}

/// `ListInstanceProfilesForRole`: those that EKS makes for its node groups.
pub fn instance_profiles(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let role = shown(named(account, params)?);
    let account_id = account.account_id.clone();
    let partition = account.partition();
    let mine = account.iam.instance_profiles.iter().filter(|(_, name)| role["RoleName"] == json!(name));
    let items = mine.map(|(name, _)| {
        let arn = format!("arn:{partition}:iam::{account_id}:instance-profile/{name}");
        (name.clone(), json!({"InstanceProfileName": name, "Path": "/", "Arn": arn, "Roles": [role.clone()]}))
    });
    listed(params, "InstanceProfiles", items.collect())
}
