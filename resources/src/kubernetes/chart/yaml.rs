//! What Helm prints, read as Kubernetes reads it.
//!
//! Charts are written for `sigs.k8s.io/yaml`, which is YAML 1.1 as go-yaml 2 has it: `0644` is a
//! number in base 8 and `yes` a truth value. A reader of YAML 1.2 would give other objects.
//! Source: go.yaml.in/yaml/v2, `resolve.go`; sigs.k8s.io/yaml, `convertToJSONableObject`.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use saphyr_parser::{Event, Parser, ScalarStyle, StrInput, Tag};
use serde_json::{Map, Number, Value};

/// How deep values may be nested; CRDs of recursive schemas reach 40.
const MAX_DEPTH: usize = 200;

/// How many values a document may have, aliases expanded; the largest CRD known has 20,000.
const MAX_NODES: usize = 1_000_000;

/// One document.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Document {
    /// The template, where Helm names it.
    pub source: Option<String>,
    /// What it holds; never null.
    pub value: Value,
}

/// Why a document cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of {place}: {why}")]
pub(super) struct YamlError {
    line: usize,
    place: String,
    why: String,
}

/// The documents of a text, without the empty ones.
pub(super) fn documents(text: &str) -> Result<Vec<Document>, YamlError> {
    let mut documents = Vec::new();
    // A file of several documents is named above its first.
    let mut source: Option<String> = None;
    for part in split(text) {
        if let Some(named) = part.lines().find_map(|line| line.strip_prefix("# Source: ")) {
            source = Some(named.trim().to_owned());
        }
        let mut reader = Reader { parser: Parser::new_from_str(part), anchors: HashMap::new(), nodes: 0 };
        let value = reader.document().map_err(|(line, why)| YamlError {
            line,
            place: source.clone().unwrap_or_else(|| "what was rendered".to_owned()),
            why,
        })?;
        if !value.is_null() {
            documents.push(Document { source: source.clone(), value });
        }
    }
    Ok(documents)
}

/// Cuts at document markers.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut at) = (Vec::new(), 0, 0);
    for line in text.split_inclusive('\n') {
        if line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace)) {
            parts.push(&text[begin..at]);
            begin = at + 3;
        }
        at += line.len();
    }
    parts.push(&text[begin..]);
    parts
}

type Read<T> = Result<T, (usize, String)>;

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    /// Finished anchors by the parser's number, with their sizes.
    anchors: HashMap<usize, (Value, usize)>,
    nodes: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Read<(Event<'a>, usize)> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, span.start.line())),
            Some(Err(error)) => Err((error.marker().line(), error.info().to_owned())),
            None => Ok((Event::StreamEnd, 0)),
        }
    }

    fn document(&mut self) -> Read<Value> {
        loop {
            let (event, line) = self.next()?;
            match event {
                Event::StreamStart | Event::Nothing | Event::DocumentStart(_) | Event::DocumentEnd => {}
                Event::StreamEnd => return Ok(Value::Null),
                event => return self.value(event, line, 0),
            }
        }
    }

    /// The value that begins with this event. Recursion is bounded by [`MAX_DEPTH`].
    fn value(&mut self, event: Event<'a>, line: usize, depth: usize) -> Read<Value> {
        if depth > MAX_DEPTH {
            return Err((line, format!("values are nested more than {MAX_DEPTH} deep")));
        }
        let before = self.nodes;
        self.spend(1, line)?;
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => (anchor, scalar(&text, style, tag.as_deref(), line)?),
            Event::SequenceStart(anchor, _) => (anchor, self.sequence(depth)?),
            Event::MappingStart(anchor, _) => (anchor, self.mapping(depth)?),
            Event::Alias(anchor) => {
                let found = self.anchors.get(&anchor).map(|(_, size)| *size);
                let size = found.ok_or_else(|| (line, "an alias names nothing that stands before it".to_owned()))?;
                // Spend before cloning: the bound is what keeps a bomb of aliases small.
                self.spend(size, line)?;
                return Ok(self.anchors.get(&anchor).map_or(Value::Null, |(value, _)| value.clone()));
            }
            other => return Err((line, format!("a value was expected, not {other:?}"))),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, (value.clone(), self.nodes - before));
        }
        Ok(value)
    }

    fn sequence(&mut self, depth: usize) -> Read<Value> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::Array(items)),
                (event, line) => items.push(self.value(event, line, depth + 1)?),
            }
        }
    }

    fn mapping(&mut self, depth: usize) -> Read<Value> {
        let mut map = Map::new();
        let mut merged = Vec::new();
        loop {
            let (event, line) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let merges = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, ..) if text == "<<");
            let key = self.value(event, line, depth + 1)?;
            let (event, value_line) = self.next()?;
            let value = self.value(event, value_line, depth + 1)?;
            if merges {
                merged.push((value, line));
            } else {
                // As Helm has it, the last of two equal keys wins.
                map.insert(key_text(&key).ok_or_else(|| (line, format!("{key} is no key")))?, value);
            }
        }
        for (value, line) in merged {
            merge(&mut map, value).ok_or_else(|| (line, "only mappings can be merged with `<<`".to_owned()))?;
        }
        Ok(Value::Object(map))
    }

    fn spend(&mut self, nodes: usize, line: usize) -> Read<()> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES { Err((line, format!("more than {MAX_NODES} values"))) } else { Ok(()) }
    }
}

