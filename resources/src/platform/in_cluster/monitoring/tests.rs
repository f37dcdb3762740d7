//! Dashboards that Grafana can read, with metrics that there are.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use jiff::civil::date;

use super::*;
use crate::platform::manifest;

const QUICKSTART: &str = include_str!("../../../../../examples/quickstart.yaml");
const EVERYTHING: &str = "ray: {serve: {applications: []}}\n\
    monitoring: {dashboards: true, pod_monitors: true, namespace: prometheus, labels: {release: stack}}\n";

/// What kube-state-metrics, cAdvisor and Ray tell, of what is asked for here.
/// Source: <https://github.com/kubernetes/kube-state-metrics/tree/main/docs/metrics>,
/// <https://docs.ray.io/en/latest/ray-observability/reference/system-metrics.html>,
/// <https://docs.ray.io/en/latest/serve/monitoring.html#built-in-ray-serve-metrics>
const METRICS: [&str; 32] = [
    "container_cpu_usage_seconds_total",
    "kube_node_labels",
    "kube_node_status_allocatable",
    "kube_node_status_condition",
    "kube_persistentvolumeclaim_info",
    "kube_persistentvolumeclaim_resource_requests_storage_bytes",
    "kube_pod_container_resource_requests",
    "kube_pod_container_status_restarts_total",
    "kube_pod_status_phase",
    "kube_pod_status_ready",
    "kube_statefulset_status_replicas_ready",
    "label_node_kubernetes_io_instance_type",
    "label_rayplat_io_capacity",
    "label_rayplat_io_pool",
    "ray_cluster_active_nodes",
    "ray_cluster_failed_nodes",
    "ray_cluster_pending_nodes",
    "ray_component_uss_mb",
    "ray_memory_manager_worker_eviction_total",
    "ray_node_disk_free",
    "ray_node_disk_usage",
    "ray_node_gpus_utilization",
    "ray_object_store_memory",
    "ray_resources",
    "ray_serve_deployment_replica_healthy",
    "ray_serve_http_request_latency_ms_bucket",
    "ray_serve_num_http_error_requests_total",
    "ray_serve_num_http_requests_total",
    "ray_tasks",
    // Words of the queries that look alike.
    "object_store_memory",
    "group_left",
    "histogram_quantile",
];

fn resolved(more: &str) -> Resolved {
    let text = format!("{QUICKSTART}{more}");
    manifest::load("m.yaml", text.as_bytes(), date(2026, 11, 24)).unwrap_or_else(|found| panic!("{found}")).manifest
}

fn models(objects: &[Value]) -> Vec<Value> {
    let texts = objects.iter().filter(|object| object["kind"] == "ConfigMap").map(|object| {
        let name = object["metadata"]["name"].as_str().unwrap();
        object["data"][format!("{name}.json")].as_str().unwrap()
    });
    texts.map(|text| serde_json::from_str(text).unwrap()).collect()
}

fn queries(model: &Value) -> Vec<String> {
    let panels = model["panels"].as_array().unwrap().iter();
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn nothing_unless_it_is_asked_for() {
    assert_eq!(objects(&resolved("")), Vec::<Value>::new());
    let alone = objects(&resolved("monitoring: {dashboards: true}\n"));
    let places: Vec<_> = alone.iter().map(|object| object["metadata"]["namespace"].as_str().unwrap()).collect();
    assert_eq!(places, ["ray", "ray"]);
    let without_ray = objects(&resolved("ray: {enabled: false}\nmonitoring: {dashboards: true, namespace: grafana}\n"));
    assert_eq!(without_ray.len(), 2);
    assert!(!queries(&models(&without_ray)[0]).iter().any(|query| query.contains("ray_")));
}

#[test]
fn grafana_and_prometheus_find_what_is_theirs() {
    let objects = objects(&resolved(EVERYTHING));
    let kinds: Vec<_> = objects
        .iter()
        .map(|object| (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("ConfigMap", "rayplat-health"),
            ("ConfigMap", "rayplat-cost"),
            ("PodMonitor", "rayplat-ray-head"),
            ("PodMonitor", "rayplat-ray-worker"),
        ]
    );
    for object in &objects {
        let metadata = &object["metadata"];
        assert_eq!((&metadata["namespace"], &metadata["labels"]["release"]), (&json!("prometheus"), &json!("stack")));
        assert_eq!(metadata["labels"][SIDECAR], if object["kind"] == "ConfigMap" { json!("1") } else { Value::Null });
    }
    assert_eq!(objects[2]["spec"]["namespaceSelector"]["matchNames"], json!(["ray"]));
}

#[test]
fn every_panel_has_its_place_and_every_metric_is_known() {
    let mut asked = BTreeSet::new();
    for model in models(&objects(&resolved(EVERYTHING))) {
        assert!(model["uid"].as_str().unwrap().len() <= 40);
        assert!(model["title"].as_str().unwrap().starts_with("production-ray-cluster: "));
        let mut taken = BTreeSet::new();
        let mut ids = BTreeSet::new();
        for panel in model["panels"].as_array().unwrap() {
            assert!(ids.insert(panel["id"].as_u64().unwrap()));
            let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(at("x") + at("w") <= 24, "{panel}");
            for (x, y) in (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y))) {
                assert!(taken.insert((x, y)), "two panels at {x}, {y}: {panel}");
            }
            assert!(panel["type"] == "row" || !panel["targets"].as_array().unwrap().is_empty(), "{panel}");
        }
        for query in queries(&model) {
            let balanced = |open: char, close: char| query.matches(open).count() == query.matches(close).count();
            assert!(balanced('(', ')') && balanced('{', '}') && balanced('[', ']'), "{query}");
            let words =
                query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).filter(|word| word.contains('_'));
            asked.extend(words.map(str::to_owned));
        }
    }
    let of_kubernetes = ["error_code", "node_type", "nvidia_com_gpu"];
    let unknown: Vec<_> = asked
        .iter()
        .filter(|word| !METRICS.contains(&word.as_str()) && !of_kubernetes.contains(&word.as_str()))
        .collect();
    assert_eq!(unknown, Vec::<&String>::new());
    let unused: Vec<_> = METRICS.iter().filter(|metric| !asked.contains(**metric)).collect();
    assert_eq!(unused, Vec::<&&str>::new());
}

/// Two pools and a fallback of g4dn.xlarge: two types, each at its price of the table.
#[test]
fn nodes_cost_what_the_table_says() {
    let cost = &models(&objects(&resolved(EVERYTHING)))[1];
    let expected = "sum(count by (label_node_kubernetes_io_instance_type) \
                    (kube_node_labels{label_node_kubernetes_io_instance_type=\"g4dn.xlarge\"}) * 0.526 or \
                    count by (label_node_kubernetes_io_instance_type) \
                    (kube_node_labels{label_node_kubernetes_io_instance_type=\"m6g.xlarge\"}) * 0.154)";
    assert_eq!(queries(cost)[0], expected);
    assert_eq!(queries(cost)[1], format!("{expected} * 730"));
    // No price is no sum.
    let mut elsewhere = resolved(EVERYTHING);
    elsewhere.region = "eu-west-1".to_owned();
    let cost = &models(&objects(&elsewhere))[1];
    assert!(queries(cost)[0].starts_with("count by"), "{}", queries(cost)[0]);
}
