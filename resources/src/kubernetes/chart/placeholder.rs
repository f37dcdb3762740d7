//! References in a chart's values, while Helm renders it: each stands as a text that nothing else
//! has, and every text of the rendered objects that holds one becomes a reference again.
//!
//! A template may do more with a value than pass it on: cut it, hash it, encode it. What was made
//! of a placeholder is wrong for the value that comes later, so a chart is rendered twice, with
//! two wordings of the placeholders; where the results differ once references are references
//! again, something was made of one.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rayplat_engine::value::Expr;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// Two texts for one placeholder; both survive YAML and are good in names, keys and URLs. Of
/// different lengths, so that a template that counts or cuts is found out; in the same place of
/// the alphabet, so that maps are in the same order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wording {
    First,
    Second,
}

impl Wording {
    fn prefix(self) -> &'static str {
        match self {
            Self::First => "rayplat-ref-",
            Self::Second => "raypost-reference-",
        }
    }
}

/// The references of a chart's values.
#[derive(Debug, Default)]
pub(super) struct Placeholders {
    /// Eight hexadecimal digits for each.
    known: Vec<(String, Expr)>,
}

impl Placeholders {
    /// The values as JSON, and what was replaced in them.
    pub fn replace(values: &Expr, wording: Wording) -> (Value, Self) {
        let mut placeholders = Self::default();
        let values = placeholders.json(values, wording);
        (values, placeholders)
    }

    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The references, for a message.
    pub fn describe(&self) -> String {
        let mut names = Vec::new();
        for (_, expr) in &self.known {
            expr.each_ref(&mut |urn, field| names.push(format!("{urn} {field}")));
        }
        names.sort();
        names.dedup();
        names.join(", ")
    }

    /// What Helm says, with names in place of placeholders.
    pub fn explain(&self, said: &str, wording: Wording) -> String {
        let mut said = said.to_owned();
        for (id, expr) in &self.known {
            let mut name = String::new();
            expr.each_ref(&mut |urn, field| name = format!("<{urn} {field}, known later>"));
            said = said.replace(&format!("{}{id}", wording.prefix()), &name);
        }
        said
    }

    /// All of them, in the order in which the values have them.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.known.iter().map(|(_, expr)| expr)
    }

    fn json(&mut self, expr: &Expr, wording: Wording) -> Value {
        match expr {
            Expr::Value(value) => value.clone(),
            Expr::List(items) => Value::Array(items.iter().map(|item| self.json(item, wording)).collect()),
            Expr::Object(entries) => {
                let mut map = Map::new();
                for (key, value) in entries {
                    map.insert(self.text(key, wording), self.json(value, wording));
                }
                Value::Object(map)
            }
            other => Value::String(self.text(other, wording)),
        }
    }

    fn text(&mut self, expr: &Expr, wording: Wording) -> String {
        match expr {
            Expr::Value(Value::String(text)) => text.clone(),
            // A key or a part that is no text: JSON's way to write it is YAML's too.
            Expr::Value(other) => other.to_string(),
            Expr::Concat(parts) => parts.iter().map(|part| self.text(part, wording)).collect(),
            other => format!("{}{}", wording.prefix(), self.id(other)),
        }
    }

    fn id(&mut self, expr: &Expr) -> String {
        if let Some((id, _)) = self.known.iter().find(|(_, known)| known == expr) {
            return id.clone();
        }
        let written = serde_json::to_string(expr).unwrap_or_default();
        // Two references that share eight digits: one in 4,000,000,000. Then the next digits.
        let mut salt = String::new();
        loop {
            let digest = hex::encode(Sha256::digest(format!("{written}{salt}")));
            let id = &digest[..8];
            if !self.known.iter().any(|(known, _)| known == id) {
                self.known.push((id.to_owned(), expr.clone()));
                return id.to_owned();
            }
            salt.push('+');
        }
    }

    /// The value with references in place of placeholders; every object and list is a node of the
    /// expression, so that two can be compared.
    ///
    /// # Errors
    /// The path of a text in which a placeholder was changed, and what was done to it.
    pub fn restore(&self, value: &Value, wording: Wording) -> Result<Expr, (String, String)> {
        self.restore_at(value, wording, &mut Vec::new())
    }

    fn restore_at(&self, value: &Value, wording: Wording, path: &mut Vec<String>) -> Result<Expr, (String, String)> {
        Ok(match value {
            Value::String(text) => self.restore_text(text, wording).map_err(|why| (joined(path), why))?,
            Value::Array(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (index, item) in items.iter().enumerate() {
                    path.push(index.to_string());
                    list.push(self.restore_at(item, wording, path)?);
                    path.pop();
                }
                Expr::List(list)
            }
            Value::Object(map) => {
                let mut entries = Vec::with_capacity(map.len());
                for (key, value) in map {
                    path.push(key.clone());
                    let key = self.restore_text(key, wording).map_err(|why| (joined(path), why))?;
                    entries.push((key, self.restore_at(value, wording, path)?));
                    path.pop();
                }
                Expr::Object(entries)
            }
            other => Expr::Value(other.clone()),
        })
    }

    fn restore_text(&self, text: &str, wording: Wording) -> Result<Expr, String> {
        if self.known.is_empty() {
            return Ok(Expr::Value(text.into()));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((at, length, expr)) = self.first_in(rest, wording) {
            self.is_clean(&rest[..at], wording)?;
            if at > 0 {
                parts.push(Expr::Value(rest[..at].into()));
            }
            parts.push(expr.clone());
            rest = &rest[at + length..];
        }
        self.is_clean(rest, wording)?;
        if parts.is_empty() {
            return Ok(Expr::Value(text.into()));
        }
        if !rest.is_empty() {
            parts.push(Expr::Value(rest.into()));
        }
        // Alone it may be of any type.
        Ok(if parts.len() == 1 { parts.swap_remove(0) } else { Expr::Concat(parts) })
    }

    /// Where the first placeholder of a text stands, how long it is, and what it stands for.
    fn first_in(&self, text: &str, wording: Wording) -> Option<(usize, usize, &Expr)> {
        let prefix = wording.prefix();
        text.match_indices(prefix).find_map(|(at, _)| {
            let id = text.get(at + prefix.len()..at + prefix.len() + 8)?;
            let (_, expr) = self.known.iter().find(|(known, _)| known == id)?;
            Some((at, prefix.len() + 8, expr))
        })
    }

    /// No piece of a placeholder is left in what lies between placeholders. Shorter pieces are
    /// words like others; that they come from one shows when both wordings are compared.
    fn is_clean(&self, text: &str, wording: Wording) -> Result<(), String> {
        let prefix = wording.prefix();
        if text.contains(prefix) || self.known.iter().any(|(id, _)| text.contains(id.as_str())) {
            return Err("cuts or changes".to_owned());
        }
        if text.len() >= 16 && decoded(text).is_some_and(|plain| plain.contains(prefix)) {
            return Err("encodes in base64".to_owned());
        }
        Ok(())
    }
}

