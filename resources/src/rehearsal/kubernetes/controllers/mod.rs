//! What the cluster does by itself: controllers, scheduler and kubelets, on the account's clock.

pub(super) mod addon_objects;
mod budgets;
mod definitions;
mod garbage;
mod namespaces;
mod pods;
mod scheduler;
mod volumes;
mod workloads;

use super::{super::Account, base, world::World};

/// More rounds than any chain of controllers needs before nothing changes any more.
const ROUNDS: usize = 32;

/// Brings a cluster up to the account's time: what falls due happens at its own time.
pub(super) fn settle(account: &mut Account, world: &mut World, cluster: &str) {
    let now = account.now_ms;
    account.swap_draws(&mut world.draws);
    while let Some(due) = world.next_due().filter(|due| *due <= now) {
        account.now_ms = due;
        world.settled_ms = due;
        reconcile(account, world);
    }
    account.now_ms = now;
    world.settled_ms = now;
    base::follow(account, world, cluster);
    if world.dirty {
        reconcile(account, world);
    }
    account.swap_draws(&mut world.draws);
}

/// Every controller, until nothing changes any more.
fn reconcile(account: &mut Account, world: &mut World) {
    for _ in 0..ROUNDS {
        world.dirty = false;
        namespaces::reconcile(account, world);
        definitions::reconcile(account, world);
        garbage::reconcile(account, world);
        workloads::reconcile(account, world);
        pods::reconcile(account, world);
        volumes::reconcile(account, world);
        budgets::reconcile(world);
        if !world.dirty {
            return;
        }
    }
}
