//! The other patches: JSON merge patch, strategic merge patch, JSON patch; and the scale.
//! Sources: RFC 7386, RFC 6902, and
//! <https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/>.

use serde_json::{Value, json};

use super::{
    super::{Account, ApiError},
    fields::strategic,
    kinds::Resource,
    request::{Request, answered},
    status,
    world::World,
    write,
};

/// `PATCH` with anything but an apply patch.
pub(super) fn patch(
    account: &mut Account,
    world: &mut World,
    resource: &Resource,
    request: Request<'_>,
) -> Result<Value, ApiError> {
    let live = world.at(&request.key(resource)).ok_or_else(|| status::not_found(resource, request.name()))?;
    let body = request.body();
    let standing = if request.subresource() == "scale" { scale_of(resource, &live) } else { (*live).clone() };
    let content = request.content_type().split(';').next().unwrap_or_default();
    let patched = match content {
        "application/merge-patch+json" => merge_patch(&standing, body),
        "application/strategic-merge-patch+json" if resource.is_custom() => {
            let message = "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
            return Err(ApiError::new(415, "UnsupportedMediaType", message));
        }
        "application/strategic-merge-patch+json" => strategic(&standing, body, resource.types()),
        "application/json-patch+json" => json_patch(&standing, body).map_err(|why| {
            ApiError::new(
                422,
                "Invalid",
                format!("the server rejected our request due to an error in our request: {why}"),
            )
        })?,
        other => {
            let message = format!("the body of the request was in an unknown format: {other}");
            return Err(ApiError::new(415, "UnsupportedMediaType", message));
        }
    };
    if request.subresource() == "scale" {
        return set_scale(account, world, resource, request, &patched);
    }
    write::replace(account, world, resource, request, &live, patched)
}

/// RFC 7386
fn merge_patch(standing: &Value, patch: &Value) -> Value {
    let Value::Object(changes) = patch else { return patch.clone() };
    let mut merged = standing.as_object().cloned().unwrap_or_default();
    for (name, change) in changes {
        if change.is_null() {
            merged.shift_remove(name);
        } else {
            let value = merge_patch(merged.get(name).unwrap_or(&Value::Null), change);
            merged.insert(name.clone(), value);
        }
    }
    Value::Object(merged)
}

/// RFC 6902
fn json_patch(standing: &Value, patch: &Value) -> Result<Value, String> {
    let mut patched = standing.clone();
    for step in patch.as_array().ok_or("a JSON patch is a list")? {
        let path = step["path"].as_str().ok_or("a step has no path")?;
        let from = || step["from"].as_str().ok_or_else(|| "a step has no from".to_owned());
        match step["op"].as_str() {
            Some("add") => put(&mut patched, path, step["value"].clone(), true)?,
            Some("replace") => {
                patched
                    .pointer(path)
                    .ok_or_else(|| format!("replace operation does not apply: doc is missing path: {path}"))?;
                put(&mut patched, path, step["value"].clone(), false)?;
            }
            Some("remove") => drop(take(&mut patched, path)?),
            Some("move") => {
                let value = take(&mut patched, from()?)?;
                put(&mut patched, path, value, true)?;
            }
            Some("copy") => {
                let value = patched.pointer(from()?).cloned().ok_or_else(|| format!("nothing at {path}"))?;
                put(&mut patched, path, value, true)?;
            }
            Some("test") if patched.pointer(path) == Some(&step["value"]) => {}
            Some("test") => return Err(format!("testing value {path} failed")),
            other => return Err(format!("unknown operation {}", other.unwrap_or_default())),
        }
    }
    Ok(patched)
}

fn parent<'a>(object: &'a mut Value, path: &str) -> Result<(&'a mut Value, String), String> {
    let (parent, last) = path.rsplit_once('/').ok_or_else(|| format!("{path} is no path"))?;
    let found = object.pointer_mut(parent).ok_or_else(|| format!("doc is missing path: {path}"))?;
    Ok((found, last.replace("~1", "/").replace("~0", "~")))
}

fn put(object: &mut Value, path: &str, value: Value, insert: bool) -> Result<(), String> {
    let (parent, last) = parent(object, path)?;
    match parent {
        Value::Object(fields) => drop(fields.insert(last, value)),
        Value::Array(items) if last == "-" => items.push(value),
        Value::Array(items) => {
            let at: usize = last.parse().map_err(|_| format!("{path} is no place in a list"))?;
            if at > items.len() || !insert && at == items.len() {
                return Err(format!("{path} is beyond the list"));
            }
            if insert { items.insert(at, value) } else { items[at] = value }
        }
        _ => return Err(format!("doc is missing path: {path}")),
    }
    Ok(())
}

fn take(object: &mut Value, path: &str) -> Result<Value, String> {
    let missing = || format!("remove operation does not apply: doc is missing path: {path}");
    let (parent, last) = parent(object, path)?;
    match parent {
        Value::Object(fields) => fields.shift_remove(&last).ok_or_else(missing),
        Value::Array(items) => match last.parse::<usize>() {
            Ok(at) if at < items.len() => Ok(items.remove(at)),
            _ => Err(missing()),
        },
        _ => Err(missing()),
    }
}

