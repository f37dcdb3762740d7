//! What an applier once owned and now leaves out goes, unless somebody else owns it.

use serde_json::{Map, Value};

use super::{Set, Shape, Types};

/// Takes out of `merged` what is in `last` and that nobody `keeps`.
pub(in crate::rehearsal::kubernetes) fn prune(merged: &Value, last: &Set, keeps: &Set, types: Types<'_>) -> Value {
    match (types.shape(merged), merged) {
        (Shape::Fields, Value::Object(fields)) => {
            let mut left = Map::new();
            for (name, value) in fields {
                let element = Set::field(name);
                let kept = keeps.has(&element) || types.names(name) && keeps.below(&element).is_some();
                if last.has(&element) && !kept {
                    continue;
                }
                match last.below(&element) {
                    Some(below) => {
                        let value = within(value, below, keeps.below(&element), types.field(name));
                        // What has lost its last field is not there any more, unless it was asked for.
                        if !is_empty(&value) || keeps.has(&element) {
                            left.insert(name.clone(), value);
                        }
                    }
                    None => {
                        left.insert(name.clone(), value.clone());
                    }
                }
            }
            Value::Object(left)
        }
        (shape @ (Shape::Set | Shape::Keyed(_)), Value::Array(items)) => {
            let left = items.iter().filter_map(|item| {
                let Some(element) = shape.element(item) else { return Some(item.clone()) };
                if last.has(&element) && !keeps.has(&element) {
                    return None;
                }
                Some(match last.below(&element) {
                    Some(below) => within(item, below, keeps.below(&element), types.item()),
                    None => item.clone(),
                })
            });
            Value::Array(left.collect())
        }
        _ => merged.clone(),
    }
}

fn within(value: &Value, last: &Set, keeps: Option<&Set>, types: Types<'_>) -> Value {
    match keeps {
        Some(keeps) => prune(value, last, keeps, types),
        None => prune(value, last, &Set::default(), types),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}
