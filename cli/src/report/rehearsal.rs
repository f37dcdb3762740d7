//! What a rehearsal predicts of the real run.

use std::collections::{BTreeMap, HashMap};

use rayplat_engine::{
    event::Event,
    plan::{Plan, Step, StepId},
    provider::Action,
    store::Checkpoint,
    urn::Urn,
};
use rayplat_resources::rehearsal::Rehearsal;
use serde::Serialize;

use super::duration;

/// The account as it was before the run.
pub struct Before {
    calls: BTreeMap<(String, String), u64>,
    drawn: usize,
    state: Checkpoint,
}

impl Before {
    /// Notes what has been called and drawn so far.
    pub fn of(account: &Rehearsal, state: Checkpoint) -> Self {
        Self { calls: account.calls(), drawn: account.with_account(|account| account.drawn.len()), state }
    }
}

/// One step of the chain that decides how long a run takes.
#[derive(Debug, PartialEq, Serialize)]
pub struct Link {
    action: Action,
    urn: Urn,
    took_ms: u64,
}

/// What a rehearsal tells.
#[derive(Debug, Serialize)]
pub struct Prediction {
    event: &'static str,
    /// How long the run took on the virtual clock, milliseconds.
    wall_ms: u64,
    /// The longest chain of steps as they ran.
    critical_path: Vec<Link>,
    /// The longest chain of the life cycles alone, as the account drew them: no
    /// program can be faster. Milliseconds.
    floor_ms: u64,
    /// `wall_ms / floor_ms`, if there was a life cycle to wait for.
    ratio: Option<f64>,
    /// How often each operation was called.
    calls: BTreeMap<String, BTreeMap<String, u64>>,
}

/// Folds a finished run.
pub fn predict(plan: &Plan, events: &[Event], account: &Rehearsal, before: &Before) -> Prediction {
    let mut took = vec![0; plan.steps.len()];
    let mut ids = HashMap::new();
    let mut wall_ms = 0;
    for event in events {
        match event {
            // What ran before was another plan's: what an interrupted run had left.
            Event::RunStarted { .. } => {
                took.fill(0);
                ids.clear();
            }
            Event::StepFinished { step, took_ms, id, .. } if step.index() < took.len() => {
                took[step.index()] = *took_ms;
                ids.extend(id.clone().map(|id| (*step, id)));
            }
            Event::RunFinished { took_ms, .. } => wall_ms = *took_ms,
            _ => {}
        }
    }
    let drawn: Vec<u64> = account.with_account(|account| {
        let drawn = account.drawn.get(before.drawn..).unwrap_or_default();
        let waited = |step: &Step| {
            let old = || before.state.objects.get(&step.key()).and_then(|object| object.id.clone());
            let id = ids.get(&step.id).cloned().or_else(old)?;
            let what = format!("{}/{id}", life_cycle(step.urn.kind())?);
            let mine = drawn.iter().filter(|drawn| drawn.what == what && belongs(&drawn.phase, step.action));
            Some(mine.map(|drawn| drawn.took_ms).sum())
        };
        plan.steps.iter().map(|step| waited(step).unwrap_or_default()).collect()
    });
    let (path, _) = longest(plan, &took);
    let (_, floor_ms) = longest(plan, &drawn);
    let link = |id: StepId| {
        let step = &plan.steps[id.index()];
        Link { action: step.action, urn: step.urn.clone(), took_ms: took[id.index()] }
    };
    #[allow(clippy::cast_precision_loss)] // milliseconds of a run are far below 2^52
    let ratio = (floor_ms > 0).then(|| (wall_ms as f64 / floor_ms as f64 * 1000.0).round() / 1000.0);
    let critical_path = path.into_iter().map(link).collect();
    Prediction { event: "rehearsal", wall_ms, critical_path, floor_ms, ratio, calls: calls(account, before) }
}

/// Predicted wall time, the chain of steps that decides it, and calls per service.
pub fn render(prediction: &Prediction) -> String {
    let mut lines = vec![
        String::new(),
        format!("A real run would take about {}. The chain of steps that decides it:", duration(prediction.wall_ms)),
    ];
    let slow = prediction.critical_path.iter().filter(|link| link.took_ms >= 500);
    lines.extend(slow.map(|link| format!("  {:>12}  {} {}", duration(link.took_ms), link.action.verb(), link.urn)));
    let total = prediction.critical_path.iter().map(|link| link.took_ms).sum();
    lines.push(format!("  {:>12}  in all", duration(total)));
    if let Some(ratio) = prediction.ratio {
        lines.push(format!(
            "Of that, AWS's own life cycles take {}: the run takes {ratio:.3} times as long.",
            duration(prediction.floor_ms)
        ));
    }
    let services: Vec<String> = prediction
        .calls
        .iter()
        .map(|(service, operations)| format!("{service} {}", operations.values().sum::<u64>()))
        .collect();
    lines.push(format!("Calls: {}", services.join(", ")));
    lines.join("\n")
}

/// What the account calls the life cycles of a kind; `None` for what is there at once.
fn life_cycle(kind: &str) -> Option<&'static str> {
    match kind {
        "aws:eks:Cluster" => Some("cluster"),
        "aws:eks:NodeGroup" => Some("nodegroup"),
        "aws:eks:Addon" => Some("addon"),
        "aws:ec2:NatGateway" => Some("nat"),
        "aws:ec2:VpcEndpoint" => Some("vpce"),
        _ => None,
    }
}

/// An add-on that comes before its nodes is `ready` later: that is a part of its creation.
fn belongs(phase: &str, action: Action) -> bool {
    phase == action.verb() || (phase == "ready" && action == Action::Create)
}

/// The longest chain by these durations.
fn longest(plan: &Plan, took: &[u64]) -> (Vec<StepId>, u64) {
    let timed = |step: &Step| Step { expected_ms: took[step.id.index()], ..step.clone() };
    let steps = plan.steps.iter().map(timed).collect();
    let (total, path) = Plan { steps, edges: plan.edges.clone(), ..Plan::default() }.critical_path();
    (path, u64::try_from(total.as_millis()).unwrap_or(u64::MAX))
}

fn calls(account: &Rehearsal, before: &Before) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut services: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for (called, count) in account.calls() {
        let count = count - before.calls.get(&called).copied().unwrap_or_default();
        if count > 0 {
            let (service, operation) = called;
            services.entry(service).or_default().insert(operation, count);
        }
    }
    services
}
