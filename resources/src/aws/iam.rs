//! What the IAM kinds share: tags and documents as IAM writes them.

use aws_sdk_iam::types::Tag;
use rayplat_engine::error::{ErrorClass, ProviderError};
use serde_json::Value;

use super::{Tags, policy};

/// Tags for a request.
///
/// # Errors
/// A tag without key or value.
pub(super) fn to_tags(tags: &Tags) -> Result<Vec<Tag>, ProviderError> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect::<Result<_, _>>()
        .map_err(|error| ProviderError::new(ErrorClass::Invalid, format!("a tag is incomplete: {error}")))
}

/// Tags of an answer.
pub(super) fn from_tags(tags: &[Tag]) -> Tags {
    tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
}

/// A document of an answer: IAM gives it URL-encoded (RFC 3986).
/// Source: <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetRolePolicy.html>
///
/// # Errors
/// It is not JSON.
pub(super) fn document(encoded: &str) -> Result<Value, ProviderError> {
    policy::parse(&percent_encoding::percent_decode_str(encoded).decode_utf8_lossy())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn documents_are_decoded() {
        assert_eq!(document("%7B%22Version%22%3A%222012-10-17%22%7D"), Ok(json!({"Version": "2012-10-17"})));
        assert!(document("%7B").is_err());
    }
}
