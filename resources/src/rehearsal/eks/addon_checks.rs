//! What CreateAddon and UpdateAddon share.

use serde_json::Value;

use super::super::ec2::Tags;
use super::super::{Account, ApiError};
use super::model::{AddonSettings, Cluster};
use super::params::{choice, invalid_parameter, invalid_request, required, text};
use super::{addon_catalog, addon_schemas, outside, pod_identity};

/// One `podIdentityAssociations` entry of an addon request.
pub(super) struct Wanted {
    pub service_account: String,
    pub role_arn: String,
}

/// The settings that a request asks for, over what stands.
pub(super) fn settings(
    account: &Account,
    cluster: &Cluster,
    offer: &addon_catalog::Offer,
    params: &Value,
    current: Option<&AddonSettings>,
) -> Result<AddonSettings, ApiError> {
    choice(params, "resolveConflicts", &["NONE", "OVERWRITE", "PRESERVE"])?;
    let asked = text(params, "addonVersion");
    let version = match (asked, current) {
        (None, Some(current)) => current.version.clone(),
        _ => offer.choose(asked, &cluster.version)?,
    };
    let configuration = match params.get("configurationValues").and_then(Value::as_str) {
        // An empty text takes the configuration away.
        Some("") => None,
        Some(values) => {
            addon_schemas::check(offer.name, values)?;
            Some(values.to_owned())
        }
        None => current.and_then(|it| it.configuration.clone()),
    };
    let service_account_role_arn = match params.get("serviceAccountRoleArn").and_then(Value::as_str) {
        // An empty text takes the role off.
        Some("") => None,
        Some(role) => {
            outside::check_role_exists(account, role)?;
            Some(role.to_owned())
        }
        None => current.and_then(|it| it.service_account_role_arn.clone()),
    };
    Ok(AddonSettings { version, configuration, service_account_role_arn })
}

/// The Pod Identity associations that a request asks for, `None` if it says
/// nothing about them.
pub(super) fn associations(
    account: &Account,
    cluster: &Cluster,
    namespace: &str,
    params: &Value,
    addon_arn: Option<&str>,
) -> Result<Option<Vec<Wanted>>, ApiError> {
    let Some(items) = params.get("podIdentityAssociations").and_then(Value::as_array) else {
        return Ok(None);
    };
    let mut wanted = Vec::new();
    for item in items {
        let role_arn = required(item, "roleArn")?.to_owned();
        outside::check_pod_identity_role(account, &role_arn)?;
        let service_account = required(item, "serviceAccount")?.to_owned();
        let taken = pod_identity::find(cluster, namespace, &service_account);
        if let Some(other) = taken.filter(|it| it.owner_arn.as_deref() != addon_arn || addon_arn.is_none()) {
            return Err(pod_identity::exists(other));
        }
        wanted.push(Wanted { service_account, role_arn });
    }
    Ok(Some(wanted))
}

/// Makes the addon's associations what is wanted.
pub(super) fn apply_associations(
    account: &mut Account,
    cluster_name: &str,
    addon_arn: &str,
    namespace: &str,
    wanted: Vec<Wanted>,
) -> Result<(), ApiError> {
    pod_identity::remove_owned(account, cluster_name, addon_arn)?;
    for item in wanted {
        let new = pod_identity::New {
            namespace: namespace.to_owned(),
            service_account: item.service_account,
            role_arn: item.role_arn,
            owner_arn: Some(addon_arn.to_owned()),
            disable_session_tags: false,
            target_role_arn: None,
            tags: Tags::new(),
        };
        pod_identity::add(account, cluster_name, new)?;
    }
    Ok(())
}

/// The addon that a request names, if EKS offers it.
pub(super) fn offer(name: &str, cluster: &Cluster) -> Result<&'static addon_catalog::Offer, ApiError> {
    addon_catalog::find(name).ok_or_else(|| {
        invalid_parameter(format!("Addon {name} specified is not supported in {} kubernetes version", cluster.version))
    })
}

/// Addons need a control plane that answers.
pub(super) fn check_cluster(cluster: &Cluster) -> Result<(), ApiError> {
    use super::model::Status;
    match cluster.status {
        Status::Active | Status::Updating => Ok(()),
        status => {
            Err(invalid_request(format!("Cluster {} is not in ACTIVE status: it is {}", cluster.name, status.as_str())))
        }
    }
}
