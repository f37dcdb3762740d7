//! Brings life cycles up to the account's time: what is due happens, in the order
//! in which it falls due, each at its own time.

use serde::{Deserialize, Serialize};

use super::super::{Account, ec2};
use super::durations::{self, Range};
use super::model::{AddonChange, ClusterChange, Issue, NodegroupChange, Status};
use super::nodegroups::{owner, start_nodes, stop_nodes};
use super::{addon_catalog, clusters, outside, params, pod_identity, user_data};

/// A log group that EKS will write once more after its cluster is gone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LateLogGroup {
    due_ms: u64,
    cluster: String,
}

/// Something that falls due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    FirstLog(String),
    Cluster(String),
    Addon(String, String),
    Nodegroup(String, String),
    LateLog(usize),
}

/// Brings life cycles up to the account's time.
pub fn settle(account: &mut Account) {
    let now_ms = account.now_ms;
    while let Some((due_ms, due)) = earliest(account).filter(|(due_ms, _)| *due_ms <= now_ms) {
        account.now_ms = due_ms;
        match due {
            Due::FirstLog(name) => first_log(account, &name),
            Due::Cluster(name) => cluster(account, &name),
            Due::Addon(cluster, name) => addon(account, &cluster, &name),
            Due::Nodegroup(cluster, name) => nodegroup(account, &cluster, &name),
            Due::LateLog(index) => {
                let late = account.eks.late_log_groups.remove(index);
                write_log(account, &late.cluster);
            }
        }
    }
    account.now_ms = now_ms;
}

fn earliest(account: &Account) -> Option<(u64, Due)> {
    let eks = &account.eks;
    let mut all: Vec<(u64, Due)> = Vec::new();
    for cluster in eks.clusters.values() {
        let name = || cluster.name.clone();
        all.extend(
            cluster
                .log_group_due_ms
                .map(|due| (due, Due::FirstLog(name()))),
        );
        all.extend(cluster.due_ms.map(|due| (due, Due::Cluster(name()))));
        for addon in cluster.addons.values() {
            all.extend(
                addon
                    .due_ms
                    .map(|due| (due, Due::Addon(name(), addon.name.clone()))),
            );
        }
        for group in cluster.nodegroups.values() {
            all.extend(
                group
                    .due_ms
                    .map(|due| (due, Due::Nodegroup(name(), group.name.clone()))),
            );
        }
    }
    for (index, late) in eks.late_log_groups.iter().enumerate() {
        all.push((late.due_ms, Due::LateLog(index)));
    }
    all.into_iter().min()
}

fn wait(account: &mut Account, (low, high): Range) -> u64 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let ms = ((low + (high - low) * account.draw()) * 1000.0) as u64;
    account.now_ms + ms
}

/// The group that the control plane logs to; made by EKS only if it is not there.
fn write_log(account: &mut Account, cluster: &str) {
    outside::ensure_log_group(account, &format!("/aws/eks/{cluster}/cluster"));
}

fn first_log(account: &mut Account, name: &str) {
    if let Some(cluster) = account.eks.clusters.get_mut(name) {
        cluster.log_group_due_ms = None;
        if !cluster.logging.is_empty() {
            write_log(account, name);
        }
    }
}

fn cluster(account: &mut Account, name: &str) {
    let Some(cluster) = account.eks.clusters.get_mut(name) else {
        return;
    };
    cluster.due_ms = None;
    match cluster.status {
        Status::Creating => {
            let failure = outside::failure(account, &format!("cluster/{name}"), "create");
            let Ok(cluster) = params::cluster_mut(account, name) else {
                return;
            };
            match failure {
                Some(issue) => {
                    cluster.status = Status::Failed;
                    cluster.issues = vec![issue];
                }
                None => {
                    cluster.status = Status::Active;
                    cluster.stands = true;
                }
            }
        }
        Status::Updating => end_cluster_update(account, name),
        Status::Deleting => end_cluster_deletion(account, name),
        _ => {}
    }
}

fn end_cluster_update(account: &mut Account, name: &str) {
    let failure = outside::failure(account, &format!("cluster/{name}"), "update");
    let busy_until_ms = wait(account, durations::CLUSTER_BUSY_AFTER_UPDATE);
    // Half of the time the next update is taken at once.
    let busy = account.draw() < 0.5;
    let Ok(cluster) = params::cluster_mut(account, name) else {
        return;
    };
    cluster.status = Status::Active;
    cluster.busy_until_ms = if busy { busy_until_ms } else { 0 };
    let Some(running) = cluster.running.take() else {
        return;
    };
    if let Some(update) = cluster.updates.get_mut(&running.update_id) {
        update.end(failure.clone());
    }
    if failure.is_none() {
        apply_to_cluster(account, name, running.change);
    }
}

