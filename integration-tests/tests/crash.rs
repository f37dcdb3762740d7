//! The process stops at a call, before or after its effect; the next run finishes, with
//! nothing twice and nothing left over. Sampled over the whole platform; the engine's own
//! tests do it at every moment on a fake cloud.

#![allow(clippy::unwrap_used)]

use rayplat_engine::plan::render::render;
use rayplat_integration_tests::{QUICKSTART, WHOLE, World, failures, inside, leftovers};
use rayplat_resources::rehearsal::faults::{Faults, Moment};

/// Every so many calls; 1 with RAYPLAT_CRASH_ALL set.
fn stride(usual: usize) -> usize {
    if std::env::var_os("RAYPLAT_CRASH_ALL").is_some() { 1 } else { usual }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

async fn stand(world: &World, text: &str, what: &str) {
    let (report, events) = world.up(text).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(report.summary.complete(), "{what}: {:#?}", failures(&events));
    let again = world.preview(text).await.unwrap();
    assert!(again.plan.is_empty(), "{what}: {}", render(&again.plan));
}

fn calls(world: &World) -> u64 {
    world.account.calls().values().sum()
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
    let (whole, total) = block_on(async {
        let world = World::new(11);
        world.up(QUICKSTART).await.unwrap();
        (leftovers(&world), calls(&world))
    });
    let mut stops = 0;
    for n in (1..=usize::try_from(total).unwrap()).step_by(stride(9)) {
        for moment in MOMENTS {
            stops += usize::from(block_on(async {
                let world = World::new(11);
                let stopped = stopped(&world, n, moment, world.up(QUICKSTART)).await;
                let what = format!("stopped at call {n}, {moment:?}");
                stand(&world, QUICKSTART, &what).await;
                assert_eq!(leftovers(&world), whole, "{what}");
                stopped
            }));
        }
    }
    assert!(stops > 30, "{stops}");
}

#[test]
fn a_replacement_is_finished_by_the_next_up() {
    let changed = QUICKSTART.replace("cpu: {min: 2, max: 10}", "cpu: {min: 2, max: 10, instance_types: [m6g.2xlarge]}");
    let whole = block_on(async {
        let world = World::new(12);
        stand(&world, QUICKSTART, "first").await;
        leftovers(&world)
    });
    let mut n = 1;
    loop {
        let mut more = false;
        for moment in MOMENTS {
            more |= block_on(async {
                let world = World::new(12);
                stand(&world, QUICKSTART, "first").await;
                let stopped = stopped(&world, n, moment, world.up(&changed)).await;
                let what = format!("stopped at call {n}, {moment:?}");
                stand(&world, &changed, &what).await;
                assert_eq!(leftovers(&world), whole, "{what}");
                stopped
            });
        }
        if !more {
            assert!(n > 20, "the replacement has only {n} calls");
            return;
        }
        n += stride(7);
    }
}

#[test]
fn down_is_finished_by_the_next_down() {
    let mut n = 1;
    loop {
        let mut more = false;
        for moment in MOMENTS {
            more |= block_on(async {
                let world = World::new(13);
                stand(&world, QUICKSTART, "first").await;
                let stopped = stopped(&world, n, moment, world.down()).await;
                let (report, events) = world.down().await.unwrap();
                assert!(report.summary.complete(), "call {n}, {moment:?}: {:#?}", failures(&events));
                assert_eq!(leftovers(&world), Vec::<String>::new(), "call {n}, {moment:?}");
                stopped
            });
        }
        if !more {
            assert!(n > 20, "down has only {n} calls");
            return;
        }
        n += stride(11);
    }
}

/// With what stands in the cluster: most of these calls are the Kubernetes API's.
#[test]
fn up_and_down_of_the_whole_platform_are_finished_by_the_next() {
    let (whole, within, total) = block_on(async {
        let world = World::new(14);
        stand(&world, WHOLE, "first").await;
        (leftovers(&world), inside(&world), calls(&world))
    });
    assert!(within.len() > 40, "{within:#?}");
    let mut stops = 0;
    for n in (1..=usize::try_from(total).unwrap()).rev().step_by(stride(67)) {
        for moment in MOMENTS {
            stops += usize::from(block_on(async {
                let world = World::new(14);
                let halted = stopped(&world, n, moment, world.up(WHOLE)).await;
                let what = format!("stopped at call {n}, {moment:?}");
                stand(&world, WHOLE, &what).await;
                assert_eq!(leftovers(&world), whole, "{what}");
                assert_eq!(inside(&world), within, "{what}");
                stopped(&world, n / 2, moment, world.down()).await;
                let (report, events) = world.down().await.unwrap();
                assert!(report.summary.complete(), "down, {what}: {:#?}", failures(&events));
                assert_eq!(leftovers(&world), Vec::<String>::new(), "down, {what}");
                halted
            }));
        }
    }
    assert!(stops > 8, "{stops}");
}
