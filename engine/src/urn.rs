//! Names of resources within a stack.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The logical identity of a resource: `KIND/NAME`, e.g. `aws:eks:NodeGroup/cpu`.
///
/// It stays the same for the life of the stack; the physical object behind it
/// may be replaced (see [`crate::store::ObjectKey`]). Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Urn(Arc<str>);

/// Why a text is not a [`Urn`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a resource name: {reason} (expected KIND/NAME, e.g. aws:iam:Role/cluster)")]
pub struct UrnError {
    text: String,
    reason: &'static str,
}

impl Urn {
    /// Joins a kind's [`crate::provider::Provider::TYPE`] and a name.
    ///
    /// # Errors
    /// An empty part, a `/` in the kind, or white space or control characters.
    pub fn new(kind: &str, name: &str) -> Result<Self, UrnError> {
        format!("{kind}/{name}").parse()
    }

    /// The kind, e.g. `aws:eks:NodeGroup`.
    pub fn kind(&self) -> &str {
        self.0.split_once('/').map_or("", |(kind, _)| kind)
    }

    /// The name within the kind, e.g. `cpu`.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Urn {
    type Err = UrnError;

    fn from_str(text: &str) -> Result<Self, UrnError> {
        let refuse = |reason| Err(UrnError { text: text.to_owned(), reason });
        let Some((kind, name)) = text.split_once('/') else {
            return refuse("it has no `/`");
        };
        if kind.is_empty() || name.is_empty() {
            return refuse("a part of it is empty");
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return refuse("it contains white space or control characters");
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Urn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Urn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Urn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Urn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn parts() {
        let urn = Urn::new("aws:iam:RolePolicyAttachment", "node/worker").unwrap();
        assert_eq!(urn.kind(), "aws:iam:RolePolicyAttachment");
        assert_eq!(urn.name(), "node/worker");
    }

    #[test]
    fn refused() {
        for text in ["", "a", "/a", "a/", "a/b c", "a/\n"] {
            assert!(text.parse::<Urn>().is_err(), "{text:?}");
        }
    }
}
