//! CreateAddon, DescribeAddon, ListAddons, DeleteAddon.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::model::{Addon, Cluster, Issue, Status};
use super::params::{self, arn, flag, in_use, invalid_parameter, invalid_request, page_of_names, required, text, uuid};
use super::{addon_checks as checks, answers, durations};

/// The addons that EKS installs by itself unless told not to.
const SELF_MANAGED: &[&str] = &["vpc-cni", "kube-proxy", "coredns"];

/// `CreateAddon`.
pub(super) fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    let cluster_name = cluster.name.clone();
    if let Some(answer) = cluster.tokens.replay("CreateAddon", params)? {
        return Ok(answer);
    }
    let name = required(params, "addonName")?.to_owned();
    let addon = checked(account, params, &cluster_name, &name)
        .map_err(|error| error.with("clusterName", cluster_name.as_str()).with("addonName", name.as_str()))?;
    let cluster = params::cluster_mut(account, &cluster_name)?;
    cluster.addons.insert(name.clone(), addon);
    let cluster = params::cluster(account, params, "clusterName")?;
    let answer = json!({"addon": answers::addon(cluster, params::addon(cluster, &name)?)});
    params::cluster_mut(account, &cluster_name)?.tokens.remember(
        "CreateAddon",
        params,
        &format!("addon/{name}"),
        &answer,
    );
    Ok(answer)
}

fn checked(account: &mut Account, params: &Value, cluster_name: &str, name: &str) -> Result<Addon, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    let offer = checks::offer(name, cluster)?;
    checks::check_cluster(cluster)?;
    if cluster.addons.contains_key(name) {
        return Err(in_use("Addon already exists."));
    }
    if text(params, "resolveConflicts") == Some("PRESERVE") {
        return Err(invalid_parameter("The addon update mode PRESERVE is not supported when an addon is created"));
    }
    let settings = checks::settings(account, cluster, offer, params, None)?;
    let associations = checks::associations(account, cluster, offer.namespace, params, None)?;
    let tags = params::tags(params)?;
    let doomed = conflict(cluster, name, params);
    let id = uuid(account);
    let (low, high) = if offer.needs_nodes { durations::ADDON_DEPLOYMENT } else { durations::ADDON_DAEMONSET };
    let due = account.draw_due(&format!("addon/{cluster_name}/{name}"), "create", low, high);
    let arn = arn(account, &format!("addon/{cluster_name}/{name}/{id}"));
    if let Some(wanted) = associations {
        checks::apply_associations(account, cluster_name, &arn, offer.namespace, wanted)?;
    }
    Ok(Addon {
        name: name.to_owned(),
        arn,
        created_ms: account.now_ms,
        modified_ms: account.now_ms,
        status: Status::Creating,
        due_ms: Some(due),
        running: None,
        doomed,
        settings,
        issues: Vec::new(),
        tags,
        updates: IndexMap::new(),
    })
}

/// What EKS installed by itself is in the way of a managed addon of the same name
/// with a configuration of its own, unless the request may overwrite it.
fn conflict(cluster: &Cluster, name: &str, params: &Value) -> Option<Issue> {
    let in_the_way = cluster.self_managed_addons
        && SELF_MANAGED.contains(&name)
        && text(params, "configurationValues").is_some()
        && text(params, "resolveConflicts") != Some("OVERWRITE");
    in_the_way.then(|| Issue {
        code: "ConfigurationConflict".to_owned(),
        message: format!(
            "Conflicts found when trying to apply. Will not continue due to resolve conflicts mode. Conflicts:\n{name} kube-system - .spec"
        ),
        resource_ids: Vec::new(),
    })
}

/// `DescribeAddon`.
pub(super) fn describe(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    let addon = params::addon(cluster, required(params, "addonName")?)?;
    Ok(json!({"addon": answers::addon(cluster, addon)}))
}

/// `ListAddons`.
pub(super) fn list(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    page_of_names(params, "addons", cluster.addons.keys())
}

/// `DeleteAddon`. With `preserve` its pods stay in the cluster, which the account
/// does not see.
pub(super) fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    let cluster_name = cluster.name.clone();
    let name = required(params, "addonName")?;
    let preserve = flag(params, "preserve")?.unwrap_or(false);
    let addon = params::addon(cluster, name)?;
    if addon.status == Status::Deleting {
        return Ok(json!({"addon": answers::addon(cluster, addon)}));
    }
    if matches!(addon.status, Status::Creating | Status::Updating) {
        // DeleteAddon has no ResourceInUseException.
        return Err(invalid_request(format!(
            "Addon {name} cannot be deleted as it is currently in {} state, with the operation in progress",
            addon.status.as_str()
        ))
        .with("clusterName", cluster_name)
        .with("addonName", name));
    }
    let (low, high) = durations::ADDON_DELETE;
    let due = account.draw_due(&format!("addon/{cluster_name}/{name}"), "delete", low, high);
    let cluster = params::cluster_mut(account, &cluster_name)?;
    if preserve && SELF_MANAGED.contains(&name) {
        // The software stays as a self-managed one.
        cluster.preserved_addons.insert(name.to_owned());
    }
    let addon = params::addon_mut(account, &cluster_name, name)?;
    addon.status = Status::Deleting;
    addon.due_ms = Some(due);
    let cluster = params::cluster(account, params, "clusterName")?;
    Ok(json!({"addon": answers::addon(cluster, params::addon(cluster, name)?)}))
}
