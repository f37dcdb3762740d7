//! `rayplat up`

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, QUICKSTART, summary};

#[test]
fn twice_in_two_processes() {
    let place = Place::new();
    let first = place.ok(&["up", "--rehearse", "--yes", "--json"]);
    let last = first.last_json();
    assert_eq!(last["event"], "run_finished");
    assert_eq!(last["summary"], summary(&[("created", 30)]));
    for line in first.stdout.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["event"].is_string(), "{line}");
    }
    let second = place.ok(&["up", "--rehearse", "--yes", "--json"]);
    assert_eq!(second.last_json()["summary"], summary(&[("unchanged", 30)]));
    let preview = place.ok(&["preview", "--rehearse"]);
    assert!(preview.stdout.contains("Nothing to do: 30 resources"), "{}", preview.stdout);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let times = |seed: &str| {
        let ran = Place::new().ok(&["up", "--rehearse", "--yes", "--seed", seed]);
        ran.stdout.lines().filter(|line| line.starts_with('[')).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(times("7"), times("7"));
    assert_ne!(times("7"), times("8"));
}

#[test]
fn it_ends_with_what_a_real_run_would_be() {
    let ran = Place::new().ok(&["up", "--rehearse", "--yes"]);
    assert!(ran.stdout.contains("Done: 30 created."), "{}", ran.stdout);
    assert!(ran.stdout.contains("A real run would take about "), "{}", ran.stdout);
    assert!(ran.stdout.contains("create aws:eks:Cluster/main"), "{}", ran.stdout);
    assert!(ran.stdout.lines().any(|line| line.starts_with("Calls: ec2 ")), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\x1b'), "no colour without a terminal");
}

#[test]
fn without_a_terminal_it_needs_yes() {
    let ran = Place::new().run(&["up", "--rehearse"]);
    assert_eq!(ran.code, 64);
    assert!(ran.stderr.contains("--yes"), "{}", ran.stderr);
    let json = Place::new().run(&["up", "--rehearse", "--json"]);
    assert_eq!(json.code, 64);
    assert_eq!(json.last_json()["event"], "error");
}

#[test]
fn a_changed_size_is_one_update() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    place.write("rayplat.yaml", &QUICKSTART.replace("max: 10", "max: 12"));
    let ran = place.ok(&["up", "--rehearse", "--yes", "--json"]);
    assert_eq!(ran.last_json()["summary"], summary(&[("updated", 1), ("unchanged", 29)]));
}

#[test]
fn a_cluster_is_never_replaced_silently() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    // Another name is another platform: the state belongs to the first.
    place.write("rayplat.yaml", &QUICKSTART.replace("name: production-ray-cluster", "name: other"));
    let ran = place.run(&["up", "--rehearse", "--yes"]);
    assert_eq!(ran.code, 78, "{}", ran.stderr);
    assert!(ran.stderr.contains("the state is bound to stack `production-ray-cluster`"), "{}", ran.stderr);
}

#[test]
fn a_rehearsal_tells_programs_too_before_the_last_line() {
    let place = Place::new();
    let ran = place.ok(&["up", "--rehearse", "--yes", "--json"]);
    let lines: Vec<serde_json::Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(ran.last_json()["event"], "run_finished");
    let told = &lines[lines.len() - 2];
    assert_eq!(told["event"], "rehearsal");
    assert_eq!(told["wall_ms"], ran.last_json()["took_ms"]);
    let chain: Vec<&str> =
        told["critical_path"].as_array().unwrap().iter().map(|link| link["urn"].as_str().unwrap()).collect();
    assert!(chain.contains(&"aws:eks:Cluster/main"), "{chain:?}");
    // Sent again while IAM does not show the role yet.
    assert!(told["calls"]["eks"]["CreateCluster"].as_u64().unwrap() >= 1, "{told}");
    let down = place.ok(&["down", "--rehearse", "--yes", "--json"]);
    let down: Vec<serde_json::Value> = down.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(down[down.len() - 2]["floor_ms"].as_u64().unwrap() > 60_000, "deletions are life cycles too");
}

#[test]
fn a_run_takes_no_longer_than_the_life_cycles_it_waits_for() {
    for seed in ["1", "2", "3", "4", "5"] {
        let ran = Place::new().ok(&["up", "--rehearse", "--yes", "--json", "--seed", seed]);
        let line = ran.stdout.lines().rev().nth(1).unwrap();
        let told: serde_json::Value = serde_json::from_str(line).unwrap();
        let ratio = told["ratio"].as_f64().unwrap();
        assert!((1.0..=1.03).contains(&ratio), "seed {seed}: {ratio}");
    }
}