fn apply_to_cluster(account: &mut Account, name: &str, change: ClusterChange) {
    let Ok(cluster) = params::cluster_mut(account, name) else {
        return;
    };
    let network = &mut cluster.network;
    match change {
        ClusterChange::EndpointAccess {
            public,
            private,
            public_cidrs,
        } => {
            network.endpoint_public = public;
            network.endpoint_private = private;
            network.public_cidrs = public_cidrs;
        }
        ClusterChange::Vpc {
            subnet_ids,
            security_group_ids,
        } => {
            network.subnet_ids = subnet_ids;
            network.security_group_ids = security_group_ids;
            let owner = format!("cluster/{name}");
            ec2::remove_interfaces(account, |interface| {
                interface.owner.as_ref() == Some(&owner)
            });
            // It fails only for a missing subnet, and this account never loses one.
            let _ = clusters::attach_interfaces(account, name);
        }
        ClusterChange::Logging(types) => {
            let starts = cluster.logging.is_empty() && !types.is_empty();
            cluster.logging = types;
            if starts {
                write_log(account, name);
            }
        }
        ClusterChange::AuthenticationMode(mode) => cluster.authentication_mode = mode,
        ClusterChange::DeletionProtection(on) => cluster.deletion_protection = on,
        ClusterChange::SupportType(kind) => cluster.support_type = kind,
        ClusterChange::ZonalShift(on) => cluster.zonal_shift = on,
        ClusterChange::Version(version) => cluster.version = version,
        ClusterChange::Encryption(encryption) => cluster.encryption = Some(encryption),
    }
}

fn end_cluster_deletion(account: &mut Account, name: &str) {
    if let Some(issue) = outside::failure(account, &format!("cluster/{name}"), "delete") {
        if let Ok(cluster) = params::cluster_mut(account, name) {
            cluster.status = Status::Failed;
            cluster.issues = vec![issue];
        }
        return;
    }
    let Some(cluster) = account.eks.clusters.shift_remove(name) else {
        return;
    };
    account.eks.tokens.forget(&format!("cluster/{name}"));
    let owner = format!("cluster/{name}");
    ec2::remove_interfaces(account, |interface| {
        interface.owner.as_ref() == Some(&owner)
    });
    ec2::remove_group(account, &cluster.network.cluster_security_group_id);
    if !cluster.logging.is_empty() && account.draw() < durations::LATE_LOG_PROBABILITY {
        let due_ms = wait(account, durations::LATE_LOG);
        account.eks.late_log_groups.push(LateLogGroup {
            due_ms,
            cluster: name.to_owned(),
        });
    }
}

fn nodegroup(account: &mut Account, cluster_name: &str, name: &str) {
    let now_ms = account.now_ms;
    let Ok(group) = params::nodegroup_mut(account, cluster_name, name) else {
        return;
    };
    group.due_ms = None;
    group.modified_ms = now_ms;
    match group.status {
        Status::Creating => end_nodegroup_creation(account, cluster_name, name),
        Status::Updating => end_nodegroup_update(account, cluster_name, name),
        Status::Deleting => end_nodegroup_deletion(account, cluster_name, name),
        _ => {}
    }
    settle_replicas(account, cluster_name);
}

fn end_nodegroup_creation(account: &mut Account, cluster_name: &str, name: &str) {
    let now_ms = account.now_ms;
    let failure = outside::failure(account, &owner(cluster_name, name), "create");
    let Ok(cluster) = params::cluster_mut(account, cluster_name) else {
        return;
    };
    let has_cni = cluster.has_cni();
    let Some(group) = cluster.nodegroups.get_mut(name) else {
        return;
    };
    let has_nodes = group.scaling.desired > 0;
    let mut issue = failure.or_else(|| {
        group
            .doomed
            .clone()
            .filter(|issue| has_nodes || is_configuration(issue))
    });
    if issue.is_none() && has_nodes && !has_cni {
        // Nodes wait for a CNI until EKS gives up.
        let waited = now_ms.saturating_sub(group.created_ms);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let patience = (durations::NODEGROUP_GIVE_UP.0 * 1000.0) as u64;
        if waited < patience {
            group.due_ms = Some(now_ms + 15_000);
            return;
        }
        issue = Some(user_data::not_joined());
    }
    match issue {
        None => group.status = Status::Active,
        Some(issue) => {
            group.status = Status::CreateFailed;
            group.issues = vec![issue];
        }
    }
}

