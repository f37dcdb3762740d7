//! The ends of node group life cycles.

use super::super::{Account, ec2};
use super::durations;
use super::model::{Issue, NodegroupChange, Status};
use super::nodegroups::{owner, start_nodes, stop_nodes};
use super::settle_addons::settle_replicas;
use super::{outside, params, user_data};

/// What was due for a node group happens.
pub(super) fn nodegroup(account: &mut Account, cluster_name: &str, name: &str) {
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
    let Some(subnets) = cluster.nodegroups.get(name).map(|group| group.subnet_ids.clone()) else {
        return;
    };
    let leads_out = subnets.iter().all(|id| ec2::has_way_out(account, id));
    let Ok(group) = params::nodegroup_mut(account, cluster_name, name) else {
        return;
    };
    let has_nodes = group.scaling.desired > 0;
    let mut issue = failure.or_else(|| group.doomed.clone().filter(|issue| has_nodes || is_configuration(issue)));
    if issue.is_none() && has_nodes && !(has_cni && leads_out) {
        // Nodes wait for a CNI, and for a way to their images, until EKS gives up.
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
    let doomed = doomed.filter(|issue| has_nodes || is_configuration(issue)).map(|mut issue| {
        // Update records know fewer codes than health (terraform-provider-aws#15007).
        if is_configuration(&issue) {
            "Unknown".clone_into(&mut issue.code);
        }
        issue
    });
    let forced = matches!(running.change, NodegroupChange::Version { force: true, .. });
    let failure = failure.filter(|issue| !(forced && issue.code == "PodEvictionFailure")).or(doomed);
    if let Some(update) = group.updates.get_mut(&running.update_id) {
        update.end(failure.clone());
    }
    if failure.is_some() {
        return;
    }
    apply(account, cluster_name, name, running.change);
}

fn apply(account: &mut Account, cluster_name: &str, name: &str, change: NodegroupChange) {
    let Ok(group) = params::nodegroup_mut(account, cluster_name, name) else {
        return;
    };
    let before = group.scaling.desired;
    match change {
        NodegroupChange::Config { scaling, labels, taints, update_config, node_repair, warm_pool } => {
            group.scaling = scaling;
            group.labels = labels;
            group.taints = taints;
            group.update_config = update_config;
            group.node_repair = node_repair;
            group.warm_pool = warm_pool;
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
            force: _,
        } => {
            group.version = version;
            group.release_version = release_version;
            group.launch_template = launch_template;
            group.effective_types = effective_types;
            group.security_group_ids = security_group_ids;
            stop_nodes(account, cluster_name, name, 0);
            let _ = start_nodes(account, cluster_name, name, before);
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
        let used = cluster.nodegroups.values().any(|group| group.node_role == role);
        if !used {
            cluster.access_entries.retain(|_, entry| !(entry.for_nodes && entry.principal_arn == role));
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
    let interface =
        account.ec2.network_interfaces.values_mut().find(|interface| interface.owner.as_ref() == Some(&what));
    if let Some(interface) = interface {
        let instance = interface.instance_id.take().unwrap_or_default();
        interface.owner = None;
        interface.description = format!("aws-K8S-{instance}");
    }
}
