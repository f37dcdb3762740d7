//! Queues. API: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>

use std::{collections::HashMap, time::Duration};

use aws_sdk_sqs::{Client, types::QueueAttributeName};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::{ErrorClass, ProviderError},
    inputs, outputs,
    provider::{Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    Clients, KeyArn, Tags, all_tags, call, call_fresh, discovered, found, gone_is_ok, marks, ownership, policy,
    tag_changes, unexpected, users_tags, vanished,
};

/// How messages are encrypted where they rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// With a key of SQS's own; costs nothing.
    #[default]
    Sqs,
    /// With a KMS key, whose policy must let every sender use it.
    Kms(KeyArn),
    /// Not at all.
    Off,
}

inputs! {
    /// A standard queue.
    pub struct QueueInputs, QueueArgs {
        /// The beginning of its name; a short hash is added, 80 characters in all.
        pub name_prefix: String,
        /// Who may send and receive beside the account: a policy. A queue's policy is about that
        /// queue alone, so a statement without a `Resource` gets the queue's own ARN, which
        /// nobody can know before.
        pub policy: Option<Value>,
        /// How long a message waits for its reader, 60 to 1,209,600 seconds (14 days).
        pub retention_seconds: u32,
        /// How messages are encrypted.
        pub encryption: Encryption,
        /// Tags.
        pub tags: Tags,
    }
}

outputs! {
    /// A queue.
    pub struct QueueOutputs, QueueRefs {
        /// Its ARN, for event rules and policies.
        pub arn: String,
        /// Its URL, for readers.
        pub url: String,
        /// Its name.
        pub name: String,
    }
}

type Attributes = HashMap<QueueAttributeName, String>;

/// The kind.
pub struct Queue {
    sqs: Client,
}

impl Queue {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { sqs: clients.sqs.clone() }
    }

    async fn url(&self, ctx: &Ctx, name: &str) -> Result<Option<String>, ProviderError> {
        let answer =
            call(ctx, "sqs", "GetQueueUrl", Repeat::Safe, || self.sqs.get_queue_url().queue_name(name).send()).await;
        Ok(found(answer)?.and_then(|answer| answer.queue_url))
    }

    async fn attributes(&self, ctx: &Ctx, url: &str) -> Result<Option<Attributes>, ProviderError> {
        let answer = call(ctx, "sqs", "GetQueueAttributes", Repeat::Safe, || {
            self.sqs.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::All).send()
        })
        .await;
        Ok(found(answer)?.map(|answer| answer.attributes.unwrap_or_default()))
    }

    async fn tags(&self, ctx: &Ctx, url: &str) -> Result<Option<Tags>, ProviderError> {
        let answer =
            call(ctx, "sqs", "ListQueueTags", Repeat::Safe, || self.sqs.list_queue_tags().queue_url(url).send()).await;
        Ok(found(answer)?.map(|answer| answer.tags.unwrap_or_default().into_iter().collect()))
    }

    /// A queue can be used a second after it was made.
    async fn set(&self, ctx: &Ctx, url: &str, attributes: &Attributes) -> Result<(), ProviderError> {
        if attributes.is_empty() {
            return Ok(());
        }
        call_fresh(ctx, "sqs", "SetQueueAttributes", Repeat::Safe, "", || {
            self.sqs.set_queue_attributes().queue_url(url).set_attributes(Some(attributes.clone())).send()
        })
        .await
        .map(drop)
    }

    async fn retag(&self, ctx: &Ctx, url: &str, old: &Tags, new: &Tags) -> Result<(), ProviderError> {
        let changes = tag_changes(old, new);
        if !changes.remove.is_empty() {
            call(ctx, "sqs", "UntagQueue", Repeat::Safe, || {
                self.sqs.untag_queue().queue_url(url).set_tag_keys(Some(changes.remove.clone())).send()
            })
            .await?;
        }
        if !changes.set.is_empty() {
            let tags: HashMap<String, String> = changes.set.into_iter().collect();
            call_fresh(ctx, "sqs", "TagQueue", Repeat::Safe, "", || {
                self.sqs.tag_queue().queue_url(url).set_tags(Some(tags.clone())).send()
            })
            .await?;
        }
        Ok(())
    }

    async fn send_create(&self, ctx: &Ctx, inputs: &QueueInputs, name: &str) -> Result<String, ProviderError> {
        // CreateQueue answers with a queue that stands, if its attributes are the same,
        // whosesoever it is.
        if self.url(ctx, name).await?.is_some() {
            return Err(ProviderError::new(ErrorClass::AlreadyExists, format!("there is a queue named {name}")));
        }
        let tags: HashMap<String, String> = all_tags(ctx, &inputs.tags).into_iter().collect();
        // Without the policy, which names the queue's ARN, and without what is only empty.
        let mut attributes = encryption(&inputs.encryption);
        attributes.retain(|_, value| !value.is_empty());
        attributes.insert(QueueAttributeName::MessageRetentionPeriod, inputs.retention_seconds.to_string());
        let answer = call(ctx, "sqs", "CreateQueue", Repeat::Once, || {
            let request = self.sqs.create_queue().queue_name(name);
            request.set_attributes(Some(attributes.clone())).set_tags(Some(tags.clone())).send()
        })
        .await?;
        answer.queue_url.ok_or_else(|| unexpected("CreateQueue", "QueueUrl"))
    }
}

