//! Brings life cycles up to the account's time: what is due happens, in the order
//! in which it falls due, each at its own time.

use serde::{Deserialize, Serialize};

use super::super::{Account, ec2};
use super::durations::{self, Range};
use super::model::{ClusterChange, Status};
use super::{clusters, outside, params, settle_addons, settle_nodegroups};

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
            Due::Addon(cluster, name) => settle_addons::addon(account, &cluster, &name),
            Due::Nodegroup(cluster, name) => settle_nodegroups::nodegroup(account, &cluster, &name),
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
        all.extend(cluster.log_group_due_ms.map(|due| (due, Due::FirstLog(name()))));
        all.extend(cluster.due_ms.map(|due| (due, Due::Cluster(name()))));
        for addon in cluster.addons.values() {
            all.extend(addon.due_ms.map(|due| (due, Due::Addon(name(), addon.name.clone()))));
        }
        for group in cluster.nodegroups.values() {
            all.extend(group.due_ms.map(|due| (due, Due::Nodegroup(name(), group.name.clone()))));
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
        ClusterChange::EndpointAccess { public, private, public_cidrs } => {
            network.endpoint_public = public;
            network.endpoint_private = private;
            network.public_cidrs = public_cidrs;
        }
        ClusterChange::Vpc { subnet_ids, security_group_ids } => {
            network.subnet_ids = subnet_ids;
            network.security_group_ids = security_group_ids;
            let owner = format!("cluster/{name}");
            ec2::remove_interfaces(account, |interface| interface.owner.as_ref() == Some(&owner));
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
    ec2::remove_interfaces(account, |interface| interface.owner.as_ref() == Some(&owner));
    ec2::remove_group(account, &cluster.network.cluster_security_group_id);
    if !cluster.logging.is_empty() && account.draw() < durations::LATE_LOG_PROBABILITY {
        let due_ms = wait(account, durations::LATE_LOG);
        account.eks.late_log_groups.push(LateLogGroup { due_ms, cluster: name.to_owned() });
    }
}
