//! What the cluster does by itself: controllers, scheduler and kubelets, on the account's clock.

pub(super) mod addon_objects;
mod autoscaler;
mod budgets;
mod definitions;
mod garbage;
mod namespaces;
mod pods;
mod ray;
mod ray_apps;
mod scheduler;
mod services;
mod volumes;
mod workloads;

use serde_json::Value;

use super::{
    super::{Account, DrawnDuration},
    base,
    world::{World, meta},
};

/// More rounds than any chain of controllers needs before nothing changes any more.
const ROUNDS: usize = 32;

/// How long the controllers gather what happens, as the real ones do.
const TOGETHER_MS: u64 = 400;

/// Brings a cluster up to the account's time: what falls due happens at its own time.
pub(super) fn settle(account: &mut Account, world: &mut World, cluster: &str) {
    let now = account.now_ms;
    account.swap_draws(&mut world.draws);
    while let Some(due) = world.next_due().filter(|due| *due <= now) {
        // What falls due right after is looked at in the same go: that is four times as fast.
        let due = (due + TOGETHER_MS).min(now);
        account.now_ms = due;
        world.settled_ms = due;
        reconcile(account, world, cluster);
    }
    account.now_ms = now;
    world.settled_ms = now;
    base::follow(account, world, cluster);
    if world.dirty {
        reconcile(account, world, cluster);
    }
    account.swap_draws(&mut world.draws);
}

/// Every controller, until nothing changes any more.
fn reconcile(account: &mut Account, world: &mut World, cluster: &str) {
    for _ in 0..ROUNDS {
        world.dirty = false;
        namespaces::reconcile(account, world);
        definitions::reconcile(account, world);
        garbage::reconcile(account, world);
        workloads::reconcile(account, world);
        ray_apps::reconcile(account, world);
        ray::reconcile(account, world);
        pods::reconcile(account, world);
        autoscaler::reconcile(account, world, cluster);
        volumes::reconcile(account, world);
        services::reconcile(account, world, cluster);
        budgets::reconcile(world);
        if !world.dirty {
            return;
        }
    }
}

/// Notes how long a workload took to be ready, once for each generation.
fn note(account: &mut Account, world: &mut World, key: &str, object: &Value, done: bool) {
    let generation = object["metadata"]["generation"].as_u64().unwrap_or(1);
    let what = format!("generation {generation}");
    let now_ms = account.now_ms;
    let Some(began_ms) = world.since(key, &what, now_ms).filter(|_| done) else { return };
    world.ended(key, &what);
    let kind = object["kind"].as_str().unwrap_or_default();
    account.drawn.push(DrawnDuration {
        what: format!("kubernetes/{kind}/{}/{}", meta(object, "namespace"), meta(object, "name")),
        phase: if generation == 1 { "create" } else { "update" }.to_owned(),
        began_ms,
        took_ms: now_ms.saturating_sub(began_ms),
    });
}
