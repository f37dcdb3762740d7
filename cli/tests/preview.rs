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
    let cost = &value["cost"];
    assert_eq!((cost["currency"].as_str(), cost["hours_per_month"].as_u64()), (Some("USD"), Some(730)));
    assert_eq!(cost["before"]["total"]["now"]["high"], 0.0);
    assert_eq!(cost["after"]["total"]["now"]["high"], 435.26);
    assert_eq!(cost["difference"]["low"], 435.26);
}

#[test]
fn a_change_shows_what_it_costs() {
    let place = Place::new();
    let first = place.run(&["preview", "--rehearse"]);
    let total = first.stdout.lines().find(|line| line.starts_with("  total ")).unwrap();
    assert_eq!(total.split_whitespace().collect::<Vec<_>>()[..4], ["total", "0.00", "435.26", "+435.26"]);
    let up = place.ok(&["up", "--rehearse", "--yes"]);
    assert!(up.stdout.contains("  pool cpu "), "before the question: {}", up.stdout);
    assert!(up.stdout.contains("\nCost: 435.26 US dollars a month, with all nodes "), "{}", up.stdout);
    place.write("rayplat.yaml", &QUICKSTART.replace("max: 10", "max: 10, desired: 4"));
    let more = place.run(&["preview", "--rehearse"]);
    // One node more: 0.154 x 730 + 100 x 0.08.
    let cpu = more.stdout.lines().find(|line| line.starts_with("  pool cpu ")).unwrap();
    assert_eq!(cpu.split_whitespace().collect::<Vec<_>>()[2..5], ["361.26", "481.68", "+120.42"]);
    let down = place.ok(&["down", "--rehearse", "--yes", "--json"]);
    let cost = down.stdout.lines().find(|line| line.starts_with(r#"{"event":"cost""#)).unwrap();
    let cost: serde_json::Value = serde_json::from_str(cost).unwrap();
    assert_eq!(cost["cost"]["difference"]["high"], -435.26);
}

#[test]
fn a_replacement_says_why_and_in_which_order() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    place.write("rayplat.yaml", &QUICKSTART.replace("max: 10", "max: 10, instance_types: [m6g.2xlarge]"));
    let ran = place.run(&["preview", "--rehearse"]);
    assert_eq!(ran.code, 2);
    let lines: Vec<&str> = ran.stdout.lines().skip(1).take(6).collect();
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
