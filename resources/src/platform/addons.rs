//! EKS add-ons, each at its place: networking and identity before the nodes, what runs
//! on ordinary nodes after them.

use std::collections::BTreeMap;

use rayplat_engine::{
    input::Input,
    stack::{Added, StackError},
    value::Expr,
};
use serde_json::Value;

use super::{
    build::Builder,
    cluster::ClusterParts,
    identity::{WithPolicies, role_trusting},
    manifest::types::Identity,
    pools::PoolParts,
};
use crate::aws::eks_addon::{Addon, AddonArgs, PodIdentity};

/// Networking and identity: these run on every node and must be there when it joins.
pub(super) fn before_nodes(
    builder: &mut Builder<'_>,
    cluster: &ClusterParts,
) -> Result<BTreeMap<String, Added<Addon>>, StackError> {
    let mut early = BTreeMap::new();
    for name in ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"] {
        if let Some(added) = addon(builder, cluster, name)? {
            early.insert(name.to_owned(), added);
        }
    }
    Ok(early)
}

/// What needs nodes that take ordinary pods: it would be DEGRADED without them.
pub(super) fn after_nodes(
    builder: &mut Builder<'_>,
    cluster: &ClusterParts,
    pools: &BTreeMap<String, PoolParts>,
) -> Result<BTreeMap<String, Added<Addon>>, StackError> {
    let mut late = BTreeMap::new();
    let early = ["vpc-cni", "kube-proxy", "eks-pod-identity-agent"];
    let names: Vec<String> = builder.manifest.addons.keys().cloned().collect();
    for name in names.iter().filter(|name| !early.contains(&name.as_str())) {
        if let Some(added) = addon(builder, cluster, name)? {
            let open = pools.values().filter(|pool| pool.open).map(|pool| pool.primary.urn.clone());
            for node_group in open {
                builder.stack.after_create(&added.urn, &node_group)?;
            }
            // In an upgrade it is the other way round: control plane, add-ons, nodes.
            // Source: <https://docs.aws.amazon.com/eks/latest/userguide/update-cluster.html>
            for pool in pools.values() {
                for node_group in [Some(&pool.primary), pool.fallback.as_ref()].into_iter().flatten() {
                    builder.stack.after_update(&node_group.urn, &added.urn)?;
                }
            }
            late.insert(name.clone(), added);
        }
    }
    Ok(late)
}

fn addon(builder: &mut Builder<'_>, cluster: &ClusterParts, name: &str) -> Result<Option<Added<Addon>>, StackError> {
    let Some(spec) = builder.manifest.addons.get(name) else {
        return Ok(None);
    };
    let configuration = (!spec.configuration.is_empty()).then(|| Value::from(spec.configuration.clone()));
    let role = own_role(builder, cluster, name, spec.identity)?;
    let (mut pod_identity, mut irsa) = (None.into(), None.into());
    match (&role, spec.identity) {
        (Some((account, role)), Some(Identity::PodIdentity)) => pod_identity = associate(account, role),
        (Some((_, role)), Some(Identity::Irsa)) => irsa = role.role.out.arn().into(),
        _ => {}
    }
    // Not the cluster's output: any update of the cluster would leave that unknown.
    let follows = spec.version.is_none().then(|| builder.manifest.cluster.kubernetes_version.clone());
    let added = builder.stack.add::<Addon>(
        name,
        AddonArgs {
            cluster: cluster.cluster.out.name().into(),
            name: name.into(),
            version: spec.version.clone().into(),
            kubernetes_version: follows.into(),
            configuration: configuration.into(),
            pod_identity,
            service_account_role_arn: irsa,
            tags: builder.tags().into(),
        },
    )?;
    // The add-on's pods use the role from their first second on.
    let attachments = role.map(|(_, role)| role.attachments).unwrap_or_default();
    builder.after(&added, attachments)?;
    Ok(Some(added))
}

fn associate(account: &str, role: &WithPolicies) -> Input<Option<PodIdentity>> {
    let text = |text: &str| Expr::Value(text.into());
    Input::expr(Expr::Object(vec![
        (text("service_account"), text(account)),
        (text("role_arn"), role.role.out.arn().expr()),
    ]))
}

/// The service account and role of an add-on that calls AWS. A role for Pod Identity waits
/// for nothing; one for IRSA waits for the cluster's issuer.
fn own_role(
    builder: &mut Builder<'_>,
    cluster: &ClusterParts,
    name: &str,
    identity: Option<Identity>,
) -> Result<Option<(&'static str, WithPolicies)>, StackError> {
    let Some(identity) = identity else { return Ok(None) };
    let (account, policy) = match name {
        "vpc-cni" => ("aws-node", "AmazonEKS_CNI_Policy"),
        "aws-ebs-csi-driver" => ("ebs-csi-controller-sa", "service-role/AmazonEBSCSIDriverPolicy"),
        _ => return Ok(None),
    };
    let trust = cluster.trust(identity, "kube-system", account);
    let suffix = if identity == Identity::Irsa { "-irsa" } else { "" };
    let role = role_trusting(builder, name, suffix, &format!("The role of {name}"), trust, &[policy])?;
    Ok(Some((account, role)))
}
