//! The ends of addon life cycles.

use super::super::Account;
use super::durations;
use super::model::{AddonChange, Issue, Status};
use super::{addon_catalog, outside, params, pod_identity};

/// What was due for an addon happens.
pub(super) fn addon(account: &mut Account, cluster_name: &str, name: &str) {
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
        addon.status = if missing { Status::Degraded } else { Status::Active };
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
pub(super) fn settle_replicas(account: &mut Account, cluster_name: &str) {
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
                let due = account.draw_due(&format!("addon/{cluster_name}/{name}"), "ready", low, high);
                if let Ok(addon) = params::addon_mut(account, cluster_name, &name) {
                    addon.due_ms = Some(due);
                }
            }
            _ => {}
        }
    }
}
