//! A bucket's configuration: versions, encryption, public access, ownership, lifecycle.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::params::{flag, list, number, text};
use super::super::{Account, ApiError};
use super::{AccessBlock, Encryption, malformed_xml, named, named_mut};

/// `PutBucketVersioning`
pub fn put_versioning(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let bucket = named_mut(account, params)?;
    match text(params, "Status") {
        Some(status @ ("Enabled" | "Suspended")) => bucket.versioning = Some(status.to_owned()),
        _ => {
            let message = "The Versioning element must be specified";
            return Err(ApiError::new(400, "IllegalVersioningConfigurationException", message));
        }
    }
    Ok(json!({}))
}

/// `GetBucketVersioning`
pub fn versioning(account: &Account, params: &Value) -> Result<Value, ApiError> {
    Ok(json!({"Status": named(account, params)?.1.versioning}))
}

/// `PutBucketEncryption`
pub fn put_encryption(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let rule = list(params, "Rule").first().ok_or_else(malformed_xml)?;
    let default = rule.get("ApplyServerSideEncryptionByDefault").ok_or_else(malformed_xml)?;
    let key = text(default, "KMSMasterKeyID").map(str::to_owned);
    let algorithm = match (text(default, "SSEAlgorithm"), &key) {
        (Some("AES256"), Some(_)) => {
            let message =
                "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse";
            return Err(ApiError::new(400, "InvalidArgument", message));
        }
        (Some(known @ ("AES256" | "aws:kms" | "aws:kms:dsse")), _) => known.to_owned(),
        _ => return Err(malformed_xml()),
    };
    let bucket_key = flag(rule, "BucketKeyEnabled").unwrap_or(false);
    named_mut(account, params)?.encryption = Encryption { algorithm, key, bucket_key };
    Ok(json!({}))
}

/// `GetBucketEncryption`
pub fn encryption(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let Encryption { algorithm, key, bucket_key } = &named(account, params)?.1.encryption;
    Ok(json!({"Rule": [{
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm, "KMSMasterKeyID": key},
        "BucketKeyEnabled": bucket_key,
    }]}))
}

/// `DeleteBucketEncryption`: back to S3's own keys.
pub fn delete_encryption(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    named_mut(account, params)?.encryption = Encryption::default();
    Ok(json!({}))
}

/// `PutPublicAccessBlock`: what is not said is off.
pub fn put_access_block(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let on = |name: &str| flag(params, name).unwrap_or(false);
    named_mut(account, params)?.access_block = Some(AccessBlock {
        block_acls: on("BlockPublicAcls"),
        ignore_acls: on("IgnorePublicAcls"),
        block_policy: on("BlockPublicPolicy"),
        restrict: on("RestrictPublicBuckets"),
    });
    Ok(json!({}))
}

/// `GetPublicAccessBlock`
pub fn access_block(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let (name, bucket) = named(account, params)?;
    let Some(block) = bucket.access_block else {
        let message = "The public access block configuration was not found";
        return Err(ApiError::new(404, "NoSuchPublicAccessBlockConfiguration", message).with("BucketName", name));
    };
    Ok(json!({
        "BlockPublicAcls": block.block_acls,
        "IgnorePublicAcls": block.ignore_acls,
        "BlockPublicPolicy": block.block_policy,
        "RestrictPublicBuckets": block.restrict,
    }))
}

/// `DeletePublicAccessBlock`
pub fn delete_access_block(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    named_mut(account, params)?.access_block = None;
    Ok(json!({}))
}

/// `PutBucketOwnershipControls`
pub fn put_ownership(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let rule = list(params, "Rule").first().ok_or_else(malformed_xml)?;
    match text(rule, "ObjectOwnership") {
        Some(known @ ("BucketOwnerEnforced" | "BucketOwnerPreferred" | "ObjectWriter")) => {
            named_mut(account, params)?.ownership = Some(known.to_owned());
        }
        _ => return Err(malformed_xml()),
    }
    Ok(json!({}))
}

/// `GetBucketOwnershipControls`
pub fn ownership(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let (name, bucket) = named(account, params)?;
    let Some(ownership) = &bucket.ownership else {
        let message = "The bucket ownership controls were not found";
        return Err(ApiError::new(404, "OwnershipControlsNotFoundError", message).with("BucketName", name));
    };
    Ok(json!({"Rule": [{"ObjectOwnership": ownership}]}))
}

/// `DeleteBucketOwnershipControls`
pub fn delete_ownership(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    named_mut(account, params)?.ownership = None;
    Ok(json!({}))
}

/// `PutBucketLifecycleConfiguration`: all rules, in place of the present ones.
pub fn put_lifecycle(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    named(account, params)?;
    let rules = list(params, "Rule");
    if rules.is_empty() || rules.len() > 1000 {
        return Err(malformed_xml());
    }
    let mut ids = BTreeSet::new();
    for (index, rule) in rules.iter().enumerate() {
        check_rule(rule)?;
        let id = text(rule, "ID").map_or_else(|| format!("rule-{index}"), str::to_owned);
        if id.len() > 255 {
            return Err(super::invalid("ID length should not exceed allowed limit of 255"));
        }
        if !ids.insert(id) {
            return Err(super::invalid("Rule ID must be unique. Found same ID for more than one rule"));
        }
    }
    let rules = Value::Array(rules.to_vec());
    named_mut(account, params)?.lifecycle = Some(rules);
    Ok(json!({"TransitionDefaultMinimumObjectSize": "all_storage_classes_128K"}))
}

/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html>
fn check_rule(rule: &Value) -> Result<(), ApiError> {
    let has = |name: &str| rule.get(name).is_some();
    let actions = [
        "AbortIncompleteMultipartUpload",
        "Expiration",
        "NoncurrentVersionExpiration",
        "NoncurrentVersionTransition",
        "Transition",
    ];
    if !matches!(text(rule, "Status"), Some("Enabled" | "Disabled")) || has("Filter") == has("Prefix") {
        return Err(malformed_xml());
    }
    if !actions.iter().any(|action| has(action)) {
        let message = "At least one action needs to be specified in a rule";
        return Err(ApiError::new(400, "InvalidRequest", message));
    }
    let days =
        [("NoncurrentVersionExpiration", "NoncurrentDays"), ("AbortIncompleteMultipartUpload", "DaysAfterInitiation")];
    for (action, member) in days {
        if rule.get(action).is_some_and(|action| number(action, member).is_none_or(|days| days < 1)) {
            return Err(super::invalid(format!("'{member}' for {action} action must be a positive integer")));
        }
    }
    Ok(())
}

/// `GetBucketLifecycleConfiguration`
pub fn lifecycle(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let (name, bucket) = named(account, params)?;
    let Some(rules) = &bucket.lifecycle else {
        let message = "The lifecycle configuration does not exist";
        return Err(ApiError::new(404, "NoSuchLifecycleConfiguration", message).with("BucketName", name));
    };
    Ok(json!({"Rule": rules}))
}

/// `DeleteBucketLifecycle`
pub fn delete_lifecycle(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    named_mut(account, params)?.lifecycle = None;
    Ok(json!({}))
}
