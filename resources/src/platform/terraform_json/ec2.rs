//! Launch templates and security groups. Attributes: `launch_template`, `security_group`,
//! `security_group_rule` of the AWS provider.

use rayplat_engine::value::Planned;
use serde_json::{Value, json};

use super::values::{Part, Source, block, known, member, null, object, one};

pub(super) fn launch_template(source: &Source<'_>) -> Vec<Part> {
    one(
        "aws_launch_template",
        [
            ("arn", Planned::Unknown),
            ("block_device_mappings", disk(source)),
            ("default_version", null()),
            ("id", source.id()),
            ("latest_version", number(source.moving("latest_version"))),
            (
                "metadata_options",
                block([
                    ("http_endpoint", known("enabled")),
                    ("http_put_response_hop_limit", source.get("metadata.hop_limit")),
                    ("http_tokens", source.get("metadata.http_tokens")),
                ]),
            ),
            ("monitoring", block([("enabled", source.get("monitoring"))])),
            ("name", source.out("name")),
            ("name_prefix", source.get("name_prefix")),
            ("tag_specifications", launched(source)),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
            ("user_data", source.base64("user_data")),
            ("vpc_security_group_ids", source.get("security_group_ids")),
        ],
    )
}

fn disk(source: &Source<'_>) -> Planned {
    block([
        ("device_name", source.get("disk.device_name")),
        (
            "ebs",
            block([
                ("delete_on_termination", known("true")),
                ("encrypted", encrypted(&source.get("disk.encrypted"))),
                ("iops", source.get("disk.iops")),
                ("kms_key_id", source.get("disk.kms_key_arn")),
                ("throughput", source.get("disk.throughput")),
                ("volume_size", source.get("disk.size_gb")),
                ("volume_type", source.get("disk.volume_type")),
            ]),
        ),
    ])
}

/// The provider has texts here. `"true"` is one; `false` stays a boolean, because the text
/// `"false"` is true to `not ebs.encrypted`, and an unencrypted disk would pass.
fn encrypted(value: &Planned) -> Planned {
    match value {
        Planned::Known(Value::Bool(true)) => known("true"),
        Planned::Known(_) => known(false),
        _ => Planned::Unknown,
    }
}

/// The provider has a number, EC2 a text.
fn number(value: Planned) -> Planned {
    match &value {
        Planned::Known(Value::String(text)) => text.parse::<u64>().map_or(value, known),
        _ => value,
    }
}

fn launched(source: &Source<'_>) -> Planned {
    let tags = source.get("instance_tags");
    let of = |kind: &str| object([("resource_type", known(kind)), ("tags", tags.clone())]);
    Planned::List(["instance", "volume", "network-interface"].map(of).to_vec())
}

pub(super) fn security_group(source: &Source<'_>) -> Vec<Part> {
    one(
        "aws_security_group",
        [
            ("arn", Planned::Unknown),
            ("description", source.get("description")),
            ("id", source.out("id")),
            ("name", Planned::Unknown),
            ("name_prefix", source.get("name_prefix")),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
            ("vpc_id", source.get("vpc_id")),
        ],
    )
}

pub(super) fn security_group_rule(source: &Source<'_>) -> Vec<Part> {
    let from = source.get("source");
    let cidr = member(&from, "cidr");
    let (v6, v4) = match &cidr {
        Planned::Known(Value::String(text)) if text.contains(':') => (known(json!([text])), null()),
        Planned::Known(Value::String(text)) => (null(), known(json!([text]))),
        _ => (null(), null()),
    };
    let port = |path: &str| match source.get(path) {
        // All ports: the provider has 0 for both ends.
        Planned::Known(Value::Null) => known(0),
        port => port,
    };
    one(
        "aws_security_group_rule",
        [
            ("cidr_blocks", v4),
            ("description", source.get("description")),
            ("from_port", port("from_port")),
            ("id", source.out("id")),
            ("ipv6_cidr_blocks", v6),
            ("protocol", source.get("protocol")),
            ("security_group_id", source.get("group_id")),
            ("security_group_rule_id", source.out("id")),
            ("self", known(from == known("self_ref"))),
            ("source_security_group_id", member(&from, "group")),
            ("to_port", port("to_port")),
            ("type", source.get("direction")),
        ],
    )
}
