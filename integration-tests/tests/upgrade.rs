//! A Kubernetes upgrade of the quick start on the emulated account: control plane, add-ons,
//! nodes; nothing replaced; refused where EKS allows none; finished after a crash and on a
//! bad network.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use rayplat_engine::{
    error::Error,
    event::{Event, Summary},
    plan::render::render,
    provider::Action,
};
use rayplat_integration_tests::{QUICKSTART, World, failures, leftovers};
use rayplat_resources::rehearsal::{
    LifecycleFailure,
    faults::{FaultKind, FaultRule, Faults, Moment},
};
use serde_json::{Value, json};

const CLUSTER: &str = "production-ray-cluster";

/// What the quick start is made of.
const RESOURCES: u64 = 33;

/// The quick start on a version of Kubernetes, on whatever support that has.
fn at(version: &str) -> String {
    let support = if version < "1.34" { "extended" } else { "standard" };
    QUICKSTART.replace("cluster:\n", &format!("cluster:\n  kubernetes_version: \"{version}\"\n  support: {support}\n"))
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

async fn stand(world: &World, text: &str, what: &str) -> (Summary, Vec<Event>) {
    let (report, events) = world.up(text).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(report.summary.complete(), "{what}: {:#?}", failures(&events));
    let again = world.preview(text).await.unwrap();
    assert!(again.plan.is_empty(), "{what}: {}", render(&again.plan));
    (report.summary, events)
}

async fn standing(seed: u64, version: &str) -> World {
    let world = World::new(seed);
    stand(&world, &at(version), "first").await;
    world
}

fn ask(world: &World, operation: &str, params: &Value) -> Value {
    world.account.with_account(|account| account.handle("eks", operation, params).unwrap())
}

fn addon_version(world: &World, name: &str) -> String {
    let answer = ask(world, "DescribeAddon", &json!({"clusterName": CLUSTER, "addonName": name}));
    answer["addon"]["addonVersion"].as_str().unwrap().to_owned()
}

/// Of all node groups, sorted by name: pool, version, release.
fn node_versions(world: &World) -> Vec<(String, String, String)> {
    let names = ask(world, "ListNodegroups", &json!({"clusterName": CLUSTER}))["nodegroups"].clone();
    let mut found: Vec<_> = names
        .as_array()
        .unwrap()
        .iter()
        .map(|name| {
            let answer = ask(world, "DescribeNodegroup", &json!({"clusterName": CLUSTER, "nodegroupName": name}));
            let text = |member: &str| answer["nodegroup"][member].as_str().unwrap().to_owned();
            let name = name.as_str().unwrap();
            (name[..name.rfind('-').unwrap()].to_owned(), text("version"), text("releaseVersion"))
        })
        .collect();
    found.sort();
    found
}

/// So many changes in place, and all else as it was.
fn changed(updated: u64) -> Summary {
    Summary { updated, unchanged: RESOURCES - updated, ..Summary::default() }
}

/// What of this kind began or ended, as places in the run's events.
fn places(events: &[Event], kind: &str, begun: bool) -> Vec<usize> {
    let of = |event: &Event| match event {
        Event::StepStarted { urn, .. } => begun && urn.kind() == kind,
        Event::StepFinished { urn, .. } => !begun && urn.kind() == kind,
        _ => false,
    };
    events.iter().enumerate().filter(|(_, event)| of(event)).map(|(place, _)| place).collect()
}

#[tokio::test(start_paused = true)]
async fn the_control_plane_then_add_ons_then_nodes_and_nothing_is_replaced() {
    let world = standing(31, "1.34").await;
    let (coredns, proxy) = (addon_version(&world, "coredns"), addon_version(&world, "kube-proxy"));
    assert_eq!((coredns.as_str(), proxy.as_str()), ("v1.12.4-eksbuild.1", "v1.34.3-eksbuild.5"));

    let (summary, events) = stand(&world, &at("1.35"), "upgrade").await;
    // The cluster, five add-ons, three node groups.
    assert_eq!(summary, changed(9));

    let (cluster, addon, nodes) = ("aws:eks:Cluster", "aws:eks:Addon", "aws:eks:NodeGroup");
    let last = |kind| places(&events, kind, false).into_iter().max().unwrap();
    let first = |kind| places(&events, kind, true).into_iter().min().unwrap();
    assert!(last(cluster) < first(addon), "add-ons before the control plane was done");
    assert!(last(addon) < first(nodes), "nodes before the add-ons were done");

    let answer = ask(&world, "DescribeCluster", &json!({"name": CLUSTER}));
    assert_eq!(answer["cluster"]["version"], "1.35");
    assert_eq!(addon_version(&world, "coredns"), "v1.13.2-eksbuild.1");
    assert_eq!(addon_version(&world, "kube-proxy"), "v1.35.0-eksbuild.2");
    for (pool, version, release) in node_versions(&world) {
        assert_eq!((version.as_str(), release.as_str()), ("1.35", "1.35.3-20261112"), "{pool}");
    }
}

/// What the emulated account may draw: a control plane 480 to 900 s, an add-on 20 to 60 s, a
/// batch of nodes 150 to 260 s; the pool `cpu` has three nodes, one of which goes at a time.
#[test]
fn it_takes_as_long_as_predicted() {
    let (least, most) = (480.0 + 20.0 + 3.0 * 150.0, 900.0 + 60.0 + 3.0 * 260.0);
    for seed in 31..36 {
        block_on(async {
            let world = standing(seed, "1.34").await;
            let (_, events) = stand(&world, &at("1.35"), "upgrade").await;
            let told = events.iter().find_map(|event| match event {
                Event::RunStarted { expected_ms, .. } => Some(*expected_ms),
                _ => None,
            });
            let took = events.iter().find_map(|event| match event {
                Event::RunFinished { took_ms, .. } => Some(*took_ms),
                _ => None,
            });
            let [told, took] = [told, took].map(|ms| Duration::from_millis(ms.unwrap()).as_secs_f64());
            assert!((least..most).contains(&told), "predicted {told} s");
            // Polling, and what is read before, add little.
            assert!((least..most * 1.05).contains(&took), "took {took} s");
        });
    }
}

#[tokio::test(start_paused = true)]
async fn an_add_on_follows_the_minor_version_and_nothing_else() {
    let world = standing(32, "1.35").await;
    // Somebody tries a newer one by hand: no wish of the manifest's is against it.
    let newer = json!({"clusterName": CLUSTER, "addonName": "coredns", "addonVersion": "v1.13.2-eksbuild.3"});
    ask(&world, "UpdateAddon", &newer);
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert!(world.preview(&at("1.35")).await.unwrap().plan.is_empty());
    // It fits the next version too and is newer than what is recommended there: it stays.
    stand(&world, &at("1.36"), "upgrade").await;
    assert_eq!(addon_version(&world, "coredns"), "v1.13.2-eksbuild.3");
    assert_eq!(addon_version(&world, "kube-proxy"), "v1.36.1-eksbuild.2");
}

#[tokio::test(start_paused = true)]
async fn a_pinned_add_on_stays() {
    let pinned = |version: &str| {
        let addons = "addons: {kube-proxy: {version: v1.34.3-eksbuild.5}}\nnode_pools:";
        at(version).replace("node_pools:", addons)
    };
    let world = World::new(33);
    stand(&world, &pinned("1.34"), "first").await;
    let (summary, _) = stand(&world, &pinned("1.35"), "upgrade").await;
    assert_eq!((summary.updated, summary.replaced), (8, 0));
    assert_eq!(addon_version(&world, "kube-proxy"), "v1.34.3-eksbuild.5");
    // No longer pinned: it follows from now on, and does not move for that.
    let (summary, _) = stand(&world, &at("1.35"), "unpinned").await;
    assert_eq!(summary.updated, 1);
    assert_eq!(addon_version(&world, "kube-proxy"), "v1.34.3-eksbuild.5");
}

async fn refused(world: &World, text: &str) -> (String, String) {
    match world.preview(text).await {
        Err(error @ Error::Refused { .. }) => (error.to_string(), error.hint().unwrap()),
        other => panic!("not refused: {:?}", other.map(|preview| render(&preview.plan))),
    }
}

#[tokio::test(start_paused = true)]
async fn two_minors_at_once_and_a_step_back_are_refused_with_the_cure() {
    let world = standing(34, "1.33").await;
    let before = world.account.calls();
    let (reason, cure) = refused(&world, &at("1.35")).await;
    assert_eq!(
        reason,
        "aws:eks:Cluster/main: Kubernetes 1.33 cannot become 1.35 at once: EKS takes one minor version at a time"
    );
    assert!(cure.contains("cluster.kubernetes_version: \"1.34\""), "{cure}");
    let (reason, cure) = refused(&world, &at("1.32")).await;
    assert!(reason.contains("cannot become 1.32: a cluster goes to newer versions only"), "{reason}");
    assert!(cure.contains("rollback-cluster.html"), "{cure}");
    // `up` says so too, and nothing was asked of EKS but to tell.
    assert!(matches!(world.up(&at("1.35")).await, Err(Error::Refused { .. })));
    let changed = world.account.calls().into_iter().filter(|(call, count)| before.get(call) != Some(count));
    let changed: Vec<String> = changed.map(|(call, _)| format!("{call:?}")).collect();
    assert!(!changed.iter().any(|call| call.contains("Update")), "{changed:?}");
    stand(&world, &at("1.34"), "one step").await;
    stand(&world, &at("1.35"), "the next").await;
}

#[tokio::test(start_paused = true)]
async fn nodes_too_far_behind_are_brought_along_first() {
    let world = standing(35, "1.34").await;
    world.account.with_account(|account| {
        let cluster = account.eks.clusters.get_mut(CLUSTER).unwrap();
        cluster.nodegroups.values_mut().for_each(|group| group.version = "1.31".to_owned());
    });
    let (reason, cure) = refused(&world, &at("1.35")).await;
    assert!(reason.contains("its nodes run Kubernetes 1.31"), "{reason}");
    assert!(cure.contains("\"1.34\""), "{cure}");
    // At the cluster's own version they catch up; then the next is free.
    let (summary, _) = stand(&world, &at("1.34"), "nodes").await;
    assert_eq!(summary.updated, 3);
    stand(&world, &at("1.35"), "upgrade").await;
}

#[tokio::test(start_paused = true)]
async fn pods_that_do_not_leave_stop_the_nodes_until_something_gives() {
    let world = standing(36, "1.34").await;
    let stuck = LifecycleFailure {
        what: format!("nodegroup/{CLUSTER}/cpu-*"),
        phase: "update".to_owned(),
        code: "PodEvictionFailure".to_owned(),
        message: "Reached max retries while trying to evict pods from nodes in node group".to_owned(),
    };
    world.account.with_account(|account| account.failures.push(stuck));
    let (report, events) = world.up(&at("1.35")).await.unwrap();
    assert_eq!((report.summary.updated, report.summary.failed), (8, 1), "{:#?}", failures(&events));
    let hint = events.iter().find_map(|event| match event {
        Event::StepFailed { urn, error, .. } if urn.name() == "cpu" => error.hint.clone(),
        _ => None,
    });
    let hint = hint.unwrap();
    assert!(hint.contains("PodDisruptionBudget") && hint.contains("update.force: true"), "{hint}");
    // Everything else is there: only these nodes are left to do.
    let rest = world.preview(&at("1.35")).await.unwrap().plan;
    assert_eq!(rest.summary(), changed(1), "{}", render(&rest));
    let forced = at("1.35").replace("cpu: {", "cpu: {update: {force: true}, ");
    stand(&world, &forced, "forced").await;
}

#[tokio::test(start_paused = true)]
async fn a_release_of_the_ami_is_followed_only_when_it_is_asked_for() {
    let world = standing(37, "1.35").await;
    let cpu = |world: &World| node_versions(world)[0].2.clone();
    assert_eq!(cpu(&world), "1.35.3-20261112");
    let with = |release: &str| at("1.35").replace("cpu: {", &format!("cpu: {{ami_release: {release}, "));
    let (summary, _) = stand(&world, &with("1.35.3-20261205"), "newer").await;
    assert_eq!(summary, changed(1));
    assert_eq!(cpu(&world), "1.35.3-20261205");
    // An older one needs other nodes beside these, and their group its tags.
    let older = world.preview(&with("1.35.3-20260901")).await.unwrap().plan;
    assert_eq!(older.summary().replaced, 2, "{}", render(&older));
    // No longer named: it stays, through a roll for another reason too.
    let (summary, _) = stand(&world, &at("1.35"), "unnamed").await;
    assert_eq!(summary.updated, 0);
    let disk = at("1.35").replace("cpu: {", "cpu: {disk: {size_gb: 150}, ");
    let (summary, _) = stand(&world, &disk, "another disk").await;
    // The template, the nodes, and what the autoscaler is told of their disks.
    assert_eq!((summary.updated, summary.replaced), (3, 0));
    assert_eq!(cpu(&world), "1.35.3-20261205");
    // What EKS chose is known to the nodes alone: an older one is refused when they are asked.
    let (report, events) = world.up(&disk.replace("cpu: {", "cpu: {ami_release: 1.35.3-20260901, ")).await.unwrap();
    assert_eq!(report.summary.failed, 1);
    assert!(failures(&events)[0].contains("takes no nodes back to 1.35.3-20260901"), "{:?}", failures(&events));
}

/// Every so many calls; 1 with RAYPLAT_CRASH_ALL set.
fn stride(usual: usize) -> usize {
    if std::env::var_os("RAYPLAT_CRASH_ALL").is_some() { 1 } else { usual }
}

#[test]
fn an_upgrade_that_was_stopped_is_finished_by_the_next_up() {
    let (from, to) = (at("1.34"), at("1.35"));
    let whole = block_on(async { leftovers(&standing(38, "1.34").await) });
    let mut n = 1;
    loop {
        let mut more = false;
        for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
            more |= block_on(async {
                let world = World::new(38);
                stand(&world, &from, "first").await;
                let (faults, reached) = Faults::default().stop_at(n as u64, moment);
                world.account.set_faults(faults);
                let stopped = tokio::select! {
                    () = reached.notified() => true,
                    _ = world.up(&to) => false,
                };
                world.account.set_faults(Faults::default());
                let what = format!("stopped at call {n}, {moment:?}");
                let (report, events) = world.up(&to).await.unwrap_or_else(|error| panic!("{what}: {error}"));
                assert!(report.summary.complete(), "{what}: {:#?}", failures(&events));
                assert_eq!((report.summary.created, report.summary.replaced), (0, 0), "{what}");
                let again = world.preview(&to).await.unwrap();
                assert!(again.plan.is_empty(), "{what}: {}", render(&again.plan));
                assert_eq!(leftovers(&world), whole, "{what}");
                assert!(node_versions(&world).iter().all(|(_, version, _)| version == "1.35"), "{what}");
                assert_eq!(addon_version(&world, "kube-proxy"), "v1.35.0-eksbuild.2", "{what}");
                stopped
            });
        }
        if !more {
            assert!(n > 60, "the upgrade has only {n} calls");
            return;
        }
        n += stride(19);
    }
}

