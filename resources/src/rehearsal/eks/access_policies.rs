//! Access policies: what an access entry may do.

use serde_json::{Value, json};

use super::super::{Account, ApiError, ec2};
use super::access_entries::{check_mode, named, named_mut};
use super::model::AccessPolicy;
use super::params::{self, choice, invalid_parameter, invalid_request, not_found, page, required, seconds, texts};

/// The policies of the EKS user guide, "Review access policy permissions".
const POLICIES: &[&str] = &[
    "AmazonEKSAdminPolicy",
    "AmazonEKSAdminViewPolicy",
    "AmazonEKSAutoNodePolicy",
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSClusterAdminPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSEditPolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
    "AmazonEKSViewPolicy",
];

/// The ARN of an access policy.
pub(super) fn arn_of(account: &Account, name: &str) -> String {
    format!("arn:{}:eks::aws:cluster-access-policy/{name}", ec2::partition(&account.region))
}

/// `ListAccessPolicies`.
pub(super) fn list(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let items =
        POLICIES.iter().map(|name| ((*name).to_owned(), json!({"name": name, "arn": arn_of(account, name)}))).collect();
    page(params, "accessPolicies", items).map(Value::Object)
}

/// `AssociateAccessPolicy`. Again with another scope changes the scope.
pub(super) fn associate(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    check_mode(cluster)?;
    let cluster_name = cluster.name.clone();
    let entry = named(cluster, params)?;
    let principal = entry.principal_arn.clone();
    let policy = required(params, "policyArn")?.to_owned();
    if !POLICIES.iter().any(|name| arn_of(account, name) == policy) {
        return Err(invalid_parameter(format!(
            "The specified policyArn {policy} is invalid. You can view the available access policies with 'list-access-policies'."
        ))
        .with("clusterName", cluster_name));
    }
    if entry.kind != "STANDARD" {
        return Err(invalid_request(format!(
            "Access policies cannot be associated with access entries of type {}",
            entry.kind
        ))
        .with("clusterName", cluster_name));
    }
    let scope = scope(params)?;
    let now_ms = account.now_ms;
    let entry = named_mut(account, &cluster_name, &principal)?;
    let associated = entry
        .policies
        .entry(policy.clone())
        .and_modify(|known| known.modified_ms = now_ms)
        .or_insert(AccessPolicy { scope: Value::Null, associated_ms: now_ms, modified_ms: now_ms });
    associated.scope = scope;
    let associated = answer(&policy, associated);
    Ok(json!({
        "clusterName": cluster_name,
        "principalArn": principal,
        "associatedAccessPolicy": associated,
    }))
}

fn scope(params: &Value) -> Result<Value, ApiError> {
    let scope = params.get("accessScope").ok_or_else(|| invalid_parameter("accessScope can't be null"))?;
    let namespaces = texts(scope, "namespaces");
    match choice(scope, "type", &["cluster", "namespace"])? {
        Some("cluster") if namespaces.is_empty() => Ok(json!({"type": "cluster", "namespaces": []})),
        Some("cluster") => {
            Err(invalid_parameter("The namespaces field cannot be specified for an access scope of type cluster"))
        }
        Some(_) if namespaces.is_empty() => {
            Err(invalid_parameter("The namespaces field must be specified for an access scope of type namespace"))
        }
        Some(_) => Ok(json!({"type": "namespace", "namespaces": namespaces})),
        None => Err(invalid_parameter("The access scope's type can't be null")),
    }
}

fn answer(policy: &str, associated: &AccessPolicy) -> Value {
    json!({
        "policyArn": policy,
        "accessScope": associated.scope,
        "associatedAt": seconds(associated.associated_ms),
        "modifiedAt": seconds(associated.modified_ms),
    })
}

/// `DisassociateAccessPolicy`.
pub(super) fn disassociate(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    check_mode(cluster)?;
    let cluster_name = cluster.name.clone();
    let entry = named(cluster, params)?;
    let principal = entry.principal_arn.clone();
    let policy = required(params, "policyArn")?;
    if !entry.policies.contains_key(policy) {
        return Err(not_found(format!(
            "The specified policyArn could not be found: {policy} is not associated with {principal}."
        ))
        .with("clusterName", cluster_name));
    }
    named_mut(account, &cluster_name, &principal)?.policies.shift_remove(policy);
    Ok(json!({}))
}

/// `ListAssociatedAccessPolicies`.
pub(super) fn list_associated(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    check_mode(cluster)?;
    let entry = named(cluster, params)?;
    let items = entry.policies.iter().map(|(arn, associated)| (arn.clone(), answer(arn, associated))).collect();
    let mut page = page(params, "associatedAccessPolicies", items)?;
    page.insert("clusterName".to_owned(), json!(cluster.name));
    page.insert("principalArn".to_owned(), json!(entry.principal_arn));
    Ok(Value::Object(page))
}
