//! Event rules of the default bus, with their targets.
//! API: <https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>

use std::collections::BTreeMap;

use aws_sdk_eventbridge::{
    Client,
    operation::describe_rule::DescribeRuleOutput,
    types::{RuleState, Tag, Target},
};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::{ErrorClass, ProviderError},
    inputs, outputs,
    provider::{Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered},
};
use serde_json::Value;

use super::{
    Clients, Tags, all_tags, call, call_fresh, discovered, found, gone_is_ok, marks, ownership, tag_changes,
    unexpected, users_tags, vanished,
};

inputs! {
    /// A rule.
    pub struct RuleInputs, RuleArgs {
        /// The beginning of its name; a short hash is added, 64 characters in all.
        pub name_prefix: String,
        /// Shown in the console.
        pub description: String,
        /// Which events: an event pattern.
        pub pattern: Value,
        /// Where they go: ARNs by an id of the caller's choice, five at most. A queue's policy must
        /// let `events.amazonaws.com` send.
        pub targets: BTreeMap<String, String>,
        /// True for a rule that stands, but passes nothing on.
        pub disabled: bool,
        /// Tags.
        pub tags: Tags,
    }
}

outputs! {
    /// A rule.
    pub struct RuleOutputs, RuleRefs {
        /// Its ARN.
        pub arn: String,
        /// Its name.
        pub name: String,
    }
}

type Targets = BTreeMap<String, String>;

/// The kind.
pub struct Rule {
    events: Client,
}

impl Rule {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { events: clients.events.clone() }
    }

    async fn get(&self, ctx: &Ctx, name: &str) -> Result<Option<DescribeRuleOutput>, ProviderError> {
        let answer =
            call(ctx, "events", "DescribeRule", Repeat::Safe, || self.events.describe_rule().name(name).send()).await;
        found(answer)
    }

    async fn tags(&self, ctx: &Ctx, arn: &str) -> Result<Option<Tags>, ProviderError> {
        let answer = call(ctx, "events", "ListTagsForResource", Repeat::Safe, || {
            self.events.list_tags_for_resource().resource_arn(arn).send()
        })
        .await;
        let tags = |tags: &[Tag]| tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect();
        Ok(found(answer)?.map(|answer| tags(answer.tags())))
    }

    /// All targets; none if the rule is gone.
    async fn targets(&self, ctx: &Ctx, name: &str) -> Result<Targets, ProviderError> {
        let (mut targets, mut token) = (Targets::new(), None);
        loop {
            let page = call(ctx, "events", "ListTargetsByRule", Repeat::Safe, || {
                self.events.list_targets_by_rule().rule(name).set_next_token(token.clone()).send()
            })
            .await;
            let Some(page) = found(page)? else { return Ok(Targets::new()) };
            targets.extend(page.targets().iter().map(|target| (target.id().to_owned(), target.arn().to_owned())));
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(targets);
            }
        }
    }

    /// Sets all of a rule but its tags, which are heeded only when it is made.
    async fn put(&self, ctx: &Ctx, inputs: &RuleInputs, name: &str, tags: &[Tag]) -> Result<String, ProviderError> {
        let state = if inputs.disabled { RuleState::Disabled } else { RuleState::Enabled };
        let answer = call(ctx, "events", "PutRule", Repeat::Safe, || {
            self.events
                .put_rule()
                .name(name)
                .description(&inputs.description)
                .event_pattern(inputs.pattern.to_string())
                .state(state.clone())
                .set_tags((!tags.is_empty()).then(|| tags.to_vec()))
                .send()
        })
        .await?;
        answer.rule_arn.ok_or_else(|| unexpected("PutRule", "RuleArn"))
    }

    /// Makes the targets what they should be: a target of the same id is overwritten.
    async fn retarget(&self, ctx: &Ctx, name: &str, old: &Targets, new: &Targets) -> Result<(), ProviderError> {
        let changes = tag_changes(old, new);
        self.remove_targets(ctx, name, &changes.remove).await?;
        if changes.set.is_empty() {
            return Ok(());
        }
        let targets: Vec<Target> = changes
            .set
            .iter()
            .map(|(id, arn)| Target::builder().id(id).arn(arn).build())
            .collect::<Result<_, _>>()
            .map_err(incomplete)?;
        let answer = call_fresh(ctx, "events", "PutTargets", Repeat::Safe, name, || {
            self.events.put_targets().rule(name).set_targets(Some(targets.clone())).send()
        })
        .await?;
        let failed = answer.failed_entries().first();
        failed.map_or(Ok(()), |entry| {
            Err(refused(entry.target_id(), entry.error_code(), entry.error_message()).during("events", "PutTargets"))
        })
    }

    async fn remove_targets(&self, ctx: &Ctx, name: &str, ids: &[String]) -> Result<(), ProviderError> {
        if ids.is_empty() {
            return Ok(());
        }
        let answer = call(ctx, "events", "RemoveTargets", Repeat::Safe, || {
            self.events.remove_targets().rule(name).set_ids(Some(ids.to_vec())).send()
        })
        .await;
        let Some(answer) = found(answer)? else { return Ok(()) };
        let failed = answer.failed_entries().first();
        failed.map_or(Ok(()), |entry| {
            Err(refused(entry.target_id(), entry.error_code(), entry.error_message()).during("events", "RemoveTargets"))
        })
    }

    async fn retag(&self, ctx: &Ctx, arn: &str, old: &Tags, new: &Tags) -> Result<(), ProviderError> {
        let changes = tag_changes(old, new);
        if !changes.remove.is_empty() {
            call(ctx, "events", "UntagResource", Repeat::Safe, || {
                self.events.untag_resource().resource_arn(arn).set_tag_keys(Some(changes.remove.clone())).send()
            })
            .await?;
        }
        if !changes.set.is_empty() {
            let tags = to_tags(&changes.set)?;
            call(ctx, "events", "TagResource", Repeat::Safe, || {
                self.events.tag_resource().resource_arn(arn).set_tags(Some(tags.clone())).send()
            })
            .await?;
        }
        Ok(())
    }
}

