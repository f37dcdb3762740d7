//! Bucket policies: their check. They are not enforced.

use serde_json::{Value, json};

use super::super::params::text;
use super::super::{Account, ApiError, policy};
use super::{named, named_mut};

/// "Bucket policies are limited to 20 KB in size."
const MAX_POLICY: usize = 20 * 1024;

fn malformed(message: &str) -> ApiError {
    ApiError::new(400, "MalformedPolicy", message)
}

/// `PutBucketPolicy`
pub fn put(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let (name, bucket) = named(account, params)?;
    let document = text(params, "Policy").unwrap_or_default().to_owned();
    let arn = format!("arn:{}:s3:::{name}", account.partition());
    let parsed = checked(&document, &arn)?;
    let closed = bucket.access_block.is_some_and(|block| block.block_policy);
    if closed && policy::statements(&parsed).into_iter().any(lets_everybody) {
        let message = "User is not authorized to perform: s3:PutBucketPolicy because public policies are prevented by the \
                       BlockPublicPolicy setting in S3 Block Public Access.";
        return Err(ApiError::new(403, "AccessDenied", message));
    }
    named_mut(account, params)?.policy = Some(document);
    Ok(json!({}))
}

fn checked(document: &str, arn: &str) -> Result<Value, ApiError> {
    if document.len() > MAX_POLICY {
        return Err(malformed("Policies must be smaller than 20480 bytes"));
    }
    let parsed: Value = serde_json::from_str(document).map_err(|_| malformed("This policy contains invalid Json"))?;
    let statements = policy::statements(&parsed);
    if !parsed.is_object() || statements.is_empty() {
        return Err(malformed("Missing required field Statement"));
    }
    for statement in statements {
        if !matches!(statement.get("Effect").and_then(Value::as_str), Some("Allow" | "Deny")) {
            return Err(malformed("Missing required field Effect"));
        }
        if statement.get("Principal").or(statement.get("NotPrincipal")).is_none() {
            return Err(malformed("Missing required field Principal"));
        }
        if statement.get("Action").or(statement.get("NotAction")).is_none() {
            return Err(malformed("Missing required field Action"));
        }
        let resources = policy::texts(statement.get("Resource").or(statement.get("NotResource")));
        let inside =
            |resource: &str| resource == arn || resource.strip_prefix(arn).is_some_and(|rest| rest.starts_with('/'));
        if resources.is_empty() || !resources.into_iter().all(inside) {
            return Err(malformed("Policy has invalid resource"));
        }
    }
    Ok(parsed)
}

/// An unconditional permission for everybody. "The meaning of public" knows more:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>
fn lets_everybody(statement: &Value) -> bool {
    let who = statement.get("Principal");
    let everybody =
        who.and_then(Value::as_str) == Some("*") || policy::texts(who.and_then(|who| who.get("AWS"))).contains(&"*");
    everybody
        && statement.get("Effect").and_then(Value::as_str) == Some("Allow")
        && statement.get("Condition").is_none()
}

/// `GetBucketPolicy`
pub fn get(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let (name, bucket) = named(account, params)?;
    match &bucket.policy {
        Some(policy) => Ok(json!({"Policy": policy})),
        None => {
            let message = "The bucket policy does not exist";
            Err(ApiError::new(404, "NoSuchBucketPolicy", message).with("BucketName", name))
        }
    }
}

/// `DeleteBucketPolicy`
pub fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    named_mut(account, params)?.policy = None;
    Ok(json!({}))
}
