//! What EKS does with the caller's own permissions. Sources: the user guide's pages on node
//! groups, encryption and Pod Identity; AWS's own policy for who makes clusters and node
//! groups, `AWSBackupServiceRolePolicyForRestores` (Sids `CreateClusterIAMPerms`,
//! `CreateEKSNodeGroupPermissions`, `EKSNodeGroupTagOnCreate`); and the issues named.

use serde_json::Value;

use super::{
    Need, Refusal,
    shapes::{arn, cluster_name, ec2_arn, iam_arn},
};
use crate::rehearsal::{
    Account, ec2, iam,
    params::{list, text, texts},
};

/// A role given to a service.
fn pass(arn: &str, service: &str) -> Need {
    Need::new("iam:PassRole", arn).with("iam:PassedToService", service)
}

/// A service-linked role, unless it is there.
/// <https://docs.aws.amazon.com/eks/latest/userguide/using-service-linked-roles.html>
fn service_linked(account: &Account, service: &str) -> Option<Need> {
    let name = iam::service_linked_name(service);
    if account.iam.roles.contains_key(&name) {
        return None;
    }
    let arn = iam_arn(account, &format!("role/aws-service-role/{service}/{name}"));
    let need = Need::new("iam:CreateServiceLinkedRole", arn).with("iam:AWSServiceName", service);
    Some(need.says(Refusal::RoleCreation))
}

pub(super) fn create_cluster(account: &Account, params: &Value) -> Vec<Need> {
    let mut needs: Vec<Need> =
        text(params, "roleArn").map(|role| pass(role, "eks.amazonaws.com")).into_iter().collect();
    needs.extend(service_linked(account, "eks.amazonaws.com"));
    needs.extend(secrets_key(account, params));
    needs
}

/// The caller gives EKS a grant on the key.
/// <https://docs.aws.amazon.com/eks/latest/userguide/enable-kms.html>
pub(super) fn secrets_key(_: &Account, params: &Value) -> Vec<Need> {
    let keys = list(params, "encryptionConfig").iter().filter_map(|config| text(config.get("provider")?, "keyArn"));
    keys.flat_map(|key| {
        let grant = Need::new("kms:CreateGrant", key).with("kms:GrantIsForAWSResource", "true");
        [Need::new("kms:DescribeKey", key), grant]
    })
    .collect()
}

pub(super) fn create_node_group(account: &Account, params: &Value) -> Vec<Need> {
    let mut needs = Vec::new();
    if let Some(role) = text(params, "nodeRole") {
        needs.push(Need::new("iam:GetRole", role));
        needs.push(Need::new("iam:ListAttachedRolePolicies", role));
        needs.push(pass(role, "ec2.amazonaws.com"));
    }
    // Looked for with the caller's permissions, made with them, if it is not there.
    let linked = iam::service_linked_name("eks-nodegroup.amazonaws.com");
    let linked = iam_arn(account, &format!("role/aws-service-role/eks-nodegroup.amazonaws.com/{linked}"));
    needs.push(Need::new("iam:GetRole", linked).says(Refusal::RoleLookup));
    let spot = text(params, "capacityType") == Some("SPOT");
    let services = ["eks-nodegroup.amazonaws.com", "autoscaling.amazonaws.com"];
    let services = services.into_iter().chain(spot.then_some("spot.amazonaws.com"));
    needs.extend(services.filter_map(|service| service_linked(account, service)));
    needs.push(Need::new("ec2:DescribeSubnets", "*"));
    if let Some(template) = params.get("launchTemplate").filter(|template| template.is_object()) {
        needs.extend(launch(account, template, &texts(params, "subnets"), spot));
    }
    needs
}

pub(super) fn update_node_group_version(account: &Account, params: &Value) -> Vec<Need> {
    let Some(template) = params.get("launchTemplate").filter(|template| template.is_object()) else {
        return Vec::new();
    };
    let group = account.eks.clusters.get(cluster_name(params));
    let group = group.and_then(|cluster| cluster.nodegroups.get(text(params, "nodegroupName")?));
    let subnets = group.map(|group| group.subnet_ids.clone()).unwrap_or_default();
    launch(account, template, &subnets, group.is_some_and(|group| group.capacity_type == "SPOT"))
}

