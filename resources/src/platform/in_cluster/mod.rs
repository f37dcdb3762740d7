//! What stands in the cluster: storage, and Ray with what it needs.

mod charts;
mod monitoring;
mod network_policies;
mod pods;
mod ray;
mod ray_cluster;
mod redis;
mod sweep;
#[cfg(test)]
mod tests;

pub use charts::{Charts, charts};
pub(super) use pods::tolerations;
pub use ray::{RayPlace, TOKEN_KEY};

use std::collections::BTreeMap;

use rayplat_engine::{
    input::Input,
    stack::{Added, StackError},
    urn::Urn,
    value::Expr,
};
use serde_json::{Value, json};

use super::{build::Builder, cluster::ClusterParts, manifest::types::AuthenticationMode, pools::PoolParts};
use crate::{
    aws::eks_addon::Addon,
    kubernetes::{
        ClusterAccess,
        entry::{Entry, EntryArgs},
        object::{Family, Object, ObjectArgs, Plain},
    },
};

/// What objects in the cluster are built with.
pub(super) struct Inside<'b, 'a> {
    builder: &'b mut Builder<'a>,
    access: Input<ClusterAccess>,
    /// Nodes and DNS: what pods need to run.
    for_pods: Vec<Urn>,
    /// Every node group.
    nodes: Vec<Urn>,
    /// What volumes need.
    for_volumes: Vec<Urn>,
}

pub(super) fn build(
    builder: &mut Builder<'_>,
    cluster: &ClusterParts,
    pools: &BTreeMap<String, PoolParts>,
    addons: &BTreeMap<String, Added<Addon>>,
) -> Result<(), StackError> {
    if !builder.manifest.kubernetes.enabled {
        return Ok(());
    }
    let entry = entry(builder, cluster)?;
    let addon = |name: &str| addons.get(name).map(|addon| addon.urn.clone());
    let open = pools.values().filter(|pool| pool.open).map(|pool| pool.primary.urn.clone());
    let for_pods = open.chain(addon("coredns")).collect();
    let groups = pools.values().flat_map(|pool| [Some(&pool.primary), pool.fallback.as_ref()]);
    let nodes = groups.flatten().map(|group| group.urn.clone()).collect();
    let for_volumes = addon("aws-ebs-csi-driver").into_iter().collect();
    let mut inside = Inside { builder, access: entry.out.access().into(), for_pods, nodes, for_volumes };
    storage(&mut inside)?;
    let charts = install(&mut inside)?;
    let ray = ray::build(&mut inside, &charts.kuberay)?;
    monitoring::build(&mut inside, ray.as_ref().map(|ray| &ray.namespace))?;
    let needed = addons.values().map(|addon| &addon.urn).chain(&cluster.caller_entry).chain(&charts.all).cloned();
    sweep::build(&mut inside, ray.as_ref(), needed.collect())
}

/// Everything in the cluster waits for this: the API answers and lets us in.
fn entry(builder: &mut Builder<'_>, cluster: &ClusterParts) -> Result<Added<Entry>, StackError> {
    let out = &cluster.cluster.out;
    let text = |text: &str| Expr::Value(text.into());
    let access = Input::expr(Expr::Object(vec![
        (text("name"), out.name().expr()),
        (text("endpoint"), out.endpoint().expr()),
        (text("certificate_authority"), out.certificate_authority().expr()),
    ]));
    let entry = builder.stack.add::<Entry>("cluster", EntryArgs { cluster: access })?;
    if builder.manifest.cluster.authentication_mode != AuthenticationMode::ConfigMap {
        // Without its entry the caller is nobody there.
        builder.after(&entry, [cluster.caller_entry.clone()].into_iter().flatten())?;
    }
    Ok(entry)
}

impl Inside<'_, '_> {
    /// Adds an object. Its resource is called `NAMESPACE/KIND/NAME`, or `KIND/NAME`.
    pub fn add<F: Family>(&mut self, manifest: Value) -> Result<Added<Object<F>>, StackError> {
        let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let namespace = text("/metadata/namespace");
        let slash = if namespace.is_empty() { "" } else { "/" };
        let name = format!("{namespace}{slash}{}/{}", text("/kind"), text("/metadata/name"));
        let labelled = self.labelled(manifest.clone());
        let args = ObjectArgs { cluster: self.access.clone(), manifest: labelled.into() };
        self.builder.stack.add::<Object<F>>(&name, args)
    }

