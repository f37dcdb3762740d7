//! Requests and refusals.

use super::*;
use crate::{
    kubernetes::classify,
    rehearsal::faults::{FaultKind, FaultRule, Faults},
};
use rayplat_engine::error::ErrorClass;

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/default/deployments";

#[tokio::test(start_paused = true)]
async fn objects_are_made_found_changed_and_deleted() {
    let rig = Rig::new("m5.xlarge", 1).await;
    let map = json!({"metadata": {"name": "m", "labels": {"a": "1"}}, "data": {"k": "v"}});
    let maps = "/api/v1/namespaces/default/configmaps";
    let made = rig.post(maps, &map).await.unwrap();
    assert_eq!((&made["kind"], &made["apiVersion"]), (&json!("ConfigMap"), &json!("v1")));
    assert_eq!(made["metadata"]["uid"].as_str().unwrap().len(), 36);
    assert_eq!(made["metadata"]["managedFields"][0]["manager"], "tester");
    let again = rig.post(maps, &map).await.unwrap_err();
    assert_eq!((again.code, again.reason.as_str()), (409, "AlreadyExists"));
    assert_eq!(again.message, "configmaps \"m\" already exists");
    let listed = rig.get(&format!("{maps}?labelSelector=a%3D1")).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let all = rig.get("/api/v1/configmaps?fieldSelector=metadata.name%3Dkube-root-ca.crt").await;
    assert_eq!((all["kind"].as_str(), all["items"].as_array().unwrap().len()), (Some("ConfigMapList"), 4));
    let first = rig.get("/api/v1/namespaces?limit=3").await;
    let next = first["metadata"]["continue"].as_str().unwrap();
    let second = rig.get(&format!("/api/v1/namespaces?limit=3&continue={next}")).await;
    assert_eq!((first["items"].as_array().unwrap().len(), second["items"].as_array().unwrap().len()), (3, 1));
    // Somebody who has seen an older one.
    let mut stale = made.clone();
    rig.merge(&format!("{maps}/m"), &json!({"data": {"k": "w"}})).await.unwrap();
    stale["data"]["k"] = json!("x");
    let put = |body: Value| async move { rig.send("PUT", &format!("{maps}/m"), "application/json", &body).await };
    let late = put(stale).await.unwrap_err();
    assert_eq!((late.code, late.reason.as_str()), (409, "Conflict"));
    assert!(late.message.ends_with("please apply your changes to the latest version and try again"));
}

