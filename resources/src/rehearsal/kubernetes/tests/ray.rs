//! Ray on the emulated cluster.

use super::*;

const RAY: &str = "/apis/ray.io/v1/namespaces/default";

/// A definition of KubeRay's, as open as it can be.
fn ray_definition(kind: &str, plural: &str) -> Value {
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.ray.io")},
        "spec": {
            "group": "ray.io",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": open, "status": open}}},
            }],
        },
    })
}

fn operator(replicas: i64) -> Value {
    let mut operator = deployment("kuberay-operator", replicas, "100m");
    operator["spec"]["template"]["spec"]["containers"][0]["image"] = json!("quay.io/kuberay/operator:v1.7.0");
    operator
}

fn template(cpu: &str) -> Value {
    json!({"spec": {"containers": [{
        "name": "ray", "image": "rayproject/ray:2.60.0", "resources": {"requests": {"cpu": cpu}, "limits": {"cpu": cpu}},
    }]}})
}

fn cluster_spec(workers: i64) -> Value {
    json!({
        "rayVersion": "2.60.0",
        "headGroupSpec": {"rayStartParams": {}, "template": template("1")},
        "workerGroupSpecs": [{
            "groupName": "cpu", "replicas": workers, "minReplicas": 0, "maxReplicas": 10, "rayStartParams": {}, "template": template("1"),
        }],
    })
}

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "ray.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

async fn rig(nodes: i64) -> Rig {
    let rig = Rig::new("m5.xlarge", nodes).await;
    for (kind, plural) in [("RayCluster", "rayclusters"), ("RayService", "rayservices"), ("RayJob", "rayjobs")] {
        let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.ray.io");
        rig.apply(&path, &ray_definition(kind, plural)).await.unwrap();
    }
    let path = "/apis/apps/v1/namespaces/default/deployments/kuberay-operator";
    rig.apply(path, &operator(1)).await.unwrap();
    rig.until(path, |operator| operator["status"]["availableReplicas"] == 1).await;
    rig
}

