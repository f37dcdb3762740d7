//! `--policy-out` and `--enforce`

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, QUICKSTART};
use serde_json::{Value, json};

fn written(place: &Place) -> Value {
    serde_json::from_slice(&std::fs::read(place.file("policy.json")).unwrap()).unwrap()
}

fn statements(policy: &Value) -> Vec<Value> {
    let documents = policy.as_array().cloned().unwrap_or_else(|| vec![policy.clone()]);
    documents.iter().flat_map(|document| document["Statement"].as_array().unwrap().clone()).collect()
}

#[test]
fn the_printed_policy_carries_up_update_and_down() {
    let place = Place::new();
    let first = place.ok(&["up", "--rehearse", "--yes", "--policy-out", "policy.json"]);
    assert!(first.stdout.contains("Whoever runs this on AWS, from the first up to down, needs "), "{}", first.stdout);
    assert!(first.stdout.contains(r#"{"Version": "2012-10-17", "Statement": ["#), "{}", first.stdout);
    assert!(!first.stdout.contains("permissions may be missing"), "{}", first.stdout);
    place.ok(&["down", "--rehearse", "--yes"]);
    let enforced = |command: &str| place.ok(&[command, "--rehearse", "--yes", "--enforce", "policy.json"]);
    enforced("up");
    enforced("up");
    let changed = QUICKSTART.replace("max: 10", "max: 12").replace("network:", "tags: {Team: ray}\nnetwork:");
    place.write("rayplat.yaml", &changed);
    enforced("up");
    enforced("down");
}

#[test]
fn what_is_not_allowed_is_refused_and_named() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes", "--policy-out", "policy.json"]);
    place.ok(&["down", "--rehearse", "--yes"]);
    let fewer: Vec<Value> = statements(&written(&place))
        .into_iter()
        .map(|mut statement| {
            statement["Action"].as_array_mut().unwrap().retain(|action| action != "ec2:RunInstances");
            statement
        })
        .collect();
    place.write("policy.json", &json!({"Version": "2012-10-17", "Statement": fewer}).to_string());
    let ran = place.run(&["up", "--rehearse", "--yes", "--enforce", "policy.json"]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("You are not authorized to launch instances with this launch template"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("hint: Allow ec2:RunInstances on "), "{}", ran.stdout);
    place.write("policy.json", r#"{"Statement": []}"#);
    let ran = place.run(&["preview", "--rehearse", "--enforce", "policy.json"]);
    assert_eq!(ran.code, 77, "{}", ran.stderr);
    // Whose platform it is stands in the state: the first read is of an object.
    assert!(ran.stderr.contains("hint: Allow ec2:DescribeLaunchTemplates, "), "{}", ran.stderr);
}

#[test]
fn programs_get_the_policy_as_an_event() {
    let place = Place::new();
    let ran = place.ok(&["up", "--rehearse", "--yes", "--json"]);
    let line = ran.stdout.lines().find(|line| line.starts_with(r#"{"event":"policy""#)).unwrap();
    let event: Value = serde_json::from_str(line).unwrap();
    assert_eq!(event["remarks"], json!([]));
    assert!(!event["documents"][0]["Statement"].as_array().unwrap().is_empty());
}

#[test]
fn policies_belong_to_a_rehearsal() {
    let place = Place::new();
    let ran = place.run(&["preview", "--enforce", "policy.json"]);
    assert_eq!(ran.code, 64, "{}", ran.stderr);
    place.write("policy.json", r#"{"Statement": {"Effect": "Maybe"}}"#);
    let ran = place.run(&["preview", "--rehearse", "--enforce", "policy.json"]);
    assert_eq!(ran.code, 64, "{}", ran.stderr);
    assert!(ran.stderr.contains("statement 1: its `Effect` must be"), "{}", ran.stderr);
    let missing = place.run(&["preview", "--rehearse", "--enforce", "none.json"]);
    assert_eq!(missing.code, 73, "{}", missing.stderr);
}
