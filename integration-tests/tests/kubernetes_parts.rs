//! The real parts of Kubernetes work together, and as the other tests expect of them.

#![allow(clippy::unwrap_used)] // what is missing ends the test, by name

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::TcpStream,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use rayplat_integration_tests::kubernetes::{ControlPlane, KubeRay, Kwok, Node, find};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(90);

/// One control plane for all tests of this file that run at the same time.
struct Cluster {
    // Ended before the control plane.
    _kuberay: KubeRay,
    _kwok: Kwok,
    plane: ControlPlane,
}

fn cluster(test: &str) -> Option<Arc<Cluster>> {
    static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
    let tools = find(test)?;
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(cluster) = shared.upgrade() {
        return Some(cluster);
    }
    let plane = ControlPlane::start(&tools);
    let head = Node { name: "head", ..Node::default() };
    let labels = [("kubernetes.io/arch".to_owned(), "arm64".to_owned())].into();
    let arm = Node { name: "arm", count: 2, pods: 3, labels, ..Node::default() };
    let kwok = Kwok::start(&plane, &[head, arm]);
    let cluster = Arc::new(Cluster { _kuberay: KubeRay::start(&plane), _kwok: kwok, plane });
    *shared = Arc::downgrade(&cluster);
    Some(cluster)
}

#[test]
fn the_api_serves_who_has_the_token() {
    let Some(cluster) = cluster("the_api_serves_who_has_the_token") else { return };
    let version: Value = serde_json::from_str(&cluster.plane.kubectl_ok(&["get", "--raw", "/version"])).unwrap();
    // Our own, and that of an envtest release too, is of a minor version that EKS has.
    assert_eq!(version["major"], "1", "{version}");
    assert!(version["minor"].as_str().unwrap().parse::<u32>().unwrap() >= 33, "{version}");
    let refused = cluster.plane.kubectl(&["--token=wrong", "get", "nodes"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("Unauthorized"), "{refused:?}");
}

#[test]
fn a_deployment_becomes_available_on_nodes_without_machines() {
    let Some(cluster) = cluster("a_deployment_becomes_available_on_nodes_without_machines") else { return };
    let plane = &cluster.plane;
    let app = json!({"app": "web"});
    plane.apply("web", &json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
        "spec": {"replicas": 5, "selector": {"matchLabels": app}, "template": {
            "metadata": {"labels": app},
            "spec": {
                "nodeSelector": {"kubernetes.io/arch": "arm64"},
                "containers": [{"name": "web", "image": "example.com/web:1", "resources": {"requests": {"cpu": "100m"}}}],
            },
        }},
    }));
    plane.kubectl_ok(&["wait", "deployment/web", "--for=condition=Available", "--timeout=90s"]);
    plane
        .wait("five pods are ready", SOON, || plane.get(&["deployment", "web"])["status"]["readyReplicas"] == json!(5));
    let pods = plane.get(&["pods", "-l", "app=web"]);
    let mut on: Vec<&str> =
        pods["items"].as_array().unwrap().iter().filter_map(|pod| pod["spec"]["nodeName"].as_str()).collect();
    on.sort_unstable();
    // A node takes three pods, so both are used.
    on.dedup();
    assert_eq!(on, ["arm-0", "arm-1"]);

    // Six places are all there are: a seventh pod waits for one.
    plane.kubectl_ok(&["scale", "deployment/web", "--replicas=7"]);
    plane.wait("six of seven are ready", SOON, || {
        plane.get(&["deployment", "web"])["status"]["readyReplicas"] == json!(6)
    });
    plane.wait("the seventh is told why it waits", SOON, || {
        let pods = plane.get(&["pods", "-l", "app=web", "--field-selector=status.phase=Pending"]);
        pods["items"].as_array().unwrap().iter().any(|pod| pod["status"]["conditions"][0]["reason"] == "Unschedulable")
    });
    plane.kubectl_ok(&["delete", "deployment/web", "--timeout=60s", "--cascade=foreground"]);
    assert_eq!(plane.get(&["pods", "-l", "app=web"])["items"], json!([]));
}

