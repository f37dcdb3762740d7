//! From nothing to a Ray cluster that serves, and back.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, WHOLE};

fn place(more: &str) -> Place {
    let place = Place::empty();
    place.write("rayplat.yaml", &format!("{WHOLE}{more}"));
    place
}

#[test]
fn up_ends_with_a_ray_cluster_that_serves() {
    let place = place("");
    let up = place.ok(&["up", "--rehearse", "--yes"]);
    assert!(up.stderr.contains("note: charts as outlines, without Helm: "), "{}", up.stderr);
    assert!(up.stdout.contains("created kubernetes:Ray/ray/RayCluster/ray in "), "{}", up.stdout);
    assert!(up.stdout.contains("Done: 83 created."), "{}", up.stdout);
    // The end says what stands, where, and how to get there.
    let end =
        up.stdout.split_once("\nNow stands, rehearsed: RayCluster `ray` of Ray 2.60.0, in the cluster at\n").unwrap().1;
    for line in [
        "  http://ray-head-svc.ray.svc.cluster.local:8265  dashboard, jobs",
        "  rayplat kubeconfig",
        "  kubectl -n ray port-forward service/ray-head-svc 8265 10001",
        "  kubectl -n ray get secret ray -o jsonpath='{.data.auth_token}' | base64 -d",
    ] {
        assert!(end.lines().any(|one| one == line), "{line}: {end}");
    }
    assert!(end.lines().all(|line| line.chars().count() <= 80), "{end}");
    let json = place.ok(&["up", "--rehearse", "--yes", "--json"]).stdout;
    let event = |name: &str| format!("{{\"event\":\"{name}\"");
    let stands = json.lines().find(|line| line.starts_with(&event("standing"))).unwrap();
    let stands: serde_json::Value = serde_json::from_str(stands).unwrap();
    assert_eq!(stands["ray"]["dashboard_url"], "http://ray-head-svc.ray.svc.cluster.local:8265");
    assert!(json.lines().last().unwrap().starts_with(&event("run_finished")), "{json}");
    // The last of the chain that decides the time is the Ray cluster.
    assert!(up.stdout.contains("create kubernetes:Ray/ray/RayCluster/ray\n"), "{}", up.stdout);
    let again = place.run(&["preview", "--rehearse"]);
    assert_eq!(again.code, 0, "{}", again.stdout);
    let down = place.ok(&["down", "--rehearse", "--yes"]);
    assert!(down.stdout.contains("Done: 83 deleted.") && !down.stdout.contains("Now stands"), "{}", down.stdout);
    assert!(place.ok(&["state", "list", "--rehearse"]).stdout.ends_with("0 objects\n"));
}

#[test]
fn ray_changes_in_place() {
    let place = place("");
    place.ok(&["up", "--rehearse", "--yes"]);
    place.write("rayplat.yaml", &format!("{WHOLE}ray: {{version: 2.59.0, workers: {{cpu: {{min: 3}}, gpu: {{}}}}}}\n"));
    let preview = place.run(&["preview", "--rehearse"]);
    assert_eq!(preview.code, 2);
    for line in [
        "manifest.spec.rayVersion: \"2.60.0\" -> \"2.59.0\"",
        "manifest.spec.workerGroupSpecs[0].minReplicas: 2 -> 3",
        "2 to change, 81 unchanged.",
    ] {
        assert!(preview.stdout.contains(line), "{line}: {}", preview.stdout);
    }
    place.ok(&["up", "--rehearse", "--yes"]);
    assert_eq!(place.run(&["preview", "--rehearse"]).code, 0);
}

#[test]
fn a_service_and_jobs_in_place_of_a_bare_cluster() {
    let place = place(
        "ray:\n  jobs:\n    train: {entrypoint: python -c 'import ray; ray.init()', runtime_env: {pip: [torch]}, retries: 2}\n",
    );
    let up = place.ok(&["up", "--rehearse", "--yes"]);
    assert!(up.stdout.contains("created kubernetes:Ray/ray/RayJob/train in "), "{}", up.stdout);
    place.ok(&["down", "--rehearse", "--yes"]);

    let serve = self::place("ray: {serve: {applications: [{name: app, import_path: app:app}]}}\n");
    let up = serve.ok(&["up", "--rehearse", "--yes"]);
    assert!(up.stdout.contains("created kubernetes:Ray/ray/RayService/ray in "), "{}", up.stdout);
    assert!(up.stdout.contains("  http://ray-serve-svc.ray.svc.cluster.local:8000  applications\n"), "{}", up.stdout);
    serve.ok(&["down", "--rehearse", "--yes"]);
}

#[test]
fn pods_that_do_not_fit_their_nodes_are_refused_with_the_arithmetic() {
    let place = place("ray:\n  workers:\n    gpu: {cpus: 4, memory_gb: 16}\n    cpu: {}\n");
    let refused = place.run(&["preview", "--rehearse"]);
    assert_eq!(refused.code, 65);
    for part in [
        "a worker of `gpu` asks for 4 CPUs and does not fit a node of pool `gpu`",
        "g4dn.xlarge has 4 CPUs and 16 GiB",
        "pods can have 3.69 CPUs and 13.0 GiB",
        "write `cpus: 3` or less",
        "write `memory_gb: 13` or less",
    ] {
        assert!(refused.stderr.contains(part), "{part}: {}", refused.stderr);
    }
    let wrong = self::place("ray: {image: \"rayproject/ray:2.60.0-py312\", version: 2.40.0, head: {pool: gpus}}\n");
    let refused = wrong.run(&["validate"]).stderr;
    assert!(refused.contains("there is no node pool `gpus`"), "{refused}");
    let wrong = self::place("ray: {image: \"rayproject/ray:2.60.0-py312\", version: 2.40.0}\n");
    let refused = wrong.run(&["validate"]).stderr;
    assert!(refused.contains("is for x86_64, and the nodes of pool `cpu` are arm64"), "{refused}");
    assert!(refused.contains("write 2.53.0 or newer"), "{refused}");
}

#[test]
fn an_empty_cluster_is_a_choice() {
    let place = place("kubernetes: {enabled: false}\n");
    let up = place.ok(&["up", "--rehearse", "--yes"]);
    assert!(up.stdout.contains("Done: 33 created."), "{}", up.stdout);
    assert!(!up.stdout.contains("kubernetes:") && !up.stdout.contains("Now stands"), "{}", up.stdout);
}
