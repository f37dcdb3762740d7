//! Where a key belongs that stands in the wrong place.

use serde_json::Value;

use super::super::spans::key_path;

/// The paths of the mappings that have a key of this name, for a key that stands
/// in the wrong place. A name that more than two mappings have says nothing.
pub(super) fn parents_of(schema: &Value, key: &str) -> Vec<String> {
    let mut found = Vec::new();
    search(schema, schema, key, "", 0, &mut found);
    found.dedup();
    if found.len() > 2 {
        found.clear();
    }
    found
}

fn search(root: &Value, schema: &Value, key: &str, path: &str, depth: usize, found: &mut Vec<String>) {
    // The manifest's own keys are not this deep.
    if depth > 8 {
        return;
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        if let Some(target) = root.pointer(target.trim_start_matches('#')) {
            search(root, target, key, path, depth + 1, found);
        }
        return;
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        if name == key && !path.is_empty() {
            found.push(path.to_owned());
        }
        search(root, property, key, &key_path(path, name), depth + 1, found);
    }
    if let Some(other) = schema.get("additionalProperties") {
        let path = format!("{path}.<name>");
        search(root, other, key, &path, depth + 1, found);
    }
}