/// A bad network: repeated until it reports success, it ends on the new version, and nothing
/// was replaced on the way.
#[test]
fn an_upgrade_gets_through_on_a_bad_network() {
    for seed in 0..24 {
        block_on(async {
            let world = World::new(seed);
            stand(&world, &at("1.34"), "first").await;
            let mut draw = fastrand::Rng::with_seed(seed);
            let mut rule = |most: f64, kind| FaultRule::anywhere(draw.f64() * most, kind);
            let rules = vec![
                rule(0.10, FaultKind::Throttled),
                rule(0.05, FaultKind::ServerError),
                rule(0.05, FaultKind::LostBefore),
                rule(0.05, FaultKind::LostAfter),
            ];
            world.account.set_faults(Faults::new(seed, rules));
            let mut last = String::new();
            let mut done = false;
            for _ in 0..8 {
                match world.up(&at("1.35")).await {
                    Ok((report, events)) => {
                        let made = events.iter().any(
                            |event| matches!(event, Event::StepStarted { action, .. } if *action != Action::Update),
                        );
                        assert!(!made, "seed {seed}: something was made or deleted");
                        done = report.summary.complete();
                        last = failures(&events).join("\n");
                    }
                    Err(error) => last = error.to_string(),
                }
                if done {
                    break;
                }
            }
            assert!(done, "seed {seed}: never finished: {last}");
            world.account.set_faults(Faults::default());
            assert!(world.preview(&at("1.35")).await.unwrap().plan.is_empty(), "seed {seed}");
            assert!(node_versions(&world).iter().all(|(_, version, _)| version == "1.35"), "seed {seed}");
        });
    }
}
