//! Pods: a node is found, the image comes, the process starts, and ends.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{
    super::{
        super::{Account, params::iso_time},
        world::{World, condition, is_deleted, meta},
    },
    scheduler::{Place, is_over, nowhere, places, requested},
};

/// From the node to a process that is ready, in seconds: pulling the image, starting.
const START: (f64, f64) = (8.0, 40.0);
/// Images of several GB: Ray and CUDA.
const START_LARGE: (f64, f64) = (40.0, 120.0);
/// The image is there already.
const START_AGAIN: (f64, f64) = (2.0, 8.0);
/// What a Job's pod works.
const WORK: (f64, f64) = (3.0, 12.0);
/// Pods whose node is gone are noticed.
const END: (f64, f64) = (1.0, 4.0);

pub(super) fn reconcile(account: &mut Account, world: &mut World) {
    let keys: Vec<String> = world.keyed("", "pods", None).map(|(key, _)| key.clone()).collect();
    if keys.is_empty() {
        return;
    }
    end(account, world, &keys);
    devices(world);
    schedule(account, world, &keys);
    let running = Running::now(world);
    for key in &keys {
        if let Some(pod) = world.at(key).filter(|pod| !is_deleted(pod) && !is_over(pod)) {
            run(account, world, &running, key, &pod);
        }
    }
}

/// What is deleted ends, and what has lost its node.
fn end(account: &mut Account, world: &mut World, keys: &[String]) {
    for key in keys {
        let Some(pod) = world.at(key) else { continue };
        let node = pod["spec"]["nodeName"].as_str();
        let lost = node.is_some_and(|node| world.get("", "nodes", "", node).is_none());
        if !is_deleted(&pod) && !lost {
            continue;
        }
        let held = pod["metadata"]["finalizers"].as_array().is_some_and(|all| !all.is_empty());
        if (node.is_none() || lost || world.over(account, key, "end", END, None)) && !held {
            world.remove(key);
        }
    }
}

/// GPUs can be asked for where their device plugin runs.
/// Source: <https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/>
fn devices(world: &mut World) {
    let plugins: Vec<String> = world
        .list("", "pods", None)
        .iter()
        .filter(|pod| condition(pod, "Ready") && images(pod).any(|image| image.contains("device-plugin")))
        .filter_map(|pod| pod["spec"]["nodeName"].as_str().map(str::to_owned))
        .collect();
    for node in plugins {
        let key = format!("/nodes//{node}");
        world.change(&key, |node| {
            let kind = node["metadata"]["labels"]["node.kubernetes.io/instance-type"].as_str().unwrap_or_default();
            let gpus = crate::platform::instance_types::look_up(kind).map_or(0, |found| found.accelerators);
            for map in ["capacity", "allocatable"] {
                if gpus > 0 && node["status"][map].get("nvidia.com/gpu").is_none() {
                    node["status"][map]["nvidia.com/gpu"] = json!(gpus.to_string());
                }
            }
        });
    }
}

fn images(pod: &Value) -> impl Iterator<Item = &str> {
    pod["spec"]["containers"].as_array().into_iter().flatten().filter_map(|container| container["image"].as_str())
}

