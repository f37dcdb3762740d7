//! Tags that say where a manifest comes from.

#![allow(clippy::unwrap_used)]

mod common;

use common::Place;
use serde_json::Value;

const COMMIT: &str = "0f1ea4d0f1ea4d0f1ea4d0f1ea4d0f1ea4d0f1e";

fn up(place: &Place, commit: &str) -> Value {
    let mut command = place.command(&["up", "--rehearse", "--yes", "--json"]);
    let ran: common::Ran =
        command.env("GITHUB_REPOSITORY", "ml/platform").env("GITHUB_SHA", commit).output().unwrap().into();
    assert_eq!(ran.code, 0, "{}\n{}", ran.stdout, ran.stderr);
    ran.last_json()["summary"].clone()
}

fn tags(place: &Place, urn: &str, which: &str) -> Value {
    let shown = place.ok(&["state", "show", urn, "--rehearse", "--json"]);
    shown.last_json()["inputs"][which].clone()
}

#[test]
fn a_commit_changes_one_tag_and_the_same_commit_nothing() {
    let place = Place::new();
    up(&place, COMMIT);
    let cluster = tags(&place, "aws:eks:Cluster/main", "tags");
    assert_eq!((&cluster["Repository"], &cluster["Commit"]), (&"ml/platform".into(), &COMMIT.into()));
    let role = tags(&place, "aws:iam:Role/node", "tags");
    assert_eq!((&role["Repository"], &role["Commit"]), (&"ml/platform".into(), &Value::Null));
    // Instances have neither: another value would roll the nodes.
    let instances = tags(&place, "aws:ec2:LaunchTemplate/cpu", "instance_tags");
    assert_eq!((&instances["Repository"], &instances["Commit"]), (&Value::Null, &Value::Null));
    assert_eq!(instances["ManagedBy"], "rayplat");

    let again = up(&place, COMMIT);
    assert_eq!((&again["updated"], &again["created"]), (&0.into(), &0.into()), "{again}");
    let next = up(&place, "1111111111111111111111111111111111111111");
    assert_eq!((&next["updated"], &next["created"], &next["replaced"]), (&1.into(), &0.into(), &0.into()), "{next}");
}

/// Git's word goes before the environment's, and the manifest's before both.
#[test]
fn the_repository_of_the_manifest_is_named() {
    let place = Place::new();
    let git = |args: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.current_dir(place.path()).args(args).env("HOME", place.path());
        git.output().is_ok_and(|ran| ran.status.success())
    };
    assert!(git(&["init", "--quiet"]), "this test needs git");
    git(&["remote", "add", "origin", "https://user:secret@example.com/ray/clusters.git"]);
    git(&["add", "rayplat.yaml"]);
    assert!(git(&["-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "-m", "a"]));
    up(&place, COMMIT);
    let cluster = tags(&place, "aws:eks:Cluster/main", "tags");
    assert_eq!(cluster["Repository"], "ray/clusters");
    assert_eq!(cluster["Commit"].as_str().unwrap().len(), 40);
    assert_ne!(cluster["Commit"], COMMIT);
    let text = std::fs::read_to_string(place.file("rayplat.yaml")).unwrap();
    place.write("rayplat.yaml", &format!("{text}tags: {{Repository: mine, Commit: none}}\n"));
    up(&place, COMMIT);
    let cluster = tags(&place, "aws:eks:Cluster/main", "tags");
    assert_eq!((&cluster["Repository"], &cluster["Commit"]), (&"mine".into(), &"none".into()));
}
