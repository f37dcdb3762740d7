//! What all of IAM's operations check alike, and IAM's words for it.

use indexmap::IndexMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::super::ApiError;
use super::super::params::{self, constraint, number, page, text};

/// What RFC 3986 leaves as it is: IAM encodes the policy documents in its answers so.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Tags of one entity (IAM quotas).
const MAX_TAGS: usize = 50;

/// A policy document as IAM's answers show it.
pub fn encoded(document: &str) -> String {
    utf8_percent_encode(document, ENCODED).to_string()
}

/// IAM's refusal of a malformed parameter.
pub fn validation(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "ValidationError", message)
}

/// IAM's refusal of what does not exist.
pub fn no_such_entity(message: impl Into<String>) -> ApiError {
    ApiError::new(404, "NoSuchEntity", message)
}

/// IAM's refusal to delete what is in use.
pub fn delete_conflict(message: &str) -> ApiError {
    ApiError::new(409, "DeleteConflict", message)
}

/// IAM's refusal of one too many.
pub fn limit_exceeded(quota: &str, limit: usize) -> ApiError {
    ApiError::new(409, "LimitExceeded", format!("Cannot exceed quota for {quota}: {limit}"))
}

/// The member as validation messages name it.
fn member_name(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// A text that must be there.
pub fn required<'a>(params: &'a Value, name: &str) -> Result<&'a str, ApiError> {
    text(params, name).ok_or_else(|| validation(constraint("", &member_name(name), "Member must not be null")))
}

/// A name: of `[\w+=,.@-]`, at least one and at most `longest` characters.
pub fn required_name<'a>(params: &'a Value, member: &str, longest: usize) -> Result<&'a str, ApiError> {
    let name = required(params, member)?;
    let shown = member_name(member);
    if name.is_empty() {
        let rule = "Member must have length greater than or equal to 1";
        return Err(validation(constraint(name, &shown, rule)));
    }
    if name.chars().count() > longest {
        let rule = format!("Member must have length less than or equal to {longest}");
        return Err(validation(constraint(name, &shown, &rule)));
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte)) {
        return Err(validation(format!(
            "The specified value for {shown} is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
        )));
    }
    Ok(name)
}

/// The path of a new entity: `/` or `/.../`, at most 512 characters.
pub fn path(params: &Value) -> Result<String, ApiError> {
    let path = text(params, "Path").unwrap_or("/");
    let well_formed = path.len() <= 512
        && path.starts_with('/')
        && path.ends_with('/')
        && path.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    if !well_formed {
        return Err(validation(
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters.",
        ));
    }
    Ok(path.to_owned())
}

/// A description: at most 1000 characters.
pub fn description(params: &Value) -> Result<String, ApiError> {
    let description = text(params, "Description").unwrap_or_default();
    if description.chars().count() > 1000 {
        let rule = "Member must have length less than or equal to 1000";
        return Err(validation(constraint(description, "description", rule)));
    }
    Ok(description.to_owned())
}

/// Tags of a request, checked, added to what is there.
pub fn add_tags(tags: &mut IndexMap<String, String>, params: &Value) -> Result<(), ApiError> {
    let mut merged = tags.clone();
    let mut seen = Vec::new();
    for tag in params::list(params, "Tags") {
        let (key, value) = (required(tag, "Key")?, text(tag, "Value").unwrap_or_default());
        let folded = key.to_lowercase();
        if folded.starts_with("aws:") {
            return Err(ApiError::new(400, "InvalidInput", "System tags cannot be added/updated by the requester."));
        }
        if key.is_empty() || key.chars().count() > 128 {
            let rule = "Member must have length between 1 and 128";
            return Err(validation(constraint(key, "tags.1.member.key", rule)));
        }
        if value.chars().count() > 256 {
            let rule = "Member must have length less than or equal to 256";
            return Err(validation(constraint(value, "tags.1.member.value", rule)));
        }
        if seen.contains(&folded) {
            let message = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
            return Err(ApiError::new(400, "InvalidInput", message));
        }
        // A key in another case replaces the one that is there.
        merged.retain(|known, _| known == key || known.to_lowercase() != folded);
        merged.insert(key.to_owned(), value.to_owned());
        seen.push(folded);
    }
    if merged.len() > MAX_TAGS {
        return Err(ApiError::new(409, "LimitExceeded", "The number of tags has reached the maximum limit."));
    }
    *tags = merged;
    Ok(())
}

/// Takes the tags of a request off.
pub fn remove_tags(tags: &mut IndexMap<String, String>, params: &Value) {
    for key in params::texts(params, "TagKeys") {
        tags.shift_remove(&key);
    }
}

/// Tags as an answer shows them.
pub fn shown_tags(tags: &IndexMap<String, String>) -> Vec<Value> {
    params::tags_to_list(tags, "Key", "Value")
}

/// One page of a list under the name `member`, in the form of all of IAM's lists.
pub fn listed(params: &Value, member: &str, items: Vec<(String, Value)>) -> Result<Value, ApiError> {
    let limit = number(params, "MaxItems").unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        let rule = if limit < 1 {
            "Member must have value greater than or equal to 1"
        } else {
            "Member must have value less than or equal to 1000"
        };
        return Err(validation(constraint(&limit.to_string(), "maxItems", rule)));
    }
    let page = page(items, text(params, "Marker"), usize::try_from(limit).unwrap_or(100))
        .ok_or_else(|| validation("Invalid Marker."))?;
    let mut answer = Map::new();
    answer.insert(member.to_owned(), Value::Array(page.items));
    answer.insert("IsTruncated".to_owned(), json!(page.next.is_some()));
    if let Some(next) = page.next {
        answer.insert("Marker".to_owned(), json!(next));
    }
    Ok(Value::Object(answer))
}

/// The tags of an entity, by pages.
pub fn list_tags(tags: &IndexMap<String, String>, params: &Value) -> Result<Value, ApiError> {
    let keys = tags.keys().cloned();
    listed(params, "Tags", keys.zip(shown_tags(tags)).collect())
}
