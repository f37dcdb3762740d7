//! The manifest's JSON Schema: what `rayplat schema` prints, what editors
//! complete from, and what [`super::check`] checks against.

use std::sync::OnceLock;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::types::Manifest;

/// The schema's identity. The number changes when a manifest that was valid no
/// longer is.
pub const ID: &str = "urn:rayplat:manifest:1";

/// The manifest's schema, JSON Schema draft 2020-12.
#[must_use]
pub fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let generator = SchemaSettings::draft2020_12().for_deserialize().into_generator();
        let mut schema = generator.into_root_schema_for::<Manifest>().to_value();
        without_null(&mut schema);
        one_line_descriptions(&mut schema);
        with_head_first(schema)
    })
}

/// The schema with its identity before its content, as people look for it.
fn with_head_first(schema: Value) -> Value {
    let Value::Object(mut rest) = schema else {
        return schema;
    };
    let mut root = Map::new();
    rest.insert("$id".to_owned(), ID.into());
    for key in ["$schema", "$id", "title", "description"] {
        root.extend(rest.shift_remove(key).map(|value| (key.to_owned(), value)));
    }
    root.extend(rest);
    Value::Object(root)
}

/// A key that is not wanted is left out and not `null`: takes the `null` that
/// schemars allows for an `Option` away again.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(without_null),
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(values)) = object.get_mut("enum") {
                values.retain(|value| !value.is_null());
            }
            collapse_any_of(object);
            if object.get("default").is_some_and(Value::is_null) {
                object.shift_remove("default");
            }
            object.values_mut().for_each(without_null);
        }
        _ => {}
    }
}

fn collapse_any_of(object: &mut Map<String, Value>) {
    let Some(Value::Array(choices)) = object.get_mut("anyOf") else {
        return;
    };
    choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        object.shift_remove("anyOf");
        for (key, value) in only {
            object.entry(key).or_insert(value);
        }
    }
}

/// Doc comments are wrapped; descriptions are not.
fn one_line_descriptions(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(one_line_descriptions),
        Value::Object(object) => {
            for (key, value) in object {
                match value {
                    Value::String(text) if key == "description" => {
                        *text = text.split('\n').collect::<Vec<_>>().join(" ");
                    }
                    other => one_line_descriptions(other),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::formats;
    use super::*;

    fn every_object(value: &Value, visit: &mut impl FnMut(&Map<String, Value>)) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| every_object(item, visit)),
            Value::Object(object) => {
                visit(object);
                object.values().for_each(|value| every_object(value, visit));
            }
            _ => {}
        }
    }

    #[test]
    fn every_mapping_is_closed_and_every_key_described() {
        every_object(schema(), &mut |object| {
            let Some(properties) = object.get("properties").and_then(Value::as_object) else {
                return;
            };
            assert_eq!(object.get("additionalProperties"), Some(&Value::Bool(false)), "{object:?}");
            for (key, property) in properties {
                assert!(property.get("description").is_some(), "{key} has no description");
            }
        });
    }

    #[test]
    fn every_pattern_has_its_function() {
        let mut patterns = 0;
        every_object(schema(), &mut |object| {
            if let Some(pattern) = object.get("pattern").and_then(Value::as_str) {
                patterns += 1;
                assert!(formats::by_pattern(pattern).is_some(), "{pattern}");
                assert!(object.contains_key("patternErrorMessage"));
            }
        });
        assert!(patterns >= formats::ALL.len());
    }

    #[test]
    fn nothing_may_be_null() {
        assert!(!schema().to_string().contains("null"));
    }

    #[test]
    fn it_names_its_draft_and_itself() {
        assert_eq!(schema()["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema()["$id"], ID);
        assert_eq!(schema()["required"], serde_json::json!(["name", "region", "network"]));
        let defaults = &schema()["$defs"]["Cluster"]["properties"];
        assert_eq!(defaults["kubernetes_version"]["default"], "1.35");
        assert_eq!(defaults["logs"]["default"]["retention_days"], 7);
    }
}