fn to_tags(tags: &Tags) -> Result<Vec<Tag>, ProviderError> {
    let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
    tags.collect::<Result<_, _>>().map_err(incomplete)
}

fn incomplete(error: impl std::fmt::Display) -> ProviderError {
    ProviderError::new(ErrorClass::Invalid, format!("a tag or target is incomplete: {error}"))
}

/// An answer of success can hold entries that were not accepted.
fn refused(id: Option<&str>, code: Option<&str>, message: Option<&str>) -> ProviderError {
    let code = code.unwrap_or("Unknown");
    let class = if code.contains("ConcurrentModification") { ErrorClass::Busy } else { ErrorClass::Invalid };
    let message = format!("target {}: {}", id.unwrap_or_default(), message.unwrap_or_default());
    ProviderError::new(class, message).code(code)
}

fn outputs_of(name: &str, arn: &str) -> RuleOutputs {
    RuleOutputs { arn: arn.to_owned(), name: name.to_owned() }
}

/// The pattern as found, a JSON text.
fn pattern(rule: &DescribeRuleOutput) -> Result<Value, ProviderError> {
    serde_json::from_str(rule.event_pattern().unwrap_or("null"))
        .map_err(|error| ProviderError::new(ErrorClass::Failed, format!("the rule's pattern is not JSON: {error}")))
}

impl Provider for Rule {
    type Inputs = RuleInputs;
    type Outputs = RuleOutputs;

