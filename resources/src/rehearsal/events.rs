//! The emulated EventBridge: rules of the default bus, their targets and tags. No events.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::params::{constraint, list, number, page, tag_list, tags_to_list, text, texts};
use super::{Account, ApiError};

/// What the service holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By name.
    pub rules: BTreeMap<String, Rule>,
}

/// A rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// JSON text.
    pub pattern: Option<String>,
    /// `rate(...)` or `cron(...)`.
    pub schedule: Option<String>,
    /// Shown in the console.
    pub description: Option<String>,
    /// `ENABLED` or `DISABLED`.
    pub state: String,
    /// ARNs by id.
    pub targets: IndexMap<String, String>,
    /// In the order in which they were set.
    pub tags: IndexMap<String, String>,
}

/// EventBridge quotas: rules of a bus, targets of a rule, tags of a rule.
const MAX_RULES: usize = 300;
const MAX_TARGETS: usize = 5;
const MAX_TAGS: usize = 50;

/// Answers one call.
///
/// # Errors
/// The service's refusal.
pub fn call(account: &mut Account, operation: &str, params: &Value) -> Result<Value, ApiError> {
    if let Some(bus) = text(params, "EventBusName").filter(|bus| *bus != "default") {
        return Err(not_found(format!("Event bus {bus} does not exist.")));
    }
    match operation {
        "PutRule" => put_rule(account, params),
        "DescribeRule" => describe_rule(account, params),
        "ListRules" => list_rules(account, params),
        "DeleteRule" => delete_rule(account, params),
        "EnableRule" => set_state(account, params, "ENABLED"),
        "DisableRule" => set_state(account, params, "DISABLED"),
        "PutTargets" => put_targets(account, params),
        "RemoveTargets" => remove_targets(account, params),
        "ListTargetsByRule" => list_targets(account, params),
        "TagResource" => tag(account, params),
        "UntagResource" => untag(account, params),
        "ListTagsForResource" => Ok(json!({"Tags": tags_to_list(&tagged(account, params)?.tags, "Key", "Value")})),
        _ => Err(ApiError::new(400, "UnknownOperationException", "")),
    }
}

fn validation(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "ValidationException", message)
}

fn not_found(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "ResourceNotFoundException", message)
}

fn limit_exceeded(message: &str) -> ApiError {
    ApiError::new(400, "LimitExceededException", message)
}

fn arn(account: &Account, name: &str) -> String {
    format!("arn:{}:events:{}:{}:rule/{name}", account.partition(), account.region, account.account_id)
}

/// A name: 1 to 64 of `[.\-_A-Za-z0-9]`.
fn name<'a>(params: &'a Value, member: &str) -> Result<&'a str, ApiError> {
    let shown = member.to_lowercase();
    let name = text(params, member).ok_or_else(|| validation(constraint("", &shown, "Member must not be null")))?;
    let rule = if name.is_empty() {
        "Member must have length greater than or equal to 1"
    } else if name.len() > 64 {
        "Member must have length less than or equal to 64"
    } else if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte)) {
        r"Member must satisfy regular expression pattern: [\.\-_A-Za-z0-9]+"
    } else {
        return Ok(name);
    };
    Err(validation(constraint(name, &shown, rule)))
}

fn rule<'a>(account: &'a mut Account, params: &Value, member: &str) -> Result<&'a mut Rule, ApiError> {
    let name = name(params, member)?;
    let missing = || not_found(format!("Rule {name} does not exist on EventBus default."));
    account.events.rules.get_mut(name).ok_or_else(missing)
}

/// A pattern is an object whose leaves are lists that are not empty.
/// Source: <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns.html>
fn check_pattern(pattern: &str) -> Result<(), ApiError> {
    let invalid = |reason: &str| {
        ApiError::new(400, "InvalidEventPatternException", format!("Event pattern is not valid. Reason: {reason}"))
    };
    let value: Value = serde_json::from_str(pattern).map_err(|_| invalid("Filter is not an object"))?;
    let fields = value.as_object().ok_or_else(|| invalid("Filter is not an object"))?;
    if fields.is_empty() {
        return Err(invalid("Empty objects are not allowed"));
    }
    match fields.iter().find(|(_, value)| !well_formed(value)) {
        None => Ok(()),
        Some((name, _)) => Err(invalid(&format!("\"{name}\" must be an object or an array"))),
    }
}