fn decoded(text: &str) -> Option<String> {
    let packed: String = text.split_whitespace().collect();
    Some(String::from_utf8_lossy(&STANDARD.decode(packed).ok()?).into_owned())
}

fn joined(path: &[String]) -> String {
    path.join(".")
}

/// The path at which two expressions differ first; the order of an object's keys means nothing.
/// A difference that `allow` takes is passed over; it may change the first.
pub(super) fn differs(
    first: &mut Expr,
    second: &Expr,
    path: &mut Vec<String>,
    allow: &mut dyn FnMut(&[String], &mut Expr, &Expr) -> bool,
) -> Option<String> {
    match (&mut *first, second) {
        (Expr::List(first), Expr::List(second)) if first.len() == second.len() => {
            for (index, (first, second)) in first.iter_mut().zip(second).enumerate() {
                path.push(index.to_string());
                let found = differs(first, second, path, allow);
                path.pop();
                if found.is_some() {
                    return found;
                }
            }
            None
        }
        (Expr::Object(first), Expr::Object(second)) if first.len() == second.len() => {
            for (key, value) in first.iter_mut() {
                path.push(key_name(key));
                let other = second.iter().find(|(other, _)| other == key);
                let found = match other {
                    Some((_, other)) => differs(value, other, path, allow),
                    None => Some(joined(path)),
                };
                path.pop();
                if found.is_some() {
                    return found;
                }
            }
            None
        }
        (same, other) if same == other => None,
        (first, second) => (!allow(path, first, second)).then(|| joined(path)),
    }
}

fn key_name(key: &Expr) -> String {
    match key {
        Expr::Value(Value::String(text)) => text.clone(),
        _ => "(a reference)".to_owned(),
    }
}

/// The same with every part that has no references as one value.
pub(super) fn compact(expr: Expr) -> Expr {
    match expr {
        Expr::List(items) => {
            let items: Vec<_> = items.into_iter().map(compact).collect();
            let known: Option<Vec<_>> = items.iter().map(known).collect();
            known.map_or(Expr::List(items), |values| Expr::Value(Value::Array(values)))
        }
        Expr::Object(entries) => {
            let entries: Vec<_> = entries.into_iter().map(|(key, value)| (key, compact(value))).collect();
            let known: Option<Map<_, _>> =
                entries.iter().map(|(key, value)| Some((text(key)?.to_owned(), known(value)?))).collect();
            known.map_or(Expr::Object(entries), |map| Expr::Value(Value::Object(map)))
        }
        other => other,
    }
}

