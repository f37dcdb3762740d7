//! `rayplat validate`, `schema`, `init`

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, QUICKSTART};

#[test]
fn a_mistake_has_its_place_reason_and_cure() {
    let place = Place::new();
    place.write("rayplat.yaml", &QUICKSTART.replace("node_pools:", "node_pool:"));
    for args in [&["validate"][..], &["preview", "--rehearse"], &["up", "--rehearse", "--yes"]] {
        let ran = place.run(args);
        assert_eq!(ran.code, 65, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("rayplat.yaml:"), "{}", ran.stderr);
        assert!(ran.stderr.contains("node_pools"), "{}", ran.stderr);
    }
    assert!(!place.file(".rayplat").exists());
    let json = place.run(&["validate", "--json"]);
    assert_eq!(json.code, 65);
    assert!(json.last_json()["diagnostics"]["diagnostics"][0]["line"].is_u64(), "{}", json.stdout);
}

#[test]
fn the_quick_start_is_valid() {
    let ran = Place::new().ok(&["validate"]);
    assert_eq!(
        ran.stdout,
        "rayplat.yaml is valid: production-ray-cluster in us-east-1, Kubernetes 1.35, pools cpu, gpu\n"
    );
}

#[test]
fn no_manifest() {
    let ran = Place::empty().run(&["preview", "--rehearse"]);
    assert_eq!(ran.code, 66);
    assert!(ran.stderr.contains("rayplat init"), "{}", ran.stderr);
}

#[test]
fn init_writes_a_valid_manifest_and_never_overwrites() {
    let place = Place::empty();
    place.ok(&["init"]);
    place.ok(&["validate"]);
    place.ok(&["up", "--rehearse", "--yes"]);
    place.write("rayplat.yaml", "mine");
    let ran = place.run(&["init"]);
    assert_eq!(ran.code, 64);
    assert_eq!(std::fs::read_to_string(place.file("rayplat.yaml")).unwrap(), "mine");
}

#[test]
fn the_schema_is_json() {
    let ran = Place::empty().ok(&["schema"]);
    let schema: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
}
