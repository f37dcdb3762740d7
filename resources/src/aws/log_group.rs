//! CloudWatch log groups.
//! API: <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html>

use std::{collections::HashMap, time::Duration};

use aws_sdk_cloudwatchlogs::{Client, types};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::{ErrorClass, ProviderError},
    inputs, outputs,
    provider::{Action, Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered, ReplaceOrder},
};

use super::{
    Clients, KeyArn, LogGroupArn, Ownership, STACK_TAG, Tags, all_tags, call, call_fresh, discovered, found,
    gone_is_ok, marks, ownership, tag_changes, unexpected, users_tags, vanished,
};

inputs! {
    /// A log group.
    pub struct LogGroupInputs, LogGroupArgs {
        /// Its name, e.g. `/aws/eks/NAME/cluster`. EKS writes to the group of that name.
        pub name: String,
        /// Days after which events are dropped; `None` keeps them for ever. Only certain numbers
        /// are allowed: 1, 3, 5, 7, 14, 30, 60, 90, ...
        pub retention_days: Option<u32>,
        /// The key that encrypts it; `None` for CloudWatch's own.
        pub kms_key_arn: Option<KeyArn>,
        /// Tags.
        pub tags: Tags,
    }
}

outputs! {
    /// A log group.
    pub struct LogGroupOutputs, LogGroupRefs {
        /// Its ARN, without `:*`.
        pub arn: LogGroupArn,
        /// Its name.
        pub name: String,
    }
}

/// The kind.
pub struct LogGroup {
    logs: Client,
    eks: aws_sdk_eks::Client,
}

/// How long after its cluster's end EKS may bring a group back with the last events. Nobody
/// documents it; reports speak of moments up to about a minute (terraform-aws-eks#2763).
const STRAGGLER_WAIT: Duration = Duration::from_secs(75);
/// How often the deletion looks in that time.
const STRAGGLER_LOOK: Duration = Duration::from_secs(5);

