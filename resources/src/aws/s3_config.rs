//! What a bucket is set to: guards, encryption, versions, lifecycle.

use aws_sdk_s3::{
    Client,
    types::{
        AbortIncompleteMultipartUpload, BucketLifecycleConfiguration, BucketVersioningStatus, ExpirationStatus,
        LifecycleRule, LifecycleRuleFilter, NoncurrentVersionExpiration, ObjectOwnership, OwnershipControls,
        OwnershipControlsRule, PublicAccessBlockConfiguration, ServerSideEncryption, ServerSideEncryptionByDefault,
        ServerSideEncryptionConfiguration, ServerSideEncryptionRule, VersioningConfiguration,
    },
};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::ProviderError,
};
use serde_json::{Value, json};

use super::{
    KeyArn, call, call_fresh, found, policy,
    s3_bucket::{BucketInputs, Guards, incomplete},
};

/// The one statement of a bucket's policy.
/// Source: <https://docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html>
fn tls_policy(arn: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, format!("{arn}/*")],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }],
    })
}

/// Puts every guard in place; those that are said to stand in an update are left alone, but
/// a creation (all of them "stand") sets them all: what a new bucket has, AWS may change.
pub(super) async fn guard(
    ctx: &Ctx,
    s3: &Client,
    name: &str,
    arn: &str,
    standing: Guards,
) -> Result<(), ProviderError> {
    let all = standing == Guards::default();
    if all || !standing.public_access_blocked {
        let block = PublicAccessBlockConfiguration::builder()
            .block_public_acls(true)
            .ignore_public_acls(true)
            .block_public_policy(true)
            .restrict_public_buckets(true)
            .build();
        call_fresh(ctx, "s3", "PutPublicAccessBlock", Repeat::Safe, "", || {
            s3.put_public_access_block().bucket(name).public_access_block_configuration(block.clone()).send()
        })
        .await?;
    }
    if all || !standing.owner_enforced {
        let rule = OwnershipControlsRule::builder().object_ownership(ObjectOwnership::BucketOwnerEnforced).build();
        let controls = OwnershipControls::builder().rules(rule.map_err(incomplete)?).build().map_err(incomplete)?;
        call_fresh(ctx, "s3", "PutBucketOwnershipControls", Repeat::Safe, "", || {
            s3.put_bucket_ownership_controls().bucket(name).ownership_controls(controls.clone()).send()
        })
        .await?;
    }
    if all || !standing.tls_only {
        let document = tls_policy(arn).to_string();
        call_fresh(ctx, "s3", "PutBucketPolicy", Repeat::Safe, "", || {
            s3.put_bucket_policy().bucket(name).policy(&document).send()
        })
        .await?;
    }
    Ok(())
}

/// Which guards stand.
pub(super) async fn guards(ctx: &Ctx, s3: &Client, name: &str, arn: &str) -> Result<Guards, ProviderError> {
    let block = found(
        call(ctx, "s3", "GetPublicAccessBlock", Repeat::Safe, || s3.get_public_access_block().bucket(name).send())
            .await,
    )?
    .and_then(|answer| answer.public_access_block_configuration);
    let blocked = |block: PublicAccessBlockConfiguration| {
        [block.block_public_acls, block.ignore_public_acls, block.block_public_policy, block.restrict_public_buckets]
            .iter()
            .all(|on| *on == Some(true))
    };
    let controls = found(
        call(ctx, "s3", "GetBucketOwnershipControls", Repeat::Safe, || {
            s3.get_bucket_ownership_controls().bucket(name).send()
        })
        .await,
    )?
    .and_then(|answer| answer.ownership_controls);
    let live =
        found(call(ctx, "s3", "GetBucketPolicy", Repeat::Safe, || s3.get_bucket_policy().bucket(name).send()).await)?
            .and_then(|answer| answer.policy);
    let live = live.map(|text| policy::parse(&text)).transpose()?;
    Ok(Guards {
        public_access_blocked: block.is_some_and(blocked),
        owner_enforced: controls.is_some_and(|controls| {
            controls.rules().iter().any(|rule| *rule.object_ownership() == ObjectOwnership::BucketOwnerEnforced)
        }),
        tls_only: live.is_some_and(|live| policy::same_document(&tls_policy(arn), &live)),
    })
}

