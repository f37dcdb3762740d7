//! Random stacks brought up, changed and taken down on an account that fails at random, half of
//! them by a process that is killed again and again.
//! After every run nothing is lost and nothing is there twice; at the end all is as desired.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Fault, Faults, Item, Stop, World, block, random, stack};
use rayplat_engine::{event::Event, stack::Stack};

/// More runs than these per phase: it does not get there.
const RUNS: usize = 60;

/// How many runs it took. With `crashes`, every second run is stopped at a random call.
async fn until_done(
    world: &World,
    desired: Option<&Stack>,
    crashes: &mut Option<fastrand::Rng>,
) -> Result<usize, String> {
    let mut ended = String::new();
    for run in 1..=RUNS {
        world.log.clear();
        let call = crashes.as_mut().and_then(|rng| rng.bool().then(|| rng.usize(1..40)));
        world.cloud.stop_at(call.map(|call| Stop { call, after: run % 4 > 0 }));
        let attempt = async {
            match desired {
                Some(stack) => world.try_up(stack).await,
                None => world.try_down().await,
            }
        };
        let result = world.or_stopped(attempt).await;
        world.check_integrity()?;
        match result {
            Some(Ok(report)) if report.summary.complete() => return Ok(run),
            Some(Ok(report)) => ended = format!("{:?}", report.summary),
            // A read that failed for good ends a run; the next one goes on.
            Some(Err(error)) => ended = error.to_string(),
            None => world.cloud.restart(),
        }
    }
    let failed = |item: &Item| matches!(item, Item::Event(Event::StepFailed { .. }) | Item::Call { .. });
    let last: Vec<_> = world.log.items().into_iter().filter(failed).collect();
    Err(format!("not done after {RUNS} runs ({ended}):\n{last:#?}\n{:#?}", world.state()))
}

/// Without faults there is nothing more to do, and all is there.
async fn settled(world: &World, desired: &Stack) -> Result<(), String> {
    world.check_integrity()?;
    world.check_exact(desired)?;
    let plan = world.preview(desired).await.plan;
    if plan.is_empty() { Ok(()) } else { Err(rayplat_engine::plan::render::render(&plan)) }
}

async fn scenario(seed: u64) -> Result<usize, String> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let specs = random::specs(&mut rng, 12);
    let versions = [0, 1].map(|version| stack(&random::build(&specs, version)));
    let mut world = World::default();
    world.options.seed = seed;
    world.options.parallelism = rng.usize(1..9);
    world.cloud.set_fact("one");
    let kinds = vec![
        Fault::Throttle,
        Fault::Before,
        Fault::Lost,
        Fault::LostAndLate,
        Fault::Late,
        Fault::Timeout,
        Fault::Denied,
        Fault::Invalid,
        Fault::Failed,
    ];
    let mut crashes = rng.bool().then(|| rng.fork());
    let mut runs = 0;
    for phase in 0..3 {
        let rate = rng.f64() * 0.3;
        world.cloud.faults(Some(Faults { rng: rng.fork(), rate, kinds: kinds.clone() }));
        let desired = versions.get(phase);
        runs += until_done(&world, desired, &mut crashes).await.map_err(|error| format!("phase {phase}: {error}"))?;
        world.cloud.faults(None);
        world.cloud.stop_at(None);
        settled(&world, desired.unwrap_or(&stack(&[]))).await.map_err(|error| format!("phase {phase}: {error}"))?;
        world.cloud.set_fact("two");
    }
    Ok(runs)
}

fn seeds(range: std::ops::Range<u64>) {
    let (count, mut runs) = (usize::try_from(range.end - range.start).unwrap(), 0);
    for seed in range {
        runs += block(scenario(seed)).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
    // Three runs each would mean that the faults did nothing.
    assert!(runs * 10 > count * 33, "{runs} runs for {count} seeds");
}

// In four parts, so that the harness runs them side by side.
#[test]
fn seeds_0_to_249() {
    seeds(0..250);
}

#[test]
fn seeds_250_to_499() {
    seeds(250..500);
}

#[test]
fn seeds_500_to_749() {
    seeds(500..750);
}

#[test]
fn seeds_750_to_999() {
    seeds(750..1000);
}
