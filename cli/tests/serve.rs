//! `rayplat rehearse serve`, and runs against it: by endpoint override, killed at
//! twenty moments, with another account's credentials.

#![allow(clippy::unwrap_used)]

mod common;

use std::{process::Stdio, time::Duration};

use common::{
    Place,
    served::{Served, inventory, run, whole},
    summary,
};

#[test]
fn up_and_down_by_endpoint_override() {
    let place = Place::new();
    let served = Served::new(&place, "123456789012");
    let up = run(&place, &served, &["up", "--yes", "--json"]).output().unwrap();
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stdout));
    assert_eq!(inventory(&served), whole());
    let preview = run(&place, &served, &["preview"]).output().unwrap();
    assert_eq!(preview.status.code(), Some(0), "{}", String::from_utf8_lossy(&preview.stdout));
    let down = common::Ran::from(run(&place, &served, &["down", "--yes", "--json"]).output().unwrap());
    assert_eq!(down.last_json()["summary"], summary(&[("deleted", 33)]));
    assert!(inventory(&served).values().all(|count| *count == 0), "{:?}", inventory(&served));
}

#[test]
fn killed_at_twenty_moments() {
    // How long an undisturbed run takes here decides where the moments are.
    let began = std::time::Instant::now();
    killed_after(None);
    let whole_run = began.elapsed();
    for moment in 0..20 {
        killed_after(Some(whole_run * moment / 20));
    }
}

fn killed_after(delay: Option<Duration>) {
    let place = Place::new();
    let served = Served::new(&place, "123456789012");
    let mut first = run(&place, &served, &["up", "--yes", "--json"]).stdout(Stdio::null()).spawn().unwrap();
    match delay {
        None => assert!(first.wait().unwrap().success()),
        Some(delay) => {
            std::thread::sleep(delay);
            // SIGKILL; it may have ended by itself already.
            first.kill().unwrap();
            first.wait().unwrap();
        }
    }
    let next = common::Ran::from(run(&place, &served, &["up", "--yes", "--json"]).output().unwrap());
    assert_eq!(next.code, 0, "killed after {delay:?}: {}\n{}", next.stdout, next.stderr);
    assert_eq!(inventory(&served), whole(), "killed after {delay:?}");
    let preview = run(&place, &served, &["preview"]).output().unwrap();
    assert_eq!(preview.status.code(), Some(0), "{}", String::from_utf8_lossy(&preview.stdout));
}

#[test]
fn another_account_is_refused_and_untouched() {
    let place = Place::new();
    let mine = Served::new(&place, "123456789012");
    let up = run(&place, &mine, &["up", "--yes", "--json"]).output().unwrap();
    assert!(up.status.success());
    let other = Served::new(&place, "999999999999");
    for args in [&["up", "--yes"][..], &["preview"], &["down", "--yes"]] {
        let ran = common::Ran::from(run(&place, &other, args).output().unwrap());
        assert_eq!(ran.code, 78, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("account 123456789012"), "{}", ran.stderr);
        assert!(ran.stderr.contains("account 999999999999"), "{}", ran.stderr);
    }
    assert!(inventory(&other).values().all(|count| *count == 0));
    assert_eq!(inventory(&mine), whole());
}
