//! What stands in every cluster, and what follows the account: nodes and the objects of addons.

use serde_json::{Map, Value, json};

use super::{
    super::{Account, eks},
    controllers::addon_objects,
    kinds::Resource,
    world::{World, key, meta},
};
use crate::platform::instance_types;

/// Makes what a new cluster has.
/// Source: `kubectl get all,sc,pc -A` on a new EKS cluster of 1.35.
pub(super) fn found(account: &mut Account, world: &mut World) {
    for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
        system(account, world, "Namespace", "", json!({"metadata": {"name": name}}));
    }
    let spec = json!({
        "clusterIP": "10.100.0.1",
        "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 443}],
    });
    let service = json!({
        "metadata": {"name": "kubernetes", "labels": {"component": "apiserver", "provider": "kubernetes"}},
        "spec": spec,
    });
    system(account, world, "Service", "default", service);
    // Not a default one since 1.30.
    let class = json!({
        "metadata": {"name": "gp2"},
        "provisioner": "kubernetes.io/aws-ebs",
        "parameters": {"fsType": "ext4", "type": "gp2"},
        "volumeBindingMode": "WaitForFirstConsumer",
    });
    system(account, world, "StorageClass", "", class);
    for (name, value) in [("system-cluster-critical", 2_000_000_000), ("system-node-critical", 2_000_001_000)] {
        system(account, world, "PriorityClass", "", json!({"metadata": {"name": name}, "value": value}));
    }
    for name in ["admin", "cluster-admin", "edit", "view"] {
        let rules =
            json!([{"apiGroups": ["*"], "resources": ["*"], "verbs": [if name == "view" { "get" } else { "*" }]}]);
        system(account, world, "ClusterRole", "", json!({"metadata": {"name": name}, "rules": rules}));
    }
}

/// Puts an object of a built-in kind that the system makes, unless it is there; its key.
pub(super) fn system(account: &mut Account, world: &mut World, kind: &str, namespace: &str, object: Value) -> String {
    match Resource::named(kind) {
        Some(resource) => place(account, world, &resource, namespace, object),
        None => String::new(),
    }
}

/// The same of any kind.
pub(super) fn place(
    account: &mut Account,
    world: &mut World,
    resource: &Resource,
    namespace: &str,
    mut object: Value,
) -> String {
    let key = key(&resource.group, &resource.plural, namespace, meta(&object, "name"));
    if world.at(&key).is_some() {
        return key;
    }
    object["apiVersion"] = json!(resource.api_version());
    object["kind"] = json!(resource.kind);
    if resource.namespaced {
        object["metadata"]["namespace"] = json!(namespace);
    }
    if resource.counts_generations() {
        object["metadata"]["generation"] = json!(1);
    }
    let mut object = super::world::born(account, object);
    super::defaults::strip_nulls(&mut object);
    match resource.schema() {
        Some(schema) => super::custom::normalise(&mut object, schema),
        None => super::defaults::normalise(account, world, resource, &mut object, None),
    }
    world.put(&key, object);
    key
}

/// A node that is to be.
struct Machine {
    name: String,
    object: Value,
}

/// Nodes and addons as the account has them now; does it differ from what was there?
pub(super) fn follow(account: &mut Account, world: &mut World, cluster: &str) {
    let Some(standing) = account.eks.clusters.get(cluster) else { return };
    let addons: Vec<(String, Option<String>)> = standing
        .addons
        .values()
        .filter(|addon| !matches!(addon.status, eks::Status::CreateFailed))
        .map(|addon| (addon.name.clone(), addon.settings.configuration.clone()))
        .chain(standing.preserved_addons().map(|name| (name.to_owned(), None)))
        .collect();
    let mut signs = vec![format!("{addons:?}")];
    for group in standing.nodegroups.values() {
        let nodes: Vec<&str> = eks::nodes(account, cluster, &group.name).map(|(instance, _)| instance).collect();
        signs.push(format!("{} {} {nodes:?} {:?} {:?}", group.name, has_nodes(group), group.labels, group.taints));
    }
    let surroundings = signs.join("\n");
    if surroundings == world.surroundings {
        return;
    }
    if world.surroundings.is_empty() {
        found(account, world);
    }
    world.surroundings = surroundings;
    follow_nodes(account, world, cluster);
    addon_objects::follow(account, world, &addons);
}

fn has_nodes(group: &eks::Nodegroup) -> bool {
    use eks::Status::{Active, Degraded, Deleting, Updating};
    // Nodes of a group that goes away stay to its end.
    matches!(group.status, Active | Updating | Degraded | Deleting)
}

fn follow_nodes(account: &mut Account, world: &mut World, cluster: &str) {
    let machines = machines(account, cluster);
    let gone: Vec<String> = world
        .keyed("", "nodes", None)
        .filter(|(_, node)| machines.iter().all(|machine| machine.name != meta(node, "name")))
        .map(|(key, _)| key.clone())
        .collect();
    for key in gone {
        world.remove(&key);
    }
    for machine in machines {
        let key = system(account, world, "Node", "", machine.object.clone());
        world.change(&key, |node| {
            node["metadata"]["labels"] = machine.object["metadata"]["labels"].clone();
            let ours = |taint: &&Value| taint["key"].as_str().is_some_and(|key| key.starts_with("node.kubernetes.io/"));
            let mut taints: Vec<Value> =
                node["spec"]["taints"].as_array().into_iter().flatten().filter(ours).cloned().collect();
            taints.extend(machine.object["spec"]["taints"].as_array().into_iter().flatten().cloned());
            match (taints.is_empty(), node["spec"].as_object_mut()) {
                (true, Some(spec)) => drop(spec.shift_remove("taints")),
                _ => node["spec"]["taints"] = json!(taints),
            }
        });
    }
}

