//! Pod Identity associations.

use serde_json::{Value, json};

use super::super::ec2::Tags;
use super::super::{Account, ApiError};
use super::model::{Association, Cluster};
use super::params::{self, arn, flag, in_use, invalid_request, not_found, page, required, seconds, structure, text};
use super::{addon_checks, outside};

/// What an association is made from.
pub(super) struct New {
    pub namespace: String,
    pub service_account: String,
    pub role_arn: String,
    pub owner_arn: Option<String>,
    pub disable_session_tags: bool,
    pub target_role_arn: Option<String>,
    pub tags: Tags,
}

/// The association of a service account.
pub(super) fn find<'a>(cluster: &'a Cluster, namespace: &str, service_account: &str) -> Option<&'a Association> {
    cluster.associations.values().find(|it| it.namespace == namespace && it.service_account == service_account)
}

/// EKS's refusal of a second association for a service account.
pub(super) fn exists(association: &Association) -> ApiError {
    in_use(format!("Association already exists: {}", association.id))
}

/// Makes an association.
///
/// # Errors
/// The service account has one already, or there is no such cluster.
pub(super) fn add(account: &mut Account, cluster_name: &str, new: New) -> Result<Association, ApiError> {
    let cluster = params::cluster_mut(account, cluster_name)?;
    if let Some(other) = find(cluster, &new.namespace, &new.service_account) {
        return Err(exists(other).with("clusterName", cluster_name));
    }
    let id = format!("a-{}", account.draw_hex(17));
    let association = Association {
        arn: arn(account, &format!("podidentityassociation/{cluster_name}/{id}")),
        id: id.clone(),
        namespace: new.namespace,
        service_account: new.service_account,
        role_arn: new.role_arn,
        owner_arn: new.owner_arn,
        disable_session_tags: new.disable_session_tags,
        target_role_arn: new.target_role_arn,
        created_ms: account.now_ms,
        modified_ms: account.now_ms,
        tags: new.tags,
    };
    params::cluster_mut(account, cluster_name)?.associations.insert(id, association.clone());
    Ok(association)
}

/// Removes the associations that an addon owns.
pub(super) fn remove_owned(account: &mut Account, cluster_name: &str, addon_arn: &str) -> Result<(), ApiError> {
    params::cluster_mut(account, cluster_name)?.associations.retain(|_, it| it.owner_arn.as_deref() != Some(addon_arn));
    Ok(())
}

/// `CreatePodIdentityAssociation`.
pub(super) fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    let cluster_name = cluster.name.clone();
    if let Some(answer) = cluster.tokens.replay("CreatePodIdentityAssociation", params)? {
        return Ok(answer);
    }
    let named = |error: ApiError| error.with("clusterName", cluster_name.as_str());
    addon_checks::check_cluster(cluster).map_err(named)?;
    let role_arn = required(params, "roleArn")?.to_owned();
    let new = New {
        namespace: required(params, "namespace")?.to_owned(),
        service_account: required(params, "serviceAccount")?.to_owned(),
        owner_arn: None,
        disable_session_tags: flag(params, "disableSessionTags")?.unwrap_or(false),
        target_role_arn: text(params, "targetRoleArn").map(str::to_owned),
        tags: params::tags(params)?,
        role_arn,
    };
    if let Some(other) = find(cluster, &new.namespace, &new.service_account) {
        return Err(named(exists(other)));
    }
    outside::check_pod_identity_role(account, &new.role_arn).map_err(named)?;
    let association = add(account, &cluster_name, new)?;
    let answer = json!({"association": answer(&cluster_name, &association)});
    params::cluster_mut(account, &cluster_name)?.tokens.remember(
        "CreatePodIdentityAssociation",
        params,
        &association.id,
        &answer,
    );
    Ok(answer)
}

fn answer(cluster_name: &str, association: &Association) -> Value {
    let mut answer = summary(cluster_name, association);
    answer["roleArn"] = json!(association.role_arn);
    answer["createdAt"] = seconds(association.created_ms);
    answer["modifiedAt"] = seconds(association.modified_ms);
    answer["tags"] = json!(association.tags);
    answer["disableSessionTags"] = json!(association.disable_session_tags);
    if let Some(role) = &association.target_role_arn {
        answer["targetRoleArn"] = json!(role);
    }
    answer
}

fn summary(cluster_name: &str, association: &Association) -> Value {
    let mut answer = json!({
        "clusterName": cluster_name,
        "namespace": association.namespace,
        "serviceAccount": association.service_account,
        "associationArn": association.arn,
        "associationId": association.id,
    });
    if let Some(owner) = &association.owner_arn {
        answer["ownerArn"] = json!(owner);
    }
    answer
}

fn named<'a>(cluster: &'a Cluster, params: &Value) -> Result<&'a Association, ApiError> {
    let id = required(params, "associationId")?;
    cluster.associations.get(id).ok_or_else(|| {
        not_found(format!("No pod identity association found for: {id}")).with("clusterName", cluster.name.as_str())
    })
}

/// `DescribePodIdentityAssociation`.
pub(super) fn describe(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    Ok(json!({"association": answer(&cluster.name, named(cluster, params)?)}))
}

/// `ListPodIdentityAssociations`.
pub(super) fn list(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    let items = cluster
        .associations
        .values()
        .filter(|it| text(params, "namespace").is_none_or(|wanted| wanted == it.namespace))
        .filter(|it| text(params, "serviceAccount").is_none_or(|wanted| wanted == it.service_account))
        .map(|it| (it.id.clone(), summary(&cluster.name, it)))
        .collect();
    page(params, "associations", items).map(Value::Object)
}

/// `UpdatePodIdentityAssociation`: another role, or other session tags.
pub(super) fn update(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    let cluster_name = cluster.name.clone();
    let id = named(cluster, params)?.id.clone();
    if let Some(answer) = cluster.tokens.replay("UpdatePodIdentityAssociation", params)? {
        return Ok(answer);
    }
    let role = text(params, "roleArn").map(str::to_owned);
    if let Some(role) = &role {
        outside::check_pod_identity_role(account, role)?;
    }
    let session_tags = flag(params, "disableSessionTags")?;
    let now_ms = account.now_ms;
    let cluster = params::cluster_mut(account, &cluster_name)?;
    if let Some(association) = cluster.associations.get_mut(&id) {
        association.modified_ms = now_ms;
        association.role_arn = role.unwrap_or_else(|| association.role_arn.clone());
        association.disable_session_tags = session_tags.unwrap_or(association.disable_session_tags);
        if structure(params, "targetRoleArn").is_none() {
            association.target_role_arn =
                text(params, "targetRoleArn").map(str::to_owned).or_else(|| association.target_role_arn.clone());
        }
    }
    let answer = json!({"association": answer(&cluster_name, named(cluster, params)?)});
    cluster.tokens.remember("UpdatePodIdentityAssociation", params, &id, &answer);
    Ok(answer)
}

/// `DeletePodIdentityAssociation`. That of an addon goes with the addon.
pub(super) fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    let cluster_name = cluster.name.clone();
    let association = named(cluster, params)?.clone();
    if let Some(owner) = &association.owner_arn {
        return Err(invalid_request(format!(
            "Association {} is owned by {owner}: change the addon instead",
            association.id
        )));
    }
    let cluster = params::cluster_mut(account, &cluster_name)?;
    cluster.associations.shift_remove(&association.id);
    cluster.tokens.forget(&association.id);
    Ok(json!({"association": answer(&cluster_name, &association)}))
}
