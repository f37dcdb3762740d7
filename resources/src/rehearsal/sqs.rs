//! The emulated SQS: standard queues, their attributes and tags. No messages.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::params::{number, page, text, texts};
use super::{Account, ApiError, kms};

/// What the service holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By name.
    pub queues: BTreeMap<String, Queue>,
    /// When queues were deleted, milliseconds since the epoch, by name: it is not free at once.
    pub deleted_ms: BTreeMap<String, u64>,
}

/// A queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    /// Milliseconds since the epoch.
    pub created_ms: u64,
    /// Milliseconds since the epoch.
    pub modified_ms: u64,
    /// Those that can be set, defaults included; an empty value is not there.
    pub attributes: IndexMap<String, String>,
    /// In the order in which they were set.
    pub tags: IndexMap<String, String>,
}

/// How long a deleted queue's name is not free (`DeleteQueue`).
const NAME_HELD_MS: u64 = 60_000;

/// Tags of one queue (SQS quotas).
const MAX_TAGS: usize = 50;

/// Numbers that can be set: default, least, most (`CreateQueue`).
const NUMBERS: &[(&str, u64, u64, u64)] = &[
    ("VisibilityTimeout", 30, 0, 43_200),
    ("MaximumMessageSize", 1_048_576, 1024, 1_048_576),
    ("MessageRetentionPeriod", 345_600, 60, 1_209_600),
    ("DelaySeconds", 0, 0, 900),
    ("ReceiveMessageWaitTimeSeconds", 0, 0, 20),
    ("KmsDataKeyReusePeriodSeconds", 300, 60, 86_400),
];

/// Answers one call.
///
/// # Errors
/// The service's refusal.
pub fn call(account: &mut Account, operation: &str, params: &Value) -> Result<Value, ApiError> {
    match operation {
        "CreateQueue" => create(account, params),
        "DeleteQueue" => delete(account, params),
        "GetQueueUrl" => get_url(account, params),
        "ListQueues" => list(account, params),
        "GetQueueAttributes" => get_attributes(account, params),
        "SetQueueAttributes" => set_attributes(account, params),
        "TagQueue" => tag(account, params),
        "UntagQueue" => untag(account, params),
        "ListQueueTags" => Ok(json!({"Tags": named(account, params)?.1.tags})),
        other => Err(ApiError::new(400, "UnknownOperationException", format!("Unknown operation {other}."))),
    }
}

fn invalid(name: &str) -> ApiError {
    ApiError::new(400, "InvalidAttributeValue", format!("Invalid value for the parameter {name}."))
}

fn required<'a>(params: &'a Value, name: &str) -> Result<&'a str, ApiError> {
    let missing = || ApiError::new(400, "MissingParameter", format!("The request must contain the parameter {name}."));
    text(params, name).filter(|value| !value.is_empty()).ok_or_else(missing)
}

fn gone() -> ApiError {
    ApiError::new(400, "QueueDoesNotExist", "The specified queue does not exist.")
}

fn url(account: &Account, name: &str) -> String {
    format!("https://sqs.{}.amazonaws.com/{}/{name}", account.region, account.account_id)
}

fn arn(account: &Account, name: &str) -> String {
    format!("arn:{}:sqs:{}:{}:{name}", account.partition(), account.region, account.account_id)
}

/// The queue of a request's `QueueUrl`: its account and name count, not its host, as callers
/// may go by another endpoint.
fn named<'a>(account: &'a mut Account, params: &Value) -> Result<(String, &'a mut Queue), ApiError> {
    let (account_id, url) = (account.account_id.clone(), required(params, "QueueUrl")?);
    let mut parts = url.rsplit('/');
    let (name, owner) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let queue = account.sqs.queues.get_mut(name).filter(|_| owner == account_id).ok_or_else(gone)?;
    Ok((name.to_owned(), queue))
}

fn queue_name(params: &Value) -> Result<&str, ApiError> {
    let name = required(params, "QueueName")?;
    let fits = name.len() <= 80 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    let message = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
    if fits { Ok(name) } else { Err(ApiError::new(400, "InvalidParameterValue", message)) }
}

