//! Everything that a platform puts into its cluster, with everything switched on.
#![allow(clippy::unwrap_used)]

mod mistakes;
mod pod_security;

use jiff::civil::date;
use rayplat_engine::value::Lookup;
use serde_json::{Value, json};

use crate::platform::{Setting, build, manifest};

const QUICKSTART: &str = include_str!("../../../../../examples/quickstart.yaml");

/// Manifests that together have every object that there can be.
const EVERYTHING: [&str; 2] = [
    "
termination_handler: {enabled: true}
backup: {enabled: true}
ray:
  workers: {cpu: {min: 2}, gpu: {}}
  jobs: {train: {entrypoint: python train.py}}
monitoring: {dashboards: true, pod_monitors: true, namespace: prometheus, labels: {release: stack}}
",
    "
termination_handler: {enabled: true, mode: queue}
ray: {autoscaling: false, token_auth: false, serve: {applications: []}}
",
];

/// The objects of the quick start with `more`; a text stands for what is known later.
fn objects(more: &str) -> Vec<Value> {
    let text = format!("{QUICKSTART}{more}");
    let loaded = manifest::load("rayplat.yaml", text.as_bytes(), date(2026, 11, 24));
    let manifest = loaded.unwrap_or_else(|found| panic!("{found}")).manifest;
    let setting = Setting {
        partition: "aws".into(),
        account: "123456789012".into(),
        region: "us-east-1".into(),
        caller_arn: "arn:aws:iam::123456789012:role/caller".into(),
        zones: Vec::new(),
    };
    let platform = build(&manifest, &setting).unwrap();
    let inside = platform.stack.resources().filter(|resource| resource.urn.kind().starts_with("kubernetes:"));
    let inputs = inside.map(|resource| resource.inputs.eval(&|_, _| Lookup::Known("known-later".into())).unwrap());
    let objects: Vec<Value> = inputs.filter_map(|inputs| inputs.get("manifest")?.known().cloned()).collect();
    assert!(objects.len() > 30, "{}", objects.len());
    objects
}

fn of_kind<'a>(objects: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    objects.iter().filter(move |object| object["kind"] == kind)
}

fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// What can be found is found: nothing that has pods is looked over.
#[test]
fn everything_is_everything() {
    let all: Vec<Value> = EVERYTHING.iter().flat_map(|more| objects(more)).collect();
    let mut kinds: Vec<&str> = all
        .iter()
        .filter(|object| !crate::kubernetes::sanity::pods(object).is_empty())
        .map(|object| text(object, "/kind"))
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, ["DaemonSet", "Deployment", "RayCluster", "RayJob", "RayService", "StatefulSet"]);
    let has_pods = |object: &&Value| object.to_string().contains("\"containers\":[{\"");
    for object in all.iter().filter(has_pods).filter(|object| object["kind"] != "CustomResourceDefinition") {
        assert!(!crate::kubernetes::sanity::pods(object).is_empty(), "{object}");
    }
}

/// Who may reach Ray's metrics may reach nothing else, and only where it is named.
#[test]
fn prometheus_comes_in_for_metrics_alone() {
    let comes_in = |more: &str| {
        let objects = objects(more);
        let policy = of_kind(&objects, "NetworkPolicy").find(|policy| text(policy, "/metadata/name") == "in").unwrap();
        policy["spec"]["ingress"].as_array().unwrap().clone()
    };
    let [_, prometheus]: [Value; 2] = comes_in(EVERYTHING[0]).try_into().unwrap();
    let named = json!({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "prometheus"}}});
    assert_eq!(prometheus, json!({"from": [named], "ports": [{"protocol": "TCP", "port": 8080}]}));
    assert_eq!(comes_in(EVERYTHING[1]).len(), 1);
}
