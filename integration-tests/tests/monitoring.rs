//! Dashboards and monitors: what they are for stands before them, or the run says what is missing.

#![allow(clippy::unwrap_used)]

use http::Request;
use rayplat_engine::plan::render::render;
use rayplat_integration_tests::{WHOLE, World, failures, inside};
use rayplat_resources::kubernetes::ClusterAccess;
use serde_json::{Value, json};

/// As somebody else would, who installs Prometheus.
async fn install(world: &World, path: &str, object: &Value) {
    let access = world.account.with_account(|account| {
        let cluster = &account.eks.clusters["production-ray-cluster"];
        ClusterAccess {
            name: cluster.name.clone(),
            endpoint: cluster.endpoint.url.clone(),
            certificate_authority: cluster.endpoint.certificate_authority.clone(),
        }
    });
    let client = world.account.clients().kubernetes.connect(&access).unwrap();
    let request = Request::post(path).header("content-type", "application/json");
    let request = request.body(object.to_string().into_bytes()).unwrap();
    client.request::<Value>(request).await.unwrap();
}

fn pod_monitors() -> Value {
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "podmonitors.monitoring.coreos.com"},
        "spec": {
            "group": "monitoring.coreos.com", "scope": "Namespaced",
            "names": {"kind": "PodMonitor", "listKind": "PodMonitorList", "plural": "podmonitors", "singular": "podmonitor"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": schema}],
        },
    })
}

#[tokio::test(start_paused = true)]
async fn what_they_are_for_stands_before_them() {
    let world = World::new(71);
    let text = format!("{WHOLE}monitoring: {{dashboards: true, pod_monitors: true, namespace: prometheus}}\n");
    let (report, events) = world.up(&text).await.unwrap();
    let said = failures(&events);
    assert_eq!(report.summary.failed, 4, "{said:#?}");
    for words in
        ["namespaces \"prometheus\" not found", "the cluster serves no kind PodMonitor in monitoring.coreos.com/v1"]
    {
        assert_eq!(said.iter().filter(|line| line.contains(words)).count(), 2, "{words}: {said:#?}");
    }

    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prometheus"}});
    install(&world, "/api/v1/namespaces", &namespace).await;
    install(&world, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", &pod_monitors()).await;
    let (report, events) = world.up(&text).await.unwrap();
    assert!(report.summary.complete(), "{:#?}", failures(&events));
    assert_eq!(report.summary.created, 4);
    let standing = inside(&world);
    for object in
        ["/configmaps/prometheus/rayplat-cost", "monitoring.coreos.com/podmonitors/prometheus/rayplat-ray-head"]
    {
        assert!(standing.iter().any(|key| key == object), "{object}: {standing:#?}");
    }
    let again = world.preview(&text).await.unwrap();
    assert!(again.plan.is_empty(), "{}", render(&again.plan));

    // Without them the rest stays as it is.
    let (report, events) = world.up(WHOLE).await.unwrap();
    assert!(report.summary.complete(), "{:#?}", failures(&events));
    assert_eq!(
        (report.summary.deleted, report.summary.created, report.summary.updated),
        (4, 0, 1),
        "{:?}",
        report.summary
    );
}
