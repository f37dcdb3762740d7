//! A lost state is rebuilt from the account: the preview after it changes nothing, and
//! nothing is forgotten.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use rayplat_engine::{event::Events, plan::render::render, rebuild::Rebuilt};
use rayplat_integration_tests::{QUICKSTART, World, failures, leftovers};
use rayplat_resources::rehearsal::faults::{Faults, Moment};
use rayplat_state::MemoryStore;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

async fn stand(world: &World, text: &str) {
    let (report, events) = world.up(text).await.unwrap();
    assert!(report.summary.complete(), "{:#?}", failures(&events));
}

/// The same account with an empty state.
fn bereft(world: &World) -> World {
    World { store: Arc::new(MemoryStore::default()), ..world.clone() }
}

async fn rebuild(world: &World, text: &str) -> Rebuilt {
    world.engine().await.0.rebuild(&world.platform(text).stack, Events::none()).await.unwrap()
}

/// Rebuilds, and insists that nothing is left to do.
async fn whole(world: &World, text: &str) {
    let (state, _) = (world.engine().await.0.state("production-ray-cluster").await.unwrap(), ());
    let world = bereft(world);
    let rebuilt = rebuild(&world, text).await;
    assert_eq!((&rebuilt.missing, &rebuilt.foreign, &rebuilt.beyond), (&vec![], &vec![], &vec![]));
    let key = |object: &rayplat_engine::store::Object| (object.key(), object.id.clone(), object.nonce.clone());
    let tagged = |state: &rayplat_engine::store::Checkpoint| -> Vec<_> {
        let keys = state.objects.values().map(key);
        // What carries no tags has no nonce to be found.
        keys.filter(|(key, ..)| {
            !["Alias", "RolePolicy", "RolePolicyAttachment", "GroupTags", "IssuerCertificate"]
                .iter()
                .any(|kind| key.urn.kind().ends_with(kind))
        })
        .collect()
    };
    assert_eq!(tagged(&rebuilt.state), tagged(&state));
    assert_eq!(rebuilt.state.objects.len(), state.objects.len());
    let preview = world.preview(text).await.unwrap();
    assert!(preview.plan.is_empty(), "{}", render(&preview.plan));
    let (report, events) = world.down().await.unwrap();
    assert!(report.summary.complete(), "{:#?}", failures(&events));
    assert_eq!(leftovers(&world), Vec::<String>::new());
}

#[test]
fn the_quick_start_is_found_whole() {
    block_on(async {
        let world = World::new(31);
        stand(&world, QUICKSTART).await;
        whole(&world, QUICKSTART).await;
    });
}

#[test]
fn look_ups_are_read_again() {
    let text = QUICKSTART.replace("manage_thumbprint: false", "manage_thumbprint: true");
    block_on(async {
        let world = World::new(32);
        stand(&world, &text).await;
        whole(&world, &text).await;
    });
}

#[test]
fn what_the_manifest_does_not_have_any_more_is_found_and_taken_away() {
    let without = QUICKSTART.replace("  gpu: {capacity: spot, max: 5}\n", "");
    assert_ne!(without, QUICKSTART);
    block_on(async {
        let world = World::new(33);
        stand(&world, &without).await;
        let small = leftovers(&world);
        stand(&world, QUICKSTART).await;
        let world = bereft(&world);
        let rebuilt = rebuild(&world, &without).await;
        let beyond: Vec<String> = rebuilt.beyond.iter().map(ToString::to_string).collect();
        assert!(beyond.contains(&"aws:eks:NodeGroup/gpu#0".to_owned()), "{beyond:?}");
        assert!(beyond.contains(&"aws:ec2:LaunchTemplate/gpu#0".to_owned()), "{beyond:?}");
        let group = rebuilt.state.current(&"aws:eks:NodeGroup/gpu".parse().unwrap()).unwrap();
        let from: Vec<&str> = group.depends_on.iter().map(rayplat_engine::urn::Urn::as_str).collect();
        assert!(from.contains(&"aws:eks:Cluster/main") && from.contains(&"aws:ec2:LaunchTemplate/gpu"), "{from:?}");
        stand(&world, &without).await;
        assert_eq!(leftovers(&world), small);
        assert!(world.preview(&without).await.unwrap().plan.is_empty());
    });
}

#[test]
fn a_state_lost_in_the_middle_of_a_replacement_is_finished() {
    let changed = QUICKSTART.replace("cpu: {min: 2, max: 10}", "cpu: {min: 2, max: 10, instance_types: [m6g.2xlarge]}");
    let mut stops = 0;
    for n in (1..60).step_by(6) {
        stops += usize::from(block_on(async {
            let world = World::new(34);
            stand(&world, QUICKSTART).await;
            let whole = leftovers(&world);
            let (faults, reached) = Faults::default().stop_at(n, Moment::AfterEffect);
            world.account.set_faults(faults);
            let stopped = tokio::select! {
                () = reached.notified() => true,
                _ = world.up(&changed) => false,
            };
            world.account.set_faults(Faults::default());
            let world = bereft(&world);
            rebuild(&world, &changed).await;
            stand(&world, &changed).await;
            assert_eq!(leftovers(&world), whole, "stopped at call {n}");
            assert!(world.preview(&changed).await.unwrap().plan.is_empty(), "stopped at call {n}");
            stopped
        }));
    }
    assert!(stops > 3, "{stops}");
}

#[test]
fn two_objects_that_claim_to_be_one_are_named() {
    block_on(async {
        let world = World::new(35);
        stand(&world, QUICKSTART).await;
        let twin = world.account.with_account(|account| {
            let ask =
                |account: &mut rayplat_resources::rehearsal::Account, operation: &str, params: serde_json::Value| {
                    account.handle("kms", operation, &params).unwrap()
                };
            let keys = ask(account, "ListKeys", serde_json::json!({}));
            let tags = ask(account, "ListResourceTags", serde_json::json!({"KeyId": keys["Keys"][0]["KeyId"]}));
            ask(account, "CreateKey", serde_json::json!({"Tags": tags["Tags"]}))["KeyMetadata"]["KeyId"].clone()
        });
        let world = bereft(&world);
        let refused = world.engine().await.0.rebuild(&world.platform(QUICKSTART).stack, Events::none()).await;
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("aws:kms:Key/platform") && message.contains(twin.as_str().unwrap()), "{message}");
        assert!(world.engine().await.0.state("production-ray-cluster").await.unwrap().objects.is_empty());
    });
}
