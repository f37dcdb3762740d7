//! Tags on an Auto Scaling group that somebody else made: EKS, behind a node group. A node
//! group's own tags do not reach it (aws/containers-roadmap#608), and the cluster autoscaler
//! reads there what nodes a group without any would have.
//! API: <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_CreateOrUpdateTags.html>

use aws_sdk_autoscaling::{
    Client,
    types::{Filter, Tag},
};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::{ErrorClass, ProviderError},
    inputs,
    provider::{Created, Current, Marks, Observed, Provider, Reading, Recovered},
};

use super::{Clients, Tags, call, gone_is_ok, tag_changes};

inputs! {
    /// Some of the tags of a group. Only these keys are read, compared, changed and
    /// deleted: all others are somebody else's.
    pub struct GroupTagsInputs, GroupTagsArgs {
        /// The group's name.
        pub group: String,
        /// At least one. They do not go onto instances.
        pub tags: Tags,
    }
}

/// The kind. The tags carry no ownership tags of their own: they are on a group of ours.
pub struct GroupTags {
    autoscaling: Client,
}

impl GroupTags {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { autoscaling: clients.autoscaling.clone() }
    }

    /// Those of the group's tags whose keys are among `ours`; none if the group is gone.
    async fn get(&self, ctx: &Ctx, group: &str, ours: &Tags) -> Result<Tags, ProviderError> {
        let filter = Filter::builder().name("auto-scaling-group").values(group).build();
        let (mut tags, mut token) = (Tags::new(), None);
        loop {
            let page = call(ctx, "autoscaling", "DescribeTags", Repeat::Safe, || {
                self.autoscaling.describe_tags().filters(filter.clone()).set_next_token(token.clone()).send()
            })
            .await?;
            for tag in page.tags() {
                if let Some(key) = tag.key().filter(|key| ours.contains_key(*key)) {
                    tags.insert(key.to_owned(), tag.value().unwrap_or_default().to_owned());
                }
            }
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(tags);
            }
        }
    }

    /// A tag that is there is overwritten: safe to repeat.
    async fn set(&self, ctx: &Ctx, group: &str, tags: &Tags) -> Result<(), ProviderError> {
        if tags.is_empty() {
            return Ok(());
        }
        let tags: Vec<Tag> = tags.iter().map(|(key, value)| tag(group, key).value(value).build()).collect();
        call(ctx, "autoscaling", "CreateOrUpdateTags", Repeat::Safe, || {
            self.autoscaling.create_or_update_tags().set_tags(Some(tags.clone())).send()
        })
        .await?;
        Ok(())
    }

    async fn remove(&self, ctx: &Ctx, group: &str, keys: &[String]) -> Result<(), ProviderError> {
        if keys.is_empty() {
            return Ok(());
        }
        let tags: Vec<Tag> = keys.iter().map(|key| tag(group, key).build()).collect();
        let removed = call(ctx, "autoscaling", "DeleteTags", Repeat::Safe, || {
            self.autoscaling.delete_tags().set_tags(Some(tags.clone())).send()
        });
        gone_is_ok(removed.await.map_err(group_gone))
    }
}

fn tag(group: &str, key: &str) -> aws_sdk_autoscaling::types::builders::TagBuilder {
    Tag::builder().resource_id(group).resource_type("auto-scaling-group").key(key).propagate_at_launch(false)
}

/// A missing group has no code of its own: `ValidationError`, "AutoScalingGroup not found - ..."
/// (cloud-custodian#380).
fn group_gone(error: ProviderError) -> ProviderError {
    let gone = error.code.as_deref() == Some("ValidationError") && error.message.contains("not found");
    if gone { ProviderError { class: ErrorClass::NotFound, ..error } } else { error }
}

impl Provider for GroupTags {
    type Inputs = GroupTagsInputs;
    type Outputs = ();

