//! A platform with a network of its own: its life, its changes, stops, faults, and what
//! waits for what.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use rayplat_engine::{error::Error, event::Summary, plan::render::render, value::output_field};
use rayplat_integration_tests::{NETWORK_CREATE, World, failures, leftovers};
use rayplat_resources::rehearsal::faults::{FaultKind, FaultRule, Faults, Moment};
use serde_json::Value;

const STACK: &str = "staging-ray-cluster";

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

async fn stand(world: &World, text: &str, what: &str) -> Summary {
    let (report, events) = world.up(text).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(report.summary.complete(), "{what}: {:#?}", failures(&events));
    let again = world.preview(text).await.unwrap();
    assert!(again.plan.is_empty(), "{what}: {}", render(&again.plan));
    report.summary
}

async fn gone(world: &World, what: &str) {
    let (report, events) = world.down_of(STACK).await.unwrap();
    assert!(report.summary.complete(), "{what}: {:#?}", failures(&events));
    assert_eq!(leftovers(world), Vec::<String>::new(), "{what}");
}

fn changed(from: &str, to: &str) -> String {
    let text = NETWORK_CREATE.replace(from, to);
    assert_ne!(text, NETWORK_CREATE);
    text
}

/// Nothing out but through endpoints.
fn isolated() -> String {
    changed("single", "none")
        .replace("[s3]", "[s3, ecr, ec2, sts, logs, eks, eks-auth, elasticloadbalancing, autoscaling]")
}

#[test]
fn up_again_down() {
    for text in [NETWORK_CREATE.to_owned(), changed("single", "per_az"), isolated()] {
        block_on(async {
            let world = World::new(51);
            let summary = stand(&world, &text, "up").await;
            assert_eq!(summary.created, world.platform(&text).stack.len() as u64);
            gone(&world, "down").await;
        });
    }
}

/// Subnets without a way out would fail here: the account's nodes do not join then.
#[test]
fn nodes_wait_for_their_way_out_and_the_control_plane_does_not() {
    for text in [NETWORK_CREATE.to_owned(), isolated()] {
        let stack = block_on(async { World::new(52).platform(&text).stack });
        let needs = |kind: &str| -> Vec<String> {
            let of_kind = stack.resources().filter(|resource| resource.urn.kind() == kind);
            of_kind.flat_map(|resource| resource.depends_on()).map(|urn| urn.to_string()).collect()
        };
        let (nodes, cluster) = (needs("aws:eks:NodeGroup"), needs("aws:eks:Cluster"));
        let ways: Vec<String> = stack
            .resources()
            .filter(|it| matches!(it.urn.kind(), "aws:ec2:Route" | "aws:ec2:RouteTableAssociation"))
            .map(|it| it.urn.to_string())
            .collect();
        assert!(ways.len() >= 3, "{ways:?}");
        for way in &ways {
            assert!(nodes.contains(way), "{way}");
        }
        assert!(cluster.iter().all(|urn| !urn.contains("Route") && !urn.contains("Nat")), "{cluster:?}");
        assert_eq!(nodes.contains(&"aws:ec2:VpcEndpoint/ecr.dkr".to_owned()), text.contains("ecr"), "{nodes:?}");
    }
}

#[test]
fn outputs_and_tags() {
    block_on(async {
        let world = World::new(53);
        let (report, _) = world.up(NETWORK_CREATE).await.unwrap();
        let lookup = |name: &str| -> Value {
            let outputs = world.platform(NETWORK_CREATE).outputs;
            let (_, expr) = outputs.into_iter().find(|(output, _)| output == name).unwrap();
            let known = expr.eval(&|urn: &rayplat_engine::urn::Urn, field: &str| {
                let object = report.state.objects.values().find(|object| object.urn == *urn);
                let value = object.and_then(|object| output_field(&object.outputs, field));
                value
                    .map_or(rayplat_engine::value::Lookup::Missing, |v| rayplat_engine::value::Lookup::Known(v.clone()))
            });
            known.unwrap().known().unwrap().clone()
        };
        assert!(lookup("vpc_id").as_str().unwrap().starts_with("vpc-"));
        assert_eq!(lookup("private_subnet_ids").as_array().unwrap().len(), 3);
        assert_eq!(lookup("public_subnet_ids").as_array().unwrap().len(), 3);
        assert_eq!(lookup("nat_public_ips").as_array().unwrap().len(), 1);
        world.account.with_account(|account| {
            let made: Vec<_> =
                account.ec2.subnets.values().filter(|it| it.cidr.to_string().starts_with("10.0.")).collect();
            let tagged = |key: &str| made.iter().filter(|it| it.tags.contains_key(key)).count();
            assert_eq!(tagged("kubernetes.io/role/elb"), 3);
            assert_eq!(tagged(&format!("kubernetes.io/cluster/{STACK}")), 6);
            let public = |it: &&&rayplat_resources::rehearsal::ec2::Subnet| it.map_public_ip;
            assert_eq!(made.iter().filter(public).count(), 3);
        });
    });
}

