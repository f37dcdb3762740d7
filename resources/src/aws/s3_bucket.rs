//! S3 buckets: private, encrypted, with versions.
//! API: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html>
//!
//! `CreateBucket` takes the tags (since November 2025: "bucket-create-tag" in the S3 user
//! guide; it needs `s3:TagResource`), so that nobody ever finds a bucket of ours without them.

use std::time::Duration;

use aws_sdk_s3::{
    Client,
    types::{BucketLocationConstraint, CreateBucketConfiguration, ObjectOwnership, Tag, Tagging},
};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::{ErrorClass, ProviderError},
    inputs, outputs,
    provider::{Action, Created, Current, Discovery, Observed, Provider, Reading, Recovered, ReplaceOrder},
};
use serde::{Deserialize, Serialize};

use super::{
    BucketArn, Clients, KeyArn, Ownership, Tags, all_tags, call, call_fresh, discovered, ownership, s3_config,
    s3_purge, users_tags, vanished,
};

inputs! {
    /// A bucket.
    pub struct BucketInputs, BucketArgs {
        /// Its name. The name space is everybody's: have the account's number in it.
        pub name: String,
        /// Keep what is overwritten or deleted as older versions.
        pub versioning: bool,
        /// The key that encrypts objects, with a bucket key, so that KMS is asked seldom; `None`
        /// for S3's own.
        pub kms_key_arn: Option<KeyArn>,
        /// Days after which older versions are dropped; `None` keeps them for ever.
        pub expire_noncurrent_days: Option<u32>,
        /// Days after which uploads that were begun and never ended are dropped.
        pub abort_uploads_days: Option<u32>,
        /// What every bucket of ours has. Not to be switched off.
        pub guards: Guards,
        /// Empty it when it is deleted: every version of every object. Without, a bucket that
        /// holds anything is not deleted.
        pub purge_on_delete: bool,
        /// It holds what people would miss: it outlives its stack until a run is asked to purge,
        /// which empties it too.
        pub keep: bool,
        /// Tags.
        pub tags: Tags,
    }
}

/// What every bucket has. `false` is only ever read: where somebody took a guard away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guards {
    /// Public access is blocked in all four ways.
    pub public_access_blocked: bool,
    /// Objects belong to the bucket's owner, ACLs count for nothing.
    pub owner_enforced: bool,
    /// The bucket's policy refuses whoever comes without TLS, and says nothing else.
    pub tls_only: bool,
}

impl Default for Guards {
    fn default() -> Self {
        Self { public_access_blocked: true, owner_enforced: true, tls_only: true }
    }
}

outputs! {
    /// A bucket.
    pub struct BucketOutputs, BucketRefs {
        /// Its ARN.
        pub arn: BucketArn,
        /// Its name.
        pub name: String,
    }
}

/// The kind.
pub struct Bucket {
    s3: Client,
    region: String,
}

type BucketCurrent = Current<BucketInputs, BucketOutputs>;