fn well_formed(value: &Value) -> bool {
    match value {
        Value::Array(values) => !values.is_empty(),
        Value::Object(fields) => !fields.is_empty() && fields.values().all(well_formed),
        _ => false,
    }
}

/// `PutRule`: makes it or sets it anew, all but its targets and, when it stands, its tags.
fn put_rule(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let name = name(params, "Name")?;
    let (pattern, schedule) = (text(params, "EventPattern"), text(params, "ScheduleExpression"));
    if pattern.is_none() && schedule.is_none() {
        return Err(validation("Parameter(s) EventPattern or ScheduleExpression must be specified."));
    }
    pattern.map_or(Ok(()), check_pattern)?;
    let state = text(params, "State").unwrap_or("ENABLED");
    if !["ENABLED", "DISABLED"].contains(&state) {
        let allowed = "Member must satisfy enum value set: [ENABLED, DISABLED]";
        return Err(validation(constraint(state, "state", allowed)));
    }
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let standing = account.events.rules.get(name);
    if standing.is_none() && account.events.rules.len() >= MAX_RULES {
        return Err(limit_exceeded("The requested resource exceeds the maximum number allowed."));
    }
    let (targets, tags) = match standing {
        Some(rule) => (rule.targets.clone(), rule.tags.clone()),
        None => (IndexMap::new(), checked_tags(&IndexMap::new(), params)?),
    };
    let rule = Rule {
        pattern: owned(pattern),
        schedule: owned(schedule),
        description: owned(text(params, "Description")),
        state: state.to_owned(),
        targets,
        tags,
    };
    account.events.rules.insert(name.to_owned(), rule);
    Ok(json!({"RuleArn": arn(account, name)}))
}

fn shown(account: &Account, name: &str, rule: &Rule) -> Value {
    let mut shown = json!({"Name": name, "Arn": arn(account, name), "State": rule.state, "EventBusName": "default"});
    for (member, value) in
        [("EventPattern", &rule.pattern), ("ScheduleExpression", &rule.schedule), ("Description", &rule.description)]
    {
        if let Some(value) = value {
            shown[member] = json!(value);
        }
    }
    shown
}

fn describe_rule(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let rule = rule(account, params, "Name")?.clone();
    let mut shown = shown(account, name(params, "Name")?, &rule);
    shown["CreatedBy"] = json!(account.account_id);
    Ok(shown)
}

/// One page of a list under the name `member`.
fn listed(params: &Value, member: &str, items: Vec<(String, Value)>) -> Result<Value, ApiError> {
    let limit = usize::try_from(number(params, "Limit").unwrap_or(100)).ok().filter(|limit| (1..=100).contains(limit));
    let limit = limit.ok_or_else(|| validation("1 validation error detected: Limit must be between 1 and 100"))?;
    let page = page(items, text(params, "NextToken"), limit).ok_or_else(|| validation("The token is not valid."))?;
    let mut answer = json!({});
    answer[member] = Value::Array(page.items);
    if let Some(next) = page.next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}

fn list_rules(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let prefix = text(params, "NamePrefix").unwrap_or_default();
    let wanted = account.events.rules.iter().filter(|(name, _)| name.starts_with(prefix));
    listed(params, "Rules", wanted.map(|(name, rule)| (name.clone(), shown(account, name, rule))).collect())
}

/// `DeleteRule`: a rule that is not there is no error.
fn delete_rule(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let name = name(params, "Name")?;
    if account.events.rules.get(name).is_some_and(|rule| !rule.targets.is_empty()) {
        return Err(validation("Rule can't be deleted since it has targets."));
    }
    account.events.rules.remove(name);
    Ok(json!({}))
}

