//! What becomes of objects after a while.

use super::*;

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

fn available(object: &Value) -> i64 {
    object["status"]["availableReplicas"].as_i64().unwrap_or(0)
}

#[tokio::test(start_paused = true)]
async fn replicas_get_available_after_a_while() {
    let rig = Rig::new("m5.xlarge", 2).await;
    let web = format!("{DEPLOYMENTS}/web");
    rig.apply(&web, &deployment("web", 2, "500m")).await.unwrap();
    let took = rig.until(&web, |web| available(web) == 2).await;
    assert!((8..=45).contains(&took), "{took}");
    let standing = rig.get(&web).await;
    assert_eq!(standing["status"]["observedGeneration"], 1);
    assert_eq!(standing["status"]["conditions"][0]["type"], "Available");
    let drawn = rig.rehearsal.with_account(|account| account.drawn.clone());
    let mine = drawn.iter().find(|one| one.what == "kubernetes/Deployment/default/web").unwrap();
    assert!((8_000..=45_000).contains(&mine.took_ms), "{mine:?}");
    // Another template: new pods come before old ones go.
    let mut other = deployment("web", 2, "500m");
    other["spec"]["template"]["spec"]["containers"][0]["image"] = json!("example/app:2");
    rig.apply(&web, &other).await.unwrap();
    for _ in 0..60 {
        rig.wait(1).await;
        assert!(available(&rig.get(&web).await) >= 2, "never less than before");
    }
    let pods = rig.get("/api/v1/namespaces/default/pods?labelSelector=app%3Dweb").await;
    let images: Vec<&Value> =
        pods["items"].as_array().unwrap().iter().map(|pod| &pod["spec"]["containers"][0]["image"]).collect();
    assert_eq!(images, ["example/app:2", "example/app:2"]);
    rig.delete(&web).await.unwrap();
    rig.until("/api/v1/namespaces/default/pods", |pods| pods["items"].as_array().unwrap().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn pods_wait_for_room() {
    let rig = Rig::new("m5.xlarge", 1).await;
    let web = format!("{DEPLOYMENTS}/web");
    rig.apply(&web, &deployment("web", 2, "2")).await.unwrap();
    rig.wait(120).await;
    let standing = rig.get(&web).await;
    assert_eq!(available(&standing), 1);
    let message = standing["status"]["conditions"][0]["message"].as_str().unwrap();
    assert_eq!(message, "FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu.");
    let pods = rig.get("/api/v1/namespaces/default/pods").await;
    let waits = pods["items"].as_array().unwrap().iter().find(|pod| pod["spec"]["nodeName"].is_null()).unwrap();
    assert_eq!(waits["status"]["conditions"][0]["reason"], "Unschedulable");
    rig.rehearsal.with_account(|account| {
        let sizes = json!({"minSize": 1, "desiredSize": 2, "maxSize": 5});
        eks(
            account,
            "UpdateNodegroupConfig",
            json!({"clusterName": "ray", "nodegroupName": "cpu", "scalingConfig": sizes}),
        );
    });
    rig.until(&web, |web| available(web) == 2).await;
}

#[tokio::test(start_paused = true)]
async fn without_nodes_nothing_runs() {
    let rig = Rig::new("m5.xlarge", 0).await;
    let web = format!("{DEPLOYMENTS}/web");
    rig.apply(&web, &deployment("web", 1, "1")).await.unwrap();
    rig.wait(600).await;
    let standing = rig.get(&web).await;
    assert_eq!(standing["status"]["conditions"][0]["status"], "False");
    let system = rig.get("/apis/apps/v1/namespaces/kube-system/daemonsets/aws-node").await;
    assert_eq!(system["status"]["desiredNumberScheduled"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_goes_after_all_that_is_in_it() {
    let rig = Rig::new("m5.xlarge", 1).await;
    rig.post("/api/v1/namespaces", &json!({"metadata": {"name": "ray"}})).await.unwrap();
    let maps = "/api/v1/namespaces/ray/configmaps";
    let held = json!({"metadata": {"name": "m", "finalizers": ["example.com/hold"]}});
    rig.post(maps, &held).await.unwrap();
    let going = rig.delete("/api/v1/namespaces/ray").await.unwrap();
    assert_eq!(going["status"]["phase"], "Terminating");
    let late = rig.post(maps, &json!({"metadata": {"name": "late"}})).await.unwrap_err();
    assert_eq!(late.code, 403);
    assert_eq!(
        late.message,
        "configmaps \"late\" is forbidden: unable to create new content in namespace ray because it is being terminated"
    );
    rig.wait(60).await;
    let stuck = rig.get("/api/v1/namespaces/ray").await;
    let message = stuck["status"]["conditions"][0]["message"].as_str().unwrap();
    assert_eq!(message, "Some resources are remaining: configmaps. has 1 resource instances");
    rig.merge(&format!("{maps}/m"), &json!({"metadata": {"finalizers": null}})).await.unwrap();
    rig.until("/api/v1/namespaces/ray", |namespace| namespace["gone"] == 404).await;
}

#[tokio::test(start_paused = true)]
async fn claims_are_bound_when_a_pod_uses_them() {
    let rig = Rig::new("m5.xlarge", 2).await;
    let set = json!({
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": "redis"},
        "spec": {
            "serviceName": "redis",
            "selector": {"matchLabels": {"app": "redis"}},
            "template": {
                "metadata": {"labels": {"app": "redis"}},
                "spec": {"containers": [{"name": "redis", "image": "redis:8", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
                    "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data-redis-0"}}]},
            },
        },
    });
    let claim = json!({
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data-redis-0"},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "gp2", "resources": {"requests": {"storage": "1024Mi"}}},
    });
    let claims = "/api/v1/namespaces/default/persistentvolumeclaims/data-redis-0";
    rig.apply(claims, &claim).await.unwrap();
    rig.wait(60).await;
    assert_eq!(rig.get(claims).await["status"]["phase"], "Pending", "nobody uses it yet");
    let redis = "/apis/apps/v1/namespaces/default/statefulsets/redis";
    rig.apply(redis, &set).await.unwrap();
    rig.until(redis, |set| set["status"]["readyReplicas"] == 1).await;
    let bound = rig.get(claims).await;
    assert_eq!((&bound["status"]["phase"], &bound["status"]["capacity"]["storage"]), (&json!("Bound"), &json!("1Gi")));
    let again = rig.apply(claims, &claim).await.unwrap();
    assert_eq!(again["metadata"]["resourceVersion"], bound["metadata"]["resourceVersion"]);
    rig.delete(claims).await.unwrap();
    rig.wait(30).await;
    rig.get(claims).await;
    rig.delete(redis).await.unwrap();
    rig.until(claims, |claim| claim["gone"] == 404).await;
    rig.until("/api/v1/persistentvolumes", |volumes| volumes["items"].as_array().unwrap().is_empty()).await;
}

#[tokio::test(start_paused = true)]
async fn jobs_complete() {
    let rig = Rig::new("m5.xlarge", 1).await;
    let job = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "once"},
        "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a:1"}]}}},
    });
    let path = "/apis/batch/v1/namespaces/default/jobs/once";
    rig.apply(path, &job).await.unwrap();
    rig.until(path, |job| job["status"]["succeeded"] == 1).await;
    let done = rig.get(path).await;
    assert_eq!(done["status"]["conditions"][1]["type"], "Complete");
    let again = rig.apply(path, &job).await.unwrap();
    assert_eq!(again["metadata"]["resourceVersion"], done["metadata"]["resourceVersion"]);
}