impl Bucket {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { s3: clients.s3.clone(), region: clients.region.clone() }
    }

    /// The bucket's tags; `None` if there is no such bucket.
    async fn tags(&self, ctx: &Ctx, name: &str) -> Result<Option<Tags>, ProviderError> {
        let answer =
            call(ctx, "s3", "GetBucketTagging", Repeat::Safe, || self.s3.get_bucket_tagging().bucket(name).send())
                .await;
        let pair = |tag: &Tag| (tag.key().to_owned(), tag.value().to_owned());
        match answer {
            Ok(answer) => Ok(Some(answer.tag_set().iter().map(pair).collect())),
            Err(error) if error.code.as_deref() == Some("NoSuchTagSet") => Ok(Some(Tags::new())),
            Err(error) if error.class == ErrorClass::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts these tags in place of all others but AWS's own: there is no call for single ones.
    async fn set_tags(&self, ctx: &Ctx, name: &str, live: &Tags, tags: &Tags) -> Result<(), ProviderError> {
        let mut all = tags.clone();
        all.extend(live.iter().filter(|(key, _)| key.starts_with("aws:")).map(|(k, v)| (k.clone(), v.clone())));
        if all == *live {
            return Ok(());
        }
        let tagging = Tagging::builder().set_tag_set(Some(to_tags(&all)?)).build().map_err(incomplete)?;
        call_fresh(ctx, "s3", "PutBucketTagging", Repeat::Safe, "", || {
            self.s3.put_bucket_tagging().bucket(name).tagging(tagging.clone()).send()
        })
        .await
        .map(drop)
    }

    async fn make(&self, ctx: &Ctx, inputs: &BucketInputs) -> Result<(), ProviderError> {
        let name = &inputs.name;
        let constraint = (self.region != OLD_REGION).then(|| BucketLocationConstraint::from(self.region.as_str()));
        let configuration = CreateBucketConfiguration::builder()
            .set_location_constraint(constraint)
            .set_tags(Some(to_tags(&all_tags(ctx, &inputs.tags))?))
            .build();
        call(ctx, "s3", "CreateBucket", Repeat::Once, || {
            self.s3
                .create_bucket()
                .bucket(name)
                .create_bucket_configuration(configuration.clone())
                .object_ownership(ObjectOwnership::BucketOwnerEnforced)
                .send()
        })
        .await
        .map(drop)
        .map_err(|error| explain(name, error))
    }

    /// us-east-1 answers 200 to the making of a bucket that the account has already. What it
    /// was before, only its tags tell.
    async fn refuse_what_stands(&self, ctx: &Ctx, name: &str) -> Result<(), ProviderError> {
        match self.tags(ctx, name).await {
            Ok(None) => Ok(()),
            Ok(Some(tags)) if ownership(ctx, &tags) == Ownership::Mine => Ok(()),
            Ok(Some(_)) => {
                let message = format!("the account has a bucket {name} already");
                Err(ProviderError::new(ErrorClass::AlreadyExists, message).code("BucketAlreadyOwnedByYou"))
            }
            // Another account's, or one that we may not look at: CreateBucket knows.
            Err(error) if error.class == ErrorClass::Denied => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Is the bucket the caller's account's? Asked when its tags cannot be read.
    async fn is_ours(&self, ctx: &Ctx, name: &str) -> Result<bool, ProviderError> {
        let mut token = None;
        loop {
            let page = call(ctx, "s3", "ListBuckets", Repeat::Safe, || {
                self.s3.list_buckets().prefix(name).set_continuation_token(token.clone()).send()
            })
            .await?;
            if page.buckets().iter().any(|bucket| bucket.name() == Some(name)) {
                return Ok(true);
            }
            token = page.continuation_token().map(str::to_owned);
            if token.is_none() {
                return Ok(false);
            }
        }
    }

    fn outputs(&self, name: &str) -> BucketOutputs {
        BucketOutputs { arn: arn(&self.region, name).into(), name: name.to_owned() }
    }
}

/// The first region: its buckets have no location constraint, and making one twice is no error.
const OLD_REGION: &str = "us-east-1";

/// A bucket's ARN has neither region nor account.
pub(super) fn arn(region: &str, name: &str) -> String {
    let partition = match region.split('-').next() {
        Some("cn") => "aws-cn",
        Some("eusc") => "aws-eusc",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    format!("arn:{partition}:s3:::{name}")
}

pub(super) fn incomplete(error: aws_sdk_s3::error::BuildError) -> ProviderError {
    ProviderError::new(ErrorClass::Invalid, format!("a request to S3 is incomplete: {error}"))
}

fn to_tags(tags: &Tags) -> Result<Vec<Tag>, ProviderError> {
    tags.iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build())
        .collect::<Result<_, _>>()
        .map_err(incomplete)
}

/// A name that another account has is never ours: there is nothing to look for.
fn explain(name: &str, error: ProviderError) -> ProviderError {
    if error.code.as_deref() != Some("BucketAlreadyExists") {
        return error;
    }
    ProviderError { class: ErrorClass::Invalid, ..error }.hint(format!(
        "Another AWS account has a bucket {name}; bucket names are everybody's. Choose another name in the manifest."
    ))
}

impl Provider for Bucket {
    type Inputs = BucketInputs;
    type Outputs = BucketOutputs;

    const TYPE: &'static str = "aws:s3:Bucket";
    const REPLACE_ON: &'static [&'static str] = &["name"];
    const REPLACE_ORDER: ReplaceOrder = ReplaceOrder::DeleteThenCreate;
    const REFUSE_REPLACE: bool = true;
    /// Buckets and their configuration are eventually consistent:
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel>
    const CONSISTENCY_WINDOW: Duration = Duration::from_secs(20);

    fn expected(&self, action: Action) -> Duration {
        Duration::from_secs(if action == Action::Create { 2 } else { 1 })
    }

    fn keeps(&self, inputs: &BucketInputs) -> bool {
        inputs.keep
    }

    async fn create(&self, ctx: &Ctx, inputs: &BucketInputs) -> Result<Created<BucketOutputs>, ProviderError> {
        if inputs.guards != Guards::default() {
            return Err(ProviderError::new(ErrorClass::Invalid, "the guards of a bucket cannot be switched off"));
        }
        let name = &inputs.name;
        if ctx.resume().is_some() {
            let live = self.tags(ctx, name).await?.ok_or_else(|| vanished(name))?;
            self.set_tags(ctx, name, &live, &all_tags(ctx, &inputs.tags)).await?;
        } else if self.region == OLD_REGION {
            self.refuse_what_stands(ctx, name).await?;
            self.make(ctx, inputs).await?;
            // Somebody may have been faster.
            let tags = self.tags(ctx, name).await?.unwrap_or_default();
            if ownership(ctx, &tags) != Ownership::Mine {
                let message = format!("the bucket {name} does not carry the tags that it was to be made with");
                return Err(ProviderError::new(ErrorClass::AlreadyExists, message));
            }
            ctx.progress(name);
        } else {
            self.make(ctx, inputs).await?;
            ctx.progress(name);
        }
        s3_config::guard(ctx, &self.s3, name, &arn(&self.region, name), Guards::default()).await?;
        s3_config::set_encryption(ctx, &self.s3, name, inputs.kms_key_arn.as_ref()).await?;
        // A new bucket has no versions and no rules; an adopted one may have.
        if inputs.versioning || ctx.resume().is_some() {
            s3_config::set_versioning(ctx, &self.s3, name, inputs.versioning).await?;
        }
        let lifecycle = s3_config::Lifecycle::of(inputs);
        if !lifecycle.is_empty() || ctx.resume().is_some() {
            s3_config::set_lifecycle(ctx, &self.s3, name, lifecycle).await?;
        }
        Ok(Created { id: name.clone(), outputs: self.outputs(name) })
    }

    async fn read(&self, ctx: &Ctx, current: &BucketCurrent) -> Reading<BucketInputs, BucketOutputs> {
        let name = &current.id;
        let Some(tags) = self.tags(ctx, name).await? else {
            return Ok(None);
        };
        let lifecycle = s3_config::lifecycle(ctx, &self.s3, name).await?;
        let inputs = BucketInputs {
            name: name.clone(),
            versioning: s3_config::versioning(ctx, &self.s3, name).await?,
            kms_key_arn: s3_config::encryption(ctx, &self.s3, name).await?,
            expire_noncurrent_days: lifecycle.expire_noncurrent_days,
            abort_uploads_days: lifecycle.abort_uploads_days,
            guards: s3_config::guards(ctx, &self.s3, name, &arn(&self.region, name)).await?,
            // Nothing in the account.
            purge_on_delete: current.inputs.purge_on_delete,
            keep: current.inputs.keep,
            tags: users_tags(&tags),
        };
        Ok(Some(Observed { inputs, outputs: self.outputs(name) }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &BucketCurrent,
        to: &BucketInputs,
    ) -> Result<BucketOutputs, ProviderError> {
        let (name, from) = (&current.id, &current.inputs);
        if from.guards != to.guards {
            s3_config::guard(ctx, &self.s3, name, &arn(&self.region, name), from.guards).await?;
        }
        if from.kms_key_arn != to.kms_key_arn {
            s3_config::set_encryption(ctx, &self.s3, name, to.kms_key_arn.as_ref()).await?;
        }
        if from.versioning != to.versioning {
            s3_config::set_versioning(ctx, &self.s3, name, to.versioning).await?;
        }
        let lifecycle = s3_config::Lifecycle::of(to);
        if s3_config::Lifecycle::of(from) != lifecycle {
            s3_config::set_lifecycle(ctx, &self.s3, name, lifecycle).await?;
        }
        if from.tags != to.tags {
            // The whole set is replaced: our own tags stay as they stand.
            let live = self.tags(ctx, name).await?.ok_or_else(|| gone(name))?;
            let mut tags = to.tags.clone();
            tags.extend(
                live.iter().filter(|(key, _)| key.starts_with("rayplat:")).map(|(k, v)| (k.clone(), v.clone())),
            );
            self.set_tags(ctx, name, &live, &tags).await?;
        }
        Ok(self.outputs(name))
    }

    async fn delete(&self, ctx: &Ctx, current: &BucketCurrent) -> Result<(), ProviderError> {
        s3_purge::delete(ctx, &self.s3, &current.id, current.inputs.purge_on_delete || ctx.purge()).await
    }

    async fn recover(&self, ctx: &Ctx, inputs: &BucketInputs) -> Result<Recovered, ProviderError> {
        let name = &inputs.name;
        match self.tags(ctx, name).await {
            Ok(Some(tags)) => Ok(ownership(ctx, &tags).recovered(name)),
            Ok(None) => Ok(Recovered::Absent),
            Err(error) if error.class == ErrorClass::Denied => match self.is_ours(ctx, name).await {
                Ok(false) => Ok(Recovered::Foreign(name.clone())),
                _ => Err(error),
            },
            Err(error) => Err(error),
        }
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let (mut found, mut token) = (Vec::new(), None::<String>);
        loop {
            let page = call(ctx, "s3", "ListBuckets", Repeat::Safe, || {
                self.s3.list_buckets().prefix(ctx.stack()).set_continuation_token(token.clone()).send()
            })
            .await?;
            for name in page.buckets().iter().filter_map(|bucket| bucket.name()) {
                let tags = match self.tags(ctx, name).await {
                    Ok(tags) => tags.unwrap_or_default(),
                    // A bucket that shuts us out is not the one that we made.
                    Err(error) if error.class == ErrorClass::Denied => continue,
                    Err(error) => return Err(error),
                };
                found.extend(discovered(ctx, Self::TYPE, name, &tags));
            }
            token = page.continuation_token().map(str::to_owned);
            if token.is_none() {
                return Ok(Some(found));
            }
        }
    }
}

fn gone(name: &str) -> ProviderError {
    ProviderError::new(ErrorClass::NotFound, format!("the bucket {name} is gone"))
        .hint("Somebody deleted it while this ran: run the same command again.")
}

#[cfg(all(test, feature = "rehearsal"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;
    use crate::aws::scripted::{Answer, NONCE, Scripted, ctx, owner_tags};

    fn inputs() -> BucketInputs {
        BucketInputs {
            name: "ray-123456789012".into(),
            versioning: true,
            expire_noncurrent_days: Some(30),
            abort_uploads_days: Some(7),
            ..BucketInputs::default()
        }
    }

    fn current(purge_on_delete: bool) -> BucketCurrent {
        let inputs = BucketInputs { purge_on_delete, ..inputs() };
        Current { id: inputs.name.clone(), inputs, outputs: BucketOutputs::default() }
    }

    fn tags(nonce: &str) -> Answer {
        json!({"TagSet": {"Tag": owner_tags(Bucket::TYPE, nonce, "Key", "Value")}}).into()
    }

    fn no_bucket() -> Answer {
        Answer::refused(404, "NoSuchBucket", "The specified bucket does not exist")
    }

    fn foreign() -> Answer {
        Answer::refused(403, "AccessDenied", "Access Denied")
    }

    #[tokio::test(start_paused = true)]
    async fn the_old_region_is_looked_at_before_and_after() {
        let mut looks = 0;
        let services = Scripted::new(move |operation, _| match operation {
            "GetBucketTagging" => {
                looks += 1;
                if looks == 1 { no_bucket() } else { tags(NONCE) }
            }
            _ => json!({}).into(),
        });
        let created = Bucket::new(&services.clients()).create(&ctx(Bucket::TYPE, None), &inputs()).await.unwrap();
        assert_eq!(created.outputs.arn.as_str(), "arn:aws:s3:::ray-123456789012");
        assert_eq!(
            services.operations(),
            [
                "GetBucketTagging",
                "CreateBucket",
                "GetBucketTagging",
                "PutPublicAccessBlock",
                "PutBucketOwnershipControls",
                "PutBucketPolicy",
                "PutBucketEncryption",
                "PutBucketVersioning",
                "PutBucketLifecycleConfiguration",
            ]
        );
        let sent = &services.params("CreateBucket")[0];
        assert!(sent["Tags"]["Tag"].as_array().unwrap().contains(&json!({"Key": "rayplat:nonce", "Value": NONCE})));
        let rule = &services.params("PutBucketLifecycleConfiguration")[0]["Rule"][0];
        assert_eq!(rule["NoncurrentVersionExpiration"]["NoncurrentDays"], "30");
        let policy: Value =
            serde_json::from_str(services.params("PutBucketPolicy")[0]["Policy"].as_str().unwrap()).unwrap();
        assert_eq!(policy["Statement"][0]["Condition"]["Bool"]["aws:SecureTransport"], "false");
    }

    /// us-east-1 would answer 200, and the next calls would change somebody else's bucket.
    #[tokio::test(start_paused = true)]
    async fn a_bucket_that_stands_is_not_made_again() {
        for (answer, sent) in [(tags("another"), 0), (Answer::refused(404, "NoSuchTagSet", "none"), 0)] {
            let mut answer = Some(answer);
            let services = Scripted::new(move |_, _| answer.take().unwrap_or_else(|| json!({}).into()));
            let error = Bucket::new(&services.clients()).create(&ctx(Bucket::TYPE, None), &inputs()).await.unwrap_err();
            assert_eq!(error.class, ErrorClass::AlreadyExists);
            assert_eq!(services.params("CreateBucket").len(), sent);
        }
        // Made by somebody else between the look and the call.
        let mut looks = 0;
        let services = Scripted::new(move |operation, _| {
            looks += 1;
            match operation {
                "GetBucketTagging" if looks == 1 => no_bucket(),
                "GetBucketTagging" => tags("another"),
                _ => json!({}).into(),
            }
        });
        let error = Bucket::new(&services.clients()).create(&ctx(Bucket::TYPE, None), &inputs()).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::AlreadyExists);
        assert_eq!(services.operations(), ["GetBucketTagging", "CreateBucket", "GetBucketTagging"]);
    }

    #[tokio::test(start_paused = true)]
    async fn another_accounts_bucket_is_named_as_such() {
        let services = Scripted::new(|operation, _| match operation {
            "GetBucketTagging" => foreign(),
            "CreateBucket" => Answer::refused(409, "BucketAlreadyExists", "not available"),
            "ListBuckets" => json!({"Buckets": {"Bucket": []}}).into(),
            other => panic!("{other}"),
        });
        let kind = Bucket::new(&services.clients());
        let error = kind.create(&ctx(Bucket::TYPE, None), &inputs()).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Invalid);
        assert!(error.hint.unwrap().contains("Another AWS account has a bucket ray-123456789012"));
        let found = kind.recover(&ctx(Bucket::TYPE, None), &inputs()).await;
        assert_eq!(found, Ok(Recovered::Foreign("ray-123456789012".into())));
    }

    #[tokio::test(start_paused = true)]
    async fn whose_a_bucket_is() {
        let name = || "ray-123456789012".to_owned();
        let cases = [
            (tags(NONCE), Ok(Recovered::Mine(name()))),
            (tags("another"), Ok(Recovered::OfThisStack(name()))),
            (Answer::refused(404, "NoSuchTagSet", "none"), Ok(Recovered::Foreign(name()))),
            (no_bucket(), Ok(Recovered::Absent)),
        ];
        for (answer, expected) in cases {
            let mut answer = Some(answer);
            let services = Scripted::new(move |_, _| answer.take().unwrap());
            let found = Bucket::new(&services.clients()).recover(&ctx(Bucket::TYPE, None), &inputs()).await;
            assert_eq!(found, expected);
        }
        // Ours, but we may not look at its tags: nothing is known.
        let services = Scripted::new(|operation, _| match operation {
            "ListBuckets" => json!({"Buckets": {"Bucket": [{"Name": "ray-123456789012"}]}}).into(),
            _ => foreign(),
        });
        let error = Bucket::new(&services.clients()).recover(&ctx(Bucket::TYPE, None), &inputs()).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::Denied);
    }

    #[tokio::test(start_paused = true)]
    async fn what_it_holds_is_deleted_only_when_asked() {
        let full = || {
            json!({"Version": [{"Key": "a", "VersionId": "1", "IsLatest": true}], "DeleteMarker": [
                {"Key": "b", "VersionId": "2"}
            ]})
        };
        let services = Scripted::new(move |_, _| full().into());
        let error =
            Bucket::new(&services.clients()).delete(&ctx(Bucket::TYPE, None), &current(false)).await.unwrap_err();
        assert!(error.message.contains("it holds a and maybe more"), "{error}");
        assert!(error.hint.unwrap().contains("purge_on_delete: true"));
        assert_eq!(services.operations(), ["ListObjectVersions"]);

        let mut pages = 0;
        let services = Scripted::new(move |operation, _| match operation {
            "ListObjectVersions" => {
                pages += 1;
                if pages <= 2 { full().into() } else { json!({}).into() }
            }
            // Somebody wrote into it in between: it is emptied anew.
            "DeleteBucket" if pages == 3 => Answer::refused(409, "BucketNotEmpty", "not empty"),
            _ => json!({}).into(),
        });
        Bucket::new(&services.clients()).delete(&ctx(Bucket::TYPE, None), &current(true)).await.unwrap();
        assert_eq!(services.params("DeleteBucket").len(), 2);
        assert_eq!(
            services.params("DeleteObjects")[0]["Object"],
            json!([
                {"Key": "a", "VersionId": "1"}, {"Key": "b", "VersionId": "2"}
            ])
        );

        let services = Scripted::new(|operation, _| match operation {
            "DeleteObjects" => json!({"Error": [{"Key": "a", "Code": "AccessDenied", "Message": "no"}]}).into(),
            _ => json!({"Version": [{"Key": "a", "VersionId": "1"}]}).into(),
        });
        let error =
            Bucket::new(&services.clients()).delete(&ctx(Bucket::TYPE, None), &current(true)).await.unwrap_err();
        assert_eq!(error.to_string(), "s3:DeleteObjects: AccessDenied: a in ray-123456789012 cannot be deleted: no");
    }

    #[tokio::test(start_paused = true)]
    async fn gone_is_deleted() {
        for purge in [false, true] {
            let services = Scripted::new(|_, _| no_bucket());
            let kind = Bucket::new(&services.clients());
            assert_eq!(kind.delete(&ctx(Bucket::TYPE, None), &current(purge)).await, Ok(()));
            assert_eq!(kind.read(&ctx(Bucket::TYPE, None), &current(purge)).await, Ok(None));
        }
    }

    #[test]
    fn partitions_by_region() {
        assert_eq!(arn("cn-north-1", "b"), "arn:aws-cn:s3:::b");
        assert_eq!(arn("us-gov-west-1", "b"), "arn:aws-us-gov:s3:::b");
        assert_eq!(arn("eu-west-1", "b"), "arn:aws:s3:::b");
    }
}
