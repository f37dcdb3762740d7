//! Differences between inputs as they stand and as desired.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::value::Planned;

/// What a difference needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// A change in place.
    Update,
    /// A new object.
    Replace,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Where, e.g. `scaling.max` or `subnet_ids[1]`.
    pub path: String,
    /// As it stands; `None` if it is not there.
    pub old: Option<Value>,
    /// As desired; `None` if it is to go.
    pub new: Option<Planned>,
    /// What it needs.
    pub effect: Effect,
}

impl Change {
    /// True if what is desired is not known yet.
    pub fn unknown(&self) -> bool {
        self.new.as_ref().is_some_and(|new| new.known().is_none())
    }
}

/// Compares member by member. A member that is `null` or absent is the same. A
/// difference in or under one of `replace_on` needs a new object.
pub fn structural(old: &Value, new: &Planned, replace_on: &[&str]) -> Vec<Change> {
    let mut changes = Vec::new();
    Rules { replace_on, in_lists: false }.compare("", Some(old), Some(new), &mut changes);
    changes
}

/// The same, and lists of objects that are as long as before element by element: for inputs
/// whose lists are long, so that a change is seen where it is. Such a path cannot be pinned.
pub fn structural_in_lists(old: &Value, new: &Planned, replace_on: &[&str]) -> Vec<Change> {
    let mut changes = Vec::new();
    Rules { replace_on, in_lists: true }.compare("", Some(old), Some(new), &mut changes);
    changes
}

struct Rules<'a> {
    replace_on: &'a [&'a str],
    in_lists: bool,
}

impl Rules<'_> {
    fn compare(&self, path: &str, old: Option<&Value>, new: Option<&Planned>, changes: &mut Vec<Change>) {
        let old = old.filter(|value| !value.is_null());
        let new = new.filter(|value| value.known() != Some(&Value::Null));
        let same = match (old, new) {
            (None, None) => true,
            (Some(old), Some(Planned::Known(new))) => old == new,
            _ => false,
        };
        if same {
            return;
        }
        match (old, new) {
            (Some(Value::Object(old)), Some(Planned::Known(Value::Object(new)))) => {
                for (key, value) in old {
                    let new = new.get(key).cloned().map(Planned::Known);
                    self.compare(&join(path, key), Some(value), new.as_ref(), changes);
                }
                for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                    self.compare(&join(path, key), None, Some(&Planned::Known(value.clone())), changes);
                }
            }
            (Some(Value::Object(old)), Some(Planned::Object(new))) => {
                for (key, value) in old {
                    let new = new.iter().find(|(k, _)| k == key).map(|(_, v)| v);
                    self.compare(&join(path, key), Some(value), new, changes);
                }
                for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(key)) {
                    self.compare(&join(path, key), None, Some(value), changes);
                }
            }
            (Some(Value::Array(old)), Some(new)) if self.in_lists && alike(old, new) => {
                for (index, old) in old.iter().enumerate() {
                    self.compare(&format!("{path}[{index}]"), Some(old), new.element(index).as_ref(), changes);
                }
            }
            _ => changes.push(Change {
                path: path.to_owned(),
                old: old.cloned(),
                new: new.cloned(),
                effect: effect(path, self.replace_on),
            }),
        }
    }
}

fn alike(old: &[Value], new: &Planned) -> bool {
    let objects = match new {
        Planned::Known(Value::Array(new)) => new.len() == old.len() && new.iter().all(Value::is_object),
        Planned::List(new) => {
            let object = |item: &Planned| matches!(item, Planned::Known(Value::Object(_)) | Planned::Object(_));
            new.len() == old.len() && new.iter().all(object)
        }
        _ => false,
    };
    objects && old.iter().all(Value::is_object)
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// `scaling` covers `scaling.max`; `scaling.max` is covered by neither `scaling.m`
/// nor `max`. A change of the whole object touches every field below it.
fn effect(path: &str, replace_on: &[&str]) -> Effect {
    let under = |outer: &str, inner: &str| {
        outer.is_empty() || inner == outer || inner.strip_prefix(outer).is_some_and(|rest| rest.starts_with(['.', '[']))
    };
    if replace_on.iter().any(|field| under(field, path) || under(path, field)) {
        Effect::Replace
    } else {
        Effect::Update
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(old: &Value, new: &Planned) -> Vec<(String, Effect)> {
        structural(old, new, &["name", "disk.type"]).into_iter().map(|change| (change.path, change.effect)).collect()
    }

    #[test]
    fn leaves_are_named_and_weighed() {
        let old = json!({"name": "a", "disk": {"type": "gp3", "size": 1}, "gone": null});
        let new = Planned::Known(json!({"name": "a", "disk": {"type": "gp2", "size": 2}, "more": 1}));
        assert_eq!(
            paths(&old, &new),
            [
                ("disk.type".to_owned(), Effect::Replace),
                ("disk.size".to_owned(), Effect::Update),
                ("more".to_owned(), Effect::Update),
            ]
        );
    }

    #[test]
    fn elements_of_lists_are_compared_one_by_one_where_that_is_asked() {
        let structural = structural_in_lists;
        let paths = |old: &Value, new: &Planned| -> Vec<(String, Effect)> {
            structural(old, new, &["name", "disk.type"])
                .into_iter()
                .map(|change| (change.path, change.effect))
                .collect()
        };
        let old = json!({"pods": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}], "args": ["x"]});
        let new = Planned::Known(json!({
            "pods": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}], "args": ["y"],
        }));
        assert_eq!(
            paths(&old, &new),
            [("pods[1].image".to_owned(), Effect::Update), ("args".to_owned(), Effect::Update)]
        );
        let longer = Planned::Known(json!({"pods": [{"name": "a"}], "args": ["x"]}));
        assert_eq!(paths(&old, &longer), [("pods".to_owned(), Effect::Update)]);
        let inside = structural(&old, &new, &["pods"]);
        assert_eq!(inside[0].effect, Effect::Replace);
    }

    #[test]
    fn null_is_absent() {
        assert!(paths(&json!({"a": null}), &Planned::Known(json!({"b": null}))).is_empty());
    }

    #[test]
    fn an_unknown_is_a_difference() {
        let new = Planned::Object(vec![("name".into(), Planned::Unknown), ("size".into(), Planned::Known(json!(1)))]);
        let changes = structural(&json!({"name": "a", "size": 1}), &new, &["name"]);
        assert_eq!(changes.len(), 1);
        assert!(changes[0].unknown());
        assert_eq!(changes[0].effect, Effect::Replace);
    }

    #[test]
    fn losing_a_whole_object_loses_its_replace_fields() {
        let changes = paths(&json!({"disk": {"type": "gp3"}}), &Planned::Known(json!({})));
        assert_eq!(changes, [("disk".to_owned(), Effect::Replace)]);
    }
}
