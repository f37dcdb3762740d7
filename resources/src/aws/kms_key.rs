//! KMS keys. API: <https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateKey.html>
//!
//! `CreateKey` has neither a client token nor a name: sent twice it makes two keys, each
//! billed by the month. So the key is tagged with the intent's nonce in the same call, and
//! looked for by that tag before it is ever sent again.

use std::time::Duration;

use aws_sdk_kms::{
    Client,
    types::{KeyMetadata, KeyState, Tag},
};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::{ErrorClass, ProviderError},
    inputs, outputs,
    provider::{Action, Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered},
};
use serde_json::Value;

use super::{
    Clients, KeyArn, KeyId, Ownership, Tags, all_tags, call, call_fresh, discovered, found, marks, ownership, policy,
    tag_changes, unexpected, users_tags, vanished,
};

inputs! {
    /// A symmetric key.
    pub struct KeyInputs, KeyArgs {
        /// Shown in the console.
        pub description: String,
        /// Who may use it: a key policy.
        pub policy: Value,
        /// New key material every year.
        pub rotation: bool,
        /// How long a deletion can be cancelled, 7 to 30 days.
        pub deletion_window_days: u32,
        /// Tags.
        pub tags: Tags,
    }
}

outputs! {
    /// A symmetric key.
    pub struct KeyOutputs, KeyRefs {
        /// Its ARN.
        pub arn: KeyArn,
        /// Its id.
        pub key_id: KeyId,
    }
}

/// The kind.
pub struct Key {
    kms: Client,
}

/// The one policy that a key has.
const POLICY: &str = "default";

impl Key {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { kms: clients.kms.clone() }
    }

    /// The key, unless it is gone; one that waits for its deletion counts as gone.
    async fn get(&self, ctx: &Ctx, id: &str) -> Result<Option<KeyMetadata>, ProviderError> {
        let answer = call(ctx, "kms", "DescribeKey", Repeat::Safe, || self.kms.describe_key().key_id(id).send()).await;
        Ok(found(answer)?.and_then(|answer| answer.key_metadata).filter(|key| !leaving(key)))
    }

    async fn tags(&self, ctx: &Ctx, id: &str) -> Result<Option<Tags>, ProviderError> {
        key_tags(&self.kms, ctx, id).await
    }

    async fn policy(&self, ctx: &Ctx, id: &str) -> Result<Value, ProviderError> {
        let answer = call(ctx, "kms", "GetKeyPolicy", Repeat::Safe, || {
            self.kms.get_key_policy().key_id(id).policy_name(POLICY).send()
        })
        .await?;
        policy::parse(answer.policy().unwrap_or("null"))
    }

    async fn rotates(&self, ctx: &Ctx, id: &str) -> Result<bool, ProviderError> {
        let answer = call_fresh(ctx, "kms", "GetKeyRotationStatus", Repeat::Safe, "", || {
            self.kms.get_key_rotation_status().key_id(id).send()
        })
        .await?;
        Ok(answer.key_rotation_enabled())
    }

    async fn set_rotation(&self, ctx: &Ctx, id: &str, on: bool) -> Result<(), ProviderError> {
        if on {
            call_fresh(ctx, "kms", "EnableKeyRotation", Repeat::Safe, "", || {
                self.kms.enable_key_rotation().key_id(id).send()
            })
            .await
            .map(drop)
        } else {
            call_fresh(ctx, "kms", "DisableKeyRotation", Repeat::Safe, "", || {
                self.kms.disable_key_rotation().key_id(id).send()
            })
            .await
            .map(drop)
        }
    }

    async fn retag(&self, ctx: &Ctx, id: &str, old: &Tags, new: &Tags) -> Result<(), ProviderError> {
        let changes = tag_changes(old, new);
        if !changes.remove.is_empty() {
            call(ctx, "kms", "UntagResource", Repeat::Safe, || {
                self.kms.untag_resource().key_id(id).set_tag_keys(Some(changes.remove.clone())).send()
            })
            .await?;
        }
        if !changes.set.is_empty() {
            let tags = to_tags(&changes.set)?;
            call_fresh(ctx, "kms", "TagResource", Repeat::Safe, "", || {
                self.kms.tag_resource().key_id(id).set_tags(Some(tags.clone())).send()
            })
            .await?;
        }
        Ok(())
    }

    /// What is left of a creation after the key was made.
    async fn resume(&self, ctx: &Ctx, id: &str, inputs: &KeyInputs) -> Result<Created<KeyOutputs>, ProviderError> {
        let key = self.get(ctx, id).await?.ok_or_else(|| vanished(id))?;
        self.retag(ctx, id, &Tags::new(), &all_tags(ctx, &inputs.tags)).await?;
        if self.rotates(ctx, id).await? != inputs.rotation {
            self.set_rotation(ctx, id, inputs.rotation).await?;
        }
        Ok(Created { id: id.to_owned(), outputs: outputs_of(&key)? })
    }

    /// Asks every key of the region for this intent's nonce. A key of the same resource with
    /// another nonce is taken for one of a lost state only if this is the resource's first
    /// object: otherwise it may be the predecessor that this one is to replace.
    async fn search(&self, ctx: &Ctx) -> Result<Recovered, ProviderError> {
        let mut lost = None;
        let mut marker = None;
        let mut readable = false;
        let mut refused = None;
        loop {
            let page = call(ctx, "kms", "ListKeys", Repeat::Safe, || {
                self.kms.list_keys().limit(1000).set_marker(marker.clone()).send()
            })
            .await?;
            for id in page.keys().iter().filter_map(|key| key.key_id()) {
                match self.tags(ctx, id).await {
                    Ok(tags) => {
                        readable = true;
                        match tags.map_or(Ownership::Foreign, |tags| ownership(ctx, &tags)) {
                            Ownership::Foreign => {}
                            _ if self.get(ctx, id).await?.is_none() => {}
                            Ownership::Mine => return Ok(Recovered::Mine(id.to_owned())),
                            Ownership::OfThisStack => lost = lost.or_else(|| Some(id.to_owned())),
                        }
                    }
                    // A policy that shuts us out is not the one that we gave.
                    Err(error) if error.class == ErrorClass::Denied => refused = Some(error),
                    Err(error) => return Err(error),
                }
            }
            marker = page.next_marker().filter(|_| page.truncated()).map(str::to_owned);
            if marker.is_none() {
                break;
            }
        }
        match refused {
            // Every key refused: then it is the caller who may not look, and nothing is known.
            Some(error) if !readable => Err(error),
            _ => Ok(lost.filter(|_| ctx.generation() == 0).map_or(Recovered::Absent, Recovered::OfThisStack)),
        }
    }

    /// CreateKey would make a second key beside one that a lost state has left: it has no
    /// name that AWS could refuse. So the refusal is ours.
    async fn refuse_second(&self, ctx: &Ctx) -> Result<(), ProviderError> {
        match self.search(ctx).await {
            Ok(Recovered::OfThisStack(id)) => {
                let message = format!("the key {id} carries this platform's tags already");
                Err(ProviderError::new(ErrorClass::AlreadyExists, message))
            }
            // Who may not look into keys may still make one.
            Err(error) if error.class != ErrorClass::Denied => Err(error),
            _ => Ok(()),
        }
    }
}

