//! Access entries: which IAM principals may use a cluster.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::super::ec2::Tags;
use super::super::{Account, ApiError, ec2};
use super::access_policies;
use super::model::{AccessEntry, AccessPolicy, Cluster};
use super::outside;
use super::params::{
    self, arn, choice, in_use, invalid_parameter, invalid_request, not_found, page_of_names, required, seconds, text,
    texts, uuid,
};

/// The types that CreateAccessEntry takes.
const TYPES: &[&str] =
    &["STANDARD", "FARGATE_LINUX", "EC2_LINUX", "EC2_WINDOWS", "EC2", "HYBRID_LINUX", "HYPERPOD_LINUX"];

/// The user name of nodes; EKS fills in the node's name.
const NODE_USER: &str = "system:node:{{EC2PrivateDNSName}}";

/// Access entries exist only where the API is asked for access.
pub(super) fn check_mode(cluster: &Cluster) -> Result<(), ApiError> {
    if cluster.authentication_mode == "CONFIG_MAP" {
        return Err(invalid_request(
            "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.",
        )
        .with("clusterName", cluster.name.as_str()));
    }
    Ok(())
}

/// `CreateAccessEntry`.
pub(super) fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    let cluster_name = cluster.name.clone();
    check_mode(cluster)?;
    if let Some(answer) = cluster.tokens.replay("CreateAccessEntry", params)? {
        return Ok(answer);
    }
    let principal = required(params, "principalArn")?.to_owned();
    let kind = choice(params, "type", TYPES)?.unwrap_or("STANDARD").to_owned();
    let groups = texts(params, "kubernetesGroups");
    let username = text(params, "username").map(str::to_owned);
    check_names(&kind, &groups, username.as_deref())?;
    outside::check_principal(account, &principal)?;
    if cluster.access_entries.contains_key(&principal) {
        return Err(in_use("The specified access entry resource is already in use on this cluster.")
            .with("clusterName", cluster_name));
    }
    let tags = params::tags(params)?;
    let mut entry = new_entry(account, &cluster_name, &principal, &kind);
    entry.tags = tags;
    if kind == "STANDARD" {
        entry.groups = groups;
        entry.username = username.unwrap_or(entry.username);
    }
    let answer = json!({"accessEntry": answer(&cluster_name, &entry)});
    let cluster = params::cluster_mut(account, &cluster_name)?;
    cluster.access_entries.insert(principal.clone(), entry);
    cluster.tokens.remember("CreateAccessEntry", params, &resource(&principal), &answer);
    Ok(answer)
}

fn resource(principal: &str) -> String {
    format!("access-entry/{principal}")
}

/// Only STANDARD entries have a user name and groups of one's own, and neither
/// may pretend to be a part of Kubernetes.
fn check_names(kind: &str, groups: &[String], username: Option<&str>) -> Result<(), ApiError> {
    if kind != "STANDARD" && (!groups.is_empty() || username.is_some()) {
        return Err(invalid_parameter(format!(
            "The kubernetesGroups and username fields cannot be specified for access entries of type {kind}"
        )));
    }
    let reserved =
        |name: &str| ["system:", "eks:", "aws:", "amazon:", "iam:"].iter().any(|prefix| name.starts_with(prefix));
    if let Some(group) = groups.iter().find(|group| reserved(group)) {
        return Err(invalid_parameter(format!(
            "The kubernetes group name {group} is invalid, it cannot start with {}:",
            group.split(':').next().unwrap_or_default()
        )));
    }
    if let Some(name) = username.filter(|name| reserved(name)) {
        return Err(invalid_parameter(format!(
            "The username {name} is invalid, it cannot start with {}:",
            name.split(':').next().unwrap_or_default()
        )));
    }
    Ok(())
}

fn new_entry(account: &mut Account, cluster_name: &str, principal: &str, kind: &str) -> AccessEntry {
    // arn:aws:iam::111122223333:role/path/name -> role, name
    let (owner, rest) =
        principal.split_once(":iam::").and_then(|(_, rest)| rest.split_once(':')).unwrap_or(("", principal));
    let what = rest.split('/').next().unwrap_or_default().to_owned();
    let name = rest.rsplit('/').next().unwrap_or_default().to_owned();
    let owner = owner.to_owned();
    let id = uuid(account);
    let username = match kind {
        "STANDARD" if what == "role" => {
            format!("arn:{}:sts::{owner}:assumed-role/{name}/{{{{SessionName}}}}", ec2::partition(&account.region))
        }
        "STANDARD" => principal.to_owned(),
        _ => NODE_USER.to_owned(),
    };
    AccessEntry {
        principal_arn: principal.to_owned(),
        arn: arn(account, &format!("access-entry/{cluster_name}/{what}/{owner}/{name}/{id}")),
        groups: match kind {
            "STANDARD" => Vec::new(),
            "EC2_WINDOWS" => vec!["eks:kube-proxy-windows".to_owned(), "system:nodes".to_owned()],
            _ => vec!["system:nodes".to_owned()],
        },
        kind: kind.to_owned(),
        username,
        created_ms: account.now_ms,
        modified_ms: account.now_ms,
        for_nodes: false,
        policies: IndexMap::new(),
        tags: Tags::new(),
    }
}