#[tokio::test(start_paused = true)]
async fn an_account_with_a_cluster_outlives_its_process() {
    let rig = Rig::new("m5.xlarge", 1).await;
    rig.apply(&format!("{DEPLOYMENTS}/web"), &deployment("web", 1, "1")).await.unwrap();
    let text = rig.rehearsal.with_account(|account| serde_json::to_string(account).unwrap());
    let back: Account = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
    let host = rig.access.endpoint.trim_start_matches("https://");
    assert!(back.kubernetes.object(host, "apps", "deployments", "default", "web").is_some());
}

#[tokio::test(start_paused = true)]
async fn definitions_are_kept_apart_and_come_back() {
    let rig = Rig::new("m5.xlarge", 0).await;
    let crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com";
    let folder = tempfile::tempdir().unwrap();
    let account = rig.rehearsal.with_account(|account| account.clone());
    let seed = Seed { account_id: account.account_id.clone(), region: account.region.clone(), seed: 7 };
    let opened = Rehearsal::open(folder.path(), &seed, rig.rehearsal.now_ms()).unwrap();
    opened.with_account(|empty| *empty = account);
    let client = opened.clients().kubernetes.connect(&rig.access).unwrap();
    let rig = Rig { rehearsal: opened, client, ..rig };
    rig.apply(crd, &definition()).await.unwrap();
    rig.until(crd, |crd| crd["status"]["conditions"][1]["status"] == "True").await;
    let widget = "/apis/example.com/v1/namespaces/default/widgets/w";
    let of = json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 1}});
    rig.apply(widget, &of).await.unwrap();
    let standing = rig.get(crd).await;
    let kept = std::fs::read_to_string(folder.path().join("account.json")).unwrap();
    assert!(kept.contains("widgets.example.com") && !kept.contains("openAPIV3Schema"));
    let back = Rehearsal::open(folder.path(), &seed, BASE_MS).unwrap();
    let host = rig.access.endpoint.trim_start_matches("https://");
    let found = back.with_account(|account| {
        account.kubernetes.object(host, "apiextensions.k8s.io", "customresourcedefinitions", "", "widgets.example.com")
    });
    assert_eq!(found.unwrap(), standing);
    std::fs::remove_file(folder.path().join("large.json")).unwrap();
    let damaged = Rehearsal::open(folder.path(), &seed, BASE_MS).unwrap_err();
    assert!(damaged.to_string().contains("large.json"), "{damaged}");
}