/// A key's tags; `None` if there is no such key.
pub(super) async fn key_tags(kms: &Client, ctx: &Ctx, id: &str) -> Result<Option<Tags>, ProviderError> {
    let mut tags = Tags::new();
    let mut marker = None;
    loop {
        let page = call(ctx, "kms", "ListResourceTags", Repeat::Safe, || {
            kms.list_resource_tags().key_id(id).set_marker(marker.clone()).send()
        })
        .await;
        let Some(page) = found(page)? else {
            return Ok(None);
        };
        tags.extend(page.tags().iter().map(|tag| (tag.tag_key().to_owned(), tag.tag_value().to_owned())));
        marker = page.next_marker().filter(|_| page.truncated()).map(str::to_owned);
        if marker.is_none() {
            return Ok(Some(tags));
        }
    }
}

fn leaving(key: &KeyMetadata) -> bool {
    matches!(key.key_state(), Some(KeyState::PendingDeletion | KeyState::PendingReplicaDeletion))
}

fn to_tags(tags: &Tags) -> Result<Vec<Tag>, ProviderError> {
    tags.iter()
        .map(|(key, value)| Tag::builder().tag_key(key).tag_value(value).build())
        .collect::<Result<_, _>>()
        .map_err(|error| ProviderError::new(ErrorClass::Invalid, format!("a tag is incomplete: {error}")))
}

fn outputs_of(key: &KeyMetadata) -> Result<KeyOutputs, ProviderError> {
    let arn = key.arn().ok_or_else(|| unexpected("DescribeKey", "Arn"))?;
    Ok(KeyOutputs { arn: arn.into(), key_id: key.key_id().into() })
}

impl Provider for Key {
    type Inputs = KeyInputs;
    type Outputs = KeyOutputs;

