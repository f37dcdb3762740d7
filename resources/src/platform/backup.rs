//! What Velero needs of AWS: a bucket with a key of its own, and a role. Bucket and key are kept
//! when they are no longer wanted: backups are for the day when all else is gone.

use rayplat_engine::stack::{Added, StackError};

use super::{
    build::Builder,
    cluster::ClusterParts,
    components::{Component, Permissions, role},
    policies,
};
use crate::aws::{
    iam_role::Role,
    kms_alias::{Alias, AliasArgs},
    kms_key::{Key, KeyArgs},
    s3_bucket::{Bucket, BucketArgs},
};

/// Bucket and role of Velero.
pub(super) struct BackupParts {
    pub bucket: Added<Bucket>,
    pub role: Added<Role>,
}

pub(super) fn build(builder: &mut Builder<'_>, cluster: &ClusterParts) -> Result<Option<BackupParts>, StackError> {
    let manifest = builder.manifest;
    let spec = &manifest.backup;
    if !spec.enabled {
        return Ok(None);
    }
    let key = key(builder)?;
    let bucket = builder.stack.add::<Bucket>(
        "backup",
        BucketArgs {
            name: bucket_name(builder).into(),
            versioning: true.into(),
            kms_key_arn: key.out.arn().into(),
            expire_noncurrent_days: Some(spec.retention_days).into(),
            abort_uploads_days: Some(7).into(),
            keep: true.into(),
            tags: builder.tags().into(),
            ..BucketArgs::default()
        },
    )?;
    let component = Component {
        name: "velero",
        description: "Velero's role",
        namespace: "velero",
        service_account: "velero-server",
        identity: spec.identity,
        policy: Permissions::Inline(policies::velero_policy(bucket.out.arn().expr(), key.out.arn().expr())),
    };
    let role = role(builder, cluster, &component)?;
    Ok(Some(BackupParts { bucket, role }))
}

/// A key of its own: it must outlive the platform's, and who reads backups need not read secrets.
fn key(builder: &mut Builder<'_>) -> Result<Added<Key>, StackError> {
    let setting = builder.setting;
    let key = builder.stack.add::<Key>(
        "backup",
        KeyArgs {
            description: format!("Backups of {}", builder.name()).into(),
            policy: policies::account_key_policy(&setting.partition, &setting.account).into(),
            rotation: true.into(),
            deletion_window_days: 30.into(),
            tags: builder.tags().into(),
        },
    )?;
    let name = format!("alias/rayplat-{}-backup", builder.name());
    builder.stack.add::<Alias>("backup", AliasArgs { name: name.into(), target_key_id: key.out.key_id().into() })?;
    Ok(key)
}

/// Bucket names are everybody's, 63 characters at most and lower case: account and region make
/// it ours, and take up to 27 of them.
fn bucket_name(builder: &Builder<'_>) -> String {
    let setting = builder.setting;
    let name = builder.name().to_lowercase().replace('_', "-");
    let name: String = name.chars().take(28).collect();
    format!("{name}-backup-{}-{}", setting.account, setting.region)
}
