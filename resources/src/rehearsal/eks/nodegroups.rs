//! CreateNodegroup, DescribeNodegroup, ListNodegroups, DeleteNodegroup.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::super::ec2::{self, NewInterface, Tags, instance_shape};
use super::super::{Account, ApiError};
use super::model::{Cluster, ClusterChange, Nodegroup, Status};
use super::params::{
    self, arn, check_name, choice, in_use, invalid_parameter, invalid_request, limit_exceeded, page_of_names, required,
    text, uuid,
};
use super::settle_addons::settle_replicas;
use super::{
    access_entries, answers, durations, launch, machines, nodegroup_checks as checks, outside, user_data, versions,
    warm_pools,
};

/// EKS service quota L-6D54EA21.
const MOST_NODEGROUPS: usize = 30;

/// `CreateNodegroup`.
pub(super) fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    let cluster_name = cluster.name.clone();
    if let Some(answer) = cluster.tokens.replay("CreateNodegroup", params)? {
        return Ok(answer);
    }
    let name = required(params, "nodegroupName")?.to_owned();
    let mut group = checked(account, params, cluster, &name)
        .map_err(|error| error.with("clusterName", cluster_name.as_str()).with("nodegroupName", name.as_str()))?;
    begin(account, &cluster_name, &mut group);
    let answer = json!({"nodegroup": answers::nodegroup(&cluster_name, &group)});
    let role = group.node_role.clone();
    let desired = group.scaling.desired;
    let cluster = params::cluster_mut(account, &cluster_name)?;
    cluster.nodegroups.insert(name.clone(), group);
    cluster.tokens.remember("CreateNodegroup", params, &format!("nodegroup/{name}"), &answer);
    access_entries::add_for_nodes(account, &cluster_name, &role)?;
    start_nodes(account, &cluster_name, &name, desired)?;
    Ok(answer)
}

/// The group that the request asks for. Nothing is drawn or made yet.
fn checked(account: &Account, params: &Value, cluster: &Cluster, name: &str) -> Result<Nodegroup, ApiError> {
    check_room(cluster, name)?;
    let version = node_version(params, cluster)?;
    let node_role = required(params, "nodeRole")?.to_owned();
    outside::check_node_role(account, &node_role)?;
    let subnet_ids = checks::subnets(account, cluster, params)?;
    let launch = params
        .get("launchTemplate")
        .filter(|it| !it.is_null())
        .map(|specification| launch::resolve(account, specification))
        .transpose()?;
    let machines = machines::machines(params, launch.as_ref(), &version)?;
    let user_data = launch.as_ref().and_then(|it| it.user_data.as_deref());
    let capacity_type = choice(params, "capacityType", &["ON_DEMAND", "SPOT", "CAPACITY_BLOCK"])?;
    let capacity_type = capacity_type.unwrap_or("ON_DEMAND");
    warm_pools::market(launch.as_ref(), capacity_type)?;
    Ok(Nodegroup {
        name: name.to_owned(),
        arn: String::new(),
        created_ms: account.now_ms,
        modified_ms: account.now_ms,
        status: Status::Creating,
        due_ms: None,
        running: None,
        release_version: asked_release(params, &version)?,
        version,
        capacity_type: capacity_type.to_owned(),
        warm_pool: warm_pools::warm_pool(params, None, &machines.ami_type, capacity_type)?,
        doomed: user_data::problem(&machines.ami_type, user_data),
        max_pods: max_pods(cluster, &machines.effective_types),
        ami_type: machines.ami_type,
        instance_types: machines.asked_types,
        effective_types: machines.effective_types,
        scaling: checks::scaling(params, None)?,
        subnet_ids,
        node_role,
        disk_size: machines.disk_size,
        labels: checks::labels(params::structure(params, "labels"))?,
        taints: checks::taints(params.get("taints"))?,
        update_config: checks::update_config(params, None)?,
        node_repair: checks::node_repair(params, None),
        security_group_ids: checks::security_groups(account, cluster, launch.as_ref())?,
        launch_template: launch.map(|it| it.template),
        auto_scaling_group: String::new(),
        issues: Vec::new(),
        tags: params::tags(params)?,
        updates: IndexMap::new(),
    })
}

/// The name is free and the cluster can take another group.
fn check_room(cluster: &Cluster, name: &str) -> Result<(), ApiError> {
    check_name("nodegroup name", name, 63)?;
    check_cluster(cluster)?;
    if cluster.nodegroups.contains_key(name) {
        return Err(in_use(format!("NodeGroup already exists with name {name} and cluster name {}", cluster.name)));
    }
    if cluster.nodegroups.len() >= MOST_NODEGROUPS {
        return Err(limit_exceeded(format!(
            "Nodegroup limit of {MOST_NODEGROUPS} exceeded for cluster {}",
            cluster.name
        )));
    }
    Ok(())
}