    const TYPE: &'static str = "aws:events:Rule";
    const REPLACE_ON: &'static [&'static str] = &["name_prefix"];

    async fn create(&self, ctx: &Ctx, inputs: &RuleInputs) -> Result<Created<RuleOutputs>, ProviderError> {
        let name = ctx.unique_name(&inputs.name_prefix, 64);
        let wanted = all_tags(ctx, &inputs.tags);
        let standing = self.get(ctx, &name).await?;
        let arn = match (ctx.resume(), standing) {
            (Some(_), Some(rule)) => {
                let arn = rule.arn().unwrap_or_default().to_owned();
                // An adopted rule gets this intent's nonce.
                self.retag(ctx, &arn, &Tags::new(), &wanted).await?;
                arn
            }
            (Some(id), None) => return Err(vanished(id)),
            // PutRule overwrites whatever has the name.
            (None, Some(_)) => {
                let message = format!("there is an event rule named {name}");
                return Err(ProviderError::new(ErrorClass::AlreadyExists, message));
            }
            (None, None) => {
                let arn = self.put(ctx, inputs, &name, &to_tags(&wanted)?).await?;
                ctx.progress(&name);
                arn
            }
        };
        // What an interrupted creation has put is put again.
        self.retarget(ctx, &name, &Targets::new(), &inputs.targets).await?;
        Ok(Created { outputs: outputs_of(&name, &arn), id: name })
    }

    async fn read(&self, ctx: &Ctx, current: &Current<RuleInputs, RuleOutputs>) -> Reading<RuleInputs, RuleOutputs> {
        let name = &current.id;
        let Some(rule) = self.get(ctx, name).await? else { return Ok(None) };
        let arn = rule.arn().unwrap_or_default();
        let Some(tags) = self.tags(ctx, arn).await? else { return Ok(None) };
        let inputs = RuleInputs {
            name_prefix: current.inputs.name_prefix.clone(),
            description: rule.description().unwrap_or_default().to_owned(),
            pattern: pattern(&rule)?,
            targets: self.targets(ctx, name).await?,
            disabled: rule.state() == Some(&RuleState::Disabled),
            tags: users_tags(&tags),
        };
        Ok(Some(Observed { inputs, outputs: outputs_of(name, arn) }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<RuleInputs, RuleOutputs>,
        to: &RuleInputs,
    ) -> Result<RuleOutputs, ProviderError> {
        let (name, from) = (&current.id, &current.inputs);
        if (&from.description, &from.pattern, from.disabled) != (&to.description, &to.pattern, to.disabled) {
            self.put(ctx, to, name, &[]).await?;
        }
        self.retarget(ctx, name, &from.targets, &to.targets).await?;
        self.retag(ctx, &current.outputs.arn, &from.tags, &to.tags).await?;
        Ok(current.outputs.clone())
    }

    /// A rule with targets cannot be deleted; those that somebody added go with it.
    async fn delete(&self, ctx: &Ctx, current: &Current<RuleInputs, RuleOutputs>) -> Result<(), ProviderError> {
        let name = &current.id;
        let ids: Vec<String> = self.targets(ctx, name).await?.into_keys().collect();
        self.remove_targets(ctx, name, &ids).await?;
        gone_is_ok(
            call(ctx, "events", "DeleteRule", Repeat::Safe, || self.events.delete_rule().name(name).send()).await,
        )
    }

    async fn marks(&self, ctx: &Ctx, current: &Current<RuleInputs, RuleOutputs>) -> Result<Marks, ProviderError> {
        let rule = self.get(ctx, &current.id).await?.ok_or_else(|| vanished(&current.id))?;
        let tags = self.tags(ctx, rule.arn().unwrap_or_default()).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&tags))
    }

    async fn recover(&self, ctx: &Ctx, inputs: &RuleInputs) -> Result<Recovered, ProviderError> {
        let name = ctx.unique_name(&inputs.name_prefix, 64);
        let Some(rule) = self.get(ctx, &name).await? else { return Ok(Recovered::Absent) };
        Ok(match self.tags(ctx, rule.arn().unwrap_or_default()).await? {
            Some(tags) => ownership(ctx, &tags).recovered(name),
            None => Recovered::Absent,
        })
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let (mut found, mut token) = (Vec::new(), None::<String>);
        loop {
            let page = call(ctx, "events", "ListRules", Repeat::Safe, || {
                self.events.list_rules().name_prefix(ctx.stack()).set_next_token(token.clone()).send()
            })
            .await?;
            for rule in page.rules() {
                let tags = self.tags(ctx, rule.arn().unwrap_or_default()).await?.unwrap_or_default();
                found.extend(discovered(ctx, Self::TYPE, rule.name().unwrap_or_default(), &tags));
            }
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(Some(found));
            }
        }
    }
}

