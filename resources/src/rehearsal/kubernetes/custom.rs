//! Custom resources under their schema: defaults, what is not in it, what is wrong.
//! Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/>

use serde_json::Value;

use super::{
    super::ApiError,
    kinds::Resource,
    status::{self, Wrong},
};

/// The schema of a field, as far as there is one.
fn of_field<'a>(schema: &'a Value, name: &str) -> Option<&'a Value> {
    let declared = schema.get("properties").and_then(|properties| properties.get(name));
    declared.or_else(|| schema.get("additionalProperties").filter(|more| more.is_object()))
}

/// May an object here have fields that the schema does not name?
fn open(schema: &Value) -> bool {
    schema["x-kubernetes-preserve-unknown-fields"] == true
        || schema["x-kubernetes-embedded-resource"] == true
        || schema["x-kubernetes-int-or-string"] == true
        || schema.get("additionalProperties").is_some_and(|more| *more != Value::Bool(false))
        || schema.get("properties").is_none() && schema["type"] != "object"
}

/// Sets defaults, and takes out what the schema does not know.
pub(super) fn normalise(object: &mut Value, schema: &Value) {
    let Some(fields) = object.as_object_mut() else { return };
    let declared = schema.get("properties").and_then(Value::as_object);
    for (name, field) in declared.into_iter().flatten() {
        if !matches!(name.as_str(), "metadata" | "kind" | "apiVersion")
            && let Some(default) = field.get("default")
            && !fields.contains_key(name)
        {
            fields.insert(name.clone(), default.clone());
        }
    }
    fields.retain(|name, value| {
        if matches!(name.as_str(), "metadata" | "kind" | "apiVersion") {
            return true;
        }
        match of_field(schema, name) {
            Some(field) => {
                walk(value, field);
                true
            }
            None => open(schema),
        }
    });
}

fn walk(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(fields) => {
            let declared = schema.get("properties").and_then(Value::as_object);
            for (name, field) in declared.into_iter().flatten() {
                if let Some(default) = field.get("default")
                    && !fields.contains_key(name)
                {
                    fields.insert(name.clone(), default.clone());
                }
            }
            fields.retain(|name, value| match of_field(schema, name) {
                Some(field) => {
                    walk(value, field);
                    true
                }
                None => open(schema),
            });
        }
        Value::Array(items) => {
            if let Some(of_item) = schema.get("items") {
                items.iter_mut().for_each(|item| walk(item, of_item));
            }
        }
        _ => {}
    }
}

const UNDECLARED: &str = "field not declared in schema";

/// Why a value is not of its schema's type, in the words of structured-merge-diff.
fn mistyped(value: &Value, schema: &Value) -> Option<String> {
    if schema["x-kubernetes-int-or-string"] == true || value.is_null() {
        return None;
    }
    let in_go = match value {
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
        Value::Null => "nil",
    };
    match schema["type"].as_str() {
        Some("integer" | "number") if !value.is_number() => {
            Some(format!("expected numeric (int or float), got {in_go}"))
        }
        Some("string") if !value.is_string() => {
            Some(format!("expected string, got &value.valueUnstructured{{Value:{value}}}"))
        }
        Some("boolean") if !value.is_boolean() => {
            Some(format!("expected boolean, got &value.valueUnstructured{{Value:{value}}}"))
        }
        Some("object") if !value.is_object() => Some(format!("expected map, got &{{{value}}}")),
        Some("array") if !value.is_array() => Some(format!("expected list, got &{{{value}}}")),
        _ => None,
    }
}