fn set_state(account: &mut Account, params: &Value, state: &str) -> Result<Value, ApiError> {
    state.clone_into(&mut rule(account, params, "Name")?.state);
    Ok(json!({}))
}

fn put_targets(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let rule = rule(account, params, "Rule")?;
    let mut targets = rule.targets.clone();
    let mut failed = Vec::new();
    for target in list(params, "Targets") {
        let (id, arn) = (text(target, "Id").unwrap_or_default(), text(target, "Arn").unwrap_or_default());
        if id.is_empty() || id.len() > 64 {
            return Err(validation("1 validation error detected: a target's id must have 1 to 64 characters"));
        }
        if arn.split(':').count() < 6 || !arn.starts_with("arn:") {
            failed.push(json!({
                "TargetId": id,
                "ErrorCode": "ValidationException",
                "ErrorMessage": format!("Parameter {arn} is not valid. Reason: Provided Arn is not in correct format."),
            }));
            continue;
        }
        targets.insert(id.to_owned(), arn.to_owned());
    }
    if targets.len() > MAX_TARGETS {
        return Err(limit_exceeded("The requested resource exceeds the maximum number allowed."));
    }
    rule.targets = targets;
    Ok(json!({"FailedEntryCount": failed.len(), "FailedEntries": failed}))
}

fn remove_targets(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let rule = rule(account, params, "Rule")?;
    for id in texts(params, "Ids") {
        rule.targets.shift_remove(&id);
    }
    Ok(json!({"FailedEntryCount": 0, "FailedEntries": []}))
}

fn list_targets(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let targets = rule(account, params, "Rule")?.targets.iter();
    listed(params, "Targets", targets.map(|(id, arn)| (id.clone(), json!({"Id": id, "Arn": arn}))).collect())
}

fn checked_tags(standing: &IndexMap<String, String>, params: &Value) -> Result<IndexMap<String, String>, ApiError> {
    let mut tags = standing.clone();
    for (key, value) in tag_list(params, "Tags", "Key", "Value") {
        let reserved = key.to_lowercase().starts_with("aws:");
        if key.is_empty() || key.chars().count() > 128 || value.chars().count() > 256 || reserved {
            return Err(validation(format!("Tag key {key} is not valid.")));
        }
        tags.insert(key, value);
    }
    if tags.len() > MAX_TAGS {
        return Err(limit_exceeded("A rule can have no more than 50 tags."));
    }
    Ok(tags)
}

/// The rule of a request's `ResourceARN`.
fn tagged<'a>(account: &'a mut Account, params: &Value) -> Result<&'a mut Rule, ApiError> {
    let resource = text(params, "ResourceARN").unwrap_or_default().to_owned();
    let prefix = arn(account, "");
    let Some(name) = resource.strip_prefix(&prefix) else {
        return Err(validation(format!(
            "Parameter {resource} is not valid. Reason: Provided Arn is not in correct format."
        )));
    };
    let missing = || not_found(format!("Rule {name} does not exist on EventBus default."));
    account.events.rules.get_mut(name).ok_or_else(missing)
}

fn tag(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let rule = tagged(account, params)?;
    rule.tags = checked_tags(&rule.tags, params)?;
    Ok(json!({}))
}