/// The attributes of a way to encrypt; SQS allows one at a time.
fn encryption(encryption: &Encryption) -> Attributes {
    let (managed, key) = match encryption {
        Encryption::Sqs => ("true", ""),
        Encryption::Kms(key) => ("false", key.as_str()),
        Encryption::Off => ("false", ""),
    };
    HashMap::from([
        (QueueAttributeName::SqsManagedSseEnabled, managed.to_owned()),
        (QueueAttributeName::KmsMasterKeyId, key.to_owned()),
    ])
}

/// The policy as it is sent: statements without a resource are about the queue.
fn policy_text(policy: Option<&Value>, arn: &str) -> String {
    let Some(policy) = policy else {
        // An empty text takes the policy off.
        return String::new();
    };
    each_statement(policy, |statement| {
        if !statement.contains_key("Resource") && !statement.contains_key("NotResource") {
            statement.insert("Resource".to_owned(), arn.into());
        }
    })
    .to_string()
}

/// The policy as found, in the words of the prior one where they mean the same.
fn observed_policy(text: &str, prior: Option<&Value>, arn: &str) -> Result<Option<Value>, ProviderError> {
    if text.is_empty() {
        return Ok(None);
    }
    let found = policy::parse(text)?;
    let sent = policy::parse(&policy_text(prior, arn)).ok();
    Ok(match prior.zip(sent) {
        Some((prior, sent)) if policy::same_document(&sent, &found) => Some(prior.clone()),
        _ => Some(found),
    })
}

/// The policy with each of its statements changed.
fn each_statement(policy: &Value, mut change: impl FnMut(&mut Map<String, Value>)) -> Value {
    let mut policy = policy.clone();
    match policy.get_mut("Statement") {
        Some(Value::Array(statements)) => statements.iter_mut().filter_map(Value::as_object_mut).for_each(change),
        Some(Value::Object(statement)) => change(statement),
        _ => {}
    }
    policy
}

fn observed(
    attributes: &Attributes,
    tags: &Tags,
    prior: &QueueInputs,
    arn: &str,
) -> Result<QueueInputs, ProviderError> {
    let text = |name: QueueAttributeName| attributes.get(&name).map(String::as_str).unwrap_or_default();
    let key = text(QueueAttributeName::KmsMasterKeyId);
    Ok(QueueInputs {
        name_prefix: prior.name_prefix.clone(),
        policy: observed_policy(text(QueueAttributeName::Policy), prior.policy.as_ref(), arn)?,
        retention_seconds: text(QueueAttributeName::MessageRetentionPeriod).parse().unwrap_or_default(),
        encryption: match text(QueueAttributeName::SqsManagedSseEnabled) {
            _ if !key.is_empty() => Encryption::Kms(key.into()),
            "true" => Encryption::Sqs,
            _ => Encryption::Off,
        },
        tags: users_tags(tags),
    })
}