pub(super) async fn set_encryption(
    ctx: &Ctx,
    s3: &Client,
    name: &str,
    key: Option<&KeyArn>,
) -> Result<(), ProviderError> {
    let algorithm = if key.is_some() { ServerSideEncryption::AwsKms } else { ServerSideEncryption::Aes256 };
    let default = ServerSideEncryptionByDefault::builder()
        .sse_algorithm(algorithm)
        .set_kms_master_key_id(key.map(|key| key.0.clone()))
        .build()
        .map_err(incomplete)?;
    let rule = ServerSideEncryptionRule::builder()
        .apply_server_side_encryption_by_default(default)
        .bucket_key_enabled(key.is_some())
        .build();
    let configuration = ServerSideEncryptionConfiguration::builder().rules(rule).build().map_err(incomplete)?;
    call_fresh(ctx, "s3", "PutBucketEncryption", Repeat::Safe, "", || {
        s3.put_bucket_encryption().bucket(name).server_side_encryption_configuration(configuration.clone()).send()
    })
    .await
    .map(drop)
}

/// The key that encrypts objects, if it is not S3's own. KMS without a bucket key, and S3's
/// `aws/s3` key of KMS, are shown as a key that nobody asks for.
pub(super) async fn encryption(ctx: &Ctx, s3: &Client, name: &str) -> Result<Option<KeyArn>, ProviderError> {
    let answer = found(
        call(ctx, "s3", "GetBucketEncryption", Repeat::Safe, || s3.get_bucket_encryption().bucket(name).send()).await,
    )?;
    let configuration = answer.and_then(|answer| answer.server_side_encryption_configuration);
    let rule = configuration.and_then(|configuration| configuration.rules().first().cloned());
    let Some(rule) = rule else { return Ok(None) };
    let Some(default) = rule.apply_server_side_encryption_by_default() else { return Ok(None) };
    if *default.sse_algorithm() == ServerSideEncryption::Aes256 {
        return Ok(None);
    }
    let key = default.kms_master_key_id().unwrap_or("aws/s3");
    let exact = *default.sse_algorithm() == ServerSideEncryption::AwsKms && rule.bucket_key_enabled() == Some(true);
    let shown =
        if exact { key.to_owned() } else { format!("{key} ({}, no bucket key)", default.sse_algorithm().as_str()) };
    Ok(Some(shown.into()))
}

pub(super) async fn set_versioning(ctx: &Ctx, s3: &Client, name: &str, on: bool) -> Result<(), ProviderError> {
    // A bucket that never had versions cannot be told to stop, and needs not.
    if !on && !versioning(ctx, s3, name).await? {
        return Ok(());
    }
    let status = if on { BucketVersioningStatus::Enabled } else { BucketVersioningStatus::Suspended };
    let configuration = VersioningConfiguration::builder().status(status).build();
    call_fresh(ctx, "s3", "PutBucketVersioning", Repeat::Safe, "", || {
        s3.put_bucket_versioning().bucket(name).versioning_configuration(configuration.clone()).send()
    })
    .await
    .map(drop)
}

pub(super) async fn versioning(ctx: &Ctx, s3: &Client, name: &str) -> Result<bool, ProviderError> {
    let answer = call_fresh(ctx, "s3", "GetBucketVersioning", Repeat::Safe, "", || {
        s3.get_bucket_versioning().bucket(name).send()
    })
    .await?;
    Ok(answer.status() == Some(&BucketVersioningStatus::Enabled))
}

