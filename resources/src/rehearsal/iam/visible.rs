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

/// The service-linked roles that EKS makes by itself: service principal, role name
/// (EKS user guide, "Using service-linked roles for Amazon EKS").
const SERVICE_LINKED: &[(&str, &str)] = &[
    ("eks.amazonaws.com", "AWSServiceRoleForAmazonEKS"),
    ("eks-nodegroup.amazonaws.com", "AWSServiceRoleForAmazonEKSNodegroup"),
    ("eks-fargate.amazonaws.com", "AWSServiceRoleForAmazonEKSForFargate"),
    ("eks-connector.amazonaws.com", "AWSServiceRoleForAmazonEKSConnector"),
    ("autoscaling.amazonaws.com", "AWSServiceRoleForAutoScaling"),
    ("spot.amazonaws.com", "AWSServiceRoleForEC2Spot"),
    ("elasticloadbalancing.amazonaws.com", "AWSServiceRoleForElasticLoadBalancing"),
];

/// The role that IAM makes for a service principal. Unknown services get a name of
/// the same form.
pub fn service_linked_name(principal: &str) -> String {
    match SERVICE_LINKED.iter().find(|(known, _)| *known == principal) {
        Some((_, name)) => (*name).to_owned(),
        None => {
            let service = principal.split('.').next().unwrap_or_default();
            format!(
                "AWSServiceRoleFor{}{}",
                service[..1.min(service.len())].to_uppercase(),
                &service[1.min(service.len())..]
            )
        }
    }
}

/// Makes the service-linked role of `principal` (e.g. `eks-nodegroup.amazonaws.com`)
/// unless it is there, and returns its ARN. What a service makes for itself it sees
/// at once.
pub fn ensure_service_linked(account: &mut Account, principal: &str) -> String {
    let name = service_linked_name(principal);
    if let Some(role) = account.iam.roles.get(&name) {
        return role.arn.clone();
    }
    let trust = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"Service":"{principal}"}},"Action":"sts:AssumeRole"}}]}}"#
    );
    let role = Role::new(account, &name, &format!("/aws-service-role/{principal}/"), trust);
    let arn = role.arn.clone();
    account.iam.roles.insert(name, role);
    arn
}
