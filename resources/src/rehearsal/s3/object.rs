//! Objects: writes and deletions with conditions, versions, delete markers.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>,
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html>

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::params::{flag, list, text};
use super::super::{Account, ApiError, kms};
use super::{Bucket, Content, Encryption, Version, invalid, malformed_xml, named, named_mut};

/// "Object key names can be up to 1,024 bytes long."
const MAX_KEY: usize = 1024;

/// The object's current content; `None` if there is none or it was deleted.
pub fn current<'a>(bucket: &'a Bucket, key: &str) -> Option<(&'a Version, &'a Content)> {
    let version = bucket.objects.get(key)?.last()?;
    Some((version, version.content.as_ref()?))
}

fn no_such_key(key: &str) -> ApiError {
    ApiError::new(404, "NoSuchKey", "The specified key does not exist.").with("Key", key)
}

fn precondition(condition: &str) -> ApiError {
    ApiError::new(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        .with("Condition", condition)
}

/// ETags count with and without quotation marks.
fn same(given: &str, etag: &str) -> bool {
    given == "*" || given.trim_matches('"') == etag.trim_matches('"')
}

fn check_if_match(bucket: &Bucket, key: &str, given: Option<&str>) -> Result<(), ApiError> {
    let Some(given) = given else { return Ok(()) };
    match current(bucket, key) {
        None => Err(no_such_key(key)),
        Some((_, content)) if same(given, &content.etag) => Ok(()),
        Some(_) => Err(precondition("If-Match")),
    }
}

/// `PutObject`
pub fn put(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let (_, bucket) = named(account, params)?;
    let key = text(params, "Key").unwrap_or_default();
    if key.len() > MAX_KEY {
        return Err(ApiError::new(400, "KeyTooLongError", "Your key is too long"));
    }
    let encryption = encryption(account, bucket, params)?;
    match text(params, "IfNoneMatch") {
        None => {}
        Some("*") if current(bucket, key).is_some() => return Err(precondition("If-None-Match")),
        Some("*") => {}
        Some(_) => {
            let message = "A header you provided implies functionality that is not implemented";
            return Err(ApiError::new(501, "NotImplemented", message).with("Header", "If-None-Match"));
        }
    }
    check_if_match(bucket, key, text(params, "IfMatch"))?;
    let body = text(params, "Body").unwrap_or_default();
    let bytes = STANDARD.decode(body).map_err(|_| invalid("the body is not base64"))?;
    // "ETags of objects encrypted with KMS are no digest of their content": API_Object.
    let etag = if encryption.algorithm == "AES256" {
        format!("\"{}\"", hex::encode(&Sha256::digest(&bytes)[..16]))
    } else {
        format!("\"{}\"", account.draw_hex(32))
    };
    let content = Content {
        etag: etag.clone(),
        body: body.to_owned(),
        size: bytes.len(),
        content_type: text(params, "ContentType").unwrap_or("binary/octet-stream").to_owned(),
        encryption: encryption.clone(),
    };
    let id = add(account, params, key, Some(content))?;
    Ok(json!({
        "ETag": etag,
        "VersionId": id,
        "ServerSideEncryption": encryption.algorithm,
        "SSEKMSKeyId": encryption.key,
        "BucketKeyEnabled": encryption.bucket_key.then_some(true),
    }))
}

/// As asked for, or as the bucket says. The key must be usable.
fn encryption(account: &Account, bucket: &Bucket, params: &Value) -> Result<Encryption, ApiError> {
    let mut encryption = match text(params, "ServerSideEncryption") {
        None => bucket.encryption.clone(),
        Some(known @ ("AES256" | "aws:kms" | "aws:kms:dsse")) => Encryption {
            algorithm: known.to_owned(),
            key: text(params, "SSEKMSKeyId").map(str::to_owned),
            bucket_key: flag(params, "BucketKeyEnabled").unwrap_or(bucket.encryption.bucket_key && known == "aws:kms"),
        },
        Some(_) => return Err(invalid("The encryption method specified is not supported")),
    };
    let Some(name) = &encryption.key else { return Ok(encryption) };
    let refuse = |code: &str, message: String| Err(ApiError::new(400, code, message));
    match kms::find(account, name) {
        None => refuse("KMS.NotFoundException", format!("Key '{name}' does not exist")),
        Some(key) if key.state() == "Disabled" => refuse("KMS.DisabledException", format!("{} is disabled.", key.arn)),
        Some(key) if key.state() != "Enabled" => {
            refuse("KMS.KMSInvalidStateException", format!("{} is pending deletion.", key.arn))
        }
        Some(key) => {
            encryption.key = Some(key.arn.clone());
            Ok(encryption)
        }
    }
}

/// Puts a version or a delete marker on top. Gives its id where there are versions.
fn add(account: &mut Account, params: &Value, key: &str, content: Option<Content>) -> Result<Option<String>, ApiError> {
    let modified_ms = account.now_ms;
    let drawn = account.draw_hex(32);
    let bucket = named_mut(account, params)?;
    let versions = bucket.objects.entry(key.to_owned()).or_default();
    let id = if bucket.versioning.as_deref() == Some("Enabled") { drawn } else { "null".to_owned() };
    // Without versioning, and while it is suspended, there is one version without a name.
    versions.retain(|version| version.id != id);
    versions.push(Version { id: id.clone(), modified_ms, content });
    Ok(bucket.versioning.is_some().then_some(id))
}

fn http_date(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1000).unwrap_or(i64::MAX);
    let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::MAX);
    time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// `GetObject` and `HeadObject`
