//! Label and field selectors.
//! Source: <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors>

use serde_json::Value;

use super::{super::ApiError, status};

/// Does an object fit a label selector of a query? An empty one fits all.
pub(super) fn labels(object: &Value, selector: &str) -> Result<bool, ApiError> {
    let labels = &object["metadata"]["labels"];
    for part in parts(selector) {
        if !fits(labels, part).ok_or_else(|| {
            status::bad_request(format!("unable to parse requirement: found '{part}', expected: a label selector"))
        })? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The requirements: commas inside of brackets do not part them.
fn parts(selector: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut begin) = (0_i32, 0);
    for (at, sign) in selector.char_indices() {
        match sign {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(selector[begin..at].trim());
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(selector[begin..].trim());
    parts.retain(|part| !part.is_empty());
    parts
}

fn fits(labels: &Value, part: &str) -> Option<bool> {
    let value = |key: &str| labels.get(key.trim()).and_then(Value::as_str);
    if let Some((key, wanted)) = part.split_once("!=") {
        return Some(value(key) != Some(wanted.trim()));
    }
    if let Some((key, wanted)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Some(value(key) == Some(wanted.trim()));
    }
    if let Some(key) = part.strip_prefix('!') {
        return Some(value(key).is_none());
    }
    if let Some((head, values)) = part.split_once('(') {
        let mut values = values.strip_suffix(')')?.split(',').map(str::trim);
        let mut head = head.split_whitespace();
        let (key, operator) = (head.next()?, head.next()?);
        let among = value(key).is_some_and(|value| values.any(|wanted| wanted == value));
        return match operator {
            "in" => Some(among),
            "notin" => Some(!among),
            _ => None,
        };
    }
    (!part.contains(char::is_whitespace)).then(|| value(part).is_some())
}

/// Does an object fit a field selector of a query?
pub(super) fn fields(object: &Value, selector: &str) -> Result<bool, ApiError> {
    for part in parts(selector) {
        let (path, wanted, equal) = match part.split_once("!=") {
            Some((path, wanted)) => (path, wanted, false),
            None => match part.split_once("==").or_else(|| part.split_once('=')) {
                Some((path, wanted)) => (path, wanted, true),
                None => {
                    return Err(status::bad_request(format!("invalid selector: '{part}'; can't understand '{part}'")));
                }
            },
        };
        let found = path.split('.').fold(object, |value, name| &value[name]);
        let found = found
            .as_str()
            .map_or_else(|| if found.is_null() { String::new() } else { found.to_string() }, str::to_owned);
        if (found == wanted) != equal {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Does a set of labels fit a `LabelSelector`? An empty one fits all, none fits nothing.
pub(super) fn label_selector(selector: &Value, labels: &Value) -> bool {
    let Some(selector) = selector.as_object() else { return false };
    let matches = selector.get("matchLabels").and_then(Value::as_object);
    let all = matches.into_iter().flatten().all(|(key, value)| labels.get(key) == Some(value));
    let expressions = selector.get("matchExpressions").and_then(Value::as_array);
    all && expressions.into_iter().flatten().all(|expression| expression_fits(expression, labels))
}

/// One `matchExpressions` entry, of labels or of nodes.
pub(super) fn expression_fits(expression: &Value, labels: &Value) -> bool {
    let found = expression["key"].as_str().and_then(|key| labels.get(key));
    let values = expression["values"].as_array().map(Vec::as_slice).unwrap_or_default();
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<i64>().ok());
    let compared = |fits: fn(i64, i64) -> bool| {
        let both = found.and_then(number).zip(values.first().and_then(number));
        both.is_some_and(|(found, wanted)| fits(found, wanted))
    };
    match expression["operator"].as_str() {
        Some("In") => found.is_some_and(|found| values.contains(found)),
        Some("NotIn") => found.is_none_or(|found| !values.contains(found)),
        Some("Exists") => found.is_some(),
        Some("DoesNotExist") => found.is_none(),
        Some("Gt") => compared(|found, wanted| found > wanted),
        Some("Lt") => compared(|found, wanted| found < wanted),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn queries() {
        let object = json!({
            "metadata": {"name": "x", "labels": {"app": "web", "tier": "front"}},
            "spec": {"nodeName": "n", "unschedulable": true},
        });
        for (selector, fits) in [
            ("", true),
            ("app=web", true),
            ("app==web,tier", true),
            ("app!=web", false),
            ("!missing,app in (web, api)", true),
            ("app notin (web,api)", false),
            ("missing notin (a)", true),
            ("missing", false),
        ] {
            assert_eq!(labels(&object, selector).unwrap(), fits, "{selector}");
        }
        assert!(labels(&object, "a b c").is_err());
        for (selector, fits) in [
            ("metadata.name=x", true),
            ("metadata.name!=x", false),
            ("spec.nodeName==n,metadata.name=x", true),
            ("spec.unschedulable=true", true),
            ("status.phase=", true),
        ] {
            assert_eq!(fields(&object, selector).unwrap(), fits, "{selector}");
        }
    }

    #[test]
    fn selectors_of_objects() {
        let labels = json!({"app": "web", "n": "5"});
        let expression =
            |operator: &str, key: &str, values: Value| json!({"key": key, "operator": operator, "values": values});
        assert!(label_selector(&json!({}), &labels));
        assert!(!label_selector(&Value::Null, &labels));
        assert!(label_selector(&json!({"matchLabels": {"app": "web"}}), &labels));
        assert!(!label_selector(&json!({"matchLabels": {"app": "api"}}), &labels));
        for (operator, key, values, fits) in [
            ("In", "app", json!(["web"]), true),
            ("NotIn", "app", json!(["web"]), false),
            ("Exists", "app", json!([]), true),
            ("DoesNotExist", "app", json!([]), false),
            ("Gt", "n", json!(["4"]), true),
            ("Lt", "n", json!(["4"]), false),
        ] {
            let selector = json!({"matchExpressions": [expression(operator, key, values)]});
            assert_eq!(label_selector(&selector, &labels), fits, "{operator}");
        }
    }
}
