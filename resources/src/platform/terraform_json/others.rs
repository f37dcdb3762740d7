//! KMS, CloudWatch Logs, S3, SQS, EventBridge, Auto Scaling and certificates. Attributes:
//! `kms_key`, `kms_alias`, `cloudwatch_log_group`, `s3_bucket` and its companions, `sqs_queue`,
//! `cloudwatch_event_rule`, `cloudwatch_event_target`, `autoscaling_group_tag` of the AWS
//! provider; the data source `tls_certificate` of the TLS provider.

use rayplat_engine::value::Planned;
use serde_json::Value;

use super::values::{Part, Source, block, known, member, null, one, part};

pub(super) fn kms_key(source: &Source<'_>) -> Vec<Part> {
    one(
        "aws_kms_key",
        [
            ("arn", source.out("arn")),
            ("customer_master_key_spec", known("SYMMETRIC_DEFAULT")),
            ("deletion_window_in_days", source.get("deletion_window_days")),
            ("description", source.get("description")),
            ("enable_key_rotation", source.get("rotation")),
            ("id", source.out("key_id")),
            ("is_enabled", known(true)),
            ("key_id", source.out("key_id")),
            ("key_usage", known("ENCRYPT_DECRYPT")),
            ("policy", source.json_text("policy")),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
        ],
    )
}

/// The Kubernetes provider's resource for any object.
/// Source: <https://registry.terraform.io/providers/hashicorp/kubernetes/latest/docs/resources/manifest>
pub(super) fn kubernetes_object(source: &Source<'_>) -> Vec<Part> {
    one("kubernetes_manifest", [("manifest", source.get("manifest"))])
}

/// Source: <https://registry.terraform.io/providers/hashicorp/helm/latest/docs/resources/release>
pub(super) fn chart(source: &Source<'_>) -> Vec<Part> {
    one(
        "helm_release",
        [
            ("chart", source.get("chart")),
            ("name", source.get("name")),
            ("repository", source.get("repository")),
            ("version", source.get("version")),
        ],
    )
}

/// Without its values, which nobody knows.
pub(super) fn secret(source: &Source<'_>) -> Vec<Part> {
    let metadata =
        block([("labels", source.get("labels")), ("name", source.get("name")), ("namespace", source.get("namespace"))]);
    one("kubernetes_secret_v1", [("metadata", metadata), ("type", known("Opaque"))])
}

/// Terraform waits with the time provider.
pub(super) fn entry(source: &Source<'_>) -> Vec<Part> {
    one("time_sleep", [("triggers", source.get("cluster"))])
}

pub(super) fn kms_alias(source: &Source<'_>) -> Vec<Part> {
    one(
        "aws_kms_alias",
        [("id", source.get("name")), ("name", source.get("name")), ("target_key_id", source.get("target_key_id"))],
    )
}

pub(super) fn log_group(source: &Source<'_>) -> Vec<Part> {
    let retention = match source.get("retention_days") {
        // The provider's word for ever.
        Planned::Known(Value::Null) => known(0),
        days => days,
    };
    one(
        "aws_cloudwatch_log_group",
        [
            ("arn", source.out("arn")),
            ("id", source.get("name")),
            ("kms_key_id", source.get("kms_key_arn")),
            ("name", source.get("name")),
            ("retention_in_days", retention),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
        ],
    )
}

