//! A chart of our own, rendered by Helm in earnest.
#![allow(clippy::unwrap_used)]

use rayplat_engine::{urn::Urn, value::Expr};
use rayplat_integration_tests::{
    helm::{Repository, accepted, demo, find},
    kubernetes::{self, ControlPlane},
};
use rayplat_resources::kubernetes::chart::{
    ChartError, ChartProblem, ChartSpec, Helm, HookDelete, HookEvent, Rendered, fetch, order, render,
};
use serde_json::{Value, json};

fn reference(field: &str) -> Expr {
    Expr::Ref { urn: Urn::new("aws:s3:Bucket", "backup").unwrap(), field: field.to_owned() }
}

fn text(text: &str) -> Expr {
    Expr::Value(text.into())
}

/// The chart in our folder, with a bucket and a role that are known later.
fn spec(version: &str, more: &[&str]) -> ChartSpec {
    let mut values = vec![
        (text("bucket"), reference("name")),
        (text("roleArn"), Expr::Concat(vec![text("arn:aws:iam::1:role/"), reference("role")])),
    ];
    values.extend(more.iter().map(|switch| (text(switch), Expr::Value(true.into()))));
    let chart = demo(version).to_string_lossy().into_owned();
    ChartSpec { values: Expr::Object(values), ..ChartSpec::new("release", "demo-front", &chart, "", version, "1.35") }
}

async fn rendered(helm: &Helm, spec: &ChartSpec) -> Result<Rendered, ChartError> {
    let nowhere = tempfile::tempdir().unwrap();
    let chart = fetch(helm, spec, nowhere.path()).await?;
    render(helm, &chart, spec).await
}

fn names(rendered: &Rendered) -> Vec<String> {
    rendered.objects.iter().map(ToString::to_string).collect()
}

fn member<'a>(expr: &'a Expr, path: &str) -> &'a Expr {
    path.split('.').fold(expr, |expr, key| match expr {
        Expr::Object(entries) => &entries.iter().find(|(name, _)| *name == text(key)).unwrap().1,
        Expr::List(items) => &items[key.parse::<usize>().unwrap()],
        other => panic!("{key} of {other:?}"),
    })
}

#[tokio::test]
async fn a_chart_becomes_objects_hooks_and_references() {
    let Some(helm) = find("a_chart_becomes_objects_hooks_and_references").await else { return };
    let rendered = rendered(&helm, &spec("0.1.0", &[])).await.unwrap();
    assert_eq!(
        names(&rendered),
        [
            "Namespace demo-back",
            "Namespace demo-front",
            "ServiceAccount demo-back/release",
            "ConfigMap demo-back/release-settings",
            "CustomResourceDefinition things.demo.rayplat.example",
            "Role demo-back/release",
            "RoleBinding demo-back/release",
            "Deployment demo-back/release-back",
            "Deployment demo-front/release-front",
            "Thing demo-back/one",
        ]
    );
    assert_eq!((rendered.version.as_str(), rendered.app_version.as_deref()), ("0.1.0", Some("1.0")));
    let object = |at: usize| &rendered.objects[at].manifest;
    let annotations = "metadata.annotations";
    let role = Expr::Concat(vec![text("arn:aws:iam::1:role/"), reference("role")]);
    assert_eq!(member(object(2), annotations), &Expr::Object(vec![(text("eks.amazonaws.com/role-arn"), role.clone())]));
    assert_eq!(
        member(object(3), "data"),
        &Expr::Object(vec![(
            text("settings.yaml"),
            Expr::Concat(vec![text("store: \"s3://"), reference("name"), text("/demo\"\ncluster: v1.35.0\n")])
        )])
    );
    assert_eq!(member(object(7), "spec.template.spec.containers.0.env.0.value"), &reference("name"));
    assert_eq!(member(object(9), "spec.bucket"), &reference("name"));
    let Expr::Value(volumes) = member(object(7), "spec.template.spec.volumes") else { panic!("volumes are known") };
    assert_eq!(volumes[0]["configMap"]["defaultMode"], json!(0o440), "as Kubernetes reads 0440");
    // The digest of the settings is made of the bucket's name, so that the name comes behind it.
    let Expr::Concat(parts) = member(object(7), "spec.template.metadata.annotations.checksum/settings") else {
        panic!()
    };
    assert!(parts.contains(&reference("name")), "{parts:?}");

    let hooks: Vec<_> = rendered.hooks.iter().map(|hook| (hook.object.to_string(), hook.weight)).collect();
    assert_eq!(
        hooks,
        [("ConfigMap demo-front/release-first".to_owned(), -5), ("Job demo-front/release-migrate".to_owned(), 0)]
    );
    assert_eq!(rendered.hooks[0].events, [HookEvent::PreInstall, HookEvent::PreUpgrade]);
    assert_eq!(rendered.hooks[1].delete, [HookDelete::BeforeCreation, HookDelete::Succeeded]);
    let notes = rendered.notes.join("\n");
    assert!(notes.contains("Pod demo-front/release-test is left out: it is a hook (test)"), "{notes}");
    assert!(notes.contains("ConfigMap demo-front/release-goodbye is left out: it is a hook (post-delete)"), "{notes}");

    let waits: Vec<_> =
        order::edges(&rendered).into_iter().filter(|(_, at)| *at == 7).map(|(before, _)| before).collect();
    assert_eq!(waits, [0, 2, 3, 4, 6], "namespace, account, settings, CRD and binding");
}

