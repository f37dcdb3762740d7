//! What stands in the cluster, on the real thing: API server, etcd, controllers, scheduler,
//! the KubeRay operator, and nodes without machines.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rayplat_engine::{dry_run::DryRun, error::Error, ops::Report, plan::Plan, provider::Action};
use rayplat_integration_tests::{
    WHOLE, failures,
    kubernetes::{self, ControlPlane, Inside, KubeRay, Kwok, Node},
};
use rayplat_resources::kubernetes::sweep::Volumes;
use serde_json::{Value, json};

/// The quick start's nodes.
fn nodes(cpu: usize, gpu: usize) -> Vec<Node> {
    let labels = |pool: &str, capacity: &str, arch: &str| {
        let pairs = [("rayplat.io/pool", pool), ("rayplat.io/capacity", capacity), ("kubernetes.io/arch", arch)];
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect::<BTreeMap<_, _>>()
    };
    let taint = json!({"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"});
    vec![
        Node {
            name: "cpu",
            count: cpu,
            cpus: 4,
            memory_gb: 14,
            labels: labels("cpu", "on-demand", "arm64"),
            ..Node::default()
        },
        Node {
            name: "gpu",
            count: gpu,
            cpus: 4,
            memory_gb: 14,
            gpus: 1,
            labels: labels("gpu", "spot", "amd64"),
            taints: vec![taint],
            ..Node::default()
        },
    ]
}

/// `verb URN` of each step.
fn steps(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| format!("{} {}", step.action.verb(), step.urn)).collect()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// One control plane at a time: each has a gigabyte, and they would wait for each other's
/// processor.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn plane(test: &str) -> Option<Arc<ControlPlane>> {
    kubernetes::find(test).map(|tools| Arc::new(ControlPlane::start(&tools)))
}

#[test]
fn the_ray_platform_serves_changes_in_place_and_goes() {
    let _alone = alone();
    let Some(plane) = plane("the_ray_platform_serves_changes_in_place_and_goes") else { return };
    let _nodes = Kwok::start(&plane, &nodes(10, 2));
    let inside = Inside::new(&plane).with_kuberays_kinds();
    // The operator in earnest runs beside the pod that stands for it, once its kinds are there.
    let starting = KubeRay::start_when_asked_for(&plane);
    runtime().block_on(async {
        let stack = inside.stack(WHOLE, &[]);
        let (report, events) = inside.up(&stack).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        let _operator = starting.join().unwrap();
        let ray = || plane.get(&["raycluster", "ray", "-n", "ray"]);
        assert_eq!(ray()["status"]["state"], "ready");
        assert_eq!(ray()["status"]["availableWorkerReplicas"], 2);
        // The Pod Security Standard lets every pod of Ray's in.
        let pods = plane.get(&["pods", "-n", "ray"]);
        assert_eq!(pods["items"].as_array().unwrap().len(), 4, "head, two workers, Redis");

        let again = inside.preview(&stack).await.unwrap();
        assert_eq!(steps(&again.plan), Vec::<String>::new(), "{:#?}", again.plan.steps);

        // A worker more, and another version of Ray: both in place.
        let uid = ray()["metadata"]["uid"].clone();
        let more = format!("{WHOLE}ray: {{version: 2.59.0, workers: {{cpu: {{min: 3}}, gpu: {{}}}}}}\n");
        let stack = inside.stack(&more, &[]);
        let (report, events) = inside.up(&stack).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        let changed: Vec<_> = report.plan.steps.iter().filter(|step| step.action != Action::Update).collect();
        assert!(changed.is_empty(), "{:#?}", steps(&report.plan));
        assert_eq!(ray()["metadata"]["uid"], uid);
        assert_eq!(ray()["status"]["availableWorkerReplicas"], 3);
        let images =
            plane.kubectl_ok(&["get", "pods", "-n", "ray", "-l", "ray.io/cluster=ray", "-o", "jsonpath={..image}"]);
        assert!(images.contains("rayproject/ray:2.59.0-py312-aarch64") && !images.contains("2.60.0"), "{images}");

        let (report, events) = inside.down(&stack).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        // Nothing of ours is left, and with the namespace went all that was in it.
        for kind in ["crd", "pv", "storageclasses"] {
            assert_eq!(plane.get(&[kind])["items"], json!([]), "{kind}");
        }
        assert!(!plane.has(&["namespace", "ray"]) && !plane.has(&["namespace", "kuberay-system"]));
        let roles = plane.kubectl_ok(&["get", "clusterroles,clusterrolebindings", "-o", "name"]);
        let ours = ["ray", "cluster-autoscaler", "nvidia"].iter().find(|name| roles.contains(*name));
        assert_eq!(ours, None, "{roles}");
    });
}

