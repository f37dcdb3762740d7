//! Nodes without machines: pods that are bound to them run, as far as the API can tell; Jobs
//! succeed at once; claims get volumes.
//! Source: <https://kwok.sigs.k8s.io/docs/user/configuration/>

use std::{collections::BTreeMap, fs, time::Duration};

use rayplat_resources::kubernetes::verify::LABEL;
use serde_json::{Value, json};

use super::{ControlPlane, process::Process};

/// A kind of node.
#[derive(Debug, Clone)]
pub struct Node {
    /// The beginning of its name; an index follows.
    pub name: &'static str,
    /// How many.
    pub count: usize,
    /// CPUs.
    pub cpus: u32,
    /// Memory in GiB.
    pub memory_gb: u32,
    /// GPUs, as the device plugin reports them.
    pub gpus: u32,
    /// How many pods it takes.
    pub pods: u32,
    /// Labels; those of name, system and architecture (`kubernetes.io/arch`, else `amd64`) are
    /// there anyway.
    pub labels: BTreeMap<String, String>,
    /// Taints, as the API has them.
    pub taints: Vec<Value>,
}

impl Default for Node {
    /// One node of 4 CPUs and 16 GiB.
    fn default() -> Self {
        Self {
            name: "node",
            count: 1,
            cpus: 4,
            memory_gb: 16,
            gpus: 0,
            pods: 110,
            labels: BTreeMap::new(),
            taints: Vec::new(),
        }
    }
}

/// The program; ended with this value.
#[derive(Debug)]
pub struct Kwok {
    _process: Process,
}

impl Kwok {
    /// Makes the nodes and lets them live, and those that are made later.
    ///
    /// # Panics
    /// They do not get ready.
    pub fn start(plane: &ControlPlane, nodes: &[Node]) -> Self {
        let stages = plane.folder().join("stages.yaml");
        fs::write(&stages, stages_of(plane)).unwrap_or_else(|error| panic!("{}: {error}", stages.display()));
        let mut process = Process::start(plane.tools(), "kwok", &plane.folder().join("kwok.log"), |command| {
            command
                .arg(format!("--kubeconfig={}", plane.kubeconfig().display()))
                .arg(format!("--config={}", stages.display()))
                // Leases of 200 nodes are renewed four times a second.
                .args(["--manage-all-nodes=true", "--node-lease-duration-seconds=200", "--cidr=10.32.0.0/12"]);
        });
        add_nodes(plane, nodes);
        process.must_run();
        Self { _process: process }
    }
}

/// The stages, without the pods whose programs a [`super::Host`] runs: those say by themselves
/// when they are ready.
fn stages_of(plane: &ControlPlane) -> String {
    let file = plane.tools().stages();
    let stages = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let ready = stages.find("name: pod-ready").unwrap_or_else(|| panic!("{}: no stage pod-ready", file.display()));
    let (before, stage) = stages.split_at(ready);
    let mark = "matchExpressions:\n";
    let at =
        stage.find(mark).unwrap_or_else(|| panic!("{}: pod-ready has no expressions", file.display())) + mark.len();
    let indent: String = stage[at..].chars().take_while(|char| *char == ' ').collect();
    let ours = format!("{indent}- key: '.metadata.labels[\"{LABEL}\"]'\n{indent}  operator: DoesNotExist\n");
    format!("{before}{}{ours}{}", &stage[..at], &stage[at..])
}

/// Makes nodes, which become ready where kwok runs.
///
/// # Panics
/// They do not.
pub fn add_nodes(plane: &ControlPlane, nodes: &[Node]) {
    let items: Vec<Value> = nodes.iter().flat_map(|kind| (0..kind.count).map(|index| node(kind, index))).collect();
    let count = items.len();
    plane.apply("nodes", &json!({"apiVersion": "v1", "kind": "List", "items": items}));
    let made = |name: &str| nodes.iter().any(|kind| name.starts_with(&format!("{}-", kind.name)));
    plane.wait("nodes are ready", Duration::from_secs(120), || {
        let all = plane.get(&["nodes"]);
        let ready = |node: &&Value| {
            let conditions = node["status"]["conditions"].as_array().into_iter().flatten();
            // The controllers take this taint away once they have seen the condition.
            let taints = node["spec"]["taints"].as_array().into_iter().flatten();
            made(node["metadata"]["name"].as_str().unwrap_or_default())
                && conditions.into_iter().any(|one| one["type"] == "Ready" && one["status"] == "True")
                && !taints.into_iter().any(|one| one["key"] == "node.kubernetes.io/not-ready")
        };
        all["items"].as_array().into_iter().flatten().filter(ready).count() >= count
    });
}

fn node(kind: &Node, index: usize) -> Value {
    let name = format!("{}-{index}", kind.name);
    let mut labels = kind.labels.clone();
    for (key, value) in [("hostname", name.as_str()), ("os", "linux"), ("arch", "amd64")] {
        labels.entry(format!("kubernetes.io/{key}")).or_insert_with(|| value.to_owned());
    }
    let arch = labels["kubernetes.io/arch"].clone();
    let mut room = json!({
        "cpu": kind.cpus.to_string(), "memory": format!("{}Gi", kind.memory_gb), "pods": kind.pods.to_string(),
        "ephemeral-storage": "500Gi",
    });
    if kind.gpus > 0 {
        room["nvidia.com/gpu"] = json!(kind.gpus.to_string());
    }
    // Kwok fills in what is empty.
    let about = json!({
        "architecture": arch, "operatingSystem": "linux", "bootID": "", "containerRuntimeVersion": "", "kernelVersion": "",
        "kubeProxyVersion": "", "kubeletVersion": "", "machineID": "", "osImage": "", "systemUUID": "",
    });
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
        "spec": {"taints": kind.taints},
        "status": {"allocatable": room, "capacity": room, "nodeInfo": about},
    })
}