    const TYPE: &'static str = "aws:kms:Key";
    /// "Changes might take from a few seconds to a few minutes to propagate":
    /// <https://docs.aws.amazon.com/kms/latest/developerguide/accessing-kms.html#programming-eventual-consistency>
    const CONSISTENCY_WINDOW: Duration = Duration::from_secs(30);

    fn expected(&self, action: Action) -> Duration {
        Duration::from_secs(if action == Action::Create { 2 } else { 1 })
    }

    async fn create(&self, ctx: &Ctx, inputs: &KeyInputs) -> Result<Created<KeyOutputs>, ProviderError> {
        if let Some(id) = ctx.resume() {
            return self.resume(ctx, id, inputs).await;
        }
        self.refuse_second(ctx).await?;
        let tags = to_tags(&all_tags(ctx, &inputs.tags))?;
        let answer = call(ctx, "kms", "CreateKey", Repeat::Once, || {
            self.kms
                .create_key()
                .description(&inputs.description)
                .policy(inputs.policy.to_string())
                .set_tags(Some(tags.clone()))
                .send()
        })
        .await?;
        let key = answer.key_metadata().ok_or_else(|| unexpected("CreateKey", "KeyMetadata"))?;
        ctx.progress(key.key_id());
        if inputs.rotation {
            self.set_rotation(ctx, key.key_id(), true).await?;
        }
        Ok(Created { id: key.key_id().to_owned(), outputs: outputs_of(key)? })
    }