fn deployment(replicas: u32, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "default"},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{
                // The server writes quantities and defaults its own way.
                "name": "web", "image": image, "resources": {"requests": {"cpu": "1000m", "memory": "1024Mi"}},
            }]}},
        },
    })
}

/// What an `up` that began nothing says.
fn refusals<E: std::fmt::Debug>(result: Result<(Report, E), Error>) -> String {
    match result {
        Err(error @ Error::DryRun(_)) => error.to_string(),
        other => panic!("not refused: {other:?}"),
    }
}

const WEB: &str = "kubernetes:Workload/default/Deployment/web";
const NONE: &str = "kubernetes: {enabled: false}\n";

#[test]
fn drift_conflicts_and_other_peoples_objects() {
    let _alone = alone();
    let Some(plane) = plane("drift_conflicts_and_other_peoples_objects") else { return };
    let _nodes = Kwok::start(&plane, &nodes(2, 0));
    let inside = Inside::new(&plane);
    let manifest = format!("{WHOLE}{NONE}");
    let stack = |replicas, image| inside.stack(&manifest, &[(WEB, deployment(replicas, image))]);
    runtime().block_on(async {
        let (report, events) = inside.up(&stack(2, "web:1")).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        assert_eq!(steps(&inside.preview(&stack(2, "web:1")).await.unwrap().plan), Vec::<String>::new());

        // Somebody changes a field of ours: it is seen, and taken back.
        plane.kubectl_ok(&["scale", "deployment/web", "--replicas=4"]);
        let plan = inside.preview(&stack(2, "web:1")).await.unwrap().plan;
        let changes: Vec<_> = plan.steps[0].changes.iter().map(|change| change.path.as_str()).collect();
        assert_eq!(changes, ["manifest.spec.replicas"]);
        assert_eq!(plan.steps[0].changes[0].old, Some(json!(4)));
        let (report, events) = inside.up(&stack(2, "web:1")).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        assert_eq!(plane.get(&["deployment", "web"])["spec"]["replicas"], 2);

        // Somebody owns a field that never was ours: they are named, and it stays theirs.
        plane.kubectl_ok(&["label", "deployment", "web", "team=theirs", "--field-manager=their-tool"]);
        let mut wanted = deployment(2, "web:1");
        wanted["metadata"]["labels"] = json!({"team": "ours"});
        let said = refusals(inside.up(&inside.stack(&manifest, &[(WEB, wanted)])).await);
        assert!(said.contains("metadata.labels.team belongs to their-tool"), "{said}");
        assert_eq!(plane.get(&["deployment", "web"])["metadata"]["labels"]["team"], "theirs");

        // An object of somebody else's is refused and not touched.
        let theirs = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "namespace": "default"}, "data": {"a": "1"},
        });
        plane.apply("theirs", &theirs);
        let mut ours = theirs.clone();
        ours["data"]["a"] = json!("2");
        let urn = "kubernetes:Object/default/ConfigMap/theirs";
        let both = inside.stack(&manifest, &[(WEB, deployment(2, "web:1")), (urn, ours)]);
        let said = refusals(inside.up(&both).await);
        assert!(said.contains("exists already"), "{said}");
        assert_eq!(plane.get(&["configmap", "theirs"])["data"]["a"], "1");

        let (report, events) = inside.down(&stack(2, "web:1")).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        assert!(!plane.kubectl(&["get", "deployment", "web"]).status.success());
        assert!(plane.kubectl(&["get", "configmap", "theirs"]).status.success());
    });
}

