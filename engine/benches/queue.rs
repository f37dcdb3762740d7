//! How long the ready queue takes to hand out all steps, by the graph's shape and size.
#![allow(clippy::unwrap_used, missing_docs)]

use divan::Bencher;
use rayplat_engine::{
    apply::queue::Queue,
    plan::{Plan, Reason, Step, StepId},
    provider::{Action, ReplaceOrder},
    urn::Urn,
};

fn plan(size: u32, edges: impl Fn(u32) -> Option<u32>) -> Plan {
    let step = |n: u32| Step {
        id: StepId(n),
        urn: Urn::new("bench:Noop", &format!("n{n}")).unwrap(),
        generation: 0,
        action: Action::Create,
        reason: Reason::New,
        inputs: None,
        planned: None,
        depends_on: vec![],
        replace_order: ReplaceOrder::CreateThenDelete,
        pair: None,
        changes: vec![],
        expected_ms: u64::from(n % 97),
    };
    Plan {
        steps: (0..size).map(step).collect(),
        edges: (0..size).filter_map(|n| Some((StepId(edges(n)?), StepId(n)))).collect(),
        ..Plan::default()
    }
}

fn drained(plan: &Plan) -> bool {
    let mut queue = Queue::new(plan);
    while let Some(step) = queue.pop() {
        queue.done(step);
    }
    queue.finished()
}

const SIZES: [u32; 3] = [1_000, 10_000, 100_000];

#[divan::bench(args = SIZES)]
fn a_tree(bencher: Bencher<'_, '_>, size: u32) {
    let plan = plan(size, |n| (n > 0).then_some(n / 10));
    bencher.bench(|| drained(&plan));
}

#[divan::bench(args = SIZES)]
fn a_chain(bencher: Bencher<'_, '_>, size: u32) {
    let plan = plan(size, |n| n.checked_sub(1));
    bencher.bench(|| drained(&plan));
}

#[divan::bench(args = SIZES)]
fn no_edges(bencher: Bencher<'_, '_>, size: u32) {
    let plan = plan(size, |_| None);
    bencher.bench(|| drained(&plan));
}

#[divan::bench(args = SIZES)]
fn the_root_fails(bencher: Bencher<'_, '_>, size: u32) {
    let plan = plan(size, |n| (n > 0).then_some(n / 10));
    bencher.bench(|| {
        let mut queue = Queue::new(&plan);
        queue.pop().map(|root| queue.failed(root).len())
    });
}

fn main() {
    divan::main();
}
