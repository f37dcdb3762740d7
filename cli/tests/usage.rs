//! The command line itself: help, wrong usage, completions, credentials.

#![allow(clippy::unwrap_used)]

mod common;

use common::Place;

#[test]
fn wrong_usage_is_64() {
    for args in [&["bogus"][..], &[], &["up", "--bogus"], &["up", "--parallelism", "0"], &["state", "show"]] {
        let ran = Place::new().run(args);
        assert_eq!(ran.code, 64, "{args:?}: {}", ran.stderr);
    }
}

#[test]
fn help_lists_the_exit_codes() {
    let ran = Place::new().ok(&["--help"]);
    assert!(ran.stdout.contains("75   another run is at work"), "{}", ran.stdout);
}

#[test]
fn completions() {
    let ran = Place::new().ok(&["completions", "bash"]);
    assert!(ran.stdout.contains("_rayplat"));
}

#[test]
fn without_credentials_it_says_how_to_get_some() {
    let ran = Place::new().run(&["preview"]);
    assert_eq!(ran.code, 77, "{}", ran.stderr);
    assert!(ran.stderr.contains("aws sso login"), "{}", ran.stderr);
    assert!(ran.stderr.contains("--rehearse"), "{}", ran.stderr);
}

#[test]
fn the_account_is_served_on_this_machine_only() {
    let ran = Place::new().run(&["rehearse", "serve", "--listen", "0.0.0.0:0"]);
    assert_eq!(ran.code, 64, "{}", ran.stderr);
}

#[test]
fn the_region_is_the_manifests() {
    let ran = Place::new().run(&["preview", "--rehearse", "--region", "eu-west-1"]);
    assert_eq!(ran.code, 64, "{}", ran.stderr);
    assert!(ran.stderr.contains("--region is eu-west-1, but rayplat.yaml says us-east-1"), "{}", ran.stderr);
    assert_eq!(Place::new().run(&["preview", "--rehearse", "--region", "us-east-1"]).code, 2);
}

#[test]
fn a_rehearsal_is_never_on_another_endpoint() {
    let ran = Place::new().run(&["up", "--rehearse", "--yes", "--endpoint-url", "http://127.0.0.1:1"]);
    assert_eq!(ran.code, 64, "{}", ran.stderr);
    assert!(ran.stderr.contains("rayplat rehearse serve"), "{}", ran.stderr);
}

#[test]
fn an_unreachable_account_is_69() {
    let place = Place::new();
    let mut command = place.command(&["preview", "--endpoint-url", "http://127.0.0.1:1"]);
    command.env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "x");
    let ran = common::Ran::from(command.output().unwrap());
    assert_eq!(ran.code, 69, "{}", ran.stderr);
}
