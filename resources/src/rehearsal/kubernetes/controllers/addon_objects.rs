//! What EKS's addons put into a cluster, as far as something else looks at it.
//! Source: the manifests in `aws eks describe-addon-configuration` and the charts of the projects.

use serde_json::{Value, json};

use super::super::{
    super::Account,
    base::system,
    delete::mark,
    world::{World, key},
};

const NAMESPACE: &str = "kube-system";

/// An object: kind, name, and what is in it.
type Part = (&'static str, Value);

fn pods(name: &str, image: &str, cpu: &str, daemon: bool) -> Value {
    let mut pods = json!({
        "serviceAccountName": name,
        "priorityClassName": if daemon { "system-node-critical" } else { "system-cluster-critical" },
        "containers": [{"name": name, "image": image, "resources": {"requests": {"cpu": cpu, "memory": "64Mi"}}}],
    });
    if daemon {
        pods["hostNetwork"] = json!(true);
        pods["tolerations"] = json!([{"operator": "Exists"}]);
    } else {
        pods["tolerations"] = json!([{"key": "CriticalAddonsOnly", "operator": "Exists"}]);
    }
    json!({"metadata": {"labels": {"k8s-app": name}}, "spec": pods})
}

fn daemon_set(name: &str, image: &str, cpu: &str) -> Part {
    let spec = json!({"selector": {"matchLabels": {"k8s-app": name}}, "template": pods(name, image, cpu, true)});
    ("DaemonSet", json!({"metadata": {"name": name}, "spec": spec}))
}

fn deployment(name: &str, image: &str, cpu: &str, replicas: i64) -> Part {
    let spec = json!({
        "replicas": replicas,
        "selector": {"matchLabels": {"k8s-app": name}},
        "template": pods(name, image, cpu, false),
    });
    ("Deployment", json!({"metadata": {"name": name}, "spec": spec}))
}

/// What an addon brings.
fn parts(addon: &str, configuration: Option<&str>) -> Vec<Part> {
    let values: Value = configuration.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let account = |name: &str| ("ServiceAccount", json!({"metadata": {"name": name}}));
    match addon {
        "vpc-cni" => vec![account("aws-node"), daemon_set("aws-node", "amazon-k8s-cni:v1.21.1", "50m")],
        "kube-proxy" => vec![account("kube-proxy"), daemon_set("kube-proxy", "eks/kube-proxy:v1", "100m")],
        "eks-pod-identity-agent" => {
            vec![daemon_set("eks-pod-identity-agent", "eks/eks-pod-identity-agent:v0.1", "10m")]
        }
        "coredns" => {
            let least =
                values["autoScaling"]["minReplicas"].as_i64().filter(|_| values["autoScaling"]["enabled"] == true);
            let replicas = least.or_else(|| values["replicaCount"].as_i64()).unwrap_or(2);
            let ports = json!([{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53}]);
            let spec = json!({"clusterIP": "10.100.0.10", "selector": {"k8s-app": "coredns"}, "ports": ports});
            vec![
                account("coredns"),
                deployment("coredns", "eks/coredns:v1.12", "100m", replicas),
                ("Service", json!({"metadata": {"name": "kube-dns"}, "spec": spec})),
            ]
        }
        "aws-ebs-csi-driver" => vec![
            account("ebs-csi-controller-sa"),
            deployment("ebs-csi-controller", "ebs-csi-driver/aws-ebs-csi-driver:v1.53", "10m", 2),
            daemon_set("ebs-csi-node", "ebs-csi-driver/aws-ebs-csi-driver:v1.53", "10m"),
            ("CSIDriver", json!({"metadata": {"name": "ebs.csi.aws.com"}, "spec": {}})),
        ],
        "metrics-server" => vec![deployment("metrics-server", "eks/metrics-server:v0.8", "100m", 2)],
        _ => Vec::new(),
    }
}

const MARK: &str = "eks.amazonaws.com/component";

/// Puts the addons' objects where they are missing, and takes away those of addons that are gone.
pub(in crate::rehearsal::kubernetes) fn follow(
    account: &mut Account,
    world: &mut World,
    addons: &[(String, Option<String>)],
) {
    for (addon, configuration) in addons {
        for (kind, mut object) in parts(addon, configuration.as_deref()) {
            object["metadata"]["labels"][MARK] = json!(addon);
            let namespace = if kind == "CSIDriver" { "" } else { NAMESPACE };
            let replicas = object["spec"]["replicas"].clone();
            let placed = system(account, world, kind, namespace, object);
            world.change(&placed, |object| {
                if replicas.is_number() && object["spec"]["replicas"] != replicas {
                    object["spec"]["replicas"] = replicas;
                    let generation = object["metadata"]["generation"].as_u64().unwrap_or(1);
                    object["metadata"]["generation"] = json!(generation + 1);
                }
            });
        }
    }
    let stale: Vec<String> = world
        .everything()
        .filter_map(|(key, object)| {
            let of = object["metadata"]["labels"][MARK].as_str()?;
            let gone = object["kind"] != "Pod" && addons.iter().all(|(addon, _)| addon != of);
            gone.then(|| key.clone())
        })
        .collect();
    for key in stale {
        mark(account, world, &key, None);
    }
}

/// Is there a driver that makes EBS volumes, with a controller that works?
pub(super) fn provisions(world: &World) -> bool {
    let driver = world.at(&key("storage.k8s.io", "csidrivers", "", "ebs.csi.aws.com"));
    driver.is_some() && super::workloads::runs(world, "ebs-csi-driver")
}
