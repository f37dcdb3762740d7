//! What is different between two values, and which fields a value has.

use std::collections::HashMap;

use serde_json::Value;

use super::{Set, Shape, Types, set::Element};

/// The differences below a place.
#[derive(Debug, Default)]
pub(in crate::rehearsal::kubernetes) struct Differences {
    pub added: Set,
    pub modified: Set,
    pub removed: Set,
}

/// What a place itself is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Here {
    Same,
    Added,
    Modified,
    Removed,
}

/// What of `old` is different in `new`.
pub(in crate::rehearsal::kubernetes) fn compare(old: &Value, new: &Value, types: Types<'_>) -> Differences {
    walk(Some(old), Some(new), types).1
}

fn walk(old: Option<&Value>, new: Option<&Value>, types: Types<'_>) -> (Here, Differences) {
    let nothing = Differences::default();
    let here = match (old, new) {
        (None, None) => return (Here::Same, nothing),
        (None, Some(_)) => Here::Added,
        (Some(_), None) => Here::Removed,
        (Some(_), Some(_)) => Here::Same,
    };
    let leaf = |here| match here {
        Here::Same if old != new => (Here::Modified, Differences::default()),
        other => (other, Differences::default()),
    };
    let Some(sample) = new.or(old) else { return (here, nothing) };
    let shape = types.shape(sample);
    let alike = old.zip(new).is_none_or(|(old, new)| types.shape(old) == shape && old.is_array() == new.is_array());
    let empty = |value: Option<&Value>| match value {
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
        None => true,
    };
    match shape {
        Shape::Leaf => leaf(here),
        _ if !alike || empty(old) && empty(new) => leaf(here),
        Shape::Fields => (here, fields(old, new, types)),
        Shape::Set | Shape::Keyed(_) => (here, items(old, new, types, &shape)),
    }
}

fn add(into: &mut Differences, element: Element, (here, below): (Here, Differences)) {
    into.added.attach(element.clone(), here == Here::Added, below.added);
    into.modified.attach(element.clone(), here == Here::Modified, below.modified);
    into.removed.attach(element, here == Here::Removed, below.removed);
}

fn fields(old: Option<&Value>, new: Option<&Value>, types: Types<'_>) -> Differences {
    let mut differences = Differences::default();
    let (old, new) = (old.and_then(Value::as_object), new.and_then(Value::as_object));
    let of_new = new.into_iter().flatten().map(|(name, _)| name);
    let of_old = old.into_iter().flatten().map(|(name, _)| name);
    let gone = of_old.filter(|name| new.is_none_or(|new| !new.contains_key(*name)));
    for name in of_new.chain(gone) {
        let (was, is) = (old.and_then(|old| old.get(name)), new.and_then(|new| new.get(name)));
        let (mut here, below) = walk(was, is, types.field(name));
        if types.always_has(name) && here != Here::Modified {
            here = Here::Same;
        }
        add(&mut differences, Set::field(name), (here, below));
    }
    differences
}

fn items(old: Option<&Value>, new: Option<&Value>, types: Types<'_>, shape: &Shape) -> Differences {
    let mut differences = Differences::default();
    let by_element = |list: Option<&'_ Value>| -> Vec<(Element, Value)> {
        let items = list.and_then(Value::as_array).into_iter().flatten();
        items.filter_map(|item| Some((shape.element(item)?, item.clone()))).collect()
    };
    let (old, new) = (by_element(old), by_element(new));
    let was: HashMap<&Element, &Value> = old.iter().map(|(element, item)| (element, item)).collect();
    let is: HashMap<&Element, &Value> = new.iter().map(|(element, item)| (element, item)).collect();
    for (element, item) in &new {
        add(&mut differences, element.clone(), walk(was.get(element).copied(), Some(item), types.item()));
    }
    for (element, item) in old.iter().filter(|(element, _)| !is.contains_key(element)) {
        add(&mut differences, element.clone(), walk(Some(item), None, types.item()));
    }
    differences
}

/// The fields of a value, as whoever applies it owns them.
pub(in crate::rehearsal::kubernetes) fn field_set(value: &Value, types: Types<'_>) -> Set {
    let mut set = Set::default();
    match types.shape(value) {
        Shape::Leaf => {}
        Shape::Fields => {
            for (name, field) in value.as_object().into_iter().flatten() {
                let of_field = types.field(name);
                let empty = field.as_object().is_some_and(serde_json::Map::is_empty);
                let member = empty || !types.names(name) || of_field.shape(field) == Shape::Leaf;
                set.attach(Set::field(name), member, field_set(field, of_field));
            }
        }
        shape @ (Shape::Set | Shape::Keyed(_)) => {
            for item in value.as_array().into_iter().flatten() {
                if let Some(element) = shape.element(item) {
                    set.attach(element, true, field_set(item, types.item()));
                }
            }
        }
    }
    set
}
