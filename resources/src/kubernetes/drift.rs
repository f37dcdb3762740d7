//! What somebody else changed: told by the difference between an object as it stands and as
//! the server would make it of the recorded manifest.

use serde_json::{Map, Value};

/// What the server writes by itself.
const SERVERS: [&str; 6] =
    ["managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "deletionTimestamp"];

/// Fields by which the elements of a list are told apart, the likeliest first.
/// Source: the merge keys in <https://kubernetes.io/docs/reference/kubernetes-api/>.
const KEYS: [&str; 8] = ["name", "containerPort", "port", "mountPath", "devicePath", "ip", "uid", "groupName"];

/// The recorded manifest with what stands in the account in place of what the server would
/// change back. Where nothing would be changed, the manifest stays as it was written: a
/// quantity of `1000m` is the server's `1`.
pub(super) fn observed(recorded: &Value, would: &Value, live: &Value) -> Value {
    look(recorded, &without_servers(would), &without_servers(live)).unwrap_or(Value::Null)
}

fn without_servers(object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(map) = object.as_object_mut() {
        map.remove("status");
        if let Some(metadata) = map.get_mut("metadata").and_then(Value::as_object_mut) {
            SERVERS.iter().for_each(|field| drop(metadata.remove(*field)));
        }
    }
    object
}

/// `None` if it is not there.
fn look(recorded: &Value, would: &Value, live: &Value) -> Option<Value> {
    // Controllers that write an object back leave empty members out.
    if would == live || nothing(would) && nothing(live) {
        return Some(recorded.clone());
    }
    match (recorded, would, live) {
        (Value::Object(recorded), Value::Object(would), Value::Object(live)) => {
            Some(Value::Object(members(recorded, would, live)))
        }
        (Value::Array(recorded), Value::Array(would), Value::Array(live)) => {
            Some(Value::Array(elements(recorded, would, live).unwrap_or_else(|| live.clone())))
        }
        (_, _, Value::Null) => None,
        _ => Some(live.clone()),
    }
}

fn nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn members(recorded: &Map<String, Value>, would: &Map<String, Value>, live: &Map<String, Value>) -> Map<String, Value> {
    let null = Value::Null;
    let member = |(key, recorded): (&String, &Value)| {
        let would = would.get(key).unwrap_or(&null);
        let live = live.get(key).unwrap_or(&null);
        look(recorded, would, live).map(|value| (key.clone(), value))
    };
    recorded.iter().filter_map(member).collect()
}

/// Element by element where they can be told apart.
fn elements(recorded: &[Value], would: &[Value], live: &[Value]) -> Option<Vec<Value>> {
    let key = KEYS.iter().find(|key| [recorded, would, live].iter().all(|list| distinct(list, key)))?;
    let find = |list: &[Value], of: &Value| list.iter().find(|element| element[*key] == of[*key]).cloned();
    let element = |recorded: &Value| {
        let would = find(would, recorded).unwrap_or_default();
        look(recorded, &would, &find(live, recorded).unwrap_or_default())
    };
    Some(recorded.iter().filter_map(element).collect())
}

fn distinct(list: &[Value], key: &str) -> bool {
    let mut seen = Vec::with_capacity(list.len());
    list.iter().all(|element| match element.get(key) {
        Some(value) if !value.is_null() && !seen.contains(&value) => {
            seen.push(value);
            true
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(replicas: u32, image: &str, more: Value) -> Value {
        let mut object = json!({
            "metadata": {"name": "a", "labels": {"app": "a"}, "uid": "1", "resourceVersion": "7", "managedFields": []},
            "spec": {"replicas": replicas, "strategy": {"type": "RollingUpdate"}, "template": {"spec": {"containers": [
                {"name": "side", "image": "side:1", "terminationMessagePath": "/dev/termination-log"},
                {"name": "main", "image": image, "resources": {"limits": {"cpu": "1"}}, "imagePullPolicy": "IfNotPresent"},
            ]}}},
            "status": {"replicas": replicas},
        });
        if let (Some(object), Some(more)) = (object.as_object_mut(), more.as_object()) {
            object.extend(more.clone());
        }
        object
    }

    fn recorded() -> Value {
        json!({
            "metadata": {"name": "a", "labels": {"app": "a"}},
            "spec": {"replicas": 2, "template": {"spec": {"containers": [
                {"name": "main", "image": "main:1", "resources": {"limits": {"cpu": "1000m"}}},
                {"name": "side", "image": "side:1"},
            ]}}},
        })
    }

    #[test]
    fn defaults_and_quantities_are_no_drift() {
        let live = deployment(2, "main:1", json!({}));
        assert_eq!(observed(&recorded(), &live, &live), recorded());
    }

    #[test]
    fn a_change_is_found_where_it_is() {
        let would = deployment(2, "main:1", json!({}));
        let live = deployment(5, "main:2", json!({}));
        let mut expected = recorded();
        expected["spec"]["replicas"] = json!(5);
        expected["spec"]["template"]["spec"]["containers"][0]["image"] = json!("main:2");
        assert_eq!(observed(&recorded(), &would, &live), expected);
    }

    #[test]
    fn what_was_taken_away_is_not_there() {
        let would = deployment(2, "main:1", json!({}));
        let mut live = would.clone();
        live["metadata"]["labels"] = json!({});
        live["spec"]["template"]["spec"]["containers"] = json!([would["spec"]["template"]["spec"]["containers"][1]]);
        let seen = observed(&recorded(), &would, &live);
        assert_eq!(seen["metadata"]["labels"], json!({}));
        assert_eq!(
            seen["spec"]["template"]["spec"]["containers"],
            json!([recorded()["spec"]["template"]["spec"]["containers"][0]])
        );
    }

    #[test]
    fn an_empty_member_may_be_left_out() {
        let recorded = json!({"spec": {"tolerations": [], "name": "a"}});
        assert_eq!(observed(&recorded, &recorded, &json!({"spec": {"name": "a"}})), recorded);
    }

    #[test]
    fn a_list_without_keys_is_one_thing() {
        let recorded = json!({"spec": {"args": ["a", "b"]}});
        let live = json!({"spec": {"args": ["a", "c", "d"]}});
        assert_eq!(observed(&recorded, &recorded, &live), live);
    }
}