/// What is dropped after how many days.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lifecycle {
    pub expire_noncurrent_days: Option<u32>,
    pub abort_uploads_days: Option<u32>,
}

/// Our one rule.
const RULE: &str = "rayplat";
/// Shows other rules than ours, or ours with more in it: S3 allows no 0.
const OTHER_RULES: u32 = 0;

impl Lifecycle {
    pub fn of(inputs: &BucketInputs) -> Self {
        Self { expire_noncurrent_days: inputs.expire_noncurrent_days, abort_uploads_days: inputs.abort_uploads_days }
    }

    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    fn rule(self) -> Result<LifecycleRule, ProviderError> {
        let days = |days: u32| i32::try_from(days).unwrap_or(i32::MAX);
        let expire = |of: u32| NoncurrentVersionExpiration::builder().noncurrent_days(days(of)).build();
        let abort = |of: u32| AbortIncompleteMultipartUpload::builder().days_after_initiation(days(of)).build();
        LifecycleRule::builder()
            .id(RULE)
            .status(ExpirationStatus::Enabled)
            .filter(LifecycleRuleFilter::builder().prefix("").build())
            .set_noncurrent_version_expiration(self.expire_noncurrent_days.map(expire))
            .set_abort_incomplete_multipart_upload(self.abort_uploads_days.map(abort))
            .build()
            .map_err(incomplete)
    }

    /// Of live rules. What is not wholly ours shows as days that nobody asks for.
    fn read(rules: &[LifecycleRule]) -> Self {
        let [rule] = rules else {
            return if rules.is_empty() { Self::default() } else { Self::other() };
        };
        let days = |days: Option<i32>| days.and_then(|days| u32::try_from(days).ok());
        let read = Self {
            expire_noncurrent_days: rule.noncurrent_version_expiration().and_then(|one| days(one.noncurrent_days())),
            abort_uploads_days: rule
                .abort_incomplete_multipart_upload()
                .and_then(|one| days(one.days_after_initiation())),
        };
        let whole = rule.filter().is_none_or(|filter| {
            filter.prefix().unwrap_or_default().is_empty()
                && filter.tag().is_none()
                && filter.and().is_none()
                && filter.object_size_greater_than().is_none()
                && filter.object_size_less_than().is_none()
        });
        let more = rule.expiration().is_some()
            || !rule.transitions().is_empty()
            || !rule.noncurrent_version_transitions().is_empty();
        if whole && !more && *rule.status() == ExpirationStatus::Enabled { read } else { Self::other() }
    }

    fn other() -> Self {
        Self { expire_noncurrent_days: Some(OTHER_RULES), abort_uploads_days: Some(OTHER_RULES) }
    }
}

/// All rules, in place of the present ones.
pub(super) async fn set_lifecycle(ctx: &Ctx, s3: &Client, name: &str, to: Lifecycle) -> Result<(), ProviderError> {
    if to.is_empty() {
        return call_fresh(ctx, "s3", "DeleteBucketLifecycle", Repeat::Safe, "", || {
            s3.delete_bucket_lifecycle().bucket(name).send()
        })
        .await
        .map(drop);
    }
    let rules = BucketLifecycleConfiguration::builder().rules(to.rule()?).build().map_err(incomplete)?;
    call_fresh(ctx, "s3", "PutBucketLifecycleConfiguration", Repeat::Safe, "", || {
        s3.put_bucket_lifecycle_configuration().bucket(name).lifecycle_configuration(rules.clone()).send()
    })
    .await
    .map(drop)
}

pub(super) async fn lifecycle(ctx: &Ctx, s3: &Client, name: &str) -> Result<Lifecycle, ProviderError> {
    let answer = call(ctx, "s3", "GetBucketLifecycleConfiguration", Repeat::Safe, || {
        s3.get_bucket_lifecycle_configuration().bucket(name).send()
    })
    .await;
    Ok(found(answer)?.map_or_else(Lifecycle::default, |answer| Lifecycle::read(answer.rules())))
}
