//! From what Helm prints to objects, hooks and edges; with texts as Helm prints them.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use rayplat_engine::{urn::Urn, value::Expr};
use serde_json::{Value, json};

use super::{
    order::{edges, plain},
    placeholder::{Placeholders, Wording},
    render::assemble,
    *,
};

fn bucket() -> Expr {
    Expr::Ref { urn: Urn::new("aws:s3:Bucket", "backup").unwrap(), field: "name".to_owned() }
}

fn spec() -> ChartSpec {
    let values = Expr::Object(vec![(Expr::Value("bucket".into()), bucket())]);
    ChartSpec { values, ..ChartSpec::new("release", "ray", "demo", "https://charts.example", "0.1.0", "1.35") }
}

/// Renders a text in which `BUCKET` stands for the reference; `make` is what the template
/// makes of it.
fn render_with(text: &str, make: impl Fn(&str) -> String) -> Result<Rendered, ChartError> {
    let chart = Fetched {
        path: PathBuf::from("demo-0.1.0.tgz"),
        digest: "sha256:00".to_owned(),
        name: "demo".to_owned(),
        version: "0.1.0".to_owned(),
        app_version: None,
    };
    let spec = spec();
    let printed = |wording| {
        let (values, _) = Placeholders::replace(&spec.values, wording);
        text.replace("BUCKET", &make(values["bucket"].as_str().unwrap()))
    };
    let (_, placeholders) = Placeholders::replace(&spec.values, Wording::First);
    assemble(&spec, &chart, "v4.3", &placeholders, &printed(Wording::First), &printed(Wording::Second))
}

fn render_text(text: &str) -> Result<Rendered, ChartError> {
    render_with(text, str::to_owned)
}

const WHOLE: &str = r#"---
# Source: demo/crds/things.yaml
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.demo.example, creationTimestamp: null}
spec:
  group: demo.example
  names: {kind: Thing, plural: things}
  scope: Namespaced
status: {conditions: []}
---
# Source: demo/templates/list.yaml
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: ConfigMap
  metadata: {name: settings}
  data: {BUCKET: "s3://BUCKET/x", mode: "0644", other: }
- apiVersion: v1
  kind: ConfigMapList
  items:
  - apiVersion: v1
    kind: ConfigMap
    metadata: {name: settings, namespace: other}
---
# Source: demo/templates/role.yaml
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: demo, namespace: mistaken, annotations: {helm.sh/resource-policy: keep}}
rules: []
---
# Source: demo/templates/thing.yaml
apiVersion: demo.example/v1
kind: Thing
metadata: {name: one}
spec: {bucket: BUCKET, nothing: null}
---
# Source: demo/templates/foreign.yaml
apiVersion: foreign.example/v1
kind: Stranger
metadata: {name: x}
"#;

#[test]
fn objects_are_complete_sorted_and_refer_to_what_the_values_referred_to() {
    let rendered = render_text(WHOLE).unwrap();
    let names: Vec<_> = rendered.objects.iter().map(ToString::to_string).collect();
    assert_eq!(
        names,
        [
            "ConfigMap other/settings",
            "ConfigMap ray/settings",
            "CustomResourceDefinition things.demo.example",
            "ClusterRole demo",
            "Stranger ray/x",
            "Thing ray/one",
        ]
    );
    let text = |text: &str| Expr::Value(text.into());
    let object = |entries: Vec<(Expr, Expr)>| Expr::Object(entries);
    assert_eq!(
        rendered.objects[1].manifest,
        object(vec![
            (text("apiVersion"), text("v1")),
            (text("kind"), text("ConfigMap")),
            (text("metadata"), Expr::Value(json!({"name": "settings", "namespace": "ray"}))),
            (
                text("data"),
                object(vec![
                    (bucket(), Expr::Concat(vec![text("s3://"), bucket(), text("/x")])),
                    (text("mode"), text("0644")),
                ])
            ),
        ])
    );
    let thing = &rendered.objects[5].manifest;
    let Expr::Object(entries) = thing else { panic!("{thing:?}") };
    let spec = vec![(text("bucket"), bucket()), (text("nothing"), Expr::Value(Value::Null))];
    assert_eq!(entries[3], (text("spec"), object(spec)));
    let Expr::Value(crd) = &rendered.objects[2].manifest else { panic!("a known manifest is one value") };
    assert_eq!((crd.get("status"), crd["metadata"].clone()), (None, json!({"name": "things.demo.example"})));
    let Expr::Value(role) = &rendered.objects[3].manifest else { panic!("a known manifest is one value") };
    assert_eq!(role["metadata"].get("namespace"), None);
    assert!(rendered.objects[3].keep && !rendered.objects[1].keep);
    assert_eq!(rendered.notes, ["Stranger x is taken to belong to the namespace ray"]);
    assert_eq!((rendered.digest.as_deref(), rendered.version.as_str()), (Some("sha256:00"), "0.1.0"));
    assert_eq!(rendered.source, Source::Helm { version: "v4.3".to_owned() });
}