/// Another number of gateways makes and changes what leads out, and touches no node.
#[test]
fn more_gateways_change_routes_in_place() {
    block_on(async {
        let world = World::new(54);
        stand(&world, NETWORK_CREATE, "single").await;
        let summary = stand(&world, &changed("single", "per_az"), "per zone").await;
        assert_eq!((summary.created, summary.updated, summary.replaced, summary.deleted), (4, 2, 0, 0), "{summary:?}");
        let summary = stand(&world, NETWORK_CREATE, "single again").await;
        assert_eq!((summary.created, summary.updated, summary.replaced, summary.deleted), (0, 2, 0, 4), "{summary:?}");
        let with_tag = changed("network:", "tags: {Team: ray}\nnetwork:");
        let summary = stand(&world, &with_tag, "a tag").await;
        assert_eq!((summary.created, summary.replaced, summary.deleted), (0, 0, 0), "{summary:?}");
        gone(&world, "down").await;
    });
}

/// Everything stands in the VPC: another block is refused, and nothing is changed.
#[test]
fn another_block_is_refused() {
    block_on(async {
        let world = World::new(55);
        stand(&world, NETWORK_CREATE, "first").await;
        let error = world.up(&changed("10.0.0.0/16", "10.7.0.0/16")).await.unwrap_err();
        assert!(matches!(error, Error::Protected { .. }), "{error}");
        let again = world.preview(NETWORK_CREATE).await.unwrap();
        assert!(again.plan.is_empty(), "{}", render(&again.plan));
    });
}

#[test]
fn a_lost_state_is_adopted_and_nothing_is_made_twice() {
    block_on(async {
        let world = World::new(56);
        stand(&world, NETWORK_CREATE, "first").await;
        let whole = leftovers(&world);
        let lost = World { store: std::sync::Arc::new(rayplat_state::MemoryStore::default()), seed: 57, ..world };
        stand(&lost, NETWORK_CREATE, "adopted").await;
        assert_eq!(leftovers(&lost), whole);
        gone(&lost, "down").await;
    });
}

/// Every so many calls; 1 with RAYPLAT_CRASH_ALL set.
fn stride(usual: usize) -> usize {
    if std::env::var_os("RAYPLAT_CRASH_ALL").is_some() { 1 } else { usual }
}

/// Stops `run` at its n-th call. False if it has fewer.
async fn stopped<F: Future>(world: &World, n: usize, moment: Moment, run: F) -> bool {
    let (faults, reached) = Faults::default().stop_at(n as u64, moment);
    world.account.set_faults(faults);
    let stopped = tokio::select! {
        () = reached.notified() => true,
        _ = run => false,
    };
    world.account.set_faults(Faults::default());
    stopped
}

const MOMENTS: [Moment; 2] = [Moment::BeforeEffect, Moment::AfterEffect];

#[test]
fn up_is_finished_by_the_next_up() {
    let whole = block_on(async {
        let world = World::new(58);
        stand(&world, NETWORK_CREATE, "whole").await;
        leftovers(&world)
    });
    let mut n = 1;
    while MOMENTS.map(|moment| {
        block_on(async {
            let world = World::new(58);
            let stopped = stopped(&world, n, moment, world.up(NETWORK_CREATE)).await;
            let what = format!("stopped at call {n}, {moment:?}");
            stand(&world, NETWORK_CREATE, &what).await;
            assert_eq!(leftovers(&world), whole, "{what}");
            stopped
        })
    }) != [false, false]
    {
        n += stride(17);
    }
    assert!(n > 100, "{n}");
}

#[test]
fn down_is_finished_by_the_next_down() {
    let mut n = 1;
    while MOMENTS.map(|moment| {
        block_on(async {
            let world = World::new(59);
            stand(&world, NETWORK_CREATE, "first").await;
            let stopped = stopped(&world, n, moment, world.down_of(STACK)).await;
            gone(&world, &format!("stopped at call {n}, {moment:?}")).await;
            stopped
        })
    }) != [false, false]
    {
        n += stride(17);
    }
    assert!(n > 50, "{n}");
}

/// A bad network: every run is repeated until it reports success.
async fn through(seed: u64, whole: &[String]) {
    let world = World::new(seed);
    let mut draw = fastrand::Rng::with_seed(seed);
    let mut rule = |most: f64, kind| FaultRule::anywhere(draw.f64() * most, kind);
    let rules = vec![
        rule(0.10, FaultKind::Throttled),
        rule(0.05, FaultKind::ServerError),
        rule(0.05, FaultKind::Unavailable),
        rule(0.05, FaultKind::LostBefore),
        rule(0.05, FaultKind::LostAfter),
        rule(0.02, FaultKind::Late(Duration::from_secs(6))),
    ];
    world.account.set_faults(Faults::new(seed, rules));
    let mut last = String::new();
    for up in [true, false] {
        let mut complete = false;
        for _ in 0..8 {
            let run = if up { world.up(NETWORK_CREATE).await } else { world.down_of(STACK).await };
            match run {
                Ok((report, _)) if report.summary.complete() => {
                    complete = true;
                    break;
                }
                Ok((_, events)) => last = failures(&events).join("\n"),
                Err(error) => last = error.to_string(),
            }
        }
        assert!(complete, "seed {seed}: never finished: {last}");
        assert_eq!(leftovers(&world), if up { whole } else { &[] }, "seed {seed}");
    }
}

/// `RAYPLAT_FAULT_SEEDS` sets another number.
#[test]
fn sixty_seeds() {
    let seeds = std::env::var("RAYPLAT_FAULT_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60u64);
    let whole = block_on(async {
        let world = World::new(60);
        stand(&world, NETWORK_CREATE, "whole").await;
        leftovers(&world)
    });
    (0..seeds).for_each(|seed| block_on(through(seed, &whole)));
}