/// The nodes of a cluster.
fn machines(account: &Account, cluster: &str) -> Vec<Machine> {
    let Some(standing) = account.eks.clusters.get(cluster) else { return Vec::new() };
    let mut machines = Vec::new();
    for group in standing.nodegroups.values().filter(|group| has_nodes(group)) {
        for (instance, subnet) in eks::nodes(account, cluster, &group.name) {
            let zone = account.ec2.subnets.get(subnet).map(|subnet| subnet.zone.clone()).unwrap_or_default();
            let address = account
                .ec2
                .network_interfaces
                .values()
                .find(|interface| interface.instance_id.as_deref() == Some(instance))
                .map(|interface| interface.private_ip.to_string())
                .unwrap_or_default();
            // https://docs.aws.amazon.com/vpc/latest/userguide/vpc-dns.html
            let suffix = if account.region == "us-east-1" {
                "ec2.internal".to_owned()
            } else {
                format!("{}.compute.internal", account.region)
            };
            let name = format!("ip-{}.{suffix}", address.replace('.', "-"));
            let mut object = node(group, &zone, &account.region, &name);
            object["spec"]["providerID"] = json!(format!("aws:///{zone}/{instance}"));
            object["status"]["addresses"] = json!([
                {"type": "InternalIP", "address": address},
                {"type": "Hostname", "address": name},
            ]);
            machines.push(Machine { name, object });
        }
    }
    machines
}

/// A node of a group, as far as the group decides.
pub(super) fn node(group: &eks::Nodegroup, zone: &str, region: &str, name: &str) -> Value {
    let kind = group.effective_types.first().map_or("t3.medium", String::as_str);
    let arm = instance_types::architecture(kind) == instance_types::Architecture::Arm64;
    let mut labels: Map<String, Value> = group.labels.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    for (key, value) in [
        ("eks.amazonaws.com/nodegroup", group.name.as_str()),
        ("eks.amazonaws.com/capacityType", group.capacity_type.as_str()),
        ("kubernetes.io/arch", if arm { "arm64" } else { "amd64" }),
        ("kubernetes.io/hostname", name),
        ("kubernetes.io/os", "linux"),
        ("node.kubernetes.io/instance-type", kind),
        ("topology.kubernetes.io/region", region),
        ("topology.kubernetes.io/zone", zone),
        ("topology.ebs.csi.aws.com/zone", zone),
    ] {
        labels.insert(key.to_owned(), json!(value));
    }
    let taints: Vec<Value> = group
        .taints
        .iter()
        .map(|taint| {
            let effect = match taint.effect.as_str() {
                "NO_EXECUTE" => "NoExecute",
                "PREFER_NO_SCHEDULE" => "PreferNoSchedule",
                _ => "NoSchedule",
            };
            let mut shown = json!({"key": taint.key, "effect": effect});
            if let Some(value) = &taint.value {
                shown["value"] = json!(value);
            }
            shown
        })
        .collect();
    let mut spec = json!({});
    if !taints.is_empty() {
        spec["taints"] = json!(taints);
    }
    let (mut capacity, mut allocatable) = room(group, kind);
    // Bottlerocket has the device plugin in its image.
    // <https://docs.aws.amazon.com/eks/latest/userguide/ml-eks-k8s-device-plugin.html>
    if group.ami_type.starts_with("BOTTLEROCKET") && group.ami_type.ends_with("NVIDIA") {
        let gpus = instance_types::look_up(kind).map_or(0, |found| found.accelerators);
        capacity["nvidia.com/gpu"] = json!(gpus.to_string());
        allocatable["nvidia.com/gpu"] = json!(gpus.to_string());
    }
    json!({
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
        "status": {
            "capacity": capacity,
            "allocatable": allocatable,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}],
            "nodeInfo": {
                "kubeletVersion": format!("v{}-eks-0000000", group.version),
                "architecture": if arm { "arm64" } else { "amd64" },
                "operatingSystem": "linux",
                "containerRuntimeVersion": "containerd://2.1.4",
            },
        },
    })
}

/// What a node has, and what of it pods may have.
/// Source: amazon-eks-ami, `nodeadm` (`kubelet/config.go`): reserved memory is 11 MiB a pod and 255 MiB,
/// reserved cores 6 % of the first, 1 % of the second, 0.5 % of the next two, 0.25 % of the rest;
/// eviction begins at 100 MiB.
fn room(group: &eks::Nodegroup, kind: &str) -> (Value, Value) {
    let (vcpus, gib) = instance_types::look_up(kind).map_or((2, 4), |found| (found.vcpus, found.memory_gib));
    let pods = group.max_pods;
    // The hypervisor and the kernel take some.
    let memory_mib = u64::from(gib) * 1024 * 96 / 100;
    let reserved_mib = 11 * u64::from(pods) + 255 + 100;
    let rest = vcpus.saturating_sub(4);
    let reserved_cpu = (60 + if vcpus > 1 { 10 } else { 0 } + vcpus.saturating_sub(2).min(2) * 5) + rest * 5 / 2;
    let disk_gib = group.disk_size.unwrap_or(100);
    let capacity = json!({
        "cpu": vcpus.to_string(),
        "memory": format!("{memory_mib}Mi"),
        "pods": pods.to_string(),
        "ephemeral-storage": format!("{disk_gib}Gi"),
    });
    let allocatable = json!({
        "cpu": format!("{}m", vcpus * 1000 - reserved_cpu),
        "memory": format!("{}Mi", memory_mib.saturating_sub(reserved_mib)),
        "pods": pods.to_string(),
        "ephemeral-storage": format!("{}Gi", disk_gib * 9 / 10),
    });
    (capacity, allocatable)
}