pub fn get(account: &Account, params: &Value, with_body: bool) -> Result<Value, ApiError> {
    let (_, bucket) = named(account, params)?;
    let key = text(params, "Key").unwrap_or_default();
    let versions = bucket.objects.get(key).map(Vec::as_slice).unwrap_or_default();
    let version = match text(params, "VersionId") {
        None => versions.last().filter(|version| version.content.is_some()).ok_or_else(|| no_such_key(key))?,
        Some(id) => versions.iter().find(|version| version.id == id).ok_or_else(|| {
            ApiError::new(404, "NoSuchVersion", "The specified version does not exist.").with("Key", key)
        })?,
    };
    let Some(content) = &version.content else {
        let message = "The specified method is not allowed against this resource.";
        return Err(ApiError::new(405, "MethodNotAllowed", message).with("Method", "GET"));
    };
    if text(params, "IfMatch").is_some_and(|given| !same(given, &content.etag)) {
        return Err(precondition("If-Match"));
    }
    let mut answer = json!({
        "Date": http_date(account.now_ms),
        "ETag": content.etag,
        "LastModified": http_date(version.modified_ms),
        "ContentLength": content.size,
        "ContentType": content.content_type,
        "VersionId": bucket.versioning.as_ref().map(|_| &version.id),
        "ServerSideEncryption": content.encryption.algorithm,
        "SSEKMSKeyId": content.encryption.key,
        "BucketKeyEnabled": content.encryption.bucket_key.then_some(true),
    });
    if with_body {
        answer["Body"] = content.body.as_str().into();
    }
    Ok(answer)
}

/// `DeleteObject`: nothing to delete is success.
pub fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let (_, bucket) = named(account, params)?;
    let key = text(params, "Key").unwrap_or_default();
    check_if_match(bucket, key, text(params, "IfMatch"))?;
    remove(account, params, key, text(params, "VersionId"))
}

fn remove(account: &mut Account, params: &Value, key: &str, version: Option<&str>) -> Result<Value, ApiError> {
    let bucket = named_mut(account, params)?;
    if let Some(id) = version {
        let versions = bucket.objects.entry(key.to_owned()).or_default();
        let marker = versions.iter().any(|version| version.id == id && version.content.is_none());
        versions.retain(|version| version.id != id);
        if versions.is_empty() {
            bucket.objects.remove(key);
        }
        return Ok(json!({"VersionId": id, "DeleteMarker": marker.then_some(true)}));
    }
    if bucket.versioning.is_none() {
        bucket.objects.remove(key);
        return Ok(json!({}));
    }
    let id = add(account, params, key, None)?;
    Ok(json!({"VersionId": id, "DeleteMarker": true}))
}

/// `DeleteObjects`: up to a thousand; each has its own outcome.
pub fn delete_many(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    named(account, params)?;
    let objects = list(params, "Object").to_vec();
    if objects.is_empty() || objects.len() > 1000 {
        return Err(malformed_xml());
    }
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for object in &objects {
        let key = text(object, "Key").unwrap_or_default();
        let version = text(object, "VersionId");
        let (_, bucket) = named(account, params)?;
        match check_if_match(bucket, key, text(object, "ETag")) {
            Ok(()) => {
                let done = remove(account, params, key, version)?;
                let marker = done["DeleteMarker"] == true;
                let mut line = json!({"Key": key, "VersionId": version, "DeleteMarker": marker.then_some(true)});
                if marker {
                    line["DeleteMarkerVersionId"] = done["VersionId"].clone();
                }
                deleted.push(line);
            }
            Err(error) => errors.push(json!({
                "Key": key, "VersionId": version, "Code": error.code, "Message": error.message,
            })),
        }
    }
    let quiet = flag(params, "Quiet") == Some(true);
    Ok(json!({"Deleted": if quiet { Vec::new() } else { deleted }, "Error": errors}))
}