fn schedule(account: &Account, world: &mut World, keys: &[String]) {
    let waits = |pod: &Value| pod["spec"]["nodeName"].is_null() && !is_deleted(pod) && !is_over(pod);
    let waiting: Vec<&String> = keys.iter().filter(|key| world.at(key).is_some_and(|pod| waits(&pod))).collect();
    if waiting.is_empty() {
        return;
    }
    let mut places = places(world);
    let at = iso_time(account.now_ms);
    for key in waiting {
        let Some(pod) = world.at(key) else { continue };
        let found = super::volumes::zone(world, &pod).and_then(|zone| find(&mut places, &pod, zone.as_deref()));
        match found {
            Ok(node) => world.change(key, |pod| {
                pod["spec"]["nodeName"] = json!(node);
                pod["status"] = json!({
                    "phase": "Pending",
                    "qosClass": pod["status"]["qosClass"],
                    "startTime": at,
                    "conditions": [
                        {"type": "PodScheduled", "status": "True", "lastTransitionTime": at},
                        {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": at},
                    ],
                    "containerStatuses": waiting_for(pod, "ContainerCreating", ""),
                });
            }),
            Err(why) => world.change(key, |pod| {
                if pod["status"]["conditions"][0]["message"] != why.as_str() {
                    pod["status"]["conditions"] = json!([{
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": why,
                        "lastTransitionTime": at,
                    }]);
                }
            }),
        }
    }
}

/// The first node that takes the pod, or why none does.
fn find(places: &mut [Place], pod: &Value, zone: Option<&str>) -> Result<String, String> {
    let mut reasons = Vec::new();
    let asked = requested(&pod["spec"]);
    // The emptiest first, as the scheduler spreads.
    let mut order: Vec<usize> = (0..places.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(places[*at].left.get("cpu").copied().unwrap_or(0)));
    for at in order {
        match places[at].refuses(pod, &asked, zone) {
            None => {
                places[at].take(pod);
                return Ok(meta(&places[at].node, "name").to_owned());
            }
            Some(reason) => reasons.push(reason),
        }
    }
    Err(nowhere(&reasons))
}

fn waiting_for(pod: &Value, reason: &str, message: &str) -> Vec<Value> {
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let mut state = json!({"waiting": {"reason": reason}});
    if !message.is_empty() {
        state["waiting"]["message"] = json!(message);
    }
    containers
        .map(|container| {
            json!({
                "name": container["name"],
                "image": container["image"],
                "ready": false,
                "started": false,
                "restartCount": 0,
                "state": state,
            })
        })
        .collect()
}

/// A pod on its node starts; a Job's works and ends.
/// What runs, so that each pod need not look at all others.
struct Running {
    /// Nodes and the images that are there.
    images: HashSet<(String, String)>,
    /// Namespaces and the Ray clusters whose heads are ready.
    heads: HashSet<(String, String)>,
}

impl Running {
    fn now(world: &World) -> Self {
        let mut now = Self { images: HashSet::new(), heads: HashSet::new() };
        for (_, pod) in world.keyed("", "pods", None).filter(|(_, pod)| condition(pod, "Ready")) {
            let node = pod["spec"]["nodeName"].as_str().unwrap_or_default();
            now.images.extend(images(pod).map(|image| (node.to_owned(), image.to_owned())));
            now.heads.extend(super::ray::head_of(pod));
        }
        now
    }
}

fn run(account: &mut Account, world: &mut World, running: &Running, key: &str, pod: &Value) {
    let Some(node) = pod["spec"]["nodeName"].as_str() else { return };
    if condition(pod, "Ready") {
        let works = pod["spec"]["restartPolicy"] != "Always" && super::workloads::owner_of(pod, "Job").is_some();
        if works && world.over(account, key, "work", WORK, None) {
            let at = iso_time(account.now_ms);
            world.change(key, |pod| finish(pod, &at));
        }
        return;
    }
    let owner = super::workloads::workload_of(pod);
    if let Some(failure) = account.failure(&format!("kubernetes/{owner}"), "create") {
        let statuses = waiting_for(pod, &failure.code.clone(), &failure.message.clone());
        world.change(key, |pod| pod["status"]["containerStatuses"] = json!(statuses));
        return;
    }
    if !super::volumes::ready(world, pod) {
        return;
    }
    let range = start_range(running, pod, node);
    let waits = super::ray::head_for(pod).is_some_and(|head| !running.heads.contains(&head));
    if world.over(account, key, "start", range, None) && !waits {
        let at = iso_time(account.now_ms);
        let number = world.revision();
        world.change(key, |pod| started(pod, &at, number));
    }
}

fn start_range(running: &Running, pod: &Value, node: &str) -> (f64, f64) {
    let first = images(pod).next().unwrap_or_default();
    let there = running.images.contains(&(node.to_owned(), first.to_owned()));
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let gpu = containers.into_iter().any(|container| container["resources"]["limits"].get("nvidia.com/gpu").is_some());
    match () {
        () if there => START_AGAIN,
        () if gpu || first.contains("rayproject/ray") || first.contains("cuda") => START_LARGE,
        () => START,
    }
}

fn started(pod: &mut Value, at: &str, number: u64) {
    let statuses: Vec<Value> = pod["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|container| {
            json!({
                "name": container["name"],
                "image": container["image"],
                "ready": true,
                "started": true,
                "restartCount": 0,
                "state": {"running": {"startedAt": at}},
            })
        })
        .collect();
    let met = |kind: &str| json!({"type": kind, "status": "True", "lastTransitionTime": at});
    pod["status"] = json!({
        "phase": "Running",
        "qosClass": pod["status"]["qosClass"],
        "startTime": pod["status"]["startTime"],
        "podIP": format!("10.0.{}.{}", (number / 250) % 250, 2 + number % 250),
        "conditions": [met("PodScheduled"), met("Initialized"), met("ContainersReady"), met("Ready")],
        "containerStatuses": statuses,
    });
}

fn finish(pod: &mut Value, at: &str) {
    pod["status"]["phase"] = json!("Succeeded");
    for condition in pod["status"]["conditions"].as_array_mut().into_iter().flatten() {
        if condition["type"] == "Ready" || condition["type"] == "ContainersReady" {
            *condition = json!({
                "type": condition["type"], "status": "False", "reason": "PodCompleted", "lastTransitionTime": at,
            });
        }
    }
    for container in pod["status"]["containerStatuses"].as_array_mut().into_iter().flatten() {
        container["ready"] = json!(false);
        container["state"] = json!({"terminated": {"exitCode": 0, "reason": "Completed", "finishedAt": at}});
    }
}
