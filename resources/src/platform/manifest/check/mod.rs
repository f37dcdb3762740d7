//! Checks a tree against the manifest's JSON Schema and says everything that is
//! wrong with it at once.
//!
//! The schema is walked, and not a copy of its rules, so that what editors
//! refuse and what rayplat refuses are the same. Only the keywords that our
//! schema uses are understood; a test holds that list.

mod lookup;
mod scalars;

use serde_json::{Map, Value};

use self::lookup::parents_of;
pub(super) use self::scalars::choices;
use super::diagnostic::{Code, Diagnostic, nearest, quoted};
use super::formats;
use super::spans::{item_path, key_path};
use super::yaml::{Entry, Kind, Node, Span, describe};

/// Checks a tree against a schema. Gives the tree as JSON, without the values
/// that are wrong, and adds a finding for each of those.
pub fn check(root: &Node, schema: &Value, findings: &mut Vec<Diagnostic>) -> Value {
    let mut walk = Walk { root: schema, findings };
    let at = Place { path: String::new(), key: None };
    walk.value(root, schema, &at).unwrap_or(Value::Null)
}

struct Walk<'a> {
    root: &'a Value,
    findings: &'a mut Vec<Diagnostic>,
}

/// Where the walk is: the path, and the key that leads to the value.
struct Place {
    path: String,
    key: Option<Span>,
}

impl Place {
    /// The value's name in a message.
    fn name(&self) -> String {
        if self.path.is_empty() {
            return "the manifest".to_owned();
        }
        // `a.b[1]` is called `b[1]`; a key with dots of its own stays whole.
        let tail = self.path.split('"').next().unwrap_or_default();
        let start = tail.rfind('.').map_or(0, |dot| dot + 1);
        format!("`{}`", &self.path[start..])
    }
}