impl LogGroup {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { logs: clients.logs.clone(), eks: clients.eks.clone() }
    }

    async fn get(&self, ctx: &Ctx, name: &str) -> Result<Option<types::LogGroup>, ProviderError> {
        let mut token = None;
        loop {
            let page = call(ctx, "logs", "DescribeLogGroups", Repeat::Safe, || {
                self.logs.describe_log_groups().log_group_name_prefix(name).set_next_token(token.clone()).send()
            })
            .await?;
            // Groups whose name only begins with it come too.
            if let Some(group) = page.log_groups().iter().find(|group| group.log_group_name() == Some(name)) {
                return Ok(Some(group.clone()));
            }
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                return Ok(None);
            }
        }
    }

    /// The group that was made just now: waits until it is listed.
    async fn listed(&self, ctx: &Ctx, name: &str) -> Result<types::LogGroup, ProviderError> {
        let began = tokio::time::Instant::now();
        loop {
            if let Some(group) = self.get(ctx, name).await? {
                return Ok(group);
            }
            if began.elapsed() * ctx.time_scale() > Self::CONSISTENCY_WINDOW {
                return Err(vanished(name));
            }
            ctx.sleep(Duration::from_secs(1)).await;
        }
    }

    async fn tags(&self, ctx: &Ctx, arn: &LogGroupArn) -> Result<Option<Tags>, ProviderError> {
        let answer = call(ctx, "logs", "ListTagsForResource", Repeat::Safe, || {
            self.logs.list_tags_for_resource().resource_arn(arn.as_str()).send()
        })
        .await;
        let tags = |tags: &HashMap<_, _>| tags.clone().into_iter().collect();
        Ok(found(answer)?.map(|answer| answer.tags().map(tags).unwrap_or_default()))
    }

    async fn retag(&self, ctx: &Ctx, arn: &LogGroupArn, old: &Tags, new: &Tags) -> Result<(), ProviderError> {
        let changes = tag_changes(old, new);
        if !changes.remove.is_empty() {
            call(ctx, "logs", "UntagResource", Repeat::Safe, || {
                let keys = Some(changes.remove.clone());
                self.logs.untag_resource().resource_arn(arn.as_str()).set_tag_keys(keys).send()
            })
            .await?;
        }
        if !changes.set.is_empty() {
            call(ctx, "logs", "TagResource", Repeat::Safe, || {
                let tags = changes.set.clone().into_iter().collect();
                self.logs.tag_resource().resource_arn(arn.as_str()).set_tags(Some(tags)).send()
            })
            .await?;
        }
        Ok(())
    }

    async fn set_retention(&self, ctx: &Ctx, name: &str, days: Option<u32>) -> Result<(), ProviderError> {
        match days {
            Some(days) => call_fresh(ctx, "logs", "PutRetentionPolicy", Repeat::Safe, "", || {
                let days = i32::try_from(days).unwrap_or(i32::MAX);
                self.logs.put_retention_policy().log_group_name(name).retention_in_days(days).send()
            })
            .await
            .map(drop),
            None => call_fresh(ctx, "logs", "DeleteRetentionPolicy", Repeat::Safe, "", || {
                self.logs.delete_retention_policy().log_group_name(name).send()
            })
            .await
            .map(drop),
        }
    }

    async fn set_key(&self, ctx: &Ctx, name: &str, key: Option<&KeyArn>) -> Result<(), ProviderError> {
        match key {
            Some(key) => call(ctx, "logs", "AssociateKmsKey", Repeat::Safe, || {
                self.logs.associate_kms_key().log_group_name(name).kms_key_id(key.as_str()).send()
            })
            .await
            .map(drop)
            .map_err(explain_key),
            None => call(ctx, "logs", "DisassociateKmsKey", Repeat::Safe, || {
                self.logs.disassociate_kms_key().log_group_name(name).send()
            })
            .await
            .map(drop),
        }
    }

    /// True if `name` is the group of an EKS cluster that does not exist.
    async fn cluster_is_gone(&self, ctx: &Ctx, name: &str) -> Result<bool, ProviderError> {
        let Some(cluster) = cluster_of(name) else {
            return Ok(false);
        };
        let answer =
            call(ctx, "eks", "DescribeCluster", Repeat::Safe, || self.eks.describe_cluster().name(cluster).send())
                .await;
        Ok(found(answer)?.is_none())
    }

    async fn delete_group(&self, ctx: &Ctx, name: &str) -> Result<(), ProviderError> {
        gone_is_ok(
            call(ctx, "logs", "DeleteLogGroup", Repeat::Safe, || {
                self.logs.delete_log_group().log_group_name(name).send()
            })
            .await,
        )
    }

    /// EKS writes a cluster's last events after it is gone, and makes the group anew for them,
    /// without tags (terraform-aws-eks#2486). Takes away what comes back.
    async fn sweep(&self, ctx: &Ctx, name: &str) -> Result<(), ProviderError> {
        if !self.cluster_is_gone(ctx, name).await? {
            return Ok(());
        }
        ctx.status("looking whether EKS brings the group back");
        let began = tokio::time::Instant::now();
        while began.elapsed() * ctx.time_scale() < STRAGGLER_WAIT {
            ctx.sleep(STRAGGLER_LOOK).await;
            let Some(group) = self.get(ctx, name).await? else {
                continue;
            };
            // With tags it is somebody's: of another platform with the same cluster name, say.
            let tags = self.tags(ctx, &arn_of(&group)?).await?;
            if tags.is_some_and(|tags| untagged(&tags)) && self.cluster_is_gone(ctx, name).await? {
                self.delete_group(ctx, name).await?;
            }
            break;
        }
        Ok(())
    }
}

