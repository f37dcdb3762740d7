//! The dashboard of the cluster's health.
//!
//! Metrics of nodes and pods are kube-state-metrics', those that begin with `ray_` Ray's.
//! Source: <https://github.com/kubernetes/kube-state-metrics/tree/main/docs/metrics>,
//! <https://docs.ray.io/en/latest/ray-observability/reference/system-metrics.html>,
//! <https://docs.ray.io/en/latest/serve/monitoring.html#built-in-ray-serve-metrics>

use serde_json::Value;

use super::panels::{Kind, Panel, dashboard as model, lines, number};
use crate::platform::manifest::{Resolved, ResolvedRay};

/// Nodes with their pool; the label must be among those that kube-state-metrics tells.
const BY_POOL: &str = "* on (node) group_left (label_rayplat_io_pool) kube_node_labels";

pub(super) fn dashboard(manifest: &Resolved) -> Value {
    let ray = manifest.ray.as_ref();
    let sections = [
        ("Nodes", nodes()),
        ("Pods", pods(ray)),
        ("Ray", ray.map(ray_cluster).unwrap_or_default()),
        ("Ray's memory and disks", ray.map(ray_memory).unwrap_or_default()),
        ("Ray Serve", ray.filter(|ray| ray.serve.is_some()).map(|_| serve()).unwrap_or_default()),
    ];
    model(&format!("rayplat-health-{}", super::short(&manifest.name)), &format!("{}: health", manifest.name), &sections)
}

fn nodes() -> Vec<Panel> {
    let with = |status: &str| {
        format!(
            "sum by (label_rayplat_io_pool) (kube_node_status_condition{{condition=\"Ready\",status=\"{status}\"}} {BY_POOL})"
        )
    };
    vec![
        lines("Ready nodes", "By pool.", "short", vec![(with("true"), "{{label_rayplat_io_pool}}")]),
        lines(
            "Nodes in trouble",
            "Not ready, or short of disk, memory or processes.",
            "short",
            vec![
                (with("false"), "not ready: {{label_rayplat_io_pool}}"),
                (with("unknown"), "silent: {{label_rayplat_io_pool}}"),
                (
                    "sum by (condition) (kube_node_status_condition{condition=~\"DiskPressure|MemoryPressure|PIDPressure\",status=\"true\"})"
                        .to_owned(),
                    "{{condition}}",
                ),
            ],
        ),
    ]
}

fn pods(ray: Option<&ResolvedRay>) -> Vec<Panel> {
    let mut panels = vec![
        lines(
            "Pending pods",
            "Pods that wait for a node, an image or a volume, by namespace.",
            "short",
            vec![("sum by (namespace) (kube_pod_status_phase{phase=\"Pending\"})".to_owned(), "{{namespace}}")],
        ),
        lines(
            "Restarts within an hour",
            "Containers that were started again.",
            "short",
            vec![(
                "sum by (namespace, container) (increase(kube_pod_container_status_restarts_total[1h])) > 0".to_owned(),
                "{{namespace}} {{container}}",
            )],
        ),
    ];
    if let Some(ray) = ray {
        let namespace = &ray.namespace;
        panels.push(number(
            "Head ready",
            "1 while the head of Ray answers.",
            "short",
            format!("sum(kube_pod_status_ready{{namespace=\"{namespace}\",pod=~\".*-head-.*\",condition=\"true\"}})"),
        ));
        if ray.fault_tolerance.enabled && ray.fault_tolerance.redis_address.is_none() {
            panels.push(number(
                "Redis ready",
                "1 while what the head knows can be written down.",
                "short",
                format!(
                    "sum(kube_statefulset_status_replicas_ready{{namespace=\"{namespace}\",statefulset=\"ray-redis\"}})"
                ),
            ));
        }
    }
    panels
}