    async fn read(&self, ctx: &Ctx, current: &Current<KeyInputs, KeyOutputs>) -> Reading<KeyInputs, KeyOutputs> {
        let (id, prior) = (&current.id, &current.inputs);
        let Some(key) = self.get(ctx, id).await? else {
            return Ok(None);
        };
        let Some(tags) = self.tags(ctx, id).await? else {
            return Ok(None);
        };
        let inputs = KeyInputs {
            description: key.description().unwrap_or_default().to_owned(),
            policy: policy::keep_if_same(&prior.policy, self.policy(ctx, id).await?),
            rotation: self.rotates(ctx, id).await?,
            // Not a property of the key until it is deleted.
            deletion_window_days: prior.deletion_window_days,
            tags: users_tags(&tags),
        };
        Ok(Some(Observed { inputs, outputs: outputs_of(&key)? }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<KeyInputs, KeyOutputs>,
        to: &KeyInputs,
    ) -> Result<KeyOutputs, ProviderError> {
        let (id, from) = (&current.id, &current.inputs);
        if from.description != to.description {
            call(ctx, "kms", "UpdateKeyDescription", Repeat::Safe, || {
                self.kms.update_key_description().key_id(id).description(&to.description).send()
            })
            .await?;
        }
        if from.policy != to.policy {
            call(ctx, "kms", "PutKeyPolicy", Repeat::Safe, || {
                self.kms.put_key_policy().key_id(id).policy_name(POLICY).policy(to.policy.to_string()).send()
            })
            .await?;
        }
        if from.rotation != to.rotation {
            self.set_rotation(ctx, id, to.rotation).await?;
        }
        self.retag(ctx, id, &from.tags, &to.tags).await?;
        Ok(current.outputs.clone())
    }

    /// Keys are never deleted at once: the deletion is scheduled and can be cancelled until
    /// the window is over.
    async fn delete(&self, ctx: &Ctx, current: &Current<KeyInputs, KeyOutputs>) -> Result<(), ProviderError> {
        let id = &current.id;
        let days = current.inputs.deletion_window_days;
        let window = i32::try_from(days).unwrap_or(i32::MAX);
        let scheduled = call(ctx, "kms", "ScheduleKeyDeletion", Repeat::Safe, || {
            self.kms.schedule_key_deletion().key_id(id).pending_window_in_days(window).send()
        })
        .await;
        match found(scheduled) {
            Ok(Some(_)) => {
                ctx.status(&format!(
                    "deleted in {days} days; until then `aws kms cancel-key-deletion --key-id {id}` brings it back"
                ));
                Ok(())
            }
            Ok(None) => Ok(()),
            // Scheduled already, by us or by somebody else.
            Err(error) if error.code.as_deref() == Some("KMSInvalidStateException") => match self.get(ctx, id).await? {
                None => Ok(()),
                Some(_) => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    async fn marks(&self, ctx: &Ctx, current: &Current<KeyInputs, KeyOutputs>) -> Result<Marks, ProviderError> {
        let tags = self.tags(ctx, &current.id).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&tags))
    }

    async fn recover(&self, ctx: &Ctx, _: &KeyInputs) -> Result<Recovered, ProviderError> {
        if let Some(id) = ctx.resume() {
            return Ok(match (self.get(ctx, id).await?, self.tags(ctx, id).await?) {
                (Some(_), Some(tags)) => ownership(ctx, &tags).recovered(id),
                _ => Recovered::Absent,
            });
        }
        self.search(ctx).await
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let (mut found, mut marker) = (Vec::new(), None);
        loop {
            let page = call(ctx, "kms", "ListKeys", Repeat::Safe, || {
                self.kms.list_keys().limit(1000).set_marker(marker.clone()).send()
            })
            .await?;
            for id in page.keys().iter().filter_map(|key| key.key_id()) {
                let tags = match self.tags(ctx, id).await {
                    Ok(tags) => tags.unwrap_or_default(),
                    // A policy that shuts us out is not the one that we gave.
                    Err(error) if error.class == ErrorClass::Denied => continue,
                    Err(error) => return Err(error),
                };
                if let Some(key) = discovered(ctx, Self::TYPE, id, &tags)
                    && self.get(ctx, id).await?.is_some()
                {
                    found.push(key);
                }
            }
            marker = page.next_marker().filter(|_| page.truncated()).map(str::to_owned);
            if marker.is_none() {
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

    fn inputs() -> KeyInputs {
        KeyInputs {
            description: "Secrets".into(),
            policy: json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["kms:*"]}]}),
            rotation: true,
            deletion_window_days: 30,
            tags: Tags::from([("team".to_owned(), "ml".to_owned())]),
        }
    }

    fn key(id: &str, state: &str) -> Value {
        let arn = format!("arn:aws:kms:us-east-1:1:key/{id}");
        json!({"KeyMetadata": {"KeyId": id, "Arn": arn, "Description": "Secrets", "KeyState": state}})
    }

    fn current(id: &str) -> Current<KeyInputs, KeyOutputs> {
        Current { id: id.into(), inputs: inputs(), outputs: KeyOutputs::default() }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lost_response_is_never_sent_again() {
        let services = Scripted::new(|operation, _| match operation {
            "ListKeys" => json!({"Keys": [], "Truncated": false}).into(),
            _ => Answer::Lost,
        });
        let kind = Key::new(&services.clients());
        let error = kind.create(&ctx(Key::TYPE, None), &inputs()).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Ambiguous);
        assert_eq!(services.operations(), ["ListKeys", "CreateKey"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_nonce_is_on_the_key_from_its_first_moment() {
        let services = Scripted::new(|operation, _| match operation {
            "CreateKey" => key("k1", "Enabled").into(),
            _ => json!({}).into(),
        });
        let created = Key::new(&services.clients()).create(&ctx(Key::TYPE, None), &inputs()).await.unwrap();
        assert_eq!(created.outputs.key_id.as_str(), "k1");
        assert_eq!(services.operations(), ["ListKeys", "CreateKey", "EnableKeyRotation"]);
        let sent = services.params("CreateKey").remove(0);
        let tags = sent["Tags"].as_array().unwrap();
        assert!(tags.contains(&json!({"TagKey": "rayplat:nonce", "TagValue": NONCE})), "{sent}");
        assert!(tags.contains(&json!({"TagKey": "team", "TagValue": "ml"})), "{sent}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_of_a_lost_state_is_not_joined_by_a_second_one() {
        let services = Scripted::new(|operation, params| match (operation, params["KeyId"].as_str()) {
            ("ListKeys", _) => json!({"Keys": [{"KeyId": "older"}], "Truncated": false}).into(),
            ("ListResourceTags", _) => {
                json!({"Tags": owner_tags(Key::TYPE, "another", "TagKey", "TagValue"), "Truncated": false}).into()
            }
            ("DescribeKey", Some(id)) => key(id, "Enabled").into(),
            (other, _) => panic!("{other}"),
        });
        let kind = Key::new(&services.clients());
        let error = kind.create(&ctx(Key::TYPE, None), &inputs()).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::AlreadyExists);
        assert_eq!(kind.recover(&ctx(Key::TYPE, None), &inputs()).await, Ok(Recovered::OfThisStack("older".into())));
    }

    /// Two pages of keys: one denied, one with our tags and another nonce, one of ours that
    /// waits for its deletion, and ours.
    fn many_keys(operation: &str, params: &Value) -> Answer {
        let id = params["KeyId"].as_str().unwrap_or_default();
        match (operation, params["Marker"].as_str()) {
            ("ListKeys", None) => {
                json!({"Keys": [{"KeyId": "denied"}, {"KeyId": "older"}], "Truncated": true, "NextMarker": "2"}).into()
            }
            ("ListKeys", Some(_)) => {
                json!({"Keys": [{"KeyId": "leaving"}, {"KeyId": "ours"}], "Truncated": false}).into()
            }
            ("ListResourceTags", _) if id == "denied" => Answer::refused(400, "AccessDeniedException", "no"),
            ("ListResourceTags", None) if id == "ours" => {
                json!({"Tags": [{"TagKey": "team", "TagValue": "ml"}], "Truncated": true, "NextMarker": "2"}).into()
            }
            ("ListResourceTags", _) => {
                let nonce = if id == "older" { "another" } else { NONCE };
                json!({"Tags": owner_tags(Key::TYPE, nonce, "TagKey", "TagValue"), "Truncated": false}).into()
            }
            ("DescribeKey", _) => key(id, if id == "leaving" { "PendingDeletion" } else { "Enabled" }).into(),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn recovery_finds_the_key_with_the_nonce() {
        let kind = Key::new(&Scripted::new(many_keys).clients());
        assert_eq!(kind.recover(&ctx(Key::TYPE, None), &inputs()).await, Ok(Recovered::Mine("ours".into())));
        let known = |id| ctx(Key::TYPE, Some(id));
        assert_eq!(kind.recover(&known("ours"), &inputs()).await, Ok(Recovered::Mine("ours".into())));
        assert_eq!(kind.recover(&known("older"), &inputs()).await, Ok(Recovered::OfThisStack("older".into())));
        assert_eq!(kind.recover(&known("leaving"), &inputs()).await, Ok(Recovered::Absent));
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_may_not_look_knows_nothing() {
        let services = Scripted::new(|operation, _| match operation {
            "ListKeys" => json!({"Keys": [{"KeyId": "a"}], "Truncated": false}).into(),
            _ => Answer::refused(400, "AccessDeniedException", "no"),
        });
        let error = Key::new(&services.clients()).recover(&ctx(Key::TYPE, None), &inputs()).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Denied);
    }

    #[tokio::test(start_paused = true)]
    async fn a_policy_in_other_words_is_no_change() {
        let services = Scripted::new(|operation, _| match operation {
            "DescribeKey" => key("k1", "Enabled").into(),
            "ListResourceTags" => json!({"Tags": [{"TagKey": "team", "TagValue": "ml"}], "Truncated": false}).into(),
            "GetKeyPolicy" => {
                let text = r#"{"Version":"2012-10-17","Statement":{"Action":"kms:*","Effect":"Allow","Sid":""}}"#;
                json!({"Policy": text}).into()
            }
            "GetKeyRotationStatus" => json!({"KeyRotationEnabled": true}).into(),
            other => panic!("{other}"),
        });
        let observed = Key::new(&services.clients()).read(&ctx(Key::TYPE, None), &current("k1")).await.unwrap();
        assert_eq!(observed.unwrap().inputs, inputs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_scheduled_deletion_is_done() {
        let services = Scripted::new(|operation, _| match operation {
            "ScheduleKeyDeletion" => Answer::refused(400, "KMSInvalidStateException", "k1 is pending deletion."),
            _ => key("k1", "PendingDeletion").into(),
        });
        let kind = Key::new(&services.clients());
        assert_eq!(kind.delete(&ctx(Key::TYPE, None), &current("k1")).await, Ok(()));
        assert_eq!(kind.read(&ctx(Key::TYPE, None), &current("k1")).await, Ok(None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_in_another_bad_state_is_not_called_deleted() {
        let services = Scripted::new(|operation, _| match operation {
            "ScheduleKeyDeletion" => Answer::refused(400, "KMSInvalidStateException", "k1 is creating."),
            _ => key("k1", "Creating").into(),
        });
        assert!(Key::new(&services.clients()).delete(&ctx(Key::TYPE, None), &current("k1")).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_interrupted_creation_is_completed() {
        let services = Scripted::new(|operation, _| match operation {
            "DescribeKey" => key("k1", "Enabled").into(),
            "GetKeyRotationStatus" => json!({"KeyRotationEnabled": false}).into(),
            _ => json!({}).into(),
        });
        let created = Key::new(&services.clients()).create(&ctx(Key::TYPE, Some("k1")), &inputs()).await.unwrap();
        assert_eq!(created.id, "k1");
        assert_eq!(services.operations(), ["DescribeKey", "TagResource", "GetKeyRotationStatus", "EnableKeyRotation"]);
    }
}
