//! The scalars: strings, whole numbers, truth values, enumerations, and values
//! whose shape is not ours.

use serde_json::{Map, Value};

use super::super::diagnostic::{Code, Diagnostic, nearest, quoted};
use super::super::formats;
use super::super::spans::{item_path, key_path};
use super::super::yaml::{Kind, Node, Span, describe};
use super::{Place, Walk};

impl Walk<'_> {
    pub(super) fn string(&mut self, node: &Node, schema: &Map<String, Value>, place: &Place) -> Option<Value> {
        let Kind::String(text) = &node.kind else {
            let cure = match &node.kind {
                Kind::Float(_, text) => format!(
                    "write it in quotes: {} (without them it is a number, and 1.30 would become 1.3)",
                    quoted(text)
                ),
                Kind::Integer(_, text) => format!("write it in quotes: {}", quoted(text)),
                Kind::Bool(value) => format!("write it in quotes: \"{value}\""),
                Kind::Null => "write a value after the colon, or remove the line".to_owned(),
                _ => "write one value".to_owned(),
            };
            self.wrong_type(node, place, "a string", cure);
            return None;
        };
        let long = self.length(text, node.span, schema, place);
        let form = self.form(text, node.span, schema, place);
        (long && form).then(|| Value::String(text.clone()))
    }

    fn length(&mut self, text: &str, span: Span, schema: &Map<String, Value>, place: &Place) -> bool {
        let most = schema.get("maxLength").and_then(Value::as_u64);
        let length = text.chars().count() as u64;
        let Some(most) = most.filter(|most| length > *most) else {
            return true;
        };
        let message = format!("{} must have at most {most} characters, and has {length}", place.name());
        let mut cure = format!("take away {}", length - most);
        if place.path == "name" {
            cure.push_str(": the names of roles, launch templates and node groups are made of it, and IAM's end at 64");
        }
        self.report(place, span, Diagnostic::error(Code::OutOfRange, message, cure));
        false
    }

    fn form(&mut self, text: &str, span: Span, schema: &Map<String, Value>, place: &Place) -> bool {
        let pattern = schema.get("pattern").and_then(Value::as_str);
        let Some(format) = pattern.and_then(formats::by_pattern) else {
            return true;
        };
        if (format.matches)(text) {
            return true;
        }
        let message = format!("{} must be {}, not {}", place.name(), format.expected, quoted(text));
        let cure = format!("write it like {}", format.example);
        self.report(place, span, Diagnostic::error(Code::BadFormat, message, cure));
        false
    }

    pub(super) fn integer(&mut self, node: &Node, schema: &Map<String, Value>, place: &Place) -> Option<Value> {
        let least = schema.get("minimum").and_then(Value::as_i64);
        let most = schema.get("maximum").and_then(Value::as_i64);
        let number = match &node.kind {
            Kind::Integer(number, _) => Some(*number),
            // Digits only, and yet not an integer: too many digits.
            Kind::Float(number, text) if !text.contains(['.', 'e', 'E']) => {
                Some(if *number < 0.0 { i64::MIN } else { i64::MAX })
            }
            _ => None,
        };
        let Some(number) = number else {
            let cure = match &node.kind {
                Kind::String(text) if text.parse::<i64>().is_ok() => {
                    format!("remove the quotes: {text}")
                }
                Kind::Null => "write a number after the colon, or remove the line".to_owned(),
                _ => "write digits without quotes, for example 3".to_owned(),
            };
            self.wrong_type(node, place, "a whole number", cure);
            return None;
        };
        let (side, bound) = match (least, most) {
            (Some(least), _) if number < least => ("at least", least),
            (_, Some(most)) if number > most => ("at most", most),
            _ => return Some(number.into()),
        };
        let written = describe(node);
        let written = written.trim_start_matches("the number ");
        let found = Diagnostic::error(
            Code::OutOfRange,
            format!("{} must be {side} {bound}, not {written}", place.name()),
            match (least, most) {
                (Some(least), Some(most)) => format!("write a number from {least} to {most}"),
                _ => format!("write {bound}"),
            },
        );
        self.report(place, node.span, found);
        None
    }

    pub(super) fn boolean(&mut self, node: &Node, place: &Place) -> Option<Value> {
        if let Kind::Bool(value) = node.kind {
            return Some(value.into());
        }
        let word = match &node.kind {
            Kind::String(text) => text.to_lowercase(),
            _ => String::new(),
        };
        let cure = match word.as_str() {
            "yes" | "on" | "y" => "write true: YAML 1.2 reads this word as a string",
            "no" | "off" | "n" => "write false: YAML 1.2 reads this word as a string",
            "true" | "false" => "remove the quotes",
            _ => "write true or false",
        };
        self.wrong_type(node, place, "true or false", cure.to_owned());
        None
    }

    pub(super) fn choice(&mut self, node: &Node, choices: &[&Value], place: &Place) -> Option<Value> {
        let given = match &node.kind {
            Kind::String(text) => Value::String(text.clone()),
            Kind::Integer(number, _) => (*number).into(),
            _ => Value::Null,
        };
        if choices.contains(&&given) {
            return Some(given);
        }
        let words: Vec<String> = choices.iter().map(|choice| word(choice)).collect();
        let names: Vec<&str> = words.iter().map(String::as_str).collect();
        let cure = match &given {
            Value::String(text) => match (hint(text), nearest(text, names.iter().copied())) {
                (Some(hint), _) => hint.to_owned(),
                (None, Some(name)) => format!("write {name}"),
                (None, None) => "write one of these".to_owned(),
            },
            Value::Number(number) => next_longer(number.as_i64(), choices),
            _ => "write one of these".to_owned(),
        };
        let span = match node.kind {
            Kind::Null => place.key.unwrap_or(node.span),
            _ => node.span,
        };
        let written = describe(node);
        let written = written.trim_start_matches("the string ").trim_start_matches("the number ");
        let message = format!("{} must be one of {}, not {written}", place.name(), names.join(", "));
        self.report(place, span, Diagnostic::error(Code::NotOneOf, message, cure));
        None
    }

    /// A value whose shape is not ours: an addon's configuration.
    pub(super) fn free(&mut self, node: &Node, place: &Place) -> Option<Value> {
        match &node.kind {
            Kind::Null => Some(Value::Null),
            Kind::Bool(value) => Some((*value).into()),
            Kind::Integer(number, _) => Some((*number).into()),
            Kind::Float(number, text) => {
                let number = serde_json::Number::from_f64(*number);
                let exact = text.contains(['.', 'e', 'E']);
                if number.is_none() || !exact {
                    let cure = format!("write it in quotes: {}", quoted(text));
                    self.wrong_type(node, place, "a number that JSON can hold", cure);
                    return None;
                }
                number.map(Value::Number)
            }
            Kind::String(text) => Some(text.clone().into()),
            Kind::Sequence(items) => {
                let items = items.iter().enumerate().map(|(index, item)| {
                    let path = item_path(&place.path, index);
                    self.free(item, &Place { path, key: None })
                });
                items.collect::<Option<Vec<_>>>().map(Value::Array)
            }
            Kind::Mapping(entries) => {
                let mut object = Map::new();
                for entry in entries {
                    let path = key_path(&place.path, &entry.key);
                    let key = Some(entry.key_span);
                    let value = self.free(&entry.value, &Place { path, key })?;
                    object.insert(entry.key.clone(), value);
                }
                Some(Value::Object(object))
            }
        }
    }
}