/// Keys of its own go before merged ones.
fn merge(map: &mut Map<String, Value>, value: Value) -> Option<()> {
    let sources = match value {
        Value::Array(items) => items,
        other => vec![other],
    };
    for source in sources {
        let Value::Object(source) = source else { return None };
        for (key, value) in source {
            map.entry(key).or_insert(value);
        }
    }
    Some(())
}

fn key_text(key: &Value) -> Option<String> {
    match key {
        Value::String(text) => Some(text.clone()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, line: usize) -> Read<Value> {
    let Some(tag) = tag else {
        return if style == ScalarStyle::Plain { plain(text, line) } else { Ok(Value::from(text)) };
    };
    match (tag.is_yaml_core_schema(), tag.suffix.as_str()) {
        (true, "str") | (false, "") => Ok(Value::from(text)),
        (true, "int" | "float" | "bool" | "null") => plain(text, line),
        (true, "binary") => {
            let packed: String = text.split_whitespace().collect();
            let bytes = STANDARD.decode(packed).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            bytes.map(Value::from).ok_or_else(|| (line, "what is tagged !!binary is no text in base64".to_owned()))
        }
        _ => Err((line, format!("the tag {tag} has no meaning in a manifest"))),
    }
}

/// An unquoted scalar.
fn plain(text: &str, line: usize) -> Read<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Value::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Ok(true.into()),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Ok(false.into());
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => return Err((line, format!("{text} has no place in JSON; write it in quotes"))),
        _ => {}
    }
    Ok(number(text).map_or_else(|| Value::from(text), Value::Number))
}

fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.')) {
        return None;
    }
    let digits = text.replace('_', "");
    let (negative, unsigned) = match digits.strip_prefix(['+', '-']) {
        Some(rest) => (digits.starts_with('-'), rest),
        None => (false, digits.as_str()),
    };
    let (radix, whole) = match unsigned.get(..2) {
        Some("0x" | "0X") => (16, &unsigned[2..]),
        Some("0o" | "0O") => (8, &unsigned[2..]),
        Some("0b" | "0B") => (2, &unsigned[2..]),
        Some(two) if two.starts_with('0') => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    if let Some(number) = integer(whole, radix, negative) {
        return Some(number);
    }
    is_float(unsigned).then(|| digits.parse().ok().and_then(Number::from_f64)).flatten()
}

fn integer(digits: &str, radix: u32, negative: bool) -> Option<Number> {
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    let value = if negative { -magnitude } else { magnitude };
    i64::try_from(value).map(Number::from).or_else(|_| u64::try_from(value).map(Number::from)).ok()
}

