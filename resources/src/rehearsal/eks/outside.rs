//! What EKS asks of the other services: roles, keys, log groups, failures on
//! demand. EKS's own words for what it does not like are here.

use serde_json::{Value, json};

use super::super::{Account, ApiError, ec2, iam, kms, logs};
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
    if !role.trusts_service(account.now_ms, "eks.amazonaws.com", "sts:AssumeRole") {
        return Err(invalid_parameter("Role could not be assumed because the trusted entity is not correct"));
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
    if !role.trusts_service(account.now_ms, "ec2.amazonaws.com", "sts:AssumeRole") {
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
    let trusted = |action: &str| role.trusts_service(account.now_ms, principal, action);
    if !trusted("sts:AssumeRole") || !trusted("sts:TagSession") {
        return Err(invalid_parameter(format!(
            "Trust relationships of role {arn} must allow {principal} the actions sts:AssumeRole and sts:TagSession"
        )));
    }
    Ok(())
}

fn has_policy(account: &Account, role: &iam::Role, policy: &str) -> bool {
    role.visible_policy_arns(account.now_ms)
        .iter()
        .any(|arn| arn.strip_suffix(policy).is_some_and(|prefix| prefix.ends_with(":aws:policy/")))
}

/// A principal of an access entry. EKS asks IAM about principals of its own
/// account only.
pub(super) fn check_principal(account: &Account, arn: &str) -> Result<(), ApiError> {
    let invalid = || invalid_parameter("The specified principalArn is invalid: invalid principal.");
    let prefix = format!("arn:{}:iam::", ec2::partition(&account.region));
    let (owner, what) = arn.strip_prefix(&prefix).and_then(|rest| rest.split_once(':')).ok_or_else(invalid)?;
    if owner.len() != 12 || !(what.starts_with("role/") || what.starts_with("user/")) {
        return Err(invalid());
    }
    if owner == account.account_id && what.starts_with("role/") {
        iam::usable_role(account, arn).map_err(|_| invalid())?;
    }
    Ok(())
}

/// The caller's role: who creates a cluster can become its administrator.
pub(super) fn caller(account: &Account) -> String {
    account.iam.roles.get(iam::CALLER_ROLE).map(|role| role.arn.clone()).unwrap_or_default()
}

/// The service-linked roles that EKS needs; made if they are not there.
pub(super) fn ensure_service_linked(account: &mut Account, principals: &[&str]) {
    for principal in principals {
        iam::ensure_service_linked(account, principal);
    }
}

/// The key of secrets exists, is enabled and symmetric, as KMS's own DescribeKey
/// tells.
pub(super) fn check_key(account: &Account, arn: &str) -> Result<(), ApiError> {
    // On a copy: a check changes nothing.
    let answer = kms::call(&mut account.clone(), "DescribeKey", &json!({"KeyId": arn})).map_err(|error| {
        invalid_parameter(format!(
            "The keyArn in encryptionConfig provider is invalid: {} (Service: Kms; Status Code: 400; Error Code: {})",
            error.message, error.code
        ))
    })?;
    let key = &answer["KeyMetadata"];
    if key["KeyState"].as_str().is_some_and(|state| state != "Enabled") {
        return Err(invalid_parameter(format!(
            "The keyArn in encryptionConfig provider is invalid: key {arn} is in state {}",
            key["KeyState"].as_str().unwrap_or_default()
        )));
    }
    if key["KeySpec"].as_str().is_some_and(|spec| spec != "SYMMETRIC_DEFAULT") {
        return Err(invalid_parameter(format!(
            "The keyArn in encryptionConfig provider is invalid: key {arn} is not symmetric"
        )));
    }
    Ok(())
}

/// The log group of a control plane. EKS makes it without tags and retention when
/// it writes its first line and nobody made it before.
pub(super) fn ensure_log_group(account: &mut Account, name: &str) {
    // Refused when the group is there, and then there is nothing to do.
    let _: Result<Value, ApiError> = logs::call(account, "CreateLogGroup", &json!({"logGroupName": name}));
}
