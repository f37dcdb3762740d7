//! Roles that AWS's services make for themselves.

use serde_json::{Value, json};

use super::super::params::iso_time;
use super::super::{Account, ApiError};
use super::checks::{encoded, required_name};
use super::model::Role;

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
            let mut letters = principal.split('.').next().unwrap_or_default().chars();
            let first = letters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
            format!("AWSServiceRoleFor{first}{}", letters.as_str())
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

/// `CreateServiceLinkedRole`
pub fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let principal = required_name(params, "AWSServiceName", 128)?;
    if !principal.ends_with(".amazonaws.com") {
        let message = format!("Service role {principal} is not a valid service principal.");
        return Err(ApiError::new(400, "InvalidInput", message));
    }
    let name = service_linked_name(principal);
    if account.iam.roles.contains_key(&name) {
        let message =
            format!("Service role name {name} has been taken in this account, please try a different suffix.");
        return Err(ApiError::new(400, "InvalidInput", message));
    }
    ensure_service_linked(account, principal);
    let role = &account.iam.roles[&name];
    Ok(json!({"Role": {
        "Path": role.path,
        "RoleName": role.name,
        "RoleId": role.id,
        "Arn": role.arn,
        "CreateDate": iso_time(role.created_ms),
        "AssumeRolePolicyDocument": encoded(&role.trust_policy),
    }}))
}