#[tokio::test(start_paused = true)]
async fn a_cluster_gets_ready_changes_and_cleans_up() {
    let rig = rig(3).await;
    let path = format!("{RAY}/rayclusters/c");
    let mut spec = cluster_spec(2);
    spec["gcsFaultToleranceOptions"] = json!({"redisAddress": "redis:6379"});
    rig.apply(&path, &object("RayCluster", "c", spec.clone())).await.unwrap();
    let took = rig.until(&path, |cluster| cluster["status"]["state"] == "ready").await;
    assert!((40..=260).contains(&took), "{took}");
    let ready = rig.get(&path).await;
    let status = &ready["status"];
    assert_eq!((&status["availableWorkerReplicas"], &status["desiredWorkerReplicas"]), (&json!(2), &json!(2)));
    assert_eq!((&status["observedGeneration"], &ready["metadata"]["generation"]), (&json!(1), &json!(1)));
    assert_eq!(status["conditions"][0]["type"], "HeadPodReady");
    assert_eq!(status["conditions"][1]["reason"], "AllPodRunningAndReadyFirstTime");
    rig.get("/api/v1/namespaces/default/services/c-head-svc").await;
    let workers = "/api/v1/namespaces/default/pods?labelSelector=ray.io%2Fcluster%3Dc,ray.io%2Fgroup%3Dcpu";
    assert_eq!(rig.get(workers).await["items"].as_array().unwrap().len(), 2);
    let again = rig.apply(&path, &object("RayCluster", "c", spec.clone())).await.unwrap();
    assert_eq!(again["metadata"]["resourceVersion"], ready["metadata"]["resourceVersion"]);
    spec["workerGroupSpecs"][0]["replicas"] = json!(3);
    rig.apply(&path, &object("RayCluster", "c", spec.clone())).await.unwrap();
    rig.until(&path, |cluster| cluster["status"]["availableWorkerReplicas"] == 3).await;
    // The head comes back under its name.
    rig.delete("/api/v1/namespaces/default/pods/c-head").await.unwrap();
    rig.until(&path, |cluster| cluster["status"]["conditions"][0]["status"] == "False").await;
    rig.until(&path, |cluster| cluster["status"]["conditions"][0]["status"] == "True").await;
    // Without its operator nobody takes the finalizer off.
    let operator_path = "/apis/apps/v1/namespaces/default/deployments/kuberay-operator";
    rig.apply(operator_path, &operator(0)).await.unwrap();
    rig.wait(30).await;
    rig.delete(&path).await.unwrap();
    rig.wait(600).await;
    assert_eq!(rig.get(&path).await["metadata"]["finalizers"], json!(["ray.io/gcs-ft-redis-cleanup-finalizer"]));
    rig.apply(operator_path, &operator(1)).await.unwrap();
    rig.until(&path, |cluster| cluster["gone"] == 404).await;
    rig.until(workers, |pods| pods["items"].as_array().unwrap().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_cluster_is_recreated_where_it_is_told_so() {
    let rig = rig(2).await;
    let path = format!("{RAY}/rayclusters/c");
    let mut spec = cluster_spec(1);
    spec["upgradeStrategy"] = json!({"type": "Recreate"});
    rig.apply(&path, &object("RayCluster", "c", spec.clone())).await.unwrap();
    rig.until(&path, |cluster| cluster["status"]["state"] == "ready").await;
    spec["headGroupSpec"]["template"]["spec"]["containers"][0]["image"] = json!("rayproject/ray:2.61.0");
    rig.apply(&path, &object("RayCluster", "c", spec)).await.unwrap();
    let head = "/api/v1/namespaces/default/pods/c-head";
    rig.until(head, |pod| pod["spec"]["containers"][0]["image"] == "rayproject/ray:2.61.0").await;
}

#[tokio::test(start_paused = true)]
async fn a_service_serves_and_moves_to_another_cluster() {
    let rig = rig(4).await;
    let path = format!("{RAY}/rayservices/s");
    let mut spec = json!({"serveConfigV2": "applications: []", "rayClusterConfig": cluster_spec(1)});
    rig.apply(&path, &object("RayService", "s", spec.clone())).await.unwrap();
    rig.until(&path, |service| service["status"]["conditions"][0]["status"] == "True").await;
    let ready = rig.get(&path).await;
    assert_eq!(
        (&ready["status"]["serviceStatus"], &ready["status"]["numServeEndpoints"]),
        (&json!("Running"), &json!(2))
    );
    let first = ready["status"]["activeServiceStatus"]["rayClusterName"].as_str().unwrap().to_owned();
    rig.get("/api/v1/namespaces/default/services/s-head-svc").await;
    let serve = "/api/v1/namespaces/default/services/s-serve-svc";
    assert_eq!(rig.get(serve).await["spec"]["selector"]["ray.io/cluster"], first.as_str());
    spec["rayClusterConfig"]["workerGroupSpecs"][0]["replicas"] = json!(2);
    rig.apply(&path, &object("RayService", "s", spec.clone())).await.unwrap();
    let cluster = format!("{RAY}/rayclusters/{first}");
    rig.until(&cluster, |cluster| cluster["status"]["availableWorkerReplicas"] == 2).await;
    spec["rayClusterConfig"]["rayVersion"] = json!("2.61.0");
    rig.apply(&path, &object("RayService", "s", spec)).await.unwrap();
    rig.until(serve, |service| service["spec"]["selector"]["ray.io/cluster"] != first.as_str()).await;
    rig.until(&cluster, |cluster| cluster["gone"] == 404).await;
    rig.delete(&path).await.unwrap();
    rig.until("/apis/ray.io/v1/rayclusters", |all| all["items"].as_array().unwrap().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn a_job_succeeds() {
    let rig = rig(2).await;
    let path = format!("{RAY}/rayjobs/j");
    let spec =
        json!({"entrypoint": "python x.py", "shutdownAfterJobFinishes": true, "rayClusterSpec": cluster_spec(1)});
    rig.apply(&path, &object("RayJob", "j", spec)).await.unwrap();
    rig.until(&path, |job| job["status"]["jobDeploymentStatus"] == "Complete").await;
    assert_eq!(rig.get(&path).await["status"]["jobStatus"], "SUCCEEDED");
    rig.until("/apis/ray.io/v1/rayclusters", |all| all["items"].as_array().unwrap().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn the_autoscaler_makes_room() {
    let rig = rig(1).await;
    let mut autoscaler = deployment("cluster-autoscaler", 1, "100m");
    autoscaler["spec"]["template"]["spec"]["containers"][0]["image"] =
        json!("registry.k8s.io/autoscaling/cluster-autoscaler:v1.35.0");
    rig.apply("/apis/apps/v1/namespaces/default/deployments/cluster-autoscaler", &autoscaler).await.unwrap();
    let path = format!("{RAY}/rayclusters/c");
    let mut spec = cluster_spec(4);
    spec["workerGroupSpecs"][0]["template"] = template("3");
    rig.apply(&path, &object("RayCluster", "c", spec.clone())).await.unwrap();
    rig.until(&path, |cluster| cluster["status"]["state"] == "ready").await;
    let nodes = rig.get("/api/v1/nodes").await["items"].as_array().unwrap().len();
    let desired = rig.rehearsal.with_account(|account| account.eks.clusters["ray"].nodegroups["cpu"].scaling.desired);
    assert_eq!((nodes, desired), (5, 5));
    // The group has no more.
    spec["workerGroupSpecs"][0]["replicas"] = json!(6);
    rig.apply(&path, &object("RayCluster", "c", spec)).await.unwrap();
    rig.wait(900).await;
    assert_eq!(rig.get(&path).await["status"]["availableWorkerReplicas"], 4);
}