fn outputs_of(url: &str, attributes: &Attributes) -> Result<QueueOutputs, ProviderError> {
    let arn = attributes.get(&QueueAttributeName::QueueArn);
    let arn = arn.ok_or_else(|| unexpected("GetQueueAttributes", "QueueArn"))?;
    let name = arn.rsplit(':').next().unwrap_or_default();
    Ok(QueueOutputs { arn: arn.clone(), url: url.to_owned(), name: name.to_owned() })
}

impl Provider for Queue {
    type Inputs = QueueInputs;
    type Outputs = QueueOutputs;

    const TYPE: &'static str = "aws:sqs:Queue";
    const REPLACE_ON: &'static [&'static str] = &["name_prefix"];

    async fn create(&self, ctx: &Ctx, inputs: &QueueInputs) -> Result<Created<QueueOutputs>, ProviderError> {
        let url = match ctx.resume() {
            Some(url) => url.to_owned(),
            None => {
                let name = ctx.unique_name(&inputs.name_prefix, 80);
                let url = self.send_create(ctx, inputs, &name).await?;
                ctx.progress(&url);
                url
            }
        };
        let attributes = call_fresh(ctx, "sqs", "GetQueueAttributes", Repeat::Safe, "", || {
            self.sqs.get_queue_attributes().queue_url(&url).attribute_names(QueueAttributeName::QueueArn).send()
        })
        .await;
        let attributes = found(attributes)?.ok_or_else(|| vanished(&url))?.attributes.unwrap_or_default();
        let outputs = outputs_of(&url, &attributes)?;
        if ctx.resume().is_some() {
            // An adopted queue gets this intent's nonce.
            self.retag(ctx, &url, &Tags::new(), &all_tags(ctx, &inputs.tags)).await?;
        }
        if inputs.policy.is_some() {
            let text = policy_text(inputs.policy.as_ref(), &outputs.arn);
            self.set(ctx, &url, &HashMap::from([(QueueAttributeName::Policy, text)])).await?;
        }
        Ok(Created { id: url, outputs })
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<QueueInputs, QueueOutputs>,
    ) -> Reading<QueueInputs, QueueOutputs> {
        let url = &current.id;
        let Some(attributes) = self.attributes(ctx, url).await? else { return Ok(None) };
        let Some(tags) = self.tags(ctx, url).await? else { return Ok(None) };
        let outputs = outputs_of(url, &attributes)?;
        let inputs = observed(&attributes, &tags, &current.inputs, &outputs.arn)?;
        Ok(Some(Observed { inputs, outputs }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<QueueInputs, QueueOutputs>,
        to: &QueueInputs,
    ) -> Result<QueueOutputs, ProviderError> {
        let from = &current.inputs;
        let mut changed = Attributes::new();
        if from.encryption != to.encryption {
            changed.extend(encryption(&to.encryption));
        }
        if from.retention_seconds != to.retention_seconds {
            changed.insert(QueueAttributeName::MessageRetentionPeriod, to.retention_seconds.to_string());
        }
        if from.policy != to.policy {
            let text = policy_text(to.policy.as_ref(), &current.outputs.arn);
            changed.insert(QueueAttributeName::Policy, text);
        }
        self.set(ctx, &current.id, &changed).await?;
        self.retag(ctx, &current.id, &from.tags, &to.tags).await?;
        Ok(current.outputs.clone())
    }

    async fn delete(&self, ctx: &Ctx, current: &Current<QueueInputs, QueueOutputs>) -> Result<(), ProviderError> {
        let deleted =
            call(ctx, "sqs", "DeleteQueue", Repeat::Safe, || self.sqs.delete_queue().queue_url(&current.id).send());
        gone_is_ok(deleted.await)
    }

    async fn marks(&self, ctx: &Ctx, current: &Current<QueueInputs, QueueOutputs>) -> Result<Marks, ProviderError> {
        let tags = self.tags(ctx, &current.id).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&tags))
    }

    async fn recover(&self, ctx: &Ctx, inputs: &QueueInputs) -> Result<Recovered, ProviderError> {
        let name = ctx.unique_name(&inputs.name_prefix, 80);
        let url = match ctx.resume() {
            Some(url) => Some(url.to_owned()),
            None => self.url(ctx, &name).await?,
        };
        let Some(url) = url else { return Ok(Recovered::Absent) };
        Ok(match self.tags(ctx, &url).await? {
            Some(tags) => ownership(ctx, &tags).recovered(url),
            None => Recovered::Absent,
        })
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let (mut found, mut token) = (Vec::new(), None::<String>);
        loop {
            let page = call(ctx, "sqs", "ListQueues", Repeat::Safe, || {
                let request = self.sqs.list_queues().queue_name_prefix(ctx.stack()).max_results(1000);
                request.set_next_token(token.clone()).send()
            })
            .await?;
            for url in page.queue_urls() {
                let tags = self.tags(ctx, url).await?.unwrap_or_default();
                found.extend(discovered(ctx, Self::TYPE, url, &tags));
            }
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(Some(found));
            }
        }
    }

    fn expected(&self, _: rayplat_engine::provider::Action) -> Duration {
        Duration::from_secs(1)
    }
}

