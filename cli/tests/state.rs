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
    assert!(list.stdout.ends_with("33 objects\n"));
    let shown = place.ok(&["state", "show", "aws:eks:NodeGroup/cpu", "--rehearse", "--json"]);
    assert_eq!(shown.last_json()["inputs"]["instance_types"][0], "m6g.xlarge");
    let ran = place.run(&["state", "show", "aws:eks:NodeGroup/nope", "--rehearse"]);
    assert_eq!(ran.code, 64);
}

#[test]
fn a_held_lock_names_its_holder() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    let lock = std::fs::File::options().write(true).open(place.file(".rayplat/rehearsal/rayplat/state/lock")).unwrap();
    lock.lock().unwrap();
    let ran = place.run(&["up", "--rehearse", "--yes"]);
    assert_eq!(ran.code, 75, "{}", ran.stderr);
    assert!(ran.stderr.contains("the state is locked by `rayplat up` (process "), "{}", ran.stderr);
}

#[test]
fn a_lost_database_is_not_an_empty_one() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    std::fs::remove_dir_all(place.file(".rayplat/rehearsal/rayplat/state/db")).unwrap();
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
    assert!(place.ok(&["state", "list", "--rehearse", "--state", "a"]).stdout.ends_with("33 objects\n"));
    assert!(!place.file(".rayplat").exists());
}

#[test]
fn a_saved_state_is_put_back() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    place.ok(&["state", "export", "--rehearse", "--out", "saved.json"]);
    let again = place.run(&["state", "export", "--rehearse", "--out", "saved.json"]);
    assert_eq!(again.code, 73, "a file is not overwritten: {}", again.stderr);
    let occupied = place.run(&["state", "import", "saved.json", "--rehearse"]);
    assert_eq!(occupied.code, 64, "{}", occupied.stderr);
    assert!(occupied.stderr.contains("the state holds 33 objects already"), "{}", occupied.stderr);
    std::fs::remove_dir_all(place.file(".rayplat/rehearsal/rayplat/state")).unwrap();
    place.ok(&["state", "import", "saved.json", "--rehearse"]);
    assert_eq!(place.run(&["preview", "--rehearse"]).code, 0);
    let damaged = std::fs::read_to_string(place.file("saved.json")).unwrap().replace("m6g.xlarge", "m6g.2xlarge");
    place.write("damaged.json", &damaged);
    let refused = place.run(&["state", "import", "damaged.json", "--rehearse", "--replace"]);
    assert_eq!(refused.code, 64);
    assert!(refused.stderr.contains("its checksum does not fit"), "{}", refused.stderr);
}

#[test]
fn what_is_let_go_stays_in_the_account() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    let unasked = place.run(&["state", "rm", "aws:logs:LogGroup/cluster", "--rehearse"]);
    assert_eq!(unasked.code, 64, "without a terminal and without --yes: {}", unasked.stderr);
    let unknown = place.run(&["state", "rm", "aws:logs:LogGroup/nope", "--rehearse", "--yes"]);
    assert_eq!(unknown.code, 64);
    let ran = place.ok(&["state", "rm", "aws:logs:LogGroup/cluster", "--rehearse", "--yes"]);
    assert!(ran.stdout.contains("note: aws:eks:Cluster/main depends on what leaves"), "{}", ran.stdout);
    assert!(place.ok(&["state", "list", "--rehearse"]).stdout.ends_with("32 objects\n"));
    // It carries our tags: the next run takes it back.
    place.ok(&["up", "--rehearse", "--yes"]);
    assert!(place.ok(&["state", "list", "--rehearse"]).stdout.ends_with("33 objects\n"));
}

#[test]
fn a_resource_gets_another_name() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    place.ok(&["state", "mv", "aws:eks:NodeGroup/cpu", "aws:eks:NodeGroup/workers", "--rehearse"]);
    let list = place.ok(&["state", "list", "--rehearse"]).stdout;
    assert!(list.contains("aws:eks:NodeGroup/workers") && !list.contains("aws:eks:NodeGroup/cpu "), "{list}");
    let taken = place.run(&["state", "mv", "aws:eks:NodeGroup/gpu", "aws:eks:NodeGroup/workers", "--rehearse"]);
    assert_eq!(taken.code, 64, "{}", taken.stderr);
}

#[test]
fn a_lost_state_is_rebuilt_from_the_account() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    let occupied = place.run(&["state", "rebuild", "--rehearse"]);
    assert_eq!(occupied.code, 64, "{}", occupied.stderr);
    std::fs::remove_dir_all(place.file(".rayplat/rehearsal/rayplat/state")).unwrap();
    let ran = place.ok(&["state", "rebuild", "--rehearse"]);
    assert!(ran.stdout.contains("33 objects found and in the state"), "{}", ran.stdout);
    assert!(ran.stdout.contains("Nothing to do"), "{}", ran.stdout);
    place.ok(&["preview", "--rehearse"]);
    place.ok(&["down", "--rehearse", "--yes"]);
}
