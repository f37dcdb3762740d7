//! `network.create` through the program: which zones are chosen, and that they are kept.

#![allow(clippy::unwrap_used)]

mod common;

use common::Place;

const MANIFEST: &str = include_str!("../../examples/network-create.yaml");

fn place(from: &str, to: &str) -> Place {
    let place = Place::empty();
    let text = MANIFEST.replace(from, to);
    assert!(from == to || text != MANIFEST);
    place.write("rayplat.yaml", &text);
    place
}

fn subnets(place: &Place) -> Vec<String> {
    let listed = place.ok(&["state", "list", "--rehearse"]).stdout;
    let words = listed.split_whitespace().map(|word| word.trim_end_matches("#0"));
    words.filter_map(|word| word.strip_prefix("aws:ec2:Subnet/private-")).map(str::to_owned).collect()
}

#[test]
fn zones_are_chosen_once_and_kept() {
    let place = place("", "");
    place.ok(&["up", "--rehearse", "--yes"]);
    assert_eq!(place.run(&["preview", "--rehearse"]).code, 0);
    let first = ["us-east-1a", "us-east-1b", "us-east-1c"];
    assert_eq!(subnets(&place), first);
    let vpc = place.ok(&["output", "vpc_id", "--rehearse"]).stdout;
    assert!(vpc.starts_with("vpc-"), "{vpc}");

    // The state is lost: what stands in the account decides.
    std::fs::remove_dir_all(place.file(".rayplat/rehearsal/rayplat/state")).unwrap();
    place.ok(&["up", "--rehearse", "--yes"]);
    assert_eq!(subnets(&place), first);
    assert_eq!(place.ok(&["output", "vpc_id", "--rehearse"]).stdout, vpc);
    place.ok(&["down", "--rehearse", "--yes"]);
    assert_eq!(subnets(&place), Vec::<String>::new());
}

#[test]
fn zones_that_eks_does_not_take_are_refused_before_anything_is_made() {
    let named = place("availability_zones: 3", "availability_zones: [us-east-1a, us-east-1e]");
    let many = place("availability_zones: 3", "availability_zones: 6");
    for (place, reason) in [
        (named, "EKS puts no control plane in us-east-1e (use1-az3 in this account)"),
        (many, "the account has 5 zones here in which EKS can run, and the manifest asks for 6"),
    ] {
        place.ok(&["validate"]);
        let ran = place.run(&["up", "--rehearse", "--yes"]);
        assert_eq!(ran.code, 64, "{}", ran.stderr);
        assert!(ran.stderr.contains(reason), "{}", ran.stderr);
        assert!(ran.stderr.contains("availability_zones"), "{}", ran.stderr);
        assert_eq!(subnets(&place), Vec::<String>::new());
    }
}

#[test]
fn a_graph_needs_no_account() {
    let graph = place("", "").ok(&["graph"]).stdout;
    assert!(graph.contains("aws:ec2:Subnet/private-us-east-1c"), "{graph}");
}