fn known(expr: &Expr) -> Option<Value> {
    match expr {
        Expr::Value(value) => Some(value.clone()),
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(value) => value.as_str(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rayplat_engine::urn::Urn;
    use serde_json::json;

    use super::*;

    fn reference(field: &str) -> Expr {
        Expr::Ref { urn: Urn::new("aws:iam:Role", "velero").unwrap(), field: field.to_owned() }
    }

    fn text(text: &str) -> Expr {
        Expr::Value(text.into())
    }

    fn values() -> Expr {
        let arn = Expr::Concat(vec![text("arn:"), reference("arn"), text(":x")]);
        let stripped = Expr::StripPrefix { of: Box::new(reference("issuer")), prefix: "https://".into() };
        Expr::Object(vec![
            (text("arn"), arn),
            (text("again"), reference("arn")),
            (stripped, Expr::List(vec![reference("name"), Expr::Value(json!({"a": 1}))])),
        ])
    }

    #[test]
    fn what_passes_through_comes_back_as_it_was() {
        for wording in [Wording::First, Wording::Second] {
            let (json, placeholders) = Placeholders::replace(&values(), wording);
            assert_eq!(placeholders.known.len(), 3, "the same reference has the same placeholder");
            assert!(!json.to_string().contains("Ref"), "{json}");
            let back = placeholders.restore(&json, wording).unwrap();
            assert_eq!(compact(back), compact(values()));
        }
    }

    #[test]
    fn placeholders_are_good_in_names_and_the_same_every_time() {
        let (json, placeholders) = Placeholders::replace(&values(), Wording::First);
        let again = json["again"].as_str().unwrap();
        assert!(again.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-') && again.len() == 20);
        assert_eq!(json["arn"], json!(format!("arn:{again}:x")));
        assert_eq!(Placeholders::replace(&values(), Wording::First).0, json);
        let names = "aws:iam:Role/velero arn, aws:iam:Role/velero issuer, aws:iam:Role/velero name";
        assert_eq!(placeholders.describe(), names);
    }

    #[test]
    fn a_placeholder_that_was_changed_is_an_error() {
        let (json, placeholders) = Placeholders::replace(&values(), Wording::First);
        let whole = json["again"].as_str().unwrap();
        let restore = |text: String| placeholders.restore(&json!({"a": [text]}), Wording::First);
        let two = restore(format!("{whole}/{whole}")).unwrap();
        assert_eq!(
            compact(two),
            Expr::Object(vec![(
                text("a"),
                Expr::List(vec![Expr::Concat(vec![reference("arn"), text("/"), reference("arn")])])
            )])
        );
        let changed = Err(("a.0".to_owned(), "cuts or changes".to_owned()));
        assert_eq!(restore(whole[..15].to_owned()), changed, "cut at its end");
        assert_eq!(restore(whole[12..].to_owned()), changed, "cut at its beginning");
        assert_eq!(restore(format!("x{whole}{}", &whole[..12])), changed, "whole and cut");
        assert_eq!(restore("rayplat-ref-00000000".to_owned()), changed, "nobody's");
        let encoded = STANDARD.encode(format!("bucket={whole}"));
        assert_eq!(restore(encoded), Err(("a.0".to_owned(), "encodes in base64".to_owned())));
        assert!(restore("rayplat".to_owned()).is_ok(), "our own name is a word like others");
    }

    #[test]
    fn the_first_difference_is_named_and_order_is_none() {
        let find = |first: Value, second: Value| {
            let expr = |value: &Value| Placeholders::default().restore(value, Wording::First).unwrap();
            differs(&mut expr(&first), &expr(&second), &mut Vec::new(), &mut |_, _, _| false)
        };
        assert_eq!(find(json!({"a": 1, "b": [1, 2]}), json!({"b": [1, 2], "a": 1})), None);
        assert_eq!(find(json!({"a": {"b": [1, 2]}}), json!({"a": {"b": [1, 3]}})), Some("a.b.1".to_owned()));
        assert_eq!(find(json!({"a": {"b": 1}}), json!({"a": {"c": 1}})), Some("a.b".to_owned()));
        assert_eq!(find(json!({"a": [1]}), json!({"a": [1, 2]})), Some("a".to_owned()));
    }
}