/// A template that EKS cannot use fails even when no node is to start.
fn is_configuration(issue: &Issue) -> bool {
    issue.code == "Ec2LaunchTemplateInvalidConfiguration"
}

fn end_nodegroup_update(account: &mut Account, cluster_name: &str, name: &str) {
    let failure = outside::failure(account, &owner(cluster_name, name), "update");
    let Ok(group) = params::nodegroup_mut(account, cluster_name, name) else {
        return;
    };
    group.status = Status::Active;
    let Some(running) = group.running.take() else {
        return;
    };
    let has_nodes = group.scaling.desired > 0;
    let doomed = match &running.change {
        NodegroupChange::Version { doomed, .. } => doomed.clone(),
        NodegroupChange::Config { .. } => None,
    };
    let failure = failure.or(doomed.filter(|issue| has_nodes || is_configuration(issue)));
    if let Some(update) = group.updates.get_mut(&running.update_id) {
        update.end(failure.clone());
    }
    if failure.is_some() {
        return;
    }
    match running.change {
        NodegroupChange::Config {
            scaling,
            labels,
            taints,
            update_config,
            node_repair,
        } => {
            let before = group.scaling.desired;
            group.scaling = scaling;
            group.labels = labels;
            group.taints = taints;
            group.update_config = update_config;
            group.node_repair = node_repair;
            if scaling.desired > before {
                // It fails only for a missing subnet, and this account never loses one.
                let _ = start_nodes(account, cluster_name, name, scaling.desired - before);
            } else {
                stop_nodes(account, cluster_name, name, scaling.desired);
            }
        }
        NodegroupChange::Version {
            version,
            release_version,
            launch_template,
            effective_types,
            security_group_ids,
            doomed: _,
        } => {
            group.version = version;
            group.release_version = release_version;
            group.launch_template = launch_template;
            group.effective_types = effective_types;
            group.security_group_ids = security_group_ids;
            let nodes = group.scaling.desired;
            stop_nodes(account, cluster_name, name, 0);
            let _ = start_nodes(account, cluster_name, name, nodes);
        }
    }
}

fn end_nodegroup_deletion(account: &mut Account, cluster_name: &str, name: &str) {
    if let Some(issue) = outside::failure(account, &owner(cluster_name, name), "delete") {
        if let Ok(group) = params::nodegroup_mut(account, cluster_name, name) {
            group.status = Status::DeleteFailed;
            group.issues = vec![issue];
        }
        return;
    }
    leak_interface(account, cluster_name, name);
    stop_nodes(account, cluster_name, name, 0);
    let Ok(cluster) = params::cluster_mut(account, cluster_name) else {
        return;
    };
    let gone = cluster.nodegroups.shift_remove(name);
    cluster.tokens.forget(&format!("nodegroup/{name}"));
    // The entry that EKS made goes with the last group of the role.
    if let Some(role) = gone.map(|group| group.node_role) {
        let used = cluster
            .nodegroups
            .values()
            .any(|group| group.node_role == role);
        if !used {
            cluster
                .access_entries
                .retain(|_, entry| !(entry.for_nodes && entry.principal_arn == role));
        }
    }
}

/// Asked for as the failure `leak` of a node group: the VPC CNI leaves a detached
/// interface behind, which holds the security group (amazon-vpc-cni-k8s#1223).
fn leak_interface(account: &mut Account, cluster_name: &str, name: &str) {
    let what = owner(cluster_name, name);
    if outside::failure(account, &what, "leak").is_none() {
        return;
    }
    let interface = account
        .ec2
        .network_interfaces
        .values_mut()
        .find(|interface| interface.owner.as_ref() == Some(&what));
    if let Some(interface) = interface {
        let instance = interface.instance_id.take().unwrap_or_default();
        interface.owner = None;
        interface.description = format!("aws-K8S-{instance}");
    }
}

