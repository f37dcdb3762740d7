//! `rayplat up`

#![allow(clippy::unwrap_used)]

mod common;

use common::{LOG_GROUP, Place, QUICKSTART, edit_account, summary};

#[test]
fn twice_in_two_processes() {
    let place = Place::new();
    let first = place.ok(&["up", "--rehearse", "--yes", "--json"]);
    let last = first.last_json();
    assert_eq!(last["event"], "run_finished");
    assert_eq!(last["summary"], summary(&[("created", 33)]));
    for line in first.stdout.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(event["event"].is_string(), "{line}");
    }
    let second = place.ok(&["up", "--rehearse", "--yes", "--json"]);
    assert_eq!(second.last_json()["summary"], summary(&[("unchanged", 33)]));
    let preview = place.ok(&["preview", "--rehearse"]);
    assert!(preview.stdout.contains("Nothing to do: 33 resources"), "{}", preview.stdout);
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
    assert!(ran.stdout.contains("Done: 33 created."), "{}", ran.stdout);
    assert!(ran.stdout.contains("A real run would take about "), "{}", ran.stdout);
    assert!(ran.stdout.contains("create aws:eks:Cluster/main"), "{}", ran.stdout);
    assert!(ran.stdout.lines().any(|line| line.starts_with("Calls: autoscaling 3, ec2 ")), "{}", ran.stdout);
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
    assert_eq!(ran.last_json()["summary"], summary(&[("updated", 1), ("unchanged", 32)]));
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

/// The quick start stands, and a plan for a larger pool is kept.
fn planned() -> Place {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    place.write("rayplat.yaml", &QUICKSTART.replace("max: 10", "max: 12"));
    assert_eq!(place.run(&["preview", "--rehearse", "--out", "plan.json"]).code, 2);
    place
}

#[test]
fn a_saved_plan_is_applied_without_a_question() {
    let place = planned();
    let ran = place.ok(&["up", "--rehearse", "--plan", "plan.json"]);
    assert!(ran.stdout.contains("scaling.max: 10 -> 12"), "{}", ran.stdout);
    assert!(ran.stdout.contains("Done: 1 changed, 32 unchanged."), "{}", ran.stdout);
    let again = place.run(&["up", "--rehearse", "--plan", "plan.json"]);
    assert_eq!(again.code, 76, "{}", again.stderr);
    assert!(
        again
            .stderr
            .contains("the plan is outdated: the state has moved on: it was made after run 1, the last run is 2"),
        "{}",
        again.stderr
    );
}

#[test]
fn a_saved_first_plan_makes_the_platform() {
    let place = Place::new();
    assert_eq!(place.run(&["preview", "--rehearse", "--out", "plan.json"]).code, 2);
    let ran = place.ok(&["up", "--rehearse", "--plan", "plan.json", "--json"]);
    assert_eq!(ran.last_json()["summary"], summary(&[("created", 33)]));
    place.ok(&["preview", "--rehearse"]);
}

#[test]
fn a_plan_is_outdated_by_drift_and_by_another_manifest() {
    let place = planned();
    place.write("rayplat.yaml", &QUICKSTART.replace("max: 10", "max: 11"));
    let ran = place.run(&["up", "--rehearse", "--plan", "plan.json", "--json"]);
    assert_eq!(ran.code, 76);
    assert_eq!(ran.last_json()["message"], "the plan is outdated: what is desired has changed since it was made");
    place.write("rayplat.yaml", &QUICKSTART.replace("max: 10", "max: 12"));
    edit_account(&place, |account| account.logs.groups.get_mut(LOG_GROUP).unwrap().retention_days = Some(30));
    let ran = place.run(&["up", "--rehearse", "--plan", "plan.json"]);
    assert_eq!(ran.code, 76);
    let why = "update aws:logs:LogGroup/cluster#0 is needed now too (retention_days)";
    assert!(ran.stderr.contains(why), "{}", ran.stderr);
    assert!(ran.stderr.contains("Nothing of the plan was applied."), "{}", ran.stderr);
    let preview = place.run(&["preview", "--rehearse"]);
    assert!(preview.stdout.contains("2 to change, 31 unchanged."), "{}", preview.stdout);
}

#[test]
fn a_plan_that_is_none_is_refused() {
    let place = planned();
    let absent = place.run(&["up", "--rehearse", "--plan", "nothing.json"]);
    assert_eq!(absent.code, 73, "{}", absent.stderr);
    let plan = std::fs::read_to_string(place.file("plan.json")).unwrap();
    place.write("edited.json", &plan.replace(r#""max":12"#, r#""max":100"#));
    let edited = place.run(&["up", "--rehearse", "--plan", "edited.json"]);
    assert_eq!(edited.code, 74, "{}", edited.stderr);
    assert!(edited.stderr.contains("it was changed or damaged"), "{}", edited.stderr);
    place.write("rayplat.yaml", &QUICKSTART.replace("name: production-ray-cluster", "name: other"));
    let ran = place.run(&["up", "--rehearse", "--plan", "plan.json", "--state", "elsewhere"]);
    assert_eq!(ran.code, 78, "{}", ran.stderr);
    assert!(ran.stderr.contains("the saved plan is for stack `production-ray-cluster` in account"), "{}", ran.stderr);
}

#[test]
fn what_a_policy_forbids_is_not_applied() {
    let place = Place::new();
    let kept = place.file("plan.json");
    place.run(&["preview", "--rehearse", "--out", kept.to_str().unwrap()]);
    place.write("no.rego", "package main\n\nimport rego.v1\n\ndeny contains \"not on a Friday\"\n");
    place.write("rayplat.yaml", &format!("{QUICKSTART}policies: [no.rego]\n"));
    let ran = place.run(&["up", "--rehearse", "--yes"]);
    assert_eq!(ran.code, 3, "{}\n{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("  denied: main.deny: not on a Friday\n"), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("A policy forbids this plan: nothing was changed.\n"), "{}", ran.stdout);
    let json = place.run(&["up", "--rehearse", "--yes", "--json"]);
    assert_eq!(json.code, 3);
    let event = json.stdout.lines().find(|line| line.starts_with(r#"{"event":"policies""#)).unwrap();
    let event: serde_json::Value = serde_json::from_str(event).unwrap();
    assert_eq!(event["policies"]["denied"], true);
    assert_eq!(json.last_json()["summary"], summary(&[]));
    let place = Place::new();
    assert_eq!(place.run(&["preview", "--rehearse", "--out", "plan.json"]).code, 2);
    place.write("no.rego", "package main\n\nimport rego.v1\n\ndeny contains \"not on a Friday\"\n");
    place.write("rayplat.yaml", &format!("{QUICKSTART}policies: [no.rego]\n"));
    let saved = place.run(&["up", "--rehearse", "--plan", "plan.json"]);
    assert_eq!(saved.code, 3, "a plan from before the policy: {}\n{}", saved.stdout, saved.stderr);
    assert!(place.ok(&["state", "list", "--rehearse"]).stdout.ends_with("0 objects\n"));
    // What is to go, goes.
    place.ok(&["down", "--rehearse", "--yes"]);
}
