//! `rayplat preview`

#![allow(clippy::unwrap_used)]

mod common;

use common::{LOG_GROUP, Place, QUICKSTART, edit_account, summary};

#[test]
fn changes_are_exit_code_2_and_nothing_is_made() {
    let place = Place::new();
    let ran = place.run(&["preview", "--rehearse"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stdout.contains("33 to create."), "{}", ran.stdout);
    assert!(!place.file(".rayplat").exists(), "a preview leaves no state behind");
}

#[test]
fn json_is_one_object() {
    let ran = Place::new().run(&["preview", "--rehearse", "--json"]);
    assert_eq!(ran.code, 2);
    let value: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(value["summary"], summary(&[("created", 33)]));
    assert_eq!(value["steps"].as_array().unwrap().len(), 33);
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
    let lines: Vec<&str> = ran.stdout.lines().skip(1).take(11).collect();
    assert_eq!(
        lines,
        [
            // Its tags follow the node group's new Auto Scaling group.
            "aws:autoscaling:GroupTags",
            "└─ +/- cpu  needs a new object, the new one before the old one goes, if it still differs then",
            "        group:   needs a new object",
            lines[3],
            "        -> (known after apply)",
            "aws:eks:NodeGroup",
            "└─ +/- cpu  needs a new object, the new one before the old one goes",
            r#"        instance_types: ["m6g.xlarge"] -> ["m6g.2xlarge"]   needs a new object"#,
            "",
            "2 to replace, 31 unchanged.",
            lines[10],
        ]
    );
    assert!(lines[3].starts_with("           \"eks-cpu-"), "{}", lines[3]);
    assert!(lines[10].starts_with("Expected to take about "));
}

#[test]
fn a_plan_is_kept_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.write("plan.json", "something older, longer than nothing");
    let mut command = place.command(&["preview", "--rehearse", "--out", "plan.json"]);
    command.env("AWS_SECRET_ACCESS_KEY", "very-secret").env("AWS_SESSION_TOKEN", "also-secret");
    let ran = common::Ran::from(command.output().unwrap());
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stdout.ends_with("The plan is in plan.json: `rayplat up --plan plan.json` applies it.\n"));
    let file = place.file("plan.json");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(file).unwrap();
    assert!(!text.contains("secret-") && !text.contains("-secret"));
    let plan: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(plan["format"], 1);
    assert_eq!(plan["program"], concat!("rayplat ", env!("CARGO_PKG_VERSION")));
    assert_eq!(plan["stack"], "production-ray-cluster");
    assert_eq!(plan["binding"]["account"], "123456789012");
    assert_eq!(plan["basis"]["run"], 0);
    assert_eq!(plan["plan"]["steps"].as_array().unwrap().len(), 33);
    let left: Vec<_> = std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn a_plan_that_cannot_be_kept_is_73() {
    let ran = Place::new().run(&["preview", "--rehearse", "--out", "nowhere/plan.json"]);
    assert_eq!(ran.code, 73, "{}", ran.stderr);
    assert!(ran.stderr.contains("nowhere/plan.json"), "{}", ran.stderr);
}