#[tokio::test(start_paused = true)]
async fn deletion_waits_for_finalizers() {
    let rig = Rig::new("m5.xlarge", 1).await;
    let maps = "/api/v1/namespaces/default/configmaps";
    let held = json!({"metadata": {"name": "m", "finalizers": ["example.com/hold"]}});
    rig.post(maps, &held).await.unwrap();
    let going = rig.delete(&format!("{maps}/m")).await.unwrap();
    assert!(going["metadata"]["deletionTimestamp"].is_string(), "{going}");
    rig.wait(60).await;
    rig.get(&format!("{maps}/m")).await;
    rig.merge(&format!("{maps}/m"), &json!({"metadata": {"finalizers": null}})).await.unwrap();
    let gone = rig.delete(&format!("{maps}/m")).await.unwrap_err();
    assert_eq!((gone.code, gone.message.as_str()), (404, "configmaps \"m\" not found"));
    assert_eq!(gone.status["details"], json!({"name": "m", "kind": "configmaps"}));
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_refused_in_the_servers_words() {
    let rig = Rig::new("m5.xlarge", 1).await;
    let mut wrong = deployment("web", 1, "100m");
    wrong["spec"]["template"]["metadata"]["labels"]["app"] = json!("other");
    let refused = rig.post(DEPLOYMENTS, &wrong).await.unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (422, "Invalid"));
    assert_eq!(
        refused.message,
        "Deployment.apps \"web\" is invalid: spec.template.metadata.labels: Invalid value: {\"app\":\"other\"}: `selector` does not match template `labels`"
    );
    rig.post(DEPLOYMENTS, &deployment("web", 1, "100m")).await.unwrap();
    let other = json!({"spec": {"selector": {"matchLabels": {"app": "x"}}, "template": {"metadata": {"labels": {"app": "x"}}}}});
    let refused = rig.merge(&format!("{DEPLOYMENTS}/web"), &other).await.unwrap_err();
    assert!(refused.message.ends_with("field is immutable"), "{}", refused.message);
    let nowhere = rig.post("/apis/apps/v1/namespaces/none/deployments", &deployment("web", 1, "1")).await.unwrap_err();
    assert_eq!(nowhere.code, 400, "the body names another namespace");
    let mut there = deployment("web", 1, "1");
    there["metadata"]["namespace"] = json!("none");
    let nowhere = rig.post("/apis/apps/v1/namespaces/none/deployments", &there).await.unwrap_err();
    assert_eq!((nowhere.code, nowhere.message.as_str()), (404, "namespaces \"none\" not found"));
    let unknown = rig.post("/apis/example.com/v1/namespaces/default/widgets", &json!({})).await.unwrap_err();
    assert_eq!(unknown.code, 404);
    let named = rig.post("/api/v1/namespaces", &json!({"metadata": {"name": "Bad_Name"}})).await.unwrap_err();
    assert!(named.message.contains("a lowercase RFC 1123 label must consist of"), "{}", named.message);
    let large = json!({"metadata": {"name": "m", "annotations": {"a": "x".repeat(262_144)}}});
    let refused = rig.post("/api/v1/namespaces/default/configmaps", &large).await.unwrap_err();
    assert!(refused.message.ends_with("metadata.annotations: Too long: may not be more than 262144 bytes"));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_lets_in_whom_it_knows() {
    let rig = Rig::new("m5.xlarge", 0).await;
    assert_eq!(
        rig.client.request_text(Request::builder().uri("/readyz").body(Vec::new()).unwrap()).await.unwrap(),
        "ok"
    );
    let principal = rig.rehearsal.with_account(|account| {
        let cluster = account.eks.clusters.get_mut("ray").unwrap();
        let (principal, mut entry) = cluster.access_entries.shift_remove_index(0).unwrap();
        entry.created_ms = account.now_ms;
        let policies = std::mem::take(&mut entry.policies);
        cluster.access_entries.insert(principal.clone(), entry);
        (principal, policies)
    });
    let new = rig.send("GET", "/api/v1/namespaces", "", &Value::Null).await.unwrap_err();
    assert_eq!((new.code, new.reason.as_str()), (401, "Unauthorized"));
    rig.wait(16).await;
    let known = rig.send("GET", "/api/v1/namespaces", "", &Value::Null).await.unwrap_err();
    assert_eq!(known.code, 403);
    assert!(known.message.contains("cannot list resource \"namespaces\" in API group \"\" at the cluster scope"));
    rig.rehearsal.with_account(|account| {
        let now = account.now_ms;
        let cluster = account.eks.clusters.get_mut("ray").unwrap();
        let entry = cluster.access_entries.get_mut(&principal.0).unwrap();
        entry.policies = principal.1;
        entry.policies.values_mut().for_each(|policy| policy.associated_ms = now);
    });
    assert_eq!(rig.send("GET", "/api/v1/namespaces", "", &Value::Null).await.unwrap_err().code, 403);
    rig.wait(16).await;
    rig.get("/api/v1/namespaces").await;
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_gone_answers_nothing() {
    let rig = Rig::new("m5.xlarge", 0).await;
    rig.rehearsal.with_account(|account| {
        assert!(account.kubernetes.objects(rig.access.endpoint.trim_start_matches("https://")).len() > 10);
        eks(account, "DeleteCluster", json!({"name": "ray"}));
    });
    rig.wait(300).await;
    let request = Request::builder().uri("/api/v1/namespaces").body(Vec::new()).unwrap();
    let error = rig.client.request::<Value>(request).await.unwrap_err();
    assert_eq!(classify(error).class, ErrorClass::Ambiguous);
    assert_eq!(rig.rehearsal.log().last().unwrap().error.as_deref(), Some("lost"));
    let left = rig.rehearsal.with_account(|account| serde_json::to_value(&account.kubernetes).unwrap());
    assert_eq!(left, json!({"clusters": {}}));
}

#[tokio::test(start_paused = true)]
async fn faults_strike_here_too() {
    let rig = Rig::new("m5.xlarge", 0).await;
    let rule = |operation: &str, kind| Faults::new(1, vec![FaultRule::once("kubernetes", operation, kind)]);
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": "1"}});
    let path = "/api/v1/namespaces/default/configmaps/m";
    let request = || {
        let request = Request::builder().method("PATCH").uri(format!("{path}?fieldManager=x"));
        let request = request.header("content-type", "application/apply-patch+yaml");
        request.body(map.to_string().into_bytes()).unwrap()
    };
    rig.rehearsal.set_faults(rule("Apply", FaultKind::LostAfter));
    let error = rig.client.request::<Value>(request()).await.unwrap_err();
    assert_eq!(classify(error).class, ErrorClass::Ambiguous);
    rig.get(path).await;
    assert_eq!(rig.rehearsal.log().iter().rev().nth(1).unwrap().resource, "ConfigMap/default/m");
    for (kind, class) in [
        (FaultKind::Throttled, ErrorClass::Throttled),
        (FaultKind::ServerError, ErrorClass::Ambiguous),
        (FaultKind::Unavailable, ErrorClass::Ambiguous),
        (FaultKind::Timeout, ErrorClass::Ambiguous),
    ] {
        rig.rehearsal.set_faults(rule("Apply", kind));
        let error = rig.client.request::<Value>(request()).await.unwrap_err();
        assert_eq!(classify(error).class, class, "{kind:?}");
    }
    let calls = rig.rehearsal.calls();
    assert_eq!(calls[&("kubernetes".to_owned(), "Apply".to_owned())], 5);
}

#[tokio::test(start_paused = true)]
async fn the_api_says_what_it_has() {
    let rig = Rig::new("m5.xlarge", 0).await;
    let groups = rig.get("/apis").await;
    assert!(groups["groups"].as_array().unwrap().iter().any(|group| group["name"] == "apps"));
    let apps = rig.get("/apis/apps/v1").await;
    let names: Vec<&str> =
        apps["resources"].as_array().unwrap().iter().filter_map(|one| one["name"].as_str()).collect();
    assert!(names.contains(&"deployments") && names.contains(&"deployments/scale"), "{names:?}");
    let version = rig.get("/version").await;
    assert_eq!(version["minor"], "35");
    let missing = rig.send("GET", "/apis/example.com/v1", "", &Value::Null).await.unwrap_err();
    assert_eq!(missing.code, 404);
    let found = kube::discovery::Discovery::new(rig.client.clone()).run().await.unwrap();
    assert!(found.groups().any(|group| group.name() == "rbac.authorization.k8s.io"));
}

#[tokio::test(start_paused = true)]
async fn the_connector_keeps_its_clients() {
    let rig = Rig::new("m5.xlarge", 0).await;
    rig.connector.connect(&rig.access).unwrap();
    let other =
        ClusterAccess { endpoint: "https://NONE.gr7.us-east-1.eks.amazonaws.com".to_owned(), ..rig.access.clone() };
    let client = rig.connector.connect(&other).unwrap();
    let error = client.apiserver_version().await.unwrap_err();
    assert_eq!(classify(error).class, ErrorClass::Ambiguous);
    // A day later the first token is long over.
    rig.wait(86_400).await;
    rig.client.apiserver_version().await.unwrap();
}
