//! What a rehearsal predicts of the real run.

use std::collections::BTreeMap;

use rayplat_engine::{
    event::Event,
    plan::{Plan, StepId},
};
use rayplat_resources::rehearsal::Rehearsal;

use super::duration;

type Calls = BTreeMap<(String, String), u64>;

/// Predicted wall time, the chain of steps that decides it, and calls per service.
pub fn render(plan: &Plan, events: &[Event], account: &Rehearsal, before: &Calls) -> String {
    let mut took = vec![0; plan.steps.len()];
    let mut wall = 0;
    for event in events {
        match event {
            Event::StepFinished { step, took_ms, .. } if step.index() < took.len() => took[step.index()] = *took_ms,
            Event::RunFinished { took_ms, .. } => wall = *took_ms,
            _ => {}
        }
    }
    let (path, total) = longest(plan, &took);
    let mut lines = vec![
        String::new(),
        format!("A real run would take about {}. The chain of steps that decides it:", duration(wall)),
    ];
    let slow = path.iter().filter(|step| took[step.index()] >= 500);
    lines.extend(slow.map(|step| {
        let step = &plan.steps[step.index()];
        format!("  {:>12}  {} {}", duration(took[step.id.index()]), step.action.verb(), step.urn)
    }));
    lines.push(format!("  {:>12}  in all", duration(total)));
    lines.push(format!("Calls: {}", calls(account, before)));
    lines.join("\n")
}

/// The longest chain by the durations that were seen.
fn longest(plan: &Plan, took: &[u64]) -> (Vec<StepId>, u64) {
    let timed = Plan {
        steps: plan
            .steps
            .iter()
            .map(|step| {
                let mut step = step.clone();
                step.expected_ms = took[step.id.index()];
                step
            })
            .collect(),
        edges: plan.edges.clone(),
        ..Plan::default()
    };
    let (total, path) = timed.critical_path();
    (path, u64::try_from(total.as_millis()).unwrap_or(u64::MAX))
}

fn calls(account: &Rehearsal, before: &Calls) -> String {
    let mut services: BTreeMap<String, u64> = BTreeMap::new();
    for ((service, operation), count) in account.calls() {
        let earlier = before.get(&(service.clone(), operation)).copied().unwrap_or_default();
        *services.entry(service).or_default() += count - earlier;
    }
    let named: Vec<String> =
        services.iter().filter(|(_, count)| **count > 0).map(|(service, count)| format!("{service} {count}")).collect();
    named.join(", ")
}