    /// The labels that tools know: what it is part of, and who manages it.
    /// Source: <https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/>
    fn labelled(&self, mut manifest: Value) -> Value {
        let labels = &mut manifest["metadata"]["labels"];
        if labels.is_null() {
            *labels = json!({});
        }
        labels["app.kubernetes.io/managed-by"] = json!("rayplat");
        labels["app.kubernetes.io/part-of"] = json!(self.builder.name());
        manifest
    }

    /// `urn` has pods: it is made when there are nodes and DNS, and goes before them.
    pub fn has_pods(&mut self, urn: &Urn) -> Result<(), StackError> {
        self.after_create(urn, &self.for_pods.clone())
    }

    /// `urn` has pods in every pool: it goes before any node does.
    pub fn has_nodes(&mut self, urn: &Urn) -> Result<(), StackError> {
        self.after_create(urn, &self.nodes.clone())
    }

    /// `urn` has volumes: their driver stands before it and goes after it.
    pub fn has_volumes(&mut self, urn: &Urn) -> Result<(), StackError> {
        self.after_create(urn, &self.for_volumes.clone())
    }

    /// `urn` is made after each of `others`, and goes before them.
    pub fn after_create(&mut self, urn: &Urn, others: &[Urn]) -> Result<(), StackError> {
        others.iter().try_for_each(|other| self.builder.stack.after_create(urn, other))
    }
}

/// What the charts came to.
#[derive(Default)]
struct Charted {
    /// KubeRay's.
    kuberay: Vec<Urn>,
    /// All, with their namespaces.
    all: Vec<Urn>,
}

/// The platform's charts, each in its namespace.
fn install(inside: &mut Inside<'_, '_>) -> Result<Charted, StackError> {
    let mut charted = Charted::default();
    for spec in charts::charts(inside.builder.manifest, inside.builder.setting) {
        let mut before = Vec::new();
        if spec.namespace != "kube-system" {
            let namespace = inside.add::<Plain>(namespace(&spec.namespace, standard(&spec.namespace)))?;
            before.push(network_policies::nobody_calls(inside, &spec.namespace, &namespace.urn)?);
            before.push(namespace.urn);
        }
        let installed = charts::add(inside, &spec, &before)?;
        charted.all.extend(before.into_iter().chain(installed.urns.iter().cloned()));
        if spec.namespace == ray::OPERATOR {
            charted.kuberay = installed.urns;
        }
    }
    Ok(charted)
}

/// The strictest standard that lets the pods of a chart's namespace in. Velero's node agent mounts the
/// kubelet's folder of pods from the node, which the baseline forbids.
/// Source: <https://kubernetes.io/docs/concepts/security/pod-security-standards/>,
/// <https://velero.io/docs/main/file-system-backup/>
fn standard(namespace: &str) -> &'static str {
    if namespace == "velero" { "privileged" } else { "restricted" }
}

/// A namespace that holds its pods to a Pod Security Standard.
/// Source: <https://kubernetes.io/docs/concepts/security/pod-security-admission/>
fn namespace(name: &str, standard: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": name, "labels": {
            "pod-security.kubernetes.io/enforce": standard,
            "pod-security.kubernetes.io/warn": standard,
            "pod-security.kubernetes.io/audit": standard,
        }},
    })
}

/// EKS has had no default StorageClass since 1.30.
/// Source: <https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions-standard.html>
fn storage(inside: &mut Inside<'_, '_>) -> Result<(), StackError> {
    if !inside.builder.manifest.addons.contains_key("aws-ebs-csi-driver") {
        return Ok(());
    }
    inside.add::<Plain>(json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "gp3", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "ebs.csi.aws.com",
        "parameters": {"type": "gp3", "encrypted": "true"},
        "volumeBindingMode": "WaitForFirstConsumer",
        "reclaimPolicy": "Delete",
        "allowVolumeExpansion": true,
    }))?;
    Ok(())
}