/// The attributes of a request on top of `standing`, all checked.
fn checked(
    account: &Account,
    params: &Value,
    standing: &IndexMap<String, String>,
) -> Result<IndexMap<String, String>, ApiError> {
    let mut attributes = standing.clone();
    for (name, value) in params.get("Attributes").and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        check_one(account, name, value)?;
        attributes.insert(name.clone(), value.to_owned());
        // A key switches SQS's own encryption off, unless the request asks for both.
        let asked = params["Attributes"].get("SqsManagedSseEnabled").is_some();
        if name == "KmsMasterKeyId" && !value.is_empty() && !asked {
            attributes.insert("SqsManagedSseEnabled".to_owned(), "false".to_owned());
        }
    }
    attributes.retain(|_, value| !value.is_empty());
    let managed = attributes.get("SqsManagedSseEnabled").is_some_and(|value| value == "true");
    if managed && attributes.contains_key("KmsMasterKeyId") {
        let message = "You can use one type of server-side encryption (SSE) at one time. You can either enable KMS SSE or SQS SSE.";
        return Err(ApiError::new(400, "InvalidAttributeValue", message));
    }
    Ok(attributes)
}

fn check_one(account: &Account, name: &str, value: &str) -> Result<(), ApiError> {
    if let Some((_, _, least, most)) = NUMBERS.iter().find(|(known, ..)| *known == name) {
        let fits = value.parse::<u64>().is_ok_and(|number| (*least..=*most).contains(&number));
        return if fits { Ok(()) } else { Err(invalid(name)) };
    }
    match name {
        "SqsManagedSseEnabled" if ["true", "false"].contains(&value) => Ok(()),
        "Policy" if value.is_empty() => Ok(()),
        "Policy" => check_policy(value),
        "KmsMasterKeyId" if value.is_empty() || value == "alias/aws/sqs" => Ok(()),
        // A key of another account cannot be looked at.
        "KmsMasterKeyId" if !value.contains(&account.account_id) && value.starts_with("arn:") => Ok(()),
        "KmsMasterKeyId" if kms::find(account, value).is_some() => Ok(()),
        "SqsManagedSseEnabled" | "KmsMasterKeyId" => Err(invalid(name)),
        _ => Err(ApiError::new(400, "InvalidAttributeName", format!("Unknown Attribute {name}."))),
    }
}

/// A policy is JSON, and each statement has effect, principal, action and resource.
fn check_policy(text: &str) -> Result<(), ApiError> {
    let policy: Value = serde_json::from_str(text).map_err(|_| invalid("Policy"))?;
    let statements = match &policy["Statement"] {
        Value::Array(statements) => statements.clone(),
        one @ Value::Object(_) => vec![one.clone()],
        _ => return Err(invalid("Policy")),
    };
    let whole = |statement: &Value| {
        let either = |name: &str| statement.get(name).is_some() || statement.get(format!("Not{name}")).is_some();
        statement.get("Effect").is_some() && ["Principal", "Action", "Resource"].into_iter().all(either)
    };
    if statements.iter().all(whole) { Ok(()) } else { Err(invalid("Policy")) }
}

fn defaults() -> IndexMap<String, String> {
    let numbers = NUMBERS.iter().filter(|(name, ..)| *name != "KmsDataKeyReusePeriodSeconds");
    let mut defaults: IndexMap<String, String> =
        numbers.map(|(name, default, ..)| ((*name).to_owned(), default.to_string())).collect();
    defaults.insert("SqsManagedSseEnabled".to_owned(), "true".to_owned());
    defaults
}

fn create(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let name = queue_name(params)?;
    let attributes = checked(account, params, &defaults())?;
    let tags = merged_tags(&IndexMap::new(), params, "tags")?;
    let (now_ms, answer) = (account.now_ms, json!({"QueueUrl": url(account, name)}));
    if let Some(standing) = account.sqs.queues.get(name) {
        let asked = params.get("Attributes").and_then(Value::as_object).into_iter().flatten();
        let other =
            asked.into_iter().find(|(attribute, _)| standing.attributes.get(*attribute) != attributes.get(*attribute));
        return match other {
            None => Ok(answer),
            Some((attribute, _)) => {
                let message = format!(
                    "A queue already exists with the same name and a different value for attribute {attribute}"
                );
                Err(ApiError::new(400, "QueueNameExists", message))
            }
        };
    }
    if account.sqs.deleted_ms.get(name).is_some_and(|deleted| now_ms < deleted + NAME_HELD_MS) {
        let message =
            "You must wait 60 seconds after deleting a queue before you can create another with the same name.";
        return Err(ApiError::new(400, "QueueDeletedRecently", message));
    }
    account.sqs.deleted_ms.retain(|_, deleted| now_ms < *deleted + NAME_HELD_MS);
    let queue = Queue { created_ms: now_ms, modified_ms: now_ms, attributes, tags };
    account.sqs.queues.insert(name.to_owned(), queue);
    Ok(answer)
}

