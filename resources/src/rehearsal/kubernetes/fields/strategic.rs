//! Strategic merge patches: merge patches that know lists with keys.

use serde_json::{Map, Value};

use super::{Shape, Types};

/// Puts a strategic merge patch over what stands.
pub(in crate::rehearsal::kubernetes) fn strategic(standing: &Value, patch: &Value, types: Types<'_>) -> Value {
    match patch {
        Value::Object(changes) => fields(standing, changes, types),
        Value::Array(changes) => match types.shape(patch) {
            shape @ (Shape::Set | Shape::Keyed(_)) => items(standing, changes, types, &shape),
            _ => patch.clone(),
        },
        other => other.clone(),
    }
}

fn fields(standing: &Value, changes: &Map<String, Value>, types: Types<'_>) -> Value {
    let replaced = changes.get("$patch").is_some_and(|directive| directive == "replace");
    let mut merged = if replaced { Map::new() } else { standing.as_object().cloned().unwrap_or_default() };
    for (name, change) in changes {
        if name == "$patch" || name == "$retainKeys" || name.starts_with("$setElementOrder/") {
            continue;
        }
        if let Some(list) = name.strip_prefix("$deleteFromPrimitiveList/") {
            let going = change.as_array().map(Vec::as_slice).unwrap_or_default();
            if let Some(items) = merged.get_mut(list).and_then(Value::as_array_mut) {
                items.retain(|item| !going.contains(item));
            }
            continue;
        }
        if change.is_null() {
            merged.shift_remove(name);
        } else {
            let value = strategic(merged.get(name).unwrap_or(&Value::Null), change, types.field(name));
            merged.insert(name.clone(), value);
        }
    }
    if let Some(kept) = changes.get("$retainKeys").and_then(Value::as_array) {
        merged.retain(|name, _| kept.iter().any(|one| one == name));
    }
    Value::Object(merged)
}

fn items(standing: &Value, changes: &[Value], types: Types<'_>, shape: &Shape) -> Value {
    let mut merged: Vec<Value> = standing.as_array().cloned().unwrap_or_default();
    if changes.iter().any(|change| change["$patch"] == "replace") {
        merged.clear();
    }
    for change in changes.iter().filter(|change| change["$patch"] != "replace") {
        let element = shape.element(change);
        let at = merged.iter().position(|item| element.is_some() && shape.element(item) == element);
        match at {
            Some(at) if change["$patch"] == "delete" => drop(merged.remove(at)),
            Some(at) => merged[at] = strategic(&merged[at], change, types.item()),
            None if change["$patch"] == "delete" => {}
            None => merged.push(strategic(&Value::Null, change, types.item())),
        }
    }
    Value::Array(merged)
}