fn config_map(data: &str) -> String {
    format!(
        "---\n# Source: demo/templates/a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata: {{{data}}}\n"
    )
}

#[test]
fn what_a_template_makes_of_a_reference_is_refused() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let secret = "---\n# Source: demo/templates/secret.yaml\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {key: BUCKET}\n";
    let error = render_with(secret, |text| STANDARD.encode(text)).unwrap_err();
    assert_eq!(
        error.message,
        "chart demo 0.1.0 encodes in base64 a value that is known only later (aws:s3:Bucket/backup name): data.key of \
         Secret ray/s (demo/templates/secret.yaml)"
    );
    assert!(error.hint.contains("a value that is known from the start"));
    let of = |make: &dyn Fn(&str) -> String| render_with(&config_map("key: BUCKET"), make).unwrap_err().message;
    let cut = "chart demo 0.1.0 cuts or changes a value that is known only later (aws:s3:Bucket/backup name): data.key of \
               ConfigMap ray/a (demo/templates/a.yaml)";
    assert_eq!(of(&|text| text[..15].to_owned()), cut);
    assert_eq!(of(&|text| text[text.len() - 8..].to_owned()), cut);
    let made = "chart demo 0.1.0 makes something of a value that is known only later (aws:s3:Bucket/backup name), or makes \
                up something new each time: data.key of ConfigMap ray/a";
    assert_eq!(of(&|text| text[..6].to_owned()), made, "cut short");
    assert_eq!(of(&str::to_uppercase), made);
    assert_eq!(of(&|text| format!("\"{}\"", text.len())), made, "counted");
    assert_eq!(of(&|text| text.chars().rev().collect()), made);
}

#[test]
fn names_must_be_known() {
    let text = config_map("").replace("name: a", "name: BUCKET");
    assert_eq!(
        render_text(&text).unwrap_err().message,
        "chart demo 0.1.0: demo/templates/a.yaml renders to an object whose name is known only later (aws:s3:Bucket/backup \
         name)"
    );
    let text = config_map("").replace("{name: a}", "{generateName: a-}");
    let error = render_text(&text).unwrap_err().message;
    assert_eq!(error, "chart demo 0.1.0: demo/templates/a.yaml renders to an object without its name");
}

/// Helm cannot tell either; only that nothing referred to changes what it made up.
#[test]
fn what_is_made_up_anew_each_time_is_refused() {
    let count = std::cell::Cell::new(0);
    let random = |_: &str| {
        count.set(count.get() + 1);
        format!("password-{}", count.get())
    };
    let error = render_with(&config_map("password: BUCKET"), random).unwrap_err().message;
    assert!(error.ends_with("or makes up something new each time: data.password of ConfigMap ray/a"), "{error}");
}

/// It is there to roll pods when a value changes, and goes on doing so.
#[test]
fn a_digest_in_an_annotation_is_followed_by_the_references() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {metadata: {annotations: \
                {checksum/config: BUCKET}}}}\n";
    let rendered = render_with(text, |text| hex::encode(text)).unwrap();
    let mut refers = Vec::new();
    rendered.objects[0].manifest.each_ref(&mut |urn, field| refers.push(format!("{urn} {field}")));
    assert_eq!(refers, ["aws:s3:Bucket/backup name"]);
    assert_eq!(
        rendered.notes,
        [
            "Deployment ray/d: the digest at spec.template.metadata.annotations.checksum/config has the values that are known \
          later behind it"
        ]
    );
}

