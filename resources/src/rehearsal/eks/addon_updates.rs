//! UpdateAddon, with its record.

use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::model::{Running, Status};
use super::params::{self, in_use, invalid_request, required, text};
use super::updates::Update;
use super::{addon_checks as checks, durations};

/// `UpdateAddon`.
pub(super) fn update(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    let cluster_name = cluster.name.clone();
    let name = required(params, "addonName")?;
    if let Some(answer) = cluster.tokens.replay("UpdateAddon", params)? {
        return Ok(answer);
    }
    let addon = params::addon(cluster, name)?;
    let addon_arn = addon.arn.clone();
    let named = |error: ApiError| error.with("clusterName", cluster_name.as_str()).with("addonName", name);
    check_free(addon.status, name).map_err(named)?;
    checks::check_cluster(cluster).map_err(named)?;
    let offer = checks::offer(name, cluster).map_err(named)?;
    let settings = checks::settings(account, cluster, offer, params, Some(&addon.settings)).map_err(named)?;
    let associations =
        checks::associations(account, cluster, offer.namespace, params, Some(&addon_arn)).map_err(named)?;
    let mut record = vec![("AddonVersion", settings.version.clone())];
    for (kind, member) in [
        ("ServiceAccountRoleArn", "serviceAccountRoleArn"),
        ("ResolveConflicts", "resolveConflicts"),
        ("ConfigurationValues", "configurationValues"),
    ] {
        if let Some(value) = text(params, member) {
            record.push((kind, value.to_owned()));
        }
    }
    if let Some(wanted) = associations {
        record.push(("PodIdentityAssociations", params["podIdentityAssociations"].to_string()));
        checks::apply_associations(account, &cluster_name, &addon_arn, offer.namespace, wanted)?;
    }
    let update = Update::begin(account, "AddonUpdate", record);
    let (low, high) = durations::ADDON_UPDATE;
    let due = account.draw_due(&format!("addon/{cluster_name}/{name}"), "update", low, high);
    let answer = json!({"update": update.answer()});
    let addon = params::addon_mut(account, &cluster_name, name)?;
    addon.status = Status::Updating;
    addon.due_ms = Some(due);
    addon.running = Some(Running { update_id: update.id.clone(), change: settings });
    addon.updates.insert(update.id.clone(), update);
    params::cluster_mut(account, &cluster_name)?.tokens.remember(
        "UpdateAddon",
        params,
        &format!("addon/{name}"),
        &answer,
    );
    Ok(answer)
}

fn check_free(status: Status, name: &str) -> Result<(), ApiError> {
    match status {
        Status::Active | Status::Degraded | Status::UpdateFailed => Ok(()),
        Status::CreateFailed | Status::DeleteFailed => Err(invalid_request(format!(
            "Addon {name} cannot be updated as it is currently in {} state: delete it first",
            status.as_str()
        ))),
        status => Err(in_use(format!(
            "Addon {name} cannot be updated as it is currently in {} state, with the operation in progress",
            status.as_str()
        ))),
    }
}
