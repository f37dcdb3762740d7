//! Values of which parts are not known yet, on their way from inputs to attributes.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rayplat_engine::{
    store::Object,
    value::{Planned, output_field},
};
use serde_json::{Map, Value, json};

/// One of Terraform's resources.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    /// Terraform's type.
    pub kind: String,
    /// Added to the resource's name where a kind is several resources.
    pub suffix: String,
    /// Its attributes.
    pub values: Planned,
}

impl Part {
    /// What tells the parts of a kind apart.
    pub fn name(&self) -> (&str, &str) {
        (&self.kind, &self.suffix)
    }
}

/// What a mapping works from.
pub(super) struct Source<'a> {
    /// The kind's inputs.
    pub inputs: &'a Planned,
    /// The object that stands and stays.
    pub object: Option<&'a Object>,
    /// It is about to be changed.
    pub updating: bool,
}

/// A value that is not there.
pub(super) fn null() -> Planned {
    Planned::Known(Value::Null)
}

/// A known value.
pub(super) fn known(value: impl Into<Value>) -> Planned {
    Planned::Known(value.into())
}

/// A map of attributes.
pub(super) fn object<const N: usize>(entries: [(&str, Planned); N]) -> Planned {
    Planned::Object(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// A block: Terraform has them as lists.
pub(super) fn block<const N: usize>(entries: [(&str, Planned); N]) -> Planned {
    Planned::List(vec![object(entries)])
}

/// No block.
pub(super) fn no_block() -> Planned {
    Planned::List(Vec::new())
}

/// The one resource that a kind is.
pub(super) fn one<const N: usize>(kind: &str, entries: [(&str, Planned); N]) -> Vec<Part> {
    vec![Part { kind: kind.to_owned(), suffix: String::new(), values: object(entries) }]
}

/// One of several.
pub(super) fn part<const N: usize>(kind: &str, suffix: &str, entries: [(&str, Planned); N]) -> Part {
    Part { kind: kind.to_owned(), suffix: suffix.to_owned(), values: object(entries) }
}

impl Source<'_> {
    /// An input; dots go into objects. `null` if it is not there.
    pub fn get(&self, path: &str) -> Planned {
        let mut value = self.inputs.clone();
        for key in path.split('.') {
            value = value.get(key).unwrap_or_else(null);
        }
        value
    }

    /// An output of the object that stands; unknown before there is one.
    pub fn out(&self, field: &str) -> Planned {
        match self.object {
            Some(object) => output_field(&object.outputs, field).cloned().map_or_else(null, Planned::Known),
            None => Planned::Unknown,
        }
    }

    /// An output that a change may move.
    pub fn moving(&self, field: &str) -> Planned {
        if self.updating { Planned::Unknown } else { self.out(field) }
    }

    /// The physical id.
    pub fn id(&self) -> Planned {
        match self.object {
            Some(object) => Planned::Known(object.id.clone().into()),
            None => Planned::Unknown,
        }
    }

    /// A document as JSON text; unknown if anything in it is.
    pub fn json_text(&self, path: &str) -> Planned {
        match self.get(path) {
            Planned::Known(Value::Null) => null(),
            Planned::Known(Value::String(text)) => known(text),
            Planned::Known(value) => known(value.to_string()),
            _ => Planned::Unknown,
        }
    }

    /// A text in Base64.
    pub fn base64(&self, path: &str) -> Planned {
        match self.get(path) {
            Planned::Known(Value::String(text)) => known(STANDARD.encode(text)),
            other => other,
        }
    }

    /// The elements of a list; `None` while not even their number is known.
    pub fn items(&self, path: &str) -> Option<Vec<Planned>> {
        items(&self.get(path))
    }
}

/// The elements of a list; `None` while not even their number is known.
pub(super) fn items(value: &Planned) -> Option<Vec<Planned>> {
    match value {
        Planned::Known(Value::Array(items)) => Some(items.iter().cloned().map(Planned::Known).collect()),
        Planned::List(items) => Some(items.clone()),
        Planned::Known(_) => Some(Vec::new()),
        Planned::Unknown | Planned::Object(_) => None,
    }
}

/// A member, or `null`.
pub(super) fn member(value: &Planned, key: &str) -> Planned {
    value.get(key).unwrap_or_else(null)
}

/// What is known, and where it is not: in objects unknown members are left out, in lists
/// they are `null`.
pub(super) fn split(value: &Planned) -> (Value, Option<Value>) {
    match value {
        Planned::Known(value) => (value.clone(), None),
        Planned::Unknown => (Value::Null, Some(Value::Bool(true))),
        Planned::List(items) => {
            let (values, unknowns): (Vec<_>, Vec<_>) = items.iter().map(split).unzip();
            let any = unknowns.iter().any(Option::is_some);
            let unknowns = unknowns.into_iter().map(|unknown| unknown.unwrap_or(json!(false))).collect();
            (Value::Array(values), any.then_some(Value::Array(unknowns)))
        }
        Planned::Object(entries) => {
            let (mut values, mut unknowns) = (Map::new(), Map::new());
            for (key, value) in entries {
                let (value, unknown) = split(value);
                if unknown != Some(Value::Bool(true)) {
                    values.insert(key.clone(), value);
                }
                if let Some(unknown) = unknown {
                    unknowns.insert(key.clone(), unknown);
                }
            }
            let unknowns = (!unknowns.is_empty()).then_some(Value::Object(unknowns));
            (Value::Object(values), unknowns)
        }
    }
}

/// The value with one member changed; dots go into objects.
pub(super) fn set_path(value: &Planned, path: &str, new: Planned) -> Planned {
    let (key, rest) = path.split_once('.').map_or((path, None), |(key, rest)| (key, Some(rest)));
    let mut entries: Vec<(String, Planned)> = match value {
        Planned::Known(Value::Object(map)) => {
            map.iter().map(|(key, value)| (key.clone(), Planned::Known(value.clone()))).collect()
        }
        Planned::Object(entries) => entries.clone(),
        _ => Vec::new(),
    };
    let old = entries.iter().position(|(name, _)| name == key);
    let inner = match rest {
        Some(rest) => set_path(&old.map_or_else(null, |at| entries[at].1.clone()), rest, new),
        None => new,
    };
    match old {
        Some(at) => entries[at].1 = inner,
        None => entries.push((key.to_owned(), inner)),
    }
    Planned::Object(entries)
}

/// The paths at which two values differ, as Terraform writes them: `["a", 0, "b"]`.
pub(super) fn differing(before: &Planned, after: &Planned) -> Vec<Value> {
    let mut paths = Vec::new();
    differ(before, after, &mut Vec::new(), &mut paths);
    paths
}

fn differ(before: &Planned, after: &Planned, path: &mut Vec<Value>, paths: &mut Vec<Value>) {
    if before == after {
        return;
    }
    match (before, after) {
        (Planned::Object(old), Planned::Object(new)) => {
            for (key, value) in old {
                let new = new.iter().find(|(name, _)| name == key).map_or_else(null, |(_, value)| value.clone());
                path.push(key.as_str().into());
                differ(value, &new, path, paths);
                path.pop();
            }
        }
        (Planned::List(old), Planned::List(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                path.push(index.into());
                differ(old, new, path, paths);
                path.pop();
            }
        }
        _ => paths.push(Value::Array(path.clone())),
    }
}