fn untag(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let rule = tagged(account, params)?;
    for key in texts(params, "TagKeys") {
        rule.tags.shift_remove(&key);
    }
    Ok(json!({}))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use aws_sdk_eventbridge::{
        error::ProvideErrorMetadata,
        types::{RuleState, Tag, Target},
    };

    use super::super::testing::{ACCOUNT, events, rehearsal};

    const PATTERN: &str = r#"{"source":["aws.ec2"],"detail":{"state":["running"]}}"#;

    fn refusal<T: std::fmt::Debug, E: ProvideErrorMetadata>(result: Result<T, E>) -> (String, String) {
        let error = result.unwrap_err();
        (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
    }

    fn target(id: &str, arn: &str) -> Target {
        Target::builder().id(id).arn(arn).build().unwrap()
    }

    fn tag(key: &str) -> Tag {
        Tag::builder().key(key).value("v").build().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_rule_goes_only_without_targets() {
        let events = events(&rehearsal());
        let missing = refusal(events.describe_rule().name("r").send().await);
        let words = "Rule r does not exist on EventBus default.";
        assert_eq!(missing, ("ResourceNotFoundException".to_owned(), words.to_owned()));
        let arn =
            events.put_rule().name("r").event_pattern(PATTERN).tags(tag("a")).send().await.unwrap().rule_arn.unwrap();
        assert_eq!(arn, format!("arn:aws:events:us-east-1:{ACCOUNT}:rule/r"));
        let queue = format!("arn:aws:sqs:us-east-1:{ACCOUNT}:q");
        let put = |target: Target| events.put_targets().rule("r").targets(target).send();
        put(target("q", &queue)).await.unwrap();
        let wrong = put(target("w", "q")).await.unwrap();
        assert_eq!((wrong.failed_entry_count(), wrong.failed_entries()[0].target_id()), (1, Some("w")));
        let listed = events.list_targets_by_rule().rule("r").send().await.unwrap();
        assert_eq!(listed.targets(), [target("q", &queue)]);
        let delete = || events.delete_rule().name("r").send();
        let refused = refusal(delete().await);
        assert_eq!(refused, ("ValidationException".into(), "Rule can't be deleted since it has targets.".into()));
        events.remove_targets().rule("r").ids("q").send().await.unwrap();
        delete().await.unwrap();
        delete().await.unwrap();
        assert!(events.list_rules().send().await.unwrap().rules().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn putting_sets_all_but_targets_and_tags() {
        let events = events(&rehearsal());
        let arn = events.put_rule().name("r").event_pattern(PATTERN).description("d").tags(tag("a")).send().await;
        let arn = arn.unwrap().rule_arn.unwrap();
        let other = r#"{"source":["aws.health"]}"#;
        events
            .put_rule()
            .name("r")
            .event_pattern(other)
            .state(RuleState::Disabled)
            .tags(tag("b"))
            .send()
            .await
            .unwrap();
        let found = events.describe_rule().name("r").send().await.unwrap();
        assert_eq!((found.event_pattern(), found.description()), (Some(other), None));
        assert_eq!(found.state(), Some(&RuleState::Disabled));
        let tags = async || events.list_tags_for_resource().resource_arn(&arn).send().await.unwrap().tags.unwrap();
        assert_eq!(tags().await, [tag("a")]);
        events.tag_resource().resource_arn(&arn).tags(tag("c")).send().await.unwrap();
        events.untag_resource().resource_arn(&arn).tag_keys("a").send().await.unwrap();
        assert_eq!(tags().await, [tag("c")]);
    }

    #[tokio::test(start_paused = true)]
    async fn wrong_rules_are_refused() {
        let events = events(&rehearsal());
        let put = |pattern: &str| events.put_rule().name("r").event_pattern(pattern).send();
        for pattern in ["{", "[]", "{}", r#"{"source":"aws.ec2"}"#, r#"{"detail":{"state":[]}}"#] {
            assert_eq!(refusal(put(pattern).await).0, "InvalidEventPatternException", "{pattern}");
        }
        assert_eq!(refusal(events.put_rule().name("r").send().await).0, "ValidationException");
        assert_eq!(refusal(events.put_rule().name("a b").event_pattern(PATTERN).send().await).0, "ValidationException");
        let bus = events.put_rule().name("r").event_bus_name("mine").event_pattern(PATTERN).send().await;
        assert_eq!(refusal(bus).0, "ResourceNotFoundException");
        put(PATTERN).await.unwrap();
        let targets = (0..6).map(|number| target(&number.to_string(), "arn:aws:sqs:us-east-1:1:q")).collect();
        let many = events.put_targets().rule("r").set_targets(Some(targets)).send().await;
        assert_eq!(refusal(many).0, "LimitExceededException");
    }
}