fn delete(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let (name, _) = named(account, params)?;
    account.sqs.queues.remove(&name);
    account.sqs.deleted_ms.insert(name, account.now_ms);
    Ok(json!({}))
}

fn get_url(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let name = queue_name(params)?;
    let stands = account.sqs.queues.contains_key(name);
    if stands { Ok(json!({"QueueUrl": url(account, name)})) } else { Err(gone()) }
}

fn list(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let prefix = text(params, "QueueNamePrefix").unwrap_or_default();
    let names = account.sqs.queues.keys().filter(|name| name.starts_with(prefix));
    let items = names.map(|name| (name.clone(), url(account, name))).collect();
    let limit = number(params, "MaxResults").map_or(Some(1000), |limit| usize::try_from(limit).ok());
    let limit = limit.filter(|limit| (1..=1000).contains(limit));
    let page = limit.and_then(|limit| page(items, text(params, "NextToken"), limit));
    let page = page.ok_or_else(|| ApiError::new(400, "InvalidParameterValue", "Invalid NextToken or MaxResults."))?;
    let mut answer = json!({"QueueUrls": page.items});
    if let Some(next) = page.next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}

fn get_attributes(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let (name, queue) = named(account, params)?;
    let mut shown = queue.attributes.clone();
    for (attribute, ms) in [("CreatedTimestamp", queue.created_ms), ("LastModifiedTimestamp", queue.modified_ms)] {
        shown.insert(attribute.to_owned(), (ms / 1000).to_string());
    }
    for kind in ["", "Delayed", "NotVisible"] {
        shown.insert(format!("ApproximateNumberOfMessages{kind}"), "0".to_owned());
    }
    shown.insert("QueueArn".to_owned(), arn(account, &name));
    let wanted = texts(params, "AttributeNames");
    shown.retain(|name, _| wanted.iter().any(|wanted| wanted == "All" || wanted == name));
    Ok(if shown.is_empty() { json!({}) } else { json!({"Attributes": shown}) })
}

fn set_attributes(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let standing = named(account, params)?.1.attributes.clone();
    let attributes = checked(account, params, &standing)?;
    let now_ms = account.now_ms;
    let queue = named(account, params)?.1;
    (queue.attributes, queue.modified_ms) = (attributes, now_ms);
    Ok(json!({}))
}

fn merged_tags(
    standing: &IndexMap<String, String>,
    params: &Value,
    member: &str,
) -> Result<IndexMap<String, String>, ApiError> {
    let mut tags = standing.clone();
    for (key, value) in params.get(member).and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        let reserved = key.to_lowercase().starts_with("aws:");
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 || reserved {
            return Err(ApiError::new(400, "InvalidParameterValue", format!("Tag {key} is not valid.")));
        }
        tags.insert(key.clone(), value.to_owned());
    }
    if tags.len() > MAX_TAGS {
        let message = format!("Too many tags added for queue: the most are {MAX_TAGS}.");
        return Err(ApiError::new(400, "InvalidParameterValue", message));
    }
    Ok(tags)
}

fn tag(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let queue = named(account, params)?.1;
    queue.tags = merged_tags(&queue.tags, params, "Tags")?;
    Ok(json!({}))
}

