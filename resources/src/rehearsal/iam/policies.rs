//! The account's own managed policies, their versions and tags.

use serde_json::{Value, json};

use super::super::params::{flag, iso_time, text};
use super::super::{Account, ApiError};
use super::checks::{
    add_tags, delete_conflict, description, encoded, limit_exceeded, list_tags, listed, no_such_entity, path,
    remove_tags, required, required_name, shown_tags, validation,
};
use super::document::check_identity;
use super::managed;
use super::model::{ManagedPolicy, PolicyVersion, unique_id};

/// Characters of a managed policy, white space aside (IAM quotas).
const MAX_POLICY: usize = 6144;

/// Versions of a managed policy (IAM quotas).
const MAX_VERSIONS: usize = 5;

/// Is there a policy of that ARN, AWS's or the account's?
pub fn exists(account: &Account, arn: &str) -> bool {
    account.iam.policies.contains_key(arn) || managed::of_arn(account, arn).is_some()
}

/// The path in a policy's ARN.
pub fn path_of(arn: &str) -> &str {
    let resource = arn.split_once(":policy").map_or("/", |(_, resource)| resource);
    &resource[..=resource.rfind('/').unwrap_or(0)]
}

fn missing(arn: &str) -> ApiError {
    no_such_entity(format!("Policy {arn} was not found."))
}

/// The account's policy that a request names; AWS's cannot be changed.
fn own<'a>(account: &'a mut Account, params: &Value) -> Result<&'a mut ManagedPolicy, ApiError> {
    let arn = required(params, "PolicyArn")?;
    if managed::of_arn(account, arn).is_some() {
        return Err(ApiError::new(403, "AccessDenied", format!("Policy {arn} is outside your own account.")));
    }
    account.iam.policies.get_mut(arn).ok_or_else(|| missing(arn))
}

fn checked(document: &str) -> Result<String, ApiError> {
    check_identity(document)?;
    if document.chars().filter(|letter| !letter.is_whitespace()).count() > MAX_POLICY {
        return Err(limit_exceeded("PolicySize", MAX_POLICY));
    }
    Ok(document.to_owned())
}

fn attachment_count(account: &Account, arn: &str) -> usize {
    account.iam.roles.values().filter(|role| role.attached.iter().any(|one| one.policy_arn == arn)).count()
}

fn boundary_count(account: &Account, arn: &str) -> usize {
    account.iam.roles.values().filter(|role| role.permissions_boundary.as_deref() == Some(arn)).count()
}

fn shown(account: &Account, policy: &ManagedPolicy) -> Value {
    let updated_ms = policy.versions.iter().map(|version| version.created_ms).max().unwrap_or(policy.created_ms);
    let mut shown = json!({
        "PolicyName": policy.name,
        "PolicyId": policy.id,
        "Arn": policy.arn,
        "Path": policy.path,
        "DefaultVersionId": format!("v{}", policy.default_version),
        "AttachmentCount": attachment_count(account, &policy.arn),
        "PermissionsBoundaryUsageCount": boundary_count(account, &policy.arn),
        "IsAttachable": true,
        "CreateDate": iso_time(policy.created_ms),
        "UpdateDate": iso_time(updated_ms),
    });
    if !policy.tags.is_empty() {
        shown["Tags"] = Value::Array(shown_tags(&policy.tags));
    }
    shown
}

/// AWS's policies: what is known of them.
fn shown_managed(account: &Account, arn: &str) -> Value {
    json!({
        "PolicyName": arn.rsplit('/').next(),
        "Arn": arn,
        "Path": path_of(arn),
        "DefaultVersionId": "v1",
        "AttachmentCount": attachment_count(account, arn),
        "PermissionsBoundaryUsageCount": boundary_count(account, arn),
        "IsAttachable": !managed::is_service_linked(account, arn),
    })
}

fn shown_version(policy: &ManagedPolicy, version: &PolicyVersion, with_document: bool) -> Value {
    let mut shown = json!({
        "VersionId": format!("v{}", version.number),
        "IsDefaultVersion": version.number == policy.default_version,
        "CreateDate": iso_time(version.created_ms),
    });
    if with_document {
        shown["Document"] = json!(encoded(&version.document));
    }
    shown
}

/// `CreatePolicy`
pub fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let name = required_name(params, "PolicyName", 128)?;
    let (path, description) = (path(params)?, description(params)?);
    let document = checked(required(params, "PolicyDocument")?)?;
    if account.iam.policies.values().any(|policy| policy.name.eq_ignore_ascii_case(name)) {
        let message = format!("A policy called {name} already exists. Duplicate names are not allowed.");
        return Err(ApiError::new(409, "EntityAlreadyExists", message));
    }
    let arn = format!("arn:{}:iam::{}:policy{path}{name}", account.partition(), account.account_id);
    let version = PolicyVersion { number: 1, document, created_ms: account.now_ms };
    let mut policy = ManagedPolicy {
        name: name.to_owned(),
        path,
        id: unique_id(account, "ANPA"),
        arn: arn.clone(),
        description,
        created_ms: account.now_ms,
        versions: vec![version],
        default_version: 1,
        last_version: 1,
        tags: indexmap::IndexMap::new(),
    };
    add_tags(&mut policy.tags, params)?;
    let answer = json!({"Policy": shown(account, &policy)});
    account.iam.policies.insert(arn, policy);
    Ok(answer)
}

