//! EKS add-ons, each at its place: networking and identity before the nodes, what runs
//! on ordinary nodes after them.

use std::collections::BTreeMap;

use rayplat_engine::{
    input::Input,
    stack::{Added, StackError},
    urn::Urn,
};
use serde_json::{Value, json};

use super::{
    build::Builder,
    cluster::ClusterParts,
    identity::{WithPolicies, role},
    policies,
    pools::PoolParts,
};
use crate::aws::eks_addon::{Addon, AddonArgs, PodIdentity};

/// Networking and identity: these run on every node and must be there when it joins.
pub(super) fn before_nodes(builder: &mut Builder<'_>, cluster: &ClusterParts) -> Result<Vec<Urn>, StackError> {
    let mut urns = Vec::new();
    for name in ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"] {
        if let Some(added) = addon(builder, cluster, name)? {
            urns.push(added.urn);
        }
    }
    Ok(urns)
}

/// What needs nodes that take ordinary pods: it would be DEGRADED without them.
pub(super) fn after_nodes(
    builder: &mut Builder<'_>,
    cluster: &ClusterParts,
    pools: &BTreeMap<String, PoolParts>,
) -> Result<(), StackError> {
    let early = ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"];
    let names: Vec<String> = builder.manifest.addons.keys().cloned().collect();
    for name in names.iter().filter(|name| !early.contains(&name.as_str())) {
        if let Some(added) = addon(builder, cluster, name)? {
            let open = pools.values().filter(|pool| pool.open).map(|pool| pool.primary.urn.clone());
            builder.after(&added, open)?;
        }
    }
    Ok(())
}

fn addon(builder: &mut Builder<'_>, cluster: &ClusterParts, name: &str) -> Result<Option<Added<Addon>>, StackError> {
    let Some(spec) = builder.manifest.addons.get(name).filter(|addon| addon.enabled) else {
        return Ok(None);
    };
    let configuration = merged(defaults(name), spec.configuration.clone());
    let role = own_role(builder, name)?;
    let pod_identity: Input<Option<PodIdentity>> = match &role {
        Some((account, role)) => PodIdentity::input(account, &role.role.out),
        None => None.into(),
    };
    let added = builder.stack.add::<Addon>(
        name,
        AddonArgs {
            cluster: cluster.cluster.out.name().into(),
            name: name.into(),
            version: spec.version.clone().into(),
            configuration: configuration.into(),
            pod_identity,
            tags: builder.tags().into(),
            ..AddonArgs::default()
        },
    )?;
    // The add-on's pods use the role from their first second on.
    let attachments = role.map(|(_, role)| role.attachments).unwrap_or_default();
    builder.after(&added, attachments)?;
    Ok(Some(added))
}

/// The service account and role of add-ons that call AWS. By Pod Identity: such a role
/// does not wait for the cluster's issuer.
fn own_role(
    builder: &mut Builder<'_>,
    name: &str,
) -> Result<Option<(&'static str, WithPolicies)>, StackError> {
    let (account, policy) = match name {
        "vpc-cni" => ("aws-node", "AmazonEKS_CNI_Policy"),
        "aws-ebs-csi-driver" => ("ebs-csi-controller-sa", "service-role/AmazonEBSCSIDriverPolicy"),
        _ => return Ok(None),
    };
    let trust = policies::trust_pod_identity();
    let role = role(builder, name, &format!("The role of {name}"), &trust, &[policy])?;
    Ok(Some((account, role)))
}

/// The configuration that the platform's failure modes ask for.
fn defaults(name: &str) -> Value {
    match name {
        // Prefixes of 16 addresses: 110 pods on a g4dn.xlarge in place of 29.
        "vpc-cni" => json!({"env": {"ENABLE_PREFIX_DELEGATION": "true", "WARM_PREFIX_TARGET": "1"}}),
        // Four replicas are the floor; AWS's own formula sets the number above it.
        "coredns" => json!({"autoScaling": {"enabled": true, "minReplicas": 4, "maxReplicas": 20}}),
        _ => Value::Null,
    }
}

/// The manifest's configuration over ours, member by member.
fn merged(ours: Value, theirs: Option<Value>) -> Option<Value> {
    let Some(theirs) = theirs else { return (!ours.is_null()).then_some(ours) };
    match (ours, theirs) {
        (Value::Object(mut ours), Value::Object(theirs)) => {
            for (key, value) in theirs {
                let below = ours.get(&key).cloned().unwrap_or(Value::Null);
                ours.insert(key, merged(below, Some(value)).unwrap_or(Value::Null));
            }
            Some(Value::Object(ours))
        }
        (_, theirs) => Some(theirs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_wins_member_by_member() {
        let theirs = json!({"env": {"WARM_PREFIX_TARGET": "2"}, "enableNetworkPolicy": "true"});
        assert_eq!(
            merged(defaults("vpc-cni"), Some(theirs)),
            Some(json!({
                "env": {"ENABLE_PREFIX_DELEGATION": "true", "WARM_PREFIX_TARGET": "2"},
                "enableNetworkPolicy": "true",
            }))
        );
        assert_eq!(merged(Value::Null, None), None);
    }
}
