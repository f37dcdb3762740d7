//! A run takes as long as the durations that the account drew, and hardly more.

#![allow(clippy::unwrap_used)]

use rayplat_engine::{event::Event, plan::Plan};
use rayplat_integration_tests::{QUICKSTART, World, failures};
use rayplat_resources::rehearsal::LifecycleFailure;

/// What the account calls the life cycle behind a step's object.
fn drawn_name(kind: &str, id: &str) -> String {
    match kind {
        "aws:eks:Cluster" => format!("cluster/{id}"),
        "aws:eks:NodeGroup" => format!("nodegroup/{id}"),
        "aws:eks:Addon" => format!("addon/{id}"),
        "aws:iam:Role" => format!("role/{id}"),
        _ => String::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn within_three_percent_of_the_drawn_critical_path() {
    for seed in 100..120 {
        let world = World::new(seed);
        let (report, events) = world.up(QUICKSTART).await.unwrap();
        assert!(report.summary.complete(), "{:#?}", failures(&events));
        let drawn = world.account.with_account(|account| account.drawn.clone());
        let mut steps = report.plan.steps.clone();
        let mut wall = 0;
        for event in &events {
            match event {
                Event::StepFinished { step, urn, id: Some(id), .. } => {
                    let name = drawn_name(urn.kind(), id);
                    let of_it = drawn.iter().filter(|one| one.what == name);
                    steps[step.index()].expected_ms = of_it.map(|one| one.took_ms).sum();
                }
                Event::RunFinished { took_ms, .. } => wall = *took_ms,
                _ => {}
            }
        }
        let plan = Plan { steps, ..report.plan.clone() };
        let path = plan.critical_path().0.as_millis() as f64;
        let ratio = wall as f64 / path;
        assert!(path > 400_000.0, "seed {seed}: {path} ms");
        assert!(ratio <= 1.03, "seed {seed}: {wall} ms against {path} ms, {ratio:.4}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_node_group_is_said_and_replaced_by_the_next_run() {
    let world = World::new(31);
    world.account.with_account(|account| {
        account.failures.push(LifecycleFailure {
            what: "nodegroup/production-ray-cluster/gpu-*".into(),
            phase: "create".into(),
            code: "AsgInstanceLaunchFailures".into(),
            message: "Could not launch Spot Instances.".into(),
        });
    });
    let (report, events) = world.up(QUICKSTART).await.unwrap();
    assert!(report.summary.failed >= 1, "{:?}", report.summary);
    assert!(report.summary.created >= 27, "branches beside it go on: {:?}", report.summary);
    let hint = events.iter().find_map(|event| match event {
        Event::StepFailed { error, .. } => error.hint.clone(),
        _ => None,
    });
    assert!(hint.unwrap().contains("Service Quotas"));

    world.account.with_account(|account| account.failures.clear());
    let (report, events) = world.up(QUICKSTART).await.unwrap();
    assert!(report.summary.complete(), "{:#?}", failures(&events));
    assert!(world.preview(QUICKSTART).await.unwrap().plan.is_empty());
}
