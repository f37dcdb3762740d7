//! Writes a tree as YAML that a person would write: blocks, lists of plain values in one
//! line, quotes only where they are needed.

use serde_json::Value;

/// The tree below `depth` levels. Comments stand in it as members whose key begins with `#`.
pub(super) fn write(value: &Value) -> String {
    let mut text = String::new();
    if let Value::Object(members) = value {
        members.iter().for_each(|(key, value)| member(&mut text, 0, key, value));
    }
    text
}

fn member(text: &mut String, depth: usize, key: &str, value: &Value) {
    let indent = "  ".repeat(depth);
    if key.starts_with('#') {
        // Several comments in one mapping have keys that differ; what they say is the value.
        for line in value.as_str().unwrap_or_default().lines() {
            text.push_str(&format!("{indent}# {line}\n"));
        }
        return;
    }
    let key = scalar(&Value::String(key.to_owned()));
    match value {
        Value::Object(members) if !members.is_empty() => {
            text.push_str(&format!("{indent}{key}:\n"));
            members.iter().for_each(|(key, value)| member(text, depth + 1, key, value));
        }
        value => text.push_str(&format!("{indent}{key}: {}\n", flow(value))),
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members =
                members.iter().map(|(key, value)| format!("{}: {}", scalar(&Value::String(key.clone())), flow(value)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
        }
        other => scalar(other),
    }
}

/// A text in JSON's quotes is the same text in YAML.
fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) if plain(text) => text.clone(),
        other => other.to_string(),
    }
}

/// True for a text that YAML, of any version, reads as this very text.
fn plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let first = text.chars().next().is_some_and(|letter| letter.is_ascii_alphabetic());
    let rest = text.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_./".contains(letter));
    first && rest && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_needs_quotes_has_them() {
        let tree = json!({
            "#1": "two\nlines",
            "name": "ray",
            "version": "1.33",
            "on": true,
            "pools": {"cpu": {"types": ["m6g.xlarge"], "taints": [{"key": "a/b", "value": "true"}], "labels": {}}},
            "tags": {"k8s.io/x": "a b", "yes": "No", "n:1": "#"},
        });
        let expected = "\
# two
# lines
name: ray
version: \"1.33\"
\"on\": true
pools:
  cpu:
    types: [m6g.xlarge]
    taints: [{key: a/b, value: \"true\"}]
    labels: {}
tags:
  k8s.io/x: \"a b\"
  \"yes\": \"No\"
  \"n:1\": \"#\"
";
        assert_eq!(write(&tree), expected);
    }
}