impl Walk<'_> {
    fn report(&mut self, place: &Place, span: Span, found: Diagnostic) {
        let found = found.at(span.line, span.column).path(&place.path);
        self.findings.push(found);
    }

    /// The value as JSON, or `None` when it is wrong. Recursion is bounded by
    /// the tree's depth: every schema step but `$ref` descends in the tree.
    fn value(&mut self, node: &Node, schema: &Value, place: &Place) -> Option<Value> {
        let Value::Object(keywords) = schema else {
            // `true`: anything that JSON can say.
            return self.free(node, place);
        };
        if let Some(target) = keywords.get("$ref").and_then(Value::as_str) {
            let root = self.root;
            let target = root.pointer(target.trim_start_matches('#'))?;
            return self.value(node, target, place);
        }
        if let Some(choices) = choices(keywords) {
            return self.choice(node, &choices, place);
        }
        if let Some(Value::Array(forms)) = keywords.get("anyOf") {
            return self.any_form(node, forms, place);
        }
        match keywords.get("type").and_then(Value::as_str) {
            Some("object") => self.mapping(node, keywords, place),
            Some("array") => self.list(node, keywords, place),
            Some("string") => self.string(node, keywords, place),
            Some("integer") => self.integer(node, keywords, place),
            Some("boolean") => self.boolean(node, place),
            _ => self.free(node, place),
        }
    }

    /// A value that may have several forms is checked against the one of its own type, and
    /// against the first where there is none.
    fn any_form(&mut self, node: &Node, forms: &[Value], place: &Place) -> Option<Value> {
        let kind = match node.kind {
            Kind::Null | Kind::String(_) => "string",
            Kind::Bool(_) => "boolean",
            Kind::Integer(..) | Kind::Float(..) => "integer",
            Kind::Sequence(_) => "array",
            Kind::Mapping(_) => "object",
        };
        let of_kind = forms.iter().find(|form| form.get("type").is_some_and(|found| found == kind));
        self.value(node, of_kind.or(forms.first())?, place)
    }

    fn wrong_type(&mut self, node: &Node, place: &Place, expected: &str, cure: String) {
        let span = match node.kind {
            // An empty value has no place of its own.
            Kind::Null => place.key.unwrap_or(node.span),
            _ => node.span,
        };
        let message = format!("{} must be {expected}, not {}", place.name(), describe(node));
        self.report(place, span, Diagnostic::error(Code::WrongType, message, cure));
    }

    fn mapping(&mut self, node: &Node, schema: &Map<String, Value>, place: &Place) -> Option<Value> {
        let Kind::Mapping(entries) = &node.kind else {
            let cure = match node.kind {
                Kind::Null => "write its keys below it, indented, or remove the line",
                _ => "write its keys below it, indented: `key: value`",
            };
            self.wrong_type(node, place, "a mapping of keys", cure.to_owned());
            return None;
        };
        let mut object = Map::new();
        for entry in entries {
            if let Some(value) = self.entry(entry, schema, place) {
                object.insert(entry.key.clone(), value);
            }
        }
        let complete = self.required(node, schema, place);
        self.too_few_keys(node, schema, place);
        // An incomplete manifest still has sections worth checking further.
        (complete || place.path.is_empty()).then_some(Value::Object(object))
    }

    fn entry(&mut self, entry: &Entry, schema: &Map<String, Value>, place: &Place) -> Option<Value> {
        let at = Place { path: key_path(&place.path, &entry.key), key: Some(entry.key_span) };
        let properties = schema.get("properties").and_then(Value::as_object);
        if let Some(property) = properties.and_then(|all| all.get(&entry.key)) {
            return self.value(&entry.value, property, &at);
        }
        match schema.get("additionalProperties") {
            Some(Value::Bool(false)) => {
                self.unknown_key(entry, properties, place, &at);
                None
            }
            Some(other) => {
                let named = self.key_form(entry, schema, &at);
                let value = self.value(&entry.value, other, &at);
                value.filter(|_| named)
            }
            None => self.free(&entry.value, &at),
        }
    }

    fn unknown_key(&mut self, entry: &Entry, known: Option<&Map<String, Value>>, place: &Place, at: &Place) {
        let names: Vec<&str> = known.into_iter().flat_map(Map::keys).map(String::as_str).collect();
        let key = quoted(&entry.key);
        let key = key.trim_matches('"');
        let inside = match place.path.as_str() {
            "" => "a manifest".to_owned(),
            path => format!("`{path}`"),
        };
        let message = format!("there is no key `{key}` in {inside}");
        let elsewhere = || parents_of(self.root, &entry.key);
        let cure = match nearest(&entry.key, names.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => match elsewhere().as_slice() {
                [parent] if *parent != place.path => format!("`{key}` is a key of `{parent}`: move it there"),
                [one, other] => format!("`{key}` is a key of `{one}` and of `{other}`: move it there"),
                _ => format!("remove it; the keys here are {}", listed(&names)),
            },
        };
        self.report(at, entry.key_span, Diagnostic::error(Code::UnknownKey, message, cure));
    }

    /// Whether a key that people choose has the form that it must have.
    fn key_form(&mut self, entry: &Entry, schema: &Map<String, Value>, at: &Place) -> bool {
        let pattern = schema.get("propertyNames").and_then(|names| names.get("pattern")).and_then(Value::as_str);
        let Some(format) = pattern.and_then(formats::by_pattern) else {
            return true;
        };
        if (format.matches)(&entry.key) {
            return true;
        }
        let message = format!("the name {} must be {}", quoted(&entry.key), format.expected);
        let cure = format!("write a name like {}", format.example);
        self.report(at, entry.key_span, Diagnostic::error(Code::BadFormat, message, cure));
        false
    }

    fn required(&mut self, node: &Node, schema: &Map<String, Value>, place: &Place) -> bool {
        let mut complete = true;
        for key in strings(schema.get("required")) {
            if node.get(key).is_some() {
                continue;
            }
            complete = false;
            let description =
                schema.get("properties").and_then(|all| all.get(key)).and_then(|property| self.description(property));
            let cure = match description {
                Some(text) => format!("add `{key}`: {}", lower_first(text)),
                None => format!("add `{key}`"),
            };
            let message = format!("{} has no `{key}`", place.name());
            let found = Diagnostic::error(Code::MissingKey, message, cure);
            self.report(place, place.key.unwrap_or(node.span), found);
        }
        complete
    }

    fn description<'b>(&'b self, schema: &'b Value) -> Option<&'b str> {
        schema.get("description").and_then(Value::as_str)
    }

    fn too_few_keys(&mut self, node: &Node, schema: &Map<String, Value>, place: &Place) {
        let least = schema.get("minProperties").and_then(Value::as_u64);
        if least.unwrap_or(0) > 0 && matches!(&node.kind, Kind::Mapping(all) if all.is_empty()) {
            let found = Diagnostic::error(
                Code::OutOfRange,
                format!("{} is empty", place.name()),
                "write at least one entry below it, or remove the key for its defaults",
            );
            self.report(place, place.key.unwrap_or(node.span), found);
        }
    }

    fn list(&mut self, node: &Node, schema: &Map<String, Value>, place: &Place) -> Option<Value> {
        let Kind::Sequence(items) = &node.kind else {
            let cure = match &node.kind {
                Kind::String(text) => format!("write a list: [{}]", quoted(text)),
                _ => "write a list: [first, second]".to_owned(),
            };
            self.wrong_type(node, place, "a list", cure);
            return None;
        };
        let any = Value::Bool(true);
        let item_schema = schema.get("items").unwrap_or(&any);
        let mut values = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let at = Place { path: item_path(&place.path, index), key: None };
            values.push(self.value(item, item_schema, &at));
        }
        let unique = self.unique(items, &values, schema, place);
        let counted = self.count(items.len(), node.span, schema, place);
        // A list without its wrong items would be another list: all or nothing.
        let values: Option<Vec<Value>> = values.into_iter().collect();
        values.filter(|_| unique && counted).map(Value::Array)
    }

    fn unique(&mut self, items: &[Node], values: &[Option<Value>], schema: &Map<String, Value>, place: &Place) -> bool {
        if schema.get("uniqueItems") != Some(&Value::Bool(true)) {
            return true;
        }
        let mut first_lines = std::collections::HashMap::new();
        let mut unique = true;
        for (index, (item, value)) in items.iter().zip(values).enumerate() {
            let Some(value) = value else { continue };
            let line = item.span.line;
            let Some(first) = first_lines.insert(value.to_string(), line) else {
                continue;
            };
            unique = false;
            let at = Place { path: item_path(&place.path, index), key: None };
            let found = Diagnostic::error(
                Code::Conflict,
                format!("{} stands twice in {}: on line {first} and on line {line}", describe(item), place.name()),
                "remove one of the two",
            );
            self.report(&at, item.span, found);
        }
        unique
    }

    fn count(&mut self, length: usize, span: Span, schema: &Map<String, Value>, place: &Place) -> bool {
        let bound = |key| schema.get(key).and_then(Value::as_u64);
        let (least, most) = (bound("minItems").unwrap_or(0), bound("maxItems"));
        let length = length as u64;
        let entries = |n: u64| if n == 1 { "entry" } else { "entries" };
        let (message, cure) = if length < least {
            (format!("at least {least} {}", entries(least)), format!("add {} more", least - length))
        } else if let Some(most) = most.filter(|most| length > *most) {
            (format!("at most {most} {}", entries(most)), format!("remove {}", length - most))
        } else {
            return true;
        };
        let message = format!("{} must have {message}, and has {length}", place.name());
        self.report(place, span, Diagnostic::error(Code::OutOfRange, message, cure));
        false
    }
}

fn strings(value: Option<&Value>) -> Vec<&str> {
    let items = value.and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn listed(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

fn lower_first(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut letters = text.chars();
    match letters.next() {
        Some(first) if !letters.clone().next().is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
