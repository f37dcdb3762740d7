//! The emulated iam service: roles, policies, attachments, OIDC providers,
//! service-linked roles. One file per resource.

mod attachments;
mod checks;
mod document;
mod inline;
mod managed;
mod model;
mod oidc;
mod policies;
mod role;
mod service_linked;
mod visible;

use serde_json::Value;

pub use document::is_aws_principal;
pub use model::{Attachment, ManagedPolicy, OidcProvider, PolicyVersion, Role, State};
pub use service_linked::{ensure_service_linked, service_linked_name};
pub use visible::{RoleProblem, usable_role};

use super::{Account, ApiError};

/// The role whose session calls: what IAM Identity Center makes for administrators.
pub const CALLER_ROLE: &str = "AWSReservedSSO_AdministratorAccess_0123456789abcdef";

/// The name of the caller's session.
pub const CALLER_SESSION: &str = "someone";

/// Puts the caller's role into a new account.
pub(super) fn seed_caller(account: &mut Account) {
    let path = format!("/aws-reserved/sso.amazonaws.com/{}/", account.region);
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Federated":"arn:{}:iam::{}:saml-provider/AWSSSO_0123456789abcdef_DO_NOT_DELETE"}},"Action":["sts:AssumeRoleWithSAML","sts:TagSession"],"Condition":{{"StringEquals":{{"SAML:aud":"https://signin.aws.amazon.com/saml"}}}}}}]}}"#,
        account.partition(),
        account.account_id
    );
    let mut role = Role::new(account, CALLER_ROLE, &path, trust);
    let policy_arn = format!("arn:{}:iam::aws:policy/AdministratorAccess", account.partition());
    role.attached.push(Attachment { policy_arn, visible_ms: 0 });
    account.iam.roles.insert(CALLER_ROLE.to_owned(), role);
}

/// Answers one call.
///
/// # Errors
/// The service's refusal.
pub fn call(account: &mut Account, operation: &str, params: &Value) -> Result<Value, ApiError> {
    match operation {
        "CreateRole" => role::create(account, params),
        "GetRole" => role::get(account, params),
        "ListRoles" => role::list(account, params),
        "DeleteRole" => role::delete(account, params),
        "UpdateRole" => role::update(account, params),
        "UpdateAssumeRolePolicy" => role::update_trust(account, params),
        "TagRole" => role::tag(account, params),
        "UntagRole" => role::untag(account, params),
        "ListRoleTags" => role::tags(account, params),
        "ListInstanceProfilesForRole" => role::instance_profiles(account, params),
        "CreateServiceLinkedRole" => service_linked::create(account, params),
        "PutRolePolicy" => inline::put(account, params),
        "GetRolePolicy" => inline::get(account, params),
        "DeleteRolePolicy" => inline::delete(account, params),
        "ListRolePolicies" => inline::list(account, params),
        "AttachRolePolicy" => attachments::attach(account, params),
        "DetachRolePolicy" => attachments::detach(account, params),
        "ListAttachedRolePolicies" => attachments::list(account, params),
        _ if operation.contains("OpenIDConnectProvider") => call_oidc(account, operation, params),
        _ => call_policy(account, operation, params),
    }
}

fn call_policy(account: &mut Account, operation: &str, params: &Value) -> Result<Value, ApiError> {
    match operation {
        "CreatePolicy" => policies::create(account, params),
        "GetPolicy" => policies::get(account, params),
        "ListPolicies" => policies::list(account, params),
        "DeletePolicy" => policies::delete(account, params),
        "ListEntitiesForPolicy" => policies::entities(account, params),
        "CreatePolicyVersion" => policies::create_version(account, params),
        "GetPolicyVersion" => policies::get_version(account, params),
        "ListPolicyVersions" => policies::list_versions(account, params),
        "DeletePolicyVersion" => policies::delete_version(account, params),
        "SetDefaultPolicyVersion" => policies::set_default_version(account, params),
        "TagPolicy" => policies::tag(account, params),
        "UntagPolicy" => policies::untag(account, params),
        "ListPolicyTags" => policies::tags(account, params),
        other => Err(unknown(other)),
    }
}

fn call_oidc(account: &mut Account, operation: &str, params: &Value) -> Result<Value, ApiError> {
    match operation {
        "CreateOpenIDConnectProvider" => oidc::create(account, params),
        "GetOpenIDConnectProvider" => oidc::get(account, params),
        "DeleteOpenIDConnectProvider" => oidc::delete(account, params),
        "ListOpenIDConnectProviders" => Ok(oidc::list_all(account)),
        "UpdateOpenIDConnectProviderThumbprint" => oidc::update_thumbprints(account, params),
        "AddClientIDToOpenIDConnectProvider" => oidc::add_client_id(account, params),
        "RemoveClientIDFromOpenIDConnectProvider" => oidc::remove_client_id(account, params),
        "TagOpenIDConnectProvider" => oidc::tag(account, params),
        "UntagOpenIDConnectProvider" => oidc::untag(account, params),
        "ListOpenIDConnectProviderTags" => oidc::tags(account, params),
        other => Err(unknown(other)),
    }
}

fn unknown(operation: &str) -> ApiError {
    ApiError::new(400, "InvalidAction", format!("Could not find operation {operation} for version 2010-05-08"))
}

#[cfg(test)]
mod tests;
