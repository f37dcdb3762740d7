//! Rules between the cluster's Kubernetes version and those of what runs in it, and of how
//! nodes are replaced.

use std::collections::BTreeMap;

use super::super::diagnostic::{Code, Diagnostic};
use super::super::types::{Addons, Cluster, NodePool};
use super::Context;

/// How many minor versions kube-proxy may be behind the API server, and it must never be
/// newer. Source: <https://kubernetes.io/releases/version-skew-policy/#kube-proxy>
const PROXY_BEHIND: u32 = 3;

pub fn check(context: &mut Context<'_>) {
    let cluster: Cluster = context.section("/cluster").unwrap_or_default();
    let Some(minor) = minor(&cluster.kubernetes_version) else { return };
    kube_proxy(context, &cluster.kubernetes_version, minor);
    let pools: BTreeMap<String, NodePool> = context.section("/node_pools").unwrap_or_default();
    for (name, pool) in &pools {
        release(context, name, pool, &cluster.kubernetes_version);
        update(context, name, pool);
    }
}

/// `35` of `1.35` and of `v1.35.0-eksbuild.2`.
fn minor(version: &str) -> Option<u32> {
    version.trim_start_matches('v').strip_prefix("1.")?.split('.').next()?.parse().ok()
}

fn kube_proxy(context: &mut Context<'_>, cluster: &str, plane: u32) {
    let addons: Addons = context.section("/addons").unwrap_or_default();
    let Some(version) = addons.kube_proxy.and_then(|addon| addon.version) else { return };
    let Some(proxy) = minor(&version) else { return };
    let what = if proxy > plane {
        "is newer than"
    } else if proxy + PROXY_BEHIND < plane {
        "is more than three minor versions behind"
    } else {
        return;
    };
    let found = Diagnostic::error(
        Code::KubernetesVersion,
        format!("kube-proxy {version} {what} the control plane, Kubernetes {cluster}"),
        format!("write a version of Kubernetes {cluster}, or remove the line: then it follows the cluster"),
    );
    context.at("addons.kube-proxy.version", found);
}

/// Amazon Linux's releases begin with the Kubernetes version; Bottlerocket counts its own.
fn release(context: &mut Context<'_>, name: &str, pool: &NodePool, cluster: &str) {
    let Some(release) = &pool.ami_release else { return };
    let of_kubernetes = release.split_once('-').is_some_and(|(_, day)| day.len() == 8);
    if of_kubernetes && minor(release) != minor(cluster) {
        let found = Diagnostic::error(
            Code::KubernetesVersion,
            format!("the AMI release {release} is not of Kubernetes {cluster}, the cluster's version"),
            format!("write a release of {cluster}, or remove the line: a new version begins with its newest release"),
        );
        context.at(&format!("node_pools.{name}.ami_release"), found);
    }
}

fn update(context: &mut Context<'_>, name: &str, pool: &NodePool) {
    if pool.update.max_unavailable.is_some() && pool.update.max_unavailable_percentage.is_some() {
        let found = Diagnostic::error(
            Code::Conflict,
            "`max_unavailable` and `max_unavailable_percentage` say the same thing twice",
            "keep one of the two",
        );
        context.at_key(&format!("node_pools.{name}.update.max_unavailable_percentage"), found);
    }
}
