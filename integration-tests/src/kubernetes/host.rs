//! A host for pods whose programs must run in earnest: the probes of `rayplat verify`, and Ray
//! itself. It looks at the pods that the API server has, as a kubelet does, and runs processes
//! for them; kwok does the rest of the pods.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use rayplat_resources::kubernetes::verify::LABEL;
use serde_json::{Value, json};

use super::ControlPlane;
use crate::ray::{Group, LocalRay, Nodes, WORKER};

/// What the host runs.
pub struct Hosted {
    /// Python for probes, and Ray's programs beside it.
    pub bin: PathBuf,
    /// A Ray for the pods of the RayCluster; `None`: only probes run.
    pub ray: Option<LocalRay>,
    /// Names that probes are given, with what they are called here.
    pub names: Vec<(String, String)>,
}

/// Runs until this value ends.
pub struct Host {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Host {
    /// Runs what the pods of the namespace `ray` say.
    pub fn start(plane: &Arc<ControlPlane>, hosted: Hosted) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (plane, stopped) = (plane.clone(), stop.clone());
        let thread = std::thread::spawn(move || {
            let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
            let nodes = hosted.ray.map(|how| Nodes::new(&hosted.bin, how));
            let mut kubelet = Kubelet { plane, hosted, folder, nodes, running: BTreeMap::new() };
            while !stopped.load(Ordering::Relaxed) {
                kubelet.look();
                std::thread::sleep(Duration::from_millis(300));
            }
        });
        Self { stop, thread: Some(thread) }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        if matches!(ended, Some(Err(_))) && !std::thread::panicking() {
            panic!("the host of pods failed; its message is above");
        }
    }
}

struct Kubelet {
    plane: Arc<ControlPlane>,
    hosted: Hosted,
    folder: tempfile::TempDir,
    nodes: Option<Nodes>,
    /// By the pods' uids.
    running: BTreeMap<String, Running>,
}

struct Running {
    group: Group,
    pod: String,
    /// A node of Ray's, of this type.
    ray: Option<String>,
    ready: bool,
    done: bool,
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

impl Kubelet {
    fn look(&mut self) {
        let pods = self.plane.get(&["pods", "-n", "ray"]);
        let pods: Vec<&Value> = pods["items"].as_array().into_iter().flatten().collect();
        let stays = |uid: &String| {
            pods.iter()
                .any(|pod| text(pod, "/metadata/uid") == uid && text(pod, "/metadata/deletionTimestamp").is_empty())
        };
        // Whoever's pod is deleted is killed. A worker that found no head in time starts again.
        self.running.retain(|uid, one| stays(uid) && !(one.ray.is_some() && one.group.ended()));
        for pod in &pods {
            let uid = text(pod, "/metadata/uid");
            let bound = !text(pod, "/spec/nodeName").is_empty();
            if !bound || !stays(&uid.to_owned()) || self.running.contains_key(uid) {
                continue;
            }
            if !text(pod, &format!("/metadata/labels/{}", LABEL.replace('/', "~1"))).is_empty() {
                self.probe(pod, &pods);
            } else if self.nodes.is_some() {
                self.ray(pod);
            }
        }
        self.tell();
    }

    /// Starts a node of Ray's; one of each type is enough.
    fn ray(&mut self, pod: &Value) {
        let node_type = text(pod, "/metadata/labels/ray.io~1node-type").to_owned();
        if self.running.values().any(|one| one.ray.as_ref() == Some(&node_type)) {
            return;
        }
        let environment = self.environment(pod);
        let Some(nodes) = &mut self.nodes else { return };
        let group = match node_type.as_str() {
            "head" => nodes.head(&environment),
            "worker" => nodes.worker(&environment),
            _ => return,
        };
        self.keep(pod, group, Some(node_type));
    }

