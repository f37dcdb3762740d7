//! What is applied over what stands.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::{Shape, Types, set::Element};

/// Why a value does not fit its type, with the place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::rehearsal::kubernetes) struct Untyped(pub String);

/// Puts `applied` over `live`.
pub(in crate::rehearsal::kubernetes) fn merge(
    live: &Value,
    applied: &Value,
    types: Types<'_>,
    place: &str,
) -> Result<Value, Untyped> {
    let shape = types.shape(applied);
    if shape != types.shape(live) || live.is_array() != applied.is_array() {
        check(applied, types, place)?;
        return Ok(applied.clone());
    }
    match (&shape, live, applied) {
        (Shape::Fields, Value::Object(live), Value::Object(applied)) => {
            let mut merged = live.clone();
            for (name, value) in applied {
                let place = format!("{place}.{name}");
                let of_field = types.field(name);
                let value = match live.get(name) {
                    Some(standing) => merge(standing, value, of_field, &place)?,
                    None => {
                        check(value, of_field, &place)?;
                        value.clone()
                    }
                };
                merged.insert(name.clone(), value);
            }
            Ok(Value::Object(merged))
        }
        (Shape::Set | Shape::Keyed(_), Value::Array(live), Value::Array(applied)) => {
            let live = keyed(live, &shape, place)?;
            let applied = keyed(applied, &shape, place)?;
            Ok(Value::Array(lists(&live, &applied, types, place)?))
        }
        _ => Ok(applied.clone()),
    }
}

/// The items with their keys: each must have them, and once only.
fn keyed(items: &[Value], shape: &Shape, place: &str) -> Result<Vec<(Element, Value)>, Untyped> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let element = shape.element(item).ok_or_else(|| {
            let keys: Vec<String> = match shape {
                Shape::Keyed(keys) => keys.iter().map(|(key, _)| format!("\"{key}\"")).collect(),
                _ => Vec::new(),
            };
            Untyped(format!(
                "{place}: element {index}: associative list with keys has an element that omits key field {}",
                keys.join(", ")
            ))
        })?;
        if !seen.insert(element.clone()) {
            return Err(Untyped(format!("{place}: duplicate entries for key {}", at("", &element))));
        }
        found.push((element, item.clone()));
    }
    Ok(found)
}

/// The place of an item.
fn at(place: &str, element: &Element) -> String {
    let mut once = super::Set::default();
    once.attach(element.clone(), true, super::Set::default());
    format!("{place}{}", once.paths().concat())
}

/// What is newly applied has its keys too.
fn check(value: &Value, types: Types<'_>, place: &str) -> Result<(), Untyped> {
    let shape = types.shape(value);
    match (&shape, value) {
        (Shape::Fields, Value::Object(fields)) => {
            fields.iter().try_for_each(|(name, value)| check(value, types.field(name), &format!("{place}.{name}")))
        }
        (Shape::Set | Shape::Keyed(_), Value::Array(items)) => {
            let items = keyed(items, &shape, place)?;
            items.iter().try_for_each(|(element, item)| check(item, types.item(), &at(place, element)))
        }
        _ => Ok(()),
    }
}

/// The items of both, in the order of what is applied; what it has not got stays where it was.
fn lists(
    live: &[(Element, Value)],
    applied: &[(Element, Value)],
    types: Types<'_>,
    place: &str,
) -> Result<Vec<Value>, Untyped> {
    let standing: HashMap<&Element, &Value> = live.iter().map(|(element, item)| (element, item)).collect();
    let wanted: HashSet<&Element> = applied.iter().map(|(element, _)| element).collect();
    let mut merged = Vec::new();
    let mut done: HashSet<&Element> = HashSet::new();
    let (mut left, mut right) = (live.iter().peekable(), applied.iter().peekable());
    loop {
        if let Some((element, item)) = left.peek().copied() {
            if !wanted.contains(element) {
                merged.push(item.clone());
                left.next();
                continue;
            }
            if done.contains(element) {
                left.next();
                continue;
            }
        }
        let Some((element, item)) = right.next() else { break };
        done.insert(element);
        merged.push(match standing.get(element) {
            Some(standing) => merge(standing, item, types.item(), &at(place, element))?,
            None => {
                check(item, types.item(), &at(place, element))?;
                item.clone()
            }
        });
    }
    Ok(merged)
}
