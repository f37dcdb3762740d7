//! Tags of buckets.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::super::params::{tag_list, tags_to_list};
use super::super::{Account, ApiError};
use super::{malformed_xml, named, named_mut};

/// Tags of one bucket.
const MAX_TAGS: usize = 50;

fn wrong(message: &str) -> ApiError {
    ApiError::new(400, "InvalidTag", message)
}

/// The tags of a request: `{"Tag": [...]}`, or nothing.
pub fn checked(given: Option<&Value>) -> Result<IndexMap<String, String>, ApiError> {
    let Some(given) = given.filter(|given| *given != "") else {
        return Ok(IndexMap::new());
    };
    let count = given.get("Tag").and_then(Value::as_array).map_or(0, Vec::len);
    let tags = tag_list(given, "Tag", "Key", "Value");
    if tags.len() != count {
        return Err(wrong("Cannot provide multiple Tags with the same key"));
    }
    for (key, value) in &tags {
        if key.is_empty() || key.chars().count() > 128 {
            return Err(wrong("The TagKey you have provided is invalid"));
        }
        if value.chars().count() > 256 {
            return Err(wrong("The TagValue you have provided is invalid"));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(wrong("System tags cannot be added/updated by requester"));
        }
    }
    if tags.len() > MAX_TAGS {
        return Err(ApiError::new(400, "BadRequest", "Bucket tag count cannot be greater than 50"));
    }
    Ok(tags)
}

/// `PutBucketTagging`: the whole set, in place of the present one.
pub fn put(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let bucket = named_mut(account, params)?;
    bucket.tags = checked(Some(params.get("TagSet").ok_or_else(malformed_xml)?))?;
    Ok(json!({}))
}

/// `GetBucketTagging`
pub fn get(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let (name, bucket) = named(account, params)?;
    if bucket.tags.is_empty() {
        return Err(ApiError::new(404, "NoSuchTagSet", "The TagSet does not exist").with("BucketName", name));
    }
    Ok(json!({"TagSet": {"Tag": tags_to_list(&bucket.tags, "Key", "Value")}}))
}

/// `DeleteBucketTagging`
pub fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    named_mut(account, params)?.tags.clear();
    Ok(json!({}))
}
