//! The dashboard of the cluster's cost: nodes by what they cost, and what of them nobody asked for.
//!
//! Prices are those of the program's table, whose day is said; a Spot node is counted at the On-Demand
//! price, the most that it can cost.

use std::collections::BTreeSet;

use serde_json::Value;

use super::panels::{Kind, Panel, dashboard as model, lines, number};
use crate::platform::{
    cost::{MONTH_HOURS, Money, Prices, Product, table},
    manifest::Resolved,
};

/// Labels of nodes, which kube-state-metrics must be told to tell.
const TYPE: &str = "label_node_kubernetes_io_instance_type";
const CAPACITY: &str = "label_rayplat_io_capacity";

pub(super) fn dashboard(manifest: &Resolved) -> Value {
    let sections = [("Cost", cost(manifest)), ("Nodes", nodes()), ("What nobody asked for", unused())];
    model(&format!("rayplat-cost-{}", super::short(&manifest.name)), &format!("{}: cost", manifest.name), &sections)
}

/// Every instance type that a pool may have, with its price an hour where that is known.
fn priced(manifest: &Resolved) -> Vec<(String, Money)> {
    let prices = Prices::table(&manifest.region);
    let pools = manifest.node_pools.values();
    let types: BTreeSet<&String> = pools
        .flat_map(|pool| pool.instance_types.iter().chain(pool.fallback.iter().flat_map(|one| &one.instance_types)))
        .collect();
    types.into_iter().filter_map(|name| Some((name.clone(), prices.get(&Product::Instance(name.clone()))?))).collect()
}

/// Nothing where no price is known: a sum without them would be wrong.
fn cost(manifest: &Resolved) -> Vec<Panel> {
    let priced = priced(manifest);
    if priced.is_empty() {
        return Vec::new();
    }
    let of_type = |(name, price): &(String, Money)| {
        format!("count by ({TYPE}) (kube_node_labels{{{TYPE}=\"{name}\"}}) * {}", price.exact())
    };
    let by_type = priced.iter().map(of_type).collect::<Vec<_>>().join(" or ");
    let about = format!(
        "By list prices of {}, On-Demand, the most that Spot may cost; without disks and the control plane.",
        table::DATE
    );
    vec![
        number("Nodes, an hour", about.clone(), "currencyUSD", format!("sum({by_type})")),
        number("Nodes, a month", "730 hours like this one.", "currencyUSD", format!("sum({by_type}) * {MONTH_HOURS}")),
        Panel {
            kind: Kind::Stacked,
            width: 24,
            ..lines(
                "Nodes by instance type, an hour",
                about,
                "currencyUSD",
                vec![(by_type, "{{label_node_kubernetes_io_instance_type}}")],
            )
        },
    ]
}

fn nodes() -> Vec<Panel> {
    vec![
        Panel {
            kind: Kind::Stacked,
            ..lines(
                "Nodes",
                "By instance type, and how they are bought.",
                "short",
                vec![(
                    format!("count by ({TYPE}, {CAPACITY}) (kube_node_labels)"),
                    "{{label_node_kubernetes_io_instance_type}} {{label_rayplat_io_capacity}}",
                )],
            )
        },
        lines(
            "Volumes",
            "What claims ask for, by storage class.",
            "bytes",
            vec![(
                "sum by (storageclass) (kube_persistentvolumeclaim_resource_requests_storage_bytes * on (namespace, persistentvolumeclaim) \
                 group_left (storageclass) kube_persistentvolumeclaim_info)"
                    .to_owned(),
                "{{storageclass}}",
            )],
        ),
    ]
}

fn unused() -> Vec<Panel> {
    let free = |resource: &str| {
        format!(
            "sum(kube_node_status_allocatable{{resource=\"{resource}\"}}) - (sum(kube_pod_container_resource_requests{{resource=\"{resource}\"}} \
             * on (namespace, pod) group_left () (kube_pod_status_phase{{phase=~\"Pending|Running\"}} == 1)) or vector(0))"
        )
    };
    vec![
        lines("CPUs", "That no pod has asked for.", "short", vec![(free("cpu"), "free")]),
        lines("Memory", "That no pod has asked for.", "bytes", vec![(free("memory"), "free")]),
        lines("GPUs", "That no pod has asked for.", "short", vec![(free("nvidia_com_gpu"), "free")]),
        lines(
            "CPUs, used of what was asked for",
            "By namespace. What is far below 1 is paid for and idle.",
            "percentunit",
            vec![(
                "sum by (namespace) (rate(container_cpu_usage_seconds_total{container!=\"\"}[5m])) / \
                 sum by (namespace) (kube_pod_container_resource_requests{resource=\"cpu\"})"
                    .to_owned(),
                "{{namespace}}",
            )],
        ),
    ]
}