#[cfg(all(test, feature = "rehearsal"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::aws::scripted::{Answer, NONCE, Scripted, ctx, owner_tags};

    const URL: &str = "https://sqs.us-east-1.amazonaws.com/123456789012/q";
    const ARN: &str = "arn:aws:sqs:us-east-1:123456789012:q";

    fn policy(resource: Option<&str>) -> Value {
        let mut statement = json!({"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"},
            "Action": ["sqs:SendMessage"]});
        if let Some(resource) = resource {
            statement["Resource"] = resource.into();
        }
        json!({"Version": "2012-10-17", "Statement": [statement]})
    }

    fn inputs() -> QueueInputs {
        QueueInputs {
            name_prefix: "q".into(),
            policy: Some(policy(None)),
            retention_seconds: 300,
            ..QueueInputs::default()
        }
    }

    fn current() -> Current<QueueInputs, QueueOutputs> {
        let outputs = QueueOutputs { arn: ARN.into(), ..QueueOutputs::default() };
        Current { id: URL.into(), inputs: inputs(), outputs }
    }

    fn gone() -> Answer {
        Answer::refused(400, "QueueDoesNotExist", "The specified queue does not exist.")
    }

    #[tokio::test(start_paused = true)]
    async fn the_policy_is_about_the_queue_alone() {
        let services = Scripted::new(|operation, _| match operation {
            "GetQueueUrl" => gone(),
            "CreateQueue" => json!({"QueueUrl": URL}).into(),
            _ => json!({"Attributes": {"QueueArn": ARN}}).into(),
        });
        let kind = Queue::new(&services.clients());
        let created = kind.create(&ctx(Queue::TYPE, None), &inputs()).await.unwrap();
        assert_eq!((created.id.as_str(), created.outputs.name.as_str()), (URL, "q"));
        let sent = services.params("CreateQueue").remove(0);
        assert_eq!(sent["tags"]["rayplat:nonce"], NONCE);
        assert_eq!(sent["Attributes"], json!({"SqsManagedSseEnabled": "true", "MessageRetentionPeriod": "300"}));
        let set = services.params("SetQueueAttributes").remove(0);
        let text = set["Attributes"]["Policy"].as_str().unwrap();
        assert_eq!(serde_json::from_str::<Value>(text).unwrap(), policy(Some(ARN)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_policy_in_other_words_is_no_change_and_another_resource_is_one() {
        let read = async |resource: &'static str| {
            let services = Scripted::new(move |operation, _| match operation {
                "GetQueueAttributes" => {
                    let text =
                        policy(Some(resource)).to_string().replace("[\"sqs:SendMessage\"]", "\"SQS:SendMessage\"");
                    json!({"Attributes": {"QueueArn": ARN, "Policy": text, "MessageRetentionPeriod": "300",
                        "SqsManagedSseEnabled": "true"}})
                    .into()
                }
                _ => json!({"Tags": {"rayplat:nonce": "x"}}).into(),
            });
            let kind = Queue::new(&services.clients());
            kind.read(&ctx(Queue::TYPE, None), &current()).await.unwrap().unwrap().inputs
        };
        assert_eq!(read(ARN).await, inputs());
        assert_ne!(read("*").await.policy, inputs().policy);
    }

    #[tokio::test(start_paused = true)]
    async fn the_name_of_a_deleted_queue_is_waited_for() {
        let mut tries = 0;
        let services = Scripted::new(move |operation, _| match operation {
            "GetQueueUrl" => gone(),
            "CreateQueue" => {
                tries += 1;
                match tries {
                    1..=3 => Answer::refused(400, "QueueDeletedRecently", "You must wait 60 seconds"),
                    _ => json!({"QueueUrl": URL}).into(),
                }
            }
            _ => json!({"Attributes": {"QueueArn": ARN}}).into(),
        });
        let kind = Queue::new(&services.clients());
        kind.create(&ctx(Queue::TYPE, None), &inputs()).await.unwrap();
        assert_eq!(services.params("CreateQueue").len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn a_queue_of_the_name_is_judged_by_its_tags() {
        for (nonce, expected) in [
            (NONCE, Recovered::Mine(URL.into())),
            ("another", Recovered::OfThisStack(URL.into())),
            ("", Recovered::Foreign(URL.into())),
        ] {
            let services = Scripted::new(move |operation, _| match operation {
                "GetQueueUrl" => json!({"QueueUrl": URL}).into(),
                _ if nonce.is_empty() => json!({}).into(),
                _ => {
                    let listed = owner_tags(Queue::TYPE, nonce, "k", "v");
                    let pair = |tag: &Value| (tag["k"].as_str().unwrap().to_owned(), tag["v"].clone());
                    let tags: Map<String, Value> = listed.as_array().unwrap().iter().map(pair).collect();
                    json!({"Tags": tags}).into()
                }
            });
            let kind = Queue::new(&services.clients());
            let context = ctx(Queue::TYPE, None);
            // It is never taken for one's own because CreateQueue would answer with it.
            let error = kind.create(&context, &inputs()).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::AlreadyExists);
            assert_eq!(kind.recover(&context, &inputs()).await, Ok(expected));
            let read = kind.marks(&context, &current()).await.unwrap();
            let found = (!nonce.is_empty()).then(|| nonce.to_owned());
            assert!(matches!(read, Marks::Read { nonce, .. } if nonce == found));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_what_differs_is_set() {
        let services = Scripted::new(|_, _| json!({}).into());
        let kind = Queue::new(&services.clients());
        let to = QueueInputs { policy: None, encryption: Encryption::Kms("arn:key".into()), ..inputs() };
        kind.update(&ctx(Queue::TYPE, None), &current(), &to).await.unwrap();
        let set = services.params("SetQueueAttributes").remove(0);
        let expected = json!({"Policy": "", "KmsMasterKeyId": "arn:key", "SqsManagedSseEnabled": "false"});
        assert_eq!(set["Attributes"], expected);
        let gone = Scripted::new(|_, _| gone());
        let kind = Queue::new(&gone.clients());
        assert_eq!(kind.delete(&ctx(Queue::TYPE, None), &current()).await, Ok(()));
        assert_eq!(kind.read(&ctx(Queue::TYPE, None), &current()).await, Ok(None));
    }
}
