//! How answers show clusters, node groups and addons.

use serde_json::{Map, Value, json};

use super::model::{Addon, Cluster, Issue, Nodegroup, Status};
use super::params::seconds;
use super::versions;

fn issues(issues: &[Issue]) -> Value {
    let items: Vec<Value> = issues
        .iter()
        .map(|issue| json!({"code": issue.code, "message": issue.message, "resourceIds": issue.resource_ids}))
        .collect();
    json!({"issues": items})
}

/// All control-plane log types, in the API's order.
pub(super) const LOG_TYPES: &[&str] = &["api", "audit", "authenticator", "controllerManager", "scheduler"];

/// `cluster` of an answer. Endpoint, CA and issuer are there once it stands.
pub(super) fn cluster(cluster: &Cluster) -> Value {
    let network = &cluster.network;
    let mut vpc = json!({
        "subnetIds": network.subnet_ids,
        "securityGroupIds": network.security_group_ids,
        "vpcId": network.vpc_id,
        "endpointPublicAccess": network.endpoint_public,
        "endpointPrivateAccess": network.endpoint_private,
        "publicAccessCidrs": network.public_cidrs,
    });
    if cluster.stands {
        vpc["clusterSecurityGroupId"] = json!(network.cluster_security_group_id);
    }
    let mut answer = json!({
        "name": cluster.name,
        "arn": cluster.arn,
        "createdAt": seconds(cluster.created_ms),
        "version": cluster.version,
        "roleArn": cluster.role_arn,
        "resourcesVpcConfig": vpc,
        "kubernetesNetworkConfig": {
            "serviceIpv4Cidr": network.service_cidr,
            "ipFamily": "ipv4",
            "elasticLoadBalancing": {"enabled": false},
        },
        "logging": logging(cluster),
        "status": cluster.status.as_str(),
        "certificateAuthority": {},
        "platformVersion": versions::find(&cluster.version).map_or("eks.1", |it| it.platform),
        "tags": cluster.tags,
        "health": issues(&cluster.issues),
        "accessConfig": {
            "authenticationMode": cluster.authentication_mode,
            "bootstrapClusterCreatorAdminPermissions": cluster.bootstrap_creator_admin,
        },
        "upgradePolicy": {"supportType": cluster.support_type},
        "deletionProtection": cluster.deletion_protection,
    });
    if cluster.zonal_shift {
        answer["zonalShiftConfig"] = json!({"enabled": true});
    }
    if let Some(encryption) = &cluster.encryption {
        answer["encryptionConfig"] = json!([{
            "resources": encryption.resources,
            "provider": {"keyArn": encryption.key_arn},
        }]);
    }
    if let Some(token) = &cluster.client_request_token {
        answer["clientRequestToken"] = json!(token);
    }
    if cluster.stands {
        let endpoint = &cluster.endpoint;
        answer["endpoint"] = json!(endpoint.url);
        answer["identity"] = json!({"oidc": {"issuer": endpoint.issuer}});
        answer["certificateAuthority"] = json!({"data": endpoint.certificate_authority});
    }
    answer
}

fn logging(cluster: &Cluster) -> Value {
    let side = |enabled: bool| {
        let types: Vec<&str> =
            LOG_TYPES.iter().copied().filter(|kind| cluster.logging.contains(*kind) == enabled).collect();
        (!types.is_empty()).then(|| json!({"types": types, "enabled": enabled}))
    };
    let setups: Vec<Value> = [side(true), side(false)].into_iter().flatten().collect();
    json!({"clusterLogging": setups})
}

/// `nodegroup` of an answer.
pub(super) fn nodegroup(cluster_name: &str, group: &Nodegroup) -> Value {
    let taints: Vec<Value> = group
        .taints
        .iter()
        .map(|taint| {
            let mut answer = json!({"key": taint.key, "effect": taint.effect});
            if let Some(value) = &taint.value {
                answer["value"] = json!(value);
            }
            answer
        })
        .collect();
    let mut answer = json!({
        "nodegroupName": group.name,
        "nodegroupArn": group.arn,
        "clusterName": cluster_name,
        "version": group.version,
        "releaseVersion": group.release_version,
        "createdAt": seconds(group.created_ms),
        "modifiedAt": seconds(group.modified_ms),
        "status": group.status.as_str(),
        "capacityType": group.capacity_type,
        "scalingConfig": {
            "minSize": group.scaling.min,
            "maxSize": group.scaling.max,
            "desiredSize": group.scaling.desired,
        },
        "subnets": group.subnet_ids,
        "amiType": group.ami_type,
        "nodeRole": group.node_role,
        "labels": group.labels,
        "health": issues(&group.issues),
        "updateConfig": group.update_config,
        "tags": group.tags,
    });
    if !taints.is_empty() {
        answer["taints"] = Value::Array(taints);
    }
    if !group.instance_types.is_empty() {
        answer["instanceTypes"] = json!(group.instance_types);
    }
    if let Some(size) = group.disk_size {
        answer["diskSize"] = json!(size);
    }
    if let Some(repair) = &group.node_repair {
        answer["nodeRepairConfig"] = repair.clone();
    }
    if let Some(warm) = &group.warm_pool {
        answer["warmPoolConfig"] = warm.clone();
    }
    if let Some(template) = &group.launch_template {
        answer["launchTemplate"] = json!({
            "id": template.id,
            "name": template.name,
            "version": template.version.to_string(),
        });
    }
    if group.status != Status::Creating {
        answer["resources"] = json!({"autoScalingGroups": [{"name": group.auto_scaling_group}]});
    }
    answer
}

/// `addon` of an answer.
pub(super) fn addon(cluster: &Cluster, addon: &Addon) -> Value {
    let mut answer = Map::from_iter([
        ("addonName".to_owned(), json!(addon.name)),
        ("clusterName".to_owned(), json!(cluster.name)),
        ("status".to_owned(), json!(addon.status.as_str())),
        ("addonVersion".to_owned(), json!(addon.settings.version)),
        ("health".to_owned(), issues(&addon.issues)),
        ("addonArn".to_owned(), json!(addon.arn)),
        ("createdAt".to_owned(), seconds(addon.created_ms)),
        ("modifiedAt".to_owned(), seconds(addon.modified_ms)),
        ("tags".to_owned(), json!(addon.tags)),
    ]);
    if let Some(role) = &addon.settings.service_account_role_arn {
        answer.insert("serviceAccountRoleArn".to_owned(), json!(role));
    }
    if let Some(configuration) = &addon.settings.configuration {
        answer.insert("configurationValues".to_owned(), json!(configuration));
    }
    let associations: Vec<&str> = cluster
        .associations
        .values()
        .filter(|association| association.owner_arn.as_ref() == Some(&addon.arn))
        .map(|association| association.arn.as_str())
        .collect();
    if !associations.is_empty() {
        answer.insert("podIdentityAssociations".to_owned(), json!(associations));
    }
    Value::Object(answer)
}
