//! `rayplat state list`

use rayplat_engine::store::{Checkpoint, Object, Phase};
use serde_json::json;

use crate::{args::Global, report::out};

pub fn run(global: &Global, state: &Checkpoint) {
    if global.json {
        let objects: Vec<_> = state.objects.values().map(brief).collect();
        out(&json!({"meta": state.meta, "objects": objects}).to_string());
        return;
    }
    if let Some(meta) = &state.meta {
        out(&format!("{} in {}, {} runs", meta.stack, meta.binding, meta.run));
    }
    let width = state.objects.values().map(|object| object.urn.as_str().len()).max().unwrap_or_default();
    for object in state.objects.values() {
        let id = object.id.as_deref().unwrap_or("(no id yet)");
        let phase = phase(object);
        let note = if phase == "live" { String::new() } else { format!("  [{phase}]") };
        out(&format!("{:width$}  {id}{note}", object.urn.as_str()));
    }
    out(&format!("{} objects", state.objects.len()));
}

fn brief(object: &Object) -> serde_json::Value {
    json!({"urn": object.urn, "generation": object.generation, "id": object.id, "phase": phase(object)})
}

fn phase(object: &Object) -> &'static str {
    match &object.phase {
        _ if object.deposed => "replaced, to be deleted",
        Phase::Live => "live",
        Phase::Creating => "being created",
        Phase::Updating { .. } => "being changed",
        Phase::Deleting { .. } => "being deleted",
        Phase::Broken { .. } => "broken",
    }
}