#[cfg(all(test, feature = "rehearsal"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::aws::scripted::{Answer, NONCE, Scripted, ctx, owner_tags};

    const ARN: &str = "arn:aws:events:us-east-1:123456789012:rule/r";

    fn inputs(targets: &[(&str, &str)]) -> RuleInputs {
        RuleInputs {
            name_prefix: "r".into(),
            pattern: json!({"source": ["aws.ec2"]}),
            targets: targets.iter().map(|(id, arn)| ((*id).to_owned(), (*arn).to_owned())).collect(),
            ..RuleInputs::default()
        }
    }

    fn current(targets: &[(&str, &str)]) -> Current<RuleInputs, RuleOutputs> {
        Current { id: "r".into(), inputs: inputs(targets), outputs: outputs_of("r", ARN) }
    }

    fn missing() -> Answer {
        Answer::refused(400, "ResourceNotFoundException", "Rule r does not exist on EventBus default.")
    }

    fn rule() -> Value {
        json!({"Name": "r", "Arn": ARN, "State": "ENABLED", "EventPattern": r#"{ "source": ["aws.ec2"] }"#})
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_has_the_name_is_never_overwritten() {
        for (nonce, mine) in [(NONCE, true), ("another", false)] {
            let services = Scripted::new(move |operation, _| match operation {
                "DescribeRule" => rule().into(),
                "ListTagsForResource" => json!({"Tags": owner_tags(Rule::TYPE, nonce, "Key", "Value")}).into(),
                other => panic!("{other}"),
            });
            let kind = Rule::new(&services.clients());
            let context = ctx(Rule::TYPE, None);
            let error = kind.create(&context, &inputs(&[])).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::AlreadyExists);
            let found = kind.recover(&context, &inputs(&[])).await.unwrap();
            assert_eq!(matches!(found, Recovered::Mine(_)), mine, "{found:?}");
            let read = kind.marks(&context, &current(&[])).await.unwrap();
            assert!(matches!(read, Marks::Read { nonce: Some(read), .. } if read == nonce));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_interrupted_creation_gets_its_targets() {
        let services = Scripted::new(|operation, _| match operation {
            "DescribeRule" => rule().into(),
            _ => json!({"FailedEntryCount": 0, "FailedEntries": []}).into(),
        });
        let kind = Rule::new(&services.clients());
        let created = kind.create(&ctx(Rule::TYPE, Some("r")), &inputs(&[("q", "arn:q")])).await.unwrap();
        assert_eq!(created.outputs.arn, ARN);
        assert_eq!(services.operations(), ["DescribeRule", "TagResource", "PutTargets"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_target_that_was_not_accepted_is_an_error() {
        for (code, class) in
            [("ValidationException", ErrorClass::Invalid), ("ConcurrentModificationException", ErrorClass::Busy)]
        {
            let services = Scripted::new(move |operation, _| match operation {
                "PutTargets" => {
                    let entry = json!({"TargetId": "q", "ErrorCode": code, "ErrorMessage": "not so"});
                    json!({"FailedEntryCount": 1, "FailedEntries": [entry]}).into()
                }
                other => panic!("{other}"),
            });
            let kind = Rule::new(&services.clients());
            let (context, to) = (ctx(Rule::TYPE, None), inputs(&[("q", "arn:q")]));
            let error = kind.update(&context, &current(&[]), &to).await.unwrap_err();
            assert_eq!((error.class, error.message.as_str()), (class, "target q: not so"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn all_targets_are_seen_and_go_before_the_rule() {
        let paged = |operation: &str, params: &Value| match (operation, params["NextToken"].as_str()) {
            ("DescribeRule", _) => rule().into(),
            ("ListTagsForResource", _) => json!({"Tags": []}).into(),
            ("ListTargetsByRule", None) => json!({"Targets": [{"Id": "q", "Arn": "arn:q"}], "NextToken": "2"}).into(),
            ("ListTargetsByRule", _) => json!({"Targets": [{"Id": "theirs", "Arn": "arn:t"}]}).into(),
            _ => json!({"FailedEntryCount": 0, "FailedEntries": []}).into(),
        };
        let services = Scripted::new(paged);
        let kind = Rule::new(&services.clients());
        let context = ctx(Rule::TYPE, None);
        let prior = current(&[("q", "arn:q")]);
        let found = kind.read(&context, &prior).await.unwrap().unwrap();
        assert_eq!(found.inputs, inputs(&[("q", "arn:q"), ("theirs", "arn:t")]));
        kind.delete(&context, &prior).await.unwrap();
        assert_eq!(services.params("RemoveTargets")[0]["Ids"], json!(["q", "theirs"]));
        assert_eq!(services.operations().last().map(String::as_str), Some("DeleteRule"));
    }

    #[tokio::test(start_paused = true)]
    async fn gone_is_gone() {
        let services = Scripted::new(|_, _| missing());
        let kind = Rule::new(&services.clients());
        let context = ctx(Rule::TYPE, None);
        assert_eq!(kind.read(&context, &current(&[])).await, Ok(None));
        assert_eq!(kind.delete(&context, &current(&[])).await, Ok(()));
        assert_eq!(kind.recover(&context, &inputs(&[])).await, Ok(Recovered::Absent));
    }
}