/// `.5`, `1.`, `1.5`, `1e3`, `1.5E-3`.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let all_digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
    let mantissa = match mantissa.split_once('.') {
        Some((whole, fraction)) => {
            all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty())
        }
        None => !mantissa.is_empty() && all_digits(mantissa),
    };
    mantissa
        && exponent.is_none_or(|exponent| {
            let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !exponent.is_empty() && all_digits(exponent)
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn one(text: &str) -> Value {
        documents(text).unwrap().remove(0).value
    }

    /// What sigs.k8s.io/yaml 1.6.0 gives for each.
    #[test]
    fn scalars_are_what_kubernetes_takes_them_for() {
        for (text, expected) in [
            ("0644", json!(420)),
            ("08", json!(8.0)),
            ("0o17", json!(15)),
            ("0x1F", json!(31)),
            ("-0b11", json!(-3)),
            ("1_000", json!(1000)),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            ("1e3", json!(1000.0)),
            (".5", json!(0.5)),
            ("1.", json!(1.0)),
            ("1.35", json!(1.35)),
            ("1.35.0", json!("1.35.0")),
            ("100m", json!("100m")),
            ("2001-01-01", json!("2001-01-01")),
            ("10:30", json!("10:30")),
            ("-", json!([null])),
            ("- -", json!([[null]])),
            ("yes", json!(true)),
            ("off", json!(false)),
            ("Nope", json!("Nope")),
            ("\"yes\"", json!("yes")),
            ("'0644'", json!("0644")),
            ("!!str 12", json!("12")),
            ("!!int \"12\"", json!(12)),
            ("!!binary aGk=", json!("hi")),
            ("|\n  a: 1\n", json!("a: 1\n")),
            ("{yes: 1, 1: 2, 1.5: 3}", json!({"true": 1, "1": 2, "1.5": 3})),
        ] {
            assert_eq!(one(text), expected, "{text}");
        }
        assert!(documents("a: .inf").unwrap_err().to_string().contains("no place in JSON"));
        assert!(documents("a: !mine x").unwrap_err().to_string().contains("the tag !mine has no meaning"));
    }

    #[test]
    fn documents_are_cut_at_markers_and_named_by_helm() {
        let text = "---\n# Source: demo/crds/a.yaml\n---\na: |\n  -----BEGIN X-----\n  ---\n--- # more\nb: 1\n---\n\n---\n\
                    # Source: demo/templates/c.yaml\n# a comment\nc: 1\n";
        let found: Vec<_> = documents(text).unwrap();
        let sources: Vec<_> = found.iter().map(|document| document.source.as_deref().unwrap()).collect();
        assert_eq!(sources, ["demo/crds/a.yaml", "demo/crds/a.yaml", "demo/templates/c.yaml"]);
        let values: Vec<_> = found.into_iter().map(|document| document.value).collect();
        assert_eq!(values, [json!({"a": "-----BEGIN X-----\n---\n"}), json!({"b": 1}), json!({"c": 1})]);
        assert_eq!(documents("\n# nothing\n---\n"), Ok(Vec::new()));
    }

    #[test]
    fn aliases_and_merges_are_followed_and_bounded() {
        assert_eq!(
            one("x: &x {a: 1, b: 2}\nv: {<<: *x, b: 3}\nz: {<<: [*x, {c: 4}]}\n"),
            json!({"x": {"a": 1, "b": 2}, "v": {"b": 3, "a": 1}, "z": {"a": 1, "b": 2, "c": 4}})
        );
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let of = level - 1;
            bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![format!("*a{of}"); 10].join(", ")));
        }
        assert!(documents(&bomb).unwrap_err().to_string().contains("more than 1000000 values"));
        let deep = "[".repeat(300);
        assert!(documents(&deep).is_err());
    }

    #[test]
    fn an_error_names_the_template_and_the_line() {
        let error = documents("---\n# Source: demo/templates/bad.yaml\na: [1\nb: 2\n").unwrap_err().to_string();
        assert!(error.contains("of demo/templates/bad.yaml: "), "{error}");
        assert!(error.starts_with("line 4") || error.starts_with("line 5"), "{error}");
    }

    /// The last of two equal keys wins, as in Helm.
    #[test]
    fn a_key_may_stand_twice() {
        assert_eq!(one("a: 1\na: 2\n"), json!({"a": 2}));
    }
}