/// The values of an enumeration, in either of the forms that schemars writes.
pub(in super::super) fn choices(schema: &Map<String, Value>) -> Option<Vec<&Value>> {
    if let Some(Value::Array(values)) = schema.get("enum") {
        return Some(values.iter().collect());
    }
    let Some(Value::Array(variants)) = schema.get("oneOf") else {
        return None;
    };
    let mut values = Vec::new();
    for variant in variants {
        match (variant.get("const"), variant.get("enum")) {
            (Some(value), _) => values.push(value),
            (None, Some(Value::Array(several))) => values.extend(several),
            _ => return None,
        }
    }
    Some(values)
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Values that had a meaning once, or have one elsewhere.
fn hint(value: &str) -> Option<&'static str> {
    match value {
        "AL2_x86_64" => Some("write AL2023_x86_64_STANDARD: Amazon Linux 2 ended on 2025-11-26"),
        "AL2_x86_64_GPU" => Some("write AL2023_x86_64_NVIDIA: Amazon Linux 2 ended on 2025-11-26"),
        "AL2_ARM_64" => Some("write AL2023_ARM_64_STANDARD: Amazon Linux 2 ended on 2025-11-26"),
        _ => None,
    }
}

fn next_longer(given: Option<i64>, choices: &[&Value]) -> String {
    let given = given.unwrap_or_default();
    let numbers = choices.iter().filter_map(|choice| choice.as_i64());
    match numbers.clone().filter(|number| *number > given).min() {
        Some(next) => format!("write {next}, the next larger one"),
        None => format!("write {}, the largest", numbers.max().unwrap_or_default()),
    }
}
