//! IAM. Attributes: `iam_role`, `iam_role_policy`, `iam_role_policy_attachment`, `iam_policy`,
//! `iam_openid_connect_provider` of the AWS provider.

use rayplat_engine::value::Planned;

use super::values::{Part, Source, known, one};

pub(super) fn role(source: &Source<'_>) -> Vec<Part> {
    one(
        "aws_iam_role",
        [
            ("arn", source.out("arn")),
            ("assume_role_policy", source.json_text("trust_policy")),
            ("description", source.get("description")),
            ("id", source.out("name")),
            ("name", source.out("name")),
            ("name_prefix", source.get("name_prefix")),
            ("path", known("/")),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
        ],
    )
}

pub(super) fn role_policy(source: &Source<'_>) -> Vec<Part> {
    one(
        "aws_iam_role_policy",
        [
            ("id", source.id()),
            ("name", source.get("name")),
            ("policy", source.json_text("document")),
            ("role", source.get("role")),
        ],
    )
}

pub(super) fn role_policy_attachment(source: &Source<'_>) -> Vec<Part> {
    one(
        "aws_iam_role_policy_attachment",
        [("id", source.id()), ("policy_arn", source.get("policy_arn")), ("role", source.get("role"))],
    )
}

pub(super) fn policy(source: &Source<'_>) -> Vec<Part> {
    one(
        "aws_iam_policy",
        [
            ("arn", source.out("arn")),
            ("description", source.get("description")),
            ("id", source.out("arn")),
            ("name", source.out("name")),
            ("name_prefix", source.get("name_prefix")),
            ("path", source.get("path")),
            ("policy", source.json_text("document")),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
        ],
    )
}

/// A list that is left to AWS is unknown, not empty.
pub(super) fn oidc_provider(source: &Source<'_>) -> Vec<Part> {
    let thumbprints = match source.get("thumbprints") {
        Planned::Known(value) if value.is_null() => Planned::Unknown,
        thumbprints => thumbprints,
    };
    one(
        "aws_iam_openid_connect_provider",
        [
            ("arn", source.out("arn")),
            ("client_id_list", source.get("client_ids")),
            ("id", source.out("arn")),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
            ("thumbprint_list", thumbprints),
            ("url", source.get("url")),
        ],
    )
}
