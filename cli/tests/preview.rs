//! `rayplat preview`

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, QUICKSTART, summary};

#[test]
fn changes_are_exit_code_2_and_nothing_is_made() {
    let place = Place::new();
    let ran = place.run(&["preview", "--rehearse"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stdout.contains("30 to create."), "{}", ran.stdout);
    assert!(!place.file(".rayplat").exists(), "a preview leaves no state behind");
}

#[test]
fn json_is_one_object() {
    let ran = Place::new().run(&["preview", "--rehearse", "--json"]);
    assert_eq!(ran.code, 2);
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(value["summary"], summary(&[("created", 30)]));
    assert_eq!(value["steps"].as_array().unwrap().len(), 30);
}

#[test]
fn a_replacement_says_why_and_in_which_order() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    place.write("rayplat.yaml", &QUICKSTART.replace("max: 10", "max: 10, instance_types: [m6g.2xlarge]"));
    let ran = place.run(&["preview", "--rehearse"]);
    assert_eq!(ran.code, 2);
    let lines: Vec<&str> = ran.stdout.lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "aws:eks:NodeGroup",
            "└─ +/- cpu  needs a new object, the new one before the old one goes",
            r#"        instance_types: ["m6g.xlarge"] -> ["m6g.2xlarge"]   needs a new object"#,
            "",
            "1 to replace, 29 unchanged.",
            lines[5],
        ]
    );
    assert!(lines[5].starts_with("Expected to take about "));
}