#[test]
fn one_object_twice_is_an_error_that_names_both() {
    let text = format!("{}{}", config_map("a: b"), config_map("").replace("a.yaml", "b.yaml"));
    assert_eq!(
        render_text(&text).unwrap_err().message,
        "chart demo 0.1.0 has ConfigMap ray/a twice: in demo/templates/a.yaml and in demo/templates/b.yaml"
    );
}

fn hook(name: &str, annotations: &str) -> String {
    format!(
        "---\n# Source: demo/templates/{name}.yaml\napiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {name}\n  \
         annotations: {{{annotations}}}\n"
    )
}

#[test]
fn install_and_upgrade_hooks_are_kept_in_order_and_others_are_said() {
    let text = [
        hook("late", "helm.sh/hook: 'post-install, post-upgrade', helm.sh/hook-weight: '5'"),
        hook("zero", "helm.sh/hook: Pre-Install, helm.sh/hook-delete-policy: 'hook-succeeded,hook-failed'"),
        hook("another", "helm.sh/hook: pre-install, helm.sh/hook-weight: 'x'"),
        hook("early", "helm.sh/hook: 'pre-upgrade,pre-delete', helm.sh/hook-weight: -1"),
        hook("tests", "helm.sh/hook: test"),
        hook("rollback", "helm.sh/hook: 'pre-rollback,post-delete'"),
        hook("plain", "a: b"),
    ];
    let rendered = render_text(&text.concat()).unwrap();
    let hooks: Vec<_> = rendered
        .hooks
        .iter()
        .map(|hook| (hook.object.name.as_str(), hook.weight, hook.events.clone(), hook.delete.clone()))
        .collect();
    use HookDelete::{BeforeCreation, Failed, Succeeded};
    use HookEvent::{PostInstall, PostUpgrade, PreInstall, PreUpgrade};
    assert_eq!(
        hooks,
        [
            ("early", -1, vec![PreUpgrade], vec![BeforeCreation]),
            ("another", 0, vec![PreInstall], vec![BeforeCreation]),
            ("zero", 0, vec![PreInstall], vec![Succeeded, Failed]),
            ("late", 5, vec![PostInstall, PostUpgrade], vec![BeforeCreation]),
        ]
    );
    assert_eq!(
        rendered.notes,
        [
            "Job ray/tests is left out: it is a hook (test), and it tests a release",
            "Job ray/rollback is left out: it is a hook (pre-rollback, post-delete), and only hooks of installs and \
             upgrades are run",
        ]
    );
    assert_eq!(rendered.objects.len(), 1);
    assert_eq!(plain(&rendered.objects[0].manifest)["metadata"]["name"], "plain");
}

#[test]
fn what_is_no_manifest_names_its_template() {
    let of = |text: &str| render_text(text).unwrap_err().message;
    assert!(
        of("---\n# Source: demo/templates/x.yaml\na: [\n")
            .starts_with("chart demo 0.1.0 renders to what is no YAML: line ")
    );
    assert_eq!(
        of("---\n# Source: demo/templates/x.yaml\nkind: ConfigMap\n"),
        "chart demo 0.1.0: demo/templates/x.yaml renders to an object without its apiVersion"
    );
    assert_eq!(
        of("---\n# Source: demo/templates/x.yaml\njust text\n"),
        "chart demo 0.1.0: demo/templates/x.yaml renders to an object without its apiVersion"
    );
}