#[tokio::test]
async fn an_upgrade_is_another_set_of_objects() {
    let Some(helm) = find("an_upgrade_is_another_set_of_objects").await else { return };
    let before = rendered(&helm, &spec("0.1.0", &[])).await.unwrap();
    let again = rendered(&helm, &spec("0.1.0", &[])).await.unwrap();
    assert_eq!(before, again, "two renderings are equal in every byte");
    let after = rendered(&helm, &spec("0.2.0", &[])).await.unwrap();
    assert_ne!(before.digest, after.digest);
    let (before_names, after_names) = (names(&before), names(&after));
    let gone: Vec<_> = before_names.iter().filter(|name| !after_names.contains(name)).collect();
    let come: Vec<_> = after_names.iter().filter(|name| !before_names.contains(name)).collect();
    assert_eq!(
        (gone, come),
        (vec![&"Thing demo-back/one".to_owned()], vec![&"Service demo-back/release-back".to_owned()])
    );
    let changed: Vec<_> = before
        .objects
        .iter()
        .filter(|object| {
            after.objects.iter().any(|other| {
                other.name == object.name && other.kind == object.kind && other.manifest != object.manifest
            })
        })
        .map(ToString::to_string)
        .collect();
    assert_eq!(changed, ["Deployment demo-back/release-back", "Deployment demo-front/release-front"]);
    let without = ChartSpec { skip_crds: true, ..spec("0.2.0", &[]) };
    let without = names(&rendered(&helm, &without).await.unwrap());
    assert!(!without.iter().any(|name| name.starts_with("CustomResourceDefinition")), "{without:?}");
}

#[tokio::test]
async fn what_would_go_wrong_silently_is_refused() {
    let Some(helm) = find("what_would_go_wrong_silently_is_refused").await else { return };
    let refers = "a value that is known only later (aws:s3:Bucket/backup name, aws:s3:Bucket/backup role)";
    let makes = format!("makes something of {refers}, or makes up something new each time:");
    for (switch, expected) in [
        (
            "encode",
            format!(
                "encodes in base64 {refers}: data.bucket of Secret demo-front/encoded (demo/templates/refused.yaml)"
            ),
        ),
        ("cut", format!("{makes} data.cut of ConfigMap demo-front/made")),
        ("count", format!("{makes} data.count of ConfigMap demo-front/made")),
        ("random", format!("{makes} data.random of ConfigMap demo-front/made")),
        (
            "twice",
            "has ConfigMap demo-back/release-settings twice: in demo/templates/refused.yaml and in \
             demo/templates/settings.yaml"
                .to_owned(),
        ),
        ("fail", "no bucket is called <aws:s3:Bucket/backup name, known later>".to_owned()),
    ] {
        let error = rendered(&helm, &spec("0.1.0", &[switch])).await.unwrap_err();
        assert!(error.message.contains(&expected), "{switch}: {}\n{expected}", error.message);
        assert!(!error.message.contains("rayplat-ref-") && !error.hint.is_empty(), "{}", error.message);
    }
    let known = json!({"bucket": "mine", "encode": true, "cut": true, "count": true});
    let plain = ChartSpec { values: Expr::Value(known.clone()), ..spec("0.1.0", &[]) };
    assert!(rendered(&helm, &plain).await.is_ok(), "a template may do with known values what it likes");
    let mut random = known;
    random["random"] = true.into();
    let random = ChartSpec { values: Expr::Value(random), ..plain };
    let error = rendered(&helm, &random).await.unwrap_err();
    assert!(
        error.message.ends_with("makes up something new each time: data.random of ConfigMap demo-front/made"),
        "{error}"
    );
    let wrong = ChartSpec { name: "Not_A_Label".to_owned(), ..spec("0.1.0", &[]) };
    assert_eq!(rendered(&helm, &wrong).await.unwrap_err().problem, ChartProblem::Spec);
    let wrong = ChartSpec { version: "9.9.9".to_owned(), ..spec("0.1.0", &[]) };
    let error = rendered(&helm, &wrong).await.unwrap_err();
    assert!(error.message.ends_with("is version 0.1.0 of demo, not 9.9.9"), "{error}");
}

