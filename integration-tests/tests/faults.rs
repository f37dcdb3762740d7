//! A bad network and a busy account: every run is repeated until it reports success, and
//! nothing is twice, nothing is left over.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use rayplat_integration_tests::{QUICKSTART, World, failures, leftovers};
use rayplat_resources::rehearsal::faults::{FaultKind, FaultRule, Faults};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

/// What the platform makes things with.
const CREATES: [(&str, &str); 16] = [
    ("iam", "CreateRole"),
    ("iam", "AttachRolePolicy"),
    ("iam", "PutRolePolicy"),
    ("iam", "CreateOpenIDConnectProvider"),
    ("kms", "CreateKey"),
    ("kms", "CreateAlias"),
    ("logs", "CreateLogGroup"),
    ("logs", "PutRetentionPolicy"),
    ("ec2", "CreateSecurityGroup"),
    ("ec2", "AuthorizeSecurityGroupIngress"),
    ("ec2", "CreateLaunchTemplate"),
    ("eks", "CreateCluster"),
    ("eks", "CreateAccessEntry"),
    ("eks", "CreateAddon"),
    ("eks", "CreateNodegroup"),
    ("autoscaling", "CreateOrUpdateTags"),
];

#[test]
fn one_lost_response_of_each_kind() {
    let whole = block_on(async {
        let world = World::new(21);
        world.up(QUICKSTART).await.unwrap();
        leftovers(&world)
    });
    let kinds = [FaultKind::LostBefore, FaultKind::LostAfter, FaultKind::Late(Duration::from_secs(10))];
    for (service, operation) in CREATES {
        for kind in kinds {
            block_on(async {
                let world = World::new(21);
                let what = format!("{operation}, {kind:?}");
                world.account.set_faults(Faults::new(1, vec![FaultRule::once(service, operation, kind)]));
                let (report, events) = world.up(QUICKSTART).await.unwrap();
                let struck = world.account.log().iter().filter(|line| line.error.as_deref() == Some("lost")).count();
                assert_eq!(struck, 1, "{what}");
                assert!(report.summary.complete(), "{what}: {:#?}", failures(&events));
                assert_eq!(leftovers(&world), whole, "{what}");
            });
        }
    }
}

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
    let mut complete = false;
    for _ in 0..8 {
        match world.up(QUICKSTART).await {
            Ok((report, _)) if report.summary.complete() => {
                complete = true;
                break;
            }
            Ok((_, events)) => last = failures(&events).join("\n"),
            Err(error) => last = error.to_string(),
        }
    }
    assert!(complete, "seed {seed}: up never finished: {last}");
    assert_eq!(leftovers(&world), whole, "seed {seed}");
    for _ in 0..8 {
        match world.down().await {
            Ok((report, _)) if report.summary.complete() => {
                assert_eq!(leftovers(&world), Vec::<String>::new(), "seed {seed}");
                return;
            }
            Ok((_, events)) => last = failures(&events).join("\n"),
            Err(error) => last = error.to_string(),
        }
    }
    panic!("seed {seed}: down never finished: {last}");
}

/// A thousand seeds; `RAYPLAT_FAULT_SEEDS` sets another number.
#[test]
fn a_thousand_seeds() {
    let seeds = std::env::var("RAYPLAT_FAULT_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000u64);
    let whole = block_on(async {
        let world = World::new(21);
        world.up(QUICKSTART).await.unwrap();
        leftovers(&world)
    });
    std::thread::scope(|scope| {
        for half in 0..2 {
            let whole = &whole;
            scope.spawn(move || {
                (0..seeds).filter(|seed| seed % 2 == half).for_each(|seed| block_on(through(seed, whole)))
            });
        }
    });
}
