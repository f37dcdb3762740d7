//! Custom resources under their schema: defaults, what is not in it, what is wrong.
//! Source: <https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/>

use serde_json::Value;

use super::{super::ApiError, kinds::Resource, request::Request, status::Wrong};

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

/// What is applied names only fields that there are.
pub(super) fn check_known(resource: &Resource, request: Request<'_>, config: &Value) -> Result<(), ApiError> {
    let Some(schema) = resource.schema() else { return Ok(()) };
    let mut unknown = Vec::new();
    for (name, value) in config.as_object().into_iter().flatten() {
        if !matches!(name.as_str(), "metadata" | "kind" | "apiVersion") {
            match of_field(schema, name) {
                Some(field) => look(value, field, &format!(".{name}"), &mut unknown),
                None if open(schema) => {}
                None => unknown.push(format!(".{name}")),
            }
        }
    }
    if unknown.is_empty() {
        return Ok(());
    }
    let said: Vec<String> = unknown.iter().map(|place| format!("{place}: field not declared in schema")).collect();
    let said = if said.len() == 1 { said.concat() } else { format!("errors:\n  {}", said.join("\n  ")) };
    let place =
        format!("{}/{}; {}, Kind={}", request.namespace(), request.name(), resource.api_version(), resource.kind);
    Err(ApiError::new(500, "", format!("failed to create typed patch object ({place}): {said}")))
}

fn look(value: &Value, schema: &Value, place: &str, unknown: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match of_field(schema, name) {
                    Some(field) => look(value, field, &format!("{place}.{name}"), unknown),
                    None if open(schema) => {}
                    None => unknown.push(format!("{place}.{name}")),
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
    wrong
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
    if let Some((number, least)) = value.as_f64().zip(schema["minimum"].as_f64()).filter(|(it, least)| it < least) {
        let why = format!("{place} in body should be greater than or equal to {least}");
        wrong.push(Wrong::invalid(place, &serde_json::json!(number), &why));
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