fn untag(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let queue = named(account, params)?.1;
    for key in texts(params, "TagKeys") {
        queue.tags.shift_remove(&key);
    }
    Ok(json!({}))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use aws_sdk_sqs::{Client, error::ProvideErrorMetadata, types::QueueAttributeName};

    use super::super::testing::{ACCOUNT, kms, rehearsal, sqs};

    fn refusal<T: std::fmt::Debug, E: ProvideErrorMetadata>(result: Result<T, E>) -> (String, String) {
        let error = result.unwrap_err();
        (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
    }

    async fn attribute(sqs: &Client, url: &str, name: QueueAttributeName) -> Option<String> {
        let answer = sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All).send().await;
        answer.unwrap().attributes.unwrap().remove(&name)
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_lives_and_its_name_is_not_free_at_once() {
        let sqs = sqs(&rehearsal());
        let create = |days: u32| {
            let retention = (days * 86_400).to_string();
            sqs.create_queue().queue_name("q").attributes(QueueAttributeName::MessageRetentionPeriod, retention).send()
        };
        let url = create(5).await.unwrap().queue_url.unwrap();
        assert_eq!(url, format!("https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/q"));
        assert_eq!(create(5).await.unwrap().queue_url, Some(url.clone()), "the same attributes, the same queue");
        let other = create(6).await.unwrap_err();
        assert!(other.as_service_error().unwrap().is_queue_name_exists(), "{other:?}");
        assert_eq!(attribute(&sqs, &url, QueueAttributeName::MessageRetentionPeriod).await.unwrap(), "432000");
        let arn = attribute(&sqs, &url, QueueAttributeName::QueueArn).await.unwrap();
        assert_eq!(arn, format!("arn:aws:sqs:us-east-1:{ACCOUNT}:q"));
        assert_eq!(sqs.list_queues().send().await.unwrap().queue_urls(), [url.as_str()]);
        sqs.delete_queue().queue_url(&url).send().await.unwrap();
        let gone = sqs.get_queue_url().queue_name("q").send().await;
        let expected = ("AWS.SimpleQueueService.NonExistentQueue".into(), "The specified queue does not exist.".into());
        assert_eq!(refusal(gone), expected);
        assert_eq!(refusal(create(5).await).0, "AWS.SimpleQueueService.QueueDeletedRecently");
        tokio::time::sleep(Duration::from_secs(60)).await;
        create(6).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn encryption_is_of_one_kind() {
        let rehearsal = rehearsal();
        let (sqs, kms) = (sqs(&rehearsal), kms(&rehearsal));
        let key = kms.create_key().send().await.unwrap().key_metadata.unwrap().arn.unwrap();
        let url = sqs.create_queue().queue_name("q").send().await.unwrap().queue_url.unwrap();
        let set = |managed: Option<&str>, key: &str| {
            let request =
                sqs.set_queue_attributes().queue_url(&url).attributes(QueueAttributeName::KmsMasterKeyId, key);
            match managed {
                Some(managed) => request.attributes(QueueAttributeName::SqsManagedSseEnabled, managed),
                None => request,
            }
            .send()
        };
        let managed = async || attribute(&sqs, &url, QueueAttributeName::SqsManagedSseEnabled).await.unwrap();
        assert_eq!(managed().await, "true");
        assert!(refusal(set(Some("true"), &key).await).1.contains("one type of server-side encryption"));
        assert_eq!(refusal(set(None, &key.replace("key/", "key/0")).await).0, "InvalidAttributeValue");
        set(None, &key).await.unwrap();
        assert_eq!(managed().await, "false");
        set(Some("true"), "").await.unwrap();
        assert_eq!(managed().await, "true");
        assert_eq!(attribute(&sqs, &url, QueueAttributeName::KmsMasterKeyId).await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_values_are_refused() {
        let sqs = sqs(&rehearsal());
        let url = sqs.create_queue().queue_name("q").tags("a", "1").send().await.unwrap().queue_url.unwrap();
        let set = |name: QueueAttributeName, value: &str| {
            sqs.set_queue_attributes().queue_url(&url).attributes(name, value).send()
        };
        for (name, value, code) in [
            (QueueAttributeName::MessageRetentionPeriod, "59", "InvalidAttributeValue"),
            (QueueAttributeName::Policy, "{", "InvalidAttributeValue"),
            (
                QueueAttributeName::Policy,
                r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"sqs:*"}]}"#,
                "InvalidAttributeValue",
            ),
            (QueueAttributeName::from("Nonsense"), "1", "InvalidAttributeName"),
        ] {
            assert_eq!(refusal(set(name, value).await).0, code, "{value}");
        }
        assert_eq!(refusal(sqs.create_queue().queue_name("a b").send().await).0, "InvalidParameterValue");
        let elsewhere = url.replace(ACCOUNT, "999999999999");
        assert_eq!(
            refusal(sqs.list_queue_tags().queue_url(elsewhere).send().await).0,
            "AWS.SimpleQueueService.NonExistentQueue"
        );
        sqs.tag_queue().queue_url(&url).tags("b", "2").send().await.unwrap();
        sqs.untag_queue().queue_url(&url).tag_keys("a").send().await.unwrap();
        let tags = sqs.list_queue_tags().queue_url(&url).send().await.unwrap().tags.unwrap();
        assert_eq!(tags.into_iter().collect::<Vec<_>>(), [("b".to_owned(), "2".to_owned())]);
    }
}
