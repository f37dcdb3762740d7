//! Drift as a tree: which objects are not as recorded, field by field.

use std::collections::BTreeMap;

use rayplat_engine::{
    drift::{Drift, Drifted},
    plan::diff::Change,
    value::Planned,
};
use serde_json::{Value, json};

use super::{
    style::{self, Style},
    tree::Place,
};

/// The terminal's form.
pub fn text(drift: &Drift) -> String {
    render(drift, style::stdout())
}

fn render(drift: &Drift, style: Style) -> String {
    let mut kinds: BTreeMap<&str, Vec<&Drifted>> = BTreeMap::new();
    for object in drift.drifted() {
        kinds.entry(object.urn.kind()).or_default().push(object);
    }
    let Style { bold, reset, .. } = style;
    let mut lines = Vec::new();
    for (kind, objects) in kinds {
        lines.push(format!("{bold}{kind}{reset}"));
        let last = objects.len() - 1;
        for (index, object) in objects.into_iter().enumerate() {
            let (branch, below) = if index == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let id = object.id.as_deref().unwrap_or("no id");
            let name = object.urn.name();
            lines.push(match object.gone {
                true => format!("{branch}{}-   {reset}{name}  {id} is gone", style.delete),
                false => format!("{branch}{}~   {reset}{name}  {id}", style.update),
            });
            lines.extend(object.changes.iter().map(|change| format!("{below}     {}", field(change))));
        }
    }
    let drifted = drift.drifted().count();
    if drifted == 0 {
        lines.push(format!("No drift: {} objects are as recorded.", drift.checked));
    } else {
        lines.push(String::new());
        lines.push(format!("{bold}{drifted} of {} objects have drifted.{reset}", drift.checked));
        lines.push("`rayplat preview` shows what `up` would do about it.".to_owned());
    }
    lines.join("\n")
}

/// As recorded, and as it stands.
fn field(change: &Change) -> String {
    let old = change.old.as_ref().map_or_else(|| "(none)".to_owned(), Value::to_string);
    let new = change.new.as_ref().map_or_else(|| "(none)".to_owned(), Planned::to_string);
    format!("{}: {old} -> {new}", change.path)
}

/// The JSON form: `recorded` and `found` of each field.
pub fn json(place: &Place, drift: &Drift) -> Value {
    let fields = |changes: &[Change]| -> Vec<Value> {
        let found = |change: &Change| change.new.as_ref().and_then(|new| new.known().cloned());
        changes
            .iter()
            .map(|change| json!({"path": change.path, "recorded": change.old, "found": found(change)}))
            .collect()
    };
    let objects: Vec<Value> = drift
        .objects
        .iter()
        .map(|object| {
            json!({
                "urn": object.urn,
                "generation": object.generation,
                "id": object.id,
                "drifted": object.is_drift(),
                "gone": object.gone,
                "inputs": fields(&object.changes),
                "outputs": fields(&object.outputs),
            })
        })
        .collect();
    json!({
        "stack": drift.stack,
        "account": place.account,
        "region": place.region,
        "drift": drift.any(),
        "checked": drift.checked,
        "objects": objects,
    })
}
