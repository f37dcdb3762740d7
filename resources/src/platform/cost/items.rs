//! What is wanted and what stands, as far as it bears on cost.

use std::collections::BTreeSet;

use rayplat_engine::{
    stack::Stack,
    store::Checkpoint,
    urn::Urn,
    value::{EvalError, Lookup, Planned},
};
use serde_json::{Map, Value};

/// A resource with its inputs; what is not known yet is null.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its name.
    pub urn: Urn,
    /// Its inputs.
    pub inputs: Value,
    /// What it was made from.
    pub depends_on: BTreeSet<Urn>,
}

/// What a stack wants.
///
/// # Errors
/// An expression that cannot be evaluated: a mistake in the stack.
pub fn wanted(stack: &Stack) -> Result<Vec<Item>, EvalError> {
    let item = |resource: &rayplat_engine::stack::Resource| {
        let inputs = known(resource.inputs.eval(&|_, _| Lookup::Unknown)?);
        Ok(Item { urn: resource.urn.clone(), inputs, depends_on: resource.depends_on() })
    };
    stack.resources().map(item).collect()
}

/// What stands by the state. An object whose deletion or replacement was interrupted
/// stands too: it costs until it is gone.
pub fn standing(state: &Checkpoint) -> Vec<Item> {
    let objects = state.objects.values().filter(|object| !object.data);
    let item = |object: &rayplat_engine::store::Object| Item {
        urn: object.urn.clone(),
        inputs: object.inputs.clone(),
        depends_on: object.depends_on.iter().cloned().collect(),
    };
    objects.map(item).collect()
}

fn known(planned: Planned) -> Value {
    match planned {
        Planned::Known(value) => value,
        Planned::Unknown => Value::Null,
        Planned::List(items) => items.into_iter().map(known).collect(),
        Planned::Object(entries) => {
            Value::Object(entries.into_iter().map(|(key, value)| (key, known(value))).collect::<Map<_, _>>())
        }
    }
}