/// Over HTTP the cluster is known by its host, too.
#[tokio::test(start_paused = true)]
async fn clusters_are_served_over_http() {
    use crate::{
        aws::Clients,
        rehearsal::{ServeOptions, serve},
    };
    let rig = Rig::new("m5.xlarge", 1).await;
    tokio::time::resume();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, asked) = tokio::sync::oneshot::channel::<()>();
    let until = async move { drop(asked.await) };
    let served = tokio::spawn(serve(listener, rig.rehearsal.clone(), ServeOptions { speed: 100 }, until));
    let keys = aws_credential_types::Credentials::new("AKIDREHEARSAL", "secret", None, None, "test");
    let config = aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::from_static("us-east-1"))
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(keys))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .time_source(rig.rehearsal.time_source())
        .endpoint_url(format!("http://{address}"))
        .build();
    let clients = Clients::new(&config, "us-east-1");
    clients.identity().await.unwrap();
    let over_http = Rig { client: clients.kubernetes.connect(&rig.access).unwrap(), ..rig };
    over_http.apply(&format!("{DEPLOYMENTS}/web"), &deployment("web", 1, "1")).await.unwrap();
    let found = over_http.get(&format!("{DEPLOYMENTS}/web")).await;
    assert_eq!(found["metadata"]["managedFields"][0]["manager"], "rayplat");
    let refused =
        over_http.send("GET", "/api/v1/namespaces/default/configmaps/none", "", &Value::Null).await.unwrap_err();
    assert_eq!(refused.message, "configmaps \"none\" not found");
    stop.send(()).unwrap();
    served.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_load_balancer_holds_the_network_until_its_service_is_gone() {
    let rig = Rig::new("m5.xlarge", 1).await;
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80}]},
    });
    let path = "/api/v1/namespaces/default/services/web";
    rig.apply(path, &service).await.unwrap();
    let took = rig.until(path, |service| service["status"]["loadBalancer"]["ingress"][0]["hostname"].is_string()).await;
    assert!((60..=182).contains(&took), "{took}");
    let balancers = |account: &mut Account| {
        let groups = account.ec2.security_groups.values().filter(|group| group.name.starts_with("k8s-elb-"));
        groups.map(|group| group.id.clone()).collect::<Vec<_>>()
    };
    let group = rig.rehearsal.with_account(balancers).pop().unwrap();
    let refused =
        rig.rehearsal.with_account(|account| account.handle("ec2", "DeleteSecurityGroup", &json!({"GroupId": group})));
    assert_eq!(refused.unwrap_err().code, "DependencyViolation");
    let standing = rig.get(path).await;
    let again = rig.apply(path, &service).await.unwrap();
    assert_eq!(again["metadata"]["resourceVersion"], standing["metadata"]["resourceVersion"]);
    rig.delete(path).await.unwrap();
    rig.until(path, |service| service["gone"] == 404).await;
    // Its interfaces outlive the Service, and its group with them.
    assert!(!rig.rehearsal.with_account(balancers).is_empty());
    tokio::time::sleep(Duration::from_secs(62)).await;
    rig.get("/api/v1/namespaces/default").await;
    assert!(rig.rehearsal.with_account(balancers).is_empty());
    let left = rig.rehearsal.with_account(|account| {
        account.ec2.network_interfaces.values().filter(|interface| interface.description.starts_with("ELB")).count()
    });
    assert_eq!(left, 0);
}

