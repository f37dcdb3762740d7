//! Pinned fields: what an import found and must not be changed by the way.
//!
//! An object that somebody else made may differ from what is desired in ways that would
//! replace it, roll its nodes or change its behaviour. Such a field is pinned at its present
//! value, and counts as desired so until somebody releases it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    plan::{
        Kept,
        diff::{Change, Effect},
    },
    store::Object,
    value::Planned,
};

/// The inputs with each pinned field at its pinned value. A pin inside something that is not
/// known yet, or is no object, does not hold.
pub fn hold(planned: Planned, pinned: &BTreeMap<String, Value>) -> Planned {
    pinned.iter().fold(planned, |planned, (path, value)| set(planned, path, value))
}

/// The same for inputs that are wholly known.
pub fn hold_known(inputs: Value, pinned: &BTreeMap<String, Value>) -> Value {
    match hold(Planned::Known(inputs.clone()), pinned) {
        Planned::Known(held) => held,
        // Holding known values in known inputs leaves them known.
        _ => inputs,
    }
}

/// The pins that stand against what is wanted. `changes` is what differs without pins.
pub fn kept(object: &Object, wanted: &Planned, changes: &[Change]) -> Vec<Kept> {
    let stands = |path: &str, value: &Value| match get(wanted, path) {
        None => !value.is_null(),
        Some(found) => found.known() != Some(value),
    };
    let pins = object.pinned.iter().filter(|(path, value)| stands(path, value));
    pins.map(|(path, value)| {
        let under = |change: &&Change| change.path == *path || change.path.starts_with(&format!("{path}."));
        let replaces = changes.iter().filter(under).any(|change| change.effect == Effect::Replace);
        Kept {
            urn: object.urn.clone(),
            path: path.clone(),
            value: value.clone(),
            wanted: get(wanted, path).filter(|wanted| wanted.known() != Some(&Value::Null)),
            effect: if replaces { Effect::Replace } else { Effect::Update },
        }
    })
    .collect()
}

/// The member that a path begins with: a key may have dots itself, so the longest that fits.
fn member<'p>(keys: impl Iterator<Item = &'p str>, path: &str) -> Option<usize> {
    let fits = |key: &str| path.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    keys.filter(|key| fits(key)).map(str::len).max()
}

fn get(planned: &Planned, path: &str) -> Option<Planned> {
    let keys: Vec<&str> = match planned {
        Planned::Known(Value::Object(map)) => map.keys().map(String::as_str).collect(),
        Planned::Object(entries) => entries.iter().map(|(key, _)| key.as_str()).collect(),
        Planned::Unknown => return Some(Planned::Unknown),
        _ => return None,
    };
    let length = member(keys.into_iter(), path)?;
    let (key, rest) = path.split_at(length);
    let found = planned.get(key)?;
    if rest.is_empty() { Some(found) } else { get(&found, rest.trim_start_matches('.')) }
}

fn set(planned: Planned, path: &str, value: &Value) -> Planned {
    let mut entries = match planned {
        Planned::Known(Value::Object(map)) => {
            map.into_iter().map(|(key, value)| (key, Planned::Known(value))).collect::<Vec<_>>()
        }
        Planned::Object(entries) => entries,
        other => return other,
    };
    let length = member(entries.iter().map(|(key, _)| key.as_str()), path);
    // What is not there yet is one key, dots and all.
    let (key, rest) = path.split_at(length.unwrap_or(path.len()));
    let at = entries.iter().position(|(found, _)| found == key);
    match (at, rest.strip_prefix('.')) {
        (Some(at), Some(rest)) => entries[at].1 = set(entries[at].1.clone(), rest, value),
        (Some(at), None) if value.is_null() => drop(entries.remove(at)),
        (Some(at), None) => entries[at].1 = Planned::Known(value.clone()),
        (None, _) if value.is_null() => {}
        (None, _) => entries.push((key.to_owned(), Planned::Known(value.clone()))),
    }
    Planned::Object(entries).simplify()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn held(inputs: Value, path: &str, value: Value) -> Value {
        hold_known(inputs, &BTreeMap::from([(path.to_owned(), value)]))
    }

    #[test]
    fn a_path_finds_keys_with_dots_in_them() {
        let inputs = json!({"labels": {"ray.io/type": "a", "ray": {"io": 1}}, "n": 1});
        let cases = [
            ("labels.ray.io/type", json!("b"), json!({"ray.io/type": "b", "ray": {"io": 1}})),
            ("labels.ray.io", json!(2), json!({"ray.io/type": "a", "ray": {"io": 2}})),
            ("labels.a.b", json!("new"), json!({"ray.io/type": "a", "ray": {"io": 1}, "a.b": "new"})),
            ("labels.ray.io/type", json!(null), json!({"ray": {"io": 1}})),
            ("labels.gone", json!(null), json!({"ray.io/type": "a", "ray": {"io": 1}})),
        ];
        for (path, value, labels) in cases {
            assert_eq!(held(inputs.clone(), path, value)["labels"], labels, "{path}");
        }
    }

    #[test]
    fn an_unknown_is_held_and_what_is_inside_one_is_not() {
        let planned = Planned::Object(vec![("a".into(), Planned::Unknown), ("b".into(), Planned::Unknown)]);
        let pins = BTreeMap::from([("a".to_owned(), json!(1)), ("b.c".to_owned(), json!(2))]);
        let held = hold(planned, &pins);
        assert_eq!(held.get("a"), Some(Planned::Known(json!(1))));
        assert_eq!(held.get("b"), Some(Planned::Unknown));
    }
}
