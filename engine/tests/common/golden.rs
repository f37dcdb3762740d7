//! Plans as text, for states made by hand.

use super::{
    cloud::Cloud,
    kinds::registry,
    log::Log,
    world::{Res, STACK, stack, urn},
};
use rayplat_engine::{
    error::Error,
    plan::{Plan, Planning, plan, plan_with, render::render},
    provider::ReplaceOrder,
    stack::Stack,
    store::{Checkpoint, Object, ObjectKey, Phase},
    urn::Urn,
    value::Lookup,
};
use serde_json::{Value, json};

/// The state after `stack` was made, without an account: ids are `obj-NAME`.
pub fn made(resources: &[Res]) -> Checkpoint {
    let mut checkpoint = Checkpoint::default();
    for resource in stack(resources).resources() {
        let lookup = |urn: &Urn, field: &str| {
            checkpoint.current(urn).map_or(Lookup::Missing, |object| Lookup::Known(object.outputs[field].clone()))
        };
        let inputs = resource.inputs.eval(&lookup).unwrap().known().unwrap().clone();
        put(&mut checkpoint, &resource.urn, 0, inputs, resource.outlived_by().into_iter().collect());
    }
    checkpoint
}

pub fn put(checkpoint: &mut Checkpoint, urn: &Urn, generation: u32, inputs: Value, depends_on: Vec<Urn>) {
    let value = if urn.kind() == "test:Moody" { inputs["value"].clone() } else { json!("") };
    let id = format!("obj-{}{}", urn.name(), if generation == 0 { String::new() } else { generation.to_string() });
    let fixed = urn.kind() == "test:Fixed";
    let object = Object {
        urn: urn.clone(),
        generation,
        phase: Phase::Live,
        deposed: false,
        data: urn.kind() == "test:Look",
        outputs: json!({"id": id, "label": inputs["key"], "value": value}),
        id: Some(id),
        nonce: "nonce".into(),
        inputs,
        depends_on,
        replace_order: if fixed { ReplaceOrder::DeleteThenCreate } else { ReplaceOrder::CreateThenDelete },
        took_ms: None,
        claimed: true,
        pinned: Default::default(),
    };
    checkpoint.objects.insert(object.key(), object);
}

pub fn key(name: &str, generation: u32) -> ObjectKey {
    ObjectKey { urn: urn(name), generation }
}

/// The plan of a run that was asked to purge.
pub fn purge(stack: &Stack, checkpoint: &Checkpoint) -> Result<Plan, Error> {
    asked(stack, checkpoint, &Planning { purge: true, ..Planning::default() })
}

/// The plan of a run that was asked for more than the stack.
pub fn asked(stack: &Stack, checkpoint: &Checkpoint, planning: &Planning) -> Result<Plan, Error> {
    plan_with(stack, checkpoint, &registry(&Cloud::new(Log::default())), planning)
}

pub fn try_plan(stack: &Stack, checkpoint: &Checkpoint) -> Result<Plan, Error> {
    let cloud = Cloud::new(Log::default());
    plan(stack, checkpoint, &registry(&cloud))
}

#[track_caller]
pub fn golden(checkpoint: &Checkpoint, desired: &[Res], expected: &str) {
    let plan = try_plan(&stack(desired), checkpoint).unwrap();
    let text = render(&plan);
    let lines = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    let indent = expected.lines().find(|line| !line.trim().is_empty()).map_or(0, |l| l.len() - l.trim_start().len());
    let expected: Vec<String> = lines(expected.trim())
        .iter()
        .map(|l| l.get(indent..).filter(|_| l.starts_with(' ')).unwrap_or(l).into())
        .collect();
    assert_eq!(lines(&text), expected, "\n{text}");
    assert_eq!(plan.stack, STACK);
}
