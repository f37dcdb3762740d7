//! The emulated iam service: roles, policies, attachments, OIDC providers,
//! service-linked roles. One file per resource.

mod model;
mod visible;

use serde_json::Value;

pub use model::{Attachment, Role, State};
pub use visible::{RoleProblem, ensure_service_linked, usable_role};

use super::{Account, ApiError};

/// The role whose session calls: what IAM Identity Center makes for administrators.
pub const CALLER_ROLE: &str = "AWSReservedSSO_AdministratorAccess_0123456789abcdef";

/// The name of the caller's session.
pub const CALLER_SESSION: &str = "someone";

/// Puts the caller's role into a new account.
pub(super) fn seed_caller(account: &mut Account) {
    let path = format!("/aws-reserved/sso.amazonaws.com/{}/", account.region);
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Federated":"arn:aws:iam::{}:saml-provider/AWSSSO_0123456789abcdef_DO_NOT_DELETE"}},"Action":["sts:AssumeRoleWithSAML","sts:TagSession"],"Condition":{{"StringEquals":{{"SAML:aud":"https://signin.aws.amazon.com/saml"}}}}}}]}}"#,
        account.account_id
    );
    let mut role = Role::new(account, CALLER_ROLE, &path, trust);
    role.attached
        .push(Attachment { policy_arn: "arn:aws:iam::aws:policy/AdministratorAccess".to_owned(), visible_ms: 0 });
    account.iam.roles.insert(CALLER_ROLE.to_owned(), role);
}

/// Answers one call.
///
/// # Errors
/// The service's refusal.
pub fn call(_account: &mut Account, operation: &str, _params: &Value) -> Result<Value, ApiError> {
    Err(ApiError::new(400, "InvalidAction", format!("iam has no {operation} here.")))
}
