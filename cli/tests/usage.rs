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
