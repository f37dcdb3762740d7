//! The manifest's reference, made from its schema: what `rayplat schema --markdown` prints and
//! `docs/manifest.md` holds.

use serde_json::{Map, Value};

use super::check::choices;
use super::formats;
use super::schema::schema;
use super::spans::key_path;

const INTRODUCTION: &str = "\
# The manifest

Every key of `rayplat.yaml`, with its form, its default and its meaning. Made from the JSON Schema by
`rayplat schema --markdown`. `rayplat validate` checks a manifest against all of this and more, and says line, column,
reason and cure; `examples/` has manifests to begin with.

A default that depends on other keys stands in the text. `<name>` is a name that you choose.
";

/// The reference, as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    section(&mut text, schema(), "", "Top level");
    text
}

/// A mapping's keys as a table, then the mappings below it.
fn section(text: &mut String, mapping: &Value, path: &str, title: &str) {
    let Some(properties) = mapping.get("properties").and_then(Value::as_object) else { return };
    text.push_str(&format!("\n## {title}\n\n"));
    if let Some(description) = mapping.get("description").and_then(Value::as_str).filter(|_| !path.is_empty()) {
        text.push_str(&format!("{description}\n\n"));
    }
    text.push_str("| key | form | default | meaning |\n|---|---|---|---|\n");
    let required = mapping.get("required").and_then(Value::as_array).cloned().unwrap_or_default();
    for (key, property) in properties {
        let target = resolved(property);
        let default = if required.contains(&Value::String(key.clone())) {
            "**required**".to_owned()
        } else {
            property.get("default").map_or_else(String::new, default)
        };
        let meaning = [property, target].into_iter().find_map(|schema| schema.get("description")?.as_str());
        let meaning = meaning.unwrap_or_default().replace('|', "\\|");
        text.push_str(&format!("| `{key}` | {} | {default} | {meaning} |\n", form(target, &key_path(path, key))));
    }
    for (key, property) in properties {
        let (target, path) = (resolved(property), key_path(path, key));
        if let Some((inner, path)) = inside(target, &path) {
            section(text, inner, &path, &format!("`{path}`"));
        }
    }
}

/// The mapping that a key leads to, with its path: itself, or that of its members.
fn inside<'a>(target: &'a Value, path: &str) -> Option<(&'a Value, String)> {
    if target.get("properties").is_some() {
        return Some((target, path.to_owned()));
    }
    let members = target.get("additionalProperties").map(|all| (all, format!("{path}.<name>")));
    let items = target.get("items").map(|items| (items, format!("{path}[]")));
    let (inner, path) = members.or(items)?;
    let inner = resolved(inner);
    inner.get("properties").is_some().then_some((inner, path))
}

/// What a `$ref` leads to.
fn resolved(schema: &Value) -> &Value {
    let target = schema.get("$ref").and_then(Value::as_str).map(|target| target.trim_start_matches('#'));
    target.and_then(|target| self::schema().pointer(target)).unwrap_or(schema)
}

fn form(target: &Value, path: &str) -> String {
    let Some(keywords) = target.as_object() else { return "anything".to_owned() };
    if let Some(choices) = choices(keywords) {
        let words: Vec<String> = choices.into_iter().map(code).collect();
        return words.join(", ");
    }
    if let Some(Value::Array(forms)) = keywords.get("anyOf") {
        return forms.iter().map(|one| form(one, path)).collect::<Vec<_>>().join("; or ");
    }
    match keywords.get("type").and_then(Value::as_str) {
        Some("string") => string(keywords),
        Some("integer") => format!("whole number{}", range(keywords, "minimum", "maximum")),
        Some("boolean") => "`true`, `false`".to_owned(),
        Some("array") => {
            let items = keywords.get("items").map(resolved);
            let count = range(keywords, "minItems", "maxItems");
            let count = if count.is_empty() { count } else { format!("{count} entries") };
            match items {
                Some(items) if items.get("properties").is_some() => format!("list of [`{path}[]`](#{})", anchor(path)),
                items => format!("list of {}{count}", items.map_or_else(|| "anything".to_owned(), |it| form(it, path))),
            }
        }
        Some("object") => match inside(target, path) {
            Some((_, inner)) if inner == *path => format!("[mapping](#{})", anchor(path)),
            Some((_, inner)) => format!("mapping of names to [`{inner}`](#{})", anchor(&inner)),
            None => match keywords.get("additionalProperties").map(resolved) {
                Some(members) if members.is_object() => format!("mapping of names to {}", form(members, path)),
                _ => "mapping".to_owned(),
            },
        },
        _ => "anything".to_owned(),
    }
}

fn string(keywords: &Map<String, Value>) -> String {
    let pattern = keywords.get("pattern").and_then(Value::as_str).and_then(formats::by_pattern);
    pattern.map_or_else(|| "text".to_owned(), |format| format!("text, like `{}`", format.example))
}

fn range(keywords: &Map<String, Value>, least: &str, most: &str) -> String {
    match (keywords.get(least), keywords.get(most)) {
        (Some(least), Some(most)) => format!(", {least} to {most}"),
        (Some(least), None) => format!(", at least {least}"),
        (None, Some(most)) => format!(", at most {most}"),
        (None, None) => String::new(),
    }
}

/// Defaults of whole mappings are those of their keys.
fn default(value: &Value) -> String {
    match value {
        Value::Object(_) | Value::Null => String::new(),
        Value::Array(items) if items.is_empty() => "none".to_owned(),
        Value::Array(items) => items.iter().map(code).collect::<Vec<_>>().join(", "),
        other => code(other),
    }
}

fn code(value: &Value) -> String {
    format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// The anchor that a heading of this path gets: GitHub keeps letters, digits, `-` and `_`.
fn anchor(path: &str) -> String {
    let kept = path.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c));
    kept.collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The file that people read is the schema's word for word.
    #[test]
    fn the_reference_is_up_to_date() {
        let file = include_str!("../../../../docs/manifest.md");
        assert!(file == markdown(), "run `cargo run --release -- schema --markdown > docs/manifest.md`");
    }

    #[test]
    fn every_link_has_its_heading() {
        let text = markdown();
        let headings: Vec<String> = text.lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect();
        let mut links = 0;
        for link in text.split("](#").skip(1) {
            let target = link.split(')').next().unwrap_or_default();
            assert!(headings.iter().any(|heading| heading == target), "{target} is no heading of {headings:?}");
            links += 1;
        }
        assert!(links > 10, "{links}");
    }

    /// One row for each key of each mapping.
    #[test]
    fn every_key_has_its_row() {
        fn keys(schema: &Value, found: &mut Vec<String>) {
            match schema {
                Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
                Value::Object(map) => {
                    let properties = map.get("properties").and_then(Value::as_object);
                    found.extend(properties.into_iter().flat_map(|all| all.keys().cloned()));
                    map.values().for_each(|value| keys(value, found));
                }
                _ => {}
            }
        }
        let (mut all, text) = (Vec::new(), markdown());
        keys(schema(), &mut all);
        for key in all {
            assert!(text.contains(&format!("| `{key}` |")), "{key}");
        }
    }
}