/// What is applied names only fields that there are, each with a value of its type.
pub(super) fn check_known(resource: &Resource, config: &Value) -> Result<(), ApiError> {
    let Some(schema) = resource.schema() else { return Ok(()) };
    let mut unknown = Vec::new();
    for (name, value) in config.as_object().into_iter().flatten() {
        if !matches!(name.as_str(), "metadata" | "kind" | "apiVersion") {
            match of_field(schema, name) {
                Some(field) => look(value, field, &format!(".{name}"), &mut unknown),
                None if open(schema) => {}
                None => unknown.push(format!(".{name}: {UNDECLARED}")),
            }
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let said = if unknown.len() == 1 { unknown.concat() } else { format!("errors:\n  {}", unknown.join("\n  ")) };
    Err(status::untyped(resource, config, &said))
}

fn look(value: &Value, schema: &Value, place: &str, unknown: &mut Vec<String>) {
    if let Some(why) = mistyped(value, schema) {
        unknown.push(format!("{place}: {why}"));
        return;
    }
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match of_field(schema, name) {
                    Some(field) => look(value, field, &format!("{place}.{name}"), unknown),
                    None if open(schema) => {}
                    None => unknown.push(format!("{place}.{name}: {UNDECLARED}")),
                }
            }
        }
        Value::Array(items) => {
            if let Some(of_item) = schema.get("items") {
                items.iter().for_each(|item| look(item, of_item, place, unknown));
            }
        }
        _ => {}
    }
}

/// What does not fit the schema.
pub(super) fn validate(object: &Value, schema: &Value) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    judge_fields(object, schema, "", &mut wrong);
    if !wrong.is_empty() && has_rules(schema) {
        let why = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";
        wrong.push(Wrong::invalid("<nil>", &Value::Null, why));
    }
    wrong
}

/// Are there rules in CEL? They are not evaluated here.
fn has_rules(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => fields.contains_key("x-kubernetes-validations") || fields.values().any(has_rules),
        Value::Array(items) => items.iter().any(has_rules),
        _ => false,
    }
}

fn judge_fields(object: &Value, schema: &Value, place: &str, wrong: &mut Vec<Wrong>) {
    let path = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if object.get(name).is_none() {
            wrong.push(Wrong::required(&path(name), ""));
        }
    }
    for (name, value) in object.as_object().into_iter().flatten() {
        let system = place.is_empty() && matches!(name.as_str(), "metadata" | "kind" | "apiVersion");
        if let Some(field) = of_field(schema, name).filter(|_| !system) {
            judge(value, field, &path(name), wrong);
        }
    }
}

fn judge(value: &Value, schema: &Value, place: &str, wrong: &mut Vec<Wrong>) {
    let either = schema["x-kubernetes-int-or-string"] == true && (value.is_string() || value.is_i64());
    if let Some(wanted) = schema["type"].as_str().filter(|_| !either) {
        let found = match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(number) if number.is_i64() || number.is_u64() => "integer",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        };
        if found != wanted && (found, wanted) != ("integer", "number") {
            let shown = Value::String(found.to_owned());
            let why = format!("{place} in body must be of type {wanted}: {shown}");
            wrong.push(Wrong::invalid(place, &shown, &why));
            return;
        }
    }
    if let Some(supported) = schema["enum"].as_array().filter(|supported| !supported.contains(value)) {
        let supported: Vec<String> = supported.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        wrong.push(Wrong::unsupported(place, value, &supported));
    }
    if let Some((_, least)) = value.as_f64().zip(schema["minimum"].as_f64()).filter(|(it, least)| it < least) {
        let why = format!("{place} in body should be greater than or equal to {least}");
        wrong.push(Wrong::invalid(place, value, &why));
    }
    if let Some((text, most)) = value.as_str().zip(schema["maxLength"].as_u64())
        && text.chars().count() as u64 > most
    {
        wrong.push(Wrong::too_long(place, usize::try_from(most).unwrap_or(usize::MAX)));
    }
    match value {
        Value::Object(_) => judge_fields(value, schema, place, wrong),
        Value::Array(items) => {
            if let Some(of_item) = schema.get("items") {
                for (index, item) in items.iter().enumerate() {
                    judge(item, of_item, &format!("{place}[{index}]"), wrong);
                }
            }
        }
        _ => {}
    }
}