/// EKS's Auto Scaling group is made with the caller's permission to launch from the
/// template: <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-launch-template-permissions.html>.
fn launch(account: &Account, template: &Value, subnets: &[String], spot: bool) -> Vec<Need> {
    let mut needs = vec![Need::new("ec2:DescribeLaunchTemplateVersions", "*")];
    let found = ec2::resolve_version(account, text(template, "id"), text(template, "name"), text(template, "version"));
    let Ok((found, version)) = found else { return needs };
    let data = &found.versions[&version].data;
    let mut on: Vec<String> =
        ["instance", "volume", "network-interface"].map(|kind| ec2_arn(account, kind, "0")).into();
    // Images are no account's own.
    on.push(format!("arn:{}:ec2:{}::image/ami-0", account.partition(), account.region));
    on.push(ec2_arn(account, "launch-template", &found.id));
    on.extend(subnets.iter().map(|id| ec2_arn(account, "subnet", id)));
    on.extend(texts(data, "SecurityGroupId").iter().map(|id| ec2_arn(account, "security-group", id)));
    if spot {
        on.push(ec2_arn(account, "spot-instances-request", "0"));
    }
    needs.extend(on.into_iter().map(|resource| Need::new("ec2:RunInstances", resource).says(Refusal::LaunchTemplate)));
    for tags in list(data, "TagSpecification") {
        let kind = text(tags, "ResourceType").unwrap_or_default();
        let need = Need::new("ec2:CreateTags", ec2_arn(account, kind, "0")).with("ec2:CreateAction", "RunInstances");
        needs.push(need.says(Refusal::LaunchTemplate));
    }
    needs
}

/// A Pod Identity role given with an add-on: EKS makes the association for the caller.
/// <https://docs.aws.amazon.com/eks/latest/userguide/add-ons-iam.html>
pub(super) fn addon_roles(account: &Account, params: &Value) -> Vec<Need> {
    let cluster = arn(account, "eks", &format!("cluster/{}", cluster_name(params)));
    let mut needs: Vec<Need> =
        text(params, "serviceAccountRoleArn").map(|role| pass(role, "eks.amazonaws.com")).into_iter().collect();
    for association in list(params, "podIdentityAssociations") {
        needs.push(Need::new("eks:CreatePodIdentityAssociation", cluster.as_str()));
        needs.extend(pod_identity_role(account, association));
    }
    needs
}

/// <https://docs.aws.amazon.com/eks/latest/userguide/pod-id-association.html>: the caller
/// needs `iam:PassRole` and `iam:GetRole` on the role.
pub(super) fn pod_identity_role(_: &Account, params: &Value) -> Vec<Need> {
    let role = text(params, "roleArn");
    role.map(|role| vec![Need::new("iam:GetRole", role), pass(role, "pods.eks.amazonaws.com")]).unwrap_or_default()
}

/// An update may make, change or take away associations.
pub(super) fn update_addon(account: &Account, params: &Value) -> Vec<Need> {
    let mut needs = addon_roles(account, params);
    if !list(params, "podIdentityAssociations").is_empty() {
        needs.push(Need::new("eks:UpdatePodIdentityAssociation", association(account, params)));
        needs.push(Need::new("eks:DeletePodIdentityAssociation", association(account, params)));
    }
    needs
}

pub(super) fn delete_addon(account: &Account, params: &Value) -> Vec<Need> {
    let cluster = account.eks.clusters.get(cluster_name(params));
    let own = cluster.is_some_and(|cluster| {
        let addon = text(params, "addonName").and_then(|name| cluster.addons.get(name));
        let owned = |arn: &String| cluster.associations.values().any(|one| one.owner_arn.as_ref() == Some(arn));
        addon.is_some_and(|addon| owned(&addon.arn))
    });
    own.then(|| Need::new("eks:DeletePodIdentityAssociation", association(account, params))).into_iter().collect()
}

fn association(account: &Account, params: &Value) -> String {
    arn(account, "eks", &format!("podidentityassociation/{}/a-0", cluster_name(params)))
}
