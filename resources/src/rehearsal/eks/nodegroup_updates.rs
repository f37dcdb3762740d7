//! UpdateNodegroupConfig and UpdateNodegroupVersion: one update at a time, each
//! with its record.

use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::durations;
use super::launch;
use super::model::{Cluster, Nodegroup, NodegroupChange, Running, Status};
use super::nodegroup_checks as checks;
use super::nodegroups::asked_release;
use super::params::{self, flag, in_use, invalid_parameter, invalid_request, required, structure, text, texts};
use super::updates::Update;
use super::{machines, user_data, versions, warm_pools};

/// What UpdateNodegroupConfig changes.
const CONFIGS: [&str; 6] = ["scalingConfig", "labels", "taints", "updateConfig", "nodeRepairConfig", "warmPoolConfig"];

struct Asked {
    change: NodegroupChange,
    kind: &'static str,
    params: Vec<(&'static str, String)>,
    takes: durations::Range,
}

/// `UpdateNodegroupConfig`: sizes, labels and taints (as deltas), update and
/// repair configuration.
pub(super) fn config(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    run(account, params, "UpdateNodegroupConfig", |_, _, group| {
        let given = |member: &str| params.get(member).is_some_and(|it| !it.is_null());
        if !CONFIGS.into_iter().any(given) {
            return Err(invalid_parameter("No changes found to update Nodegroup"));
        }
        let mut record: Vec<(&str, String)> = Vec::new();
        let scaling = checks::scaling(params, Some(group.scaling))?;
        if given("scalingConfig") {
            record.push(("MinSize", scaling.min.to_string()));
            record.push(("MaxSize", scaling.max.to_string()));
            record.push(("DesiredSize", scaling.desired.to_string()));
        }
        let labels = labels(params, group, &mut record)?;
        let taints = taints(params, group, &mut record)?;
        let update_config = checks::update_config(params, Some(&group.update_config))?;
        for (member, kind) in [
            ("maxUnavailable", "MaxUnavailable"),
            ("maxUnavailablePercentage", "MaxUnavailablePercentage"),
            ("updateStrategy", "UpdateStrategy"),
        ] {
            if let Some(value) = params.get("updateConfig").and_then(|it| it.get(member)) {
                record.push((kind, value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
            }
        }
        let node_repair = checks::node_repair(params, group.node_repair.as_ref());
        if given("nodeRepairConfig") {
            record.push(("NodeRepairConfig", params["nodeRepairConfig"].to_string()));
        }
        let warm_pool = warm_pools::warm_pool(params, group.warm_pool.as_ref(), &group.ami_type, &group.capacity_type)?;
        if given("warmPoolConfig") {
            record.push(("WarmPoolConfig", params["warmPoolConfig"].to_string()));
        }
        Ok(Asked {
            change: NodegroupChange::Config { scaling, labels, taints, update_config, node_repair, warm_pool },
            kind: "ConfigUpdate",
            params: record,
            takes: durations::NODEGROUP_CONFIG_UPDATE,
        })
    })
}

fn labels(
    params: &Value,
    group: &Nodegroup,
    record: &mut Vec<(&str, String)>,
) -> Result<std::collections::BTreeMap<String, String>, ApiError> {
    let mut labels = group.labels.clone();
    let Some(delta) = params.get("labels").filter(|it| !it.is_null()) else {
        return Ok(labels);
    };
    let add = checks::labels(structure(delta, "addOrUpdateLabels"))?;
    let remove = texts(delta, "removeLabels");
    if let Some(key) = remove.iter().find(|key| add.contains_key(*key)) {
        return Err(invalid_parameter(format!("Label '{key}' cannot be added and removed in the same request")));
    }
    if !add.is_empty() {
        record.push(("LabelsToAdd", json!(add).to_string()));
    }
    if !remove.is_empty() {
        record.push(("LabelsToRemove", json!(remove).to_string()));
    }
    for key in &remove {
        labels.remove(key);
    }
    labels.extend(add);
    Ok(labels)
}

fn taints(
    params: &Value,
    group: &Nodegroup,
    record: &mut Vec<(&str, String)>,
) -> Result<Vec<super::model::Taint>, ApiError> {
    let mut taints = group.taints.clone();
    let Some(delta) = params.get("taints").filter(|it| !it.is_null()) else {
        return Ok(taints);
    };
    let add = checks::taints(delta.get("addOrUpdateTaints"))?;
    let remove = checks::taints(delta.get("removeTaints"))?;
    if add.iter().any(|taint| remove.iter().any(|it| it.key == taint.key && it.effect == taint.effect)) {
        return Err(invalid_parameter("A taint cannot be added and removed in the same request"));
    }
    for (kind, member) in [("TaintsToAdd", "addOrUpdateTaints"), ("TaintsToRemove", "removeTaints")] {
        if let Some(items) = delta.get(member).filter(|it| !it.is_null()) {
            record.push((kind, items.to_string()));
        }
    }
    // A taint is known by key and effect; adding it again sets its value.
    taints.retain(|taint| {
        let same = |it: &super::model::Taint| it.key == taint.key && it.effect == taint.effect;
        !remove.iter().any(same) && !add.iter().any(same)
    });
    taints.extend(add);
    Ok(taints)
}

/// `UpdateNodegroupVersion`: rolls the nodes to a version of Kubernetes, of the
/// AMI, or of the launch template.
pub(super) fn version(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    run(account, params, "UpdateNodegroupVersion", |account, cluster, group| {
        let mut record: Vec<(&str, String)> = Vec::new();
        let version = match text(params, "version") {
            Some(asked) => checked_version(asked, cluster, group)?,
            None => group.version.clone(),
        };
        let launch = launch(account, params, group)?;
        warm_pools::market(launch.as_ref(), &group.capacity_type)?;
        let same_template = launch.as_ref().map(|it| &it.template) == group.launch_template.as_ref();
        let release_version = asked_release(params, &version)?;
        record.push(("Version", version.clone()));
        record.push(("ReleaseVersion", release_version.clone()));
        if let Some(launch) = launch.as_ref().filter(|_| !same_template) {
            record.push(("LaunchTemplateName", launch.template.name.clone()));
            record.push(("LaunchTemplateVersion", launch.template.version.to_string()));
        }
        let effective_types = match launch.as_ref().and_then(|it| it.instance_type.clone()) {
            Some(_) if !group.instance_types.is_empty() => {
                return Err(invalid_parameter("Cannot specify instance types in launch template and API request"));
            }
            Some(kind) => vec![kind],
            None => group.effective_types.clone(),
        };
        machines::check_types(&group.ami_type, &effective_types)?;
        let user_data = launch.as_ref().and_then(|it| it.user_data.as_deref());
        Ok(Asked {
            kind: "VersionUpdate",
            params: record,
            takes: roll_duration(group),
            change: NodegroupChange::Version {
                doomed: user_data::problem(&group.ami_type, user_data),
                force: flag(params, "force")?.unwrap_or(false),
                security_group_ids: checks::security_groups(account, cluster, launch.as_ref())?,
                launch_template: launch.map(|it| it.template),
                effective_types,
                version,
                release_version,
            },
        })
    })
}

fn checked_version(asked: &str, cluster: &Cluster, group: &Nodegroup) -> Result<String, ApiError> {
    let numbers = (
        versions::minor_number(asked),
        versions::minor_number(&cluster.version),
        versions::minor_number(&group.version),
    );
    match numbers {
        (Some(to), Some(cluster), Some(from)) if to <= cluster && to >= from => Ok(asked.to_owned()),
        _ => Err(invalid_parameter(format!(
            "Nodegroup Kubernetes version {asked} must be between its current version {} and the cluster's version {}",
            group.version, cluster.version
        ))),
    }
}

/// The template after the update: the asked version of the group's own template,
/// or the one it has. The template itself cannot be changed.
fn launch(account: &Account, params: &Value, group: &Nodegroup) -> Result<Option<launch::Launch>, ApiError> {
    let specification = params.get("launchTemplate").filter(|it| !it.is_null());
    let Some(specification) = specification else {
        return group
            .launch_template
            .as_ref()
            .map(|template| {
                launch::resolve(account, &json!({"id": template.id, "version": template.version.to_string()}))
            })
            .transpose();
    };
    let Some(current) = &group.launch_template else {
        return Err(invalid_request("You cannot add a launch template to a nodegroup that was created without one."));
    };
    let launch = launch::resolve(account, specification)?;
    if launch.template.id != current.id {
        return Err(invalid_request(
            "You cannot specify a different launch template from the one used in the original nodegroup creation.",
        ));
    }
    if launch.image_id.is_some() != (group.ami_type == "CUSTOM") {
        return Err(invalid_request(
            "A launch template version with an image id cannot replace one without, nor the other way round.",
        ));
    }
    Ok(Some(launch))
}

/// A roll goes batch by batch, at most `maxUnavailable` nodes each.
fn roll_duration(group: &Nodegroup) -> durations::Range {
    let nodes = group.scaling.desired;
    if nodes == 0 {
        return durations::NODEGROUP_ROLL_EMPTY;
    }
    let config = &group.update_config;
    let batch = match (config["maxUnavailable"].as_i64(), config["maxUnavailablePercentage"].as_i64()) {
        (Some(count), _) => count,
        (None, Some(percentage)) => (nodes * percentage).div_euclid(100),
        (None, None) => 1,
    };
    let batches = u32::try_from(nodes.div_euclid(batch.max(1)) + i64::from(nodes % batch.max(1) > 0)).unwrap_or(1);
    let (low, high) = durations::NODEGROUP_ROLL_BATCH;
    (low * f64::from(batches), high * f64::from(batches))
}

/// The common course: token, state of the group, checks, record, status.
fn run(
    account: &mut Account,
    params: &Value,
    operation: &str,
    asked: impl FnOnce(&Account, &Cluster, &Nodegroup) -> Result<Asked, ApiError>,
) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    let cluster_name = cluster.name.clone();
    let name = required(params, "nodegroupName")?;
    let group = params::nodegroup(cluster, name)?;
    if let Some(answer) = cluster.tokens.replay(operation, params)? {
        return Ok(answer);
    }
    let asked = check_free(cluster, group)
        .and_then(|()| asked(account, cluster, group))
        .map_err(|error| error.with("clusterName", cluster_name.as_str()).with("nodegroupName", name))?;
    let update = Update::begin(account, asked.kind, asked.params);
    let (low, high) = asked.takes;
    let due = account.draw_due(&format!("nodegroup/{cluster_name}/{name}"), "update", low, high);
    let answer = json!({"update": update.answer()});
    let group = params::nodegroup_mut(account, &cluster_name, name)?;
    group.status = Status::Updating;
    group.due_ms = Some(due);
    group.running = Some(Running { update_id: update.id.clone(), change: asked.change });
    group.updates.insert(update.id.clone(), update);
    params::cluster_mut(account, &cluster_name)?.tokens.remember(
        operation,
        params,
        &format!("nodegroup/{name}"),
        &answer,
    );
    Ok(answer)
}

fn check_free(cluster: &Cluster, group: &Nodegroup) -> Result<(), ApiError> {
    if let Some(running) = &group.running {
        return Err(in_use(format!("Nodegroup {} currently has update {} in progress", group.name, running.update_id)));
    }
    match group.status {
        Status::Active | Status::Degraded => {}
        Status::Creating | Status::Deleting => {
            return Err(in_use(format!(
                "Nodegroup {} is {}: the operation is in progress",
                group.name,
                group.status.as_str()
            )));
        }
        status => {
            return Err(invalid_request(format!(
                "Nodegroup {} cannot be updated in status {}",
                group.name,
                status.as_str()
            )));
        }
    }
    if cluster.status == Status::Deleting {
        return Err(invalid_request(format!("Cluster {} is being deleted", cluster.name)));
    }
    Ok(())
}