fn ray_cluster(ray: &ResolvedRay) -> Vec<Panel> {
    let of = |metric: &str, by: &str| format!("sum by ({by}) ({metric}{{namespace=\"{}\"}})", ray.namespace);
    vec![
        lines(
            "Nodes of Ray",
            "As Ray's control store and its autoscaler see them.",
            "short",
            vec![
                (of("ray_cluster_active_nodes", "node_type"), "active: {{node_type}}"),
                (of("ray_cluster_pending_nodes", "node_type"), "pending: {{node_type}}"),
                (of("ray_cluster_failed_nodes", "node_type"), "failed: {{node_type}}"),
            ],
        ),
        lines(
            "Global control store",
            "Memory of the control store and of the head's other parts: it grows with tasks, actors and objects.",
            "decmbytes",
            vec![(
                format!(
                    "sum by (Component) (ray_component_uss_mb{{namespace=\"{}\",pod=~\".*-head-.*\"}})",
                    ray.namespace
                ),
                "{{Component}}",
            )],
        ),
        lines("Tasks", "By state.", "short", vec![(of("ray_tasks", "State"), "{{State}}")]),
        lines(
            "GPUs, used of all",
            "By GPU.",
            "percent",
            vec![(of("ray_node_gpus_utilization", "pod, GpuIndex"), "{{pod}} {{GpuIndex}}")],
        ),
    ]
}

/// Memory, disks and what came of their lack.
fn ray_memory(ray: &ResolvedRay) -> Vec<Panel> {
    let of = |metric: &str, by: &str| format!("sum by ({by}) ({metric}{{namespace=\"{}\"}})", ray.namespace);
    let store = "object_store_memory";
    vec![
        Panel {
            kind: Kind::Stacked,
            ..lines(
                "Object store",
                "By place. What is spilled is on the nodes' disks.",
                "bytes",
                vec![(of("ray_object_store_memory", "Location"), "{{Location}}")],
            )
        },
        lines(
            "Object store, used of all",
            "At 1 objects are spilled.",
            "percentunit",
            vec![(
                format!(
                    "sum(ray_resources{{namespace=\"{0}\",Name=\"{store}\",State=\"USED\"}}) / sum(ray_resources{{namespace=\"{0}\",Name=\"{store}\"}})",
                    ray.namespace
                ),
                "used",
            )],
        ),
        lines(
            "Killed for memory within an hour",
            "Tasks and actors that Ray ended before the kernel would.",
            "short",
            vec![(
                format!(
                    "sum by (Type, Name) (increase(ray_memory_manager_worker_eviction_total{{namespace=\"{}\"}}[1h]))",
                    ray.namespace
                ),
                "{{Type}} {{Name}}",
            )],
        ),
        lines(
            "Disk of Ray's nodes, used of all",
            "Above 0.85 the kubelet evicts.",
            "percentunit",
            vec![(
                format!(
                    "ray_node_disk_usage{{namespace=\"{0}\"}} / (ray_node_disk_usage{{namespace=\"{0}\"}} + ray_node_disk_free{{namespace=\"{0}\"}})",
                    ray.namespace
                ),
                "{{pod}}",
            )],
        ),
    ]
}

fn serve() -> Vec<Panel> {
    let rate = |metric: &str, by: &str| format!("sum by ({by}) (rate({metric}{{route!~\"/-/.*\"}}[5m]))");
    vec![
        lines(
            "Requests a second",
            "By application.",
            "reqps",
            vec![(rate("ray_serve_num_http_requests_total", "application"), "{{application}}")],
        ),
        lines(
            "Errors a second",
            "By application and code.",
            "reqps",
            vec![(
                rate("ray_serve_num_http_error_requests_total", "application, error_code"),
                "{{application}} {{error_code}}",
            )],
        ),
        lines(
            "Latency",
            "Of the slowest in a hundred, and of half of all.",
            "ms",
            [("0.99", "99 %: {{application}}"), ("0.5", "50 %: {{application}}")]
                .map(|(share, legend)| {
                    let buckets = rate("ray_serve_http_request_latency_ms_bucket", "application, le");
                    (format!("histogram_quantile({share}, {buckets})"), legend)
                })
                .into(),
        ),
        lines(
            "Healthy replicas",
            "By deployment.",
            "short",
            vec![(
                "sum by (application, deployment) (ray_serve_deployment_replica_healthy)".to_owned(),
                "{{application}} {{deployment}}",
            )],
        ),
    ]
}
