//! Whose an object is: annotations, as tags are on AWS's.

use rayplat_engine::{
    context::Ctx,
    provider::{Marks, Recovered},
};
use serde_json::{Map, Value, json};

const STACK: &str = "rayplat/stack";
const URN: &str = "rayplat/urn";
const NONCE: &str = "rayplat/nonce";
const GENERATION: &str = "rayplat/generation";

/// The marks that this intent puts on its object.
pub(super) fn ours(ctx: &Ctx) -> Map<String, Value> {
    let marks = json!({
        STACK: ctx.stack(), URN: ctx.urn().to_string(), NONCE: ctx.nonce(), GENERATION: ctx.generation().to_string(),
    });
    marks.as_object().cloned().unwrap_or_default()
}

/// The marks that stand on a live object.
pub(super) fn on(live: &Value) -> Map<String, Value> {
    let annotations = live.pointer("/metadata/annotations").and_then(Value::as_object);
    let marks =
        annotations.into_iter().flatten().filter(|(key, _)| [STACK, URN, NONCE, GENERATION].contains(&key.as_str()));
    marks.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The manifest with these marks.
pub(super) fn put(manifest: &Value, marks: &Map<String, Value>) -> Value {
    let mut marked = manifest.clone();
    if let Some(object) = marked.as_object_mut() {
        let metadata = object.entry("metadata").or_insert_with(|| json!({}));
        if let Some(metadata) = metadata.as_object_mut() {
            let annotations = metadata.entry("annotations").or_insert_with(|| json!({}));
            if annotations.is_null() {
                *annotations = json!({});
            }
            if let Some(annotations) = annotations.as_object_mut() {
                annotations.extend(marks.clone());
            }
        }
    }
    marked
}

fn mark<'a>(live: &'a Value, key: &str) -> Option<&'a str> {
    live.pointer("/metadata/annotations")?.get(key)?.as_str()
}

/// What stands on a live object.
pub(super) fn read(live: &Value) -> Marks {
    let text = |key| mark(live, key).map(str::to_owned);
    Marks::Read { stack: text(STACK), urn: text(URN), nonce: text(NONCE) }
}

/// Whether a live object is of the context's stack and resource.
pub(super) fn is_ours(ctx: &Ctx, live: &Value) -> bool {
    mark(live, STACK) == Some(ctx.stack()) && mark(live, URN) == Some(&ctx.urn().to_string())
}

/// Whose a live object is.
pub(super) fn whose(ctx: &Ctx, live: &Value, id: String) -> Recovered {
    match () {
        () if !is_ours(ctx, live) => Recovered::Foreign(id),
        () if mark(live, NONCE) == Some(ctx.nonce()) => Recovered::Mine(id),
        () => Recovered::OfThisStack(id),
    }
}

/// Whether a live object is of the context's stack.
pub(super) fn of_stack(ctx: &Ctx, live: &Value) -> bool {
    mark(live, STACK) == Some(ctx.stack())
}