    fn probe(&mut self, pod: &Value, all: &[&Value]) {
        let uid = text(pod, "/metadata/uid");
        let mut command: Vec<String> = pod
            .pointer("/spec/containers/0/command")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|word| word.as_str().unwrap_or_default().to_owned())
            .collect();
        // What the probe is given has the cluster's names and addresses in it.
        if let Some(asked) = command.last_mut() {
            let workers = all.iter().filter(|pod| text(pod, "/metadata/labels/ray.io~1node-type") == "worker");
            for ip in workers.map(|pod| text(pod, "/status/podIP")).filter(|ip| !ip.is_empty()) {
                *asked = asked.replace(&format!("//{ip}:"), &format!("//{WORKER}:"));
            }
            let mut names = self.hosted.names.clone();
            let head = "ray-head-svc.ray.svc.cluster.local:8265".to_owned();
            names.extend(self.nodes.as_ref().map(|nodes| (head, nodes.dashboard())));
            for (from, to) in names {
                *asked = asked.replace(&from, &to);
            }
        }
        assert_eq!(command.first().map(String::as_str), Some("python"), "{command:?}");
        let mut run = Command::new(self.hosted.bin.join("python"));
        run.args(&command[1..])
            .envs(self.environment(pod))
            .env("RAYPLAT_READY", self.folder.path().join(format!("{uid}.ready")))
            .env("RAYPLAT_ANSWER", self.folder.path().join(format!("{uid}.answer")));
        let group = Group::start(&mut run, &self.folder.path().join(format!("{uid}.log")));
        self.keep(pod, group, None);
    }

    fn keep(&mut self, pod: &Value, group: Group, ray: Option<String>) {
        let name = text(pod, "/metadata/name").to_owned();
        let running = Running { group, pod: name, ray, ready: false, done: false };
        self.running.insert(text(pod, "/metadata/uid").to_owned(), running);
    }

    /// What a pod's container finds in its environment of Ray's authentication.
    fn environment(&self, pod: &Value) -> Vec<(String, String)> {
        let all = pod.pointer("/spec/containers/0/env").and_then(Value::as_array).into_iter().flatten();
        let ours = all.filter(|one| text(one, "/name").starts_with("RAY_AUTH_"));
        ours.map(|one| {
            let secret = text(one, "/valueFrom/secretKeyRef/name");
            let value = if secret.is_empty() {
                text(one, "/value").to_owned()
            } else {
                let path =
                    format!("go-template={{{{.data.{} | base64decode}}}}", text(one, "/valueFrom/secretKeyRef/key"));
                self.plane.kubectl_ok(&["get", "secret", "-n", "ray", secret, "-o", &path])
            };
            (text(one, "/name").to_owned(), value)
        })
        .collect()
    }

    /// Tells the API server how probes are.
    fn tell(&mut self) {
        let mut told = Vec::new();
        for (uid, one) in self.running.iter_mut().filter(|(_, one)| one.ray.is_none() && !one.done) {
            let condition = |ready: &str| json!([{"type": "Ready", "status": ready}]);
            if one.group.ended() {
                one.done = true;
                // Nothing, if it died before it had an answer.
                let answer = fs::read_to_string(self.folder.path().join(format!("{uid}.answer"))).unwrap_or_default();
                let log = fs::read_to_string(self.folder.path().join(format!("{uid}.log"))).unwrap_or_default();
                let message = if answer.is_empty() { log } else { answer };
                let state = json!({"terminated": {"exitCode": 0, "reason": "Completed", "message": message}});
                told.push((
                    one.pod.clone(),
                    json!({"phase": "Succeeded", "conditions": condition("False"), "containerStatuses": [{
                        "name": "probe", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state,
                    }]}),
                ));
            } else if !one.ready && self.folder.path().join(format!("{uid}.ready")).exists() {
                one.ready = true;
                told.push((one.pod.clone(), json!({"phase": "Running", "conditions": condition("True")})));
            }
        }
        for (pod, status) in told {
            let patch = json!({"status": status}).to_string();
            // Whoever asked may have taken the pod away meanwhile.
            drop(self.plane.kubectl(&[
                "patch",
                "pod",
                &pod,
                "-n",
                "ray",
                "--subresource=status",
                "--type=merge",
                "-p",
                &patch,
            ]));
        }
    }
}
