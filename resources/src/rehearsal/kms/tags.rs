//! Tags of keys.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::super::params::{list as items, text, texts};
use super::super::{Account, ApiError};
use super::{changeable_id, key_mut, listed, required_key};

/// Tags of one key (KMS quotas).
const MAX_TAGS: usize = 50;

fn tag_error(message: &str) -> ApiError {
    ApiError::new(400, "TagException", message)
}

/// The tags of a request.
pub fn checked(params: &Value) -> Result<IndexMap<String, String>, ApiError> {
    let mut tags = IndexMap::new();
    for tag in items(params, "Tags") {
        let key = text(tag, "TagKey").unwrap_or_default();
        let value = text(tag, "TagValue").unwrap_or_default();
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(tag_error("A tag key must have 1 to 128 characters, a tag value 256 at most."));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(tag_error("Tag keys that begin with aws: are reserved for AWS use."));
        }
        if tags.insert(key.to_owned(), value.to_owned()).is_some() {
            return Err(tag_error("Duplicate tag keys"));
        }
    }
    if tags.len() > MAX_TAGS {
        return Err(tag_error("Too many tags"));
    }
    Ok(tags)
}

/// `TagResource`
pub fn tag(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = changeable_id(account, params)?;
    let mut tags = key_mut(account, &id)?.tags.clone();
    tags.extend(checked(params)?);
    if tags.len() > MAX_TAGS {
        return Err(tag_error("Too many tags"));
    }
    key_mut(account, &id)?.tags = tags;
    Ok(json!({}))
}

/// `UntagResource`
pub fn untag(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let id = changeable_id(account, params)?;
    let tags = &mut key_mut(account, &id)?.tags;
    for key in texts(params, "TagKeys") {
        tags.shift_remove(&key);
    }
    Ok(json!({}))
}

/// `ListResourceTags`
pub fn list(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let tags = &required_key(account, params, false)?.tags;
    let items = tags.iter().map(|(key, value)| (key.clone(), json!({"TagKey": key, "TagValue": value})));
    listed(params, "Tags", items.collect(), 50, 50)
}
