//! What a cluster's API would refuse is said before anything is begun; what the plan itself makes
//! first is not missed.

#![allow(clippy::unwrap_used)]

use http::Request;
use kube::Client;
use rayplat_engine::{
    apply::Interrupt,
    dry_run::{DryRun, Refused},
    error::Error,
    event::Events,
    plan::{Planning, render::render},
    stack::{Resource, Stack},
    store::Object,
    urn::Urn,
    value::Expr,
};
use rayplat_integration_tests::{QUICKSTART, WHOLE, World, failures, inside};
use rayplat_resources::kubernetes::ClusterAccess;
use serde_json::{Value, json};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

async fn up(world: &World, text: &str) {
    let (report, events) = world.up(text).await.unwrap();
    assert!(report.summary.complete(), "{:#?}", failures(&events));
}

/// The cluster's API, as somebody else calls it.
fn client(world: &World) -> Client {
    let access = world.account.with_account(|account| {
        let cluster = &account.eks.clusters["production-ray-cluster"];
        ClusterAccess {
            name: cluster.name.clone(),
            endpoint: cluster.endpoint.url.clone(),
            certificate_authority: cluster.endpoint.certificate_authority.clone(),
        }
    });
    world.account.clients().kubernetes.connect(&access).unwrap()
}

async fn apply(world: &World, path: &str, manager: &str, object: &Value) -> Value {
    let uri = format!("{path}?fieldManager={manager}&force=true");
    let request = Request::patch(uri).header("content-type", "application/apply-patch+yaml");
    client(world).request(request.body(object.to_string().into_bytes()).unwrap()).await.unwrap()
}

async fn get(world: &World, path: &str) -> Value {
    client(world).request(Request::get(path).body(Vec::new()).unwrap()).await.unwrap()
}

async fn state(world: &World) -> Vec<Object> {
    let (engine, _) = world.engine().await;
    engine.state("production-ray-cluster").await.unwrap().objects.into_values().collect()
}

/// Preview and `up` refuse the same; `up` begins nothing, neither in the cluster nor elsewhere.
async fn refused(world: &World, text: &str) -> Vec<Refused> {
    let (before, stood) = (state(world).await, inside(world));
    let found = world.preview(text).await.unwrap().dry_run;
    let Err(Error::DryRun(refused)) = world.up(text).await else { panic!("not refused: {found:#?}") };
    assert_eq!(found.refused, refused);
    assert_eq!((state(world).await, inside(world)), (before, stood));
    let (engine, _) = world.engine().await;
    let last = engine.history().await.unwrap().pop().unwrap();
    assert!(last.deeds.is_empty() && last.summary.is_some(), "{last:?}");
    refused
}

const RAY: &str = "/apis/ray.io/v1/namespaces/ray/rayclusters/ray";

#[test]
fn somebody_elses_field_is_refused_by_name() {
    block_on(async {
        let world = World::new(71);
        up(&world, &format!("{WHOLE}ray: {{token_auth: false}}\n")).await;
        let theirs = json!({
            "apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": "ray", "namespace": "ray"},
            "spec": {"authOptions": {"mode": "disabled"}},
        });
        apply(&world, RAY, "kubectl-edit", &theirs).await;
        let stands = get(&world, RAY).await["spec"].take();
        // Much else changes too; none of it is begun.
        let wanted = WHOLE.replace("max: 10", "max: 12").replace("  oidc:", "  logs: {retention_days: 30}\n  oidc:");
        let said = refused(&world, &wanted).await;
        let [ray] = said.as_slice() else { panic!("{said:#?}") };
        assert_eq!(ray.urn.as_str(), "kubernetes:Ray/ray/RayCluster/ray");
        assert!(ray.error.message.contains("spec.authOptions.mode belongs to kubectl-edit"), "{}", ray.error);
        assert!(ray.error.hint.as_ref().unwrap().starts_with("Leave these fields to kubectl-edit"), "{:?}", ray.error);
        assert_eq!(get(&world, RAY).await["spec"], stands);
        // They let it go.
        let nothing = json!({"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": {"name": "ray"}});
        apply(&world, RAY, "kubectl-edit", &nothing).await;
        let found = world.preview(&wanted).await.unwrap();
        assert!(found.dry_run.refused.is_empty() && found.dry_run.accepted > 0, "{:#?}", found.dry_run);
        up(&world, &wanted).await;
    });
}

#[test]
fn somebody_elses_object_is_refused_before_its_like_is_made() {
    block_on(async {
        let world = World::new(72);
        up(&world, WHOLE).await;
        let budget = json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "ray-cpu", "namespace": "ray"},
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "theirs"}}},
        });
        let path = "/apis/policy/v1/namespaces/ray/poddisruptionbudgets/ray-cpu";
        let standing = get(&world, path).await;
        assert_eq!(standing["metadata"]["annotations"]["rayplat/stack"], "production-ray-cluster");
        // Ours goes, and somebody makes theirs.
        let fewer = format!("{WHOLE}ray: {{workers: {{cpu: {{min: 1}}, gpu: {{}}}}}}\n");
        up(&world, &fewer).await;
        apply(&world, path, "theirs", &budget).await;
        let said = refused(&world, WHOLE).await;
        let [theirs] = said.as_slice() else { panic!("{said:#?}") };
        assert_eq!(theirs.urn.name(), "ray/PodDisruptionBudget/ray-cpu");
        assert_eq!(theirs.error.message, "PodDisruptionBudget ray/ray-cpu exists already");
        assert!(theirs.error.hint.as_ref().unwrap().contains("somebody else's"), "{:?}", theirs.error);
        assert_eq!(get(&world, path).await["spec"]["maxUnavailable"], 1);
    });
}