#[test]
fn markdown_is_a_comment() {
    let place = Place::new();
    let ran = place.run(&["preview", "--rehearse", "--format", "markdown"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(
        lines[..9],
        [
            "<!-- rayplat preview production-ray-cluster -->",
            "### rayplat preview: `production-ray-cluster`",
            "",
            "account 123456789012 in us-east-1 (rehearsal)",
            "",
            "| to create | to change | to replace | to delete | unchanged |",
            "|---:|---:|---:|---:|---:|",
            "| 33 | 0 | 0 | 0 | 0 |",
            "",
        ]
    );
    assert!(ran.stdout.contains("#### Manifest: 1 warning (1)\n\n- **warning:** `rayplat.yaml:"), "{}", ran.stdout);
    assert!(ran.stdout.contains("#### Cost a month in US dollars"), "{}", ran.stdout);
    assert!(ran.stdout.contains("<details><summary>Create (33)</summary>\n\n- `aws:autoscaling:GroupTags/cpu`\n"));
    assert!(ran.stderr.is_empty(), "all of it is in the comment: {}", ran.stderr);
    place.ok(&["up", "--rehearse", "--yes"]);
    let done = place.ok(&["preview", "--rehearse", "--format", "markdown"]);
    assert!(done.stdout.contains("Nothing to do: 33 resources are as the manifest says."), "{}", done.stdout);
}

#[test]
fn one_form_at_a_time() {
    let ran = Place::new().run(&["preview", "--rehearse", "--json", "--format", "markdown"]);
    assert_eq!(ran.code, 64);
    let both = Place::new().run(&["preview", "--rehearse", "--refresh-only", "--out", "plan.json"]);
    assert_eq!(both.code, 64);
}

/// Somebody keeps the logs longer.
fn drifted() -> Place {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    edit_account(&place, |account| account.logs.groups.get_mut(LOG_GROUP).unwrap().retention_days = Some(30));
    place
}

#[test]
fn drift_is_exit_code_2_until_it_is_taken_up() {
    let place = drifted();
    for _ in 0..2 {
        let ran = place.run(&["preview", "--rehearse", "--refresh-only"]);
        assert_eq!(ran.code, 2, "{}", ran.stderr);
        let lines: Vec<&str> = ran.stdout.lines().skip(1).collect();
        assert_eq!(
            lines,
            [
                "aws:logs:LogGroup",
                "└─ ~   cluster  /aws/eks/production-ray-cluster/cluster",
                "        retention_days: 7 -> 30",
                "",
                "1 of 33 objects have drifted.",
                "`rayplat preview` shows what `up` would do about it.",
            ]
        );
    }
    place.ok(&["up", "--rehearse", "--yes"]);
    let none = place.ok(&["preview", "--rehearse", "--refresh-only"]);
    assert!(none.stdout.ends_with("No drift: 33 objects are as recorded.\n"), "{}", none.stdout);
}

#[test]
fn drift_for_programs_and_pull_requests() {
    let place = drifted();
    let json = place.run(&["preview", "--rehearse", "--refresh-only", "--json"]);
    assert_eq!(json.code, 2);
    let found = json.last_json();
    assert_eq!((found["drift"].as_bool(), found["checked"].as_u64()), (Some(true), Some(33)));
    assert_eq!(found["objects"][0]["urn"], "aws:logs:LogGroup/cluster");
    assert_eq!(
        found["objects"][0]["inputs"],
        serde_json::json!([{"path": "retention_days", "recorded": 7, "found": 30}])
    );
    edit_account(&place, |account| drop(account.logs.groups.remove(LOG_GROUP)));
    let comment = place.run(&["preview", "--rehearse", "--refresh-only", "--format", "markdown"]);
    assert_eq!(comment.code, 2);
    assert!(comment.stdout.starts_with("<!-- rayplat drift production-ray-cluster -->\n"), "{}", comment.stdout);
    assert!(
        comment.stdout.contains("#### Gone (1)\n\n- `aws:logs:LogGroup/cluster` (`/aws/eks/"),
        "{}",
        comment.stdout
    );
}

#[test]
fn a_healthy_resource_is_replaced_if_its_name_is_given() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    let ran = place.run(&["preview", "--rehearse", "--replace", "nodegroup/cpu"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let lines: Vec<&str> = ran.stdout.lines().skip(1).collect();
    let at = lines.iter().position(|line| *line == "aws:eks:NodeGroup").unwrap();
    assert_eq!(lines[at + 1], "└─ +/- cpu  a new object by --replace, the new one before the old one goes");
    // The tags of its Auto Scaling group go with it.
    assert!(lines[0] == "aws:autoscaling:GroupTags" && lines[1].starts_with("└─ +/- cpu  "), "{}", ran.stdout);
}

#[test]
fn an_unknown_name_is_wrong_usage_with_the_nearest_right_one() {
    let ran = Place::new().run(&["preview", "--rehearse", "--replace", "nodegroup/cpo"]);
    assert_eq!(ran.code, 64);
    assert!(ran.stderr.contains("there is no resource `nodegroup/cpo`"), "{}", ran.stderr);
    assert!(ran.stderr.contains("Did you mean `aws:eks:NodeGroup/cpu`?"), "{}", ran.stderr);
    let ran = Place::new().run(&["up", "--rehearse", "--yes", "--replace", "cpu"]);
    assert_eq!(ran.code, 64);
    assert!(ran.stderr.contains("aws:ec2:LaunchTemplate/cpu, aws:eks:NodeGroup/cpu"), "{}", ran.stderr);
}

#[test]
fn terraforms_form_is_one_object() {
    let place = Place::new();
    let ran = place.run(&["preview", "--rehearse", "--format", "terraform-json"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let actions = |document: &serde_json::Value| -> Vec<String> {
        let changes = document["resource_changes"].as_array().unwrap();
        changes.iter().map(|change| change["change"]["actions"].to_string()).collect()
    };
    assert!(actions(&document).iter().all(|actions| actions == r#"["create"]"#));
    place.ok(&["up", "--rehearse", "--yes"]);
    let ran = place.ok(&["preview", "--rehearse", "--format", "terraform-json"]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(actions(&document).iter().all(|actions| actions == r#"["no-op"]"#));
    let drift = place.run(&["preview", "--rehearse", "--refresh-only", "--format", "terraform-json"]);
    assert_eq!(drift.code, 64, "{}", drift.stderr);
}

const NO_FALLBACK: &str = "gpu: {capacity: spot, max: 5, fallback: {enabled: false}}";

fn without_fallback(more: &str) -> Place {
    let place = Place::new();
    place.write("rayplat.yaml", &(QUICKSTART.replace("gpu: {capacity: spot, max: 5}", NO_FALLBACK) + more));
    place
}

#[test]
fn the_verdict_of_the_policies_is_in_every_form() {
    let fine = Place::new().run(&["preview", "--rehearse"]);
    assert!(fine.stdout.contains("\nPolicies (6 asked): none objects\n"), "{}", fine.stdout);
    let place = without_fallback("");
    let text = place.run(&["preview", "--rehearse"]);
    assert_eq!(text.code, 3, "{}", text.stderr);
    let verdict = "\nPolicies (6 asked): 1 denied\n  denied: spot-gpu-fallback: aws_eks_node_group.gpu: Spot GPU nodes need an \
                   On-Demand fallback of the same pool\n";
    assert!(text.stdout.contains(verdict), "{}", text.stdout);
    let json = place.run(&["preview", "--rehearse", "--json"]);
    assert_eq!(json.code, 3);
    let policies = &json.last_json()["policies"];
    assert_eq!((&policies["denied"], &policies["policies"]), (&true.into(), &6.into()));
    assert_eq!(policies["findings"][0]["policy"], "spot-gpu-fallback");
    let markdown = place.run(&["preview", "--rehearse", "--format", "markdown"]);
    assert_eq!(markdown.code, 3);
    assert!(markdown.stdout.contains("#### Policies (6 asked): 1 denied (1)\n\n- **denied:** `spot-gpu-fallback`: "));
}

#[test]
fn an_exception_has_a_written_reason() {
    let place = without_fallback("policy:\n  allow:\n    spot-gpu-fallback: the jobs may wait for Spot\n");
    let ran = place.run(&["preview", "--rehearse"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let line = ran.stdout.lines().find(|line| line.contains("spot-gpu-fallback")).unwrap();
    assert!(line.ends_with("of the same pool (allowed: the jobs may wait for Spot)"), "{line}");
}

#[test]
fn the_manifests_own_policies_are_asked_too() {
    let place = Place::new();
    place.write("rayplat.yaml", &format!("{QUICKSTART}policies: [policies]\n"));
    std::fs::create_dir(place.file("policies")).unwrap();
    place.write(
        "policies/names.rego",
        "package terraform\n\nwarn[msg] {\n  input.variables.region.value == \"us-east-1\"\n  msg := \"everybody is there\"\n}\n",
    );
    let ran = place.run(&["preview", "--rehearse"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    let verdict = "\nPolicies (7 asked): 1 to look at\n  warning: terraform.warn: everybody is there\n";
    assert!(ran.stdout.contains(verdict), "{}", ran.stdout);
    // From another folder, too: paths are relative to the manifest.
    let file = place.file("rayplat.yaml");
    let ran = Place::empty().run(&["preview", "--rehearse", "-f", file.to_str().unwrap()]);
    assert!(ran.stdout.contains("everybody is there"), "{}", ran.stderr);
}

#[test]
fn a_policy_that_cannot_be_asked_stops_everything() {
    let place = Place::new();
    place.write("rayplat.yaml", &format!("{QUICKSTART}policies: [p.rego]\n"));
    for args in [&["preview", "--rehearse"][..], &["up", "--rehearse", "--yes"]] {
        let absent = place.run(args);
        assert_eq!(absent.code, 65, "{}", absent.stderr);
        assert!(absent.stderr.contains("policy p.rego: No such file"), "{}", absent.stderr);
    }
    place.write("p.rego", "package main\n\ndeny[msg] { msg := nothing_like_it(input) }\n");
    for args in [&["preview", "--rehearse", "--json"][..], &["up", "--rehearse", "--yes", "--json"]] {
        let ran = place.run(args);
        assert_eq!(ran.code, 65, "{}", ran.stdout);
        let message = ran.last_json()["message"].to_string();
        assert!(message.contains("policy p.rego:3:35: ") && message.contains("nothing_like_it"), "{message}");
    }
    let state = place.ok(&["state", "list", "--rehearse"]);
    assert!(state.stdout.ends_with("0 objects\n"), "{}", state.stdout);
}
