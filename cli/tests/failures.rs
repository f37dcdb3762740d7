//! Steps that fail: what is said, what is left, how it goes on.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, summary};
use rayplat_resources::rehearsal::{LifecycleFailure, Rehearsal, Seed};

/// Changes the life cycles that fail in the rehearsal's account.
fn set_failures(place: &Place, failures: Vec<LifecycleFailure>) {
    let seed = Seed { account_id: "123456789012".to_owned(), region: "us-east-1".to_owned(), seed: 1 };
    let account = Rehearsal::open(&place.file(".rayplat/rehearsal/rayplat/account"), &seed, 0).unwrap();
    account.with_account(|account| account.failures = failures);
    account.save().unwrap();
}

/// A place with an empty account, in which the CPU pool's nodes will not come up.
fn failing() -> Place {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    place.ok(&["down", "--rehearse", "--yes"]);
    let failure = LifecycleFailure {
        what: "nodegroup/production-ray-cluster/cpu-*".to_owned(),
        phase: "create".to_owned(),
        code: "NodeCreationFailure".to_owned(),
        message: "Instances failed to join the kubernetes cluster".to_owned(),
    };
    set_failures(&place, vec![failure]);
    place
}

#[test]
fn a_failure_says_why_what_is_left_and_what_was_skipped() {
    let place = failing();
    let ran = place.run(&["up", "--rehearse", "--yes"]);
    assert_eq!(ran.code, 1, "{}\n{}", ran.stdout, ran.stderr);
    let has = |text: &str| assert!(ran.stdout.contains(text), "{text}: {}", ran.stdout);
    has("failed to create aws:eks:NodeGroup/cpu: ");
    has("Instances failed to join the kubernetes cluster");
    has(" is left in the account; the state knows it and the next run takes it up");
    has("skipped: create aws:eks:Addon/coredns (aws:eks:NodeGroup/cpu failed)");
    has("created aws:eks:NodeGroup/gpu in ");
    has("Not complete: 29 created, 1 failed, 3 skipped. The state is exact; run the same command again to go on.");
    assert!(!ran.stdout.contains("kubeconfig_command"), "no hints to use what is not complete: {}", ran.stdout);
}

#[test]
fn the_next_run_goes_on_from_there() {
    let place = failing();
    let ran = place.run(&["up", "--rehearse", "--yes", "--json"]);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.last_json()["event"], "run_finished");
    assert_eq!(ran.last_json()["summary"], summary(&[("created", 29), ("failed", 1), ("skipped", 3)]));
    set_failures(&place, Vec::new());
    let preview = place.run(&["preview", "--rehearse"]);
    assert_eq!(preview.code, 2);
    assert!(preview.stdout.contains("cpu  its creation failed: "), "{}", preview.stdout);
    let next = place.ok(&["up", "--rehearse", "--yes", "--json"]);
    assert_eq!(next.last_json()["summary"], summary(&[("created", 3), ("replaced", 1), ("unchanged", 29)]));
}
