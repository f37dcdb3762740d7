//! IAM as other services see it: later than IAM itself.

use super::super::Account;
use super::model::Role;

/// Why another service cannot use a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleProblem {
    /// There is no role of that ARN.
    Missing,
    /// The role exists, but only IAM itself knows it yet.
    NotYetVisible,
}

/// The role of that ARN, as a service other than IAM sees it now. Ask the role for
/// [`Role::trusts_service`] and [`Role::visible_policy_arns`] with `account.now_ms`.
///
/// # Errors
/// The role is missing or not visible yet; a caller of AWS cannot tell the two apart.
pub fn usable_role<'a>(account: &'a Account, arn: &str) -> Result<&'a Role, RoleProblem> {
    let name = arn.rsplit('/').next().unwrap_or_default();
    let role = account.iam.roles.get(name).filter(|role| role.arn == arn).ok_or(RoleProblem::Missing)?;
    if role.visible_ms <= account.now_ms { Ok(role) } else { Err(RoleProblem::NotYetVisible) }
}
