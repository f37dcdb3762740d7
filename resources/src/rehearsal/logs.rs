//! The emulated CloudWatch Logs: log groups, their retention, key and tags.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::params::{constraint, number, page, text, texts};
use super::{Account, ApiError, kms};

/// What the service holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By name.
    pub groups: BTreeMap<String, LogGroup>,
}

/// A log group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogGroup {
    /// Milliseconds since the epoch.
    pub created_ms: u64,
    /// `None`: its events never expire.
    pub retention_days: Option<u32>,
    /// ARN of the key that encrypts it.
    pub kms_key: Option<String>,
    /// In the order in which they were set.
    pub tags: IndexMap<String, String>,
}

/// The days that `PutRetentionPolicy` takes (its API page).
const RETENTION_DAYS: &[u32] =
    &[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// Tags of one log group (CloudWatch Logs quotas).
const MAX_TAGS: usize = 50;

/// Answers one call.
///
/// # Errors
/// The service's refusal.
pub fn call(account: &mut Account, operation: &str, params: &Value) -> Result<Value, ApiError> {
    match operation {
        "CreateLogGroup" => create(account, params),
        "DescribeLogGroups" => describe(account, params),
        "DeleteLogGroup" => delete(account, params),
        "PutRetentionPolicy" => put_retention(account, params),
        "DeleteRetentionPolicy" => delete_retention(account, params),
        "AssociateKmsKey" => associate_key(account, params),
        "DisassociateKmsKey" => disassociate_key(account, params),
        "TagResource" => tag(account, params),
        "UntagResource" => untag(account, params),
        "ListTagsForResource" => list_tags(account, params),
        _ => Err(ApiError::new(400, "UnknownOperationException", "")),
    }
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "InvalidParameterException", message)
}

fn not_found() -> ApiError {
    ApiError::new(400, "ResourceNotFoundException", "The specified log group does not exist.")
}

fn required<'a>(params: &'a Value, name: &str) -> Result<&'a str, ApiError> {
    text(params, name).ok_or_else(|| invalid(constraint("", name, "Member must not be null")))
}

/// The group's name: 1 to 512 of `[.\-_/#A-Za-z0-9]` (CreateLogGroup).
fn group_name(params: &Value) -> Result<&str, ApiError> {
    let name = required(params, "logGroupName")?;
    let rule = if name.is_empty() {
        "Member must have length greater than or equal to 1"
    } else if name.len() > 512 {
        "Member must have length less than or equal to 512"
    } else if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_/#".contains(&byte)) {
        r"Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+"
    } else {
        return Ok(name);
    };
    Err(invalid(constraint(name, "logGroupName", rule)))
}

/// The group's ARN, without the `:*` that it has in older answers.
fn arn(account: &Account, name: &str) -> String {
    format!("arn:{}:logs:{}:{}:log-group:{name}", account.partition(), account.region, account.account_id)
}

fn group<'a>(account: &'a mut Account, params: &Value) -> Result<&'a mut LogGroup, ApiError> {
    account.logs.groups.get_mut(group_name(params)?).ok_or_else(not_found)
}

/// The key may be used for this group: it is enabled, and its policy lets the service
/// do what encryption takes (CloudWatch Logs user guide, "Encrypt log data"). AWS says the
/// same of a key that is missing and of one that is not allowed
/// (terraform-provider-aws#29282).
fn check_key(account: &Account, key: &str, name: &str) -> Result<String, ApiError> {
    let group_arn = arn(account, name);
    let service = format!("logs.{}.amazonaws.com", account.region);
    let context = [("kms:EncryptionContext:aws:logs:arn", group_arn.as_str())];
    let allowed = |action: &&str| kms::allows_service_with(account, key, &service, action, &context);
    let needed = ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"];
    match kms::find(account, key) {
        Some(found) if needed.iter().all(allowed) => Ok(found.arn.clone()),
        _ => {
            let message =
                format!("The specified KMS key does not exist or is not allowed to be used with Arn '{group_arn}'");
            Err(ApiError::new(400, "AccessDeniedException", message))
        }
    }
}