#[test]
fn a_claim_gets_its_volume_when_a_pod_wants_it_and_loses_it_with_itself() {
    let Some(cluster) = cluster("a_claim_gets_its_volume_when_a_pod_wants_it_and_loses_it_with_itself") else { return };
    let plane = &cluster.plane;
    plane.apply("claim", &json!({"apiVersion": "v1", "kind": "List", "items": [
        {
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "gp3"},
            "provisioner": "ebs.csi.aws.com", "volumeBindingMode": "WaitForFirstConsumer",
        },
        {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "default"},
            "spec": {
                "storageClassName": "gp3", "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "8Gi"}},
            },
        },
    ]}));
    plane.wait("the claim waits for a pod", SOON, || {
        let events = plane.get(&["events", "--field-selector=involvedObject.name=data"]);
        events["items"].as_array().unwrap().iter().any(|event| event["reason"] == "WaitForFirstConsumer")
    });
    assert_eq!(plane.get(&["pvc", "data"])["status"]["phase"], "Pending");
    plane.apply("store", &json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "store", "namespace": "default"},
        "spec": {
            "containers": [{"name": "store", "image": "example.com/store:1", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        },
    }));
    plane.kubectl_ok(&["wait", "pod/store", "--for=condition=Ready", "--timeout=90s"]);
    let claim = plane.get(&["pvc", "data"]);
    assert_eq!(claim["status"]["phase"], "Bound", "{claim}");
    let volume = claim["spec"]["volumeName"].as_str().unwrap().to_owned();
    plane.kubectl_ok(&["delete", "pod/store", "pvc/data", "--timeout=60s"]);
    plane.wait("the volume is gone", SOON, || !plane.has(&["pv", &volume]));
}

#[test]
fn the_operator_makes_the_pods_of_a_ray_cluster() {
    let Some(cluster) = cluster("the_operator_makes_the_pods_of_a_ray_cluster") else { return };
    let plane = &cluster.plane;
    let pod = |name: &str| {
        json!({"spec": {
            "nodeSelector": {"kubernetes.io/hostname": "head-0"},
            "containers": [{"name": name, "image": "rayproject/ray:2.52.0", "resources": {"requests": {"cpu": "500m"}}}],
        }})
    };
    let manifest = |workers: u32| {
        json!({
            "apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": "small", "namespace": "default"},
            "spec": {
                "rayVersion": "2.52.0",
                "headGroupSpec": {"rayStartParams": {"num-cpus": "0"}, "template": pod("ray-head")},
                "workerGroupSpecs": [{
                    "groupName": "cpu", "replicas": workers, "minReplicas": 0, "maxReplicas": 10, "rayStartParams": {},
                    "template": pod("ray-worker"),
                }],
            },
        })
    };
    plane.apply("small", &manifest(2));
    let ready = |workers: u64| {
        let status = plane.get(&["raycluster", "small"])["status"].clone();
        status["state"] == "ready" && status["readyWorkerReplicas"] == json!(workers)
    };
    plane.wait("the cluster is ready", SOON, || ready(2));
    let pods = |selector: &str| {
        let pods = plane.get(&["pods", "-l", selector, "--field-selector=status.phase=Running"]);
        pods["items"].as_array().unwrap().len()
    };
    assert_eq!(pods("ray.io/cluster=small,ray.io/node-type=head"), 1);
    assert_eq!(pods("ray.io/cluster=small,ray.io/node-type=worker"), 2);
    assert!(plane.has(&["service", "small-head-svc"]));

    plane.apply("small", &manifest(4));
    plane.wait("there are four workers", SOON, || ready(4));
    plane.kubectl_ok(&["delete", "raycluster/small", "--timeout=60s"]);
    plane.wait("the pods are gone", SOON, || plane.get(&["pods", "-l", "ray.io/cluster=small"])["items"] == json!([]));
}

#[test]
fn kuberay_kinds_are_too_large_for_client_side_apply() {
    let Some(cluster) = cluster("kuberay_kinds_are_too_large_for_client_side_apply") else { return };
    let plane = &cluster.plane;
    let mut files: Vec<PathBuf> =
        fs::read_dir(plane.tools().crds()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 3, "{files:?}");
    let mut refused = Vec::new();
    for file in &files {
        let path = file.display().to_string();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        plane.kubectl_ok(&["apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", &path]);
        let client = plane.kubectl(&["apply", "--dry-run=server", "-f", &path]);
        if !client.status.success() {
            let why = String::from_utf8_lossy(&client.stderr).into_owned();
            assert!(why.contains("metadata.annotations: Too long: may not be more than 262144 bytes"), "{name}: {why}");
            refused.push(name);
        }
    }
    for kind in ["ray.io_rayclusters", "ray.io_rayjobs", "ray.io_rayservices"] {
        assert!(refused.iter().any(|name| name == kind), "{kind} was accepted; refused: {refused:?}");
    }
}

#[test]
fn nothing_outlives_a_control_plane_that_is_killed() {
    let Some(tools) = find("nothing_outlives_a_control_plane_that_is_killed") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(tools.program("control-plane"));
    command.arg("run").arg(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let told: Value = serde_json::from_str(&line).unwrap();
    let address = told["url"].as_str().unwrap().strip_prefix("https://").unwrap();
    assert!(TcpStream::connect(address).is_ok());
    // No word to its parts: the kernel ends them.
    process.kill().unwrap();
    process.wait().unwrap();
    let began = Instant::now();
    while TcpStream::connect(address).is_ok() {
        assert!(began.elapsed() < SOON, "the API server still listens at {address}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
