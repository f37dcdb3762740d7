//! Reading parameters, which are JSON values from the JSON protocols and strings
//! from the query protocols, and cutting lists into pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use indexmap::IndexMap;
use serde_json::{Map, Value};

/// A text member; empty counts as given.
pub fn text<'a>(params: &'a Value, name: &str) -> Option<&'a str> {
    params.get(name).and_then(Value::as_str)
}

/// A boolean member, `true` or `"true"`.
pub fn flag(params: &Value, name: &str) -> Option<bool> {
    match params.get(name)? {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A whole number, `5` or `"5"`.
pub fn number(params: &Value, name: &str) -> Option<i64> {
    match params.get(name)? {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A list member. The query protocols write an empty list as an empty text.
pub fn list<'a>(params: &'a Value, name: &str) -> &'a [Value] {
    params.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The texts of a list member.
pub fn texts(params: &Value, name: &str) -> Vec<String> {
    list(params, name).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Tags in the form of a list of key and value members of these names.
pub fn tag_list(params: &Value, member: &str, key: &str, value: &str) -> IndexMap<String, String> {
    let pair = |tag: &Value| Some((text(tag, key)?.to_owned(), text(tag, value).unwrap_or_default().to_owned()));
    list(params, member).iter().filter_map(pair).collect()
}

/// Tags as a list of key and value members of these names.
pub fn tags_to_list(tags: &IndexMap<String, String>, key: &str, value: &str) -> Vec<Value> {
    let pair = |(name, text): (&String, &String)| {
        let mut tag = Map::new();
        tag.insert(key.to_owned(), Value::from(name.as_str()));
        tag.insert(value.to_owned(), Value::from(text.as_str()));
        Value::Object(tag)
    };
    tags.iter().map(pair).collect()
}

/// One page of a list.
#[derive(Debug)]
pub struct Page<T> {
    /// What is on the page.
    pub items: Vec<T>,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// Cuts a page out of `items`, which come with the key that they are sorted by. The
/// marker holds the last key given, so that nothing is skipped when something before
/// it is deleted between two pages. `None`: the marker is none of ours.
pub fn page<T>(mut items: Vec<(String, T)>, marker: Option<&str>, limit: usize) -> Option<Page<T>> {
    items.sort_by(|left, right| left.0.cmp(&right.0));
    if let Some(marker) = marker {
        let last = String::from_utf8(URL_SAFE_NO_PAD.decode(marker).ok()?).ok()?;
        items.retain(|(key, _)| *key > last);
    }
    let more = items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| more).map(|(key, _)| URL_SAFE_NO_PAD.encode(key));
    Some(Page { items: items.into_iter().map(|(_, item)| item).collect(), next })
}

/// Whole and fractional seconds since the epoch, as the JSON protocols write times.
#[allow(clippy::cast_precision_loss)]
pub fn epoch_seconds(ms: u64) -> Value {
    Value::from(ms as f64 / 1000.0)
}

/// ISO 8601 without fractions, as the query protocols write times.
pub fn iso_time(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// The words of AWS's common check of one parameter.
pub fn constraint(value: &str, member: &str, rule: &str) -> String {
    let shown =
        if value.is_empty() && rule.contains("null") { "Value null".to_owned() } else { format!("Value '{value}'") };
    format!("1 validation error detected: {shown} at '{member}' failed to satisfy constraint: {rule}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn pages_survive_a_deletion_before_the_marker() {
        let all =
            |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect::<Vec<_>>();
        let first = page(all(&["d", "a", "b", "c"]), None, 2).unwrap();
        assert_eq!(first.items, ["a", "b"]);
        let second = page(all(&["b", "c", "d"]), first.next.as_deref(), 2).unwrap();
        assert_eq!(second.items, ["c", "d"]);
        assert_eq!(second.next, None);
        assert!(page(all(&["a"]), Some("%%"), 2).is_none());
    }

    #[test]
    fn query_strings_and_json_values_read_alike() {
        for params in [serde_json::json!({"n": 5, "f": true}), serde_json::json!({"n": "5", "f": "true"})] {
            assert_eq!(number(&params, "n"), Some(5));
            assert_eq!(flag(&params, "f"), Some(true));
        }
        assert!(list(&serde_json::json!({"l": ""}), "l").is_empty());
        assert_eq!(iso_time(1_795_000_000_999), "2026-11-18T11:06:40Z");
    }
}
