//! The syntax of AWS tags and of Kubernetes labels and taints.

use std::collections::BTreeMap;

use super::super::diagnostic::{Code, Diagnostic, quoted};
use super::super::spans::key_path;
use super::super::types::Taint;
use super::Context;

/// How many tags a manifest may have: AWS takes 50 on a resource, and rayplat
/// and the cluster autoscaler set some of their own.
const MAX_TAGS: usize = 45;

pub fn check_tags(context: &mut Context<'_>) {
    let Some(tags) = context.section::<BTreeMap<String, String>>("/tags") else {
        return;
    };
    if tags.len() > MAX_TAGS {
        let found = Diagnostic::error(
            Code::OutOfRange,
            format!("there are {} tags; AWS takes 50 on a resource, and 5 of them are rayplat's own", tags.len()),
            format!("remove {}", tags.len() - MAX_TAGS),
        );
        context.at_key("tags", found);
    }
    for (key, value) in &tags {
        let path = key_path("tags", key);
        let lower = key.to_lowercase();
        if let Some(prefix) = ["aws:", "rayplat:"].iter().find(|prefix| lower.starts_with(**prefix)) {
            let owner = if *prefix == "aws:" { "AWS" } else { "rayplat" };
            let found = Diagnostic::error(
                Code::BadFormat,
                format!("tag keys that begin with `{prefix}` belong to {owner}"),
                "choose another key",
            );
            context.at_key(&path, found);
        }
        tag_text(context, &path, key, "key", (1, 128));
        tag_text(context, &path, value, "value", (0, 256));
    }
}

/// The characters that every AWS service takes in tags (Tag Editor user guide).
fn tag_text(context: &mut Context<'_>, path: &str, text: &str, part: &str, (least, most): (usize, usize)) {
    let length = text.chars().count();
    let found = if length < least {
        Diagnostic::error(Code::OutOfRange, "a tag's key cannot be empty", "write a key")
    } else if length > most {
        Diagnostic::error(
            Code::OutOfRange,
            format!("a tag's {part} has at most {most} characters, and this one {length}"),
            format!("take away {}", length - most),
        )
    } else if let Some(wrong) = text.chars().find(|c| !(c.is_alphanumeric() || *c == ' ' || "_.:/=+-@".contains(*c))) {
        Diagnostic::error(
            Code::BadFormat,
            format!("a tag's {part} cannot have the character {}", quoted(&wrong.to_string())),
            "use letters, digits, spaces and _ . : / = + - @",
        )
    } else {
        return;
    };
    if part == "key" {
        context.at_key(path, found);
    } else {
        context.at(path, found);
    }
}

/// Labels of any object.
pub fn check_syntax(context: &mut Context<'_>, path: &str, labels: &BTreeMap<String, String>) {
    for (key, value) in labels {
        let path = key_path(path, key);
        if let Err(reason) = label_key(key) {
            let message = format!("{} is not a Kubernetes label key: {reason}", quoted(key));
            let cure = "write a key like team or example.com/team";
            context.at_key(&path, Diagnostic::error(Code::BadFormat, message, cure));
        }
        label_value(context, &path, value, "label");
    }
}

/// Labels of nodes.
pub fn check_labels(context: &mut Context<'_>, path: &str, labels: &BTreeMap<String, String>) {
    check_syntax(context, path, labels);
    for key in labels.keys().filter(|key| label_key(key).is_ok()) {
        if let Some(prefix) = reserved(key) {
            let found = Diagnostic::warning(
                Code::Risk,
                format!("label keys under {prefix} are reserved, and EKS refuses most of them"),
                "choose a key under a domain of your own",
            )
            .rule("reserved-label");
            context.at_key(&key_path(path, key), found);
        }
    }
}

pub fn check_taints(context: &mut Context<'_>, path: &str, taints: &[Taint]) {
    let mut seen: Vec<(&str, _)> = Vec::new();
    for (index, taint) in taints.iter().enumerate() {
        let path = format!("{path}[{index}]");
        if let Err(reason) = label_key(&taint.key) {
            let message = format!("{} is not a taint key: {reason}", quoted(&taint.key));
            let cure = "write a key like nvidia.com/gpu";
            let found = Diagnostic::error(Code::BadFormat, message, cure);
            context.at(&format!("{path}.key"), found);
        }
        label_value(context, &format!("{path}.value"), &taint.value, "taint");
        let pair = (taint.key.as_str(), taint.effect);
        if seen.contains(&pair) {
            let found = Diagnostic::error(
                Code::Conflict,
                format!("the taint {} has this effect twice", quoted(&taint.key)),
                "remove one of the two: key and effect together name a taint",
            );
            context.at(&path, found);
        }
        seen.push(pair);
    }
}

fn reserved(key: &str) -> Option<&str> {
    let (prefix, _) = key.split_once('/')?;
    ["kubernetes.io", "k8s.io", "eks.amazonaws.com"]
        .into_iter()
        .find(|domain| prefix == *domain || prefix.ends_with(&format!(".{domain}")))
}

/// An optional DNS name and a slash, then a name (Kubernetes documentation,
/// "Labels and Selectors: Syntax and character set").
fn label_key(key: &str) -> Result<(), String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if let Some(prefix) = prefix {
        let part = |part: &str| {
            let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
            edge(part.chars().next())
                && edge(part.chars().next_back())
                && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        if prefix.len() > 253 || !prefix.split('.').all(part) {
            return Err("what stands before the slash must be a DNS name".to_owned());
        }
    }
    if name.is_empty() {
        return Err("the name is empty".to_owned());
    }
    qualified(name)
}

fn label_value(context: &mut Context<'_>, path: &str, value: &str, of: &str) {
    if value.is_empty() {
        return;
    }
    if let Err(reason) = qualified(value) {
        let message = format!("{} is not a {of} value: {reason}", quoted(value));
        let cure = "use at most 63 letters, digits, `-`, `_` and `.`";
        context.at(path, Diagnostic::error(Code::BadFormat, message, cure));
    }
}

fn qualified(text: &str) -> Result<(), String> {
    let length = text.chars().count();
    if length > 63 {
        return Err(format!("it has {length} characters, and 63 are allowed"));
    }
    if let Some(wrong) = text.chars().find(|c| !(c.is_ascii_alphanumeric() || "-_.".contains(*c))) {
        return Err(format!("it has the character {}", quoted(&wrong.to_string())));
    }
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if !edge(text.chars().next()) || !edge(text.chars().next_back()) {
        return Err("it must begin and end with a letter or a digit".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_keys_are_those_of_kubernetes() {
        for key in ["a", "team", "nvidia.com/gpu", "a-b.c_d", "x.y-z.io/A.b"] {
            assert_eq!(label_key(key), Ok(()), "{key}");
        }
        for key in ["", "/a", "a/", "a/b/c", "-a", "a-", "A.com/b", "a..b/c", "é", "a b"] {
            assert!(label_key(key).is_err(), "{key}");
        }
        assert!(label_key(&"a".repeat(64)).is_err());
        assert!(label_key(&format!("{}/a", "a".repeat(254))).is_err());
    }

    #[test]
    fn reserved_prefixes_are_domains() {
        assert_eq!(reserved("node.kubernetes.io/a"), Some("kubernetes.io"));
        assert_eq!(reserved("eks.amazonaws.com/nodegroup"), Some("eks.amazonaws.com"));
        assert_eq!(reserved("mykubernetes.io/a"), None);
        assert_eq!(reserved("team"), None);
    }
}
