//! Reading query parameters, filters and pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::super::ApiError;
use super::Tags;

/// A refusal with HTTP status 400, which is what EC2 answers nearly always.
pub(super) fn refuse(code: &str, message: impl Into<String>) -> ApiError {
    ApiError::new(400, code, message)
}

/// A string parameter, if it is there and not empty.
pub(super) fn text<'a>(params: &'a Value, name: &str) -> Option<&'a str> {
    params.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A string parameter that must be there.
pub(super) fn required<'a>(params: &'a Value, name: &str) -> Result<&'a str, ApiError> {
    text(params, name).ok_or_else(|| missing(name))
}

/// EC2's refusal of a request without the parameter.
pub(super) fn missing(name: &str) -> ApiError {
    refuse("MissingParameter", format!("The request must contain the parameter {name}"))
}

/// The members of a list parameter.
pub(super) fn list<'a>(params: &'a Value, name: &str) -> &'a [Value] {
    match params.get(name) {
        Some(Value::Array(items)) => items,
        Some(single @ Value::String(_)) => std::slice::from_ref(single),
        _ => &[],
    }
}

/// The members of a list of strings.
pub(super) fn texts(params: &Value, name: &str) -> Vec<String> {
    list(params, name).iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// An integer parameter.
pub(super) fn number(params: &Value, name: &str) -> Result<Option<i64>, ApiError> {
    text(params, name)
        .map(|value| {
            value.parse().map_err(|_| {
                refuse(
                    "InvalidParameterValue",
                    format!("Value ({value}) for parameter {name} is invalid. Expected an integer."),
                )
            })
        })
        .transpose()
}

/// A Boolean parameter.
pub(super) fn flag(params: &Value, name: &str) -> Result<Option<bool>, ApiError> {
    match text(params, name) {
        None => Ok(None),
        Some("true" | "True" | "1") => Ok(Some(true)),
        Some("false" | "False" | "0") => Ok(Some(false)),
        Some(other) => Err(refuse(
            "InvalidParameterValue",
            format!("Invalid value '{other}' for {name}. Expected 'true' or 'false'."),
        )),
    }
}

/// One `Filter.N` of a describe call: its values are alternatives.
pub(super) struct Filter {
    name: String,
    values: Vec<String>,
}

/// The filters of a describe call: all of them must hold.
pub(super) fn filters(params: &Value) -> Result<Vec<Filter>, ApiError> {
    list(params, "Filter")
        .iter()
        .map(|filter| Ok(Filter { name: required(filter, "Name")?.to_owned(), values: texts(filter, "Value") }))
        .collect()
}

/// True when a resource with these tags and attributes passes the filters.
/// `attribute` gives a filter's values of the resource, or `None` for a filter
/// that the operation does not have.
pub(super) fn passes(
    filters: &[Filter],
    tags: &Tags,
    attribute: impl Fn(&str) -> Option<Vec<String>>,
) -> Result<bool, ApiError> {
    for filter in filters {
        let actual: Vec<String> = if let Some(key) = filter.name.strip_prefix("tag:") {
            tags.get(key).cloned().into_iter().collect()
        } else if filter.name == "tag-key" {
            tags.keys().cloned().collect()
        } else {
            attribute(&filter.name)
                .ok_or_else(|| refuse("InvalidParameterValue", format!("The filter '{}' is invalid", filter.name)))?
        };
        let matched = actual.iter().any(|value| filter.values.iter().any(|pattern| glob(pattern, value)));
        if !matched {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Filter values may hold `*` and `?`.
fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        if p < pattern.len() && pattern[p] == '*' {
            star = Some((p, t));
            p += 1;
        } else if p < pattern.len() && (pattern[p] == '?' || pattern[p] == text[t]) {
            p += 1;
            t += 1;
        } else if let Some((at, from)) = star {
            p = at + 1;
            t = from + 1;
            star = Some((at, from + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|rest| *rest == '*')
}

/// How many results one page may hold, by the operation's API page.
pub(super) struct PageLimits {
    pub least: i64,
    pub most: i64,
}

/// The limits of most describe calls.
pub(super) const USUAL_PAGE: PageLimits = PageLimits { least: 5, most: 1000 };

/// Cuts one page out of the items (id, answer), in the order of their ids. The
/// token names the last id given, so that deletions between pages lose nothing.
pub(super) fn page(
    params: &Value,
    limits: &PageLimits,
    mut items: Vec<(String, Value)>,
) -> Result<(Vec<Value>, Option<String>), ApiError> {
    let size = match number(params, "MaxResults")? {
        None => usize::MAX,
        Some(n) if n < limits.least => {
            return Err(refuse(
                "InvalidParameterValue",
                format!(
                    "Value ( {n} ) for parameter maxResults is invalid. Expecting a value greater than or equal to {}.",
                    limits.least
                ),
            ));
        }
        Some(n) => usize::try_from(n.min(limits.most)).unwrap_or(usize::MAX),
    };
    items.sort_by(|left, right| left.0.cmp(&right.0));
    if let Some(token) = text(params, "NextToken") {
        let last =
            URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(|| {
                refuse(
                    "InvalidParameterValue",
                    format!("The NextToken '{token}' is invalid: it was not given by this operation."),
                )
            })?;
        items.retain(|(id, _)| *id > last);
    }
    let next = (items.len() > size).then(|| URL_SAFE_NO_PAD.encode(&items[size - 1].0));
    items.truncate(size);
    Ok((items.into_iter().map(|(_, item)| item).collect(), next))
}

/// The answer of a describe call: the page under `name` and the next token.
pub(super) fn paged_answer(name: &str, page: (Vec<Value>, Option<String>)) -> Value {
    let mut answer = serde_json::Map::new();
    answer.insert(name.to_owned(), Value::Array(page.0));
    if let Some(token) = page.1 {
        answer.insert("nextToken".to_owned(), Value::String(token));
    }
    Value::Object(answer)
}

/// A time as EC2 writes it, e.g. `2026-11-24T12:00:00.000Z`.
pub(super) fn iso_time(ms: u64) -> String {
    i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .map(|time| format!("{time:.3}"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_values_may_hold_wildcards() {
        assert!(glob("sg-*", "sg-1"));
        assert!(glob("*ray*", "my-ray-cluster"));
        assert!(glob("a?c", "abc"));
        assert!(glob("**", ""));
        assert!(!glob("a?c", "ac"));
        assert!(!glob("ray", "rays"));
        assert!(!glob("*ray", "rays"));
    }

    #[test]
    fn times_are_written_as_ec2_writes_them() {
        assert_eq!(iso_time(1_795_521_600_123), "2026-11-24T12:00:00.123Z");
    }
}
