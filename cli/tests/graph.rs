//! `rayplat graph`

#![allow(clippy::unwrap_used)]

mod common;

use common::Place;

#[test]
fn both_forms_have_the_true_edges_and_no_false_ones() {
    let place = Place::new();
    let dot = place.ok(&["graph"]).stdout;
    let edge = |from: &str, to: &str| dot.contains(&format!("\"{from}\" -> \"{to}\";"));
    assert!(edge("aws:logs:LogGroup/cluster", "aws:eks:Cluster/main"));
    assert!(edge("aws:eks:Addon/vpc-cni", "aws:eks:NodeGroup/gpu"));
    assert!(edge("aws:eks:NodeGroup/cpu", "aws:eks:Addon/coredns"));
    assert!(!edge("aws:eks:Cluster/main", "aws:ec2:LaunchTemplate/cpu"));
    assert!(!edge("aws:eks:NodeGroup/gpu", "aws:eks:Addon/coredns"), "tainted nodes do not run it");
    let mermaid = place.ok(&["graph", "--format", "mermaid"]).stdout;
    assert!(mermaid.starts_with("flowchart LR\n"));
    assert_eq!(mermaid.matches(" --> ").count(), dot.matches(" -> ").count());
}