/// One object of every kind that anything waits for.
const ORDERED: &str = r#"
{apiVersion: v1, kind: Namespace, metadata: {name: ray}}
---
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: high}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: operator}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: unused}}
---
{apiVersion: v1, kind: Secret, metadata: {name: token, annotations: {kubernetes.io/service-account.name: operator}}}
---
{apiVersion: v1, kind: Secret, metadata: {name: certificate}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: projected}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: other}}
---
{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: fast}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data}, spec: {storageClassName: fast}}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.demo.example}
spec: {group: demo.example, names: {kind: Thing}, scope: Namespaced}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: operator}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: operator}
roleRef: {kind: ClusterRole, name: operator}
subjects: [{kind: ServiceAccount, name: operator, namespace: ray}]
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: leases}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: leases}
roleRef: {kind: Role, name: leases}
subjects: [{kind: ServiceAccount, name: operator}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: somebody}
roleRef: {kind: ClusterRole, name: admin}
subjects: [{kind: User, name: operator}]
---
{apiVersion: v1, kind: Service, metadata: {name: webhook}, spec: {selector: {app: operator}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: operator}
spec:
  template:
    metadata: {labels: {app: operator, more: x}}
    spec:
      serviceAccountName: operator
      priorityClassName: high
      volumes:
      - {name: a, secret: {secretName: certificate}}
      - {name: b, projected: {sources: [{configMap: {name: projected}}]}}
      containers:
      - {name: c, env: [{name: X, valueFrom: {configMapKeyRef: {name: settings, key: x}}}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: other}
spec: {template: {metadata: {labels: {app: other}}, spec: {containers: [{name: c}]}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec: {jobTemplate: {spec: {template: {spec: {volumes: [{name: d, persistentVolumeClaim: {claimName: data}}]}}}}}
---
{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: operator}, spec: {scaleTargetRef: {name: operator}}}
---
{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: operator}, spec: {selector: {matchLabels: {app: operator}}}}
---
{apiVersion: apiregistration.k8s.io/v1, kind: APIService, metadata: {name: v1.x}, spec: {service: {name: webhook, namespace: ray}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: check}
webhooks: [{clientConfig: {service: {name: webhook, namespace: ray}}}, {clientConfig: {url: "https://x.example"}}]
---
{apiVersion: demo.example/v1, kind: Thing, metadata: {name: one}}
---
{apiVersion: other.example/v1, kind: Thing, metadata: {name: one, namespace: elsewhere}}
"#;

#[test]
fn objects_wait_for_what_they_need_and_for_nothing_else() {
    let rendered = render_text(ORDERED).unwrap();
    let objects = &rendered.objects;
    let edges = edges(&rendered);
    let lines: Vec<_> = (0..objects.len())
        .map(|at| {
            let waits: Vec<_> = edges.iter().filter(|(_, after)| *after == at).collect();
            let waits: Vec<_> = waits.iter().map(|(before, _)| objects[*before].to_string()).collect();
            format!("{} <- {}", objects[at], waits.join(", ")).trim_end().to_owned()
        })
        .collect();
    assert!(edges.iter().all(|(before, after)| before < after), "a stack can be built in this order");
    insta::assert_snapshot!(lines.join("\n"), @r"
PriorityClass high <-
Namespace ray <-
PodDisruptionBudget ray/operator <- Namespace ray
ServiceAccount ray/operator <- Namespace ray
ServiceAccount ray/unused <- Namespace ray
Secret ray/certificate <- Namespace ray
Secret ray/token <- Namespace ray, ServiceAccount ray/operator
ConfigMap other/settings <-
ConfigMap ray/projected <- Namespace ray
ConfigMap ray/settings <- Namespace ray
StorageClass fast <-
PersistentVolumeClaim ray/data <- Namespace ray, StorageClass fast
CustomResourceDefinition things.demo.example <-
ClusterRole operator <-
ClusterRoleBinding operator <- ClusterRole operator
Role ray/leases <- Namespace ray
RoleBinding ray/leases <- Namespace ray, Role ray/leases
RoleBinding ray/somebody <- Namespace ray
Service ray/webhook <- Namespace ray
Deployment ray/operator <- PriorityClass high, Namespace ray, ServiceAccount ray/operator, Secret ray/certificate, ConfigMap ray/projected, ConfigMap ray/settings, CustomResourceDefinition things.demo.example, ClusterRoleBinding operator, RoleBinding ray/leases
Deployment ray/other <- Namespace ray, CustomResourceDefinition things.demo.example
HorizontalPodAutoscaler ray/operator <- Namespace ray
CronJob ray/nightly <- Namespace ray, PersistentVolumeClaim ray/data, CustomResourceDefinition things.demo.example
APIService v1.x <- Service ray/webhook, Deployment ray/operator
ValidatingWebhookConfiguration check <- Service ray/webhook, Deployment ray/operator
Thing elsewhere/one <-
Thing ray/one <- Namespace ray, CustomResourceDefinition things.demo.example
");
}