    const TYPE: &'static str = "aws:autoscaling:GroupTags";
    const REPLACE_ON: &'static [&'static str] = &["group"];

    async fn create(&self, ctx: &Ctx, inputs: &GroupTagsInputs) -> Result<Created<()>, ProviderError> {
        // Setting sets all: an interrupted creation is simply done again.
        self.set(ctx, &inputs.group, &inputs.tags).await?;
        ctx.progress(&inputs.group);
        Ok(Created { id: inputs.group.clone(), outputs: () })
    }

    async fn read(&self, ctx: &Ctx, current: &Current<GroupTagsInputs, ()>) -> Reading<GroupTagsInputs, ()> {
        let tags = self.get(ctx, &current.id, &current.inputs.tags).await?;
        let inputs = GroupTagsInputs { group: current.id.clone(), tags };
        Ok((!inputs.tags.is_empty()).then_some(Observed { inputs, outputs: () }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<GroupTagsInputs, ()>,
        to: &GroupTagsInputs,
    ) -> Result<(), ProviderError> {
        let changes = tag_changes(&current.inputs.tags, &to.tags);
        self.set(ctx, &current.id, &changes.set).await?;
        self.remove(ctx, &current.id, &changes.remove).await
    }

    async fn delete(&self, ctx: &Ctx, current: &Current<GroupTagsInputs, ()>) -> Result<(), ProviderError> {
        let keys: Vec<String> = current.inputs.tags.keys().cloned().collect();
        self.remove(ctx, &current.id, &keys).await
    }

    async fn marks(&self, _: &Ctx, _: &Current<GroupTagsInputs, ()>) -> Result<Marks, ProviderError> {
        Ok(Marks::Bare)
    }

    async fn recover(&self, ctx: &Ctx, inputs: &GroupTagsInputs) -> Result<Recovered, ProviderError> {
        let tags = self.get(ctx, &inputs.group, &inputs.tags).await?;
        Ok(if tags == inputs.tags { Recovered::Mine(inputs.group.clone()) } else { Recovered::Absent })
    }
}

#[cfg(all(test, feature = "rehearsal"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;
    use crate::aws::scripted::{Answer, Scripted, ctx};

    fn inputs(tags: &[(&str, &str)]) -> GroupTagsInputs {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        GroupTagsInputs { group: "eks-gpu-1".into(), tags }
    }

    fn current(tags: &[(&str, &str)]) -> Current<GroupTagsInputs, ()> {
        Current { id: "eks-gpu-1".into(), inputs: inputs(tags), outputs: () }
    }

    fn shown(key: &str, value: &str) -> Value {
        json!({"ResourceId": "eks-gpu-1", "ResourceType": "auto-scaling-group", "Key": key, "Value": value})
    }

    fn paged(operation: &str, params: &Value) -> Answer {
        assert_eq!(operation, "DescribeTags");
        assert_eq!(params["Filters"][0], json!({"Name": "auto-scaling-group", "Values": ["eks-gpu-1"]}));
        match params["NextToken"].as_str() {
            None => json!({"Tags": [shown("eks:cluster-name", "ray"), shown("a", "1")], "NextToken": "2"}).into(),
            Some(_) => json!({"Tags": [shown("b", "2"), shown("theirs", "3")]}).into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_our_keys_are_seen() {
        let kind = GroupTags::new(&Scripted::new(paged).clients());
        let ctx = ctx(GroupTags::TYPE, None);
        let ours = [("a", "1"), ("b", "other")];
        let found = kind.read(&ctx, &current(&ours)).await.unwrap().unwrap();
        assert_eq!(found.inputs, inputs(&[("a", "1"), ("b", "2")]));
        assert_eq!(kind.read(&ctx, &current(&[("c", "")])).await, Ok(None));
        assert_eq!(kind.recover(&ctx, &inputs(&ours)).await, Ok(Recovered::Absent));
        let whole = inputs(&[("a", "1"), ("b", "2")]);
        assert_eq!(kind.recover(&ctx, &whole).await, Ok(Recovered::Mine("eks-gpu-1".into())));
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_sends_what_differs() {
        let services = Scripted::new(|_, _| json!({}).into());
        let kind = GroupTags::new(&services.clients());
        let (old, new) = ([("a", "1"), ("b", "2"), ("c", "3")], [("a", "1"), ("b", "4")]);
        kind.update(&ctx(GroupTags::TYPE, None), &current(&old), &inputs(&new)).await.unwrap();
        let set = &services.params("CreateOrUpdateTags")[0]["Tags"];
        let tag = json!({"Key": "b", "Value": "4", "ResourceId": "eks-gpu-1", "ResourceType": "auto-scaling-group",
            "PropagateAtLaunch": "false"});
        assert_eq!(set, &json!([tag]));
        let removed = services.params("DeleteTags")[0]["Tags"].as_array().unwrap().clone();
        assert_eq!(removed.iter().map(|tag| tag["Key"].clone()).collect::<Vec<_>>(), ["c"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_group_that_is_gone_has_no_tags_left() {
        let gone = |_: &str, _: &Value| {
            let message = "AutoScalingGroup not found - AutoScaling Group eks-gpu-1 not found";
            Answer::refused(400, "ValidationError", message)
        };
        let kind = GroupTags::new(&Scripted::new(gone).clients());
        let ctx = ctx(GroupTags::TYPE, None);
        assert_eq!(kind.delete(&ctx, &current(&[("a", "1")])).await, Ok(()));
        assert!(kind.create(&ctx, &inputs(&[("a", "1")])).await.is_err());
        let wrong = |_: &str, _: &Value| Answer::refused(400, "ValidationError", "Incomplete tags information");
        let kind = GroupTags::new(&Scripted::new(wrong).clients());
        assert!(kind.delete(&ctx, &current(&[("a", "1")])).await.is_err());
    }
}