/// `GetPolicy`
pub fn get(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let arn = required(params, "PolicyArn")?;
    if let Some(policy) = account.iam.policies.get(arn) {
        let mut shown = shown(account, policy);
        if !policy.description.is_empty() {
            shown["Description"] = json!(policy.description);
        }
        return Ok(json!({"Policy": shown}));
    }
    managed::of_arn(account, arn).ok_or_else(|| missing(arn))?;
    Ok(json!({"Policy": shown_managed(account, arn)}))
}

/// `ListPolicies`
pub fn list(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let scope = text(params, "Scope").unwrap_or("All");
    if !["All", "AWS", "Local"].contains(&scope) {
        return Err(validation(super::super::params::constraint(
            scope,
            "scope",
            "Member must satisfy enum value set: [AWS, Local, All]",
        )));
    }
    let mut items = Vec::new();
    if scope != "AWS" {
        items.extend(account.iam.policies.values().map(|policy| (policy.arn.clone(), shown(account, policy))));
    }
    if scope != "Local" {
        items.extend(managed::arns(account).map(|arn| {
            let shown = shown_managed(account, &arn);
            (arn, shown)
        }));
    }
    let prefix = text(params, "PathPrefix").unwrap_or("/");
    let only_attached = flag(params, "OnlyAttached") == Some(true);
    items.retain(|(arn, shown)| {
        path_of(arn).starts_with(prefix) && (!only_attached || shown["AttachmentCount"] != json!(0))
    });
    listed(params, "Policies", items)
}

/// `DeletePolicy`
pub fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let policy = own(account, params)?;
    let (arn, versions) = (policy.arn.clone(), policy.versions.len());
    if attachment_count(account, &arn) + boundary_count(account, &arn) > 0 {
        return Err(delete_conflict("Cannot delete a policy attached to entities."));
    }
    if versions > 1 {
        return Err(delete_conflict(
            "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The default version is deleted with the policy.",
        ));
    }
    account.iam.policies.remove(&arn);
    Ok(json!({}))
}

/// `ListEntitiesForPolicy`
pub fn entities(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let arn = required(params, "PolicyArn")?;
    if !exists(account, arn) {
        return Err(missing(arn));
    }
    let wanted = matches!(text(params, "EntityFilter"), None | Some("Role"));
    let bearers =
        account.iam.roles.values().filter(|role| wanted && role.attached.iter().any(|one| one.policy_arn == arn));
    let items = bearers.map(|role| (role.name.clone(), json!({"RoleName": role.name, "RoleId": role.id})));
    let mut answer = listed(params, "PolicyRoles", items.collect())?;
    answer["PolicyGroups"] = json!([]);
    answer["PolicyUsers"] = json!([]);
    Ok(answer)
}

/// `CreatePolicyVersion`
pub fn create_version(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let created_ms = account.now_ms;
    let policy = own(account, params)?;
    let document = checked(required(params, "PolicyDocument")?)?;
    if policy.versions.len() >= MAX_VERSIONS {
        let message = "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version.";
        return Err(ApiError::new(409, "LimitExceeded", message));
    }
    policy.last_version += 1;
    let version = PolicyVersion { number: policy.last_version, document, created_ms };
    if flag(params, "SetAsDefault") == Some(true) {
        policy.default_version = version.number;
    }
    let answer = json!({"PolicyVersion": shown_version(policy, &version, false)});
    policy.versions.push(version);
    Ok(answer)
}

/// The place of the version that a request names.
fn version_index(policy: &ManagedPolicy, params: &Value) -> Result<usize, ApiError> {
    let id = required(params, "VersionId")?;
    let number = id.strip_prefix('v').and_then(|digits| digits.parse::<u32>().ok());
    policy.versions.iter().position(|version| Some(version.number) == number).ok_or_else(|| {
        no_such_entity(format!("Policy {} version {id} does not exist or is not attachable.", policy.arn))
    })
}

/// `GetPolicyVersion`
pub fn get_version(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let arn = required(params, "PolicyArn")?;
    if managed::of_arn(account, arn).is_some() {
        let message = format!("The rehearsal account knows that {arn} exists, but not its text.");
        return Err(ApiError::new(501, "NotImplemented", message));
    }
    let policy = own(account, params)?;
    let version = &policy.versions[version_index(policy, params)?];
    Ok(json!({"PolicyVersion": shown_version(policy, version, true)}))
}

/// `ListPolicyVersions`
pub fn list_versions(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let policy = own(account, params)?;
    let newest_first = |version: &PolicyVersion| format!("{:010}", u32::MAX - version.number);
    let items = policy.versions.iter().map(|version| (newest_first(version), shown_version(policy, version, false)));
    listed(params, "Versions", items.collect())
}

/// `DeletePolicyVersion`
pub fn delete_version(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let policy = own(account, params)?;
    let index = version_index(policy, params)?;
    if policy.versions[index].number == policy.default_version {
        return Err(delete_conflict("Cannot delete the default version of a policy."));
    }
    policy.versions.remove(index);
    Ok(json!({}))
}

/// `SetDefaultPolicyVersion`
pub fn set_default_version(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let policy = own(account, params)?;
    policy.default_version = policy.versions[version_index(policy, params)?].number;
    Ok(json!({}))
}

/// `TagPolicy`
pub fn tag(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    add_tags(&mut own(account, params)?.tags, params)?;
    Ok(json!({}))
}

/// `UntagPolicy`
pub fn untag(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    remove_tags(&mut own(account, params)?.tags, params);
    Ok(json!({}))
}

/// `ListPolicyTags`
pub fn tags(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    list_tags(&own(account, params)?.tags, params)
}