/// The creator becomes a cluster administrator, unless the request says no.
pub(super) fn add_creator(account: &mut Account, cluster: &mut Cluster) {
    let principal = outside::caller(account);
    let mut entry = new_entry(account, &cluster.name, &principal, "STANDARD");
    entry.policies.insert(
        access_policies::arn_of(account, "AmazonEKSClusterAdminPolicy"),
        AccessPolicy {
            scope: json!({"type": "cluster", "namespaces": []}),
            associated_ms: account.now_ms,
            modified_ms: account.now_ms,
        },
    );
    cluster.access_entries.insert(principal, entry);
}

/// The entry that EKS makes for the role of a managed node group's nodes.
pub(super) fn add_for_nodes(account: &mut Account, cluster_name: &str, role: &str) -> Result<(), ApiError> {
    let cluster = params::cluster_mut(account, cluster_name)?;
    if cluster.authentication_mode == "CONFIG_MAP" || cluster.access_entries.contains_key(role) {
        return Ok(());
    }
    let mut entry = new_entry(account, cluster_name, role, "EC2_LINUX");
    entry.for_nodes = true;
    params::cluster_mut(account, cluster_name)?.access_entries.insert(role.to_owned(), entry);
    Ok(())
}

/// `accessEntry` of an answer.
pub(super) fn answer(cluster_name: &str, entry: &AccessEntry) -> Value {
    json!({
        "clusterName": cluster_name,
        "principalArn": entry.principal_arn,
        "kubernetesGroups": entry.groups,
        "accessEntryArn": entry.arn,
        "createdAt": seconds(entry.created_ms),
        "modifiedAt": seconds(entry.modified_ms),
        "tags": entry.tags,
        "username": entry.username,
        "type": entry.kind,
    })
}

/// The entry of a principal.
pub(super) fn named<'a>(cluster: &'a Cluster, params: &Value) -> Result<&'a AccessEntry, ApiError> {
    let principal = required(params, "principalArn")?;
    cluster.access_entries.get(principal).ok_or_else(|| no_entry(&cluster.name))
}

/// The entry of a principal, to change.
pub(super) fn named_mut<'a>(
    account: &'a mut Account,
    cluster_name: &str,
    principal: &str,
) -> Result<&'a mut AccessEntry, ApiError> {
    params::cluster_mut(account, cluster_name)?.access_entries.get_mut(principal).ok_or_else(|| no_entry(cluster_name))
}

fn no_entry(cluster_name: &str) -> ApiError {
    not_found(
        "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.",
    )
    .with("clusterName", cluster_name)
}

/// `DescribeAccessEntry`.
pub(super) fn describe(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    check_mode(cluster)?;
    Ok(json!({"accessEntry": answer(&cluster.name, named(cluster, params)?)}))
}

/// `ListAccessEntries`.
pub(super) fn list(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    check_mode(cluster)?;
    let policy = text(params, "associatedPolicyArn");
    let entries = cluster
        .access_entries
        .values()
        .filter(|entry| policy.is_none_or(|policy| entry.policies.contains_key(policy)))
        .map(|entry| &entry.principal_arn);
    page_of_names(params, "accessEntries", entries)
}

/// `UpdateAccessEntry`: groups and user name of a STANDARD entry.
pub(super) fn update(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    check_mode(cluster)?;
    let cluster_name = cluster.name.clone();
    if let Some(answer) = cluster.tokens.replay("UpdateAccessEntry", params)? {
        return Ok(answer);
    }
    let entry = named(cluster, params)?;
    let principal = entry.principal_arn.clone();
    let groups = params.get("kubernetesGroups").filter(|it| it.is_array()).map(|_| texts(params, "kubernetesGroups"));
    let username = text(params, "username").map(str::to_owned);
    check_names(&entry.kind, groups.as_deref().unwrap_or_default(), username.as_deref())?;
    let now_ms = account.now_ms;
    let entry = named_mut(account, &cluster_name, &principal)?;
    entry.modified_ms = now_ms;
    if let Some(groups) = groups {
        entry.groups = groups;
    }
    if let Some(username) = username {
        entry.username = username;
    }
    let answer = json!({"accessEntry": answer(&cluster_name, entry)});
    params::cluster_mut(account, &cluster_name)?.tokens.remember(
        "UpdateAccessEntry",
        params,
        &resource(&principal),
        &answer,
    );
    Ok(answer)
}

/// `DeleteAccessEntry`, with its associated policies.
pub(super) fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    check_mode(cluster)?;
    let cluster_name = cluster.name.clone();
    let principal = named(cluster, params)?.principal_arn.clone();
    let cluster = params::cluster_mut(account, &cluster_name)?;
    cluster.access_entries.shift_remove(&principal);
    cluster.tokens.forget(&resource(&principal));
    Ok(json!({}))
}
