//! What EKS asks of the other services: roles, keys, log groups, failures on
//! demand. EKS's own words for what it does not like are here.

use super::super::{Account, ApiError, iam, kms, logs};
use super::model::Issue;
use super::params::invalid_parameter;

const CLUSTER_POLICY: &str = "AmazonEKSClusterPolicy";
const NODE_POLICY: &str = "AmazonEKSWorkerNodePolicy";
const REGISTRY_POLICIES: &[&str] = &[
    "AmazonEC2ContainerRegistryReadOnly",
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonEC2ContainerRegistryPowerUser",
    "AmazonEC2ContainerRegistryFullAccess",
];

/// The failure that was asked for, if any, as a health issue.
pub(super) fn failure(account: &Account, what: &str, phase: &str) -> Option<Issue> {
    account.failure(what, phase).map(|failure| Issue {
        code: failure.code.clone(),
        message: failure.message.clone(),
        resource_ids: vec![what.rsplit('/').next().unwrap_or(what).to_owned()],
    })
}

fn role<'a>(account: &'a Account, arn: &str) -> Result<&'a iam::Role, ApiError> {
    iam::usable_role(account, arn).map_err(|_| {
        // The same words for a role that is not there and for one that IAM does not
        // show everywhere yet: callers have to retry both.
        invalid_parameter(format!("roleArn, {arn}, does not exist"))
    })
}

/// The cluster role exists, is visible, trusts EKS and has the cluster policy.
pub(super) fn check_cluster_role(account: &Account, arn: &str) -> Result<(), ApiError> {
    let role = role(account, arn)?;
    if !trusts(role, "eks.amazonaws.com", "sts:AssumeRole") {
        return Err(invalid_parameter(
            "Role could not be assumed because the trusted entity is not correct",
        ));
    }
    if !has_policy(account, role, CLUSTER_POLICY) {
        return Err(invalid_parameter(format!(
            "The provided role doesn't have the Amazon EKS Managed Policies associated with it. Please ensure the following policy is attached: arn:aws:iam::aws:policy/{CLUSTER_POLICY}"
        )));
    }
    Ok(())
}

/// The node role exists, is visible, trusts EC2, and has the node policy and one
/// for the registry (messages: eksctl#3290, containers-roadmap#1610).
pub(super) fn check_node_role(account: &Account, arn: &str) -> Result<(), ApiError> {
    let role = role(account, arn)?;
    if !trusts(role, "ec2.amazonaws.com", "sts:AssumeRole") {
        return Err(invalid_parameter(format!(
            "Following required service principals [ec2.amazonaws.com] were not found in the trust relationships of nodeRole {arn}"
        )));
    }
    let registry = REGISTRY_POLICIES.iter().any(|policy| has_policy(account, role, policy));
    if !registry || !has_policy(account, role, NODE_POLICY) {
        return Err(invalid_parameter(format!(
            "The provided role doesn't have the Amazon EKS Managed Policies associated with it. Please ensure the following policies [arn:aws:iam::aws:policy/{NODE_POLICY}, arn:aws:iam::aws:policy/{}] are attached",
            REGISTRY_POLICIES[0]
        )));
    }
    Ok(())
}

/// A role that an addon's service account gets by IRSA.
pub(super) fn check_role_exists(account: &Account, arn: &str) -> Result<(), ApiError> {
    role(account, arn).map(|_| ())
}

/// A role for Pod Identity: it exists and trusts `pods.eks.amazonaws.com` to assume
/// it and to tag the session.
pub(super) fn check_pod_identity_role(account: &Account, arn: &str) -> Result<(), ApiError> {
    let role = role(account, arn)?;
    let principal = "pods.eks.amazonaws.com";
    if !trusts(role, principal, "sts:AssumeRole") || !trusts(role, principal, "sts:TagSession") {
        return Err(invalid_parameter(format!(
            "Trust relationships of role {arn} must allow {principal} the actions sts:AssumeRole and sts:TagSession"
        )));
    }
    Ok(())
}