fn addon(account: &mut Account, cluster_name: &str, name: &str) {
    let now_ms = account.now_ms;
    let what = format!("addon/{cluster_name}/{name}");
    let Ok(addon) = params::addon_mut(account, cluster_name, name) else {
        return;
    };
    addon.due_ms = None;
    addon.modified_ms = now_ms;
    match addon.status {
        Status::Creating => {
            let issue = outside::failure(account, &what, "create");
            let Ok(addon) = params::addon_mut(account, cluster_name, name) else {
                return;
            };
            match issue.or_else(|| addon.doomed.clone()) {
                None => set_running(account, cluster_name, name),
                Some(issue) => {
                    addon.status = Status::CreateFailed;
                    addon.issues = vec![issue];
                }
            }
        }
        Status::Updating => end_addon_update(account, cluster_name, name),
        Status::Deleting => end_addon_deletion(account, cluster_name, name),
        // Replicas were missing and had time to start.
        Status::Degraded => set_running(account, cluster_name, name),
        _ => {}
    }
}

/// ACTIVE, or DEGRADED while a Deployment of the addon has no node to run on.
fn set_running(account: &mut Account, cluster_name: &str, name: &str) {
    let Ok(cluster) = params::cluster_mut(account, cluster_name) else {
        return;
    };
    let needs_nodes = addon_catalog::find(name).is_some_and(|offer| offer.needs_nodes);
    let missing = needs_nodes && cluster.nodes_for_pods() == 0;
    if let Some(addon) = cluster.addons.get_mut(name) {
        addon.issues.clear();
        addon.status = if missing {
            Status::Degraded
        } else {
            Status::Active
        };
        if missing {
            addon.issues.push(Issue {
                code: "InsufficientNumberOfReplicas".to_owned(),
                message: "The add-on is unhealthy because it doesn't have the desired number of replicas.".to_owned(),
                resource_ids: Vec::new(),
            });
        }
    }
}

fn end_addon_update(account: &mut Account, cluster_name: &str, name: &str) {
    let failure = outside::failure(account, &format!("addon/{cluster_name}/{name}"), "update");
    let Ok(addon) = params::addon_mut(account, cluster_name, name) else {
        return;
    };
    let Some(running) = addon.running.take() else {
        return;
    };
    if let Some(update) = addon.updates.get_mut(&running.update_id) {
        update.end(failure.clone());
    }
    match failure {
        Some(issue) => {
            addon.status = Status::UpdateFailed;
            addon.issues = vec![issue];
        }
        None => {
            let settings: AddonChange = running.change;
            addon.settings = settings;
            set_running(account, cluster_name, name);
        }
    }
}

fn end_addon_deletion(account: &mut Account, cluster_name: &str, name: &str) {
    let failure = outside::failure(account, &format!("addon/{cluster_name}/{name}"), "delete");
    let Ok(cluster) = params::cluster_mut(account, cluster_name) else {
        return;
    };
    if let Some(issue) = failure {
        if let Some(addon) = cluster.addons.get_mut(name) {
            addon.status = Status::DeleteFailed;
            addon.issues = vec![issue];
        }
        return;
    }
    cluster.tokens.forget(&format!("addon/{name}"));
    if let Some(addon) = cluster.addons.shift_remove(name) {
        // The cluster exists: it was found above.
        let _ = pod_identity::remove_owned(account, cluster_name, &addon.arn);
    }
}

/// After nodes came or went: Deployments recover, or lose their replicas.
fn settle_replicas(account: &mut Account, cluster_name: &str) {
    let Ok(cluster) = params::cluster_mut(account, cluster_name) else {
        return;
    };
    let has_nodes = cluster.nodes_for_pods() > 0;
    let concerned: Vec<(String, Status, bool)> = cluster
        .addons
        .values()
        .filter(|addon| addon_catalog::find(&addon.name).is_some_and(|offer| offer.needs_nodes))
        .map(|addon| (addon.name.clone(), addon.status, addon.due_ms.is_some()))
        .collect();
    for (name, status, waits) in concerned {
        match status {
            Status::Active if !has_nodes => set_running(account, cluster_name, &name),
            Status::Degraded if has_nodes && !waits => {
                let (low, high) = durations::ADDON_RECOVERY;
                let due =
                    account.draw_due(&format!("addon/{cluster_name}/{name}"), "ready", low, high);
                if let Ok(addon) = params::addon_mut(account, cluster_name, &name) {
                    addon.due_ms = Some(due);
                }
            }
            _ => {}
        }
    }
}