/// The platform with a ConfigMap that nobody may change any more.
fn with_settings(world: &World, data: &str) -> Stack {
    let mut stack = world.platform(WHOLE).stack;
    let text = |text: &str| Expr::Value(text.into());
    let access = Expr::Ref { urn: "kubernetes:Entry/cluster".parse().unwrap(), field: "access".to_owned() };
    let manifest = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "default"},
        "immutable": true, "data": {"a": data},
    });
    let inputs = Expr::Object(vec![(text("cluster"), access), (text("manifest"), Expr::Value(manifest))]);
    stack.insert(Resource::new(SETTINGS.parse().unwrap(), inputs)).unwrap();
    stack
}

const SETTINGS: &str = "kubernetes:Object/default/ConfigMap/settings";

#[test]
fn what_the_server_never_changes_in_place_is_refused_with_the_way_out() {
    block_on(async {
        let world = World::new(73);
        let (engine, _) = world.engine().await;
        let run = async |engine: &rayplat_engine::ops::Engine, stack: &Stack| {
            engine.up(stack, Events::none(), Interrupt::default(), |_| true).await
        };
        assert!(run(&engine, &with_settings(&world, "1")).await.unwrap().summary.complete());
        let changed = with_settings(&world, "2");
        let Err(Error::DryRun(said)) = run(&engine, &changed).await else { panic!("not refused") };
        let [settings] = said.as_slice() else { panic!("{said:#?}") };
        assert_eq!(settings.urn, SETTINGS.parse::<Urn>().unwrap());
        assert!(settings.error.message.contains("field is immutable when `immutable` is set"), "{}", settings.error);
        let cure = settings.error.hint.as_ref().unwrap();
        assert!(cure.contains(&format!("`--replace {SETTINGS}`")), "{cure}");
        // As the cure says: the old one goes first, so that nothing is refused.
        let insisting = engine.planning(Planning { replace: vec![SETTINGS.to_owned()], ..Planning::default() });
        let preview = insisting.preview(&changed, Events::none()).await.unwrap();
        assert_eq!(preview.dry_run, DryRun::default(), "{}", render(&preview.plan));
        assert!(run(&insisting, &changed).await.unwrap().summary.complete());
        assert_eq!(get(&world, "/api/v1/namespaces/default/configmaps/settings").await["data"]["a"], "2");
    });
}

#[test]
fn what_the_plan_makes_first_is_not_missed() {
    block_on(async {
        let world = World::new(74);
        // Neither cluster nor way in: there is nobody to be asked.
        assert_eq!(world.preview(WHOLE).await.unwrap().dry_run, DryRun::default());
        up(&world, QUICKSTART).await;
        assert_eq!(world.preview(WHOLE).await.unwrap().dry_run, DryRun::default());
        let bare = format!("{WHOLE}ray: {{enabled: false}}\n");
        up(&world, &bare).await;
        // Namespaces, kinds and all that is in them, at once.
        let found = world.preview(WHOLE).await.unwrap().dry_run;
        assert_eq!(found.refused, Vec::new());
        let why = |name: &str| &found.unasked.iter().find(|unasked| unasked.urn.name() == name).unwrap().reason;
        assert_eq!(why("ray/StatefulSet/ray-redis"), "its namespace ray is made by the same plan");
        assert_eq!(why("ray/RayCluster/ray"), "its kind RayCluster is made by the same plan");
        assert!(found.accepted > 5, "namespaces, definitions, roles: {found:#?}");
        up(&world, WHOLE).await;
        // In a namespace that stands, in place, and all anew in another one.
        for ray in ["{version: 2.59.0}", "{fault_tolerance: {storage_gb: 9}}", "{namespace: other}"] {
            let text = format!("{WHOLE}ray: {ray}\n");
            let found = world.preview(&text).await.unwrap().dry_run;
            assert_eq!(found.refused, Vec::new(), "{ray}");
            up(&world, &text).await;
            let again = world.preview(&text).await.unwrap();
            assert_eq!((again.plan.is_empty(), again.dry_run), (true, DryRun::default()), "{ray}");
        }
    });
}

#[test]
fn a_dry_run_changes_nothing() {
    block_on(async {
        let world = World::new(75);
        up(&world, WHOLE).await;
        let more = format!("{WHOLE}ray: {{version: 2.59.0, jobs: {{train: {{entrypoint: python a.py}}}}}}\n");
        let (before, stands) = (inside(&world), get(&world, RAY).await);
        let found = world.preview(&more).await.unwrap().dry_run;
        assert_eq!((found.refused.len(), found.accepted), (0, 2), "{found:#?}");
        assert_eq!((inside(&world), get(&world, RAY).await), (before, stands));
    });
}