fn checked_tags(params: &Value) -> Result<IndexMap<String, String>, ApiError> {
    let mut tags = IndexMap::new();
    for (key, value) in params.get("tags").and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 {
            return Err(invalid("A tag key must have 1 to 128 characters, a tag value 256 at most."));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(invalid("Tag keys that begin with aws: are reserved for AWS use."));
        }
        tags.insert(key.clone(), value.to_owned());
    }
    if tags.len() > MAX_TAGS { Err(too_many_tags()) } else { Ok(tags) }
}

fn too_many_tags() -> ApiError {
    ApiError::new(400, "TooManyTagsException", "The resource can have no more than 50 tags.")
}

fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let name = group_name(params)?;
    let tags = checked_tags(params)?;
    if account.logs.groups.contains_key(name) {
        let message = "The specified log group already exists";
        return Err(ApiError::new(400, "ResourceAlreadyExistsException", message));
    }
    let kms_key = text(params, "kmsKeyId").map(|key| check_key(account, key, name)).transpose()?;
    let group = LogGroup { created_ms: account.now_ms, retention_days: None, kms_key, tags };
    account.logs.groups.insert(name.to_owned(), group);
    Ok(json!({}))
}

fn describe(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let limit = match number(params, "limit") {
        None => 50,
        Some(limit) => usize::try_from(limit).ok().filter(|limit| (1..=50).contains(limit)).ok_or_else(|| {
            invalid(constraint(&limit.to_string(), "limit", "Member must have value between 1 and 50"))
        })?,
    };
    let (prefix, pattern) = (text(params, "logGroupNamePrefix"), text(params, "logGroupNamePattern"));
    if prefix.is_some() && pattern.is_some() {
        return Err(invalid("LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters."));
    }
    let pattern = pattern.unwrap_or_default().to_lowercase();
    let wanted = account
        .logs
        .groups
        .iter()
        .filter(|(name, _)| name.starts_with(prefix.unwrap_or_default()) && name.to_lowercase().contains(&pattern));
    let items = wanted.map(|(name, group)| (name.clone(), shown(account, name, group))).collect();
    let page =
        page(items, text(params, "nextToken"), limit).ok_or_else(|| invalid("The specified nextToken is invalid."))?;
    let mut answer = json!({"logGroups": page.items});
    if let Some(next) = page.next {
        answer["nextToken"] = json!(next);
    }
    Ok(answer)
}

/// Times are milliseconds here, unlike in the other JSON protocols' services.
fn shown(account: &Account, name: &str, group: &LogGroup) -> Value {
    let arn = arn(account, name);
    let mut shown = json!({
        "logGroupName": name,
        "creationTime": group.created_ms,
        "metricFilterCount": 0,
        "arn": format!("{arn}:*"),
        "storedBytes": 0,
        "logGroupClass": "STANDARD",
        "logGroupArn": arn,
    });
    if let Some(days) = group.retention_days {
        shown["retentionInDays"] = json!(days);
    }
    if let Some(key) = &group.kms_key {
        shown["kmsKeyId"] = json!(key);
    }
    shown
}

fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    account.logs.groups.remove(group_name(params)?).map(|_| json!({})).ok_or_else(not_found)
}

fn put_retention(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let days = number(params, "retentionInDays")
        .ok_or_else(|| invalid(constraint("", "retentionInDays", "Member must not be null")))?;
    let known = u32::try_from(days).ok().filter(|days| RETENTION_DAYS.contains(days));
    let group = group(account, params)?;
    let known = known.ok_or_else(|| {
        let allowed = RETENTION_DAYS.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        let rule = format!("Member must satisfy enum value set: [{allowed}]");
        invalid(constraint(&days.to_string(), "retentionInDays", &rule))
    })?;
    group.retention_days = Some(known);
    Ok(json!({}))
}

fn delete_retention(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    group(account, params)?.retention_days = None;
    Ok(json!({}))
}

