//! `rayplat state`

#![allow(clippy::unwrap_used)]

mod common;

use common::Place;

#[test]
fn list_and_show() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    let list = place.ok(&["state", "list", "--rehearse"]);
    assert!(list.stdout.contains("aws:eks:Cluster/main"), "{}", list.stdout);
    assert!(list.stdout.ends_with("30 objects\n"));
    let shown = place.ok(&["state", "show", "aws:eks:NodeGroup/cpu", "--rehearse", "--json"]);
    assert_eq!(shown.last_json()["inputs"]["instance_types"][0], "m6g.xlarge");
    let ran = place.run(&["state", "show", "aws:eks:NodeGroup/nope", "--rehearse"]);
    assert_eq!(ran.code, 64);
}

#[test]
fn a_held_lock_names_its_holder() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    let lock = std::fs::File::options().write(true).open(place.file(".rayplat/rehearsal/state/lock")).unwrap();
    lock.lock().unwrap();
    let ran = place.run(&["up", "--rehearse", "--yes"]);
    assert_eq!(ran.code, 75, "{}", ran.stderr);
    assert!(ran.stderr.contains("the state is locked by `rayplat up` (process "), "{}", ran.stderr);
}

#[test]
fn a_lost_database_is_not_an_empty_one() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    std::fs::remove_dir_all(place.file(".rayplat/rehearsal/state/db")).unwrap();
    let ran = place.run(&["up", "--rehearse", "--yes"]);
    assert_eq!(ran.code, 74, "{}", ran.stderr);
    assert!(ran.stderr.contains("is gone"), "{}", ran.stderr);
}

#[test]
fn two_rehearsals_in_folders_of_their_own_know_nothing_of_each_other() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes", "--state", "a"]);
    assert_eq!(place.run(&["preview", "--rehearse", "--state", "b"]).code, 2);
    place.ok(&["up", "--rehearse", "--yes", "--state", "b"]);
    place.ok(&["preview", "--rehearse", "--state", "a"]);
    assert!(place.ok(&["state", "list", "--rehearse", "--state", "a"]).stdout.ends_with("30 objects\n"));
    assert!(!place.file(".rayplat").exists());
}
