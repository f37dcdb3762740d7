//! `rayplat verify` on the emulated account, whose pods run no programs: what needs them could
//! not run, and that is no pass. The real thing is in `integration-tests/tests/verify.rs`.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, WHOLE};
use serde_json::json;

fn standing(manifest: &str) -> Place {
    let place = Place::empty();
    place.write("rayplat.yaml", manifest);
    place.ok(&["up", "--rehearse", "--yes"]);
    place
}

#[test]
fn gpu_nodes_take_their_pods() {
    let place =
        standing(&WHOLE.replace("gpu: {capacity: spot, max: 5}", "gpu: {capacity: spot, min: 1, desired: 1, max: 5}"));
    let ran = place.ok(&["verify", "gpu-density", "--rehearse"]);
    assert_eq!(
        ran.stdout,
        "gpu-density: passed\n  \
         gpu: pods on g4dn.xlarge        110  at least 110\n  \
         gpu: GPUs on g4dn.xlarge          1  at least 1\n"
    );
}

#[test]
fn what_could_not_run_is_no_pass() {
    let place = standing(WHOLE);
    // The quick start's GPU pool begins without nodes.
    let ran = place.run(&["verify", "gpu-density", "--rehearse"]);
    assert_eq!(ran.code, 4, "{}", ran.stdout);
    assert!(ran.stdout.starts_with("gpu-density: COULD NOT RUN\n  the GPU pool gpu has no node"), "{}", ran.stdout);

    let ran = place.run(&["verify", "all", "--rehearse", "--json", "--workers", "9"]);
    assert_eq!(ran.code, 4, "{}", ran.stdout);
    let told = ran.last_json();
    assert_eq!(told["passed"], false);
    let all = told["checks"].as_array().unwrap();
    let verdicts: Vec<_> = all.iter().map(|one| json!([one["check"], one["verdict"]])).collect();
    let names = ["gpu-density", "memory-spill", "scale", "head-failover"];
    assert_eq!(verdicts, names.map(|name| json!([name, "not_run"])));
    assert_eq!(all[3]["reason"], "pods of the emulated account run no programs");
    // Nothing was changed for a check that could not run.
    let plan = place.ok(&["preview", "--rehearse"]);
    assert!(plan.stdout.contains("Nothing to do"), "{}", plan.stdout);

    let many = place.run(&["verify", "scale", "--rehearse"]);
    assert!(many.stdout.contains("need 200 nodes of the pool cpu, which may have 10"), "{}", many.stdout);
}

#[test]
fn a_platform_must_stand() {
    let place = Place::empty();
    place.write("rayplat.yaml", WHOLE);
    let ran = place.run(&["verify", "all", "--rehearse"]);
    assert_eq!(ran.code, 64, "{}", ran.stderr);
    let ran = place.run(&["verify", "memory-spill", "--factor", "1", "--rehearse"]);
    assert_eq!(ran.code, 64);
    assert!(ran.stderr.contains("less overfills nothing"), "{}", ran.stderr);
}
