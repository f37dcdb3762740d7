//! The emulated S3: buckets in one name space for everybody, their configuration, and
//! objects with versions. Bucket policies are kept and checked, not enforced; lifecycle
//! rules are kept, and nothing ever grows old.
//!
//! API: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations.html>; error codes:
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>

mod bucket;
mod config;
mod list;
mod object;
mod policy;
mod tags;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::params::text;
use super::{Account, ApiError};

/// What the service holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// The account's buckets, by name.
    pub buckets: BTreeMap<String, Bucket>,
    /// Names that other accounts have.
    pub foreign: BTreeSet<String>,
}

/// A bucket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    /// Milliseconds since the epoch.
    pub created_ms: u64,
    /// `Enabled` or `Suspended`; `None` if it never had versions.
    pub versioning: Option<String>,
    /// How new objects are encrypted.
    pub encryption: Encryption,
    /// The four switches, if they are set.
    pub access_block: Option<AccessBlock>,
    /// E.g. `BucketOwnerEnforced`.
    pub ownership: Option<String>,
    /// JSON text.
    pub policy: Option<String>,
    /// The rules as they were given.
    pub lifecycle: Option<Value>,
    /// In the order in which they were set.
    pub tags: IndexMap<String, String>,
    /// Versions by key, the newest last; never empty.
    pub objects: BTreeMap<String, Vec<Version>>,
}

/// Default encryption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// `AES256` or `aws:kms`.
    pub algorithm: String,
    /// The KMS key; `None` for AWS's own.
    pub key: Option<String>,
    /// Are keys of the bucket derived, to call KMS less often?
    pub bucket_key: bool,
}

/// Public access, blocked in four ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::struct_excessive_bools)]
pub struct AccessBlock {
    /// No new public ACLs.
    pub block_acls: bool,
    /// Public ACLs count for nothing.
    pub ignore_acls: bool,
    /// No new public policies.
    pub block_policy: bool,
    /// Public policies let nobody else in.
    pub restrict: bool,
}

/// One version of an object, or a mark that it was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// `null` where versioning is not enabled.
    pub id: String,
    /// Milliseconds since the epoch.
    pub modified_ms: u64,
    /// `None` for a delete marker.
    pub content: Option<Content>,
}

/// What an object holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// In quotation marks.
    pub etag: String,
    /// Base64.
    pub body: String,
    /// Bytes.
    pub size: usize,
    /// MIME type.
    pub content_type: String,
    /// How it is encrypted.
    pub encryption: Encryption,
}

impl Bucket {
    /// A new bucket as S3 makes them since April 2023: encrypted, closed to the public, without
    /// ACLs. <https://docs.aws.amazon.com/AmazonS3/latest/userguide/create-bucket-faq.html>
    fn new(now_ms: u64) -> Self {
        Self {
            created_ms: now_ms,
            versioning: None,
            encryption: Encryption::default(),
            access_block: Some(AccessBlock { block_acls: true, ignore_acls: true, block_policy: true, restrict: true }),
            ownership: Some("BucketOwnerEnforced".to_owned()),
            policy: None,
            lifecycle: None,
            tags: IndexMap::new(),
            objects: BTreeMap::new(),
        }
    }
}

impl Default for Encryption {
    fn default() -> Self {
        Self { algorithm: "AES256".to_owned(), key: None, bucket_key: false }
    }
}

/// Lets a name belong to somebody else: the name space is everybody's.
pub fn seed_foreign(account: &mut Account, name: &str) {
    account.s3.foreign.insert(name.to_owned());
}

/// Answers one call.
///
/// # Errors
/// The service's refusal.
pub fn call(account: &mut Account, operation: &str, params: &Value) -> Result<Value, ApiError> {
    match operation {
        "CreateBucket" => bucket::create(account, params),
        "HeadBucket" => bucket::head(account, params),
        "GetBucketLocation" => bucket::location(account, params),
        "ListBuckets" => bucket::list(account, params),
        "DeleteBucket" => bucket::delete(account, params),
        "PutBucketVersioning" => config::put_versioning(account, params),
        "GetBucketVersioning" => config::versioning(account, params),
        "PutBucketEncryption" => config::put_encryption(account, params),
        "GetBucketEncryption" => config::encryption(account, params),
        "DeleteBucketEncryption" => config::delete_encryption(account, params),
        "PutPublicAccessBlock" => config::put_access_block(account, params),
        "GetPublicAccessBlock" => config::access_block(account, params),
        "DeletePublicAccessBlock" => config::delete_access_block(account, params),
        "PutBucketOwnershipControls" => config::put_ownership(account, params),
        "GetBucketOwnershipControls" => config::ownership(account, params),
        "DeleteBucketOwnershipControls" => config::delete_ownership(account, params),
        "PutBucketLifecycleConfiguration" => config::put_lifecycle(account, params),
        "GetBucketLifecycleConfiguration" => config::lifecycle(account, params),
        "DeleteBucketLifecycle" => config::delete_lifecycle(account, params),
        "PutBucketPolicy" => policy::put(account, params),
        "GetBucketPolicy" => policy::get(account, params),
        "DeleteBucketPolicy" => policy::delete(account, params),
        "PutBucketTagging" => tags::put(account, params),
        "GetBucketTagging" => tags::get(account, params),
        "DeleteBucketTagging" => tags::delete(account, params),
        "PutObject" => object::put(account, params),
        "GetObject" => object::get(account, params, true),
        "HeadObject" => object::get(account, params, false),
        "DeleteObject" => object::delete(account, params),
        "DeleteObjects" => object::delete_many(account, params),
        "ListObjectsV2" => list::objects(account, params),
        "ListObjectVersions" => list::versions(account, params),
        other => Err(ApiError::new(501, "NotImplemented", format!("The rehearsal account has no operation {other}."))),
    }
}

/// The bucket that a request names.
fn named<'a>(account: &'a Account, params: &Value) -> Result<(&'a str, &'a Bucket), ApiError> {
    let name = text(params, "Bucket").unwrap_or_default();
    if account.s3.foreign.contains(name) {
        return Err(ApiError::new(403, "AccessDenied", "Access Denied"));
    }
    let found = account.s3.buckets.get_key_value(name).map(|(name, bucket)| (name.as_str(), bucket));
    found.ok_or_else(|| no_such_bucket(name))
}

fn named_mut<'a>(account: &'a mut Account, params: &Value) -> Result<&'a mut Bucket, ApiError> {
    named(account, params)?;
    let name = text(params, "Bucket").unwrap_or_default();
    account.s3.buckets.get_mut(name).ok_or_else(|| no_such_bucket(name))
}

fn no_such_bucket(name: &str) -> ApiError {
    ApiError::new(404, "NoSuchBucket", "The specified bucket does not exist").with("BucketName", name)
}

fn malformed_xml() -> ApiError {
    let message = "The XML you provided was not well-formed or did not validate against our published schema";
    ApiError::new(400, "MalformedXML", message)
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidArgument", message)
}
