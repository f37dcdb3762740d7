//! `rayplat verify` in earnest: the real API server and KubeRay operator, nodes without machines,
//! and a real Ray, whose head is killed. Each check has a run in which it fails.
#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rayplat_integration_tests::{
    WHOLE, failures,
    kubernetes::{self, ControlPlane, Host, Hosted, Inside, KubeRay, Kwok, Node},
    python,
    ray::LocalRay,
};
use rayplat_resources::kubernetes::verify::{Check, Failover, Outcome, Scale, Spill, Verdict};
use serde_json::json;

/// The quick start's nodes, of which GPU nodes take so many pods.
fn nodes(cpu: usize, gpu_pods: u32) -> Vec<Node> {
    let labels = |pool: &str, arch: &str, of_type: &str| {
        let pairs =
            [("rayplat.io/pool", pool), ("kubernetes.io/arch", arch), ("node.kubernetes.io/instance-type", of_type)];
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect::<BTreeMap<_, _>>()
    };
    let taint = json!({"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"});
    vec![
        Node {
            name: "cpu",
            count: cpu,
            cpus: 4,
            memory_gb: 14,
            labels: labels("cpu", "arm64", "m6g.xlarge"),
            ..Node::default()
        },
        Node {
            name: "gpu",
            count: 2,
            cpus: 4,
            memory_gb: 14,
            gpus: 1,
            pods: gpu_pods,
            labels: labels("gpu", "amd64", "g4dn.xlarge"),
            taints: vec![taint],
        },
    ]
}

/// One control plane at a time: each has a gigabyte.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A platform that stands on a control plane of the test's own.
struct Standing {
    // Ended in this order.
    _operator: KubeRay,
    _nodes: Kwok,
    inside: Inside,
    plane: Arc<ControlPlane>,
    manifest: String,
}

async fn standing(plane: Arc<ControlPlane>, nodes: &[Node], manifest: String) -> Standing {
    let kwok = Kwok::start(&plane, nodes);
    let inside = Inside::new(&plane).with_kuberays_kinds();
    let starting = KubeRay::start_when_asked_for(&plane);
    let (report, events) = inside.up(&inside.stack(&manifest, &[])).await.unwrap();
    assert!(report.summary.complete(), "{:#?}", failures(&events));
    Standing { _operator: starting.join().unwrap(), _nodes: kwok, inside, plane, manifest }
}

impl Standing {
    async fn check(&self, check: Check) -> Outcome {
        let said = Mutex::new(Vec::new());
        let say = |text: &str| said.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
        let outcome = self.inside.verifier(&self.manifest, &say).await.run(&check).await;
        // Whatever came of it, no pod of the check is left.
        let left = self.plane.kubectl_ok(&["get", "pods", "-A", "-l", "rayplat.io/verify", "-o", "name"]);
        assert_eq!(left, "", "{outcome:#?}\n{said:#?}");
        outcome
    }

