//! The port to an object store with conditional writes: named objects, each read and
//! written as a whole, as S3 has them. What keeps state there needs no more.

use std::time::Duration;

use crate::provider::BoxFuture;

/// Names one content of an object: it changes with every write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ETag(pub String);

/// An object as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its content.
    pub body: Vec<u8>,
    /// Names this content.
    pub etag: ETag,
    /// How long ago it was written, both moments by the store's own clock.
    pub age: Duration,
}

/// Objects under one prefix. Reads see every write that has been acknowledged, and so do
/// lists (S3 since December 2020:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel>).
///
/// An implementation repeats what had no effect (throttling, a conflict of two calls at the
/// same moment) and reads; it never repeats a write whose outcome it does not know.
pub trait ObjectStore: Send + Sync + 'static {
    /// Where it is, for people: `s3://bucket/prefix`.
    fn place(&self) -> String;

    /// Reads an object; `None` if there is none.
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Fetched>, ObjectError>>;

    /// Writes an object that must not exist. [`ObjectError::Conflict`] if it does.
    fn put_if_absent<'a>(&'a self, key: &'a str, body: &'a [u8]) -> BoxFuture<'a, Result<ETag, ObjectError>>;

    /// Writes an object in place of exactly this content. [`ObjectError::Conflict`] if there is
    /// another or none.
    fn put_if_match<'a>(
        &'a self,
        key: &'a str,
        body: &'a [u8],
        etag: &'a ETag,
    ) -> BoxFuture<'a, Result<ETag, ObjectError>>;

    /// Deletes an object; none is success.
    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), ObjectError>>;

    /// The keys that begin with `prefix`, in order.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, ObjectError>>;
}

/// Why an object cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// What must hold for the write does not; it had no effect.
    #[error("something else was written there")]
    Conflict,
    /// Nobody knows whether the write took effect.
    #[error("{0}")]
    Ambiguous(String),
    /// The place itself does not exist.
    #[error("{reason}")]
    NoPlace {
        /// What is missing.
        reason: String,
        /// How to make it.
        hint: String,
    },
    /// The caller may not do this.
    #[error("{reason}")]
    Denied {
        /// What was refused.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// Anything else; it had no effect.
    #[error("{reason}")]
    Failed {
        /// Why.
        reason: String,
        /// What to do.
        hint: String,
    },
}
