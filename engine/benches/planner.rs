//! How long planning takes, by the number of resources: resource i depends on i/10.
#![allow(clippy::unwrap_used, missing_docs)]

use divan::Bencher;
use rayplat_engine::{
    context::Ctx,
    error::ProviderError,
    plan::{plan, render::render},
    provider::{Created, Current, Observed, Provider, Reading, Recovered, Registry, ReplaceOrder},
    stack::{Resource, Stack},
    store::{Checkpoint, Object, Phase},
    urn::Urn,
    value::Expr,
};
use serde_json::{Value, json};

/// Does nothing.
struct Noop;

impl Provider for Noop {
    type Inputs = Value;
    type Outputs = Value;

    const TYPE: &'static str = "bench:Noop";
    const REPLACE_ON: &'static [&'static str] = &["key"];

    async fn create(&self, _: &Ctx, inputs: &Value) -> Result<Created<Value>, ProviderError> {
        Ok(Created { id: "id".to_owned(), outputs: inputs.clone() })
    }

    async fn read(&self, _: &Ctx, current: &Current<Value, Value>) -> Reading<Value, Value> {
        Ok(Some(Observed { inputs: current.inputs.clone(), outputs: current.outputs.clone() }))
    }

    async fn delete(&self, _: &Ctx, _: &Current<Value, Value>) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn recover(&self, _: &Ctx, _: &Value) -> Result<Recovered, ProviderError> {
        Ok(Recovered::Absent)
    }
}

fn urn(n: usize) -> Urn {
    Urn::new(Noop::TYPE, &format!("n{n:06}")).unwrap()
}

fn stack(size: usize, key: &str) -> Stack {
    let mut stack = Stack::new("bench");
    for n in 0..size {
        let text = |text: &str| Expr::Value(json!(text));
        let mut fields = vec![(text("key"), text(key)), (text("size"), Expr::Value(json!(n)))];
        if n > 0 {
            fields.push((text("parent"), Expr::Ref { urn: urn(n / 10), field: "id".to_owned() }));
        }
        let inputs = Expr::Object(fields);
        stack.insert(Resource::new(urn(n), inputs)).unwrap();
    }
    stack
}

fn state(size: usize, key: &str) -> Checkpoint {
    let objects = (0..size).map(|n| {
        let mut inputs = json!({"key": key, "size": n});
        if n > 0 {
            inputs["parent"] = json!(format!("id-{}", n / 10));
        }
        Object {
            urn: urn(n),
            generation: 0,
            phase: Phase::Live,
            deposed: false,
            data: false,
            id: Some(format!("id-{n}")),
            nonce: "nonce".to_owned(),
            inputs,
            outputs: json!({"id": format!("id-{n}")}),
            depends_on: if n > 0 { vec![urn(n / 10)] } else { vec![] },
            replace_order: ReplaceOrder::CreateThenDelete,
            took_ms: Some(1_000),
            claimed: true,
            pinned: std::collections::BTreeMap::new(),
        }
    });
    Checkpoint { meta: None, objects: objects.map(|object| (object.key(), object)).collect() }
}

const SIZES: [usize; 3] = [100, 1_000, 10_000];

#[divan::bench(args = SIZES)]
fn everything_is_new(bencher: Bencher<'_, '_>, size: usize) {
    let (registry, stack, state) = (Registry::new().with(Noop), stack(size, "k"), Checkpoint::default());
    bencher.bench(|| plan(&stack, &state, &registry).unwrap());
}

#[divan::bench(args = SIZES)]
fn nothing_changes(bencher: Bencher<'_, '_>, size: usize) {
    let (registry, stack, state) = (Registry::new().with(Noop), stack(size, "k"), state(size, "k"));
    bencher.bench(|| plan(&stack, &state, &registry).unwrap());
}

#[divan::bench(args = SIZES)]
fn everything_is_replaced(bencher: Bencher<'_, '_>, size: usize) {
    let (registry, stack, state) = (Registry::new().with(Noop), stack(size, "k"), state(size, "other"));
    bencher.bench(|| plan(&stack, &state, &registry).unwrap());
}

#[divan::bench(args = SIZES)]
fn everything_goes(bencher: Bencher<'_, '_>, size: usize) {
    let (registry, stack, state) = (Registry::new().with(Noop), Stack::new("bench"), state(size, "k"));
    bencher.bench(|| plan(&stack, &state, &registry).unwrap());
}

#[divan::bench(args = [100, 1_000])]
fn rendering(bencher: Bencher<'_, '_>, size: usize) {
    let plan = plan(&stack(size, "k"), &state(size, "other"), &Registry::new().with(Noop)).unwrap();
    bencher.bench(|| render(&plan));
}

#[divan::bench(args = SIZES)]
fn critical_path(bencher: Bencher<'_, '_>, size: usize) {
    let plan = plan(&stack(size, "k"), &state(size, "other"), &Registry::new().with(Noop)).unwrap();
    bencher.bench(|| plan.critical_path());
}

fn main() {
    divan::main();
}
