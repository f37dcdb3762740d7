//! `rayplat history`

#![allow(clippy::unwrap_used)]

mod common;

use common::Place;

#[test]
fn every_run_is_remembered_with_what_it_did() {
    let place = Place::new();
    let none = place.run(&["history", "--rehearse"]);
    assert_eq!(none.code, 64, "{}", none.stderr);
    place.ok(&["up", "--rehearse", "--yes"]);
    place.ok(&["up", "--rehearse", "--yes"]);
    place.ok(&["down", "--rehearse", "--yes"]);
    let list = place.ok(&["history", "--rehearse"]).stdout;
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 3, "{list}");
    assert!(lines[0].trim_start().starts_with("3 ") && lines[0].contains("33 deleted"), "{list}");
    assert!(lines[1].contains("nothing to do"), "{list}");
    assert!(lines[2].contains("33 created"), "{list}");
    assert_eq!(place.ok(&["history", "--rehearse", "--limit", "1"]).stdout.lines().count(), 1);
    let first = place.ok(&["history", "1", "--rehearse"]).stdout;
    assert!(first.contains("created    aws:eks:Cluster/main#0"), "{first}");
    let json = place.ok(&["history", "1", "--rehearse", "--json"]).last_json();
    assert_eq!(json["summary"]["created"], 33);
    assert_eq!(json["deeds"].as_array().unwrap().len(), 33);
    let absent = place.run(&["history", "9", "--rehearse"]);
    assert_eq!(absent.code, 64);
    assert!(absent.stderr.contains("It has the runs 1 to 3"), "{}", absent.stderr);
}

#[test]
fn who_ran_it_is_said() {
    let place = Place::new();
    let mut command = place.command(&["up", "--rehearse", "--yes"]);
    command.env("USER", "ann");
    assert!(command.output().unwrap().status.success());
    let json = place.ok(&["history", "--rehearse", "--json"]).last_json();
    assert!(json["by"].as_str().unwrap().starts_with("ann@"), "{json}");
}
