//! Somebody else's changes: putting them right needs permissions too.

use serde_json::{Value, json};

use super::{Account, LifecycleFailure, eks::AccessPolicy};

/// Changes whatever a platform of this name has and would change back: descriptions,
/// policies, rotation, groups, audiences. And its nodes leave interfaces behind from now on.
pub(super) fn tamper(account: &mut Account, name: &str) {
    account.failures.push(LifecycleFailure {
        what: format!("nodegroup/{name}/*"),
        phase: "detach".to_owned(),
        code: String::new(),
        message: String::new(),
    });
    let anyone = json!({"Sid": "Rehearsed", "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole"});
    for role in account.iam.roles.values_mut().filter(|role| role.name.starts_with(name)) {
        role.description.push_str(", changed");
        extend(&mut role.trust_policy, &anyone);
    }
    for provider in account.iam.oidc_providers.values_mut() {
        provider.client_ids = vec!["rehearsed".to_owned()];
    }
    let root = format!("arn:{}:iam::{}:root", account.partition(), account.account_id);
    let reads = json!({"Sid": "Rehearsed", "Effect": "Allow", "Principal": {"AWS": root}, "Action": "kms:ListGrants",
        "Resource": "*"});
    for key in account.kms.keys.values_mut() {
        key.description.push_str(", changed");
        key.rotation = !key.rotation;
        extend(&mut key.policy, &reads);
    }
    let view = format!("arn:{}:eks::aws:cluster-access-policy/AmazonEKSViewPolicy", account.partition());
    let now = account.now_ms;
    for cluster in account.eks.clusters.values_mut() {
        for entry in cluster.access_entries.values_mut().filter(|entry| !entry.for_nodes) {
            entry.groups = vec!["rehearsed".to_owned()];
            let scope = json!({"type": "cluster", "namespaces": []});
            entry.policies.clear();
            entry.policies.insert(view.clone(), AccessPolicy { scope, associated_ms: now, modified_ms: now });
        }
    }
}

/// Adds a statement to a policy document.
fn extend(document: &mut String, statement: &Value) {
    let Ok(mut policy) = serde_json::from_str::<Value>(document) else { return };
    let Some(statements) = policy["Statement"].as_array_mut() else { return };
    statements.push(statement.clone());
    *document = policy.to_string();
}