/// Terraform has what guards a bucket as resources of their own.
pub(super) fn bucket(source: &Source<'_>) -> Vec<Part> {
    let name = || source.get("name");
    let algorithm = match source.get("kms_key_arn") {
        Planned::Known(Value::Null) => known("AES256"),
        _ => known("aws:kms"),
    };
    let status = match source.get("versioning") {
        Planned::Known(Value::Bool(true)) => known("Enabled"),
        Planned::Known(_) => known("Suspended"),
        _ => Planned::Unknown,
    };
    let blocked = source.get("guards.public_access_blocked");
    let encryption = block([("kms_master_key_id", source.get("kms_key_arn")), ("sse_algorithm", algorithm)]);
    let mut parts = one(
        "aws_s3_bucket",
        [
            ("arn", source.out("arn")),
            ("bucket", name()),
            ("force_destroy", source.get("purge_on_delete")),
            ("id", name()),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
        ],
    );
    parts.push(part(
        "aws_s3_bucket_versioning",
        "",
        [("bucket", name()), ("versioning_configuration", block([("status", status)]))],
    ));
    parts.push(part(
        "aws_s3_bucket_server_side_encryption_configuration",
        "",
        [("bucket", name()), ("rule", block([("apply_server_side_encryption_by_default", encryption)]))],
    ));
    parts.push(part(
        "aws_s3_bucket_public_access_block",
        "",
        [
            ("block_public_acls", blocked.clone()),
            ("block_public_policy", blocked.clone()),
            ("bucket", name()),
            ("ignore_public_acls", blocked.clone()),
            ("restrict_public_buckets", blocked),
        ],
    ));
    parts
}

pub(super) fn queue(source: &Source<'_>) -> Vec<Part> {
    let encryption = source.get("encryption");
    one(
        "aws_sqs_queue",
        [
            ("arn", source.out("arn")),
            ("id", source.out("url")),
            ("kms_master_key_id", member(&encryption, "kms")),
            ("message_retention_seconds", source.get("retention_seconds")),
            ("name", source.out("name")),
            ("name_prefix", source.get("name_prefix")),
            ("policy", source.json_text("policy")),
            ("sqs_managed_sse_enabled", known(encryption == known("sqs"))),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
            ("url", source.out("url")),
        ],
    )
}

/// Terraform has each target as a resource of its own.
pub(super) fn event_rule(source: &Source<'_>) -> Vec<Part> {
    let state = match source.get("disabled") {
        Planned::Known(Value::Bool(true)) => known("DISABLED"),
        _ => known("ENABLED"),
    };
    let mut parts = one(
        "aws_cloudwatch_event_rule",
        [
            ("arn", source.out("arn")),
            ("description", source.get("description")),
            ("event_pattern", source.json_text("pattern")),
            ("id", source.out("name")),
            ("name", source.out("name")),
            ("name_prefix", source.get("name_prefix")),
            ("state", state),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
        ],
    );
    let targets: Vec<(String, Planned)> = match source.get("targets") {
        Planned::Known(Value::Object(map)) => map.into_iter().map(|(id, arn)| (id, Planned::Known(arn))).collect(),
        Planned::Object(entries) => entries,
        _ => Vec::new(),
    };
    for (id, arn) in targets {
        let suffix = format!("-{id}");
        let values = [("arn", arn), ("rule", source.out("name")), ("target_id", known(id))];
        parts.push(part("aws_cloudwatch_event_target", &suffix, values));
    }
    parts
}

/// One of Terraform's resources for each tag.
pub(super) fn group_tags(source: &Source<'_>) -> Vec<Part> {
    let Planned::Known(Value::Object(tags)) = source.get("tags") else { return Vec::new() };
    let tag = |(key, value): (String, Value)| {
        let suffix = format!("-{key}");
        let tag = block([("key", known(key)), ("propagate_at_launch", known(false)), ("value", Planned::Known(value))]);
        part("aws_autoscaling_group_tag", &suffix, [("autoscaling_group_name", source.get("group")), ("tag", tag)])
    };
    tags.into_iter().map(tag).collect()
}

pub(super) fn certificate(source: &Source<'_>) -> Vec<Part> {
    let certificates = match source.object {
        Some(_) => block([("sha1_fingerprint", source.out("sha1_fingerprint"))]),
        None => Planned::Unknown,
    };
    one("tls_certificate", [("certificates", certificates), ("content", null()), ("url", source.get("issuer"))])
}