/// The group that a request names by `logGroupName` or `resourceIdentifier`.
fn name_of<'a>(account: &Account, params: &'a Value) -> Result<&'a str, ApiError> {
    let name = match text(params, "resourceIdentifier") {
        Some(identifier) => named_by_arn(account, identifier).ok_or_else(|| invalid("Invalid resourceIdentifier."))?,
        None => group_name(params)?,
    };
    if account.logs.groups.contains_key(name) { Ok(name) } else { Err(not_found()) }
}

fn associate_key(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let name = name_of(account, params)?;
    let key = check_key(account, required(params, "kmsKeyId")?, name)?;
    account.logs.groups.get_mut(name).ok_or_else(not_found)?.kms_key = Some(key);
    Ok(json!({}))
}

fn disassociate_key(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let name = name_of(account, params)?;
    account.logs.groups.get_mut(name).ok_or_else(not_found)?.kms_key = None;
    Ok(json!({}))
}

/// The name in a log group's ARN of this account.
fn named_by_arn<'a>(account: &Account, identifier: &'a str) -> Option<&'a str> {
    identifier.strip_prefix(&arn(account, "")).filter(|name| !name.is_empty())
}

/// The group of a request's `resourceArn`. The ARN has no `:*` at its end (TagResource).
fn tagged<'a>(account: &'a mut Account, params: &Value) -> Result<&'a mut LogGroup, ApiError> {
    let resource = required(params, "resourceArn")?;
    let name = named_by_arn(account, resource).filter(|name| !name.contains([':', '*']));
    let name = name.ok_or_else(|| invalid(format!("Invalid resource ARN: {resource}")))?;
    account.logs.groups.get_mut(name).ok_or_else(not_found)
}

fn tag(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let added = checked_tags(params)?;
    let group = tagged(account, params)?;
    let mut tags = group.tags.clone();
    tags.extend(added);
    if tags.len() > MAX_TAGS {
        return Err(too_many_tags());
    }
    group.tags = tags;
    Ok(json!({}))
}

fn untag(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let group = tagged(account, params)?;
    for key in texts(params, "tagKeys") {
        group.tags.shift_remove(&key);
    }
    Ok(json!({}))
}