#[test]
fn kinds_too_large_for_client_side_apply_and_what_their_end_would_destroy() {
    let _alone = alone();
    let test = "kinds_too_large_for_client_side_apply_and_what_their_end_would_destroy";
    let Some(tools) = kubernetes::find(test) else { return };
    let plane = Arc::new(ControlPlane::start(&tools));
    let inside = Inside::new(&plane);
    let manifest = format!("{WHOLE}{NONE}");
    let mut more = Vec::new();
    for file in std::fs::read_dir(tools.crds()).unwrap() {
        let file = file.unwrap().path();
        let crd = plane.kubectl_ok(&["create", "--dry-run=client", "-o", "json", "-f", &file.display().to_string()]);
        let crd: Value = serde_json::from_str(&crd).unwrap();
        let name = crd["metadata"]["name"].as_str().unwrap().to_owned();
        more.push((format!("kubernetes:CustomResourceDefinition/{name}"), crd, file));
    }
    let large: Vec<_> = more.iter().filter(|(_, crd, _)| crd.to_string().len() > 262_144).collect();
    assert!(!large.is_empty(), "one of KubeRay's kinds is larger than an annotation may be");
    let refused = plane.kubectl(&["apply", "-f", &large[0].2.display().to_string()]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("Too long"), "{said}");
    plane.kubectl(&["delete", "crd", "--all"]);

    let pairs: Vec<(&str, Value)> = more.iter().map(|(urn, crd, _)| (urn.as_str(), crd.clone())).collect();
    runtime().block_on(async {
        let stack = inside.stack(&manifest, &pairs);
        let (report, events) = inside.up(&stack).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        assert_eq!(steps(&inside.preview(&stack).await.unwrap().plan), Vec::<String>::new());

        // What a user made of the kind would go with it.
        plane.apply("theirs", &json!({
            "apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": "theirs", "namespace": "default"},
            "spec": {"headGroupSpec": {"rayStartParams": {}, "template": {"spec": {"containers": [{"name": "h", "image": "ray"}]}}}},
        }));
        let (report, events) = inside.down(&stack).await.unwrap();
        assert!(!report.summary.complete());
        let said = failures(&events).join("\n");
        assert!(said.contains("would destroy what this platform did not make: RayCluster default/theirs"), "{said}");
        assert!(plane.has(&["rayclusters.ray.io", "theirs"]));
        plane.kubectl_ok(&["delete", "raycluster", "theirs"]);
        let (report, events) = inside.down(&stack).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        assert_eq!(plane.get(&["crd"])["items"], json!([]));
    });
    plane.wait("the API goes on", Duration::from_secs(10), || plane.kubectl(&["version"]).status.success());
}

fn config_map(name: &str, namespace: &str, data: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace},
        "immutable": true, "data": {"a": data},
    })
}

#[test]
fn what_it_would_refuse_is_known_before_and_what_is_made_first_is_not_missed() {
    let _alone = alone();
    let test = "what_it_would_refuse_is_known_before_and_what_is_made_first_is_not_missed";
    let Some(plane) = plane(test) else { return };
    let _nodes = Kwok::start(&plane, &nodes(2, 0));
    let inside = Inside::new(&plane);
    let manifest = format!("{WHOLE}{NONE}");
    let settings = "kubernetes:Object/default/ConfigMap/settings";
    let stack = |web: Value, data: &str| {
        inside.stack(&manifest, &[(WEB, web), (settings, config_map("settings", "default", data))])
    };
    runtime().block_on(async {
        // Each refusal in the server's own words; the sound half is not begun either.
        let mut port = deployment(1, "web:1");
        port["spec"]["template"]["spec"]["containers"][0]["ports"] = json!([{"containerPort": 70_000}]);
        let said = refusals(inside.up(&stack(port, "1")).await);
        assert!(said.contains("containerPort: Invalid value: 70000"), "{said}");
        let mut unknown = deployment(1, "web:1");
        unknown["spec"]["replica"] = json!(2);
        let said = refusals(inside.up(&stack(unknown, "1")).await);
        assert!(said.contains(".spec.replica: field not declared in schema"), "{said}");
        assert!(!plane.has(&["configmap", "settings"]) && !plane.has(&["deployment", "web"]));

        let found = inside.preview(&stack(deployment(1, "web:1"), "1")).await.unwrap().dry_run;
        assert_eq!(found, DryRun { accepted: 2, ..DryRun::default() });
        assert!(!plane.has(&["configmap", "settings"]) && !plane.has(&["deployment", "web"]), "it was a dry run");
        let (report, events) = inside.up(&stack(deployment(1, "web:1"), "1")).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));

        // Nothing but what is refused is wrong with the rest.
        let said = refusals(inside.up(&stack(deployment(2, "web:2"), "2")).await);
        assert!(said.contains("field is immutable when `immutable` is set") && said.contains("--replace"), "{said}");
        assert!(!said.contains(WEB), "{said}");
        assert_eq!(plane.get(&["deployment", "web"])["spec"]["replicas"], 1);
        // A new object in its place: nothing is asked of the server then.
        let mut other = deployment(1, "web:1");
        other["spec"]["selector"] = json!({"matchLabels": {"app": "other"}});
        other["spec"]["template"]["metadata"]["labels"] = json!({"app": "other"});
        assert_eq!(inside.preview(&stack(other.clone(), "1")).await.unwrap().dry_run, DryRun::default());
        let (report, events) = inside.up(&stack(other.clone(), "1")).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));

        // A namespace, a kind and what is of them.
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "soon"}});
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": "things.example.com"},
            "spec": {
                "group": "example.com", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": {"type": "object"}}}],
            },
        });
        let thing = json!({"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "one", "namespace": "default"}});
        let more = inside.stack(
            &manifest,
            &[
                (WEB, other.clone()),
                (settings, config_map("settings", "default", "1")),
                ("kubernetes:Object/Namespace/soon", namespace),
                ("kubernetes:Object/soon/ConfigMap/in-it", config_map("in-it", "soon", "1")),
                ("kubernetes:CustomResourceDefinition/things.example.com", definition),
                ("kubernetes:Object/default/Thing/one", thing),
            ],
        );
        let found = inside.preview(&more).await.unwrap().dry_run;
        assert_eq!((found.accepted, found.refused), (2, Vec::new()));
        let mut reasons: Vec<_> = found.unasked.iter().map(|unasked| unasked.reason.as_str()).collect();
        reasons.sort_unstable();
        assert_eq!(reasons, ["its kind Thing is made by the same plan", "its namespace soon is made by the same plan"]);

        // A webhook whose service is not up says nothing of the object.
        plane.apply("webhook", &json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "soon"},
            "webhooks": [{
                "name": "soon.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"], "failurePolicy": "Fail",
                "clientConfig": {"service": {"name": "soon", "namespace": "default"}},
                "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
            }],
        }));
        let second = "kubernetes:Object/default/ConfigMap/second";
        let more = inside.stack(
            &manifest,
            &[
                (WEB, other),
                (settings, config_map("settings", "default", "1")),
                (second, config_map("second", "default", "1")),
            ],
        );
        // The server takes the configuration up within a second or so.
        for _ in 0..50 {
            let found = inside.preview(&more).await.unwrap().dry_run;
            assert_eq!(found.refused, Vec::new());
            if let [unasked] = found.unasked.as_slice() {
                assert!(unasked.reason.contains("failed calling webhook"), "{}", unasked.reason);
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("the webhook was never asked");
    });
}