/// Gives a checked group its ids and its end of creation, and makes the
/// service-linked roles that it needs.
fn begin(account: &mut Account, cluster_name: &str, group: &mut Nodegroup) {
    let linked = ["eks-nodegroup.amazonaws.com", "autoscaling.amazonaws.com"];
    outside::ensure_service_linked(account, &linked);
    if group.capacity_type == "SPOT" {
        outside::ensure_service_linked(account, &["spot.amazonaws.com"]);
    }
    let id = uuid(account);
    let (low, high) =
        if group.scaling.desired > 0 { durations::NODEGROUP_CREATE } else { durations::NODEGROUP_CREATE_EMPTY };
    let what = owner(cluster_name, &group.name);
    group.due_ms = Some(account.draw_due(&what, "create", low, high));
    group.arn = arn(account, &format!("{what}/{id}"));
    group.auto_scaling_group = format!("eks-{}-{id}", group.name);
}

/// What the kubelets are told: the smallest type decides.
fn max_pods(cluster: &Cluster, types: &[String]) -> u32 {
    types
        .iter()
        .filter_map(|kind| instance_shape(kind))
        .map(|shape| shape.max_pods(prefix_delegation(cluster)))
        .min()
        .unwrap_or_default()
}

/// The cluster must be ACTIVE; settings that change meanwhile do not matter, a
/// new version does.
fn check_cluster(cluster: &Cluster) -> Result<(), ApiError> {
    let upgrading = cluster.running.as_ref().is_some_and(|running| matches!(running.change, ClusterChange::Version(_)));
    match cluster.status {
        Status::Active => Ok(()),
        Status::Updating if !upgrading => Ok(()),
        status => Err(invalid_request(format!(
            "Cluster '{}' is not in ACTIVE status: it is {}",
            cluster.name,
            status.as_str()
        ))),
    }
}

/// The version of the nodes: that of the cluster, or up to three behind.
fn node_version(params: &Value, cluster: &Cluster) -> Result<String, ApiError> {
    let Some(asked) = text(params, "version") else {
        return Ok(cluster.version.clone());
    };
    let of_nodes = versions::minor_number(asked);
    let of_cluster = versions::minor_number(&cluster.version);
    match of_nodes.zip(of_cluster) {
        Some((nodes, control)) if nodes <= control && nodes + 3 >= control => Ok(asked.to_owned()),
        _ => Err(invalid_parameter(format!(
            "Requested Nodegroup Kubernetes version {asked} is not compatible with the cluster's version {}",
            cluster.version
        ))),
    }
}

/// The AMI release that a request asks for, or the newest of the version.
pub(super) fn asked_release(params: &Value, version: &str) -> Result<String, ApiError> {
    let Some(asked) = text(params, "releaseVersion") else { return Ok(release_version(version)) };
    // Bottlerocket counts its own versions.
    let of_kubernetes = asked.starts_with("1.") && asked.split('-').nth(1).is_some_and(|day| day.len() == 8);
    if of_kubernetes && !asked.starts_with(&format!("{version}.")) {
        return Err(invalid_parameter(format!(
            "Requested release version {asked} is not valid for kubernetes version {version}."
        )));
    }
    Ok(asked.to_owned())
}

/// The newest AMI release of a version.
pub(super) fn release_version(version: &str) -> String {
    let patch = versions::find(version).map_or(version, |it| it.patch);
    format!("{patch}-20261112")
}

/// True when vpc-cni is ACTIVE with prefix delegation.
fn prefix_delegation(cluster: &Cluster) -> bool {
    cluster
        .addons
        .get("vpc-cni")
        .filter(|addon| addon.status == Status::Active)
        .and_then(|addon| addon.settings.configuration.as_deref())
        .and_then(|text| serde_json::from_str::<Value>(text).ok())
        .is_some_and(|values| values["env"]["ENABLE_PREFIX_DELEGATION"] == "true")
}

/// Starts nodes: each is an instance with an interface, in the subnets by turns.
pub(super) fn start_nodes(account: &mut Account, cluster_name: &str, name: &str, count: i64) -> Result<(), ApiError> {
    let group = params::nodegroup_mut(account, cluster_name, name)?.clone();
    for subnet_id in group.subnet_ids.iter().cycle().take(usize::try_from(count).unwrap_or(0)) {
        let instance_id = format!("i-{}", account.draw_hex(17));
        ec2::attach_interface(
            account,
            NewInterface {
                subnet_id,
                group_ids: &group.security_group_ids,
                description: String::new(),
                owner: Some(owner(cluster_name, name)),
                instance_id: Some(instance_id.clone()),
                tags: Tags::from([
                    ("cluster.k8s.amazonaws.com/name".to_owned(), cluster_name.to_owned()),
                    ("node.k8s.amazonaws.com/instance_id".to_owned(), instance_id),
                ]),
            },
        )?;
    }
    Ok(())
}

