//! Server-side apply through the API.

use super::*;

const WEB: &str = "/apis/apps/v1/namespaces/default/deployments/web";

#[tokio::test(start_paused = true)]
async fn what_is_applied_again_changes_nothing() {
    let rig = Rig::new("m5.xlarge", 0).await;
    let made = rig.apply(WEB, &deployment("web", 2, "1000m")).await.unwrap();
    assert_eq!(made["metadata"]["generation"], 1);
    assert_eq!(made["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"], "1");
    assert_eq!(made["spec"]["strategy"]["rollingUpdate"], json!({"maxUnavailable": "25%", "maxSurge": "25%"}));
    rig.wait(5).await;
    let standing = rig.get(WEB).await;
    let again = rig.apply(WEB, &deployment("web", 2, "1000m")).await.unwrap();
    assert_eq!(again, standing);
    let tried = rig.apply(&format!("{WEB}?dryRun=All"), &deployment("web", 3, "2")).await.unwrap();
    assert_eq!((&tried["spec"]["replicas"], &tried["metadata"]["generation"]), (&json!(3), &json!(2)));
    assert_eq!(rig.get(WEB).await, standing, "a dry run changes nothing");
    let changed = rig.apply(WEB, &deployment("web", 3, "1")).await.unwrap();
    assert_eq!((&changed["spec"]["replicas"], &changed["metadata"]["generation"]), (&json!(3), &json!(2)));
}

#[tokio::test(start_paused = true)]
async fn a_foreign_owner_is_named() {
    let rig = Rig::new("m5.xlarge", 0).await;
    rig.apply(WEB, &deployment("web", 2, "1")).await.unwrap();
    let scale = format!("{WEB}/scale?fieldManager=kubectl");
    rig.merge(&scale, &json!({"spec": {"replicas": 5}})).await.unwrap();
    let refused = rig.apply(WEB, &deployment("web", 2, "1")).await.unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (409, "Conflict"));
    assert_eq!(
        refused.message,
        "Apply failed with 1 conflict: conflict with \"kubectl\" with subresource \"scale\" using apps/v1: .spec.replicas"
    );
    let cause = &refused.status["details"]["causes"][0];
    assert_eq!((&cause["reason"], &cause["field"]), (&json!("FieldManagerConflict"), &json!(".spec.replicas")));
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "other:2"}]}}}});
    let content = "application/strategic-merge-patch+json";
    rig.send("PATCH", &format!("{WEB}?fieldManager=kubectl-edit"), content, &image).await.unwrap();
    let refused = rig.apply(WEB, &deployment("web", 2, "1")).await.unwrap_err();
    assert_eq!(
        refused.message,
        "Apply failed with 2 conflicts: conflicts with \"kubectl\" with subresource \"scale\" using apps/v1:\n- .spec.replicas\nconflicts with \"kubectl-edit\" using apps/v1:\n- .spec.template.spec.containers[name=\"main\"].image"
    );
    let forced = rig.apply(&format!("{WEB}?force=true"), &deployment("web", 2, "1")).await.unwrap();
    assert_eq!(forced["spec"]["replicas"], 2);
    let without = rig.send("PATCH", WEB, "application/apply-patch+yaml", &deployment("web", 2, "1")).await;
    assert_eq!(
        without.unwrap_err().message,
        "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch"
    );
}

#[tokio::test(start_paused = true)]
async fn custom_resources_come_with_their_definition() {
    let rig = Rig::new("m5.xlarge", 0).await;
    let widget = "/apis/example.com/v1/namespaces/default/widgets/w";
    let of = |spec: Value| json!({"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": spec});
    let crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.com";
    rig.apply(crd, &definition()).await.unwrap();
    let early = rig.apply(widget, &of(json!({"size": 1}))).await.unwrap_err();
    assert_eq!(early.code, 404, "not established yet");
    rig.until(crd, |crd| crd["status"]["conditions"][1]["status"] == "True").await;
    let made = rig.apply(widget, &of(json!({"size": 1, "parts": [{"name": "a", "count": 1}]}))).await.unwrap();
    assert_eq!(made["spec"]["color"], "red", "the schema's default");
    assert_eq!(made["metadata"]["generation"], 1);
    for (spec, why) in [
        (json!({"color": "red"}), "Widget.example.com \"w\" is invalid: spec.size: Required value"),
        (
            json!({"size": "1"}),
            "failed to create typed patch object (/w; example.com/v1, Kind=Widget): .spec.size: expected numeric (int or float), got string",
        ),
        (
            json!({"size": 1, "color": "green"}),
            "Widget.example.com \"w\" is invalid: spec.color: Unsupported value: \"green\": supported values: \"red\", \"blue\"",
        ),
        (
            json!({"size": 1, "smell": 1}),
            "failed to create typed patch object (/w; example.com/v1, Kind=Widget): .spec.smell: field not declared in schema",
        ),
    ] {
        assert_eq!(rig.apply(widget, &of(spec)).await.unwrap_err().message, why);
    }
    let status = json!({"status": {"phase": "good"}, "spec": {"size": 9}});
    let changed = rig.merge(&format!("{widget}/status"), &status).await.unwrap();
    assert_eq!((&changed["status"]["phase"], &changed["spec"]["size"]), (&json!("good"), &json!(1)));
    assert_eq!(changed["metadata"]["generation"], 1);
    let listed = rig.get("/apis/example.com/v1/widgets").await;
    assert_eq!((listed["kind"].as_str(), listed["items"].as_array().unwrap().len()), (Some("WidgetList"), 1));
    // The definition goes after its objects.
    rig.merge(widget, &json!({"metadata": {"finalizers": ["example.com/hold"]}})).await.unwrap();
    rig.delete(crd).await.unwrap();
    rig.wait(30).await;
    assert!(rig.get(widget).await["metadata"]["deletionTimestamp"].is_string());
    rig.merge(widget, &json!({"metadata": {"finalizers": null}})).await.unwrap();
    rig.until(crd, |crd| crd["gone"] == 404).await;
}
