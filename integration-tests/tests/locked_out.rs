//! Whoever is locked out of the cluster mends that with the next `up`, and with no other one.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use rayplat_engine::{
    dry_run::DryRun,
    error::{Error, ErrorClass},
    event::Event,
    plan::Plan,
};
use rayplat_integration_tests::{WHOLE, World, failures};

const ENTRY: &str = "aws:eks:AccessEntry/caller";

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

fn steps(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| format!("{} {}", step.action.verb(), step.urn)).collect()
}

async fn standing(seed: u64) -> World {
    let world = World::new(seed);
    let (report, events) = world.up(WHOLE).await.unwrap();
    assert!(report.summary.complete(), "{:#?}", failures(&events));
    world
}

/// Previews and mends; the only step is this one.
async fn mends(world: &World, step: &str) {
    let preview = world.preview(WHOLE).await.unwrap();
    assert_eq!(steps(&preview.plan), [step]);
    assert_eq!(preview.dry_run, DryRun::default());
    let inside = preview.state.objects.keys().filter(|key| key.urn.kind() == "kubernetes:Object").count();
    assert!(preview.unread.len() > inside, "{} of them: {:?}", preview.unread.len(), preview.unread.first());
    assert!(preview.unread.iter().all(|unread| unread.error.class == ErrorClass::Denied));
    let (report, events) = world.up(WHOLE).await.unwrap();
    assert_eq!(steps(&report.plan), [step]);
    assert!(report.summary.complete(), "{:#?}", failures(&events));
    let told =
        events.iter().any(|event| matches!(event, Event::Unread { urns, .. } if urns.len() == preview.unread.len()));
    assert!(told, "{events:#?}");
    // It is not in force yet, and this time there is nothing to be mended.
    let result = world.preview(WHOLE).await;
    assert!(matches!(&result, Err(Error::Read { source, .. }) if source.class == ErrorClass::Denied), "{result:?}");
    tokio::time::sleep(Duration::from_secs(20)).await;
    let again = world.preview(WHOLE).await.unwrap();
    assert!(again.plan.is_empty() && again.unread.is_empty(), "{:?}", steps(&again.plan));
}

#[test]
fn an_access_entry_that_somebody_deleted_is_made_anew() {
    block_on(async {
        let world = standing(81).await;
        world.account.with_account(|account| {
            let cluster = account.eks.clusters.get_mut("production-ray-cluster").unwrap();
            cluster.access_entries.retain(|principal, _| !principal.contains("AWSReservedSSO"));
        });
        mends(&world, &format!("create {ENTRY}")).await;
    });
}

#[test]
fn an_access_policy_that_somebody_took_away_is_given_back() {
    block_on(async {
        let world = standing(82).await;
        world.account.with_account(|account| {
            let cluster = account.eks.clusters.get_mut("production-ray-cluster").unwrap();
            cluster.access_entries.values_mut().for_each(|entry| entry.policies.clear());
        });
        mends(&world, &format!("update {ENTRY}")).await;
    });
}