#[tokio::test(start_paused = true)]
async fn an_aggregated_api_answers_when_its_pods_do() {
    let rig = Rig::new("m5.xlarge", 1).await;
    let path = "/apis/apiregistration.k8s.io/v1/apiservices/v1beta1.metrics.example.com";
    let api = json!({
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.example.com"},
        "spec": {
            "group": "metrics.example.com", "version": "v1beta1", "groupPriorityMinimum": 100, "versionPriority": 100,
            "service": {"name": "web", "namespace": "default"},
        },
    });
    let reason = |api: &Value| api["status"]["conditions"][0]["reason"].clone();
    rig.apply(path, &api).await.unwrap();
    assert_eq!(reason(&rig.get(path).await), "ServiceNotFound");
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 443}]},
    });
    rig.apply("/api/v1/namespaces/default/services/web", &service).await.unwrap();
    assert_eq!(reason(&rig.get(path).await), "MissingEndpoints");
    rig.apply(&format!("{DEPLOYMENTS}/web"), &deployment("web", 1, "1")).await.unwrap();
    rig.until(path, |api| reason(api) == "Passed").await;
}

#[tokio::test(start_paused = true)]
async fn an_image_that_is_nowhere_keeps_a_workload_from_being_ready() {
    let rig = Rig::new("m5.xlarge", 1).await;
    rig.rehearsal.with_account(|account| {
        account.failures.push(crate::rehearsal::LifecycleFailure {
            what: "kubernetes/Deployment/default/web".to_owned(),
            phase: "create".to_owned(),
            code: "ImagePullBackOff".to_owned(),
            message: "Back-off pulling image".to_owned(),
        });
    });
    let web = format!("{DEPLOYMENTS}/web");
    rig.apply(&web, &deployment("web", 1, "1")).await.unwrap();
    rig.wait(300).await;
    assert_eq!(available(&rig.get(&web).await), 0);
    let pods = rig.get("/api/v1/namespaces/default/pods").await;
    let waiting = &pods["items"][0]["status"]["containerStatuses"][0]["state"]["waiting"];
    assert_eq!(waiting, &json!({"reason": "ImagePullBackOff", "message": "Back-off pulling image"}));
    rig.rehearsal.with_account(|account| account.failures.clear());
    rig.rehearsal.with_account(|account| account.kubernetes.clusters.values_mut().for_each(|world| world.dirty = true));
    rig.until(&web, |web| available(web) == 1).await;
}