#[tokio::test]
async fn a_chart_that_was_fetched_needs_no_network_again() {
    let Some(helm) = find("a_chart_that_was_fetched_needs_no_network_again").await else { return };
    let cache = tempfile::tempdir().unwrap();
    let repository = Repository::new(&helm, &[demo("0.1.0"), demo("0.2.0")]);
    let of = |version: &str| ChartSpec {
        values: Expr::Value(Value::Object(serde_json::Map::new())),
        ..ChartSpec::new("release", "ray", "demo", &repository.url, version, "1.35")
    };
    let old = fetch(&helm, &of("0.1.0"), cache.path()).await.unwrap();
    assert_eq!((old.name.as_str(), old.version.as_str(), old.app_version.as_deref()), ("demo", "0.1.0", Some("1.0")));
    let packed = ChartSpec { repository: String::new(), version: String::new(), ..of("") };
    let packed = ChartSpec { chart: repository.archive("demo-0.1.0.tgz").to_string_lossy().into_owned(), ..packed };
    let packed = fetch(&helm, &packed, cache.path()).await.unwrap();
    assert_eq!(packed.digest, old.digest, "the digest is the archive's");

    let error = fetch(&helm, &of("0.3.0"), cache.path()).await.unwrap_err();
    assert_eq!(error.problem, ChartProblem::NotFound, "{error}");
    assert!(error.message.starts_with("chart demo 0.3.0 of http://127.0.0.1:"), "{error}");
    let other = ChartSpec { chart: "none".to_owned(), ..of("0.1.0") };
    assert_eq!(fetch(&helm, &other, cache.path()).await.unwrap_err().problem, ChartProblem::NotFound);

    let (kept, new) = (of("0.1.0"), of("0.2.0"));
    drop(repository);
    assert_eq!(fetch(&helm, &kept, cache.path()).await.unwrap(), old);
    assert_eq!(render(&helm, &old, &kept).await.unwrap().objects.len(), 10);
    let error = fetch(&helm, &new, cache.path()).await.unwrap_err();
    assert_eq!(error.problem, ChartProblem::Network, "{error}");
    assert!(error.hint.contains("Fetch it once where the network lets you out"));
    // What failed has left nothing behind.
    let folders: Vec<_> = std::fs::read_dir(cache.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let kept: Vec<_> = std::fs::read_dir(&folders[0]).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!((folders.len(), kept), (1, vec!["demo-0.1.0.tgz".into()]));
}

#[tokio::test]
async fn a_real_api_server_accepts_both_versions() {
    const NAME: &str = "a_real_api_server_accepts_both_versions";
    let Some(helm) = find(NAME).await else { return };
    let Some(tools) = kubernetes::find(NAME) else { return };
    let plane = ControlPlane::start(&tools);
    for version in ["0.1.0", "0.2.0"] {
        accepted(&plane, "demo", &rendered(&helm, &spec(version, &[])).await.unwrap());
    }
    let back = plane.get(&["deployment", "release-back", "--namespace", "demo-back"]);
    assert_eq!(back["spec"]["replicas"], 3, "as the second version has it");
    assert_eq!(back["spec"]["template"]["spec"]["volumes"][0]["configMap"]["defaultMode"], json!(0o440));
}