fn list_tags(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    Ok(json!({"tags": tagged(account, params)?.tags}))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use aws_sdk_cloudwatchlogs::error::ProvideErrorMetadata;

    use super::super::testing::{ACCOUNT, BASE_MS, kms, logs, rehearsal};

    fn refusal<T: std::fmt::Debug, E: ProvideErrorMetadata>(result: Result<T, E>) -> (String, String) {
        let error = result.unwrap_err();
        (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_needs_a_key_that_lets_the_service_in() {
        let rehearsal = rehearsal();
        let (logs, kms) = (logs(&rehearsal), kms(&rehearsal));
        let key = kms.create_key().send().await.unwrap().key_metadata.unwrap().arn.unwrap();
        let create = |key: &str| logs.create_log_group().log_group_name("/aws/eks/c/cluster").kms_key_id(key).send();
        let denied = (
            "AccessDeniedException".to_owned(),
            format!(
                "The specified KMS key does not exist or is not allowed to be used with Arn 'arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/eks/c/cluster'"
            ),
        );
        assert_eq!(refusal(create(&key).await), denied);
        assert_eq!(refusal(create(&key.replace("key/", "key/0")).await), denied);
        let policy = format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{ACCOUNT}:root"}},"Action":"kms:*","Resource":"*"}},
              {{"Effect":"Allow","Principal":{{"Service":"logs.us-east-1.amazonaws.com"}},
                "Action":["kms:Encrypt*","kms:Decrypt*","kms:ReEncrypt*","kms:GenerateDataKey*","kms:Describe*"],"Resource":"*",
                "Condition":{{"ArnEquals":{{"kms:EncryptionContext:aws:logs:arn":"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/eks/c/cluster"}}}}}}]}}"#
        );
        kms.put_key_policy().key_id(&key).policy(policy).send().await.unwrap();
        create(&key).await.unwrap();
        let again = refusal(create(&key).await);
        assert_eq!(again, ("ResourceAlreadyExistsException".into(), "The specified log group already exists".into()));
        let other = logs.create_log_group().log_group_name("/other").kms_key_id(&key).send().await;
        assert_eq!(refusal(other).0, "AccessDeniedException");
        kms.schedule_key_deletion().key_id(&key).send().await.unwrap();
        logs.disassociate_kms_key().log_group_name("/aws/eks/c/cluster").send().await.unwrap();
        let associate = logs.associate_kms_key().log_group_name("/aws/eks/c/cluster").kms_key_id(&key).send().await;
        assert_eq!(refusal(associate), denied);
    }

    #[tokio::test(start_paused = true)]
    async fn retention_takes_only_certain_days() {
        let logs = logs(&rehearsal());
        let put = |days| logs.put_retention_policy().log_group_name("g").retention_in_days(days).send();
        assert_eq!(refusal(put(7).await).0, "ResourceNotFoundException");
        logs.create_log_group().log_group_name("g").send().await.unwrap();
        let group = async || logs.describe_log_groups().send().await.unwrap().log_groups.unwrap().remove(0);
        assert_eq!(group().await.retention_in_days(), None);
        assert!(group().await.creation_time().unwrap() >= i64::try_from(BASE_MS).unwrap());
        put(7).await.unwrap();
        assert_eq!(refusal(put(8).await).0, "InvalidParameterException");
        assert_eq!(group().await.retention_in_days(), Some(7));
        logs.delete_retention_policy().log_group_name("g").send().await.unwrap();
        assert_eq!(group().await.retention_in_days(), None);
        logs.delete_log_group().log_group_name("g").send().await.unwrap();
        let gone = refusal(logs.delete_log_group().log_group_name("g").send().await);
        assert_eq!(gone, ("ResourceNotFoundException".into(), "The specified log group does not exist.".into()));
    }

    #[tokio::test(start_paused = true)]
    async fn groups_are_listed_by_prefix_and_page() {
        let logs = logs(&rehearsal());
        for name in ["a/2", "a/1", "b/1", "a/3"] {
            logs.create_log_group().log_group_name(name).send().await.unwrap();
        }
        let pages = logs.describe_log_groups().log_group_name_prefix("a/").limit(2).into_paginator().send();
        let pages: Vec<_> = pages.collect::<Result<_, _>>().await.unwrap();
        let names = |page: usize| {
            let groups = pages[page].log_groups().iter();
            groups.map(|group| group.log_group_name().unwrap()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!((pages.len(), names(0), names(1)), (2, "a/1 a/2".to_owned(), "a/3".to_owned()));
        assert_eq!(refusal(logs.describe_log_groups().next_token("!").send().await).0, "InvalidParameterException");
        assert_eq!(refusal(logs.create_log_group().log_group_name("a b").send().await).0, "InvalidParameterException");
    }

    #[tokio::test(start_paused = true)]
    async fn tags_go_by_the_short_arn() {
        let logs = logs(&rehearsal());
        logs.create_log_group().log_group_name("/g").tags("a", "1").send().await.unwrap();
        let group = logs.describe_log_groups().send().await.unwrap().log_groups.unwrap().remove(0);
        let (short, long) = (group.log_group_arn().unwrap(), group.arn().unwrap());
        assert_eq!(long, format!("{short}:*"));
        logs.tag_resource().resource_arn(short).tags("b", "2").send().await.unwrap();
        logs.untag_resource().resource_arn(short).tag_keys("a").send().await.unwrap();
        let tags = logs.list_tags_for_resource().resource_arn(short).send().await.unwrap().tags.unwrap();
        assert_eq!(tags.into_iter().collect::<Vec<_>>(), [("b".to_owned(), "2".to_owned())]);
        assert_eq!(
            refusal(logs.list_tags_for_resource().resource_arn(long).send().await).0,
            "InvalidParameterException"
        );
    }
}