/// The cluster whose control plane writes to the group `/aws/eks/NAME/cluster`.
/// Source: <https://docs.aws.amazon.com/eks/latest/userguide/control-plane-logs.html>
fn cluster_of(name: &str) -> Option<&str> {
    let cluster = name.strip_prefix("/aws/eks/")?.strip_suffix("/cluster")?;
    (!cluster.is_empty() && !cluster.contains('/')).then_some(cluster)
}

/// True if nobody tagged it (AWS's own tags aside).
fn untagged(tags: &Tags) -> bool {
    users_tags(tags).is_empty() && !tags.contains_key(STACK_TAG)
}

/// The ARN without `:*`, which only policies want.
fn arn_of(group: &types::LogGroup) -> Result<LogGroupArn, ProviderError> {
    let arn = group.log_group_arn().or(group.arn()).ok_or_else(|| unexpected("DescribeLogGroups", "arn"))?;
    Ok(arn.strip_suffix(":*").unwrap_or(arn).into())
}

fn outputs_of(name: &str, group: &types::LogGroup) -> Result<LogGroupOutputs, ProviderError> {
    Ok(LogGroupOutputs { arn: arn_of(group)?, name: name.to_owned() })
}

fn retention_of(group: &types::LogGroup) -> Option<u32> {
    group.retention_in_days().and_then(|days| u32::try_from(days).ok())
}

fn key_of(group: &types::LogGroup) -> Option<KeyArn> {
    group.kms_key_id().map(Into::into)
}

/// The service says "does not exist or is not allowed to be used"; mostly it is the latter.
fn explain_key(error: ProviderError) -> ProviderError {
    if error.hint.is_some() || error.class != ErrorClass::Propagation {
        return error;
    }
    error.hint(
        "The key's policy must let logs.REGION.amazonaws.com use it for this log group (kms:EncryptionContext:aws:logs:arn); \
         see https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html.",
    )
}

type GroupCurrent = Current<LogGroupInputs, LogGroupOutputs>;

impl Provider for LogGroup {
    type Inputs = LogGroupInputs;
    type Outputs = LogGroupOutputs;