/// Somebody's database with a volume, and a Service that wants a load balancer.
fn of_others() -> Value {
    let labels = json!({"app": "db"});
    let set = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db", "namespace": "default"},
        "spec": {
            "serviceName": "db", "replicas": 1, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [
                {"name": "db", "image": "postgres:17", "volumeMounts": [{"name": "data", "mountPath": "/data"}]},
            ]}},
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                "accessModes": ["ReadWriteOnce"], "storageClassName": "gp3", "resources": {"requests": {"storage": "20Gi"}},
            }}],
        },
    });
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "db-web", "namespace": "default"},
        "spec": {"type": "LoadBalancer", "selector": labels, "ports": [{"port": 5432}]},
    });
    json!({"apiVersion": "v1", "kind": "List", "items": [set, service]})
}

#[test]
fn what_others_made_is_asked_about_then_kept_or_deleted() {
    let _alone = alone();
    let Some(plane) = plane("what_others_made_is_asked_about_then_kept_or_deleted") else { return };
    let _nodes = Kwok::start(&plane, &nodes(2, 0));
    let inside = Inside::new(&plane);
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "gp3"},
        "provisioner": "ebs.csi.aws.com", "volumeBindingMode": "WaitForFirstConsumer", "reclaimPolicy": "Delete",
    });
    let more = [("kubernetes:Sweep/cluster", json!({})), ("kubernetes:Object/StorageClass/gp3", class)];
    let stack = inside.stack(&format!("{WHOLE}{NONE}"), &more);
    let bound = || plane.kubectl(&["get", "pvc", "data-db-0", "-o", "jsonpath={.status.phase}"]).stdout == b"Bound";
    let volume = || plane.get(&["pv"])["items"][0].clone();
    runtime().block_on(async {
        let (report, events) = inside.up(&stack).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        plane.apply("others", &of_others());
        plane.wait("the claim is bound", Duration::from_secs(120), bound);

        let said = inside.down(&stack).await.unwrap_err().to_string();
        assert!(said.contains("(20Gi, claim default/data-db-0)"), "{said}");
        assert!(plane.has(&["service", "db-web"]) && plane.has(&["storageclass", "gp3"]), "nothing was deleted");

        let (report, events) = inside.down_deciding(&stack, Volumes::Keep).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        assert_eq!(volume()["spec"]["persistentVolumeReclaimPolicy"], "Retain");
        assert!(plane.has(&["statefulset", "db"]) && bound(), "they go with the cluster");
        assert!(!plane.has(&["service", "db-web"]) && !plane.has(&["storageclass", "gp3"]));

        let (report, events) = inside.up(&stack).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        let name = volume()["metadata"]["name"].as_str().unwrap().to_owned();
        plane.kubectl_ok(&["patch", "pv", &name, "-p", r#"{"spec":{"persistentVolumeReclaimPolicy":"Delete"}}"#]);
        let (report, events) = inside.down_deciding(&stack, Volumes::Delete).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        for kind in ["pv", "pvc", "statefulset", "pods"] {
            assert_eq!(plane.get(&[kind])["items"], json!([]), "{kind}");
        }
    });
}