    fn host(&self, bin: &std::path::Path, ray: Option<LocalRay>, names: &[(&str, &str)]) -> Host {
        let names = names.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
        Host::start(&self.plane, Hosted { bin: bin.to_owned(), ray, names })
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// The checks that need a real Ray: with Redis it outlives its head and spills what does not fit;
/// without, and with its disk full, neither.
#[test]
fn a_real_ray_outlives_its_head_and_its_memory_or_fails_the_check() {
    let _alone = alone();
    let test = "a_real_ray_outlives_its_head_and_its_memory_or_fails_the_check";
    let Some(tools) = kubernetes::find(test) else { return };
    let Some(bin) = python::ray(test) else { return };
    let plane = Arc::new(ControlPlane::start(&tools));
    // Both nodes, the control plane and who asks share this machine.
    let failover = || Failover { rate: 5, recovery: Duration::from_secs(240), ..Failover::default() };
    runtime().block_on(async {
        let manifest = format!("{WHOLE}ray: {{workers: {{cpu: {{min: 1}}}}}}\n");
        let standing = standing(plane, &nodes(4, 110), manifest).await;
        let host = standing.host(&bin, Some(LocalRay { fault_tolerant: true, disk_full: false }), &[]);
        let outcome = standing.check(Check::HeadFailover(failover())).await;
        assert!(outcome.passed(), "{outcome:#?}");
        let outcome = standing.check(Check::MemorySpill(Spill::default())).await;
        assert!(outcome.passed(), "{outcome:#?}");
        drop(host);

        let _host = standing.host(&bin, Some(LocalRay { fault_tolerant: false, disk_full: true }), &[]);
        let outcome = standing.check(Check::MemorySpill(Spill { within: Duration::from_secs(120), factor: 1.5 })).await;
        assert_eq!(outcome.verdict, Verdict::Failed, "{outcome:#?}");
        let outcome =
            standing.check(Check::HeadFailover(Failover { recovery: Duration::from_secs(30), ..failover() })).await;
        assert_eq!(outcome.verdict, Verdict::Failed, "{outcome:#?}");
        let failed = outcome.measures.iter().find(|measure| measure.name == "failed requests").unwrap();
        assert!(failed.value.unwrap() > 0.0, "{outcome:#?}");
    });
}

#[test]
fn two_hundred_workers_come_and_go_and_gpu_nodes_take_their_pods() {
    let _alone = alone();
    let test = "two_hundred_workers_come_and_go_and_gpu_nodes_take_their_pods";
    let Some(tools) = kubernetes::find(test) else { return };
    let Some(bin) = python::environment(test) else { return };
    let plane = Arc::new(ControlPlane::start(&tools));
    runtime().block_on(async {
        let manifest = WHOLE.to_owned() + "ray: {autoscaling: false}\n";
        let roomy = |most: u32| manifest.replace("max: 10", &format!("max: {most}"));
        assert_ne!(roomy(205), manifest, "the quick start's CPU pool has a largest size");
        let standing = standing(plane, &nodes(205, 110), roomy(205)).await;
        let here = [
            ("kubernetes.default.svc.cluster.local", "localhost"),
            ("ray-head-svc.ray.svc.cluster.local", "localhost"),
        ];
        let host = standing.host(&bin, None, &here);
        let scale = |workers: u32| Scale { workers, dns_window: Duration::from_secs(10), ..Scale::default() };

        let outcome = standing.check(Check::Scale(scale(200))).await;
        assert!(outcome.passed(), "{outcome:#?}");
        // It is back at what `up` made of it.
        let ours = standing.inside.preview(&standing.inside.stack(&standing.manifest, &[])).await.unwrap();
        assert!(ours.plan.steps.is_empty(), "{:#?}", ours.plan.steps);

        // Names that nobody knows.
        drop(host);
        let _host = standing.host(&bin, None, &[here[1], (here[0].0, "no.such.name.invalid")]);
        let outcome = standing.check(Check::Scale(scale(3))).await;
        assert_eq!(outcome.verdict, Verdict::Failed, "{outcome:#?}");
        let unresolved = outcome.measures.iter().find(|measure| measure.name == "names not resolved").unwrap();
        assert!(!unresolved.passed, "{outcome:#?}");

        // More than there is room for: refused before anything is asked, and failed if asked all the same.
        let outcome = standing.check(Check::Scale(scale(500))).await;
        assert_eq!(outcome.verdict, Verdict::NotRun);
        assert!(
            outcome.reason.as_ref().unwrap().contains("need 500 nodes of the pool cpu, which may have 205"),
            "{outcome:#?}"
        );
        let beyond = Scale { beyond: true, within: Duration::from_secs(10), ..scale(215) };
        let outcome = standing.check(Check::Scale(beyond)).await;
        assert_eq!(outcome.verdict, Verdict::Failed, "{outcome:#?}");
        assert!(
            outcome.measures.iter().any(|one| one.name == "all ready after" && one.value.is_none()),
            "{outcome:#?}"
        );

        let outcome = standing.check(Check::GpuDensity).await;
        assert!(outcome.passed(), "{outcome:#?}");
        // A node as it is when prefix delegation came after its group.
        kubernetes::add_nodes(&standing.plane, &[Node { name: "late", count: 1, ..nodes(0, 29).pop().unwrap() }]);
        let outcome = standing.check(Check::GpuDensity).await;
        assert_eq!(outcome.verdict, Verdict::Failed, "{outcome:#?}");
    });
}
