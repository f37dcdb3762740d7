//! Where every value of a manifest stands, by its path.

use std::collections::HashMap;

use super::yaml::{Kind, Node, Span};

/// The places of a manifest's keys and values.
///
/// A path is written as in messages: `node_pools.gpu.max`,
/// `network.subnet_ids[1]`, `node_pools.gpu.labels["nvidia.com/gpu"]`.
#[derive(Debug, Clone, Default)]
pub struct Spans {
    places: HashMap<String, Place>,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    key: Option<Span>,
    value: Span,
}

impl Spans {
    /// The places of a tree's values.
    #[must_use]
    pub fn of(root: &Node) -> Self {
        let mut spans = Self::default();
        spans.add(root, None, String::new());
        spans
    }

    fn add(&mut self, node: &Node, key: Option<Span>, path: String) {
        match &node.kind {
            Kind::Sequence(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.add(item, None, item_path(&path, index));
                }
            }
            Kind::Mapping(entries) => {
                for entry in entries {
                    let path = key_path(&path, &entry.key);
                    self.add(&entry.value, Some(entry.key_span), path);
                }
            }
            _ => {}
        }
        let value = node.span;
        self.places.insert(path, Place { key, value });
    }

    /// Where the value at a path stands; `None` when the file has none there.
    #[must_use]
    pub fn at(&self, path: &str) -> Option<Span> {
        self.places.get(path).map(|place| place.value)
    }

    /// Where the key at a path stands; for an item of a list, the item.
    #[must_use]
    pub fn key(&self, path: &str) -> Option<Span> {
        self.places.get(path).map(|place| place.key.unwrap_or(place.value))
    }

    /// Where the value at a path stands or, when it is a default that the file
    /// does not write, the key of the nearest mapping around it.
    #[must_use]
    pub fn nearest(&self, path: &str) -> Span {
        if let Some(span) = self.at(path) {
            return span;
        }
        let mut path = path;
        while let Some(end) = path.rfind(['.', '[']) {
            path = &path[..end];
            if let Some(span) = self.key(path) {
                return span;
            }
        }
        self.at("").unwrap_or(Span::START)
    }
}

/// The path of a key of the mapping at a path.
#[must_use]
pub fn key_path(path: &str, key: &str) -> String {
    let simple = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if key.is_empty() || !key.chars().all(simple) {
        format!("{path}[\"{key}\"]")
    } else if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

/// The path of an item of the list at a path.
#[must_use]
pub fn item_path(path: &str, index: usize) -> String {
    format!("{path}[{index}]")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::yaml;
    use super::*;

    #[test]
    fn paths_find_keys_values_and_what_is_around_them() {
        let text = "a:\n  b: [1, 2]\n  c:\n    x.y/z: 3\n";
        let spans = Spans::of(&yaml::parse(text, &mut Vec::new()).unwrap());
        let place = |span: Span| (span.line, span.column);
        assert_eq!(spans.at("a.b[1]").map(place), Some((2, 10)));
        assert_eq!(spans.key("a.b").map(place), Some((2, 3)));
        assert_eq!(spans.at("a.c[\"x.y/z\"]").map(place), Some((4, 12)));
        assert_eq!(spans.at("a.d").map(place), None);
        assert_eq!(place(spans.nearest("a.c.d.e")), (3, 3));
        assert_eq!(place(spans.nearest("z")), (1, 1));
    }
}
