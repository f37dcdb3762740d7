//! The refusals of the emulated services, in AWS's codes and words.

use serde_json::{Map, Value};

/// An error answer of a service, before it is put on the wire.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiError {
    /// HTTP status, e.g. 400, 404, 409.
    pub status: u16,
    /// AWS's error code, e.g. `ResourceInUseException` or `DeleteConflict`.
    pub code: String,
    /// The message in AWS's words.
    pub message: String,
    /// Further members of the error shape (restJson and awsJson only), e.g.
    /// `clusterName`.
    pub members: Box<Map<String, Value>>,
}

impl ApiError {
    /// An error with no further members.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), members: Box::new(Map::new()) }
    }

    /// Adds a member to the error's shape.
    #[must_use]
    pub fn with(mut self, member: &str, value: impl Into<Value>) -> Self {
        self.members.insert(member.to_owned(), value.into());
        self
    }
}
