//! `rayplat down`

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, WHOLE, apply_in_cluster, summary};
use serde_json::json;

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

/// Somebody's Service with a load balancer, and a pod with a claim.
fn others(place: &Place) {
    let claim = json!({
        "accessModes": ["ReadWriteOnce"], "storageClassName": "gp3", "resources": {"requests": {"storage": "20Gi"}},
    });
    let pod = json!({
        "containers": [{"name": "main", "image": "app"}],
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
    });
    let service = json!({"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80}]});
    let object = |api: &str, kind: &str, name: &str, spec: serde_json::Value| json!({"apiVersion": api, "kind": kind, "metadata": {"name": name}, "spec": spec});
    apply_in_cluster(
        place,
        &[
            ("/v1//namespaces", object("v1", "Namespace", "team", json!({}))),
            ("/v1/team/services", object("v1", "Service", "web", service)),
            ("/v1/team/persistentvolumeclaims", object("v1", "PersistentVolumeClaim", "data", claim)),
            ("/v1/team/pods", object("v1", "Pod", "main", pod)),
        ],
    );
}

#[test]
fn data_of_others_is_asked_about_and_what_goes_along_is_shown() {
    let place = Place::empty();
    place.write("rayplat.yaml", WHOLE);
    place.ok(&["up", "--rehearse", "--yes"]);
    others(&place);
    let refused = place.run(&["down", "--rehearse", "--yes"]);
    assert_eq!(refused.code, 65, "{}", refused.stderr);
    for part in [
        "kubernetes:Sweep/cluster: a volume of claims that this platform did not make is in the cluster that is to go: vol-",
        "(20Gi, claim team/data)",
        "Nothing was deleted.",
        "`rayplat down --keep-volumes`",
        "`rayplat down --delete-volumes`",
    ] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    assert!(place.ok(&["state", "list", "--rehearse"]).stdout.ends_with("83 objects\n"));
    assert_eq!(place.run(&["down", "--rehearse", "--yes", "--keep-volumes", "--delete-volumes"]).code, 64);
    let kept = place.ok(&["down", "--rehearse", "--yes", "--keep-volumes"]);
    for part in [
        "goes too\n└─ Service team/web with the load balancer a",
        "stays in the account\n└─ volume vol-",
        "Done: 83 deleted.",
        "\nLeft in the account: volume vol-",
    ] {
        assert!(kept.stdout.contains(part), "{part}: {}", kept.stdout);
    }
}

#[test]
fn as_json_what_goes_along_is_an_event() {
    let place = Place::empty();
    place.write("rayplat.yaml", WHOLE);
    place.ok(&["up", "--rehearse", "--yes"]);
    others(&place);
    let ran = place.ok(&["down", "--rehearse", "--yes", "--delete-volumes", "--json"]);
    let along = ran.stdout.lines().find(|line| line.contains("\"event\":\"along\"")).unwrap();
    let along: serde_json::Value = serde_json::from_str(along).unwrap();
    let stays: Vec<&serde_json::Value> = along["along"].as_array().unwrap().iter().map(|one| &one["stays"]).collect();
    assert_eq!(stays, [&json!(false), &json!(false)]);
    common::edit_account(&place, |account| assert!(account.ec2.volumes.is_empty()));
}
