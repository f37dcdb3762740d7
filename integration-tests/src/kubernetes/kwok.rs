//! Nodes without machines: pods that are bound to them run, as far as the API can tell.
//! Source: <https://kwok.sigs.k8s.io/docs/user/configuration/>

use std::{collections::BTreeMap, process::Command, time::Duration};

use serde_json::{Value, json};

use super::{ControlPlane, process::Process};

/// A kind of node.
#[derive(Debug, Clone)]
pub struct Node {
    /// The beginning of its name.
    pub name: &'static str,
    /// How many.
    pub count: usize,
    /// CPUs.
    pub cpus: u32,
    /// Memory in GiB.
    pub memory_gb: u32,
    /// GPUs.
    pub gpus: u32,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Taints, as the API has them.
    pub taints: Vec<Value>,
}

/// The program; ended with this value.
pub struct Kwok {
    _process: Process,
}

impl Kwok {
    /// Makes the nodes and lets them live.
    ///
    /// # Panics
    /// They do not get ready.
    pub fn start(plane: &ControlPlane, nodes: &[Node]) -> Self {
        let items: Vec<Value> = nodes.iter().flat_map(|kind| (0..kind.count).map(|index| node(kind, index))).collect();
        let count = items.len();
        plane.apply("nodes", &json!({"apiVersion": "v1", "kind": "List", "items": items}));
        let mut command = Command::new(plane.tools().program("kwok"));
        command
            .arg(format!("--kubeconfig={}", plane.kubeconfig().display()))
            .args([
                "--manage-all-nodes=true",
                "--disregard-status-with-annotation-selector=kwok.x-k8s.io/status=custom",
            ])
            .args(["--cidr=10.32.0.0/12", "--node-lease-duration-seconds=0", "--enable-crds="]);
        let process = Process::start(&mut command, &plane.folder().join("kwok.log"));
        plane.wait("nodes are ready", Duration::from_secs(60), || {
            let nodes = plane.get(&["nodes"]);
            let ready = |node: &&Value| {
                let conditions = node.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
                conditions.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
            };
            nodes["items"].as_array().into_iter().flatten().filter(ready).count() >= count
        });
        Self { _process: process }
    }
}

fn node(kind: &Node, index: usize) -> Value {
    let name = format!("{}-{index}", kind.name);
    let mut labels = kind.labels.clone();
    labels.insert("kubernetes.io/hostname".to_owned(), name.clone());
    labels.insert("kubernetes.io/os".to_owned(), "linux".to_owned());
    labels.entry("kubernetes.io/arch".to_owned()).or_insert_with(|| "amd64".to_owned());
    let mut room = json!({
        "cpu": kind.cpus.to_string(), "memory": format!("{}Gi", kind.memory_gb), "pods": "110", "ephemeral-storage": "500Gi",
    });
    if kind.gpus > 0 {
        room["nvidia.com/gpu"] = json!(kind.gpus.to_string());
    }
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0"}},
        "spec": {"taints": kind.taints},
        "status": {"allocatable": room, "capacity": room},
    })
}