/// The autoscaler asks a group for so many nodes; they start later.
pub fn set_desired(account: &mut Account, cluster_name: &str, name: &str, desired: i64) {
    if let Ok(group) = params::nodegroup_mut(account, cluster_name, name) {
        group.scaling.desired = desired.clamp(group.scaling.min, group.scaling.max);
    }
}

/// Starts what is missing of the nodes that a group is to have.
pub fn start_missing(account: &mut Account, cluster_name: &str, name: &str) {
    let running = i64::try_from(nodes(account, cluster_name, name).count()).unwrap_or(i64::MAX);
    let Ok(group) = params::nodegroup_mut(account, cluster_name, name) else { return };
    let missing = group.scaling.desired - running;
    // It fails only for a missing subnet, and this account never loses one.
    let _ = start_nodes(account, cluster_name, name, missing);
    settle_replicas(account, cluster_name);
}

/// How interfaces of the group's nodes are marked.
pub(super) fn owner(cluster_name: &str, name: &str) -> String {
    format!("nodegroup/{cluster_name}/{name}")
}

/// The nodes of a group: instance and subnet.
pub fn nodes<'a>(
    account: &'a Account,
    cluster_name: &str,
    name: &str,
) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
    let owner = owner(cluster_name, name);
    account
        .ec2
        .network_interfaces
        .values()
        .filter(move |interface| interface.owner.as_ref() == Some(&owner))
        .filter_map(|interface| Some((interface.instance_id.as_deref()?, interface.subnet_id.as_str())))
}

/// Stops all nodes of the group but the first `keep`.
pub(super) fn stop_nodes(account: &mut Account, cluster_name: &str, name: &str, keep: i64) {
    let owner = owner(cluster_name, name);
    let going: Vec<String> = account
        .ec2
        .network_interfaces
        .values()
        .filter(|interface| interface.owner.as_ref() == Some(&owner))
        .skip(usize::try_from(keep).unwrap_or(0))
        .map(|interface| interface.id.clone())
        .collect();
    if account.failure(&owner, "detach").is_some() {
        leak(account, cluster_name, &going);
    }
    ec2::remove_interfaces(account, |interface| going.contains(&interface.id));
}

/// A node that goes while the VPC CNI detaches a second interface of it leaves that one behind
/// (amazon-vpc-cni-k8s#1223); tags: aws/amazon-vpc-cni-k8s, `pkg/awsutils/awsutils.go`.
fn leak(account: &mut Account, cluster_name: &str, going: &[String]) {
    for id in going {
        let Some(primary) = account.ec2.network_interfaces.get(id).cloned() else { continue };
        let instance = primary.instance_id.unwrap_or_default();
        let tags = [
            ("cluster.k8s.amazonaws.com/name", cluster_name),
            ("node.k8s.amazonaws.com/instance_id", instance.as_str()),
            ("eks:eni:owner", "amazon-vpc-cni"),
        ];
        let left = ec2::NewInterface {
            subnet_id: &primary.subnet_id,
            group_ids: &primary.group_ids,
            description: format!("aws-K8S-{instance}"),
            owner: None,
            instance_id: None,
            tags: tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect(),
        };
        // It fails only for a missing subnet, and the node's is there.
        let _ = ec2::attach_interface(account, left);
    }
}

/// `DescribeNodegroup`.
pub(super) fn describe(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    let group = params::nodegroup(cluster, required(params, "nodegroupName")?)?;
    Ok(json!({"nodegroup": answers::nodegroup(&cluster.name, group)}))
}

/// `ListNodegroups`.
pub(super) fn list(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    page_of_names(params, "nodegroups", cluster.nodegroups.keys())
}

/// `DeleteNodegroup`.
pub(super) fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let cluster = params::cluster(account, params, "clusterName")?;
    let cluster_name = cluster.name.clone();
    let name = required(params, "nodegroupName")?;
    let group = params::nodegroup(cluster, name)?;
    let busy = match (group.status, &group.running) {
        (Status::Deleting, _) => {
            return Ok(json!({"nodegroup": answers::nodegroup(&cluster_name, group)}));
        }
        (Status::Creating, _) => Some("its creation".to_owned()),
        (_, Some(running)) => Some(format!("update {}", running.update_id)),
        _ => None,
    };
    if let Some(busy) = busy {
        return Err(in_use(format!("Cannot delete because nodegroup {name} currently has {busy} in progress"))
            .with("clusterName", cluster_name)
            .with("nodegroupName", name));
    }
    let (low, high) = durations::NODEGROUP_DELETE;
    let due = account.draw_due(&format!("nodegroup/{cluster_name}/{name}"), "delete", low, high);
    let group = params::nodegroup_mut(account, &cluster_name, name)?;
    group.status = Status::Deleting;
    group.due_ms = Some(due);
    group.issues.clear();
    Ok(json!({"nodegroup": answers::nodegroup(&cluster_name, group)}))
}
