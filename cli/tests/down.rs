//! `rayplat down`

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, summary};

#[test]
fn everything_goes() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    let ran = place.ok(&["down", "--rehearse", "--yes", "--json"]);
    assert_eq!(ran.last_json()["summary"], summary(&[("deleted", 33)]));
    let list = place.ok(&["state", "list", "--rehearse"]);
    assert!(list.stdout.ends_with("0 objects\n"), "{}", list.stdout);
    let again = place.ok(&["down", "--rehearse", "--yes", "--json"]);
    assert_eq!(again.last_json()["summary"], summary(&[]));
}

#[test]
fn without_a_state_there_is_nothing_to_destroy() {
    let place = Place::new();
    let ran = place.ok(&["down", "--rehearse", "--yes"]);
    assert!(ran.stdout.contains("nothing is known that could be destroyed"), "{}", ran.stdout);
    assert!(!place.file(".rayplat").exists());
}

#[test]
fn it_asks() {
    let ran = Place::new().run(&["down", "--rehearse"]);
    assert_eq!(ran.code, 64);
}
