//! Sets of fields, in the form of `fieldsV1`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// One step of a path, as `fieldsV1` writes it: `f:NAME`, `k:{"KEY":VALUE}`, `v:VALUE`.
pub(in crate::rehearsal::kubernetes) type Element = String;

/// A set of fields. A node may be a member itself, have members below it, or both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::rehearsal::kubernetes) struct Set(BTreeMap<Element, Node>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Node {
    member: bool,
    below: Set,
}

impl Set {
    /// The step into a field.
    pub fn field(name: &str) -> Element {
        format!("f:{name}")
    }

    /// Puts what is known of one step in place; nothing if that is nothing.
    pub fn attach(&mut self, element: Element, member: bool, below: Self) {
        if member || !below.is_empty() {
            self.0.insert(element, Node { member, below });
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Is this step itself a member?
    pub fn has(&self, element: &str) -> bool {
        self.0.get(element).is_some_and(|node| node.member)
    }

    /// What is below this step.
    pub fn below(&self, element: &str) -> Option<&Self> {
        self.0.get(element).map(|node| &node.below).filter(|below| !below.is_empty())
    }

    /// Takes a step out with all that is below it.
    pub fn remove(&mut self, element: &str) {
        self.0.remove(element);
    }

    /// Takes out everything but one step with all that is below it.
    pub fn retain(&mut self, element: &str) {
        self.0.retain(|key, _| key == element);
    }

    /// Changes what is below a step.
    pub fn within(&mut self, element: &str, change: impl FnOnce(&mut Self)) {
        if let Some(node) = self.0.get_mut(element) {
            change(&mut node.below);
            if !node.member && node.below.is_empty() {
                self.0.remove(element);
            }
        }
    }

    pub fn union(&self, other: &Self) -> Self {
        let mut union = self.clone();
        for (element, node) in &other.0 {
            let into = union.0.entry(element.clone()).or_default();
            into.member |= node.member;
            into.below = into.below.union(&node.below);
        }
        union
    }

    pub fn intersection(&self, other: &Self) -> Self {
        let mut both = Self::default();
        for (element, node) in &self.0 {
            if let Some(theirs) = other.0.get(element) {
                both.attach(element.clone(), node.member && theirs.member, node.below.intersection(&theirs.below));
            }
        }
        both
    }

    /// What is in this one only.
    pub fn difference(&self, other: &Self) -> Self {
        let mut rest = Self::default();
        for (element, node) in &self.0 {
            match other.0.get(element) {
                Some(theirs) => {
                    rest.attach(element.clone(), node.member && !theirs.member, node.below.difference(&theirs.below));
                }
                None => rest.attach(element.clone(), node.member, node.below.clone()),
            }
        }
        rest
    }

    /// The paths of all members, as refusals write them: `.spec.containers[name="x"].image`.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect("", &mut paths);
        paths
    }

    fn collect(&self, prefix: &str, paths: &mut Vec<String>) {
        for (element, node) in &self.0 {
            let path = format!("{prefix}{}", shown(element));
            if node.member {
                paths.push(path.clone());
            }
            node.below.collect(&path, paths);
        }
    }

    pub fn from_json(value: &Value) -> Self {
        let mut set = Self::default();
        for (element, below) in value.as_object().into_iter().flatten().filter(|(element, _)| *element != ".") {
            let empty = below.as_object().is_none_or(Map::is_empty);
            set.attach(element.clone(), empty || below.get(".").is_some(), Self::from_json(below));
        }
        set
    }

    pub fn to_json(&self) -> Value {
        let mut map = Map::new();
        for (element, node) in &self.0 {
            let mut below = node.below.to_json();
            if let Some(below) = below.as_object_mut().filter(|below| node.member && !below.is_empty()) {
                below.shift_insert(0, ".".to_owned(), Value::Object(Map::new()));
            }
            map.insert(element.clone(), below);
        }
        Value::Object(map)
    }
}

/// A step as refusals write it.
fn shown(element: &str) -> String {
    match element.split_once(':') {
        Some(("f", name)) => format!(".{name}"),
        Some(("k", keys)) => {
            let keys: Map<String, Value> = serde_json::from_str(keys).unwrap_or_default();
            let keys: Vec<String> = keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", keys.join(","))
        }
        Some(("v", value)) => format!("[={value}]"),
        _ => format!("[{element}]"),
    }
}