    const TYPE: &'static str = "aws:logs:LogGroup";
    const REPLACE_ON: &'static [&'static str] = &["name"];
    const REPLACE_ORDER: ReplaceOrder = ReplaceOrder::DeleteThenCreate;

    fn expected(&self, action: Action) -> Duration {
        match action {
            Action::Delete => STRAGGLER_WAIT + Duration::from_secs(1),
            _ => Duration::from_secs(1),
        }
    }

    async fn create(&self, ctx: &Ctx, inputs: &LogGroupInputs) -> Result<Created<LogGroupOutputs>, ProviderError> {
        let name = &inputs.name;
        let tags = all_tags(ctx, &inputs.tags);
        if ctx.resume().is_none() {
            // A fresh key policy may not have reached CloudWatch yet; that counts as propagation.
            call(ctx, "logs", "CreateLogGroup", Repeat::Once, || {
                self.logs
                    .create_log_group()
                    .log_group_name(name)
                    .set_kms_key_id(inputs.kms_key_arn.as_ref().map(|key| key.0.clone()))
                    .set_tags(Some(tags.clone().into_iter().collect()))
                    .send()
            })
            .await
            .map_err(explain_key)?;
            ctx.progress(name);
            // Before anything is read: a group made now may not be listed yet.
            if inputs.retention_days.is_some() {
                self.set_retention(ctx, name, inputs.retention_days).await?;
            }
        }
        let group = self.listed(ctx, name).await?;
        let outputs = outputs_of(name, &group)?;
        if ctx.resume().is_some() {
            self.retag(ctx, &outputs.arn, &Tags::new(), &tags).await?;
            if retention_of(&group) != inputs.retention_days {
                self.set_retention(ctx, name, inputs.retention_days).await?;
            }
            if key_of(&group) != inputs.kms_key_arn {
                self.set_key(ctx, name, inputs.kms_key_arn.as_ref()).await?;
            }
        }
        Ok(Created { id: name.clone(), outputs })
    }

    async fn read(&self, ctx: &Ctx, current: &GroupCurrent) -> Reading<LogGroupInputs, LogGroupOutputs> {
        let Some(group) = self.get(ctx, &current.id).await? else {
            return Ok(None);
        };
        let outputs = outputs_of(&current.id, &group)?;
        let Some(tags) = self.tags(ctx, &outputs.arn).await? else {
            return Ok(None);
        };
        let inputs = LogGroupInputs {
            name: current.id.clone(),
            retention_days: retention_of(&group),
            kms_key_arn: key_of(&group),
            tags: users_tags(&tags),
        };
        Ok(Some(Observed { inputs, outputs }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &GroupCurrent,
        to: &LogGroupInputs,
    ) -> Result<LogGroupOutputs, ProviderError> {
        let (name, from) = (&current.id, &current.inputs);
        if from.retention_days != to.retention_days {
            self.set_retention(ctx, name, to.retention_days).await?;
        }
        if from.kms_key_arn != to.kms_key_arn {
            self.set_key(ctx, name, to.kms_key_arn.as_ref()).await?;
        }
        self.retag(ctx, &current.outputs.arn, &from.tags, &to.tags).await?;
        Ok(current.outputs.clone())
    }

    async fn delete(&self, ctx: &Ctx, current: &GroupCurrent) -> Result<(), ProviderError> {
        self.delete_group(ctx, &current.id).await?;
        self.sweep(ctx, &current.id).await
    }

    async fn marks(&self, ctx: &Ctx, current: &GroupCurrent) -> Result<Marks, ProviderError> {
        let tags = self.tags(ctx, &current.outputs.arn).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&tags))
    }

    /// The one exception to ownership by tag: an untagged group of a cluster that does not
    /// exist is what EKS left of an earlier one (terraform-aws-eks#2486), and may be adopted.
    async fn recover(&self, ctx: &Ctx, inputs: &LogGroupInputs) -> Result<Recovered, ProviderError> {
        let name = &inputs.name;
        let Some(group) = self.get(ctx, name).await? else {
            return Ok(Recovered::Absent);
        };
        let Some(tags) = self.tags(ctx, &arn_of(&group)?).await? else {
            return Ok(Recovered::Absent);
        };
        let owner = ownership(ctx, &tags);
        if owner == Ownership::Foreign && untagged(&tags) && self.cluster_is_gone(ctx, name).await? {
            return Ok(Recovered::OfThisStack(name.clone()));
        }
        Ok(owner.recovered(name))
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let (mut found, mut token) = (Vec::new(), None);
        loop {
            let page = call(ctx, "logs", "DescribeLogGroups", Repeat::Safe, || {
                self.logs.describe_log_groups().set_next_token(token.clone()).send()
            })
            .await?;
            // A list of groups has no tags; a platform's have its name in theirs.
            for group in page.log_groups() {
                let name = group.log_group_name().unwrap_or_default();
                if name.contains(ctx.stack()) {
                    let tags = self.tags(ctx, &arn_of(group)?).await?.unwrap_or_default();
                    found.extend(discovered(ctx, Self::TYPE, name, &tags));
                }
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
    use serde_json::{Value, json};

    use super::*;
    use crate::aws::scripted::{Answer, NONCE, Scripted, ctx};

    const NAME: &str = "/aws/eks/ray/cluster";

    fn inputs() -> LogGroupInputs {
        LogGroupInputs {
            name: NAME.into(),
            retention_days: Some(7),
            kms_key_arn: Some("arn:aws:kms:us-east-1:1:key/k1".into()),
            tags: Tags::from([("team".to_owned(), "ml".to_owned())]),
        }
    }

    fn group(name: &str) -> Value {
        json!({"logGroupName": name, "arn": format!("arn:aws:logs:us-east-1:1:log-group:{name}:*")})
    }

    fn current() -> GroupCurrent {
        let arn = format!("arn:aws:logs:us-east-1:1:log-group:{NAME}").into();
        Current { id: NAME.into(), inputs: inputs(), outputs: LogGroupOutputs { arn, name: NAME.into() } }
    }

    fn no_cluster() -> Answer {
        Answer::refused(404, "ResourceNotFoundException", "No cluster found for name: ray.")
    }

    /// A standing group with these tags, listed after one whose name only begins alike; and
    /// perhaps its cluster.
    fn standing(tags: Value, cluster: bool) -> Scripted {
        Scripted::new(move |operation, params| match (operation, params["nextToken"].as_str()) {
            ("DescribeLogGroups", None) => {
                json!({"logGroups": [group("/aws/eks/ray/cluster-2")], "nextToken": "2"}).into()
            }
            ("DescribeLogGroups", Some(_)) => json!({"logGroups": [group(NAME)]}).into(),
            ("ListTagsForResource", _) => {
                assert!(!params["resourceArn"].as_str().unwrap().ends_with('*'));
                json!({"tags": tags}).into()
            }
            ("DescribeCluster", _) if cluster => json!({"cluster": {"name": "ray"}}).into(),
            ("DescribeCluster", _) => no_cluster(),
            _ => json!({}).into(),
        })
    }

    #[tokio::test(start_paused = true)]
    async fn whose_a_group_is() {
        let urn = ctx(LogGroup::TYPE, None).urn().to_string();
        let ours = |nonce: &str| json!({"rayplat:stack": "ray", "rayplat:urn": urn, "rayplat:nonce": nonce});
        let of_stack = Recovered::OfThisStack(NAME.into());
        let foreign = Recovered::Foreign(NAME.into());
        let cases = [
            (ours(NONCE), true, Recovered::Mine(NAME.into())),
            (ours("another"), true, of_stack.clone()),
            (json!({}), false, of_stack),
            (json!({}), true, foreign.clone()),
            (json!({"team": "x"}), false, foreign),
        ];
        for (tags, cluster, expected) in cases {
            let kind = LogGroup::new(&standing(tags.clone(), cluster).clients());
            assert_eq!(kind.recover(&ctx(LogGroup::TYPE, None), &inputs()).await, Ok(expected), "{tags} {cluster}");
        }
        let other = LogGroupInputs { name: "/ray/app".into(), ..inputs() };
        let kind = LogGroup::new(&standing(json!({}), false).clients());
        assert_eq!(kind.recover(&ctx(LogGroup::TYPE, None), &other).await, Ok(Recovered::Absent));
    }

    #[tokio::test(start_paused = true)]
    async fn a_deletion_looks_once_more() {
        let services = standing(json!({}), false);
        LogGroup::new(&services.clients()).delete(&ctx(LogGroup::TYPE, None), &current()).await.unwrap();
        assert_eq!(services.params("DeleteLogGroup").len(), 2);

        // Somebody else's, made in between.
        let services = standing(json!({"rayplat:stack": "other"}), false);
        LogGroup::new(&services.clients()).delete(&ctx(LogGroup::TYPE, None), &current()).await.unwrap();
        assert_eq!(services.params("DeleteLogGroup").len(), 1);

        // The cluster stands: what EKS makes anew is wanted.
        let services = standing(json!({}), true);
        LogGroup::new(&services.clients()).delete(&ctx(LogGroup::TYPE, None), &current()).await.unwrap();
        assert_eq!(services.operations(), ["DeleteLogGroup", "DescribeCluster"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deletion_looks_for_a_minute_at_most() {
        for (back_after, deletions, took) in [(Some(60), 2, 60..65), (None, 1, 75..80)] {
            let began = tokio::time::Instant::now();
            let services = Scripted::new(move |operation, _| match operation {
                "DescribeCluster" => no_cluster(),
                "DescribeLogGroups" if back_after.is_some_and(|after| began.elapsed().as_secs() >= after) => {
                    json!({"logGroups": [group(NAME)]}).into()
                }
                "DescribeLogGroups" => json!({"logGroups": []}).into(),
                _ => json!({}).into(),
            });
            LogGroup::new(&services.clients()).delete(&ctx(LogGroup::TYPE, None), &current()).await.unwrap();
            assert_eq!(services.params("DeleteLogGroup").len(), deletions);
            assert!(took.contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_policy_that_has_not_arrived_is_waited_for() {
        let mut tries = 0;
        let services = Scripted::new(move |operation, _| {
            tries += 1;
            match operation {
                "CreateLogGroup" if tries == 1 => Answer::refused(
                    400,
                    "InvalidParameterException",
                    "The specified KMS key does not exist or is not allowed to be used with Arn 'x'",
                ),
                "DescribeLogGroups" => json!({"logGroups": [group(NAME)]}).into(),
                _ => json!({}).into(),
            }
        });
        let created = LogGroup::new(&services.clients()).create(&ctx(LogGroup::TYPE, None), &inputs()).await.unwrap();
        assert_eq!(created.outputs, current().outputs);
        assert_eq!(
            services.operations(),
            ["CreateLogGroup", "CreateLogGroup", "PutRetentionPolicy", "DescribeLogGroups"]
        );
        assert_eq!(services.params("PutRetentionPolicy")[0]["retentionInDays"], 7);
        assert_eq!(services.params("CreateLogGroup")[0]["tags"]["rayplat:nonce"], NONCE);
    }

    #[tokio::test(start_paused = true)]
    async fn an_interrupted_creation_is_completed() {
        let services = standing(json!({}), false);
        LogGroup::new(&services.clients()).create(&ctx(LogGroup::TYPE, Some(NAME)), &inputs()).await.unwrap();
        assert_eq!(
            services.operations(),
            ["DescribeLogGroups", "DescribeLogGroups", "TagResource", "PutRetentionPolicy", "AssociateKmsKey"]
        );
        assert_eq!(services.params("TagResource")[0]["tags"]["rayplat:nonce"], NONCE);
    }

    #[tokio::test(start_paused = true)]
    async fn only_differences_are_sent() {
        let services = standing(json!({}), false);
        let kind = LogGroup::new(&services.clients());
        let ctx = ctx(LogGroup::TYPE, None);
        kind.update(&ctx, &current(), &inputs()).await.unwrap();
        assert_eq!(services.operations(), Vec::<String>::new());
        let to = LogGroupInputs { name: NAME.into(), ..LogGroupInputs::default() };
        kind.update(&ctx, &current(), &to).await.unwrap();
        assert_eq!(services.operations(), ["DeleteRetentionPolicy", "DisassociateKmsKey", "UntagResource"]);
    }

    #[test]
    fn only_a_clusters_group_is_a_clusters_group() {
        assert_eq!(cluster_of("/aws/eks/ray/cluster"), Some("ray"));
        for name in
            ["/aws/eks/ray", "/aws/eks//cluster", "/aws/eks/a/b/cluster", "/aws/eks/cluster", "x/aws/eks/ray/cluster"]
        {
            assert_eq!(cluster_of(name), None, "{name}");
        }
    }

    #[test]
    fn untagged_means_by_anybody() {
        let tags = |key: &str| Tags::from([(key.to_owned(), "x".to_owned())]);
        assert!(untagged(&Tags::new()));
        assert!(untagged(&tags("aws:cloudformation:stack-name")));
        assert!(!untagged(&tags("team")));
        assert!(!untagged(&tags(STACK_TAG)));
    }

    #[test]
    fn the_arn_has_no_star() {
        let group = types::LogGroup::builder().arn("arn:aws:logs:r:1:log-group:/aws/eks/x/cluster:*").build();
        assert_eq!(arn_of(&group).map(|arn| arn.0), Ok("arn:aws:logs:r:1:log-group:/aws/eks/x/cluster".to_owned()));
    }
}