/// Where a kind keeps its number of replicas and what it has: pointers.
fn scale_paths(resource: &Resource) -> (String, String, String) {
    let of = |name: &str, default: &str| {
        let path = resource.definition_version().and_then(|version| version["subresources"]["scale"][name].as_str());
        path.unwrap_or(default).replace('.', "/")
    };
    (
        of("specReplicasPath", ".spec.replicas"),
        of("statusReplicasPath", ".status.replicas"),
        of("labelSelectorPath", ".status.selector"),
    )
}

/// The `Scale` of an object.
pub(super) fn scale_of(resource: &Resource, object: &Value) -> Value {
    let (wanted, has, labels) = scale_paths(resource);
    let matched = object["spec"]["selector"]["matchLabels"].as_object().into_iter().flatten();
    let matched: Vec<String> =
        matched.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default())).collect();
    let selector = object.pointer(&labels).and_then(Value::as_str).map_or(matched.join(","), str::to_owned);
    let number = |path: &str| object.pointer(path).and_then(Value::as_i64).unwrap_or(0);
    let mut metadata = json!({});
    for name in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        metadata[name] = object["metadata"][name].clone();
    }
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": metadata,
        "spec": {"replicas": number(&wanted)},
        "status": {"replicas": number(&has), "selector": selector},
    })
}

/// What is applied to a scale, as the object that it is the scale of.
pub(super) fn of_scale(resource: &Resource, request: Request<'_>) -> Result<Value, ApiError> {
    let scale = request.body();
    if scale["kind"] != "Scale" {
        return Err(status::bad_request("only a Scale can be applied to a scale"));
    }
    let mut config = json!({
        "apiVersion": resource.api_version(),
        "kind": resource.kind,
        "metadata": {"name": request.name()},
        "spec": {},
    });
    put(&mut config, &scale_paths(resource).0, scale["spec"]["replicas"].clone(), true).map_err(status::bad_request)?;
    Ok(config)
}

/// Changes the number of replicas through the scale.
pub(super) fn set_scale(
    account: &mut Account,
    world: &mut World,
    resource: &Resource,
    request: Request<'_>,
    scale: &Value,
) -> Result<Value, ApiError> {
    let key = request.key(resource);
    let live = world.at(&key).ok_or_else(|| status::not_found(resource, request.name()))?;
    let mut new = (*live).clone();
    let (wanted, ..) = scale_paths(resource);
    let replicas = scale["spec"]["replicas"].as_i64().unwrap_or(0);
    if replicas < 0 {
        let wrong = status::Wrong::invalid("spec.replicas", &json!(replicas), "must be greater than or equal to 0");
        return Err(status::invalid(resource, request.name(), &[wrong]));
    }
    put(&mut new, &wanted, json!(replicas), true).map_err(status::bad_request)?;
    let version = &scale["metadata"]["resourceVersion"];
    new["metadata"]["resourceVersion"] = if version.is_null() { json!("") } else { version.clone() };
    write::replace(account, world, resource, request, &live, new)?;
    let standing = world.at(&key).unwrap_or(live);
    Ok(answered(200, scale_of(resource, &standing)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn merge_patches() {
        let standing = json!({"a": 1, "b": {"c": 2, "d": 3}, "l": [1, 2]});
        let patched = merge_patch(&standing, &json!({"a": null, "b": {"c": 4}, "l": [3], "n": {"x": null, "y": 1}}));
        assert_eq!(patched, json!({"b": {"c": 4, "d": 3}, "l": [3], "n": {"y": 1}}));
    }

    #[test]
    fn json_patches() {
        let standing = json!({"a": {"b/c": 1}, "l": [1, 2]});
        let steps = json!([
            {"op": "test", "path": "/a/b~1c", "value": 1},
            {"op": "add", "path": "/l/0", "value": 0},
            {"op": "add", "path": "/l/-", "value": 3},
            {"op": "replace", "path": "/l/1", "value": 9},
            {"op": "move", "from": "/a/b~1c", "path": "/m"},
            {"op": "copy", "from": "/m", "path": "/n"},
            {"op": "remove", "path": "/a"},
        ]);
        assert_eq!(json_patch(&standing, &steps).unwrap(), json!({"l": [0, 9, 2, 3], "m": 1, "n": 1}));
        for wrong in [
            json!([{"op": "remove", "path": "/x"}]),
            json!([{"op": "replace", "path": "/x", "value": 1}]),
            json!([{"op": "test", "path": "/l", "value": []}]),
            json!([{"op": "add", "path": "/l/7", "value": 1}]),
            json!([{"op": "fly", "path": "/l"}]),
            json!({}),
        ] {
            assert!(json_patch(&standing, &wrong).is_err(), "{wrong}");
        }
    }
}
