//! `rayplat import`, `rayplat init --from-tfvars`

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, summary};
use serde_json::Value;

const TFVARS: &str = r#"
kubernetes_version = "1.33"
vpc_id     = "vpc-0abcd1234ef567890"
subnet_ids = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"]
gpu_count  = 3
"#;

#[test]
fn variables_become_a_manifest_that_can_be_rehearsed() {
    let place = Place::empty();
    place.write("terraform.tfvars", TFVARS);
    let ran = place.ok(&["init", "--from-tfvars", "terraform.tfvars"]);
    assert!(ran.stderr.contains("warning: `gpu_count` is not a variable of the module"), "{}", ran.stderr);
    place.ok(&["validate"]);
    let up = place.ok(&["up", "--rehearse", "--yes", "--json"]);
    assert!(up.stdout.contains("run_finished"));
    let again = place.run(&["init", "--from-tfvars", "terraform.tfvars"]);
    assert_eq!(again.code, 64);
    assert!(again.stderr.contains("exists and is not overwritten"), "{}", again.stderr);
}

#[test]
fn what_is_wrong_in_a_file_is_named() {
    let place = Place::new();
    place.write("bad.tfvars", "region = \"us-east-1\"\nname = var.name\n");
    place.write("bad.tfvars.json", "{\"region\": ");
    place.write("v3.tfstate", "{\"version\": 3}");
    let cases: [(&[&str], i32, &str); 9] = [
        (
            &["init", "-f", "new.yaml", "--from-tfvars", "bad.tfvars"],
            65,
            "bad.tfvars: line 2, column 8: `var` is an expression",
        ),
        (&["init", "-f", "new.yaml", "--from-tfvars", "bad.tfvars.json"], 65, "bad.tfvars.json: line 1"),
        (&["init", "-f", "new.yaml", "--from-tfvars", "none"], 73, "none cannot be read"),
        (&["init", "--adopt"], 64, "--from-tfvars"),
        (&["import", "--rehearse", "--tfstate", "v3.tfstate"], 65, "a state of version 3"),
        (&["import", "--rehearse"], 64, "there is nothing to import"),
        (&["import", "--rehearse", "aws:iam:Role/node"], 64, "has no partner"),
        (&["import", "--rehearse", "node", "x"], 64, "is not a resource name"),
        (&["import", "--rehearse", "--release", "aws:iam:Role/node:trust_policy"], 64, "is not kept"),
    ];
    for (args, code, says) in cases {
        let ran = place.run(args);
        assert!(ran.code == code && ran.stderr.contains(says), "{args:?}: {}\n{}", ran.code, ran.stderr);
    }
    assert!(!place.file("new.yaml").exists());
}

#[test]
fn an_object_of_a_lost_state_comes_back() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    let shown = place.ok(&["state", "show", "aws:iam:Role/node", "--rehearse", "--json"]);
    let shown: Value = serde_json::from_str(shown.stdout.trim()).unwrap();
    let id = shown.pointer("/0/id").or(shown.get("id")).and_then(Value::as_str).unwrap().to_owned();
    std::fs::remove_dir_all(place.file(".rayplat/rehearsal/rayplat/state")).unwrap();

    let ran = place.run(&["import", "--rehearse", "aws:iam:Role/nodes", &id]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains("The nearest name that it has is aws:iam:Role/node."), "{}", ran.stdout);
    let dry = place.ok(&["import", "--rehearse", "--dry-run", "--json", "aws:iam:Role/node", &id]);
    assert_eq!(dry.last_json()["written"], false);
    let ran = place.ok(&["import", "--rehearse", "--json", "aws:iam:Role/node", &id]);
    let report = ran.last_json();
    assert_eq!((&report["written"], &report["adopted"][0]["claimed"]), (&true.into(), &true.into()), "{report}");
    let preview = place.run(&["preview", "--rehearse", "--json"]);
    assert_eq!(preview.last_json()["summary"]["unchanged"], summary(&[("unchanged", 1)])["unchanged"]);
}
