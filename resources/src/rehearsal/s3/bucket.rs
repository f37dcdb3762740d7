//! Buckets themselves.

use serde_json::{Value, json};

use super::super::params::{iso_time, number, page, text};
use super::super::{Account, ApiError};
use super::{Bucket, invalid, malformed_xml, named, tags};

/// `CreateBucket`. With tags in the configuration they are on it from its first moment.
pub fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let name = text(params, "Bucket").unwrap_or_default();
    if !valid_name(name) {
        let message = "The specified bucket is not valid.";
        return Err(ApiError::new(400, "InvalidBucketName", message).with("BucketName", name));
    }
    check_region(&account.region, text(params, "LocationConstraint"))?;
    let ownership = match text(params, "ObjectOwnership") {
        None => "BucketOwnerEnforced",
        Some(known @ ("BucketOwnerEnforced" | "BucketOwnerPreferred" | "ObjectWriter")) => known,
        Some(other) => return Err(invalid(format!("Invalid x-amz-object-ownership header: {other}"))),
    };
    let given = tags::checked(params.get("Tags"))?;
    let made = json!({"Location": format!("/{name}"), "BucketArn": format!("arn:{}:s3:::{name}", account.partition())});
    if account.s3.foreign.contains(name) {
        let message = "The requested bucket name is not available. The bucket namespace is shared by all users of the \
                       system. Please select a different name and try again.";
        return Err(ApiError::new(409, "BucketAlreadyExists", message).with("BucketName", name));
    }
    if account.s3.buckets.contains_key(name) {
        // "For legacy compatibility, if you re-create an existing bucket that you already own in
        // us-east-1, Amazon S3 returns 200 OK": API_CreateBucket, BucketAlreadyOwnedByYou.
        if account.region == "us-east-1" {
            return Ok(made);
        }
        let message = "Your previous request to create the named bucket succeeded and you already own it.";
        return Err(ApiError::new(409, "BucketAlreadyOwnedByYou", message).with("BucketName", name));
    }
    let mut bucket = Bucket::new(account.now_ms);
    bucket.tags = given;
    bucket.ownership = Some(ownership.to_owned());
    account.s3.buckets.insert(name.to_owned(), bucket);
    Ok(made)
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>
fn valid_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let numbers = name.split('.').count() == 4 && name.split('.').all(|part| part.parse::<u8>().is_ok());
    (3..=63).contains(&name.len())
        && name.bytes().all(|byte| plain(byte) || byte == b'.' || byte == b'-')
        && name.bytes().next().is_some_and(plain)
        && name.bytes().next_back().is_some_and(plain)
        && !name.contains("..")
        && !numbers
        && !["xn--", "sthree-", "amzn-s3-demo-"].iter().any(|prefix| name.starts_with(prefix))
        && !["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"].iter().any(|suffix| name.ends_with(suffix))
}

fn check_region(region: &str, constraint: Option<&str>) -> Result<(), ApiError> {
    let refuse = |code: &str, message: String| Err(ApiError::new(400, code, message));
    match constraint {
        // Nobody gives this one: it is what no constraint means.
        Some("us-east-1") => refuse("InvalidLocationConstraint", "The specified location-constraint is not valid".into()),
        Some(given) if given != region => refuse(
            "IllegalLocationConstraintException",
            format!("The {given} location constraint is incompatible for the region specific endpoint this request was sent to."),
        ),
        None if region != "us-east-1" => refuse(
            "IllegalLocationConstraintException",
            "The unspecified location constraint is incompatible for the region specific endpoint this request was sent to."
                .into(),
        ),
        _ => Ok(()),
    }
}

/// `HeadBucket`
pub fn head(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let (name, _) = named(account, params)?;
    let arn = format!("arn:{}:s3:::{name}", account.partition());
    Ok(json!({"BucketRegion": account.region, "BucketArn": arn}))
}

/// `GetBucketLocation`: us-east-1 is an empty text.
pub fn location(account: &Account, params: &Value) -> Result<Value, ApiError> {
    named(account, params)?;
    Ok(Value::from(if account.region == "us-east-1" { "" } else { account.region.as_str() }))
}

/// `ListBuckets`
pub fn list(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let prefix = text(params, "Prefix").unwrap_or_default();
    let limit = number(params, "MaxBuckets").and_then(|most| usize::try_from(most).ok()).unwrap_or(10_000);
    if !(1..=10_000).contains(&limit) {
        return Err(invalid("Argument max-buckets must be an integer between 1 and 10000"));
    }
    let buckets = account.s3.buckets.iter().filter(|(name, _)| name.starts_with(prefix));
    let items = buckets.map(|(name, bucket)| {
        let arn = format!("arn:{}:s3:::{name}", account.partition());
        let about = json!({
            "Name": name,
            "CreationDate": iso_time(bucket.created_ms),
            "BucketRegion": account.region,
            "BucketArn": arn,
        });
        (name.clone(), about)
    });
    let page = page(items.collect(), text(params, "ContinuationToken"), limit)
        .ok_or_else(|| invalid("The continuation token provided is incorrect"))?;
    Ok(json!({
        "Owner": {"ID": owner(account)},
        "Buckets": {"Bucket": page.items},
        "ContinuationToken": page.next,
        "Prefix": text(params, "Prefix"),
    }))
}

/// The account's canonical user id: 64 hex digits.
pub fn owner(account: &Account) -> String {
    account.account_id.bytes().cycle().take(32).map(|digit| format!("{digit:02x}")).collect()
}

/// `DeleteBucket`: versions and delete markers count.
pub fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let (name, bucket) = named(account, params)?;
    if !bucket.objects.is_empty() {
        let message = if bucket.versioning.is_some() {
            "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
        } else {
            "The bucket you tried to delete is not empty"
        };
        return Err(ApiError::new(409, "BucketNotEmpty", message).with("BucketName", name));
    }
    let name = name.to_owned();
    account.s3.buckets.remove(&name).map(|_| json!({})).ok_or_else(malformed_xml)
}
