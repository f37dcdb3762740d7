//! EKS. Attributes: `eks_cluster`, `eks_node_group`, `eks_addon`, `eks_access_entry`,
//! `eks_access_policy_association`, `eks_pod_identity_association` of the AWS provider.

use rayplat_engine::value::Planned;
use serde_json::{Value, json};

use super::values::{Part, Source, block, items, known, member, no_block, null, object, one, part};

pub(super) fn cluster(source: &Source<'_>) -> Vec<Part> {
    one(
        "aws_eks_cluster",
        [
            (
                "access_config",
                block([
                    ("authentication_mode", source.get("authentication_mode")),
                    ("bootstrap_cluster_creator_admin_permissions", source.get("bootstrap_creator_admin")),
                ]),
            ),
            ("arn", source.out("arn")),
            ("bootstrap_self_managed_addons", source.get("bootstrap_self_managed_addons")),
            ("deletion_protection", source.get("deletion_protection")),
            ("enabled_cluster_log_types", source.get("log_types")),
            ("encryption_config", encryption(source)),
            ("endpoint", source.out("endpoint")),
            ("id", source.out("name")),
            ("kubernetes_network_config", services(source)),
            ("name", source.get("name")),
            ("platform_version", source.moving("platform_version")),
            ("role_arn", source.get("role_arn")),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
            ("upgrade_policy", block([("support_type", source.get("support"))])),
            ("version", source.get("kubernetes_version")),
            (
                "vpc_config",
                block([
                    ("cluster_security_group_id", source.out("security_group_id")),
                    ("endpoint_private_access", source.get("endpoint.private")),
                    ("endpoint_public_access", source.get("endpoint.public")),
                    ("public_access_cidrs", cidrs(source)),
                    ("security_group_ids", source.get("security_group_ids")),
                    ("subnet_ids", source.get("subnet_ids")),
                    ("vpc_id", source.out("vpc_id")),
                ]),
            ),
            ("zonal_shift_config", optional(&source.get("zonal_shift"), "enabled")),
        ],
    )
}

/// A block of one attribute, if there is a value.
fn optional(value: &Planned, attribute: &str) -> Planned {
    match value {
        Planned::Known(Value::Null) => no_block(),
        value => block([(attribute, value.clone())]),
    }
}

fn encryption(source: &Source<'_>) -> Planned {
    match source.get("secrets_key_arn") {
        Planned::Known(Value::Null) => no_block(),
        key => block([("provider", block([("key_arn", key)])), ("resources", known(json!(["secrets"])))]),
    }
}

fn services(source: &Source<'_>) -> Planned {
    optional(&source.get("service_cidr"), "service_ipv4_cidr")
}

/// An empty list is the whole internet, where the endpoint is public.
fn cidrs(source: &Source<'_>) -> Planned {
    let cidrs = source.get("endpoint.public_cidrs");
    let empty = matches!(&cidrs, Planned::Known(Value::Array(list)) if list.is_empty());
    let public = source.get("endpoint.public") == known(true);
    if empty && public { known(json!(["0.0.0.0/0"])) } else { cidrs }
}

pub(super) fn node_group(source: &Source<'_>) -> Vec<Part> {
    one(
        "aws_eks_node_group",
        [
            ("ami_type", source.get("ami_type")),
            ("arn", source.out("arn")),
            ("capacity_type", source.get("capacity")),
            ("cluster_name", source.get("cluster")),
            ("id", source.id()),
            ("instance_types", source.get("instance_types")),
            ("labels", source.get("labels")),
            (
                "launch_template",
                block([("id", source.get("template_id")), ("version", source.get("template_version"))]),
            ),
            ("node_group_name", source.out("name")),
            ("node_group_name_prefix", source.get("name_prefix")),
            ("node_role_arn", source.get("role_arn")),
            (
                "scaling_config",
                block([
                    ("desired_size", source.get("scaling.desired")),
                    ("max_size", source.get("scaling.max")),
                    ("min_size", source.get("scaling.min")),
                ]),
            ),
            ("status", source.moving("status")),
            ("subnet_ids", source.get("subnet_ids")),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
            ("taint", source.get("taints")),
            (
                "update_config",
                block([
                    ("max_unavailable", null()),
                    ("max_unavailable_percentage", source.get("max_unavailable_percentage")),
                ]),
            ),
        ],
    )
}

pub(super) fn addon(source: &Source<'_>) -> Vec<Part> {
    let version = match source.get("version") {
        // EKS chooses, when it is made.
        Planned::Known(Value::Null) => source.out("version"),
        version => version,
    };
    let identity = match source.get("pod_identity") {
        Planned::Known(Value::Null) => no_block(),
        identity => block([
            ("role_arn", member(&identity, "role_arn")),
            ("service_account", member(&identity, "service_account")),
        ]),
    };
    one(
        "aws_eks_addon",
        [
            ("addon_name", source.get("name")),
            ("addon_version", version),
            ("arn", source.out("arn")),
            ("cluster_name", source.get("cluster")),
            ("configuration_values", source.json_text("configuration")),
            ("id", source.id()),
            ("pod_identity_association", identity),
            ("service_account_role_arn", source.get("service_account_role_arn")),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
        ],
    )
}

/// Terraform has each access policy as a resource of its own.
pub(super) fn access_entry(source: &Source<'_>) -> Vec<Part> {
    let entry = [
        ("access_entry_arn", source.out("arn")),
        ("cluster_name", source.get("cluster")),
        ("id", source.id()),
        ("kubernetes_groups", source.get("kubernetes_groups")),
        ("principal_arn", source.get("principal_arn")),
        ("tags", source.get("tags")),
        ("tags_all", source.get("tags")),
        ("type", known("STANDARD")),
    ];
    let mut parts = one("aws_eks_access_entry", entry);
    for policy in source.items("policies").unwrap_or_default() {
        let arn = member(&policy, "policy_arn");
        let suffix = match &arn {
            Planned::Known(Value::String(arn)) => format!("-{}", arn.rsplit('/').next().unwrap_or(arn)),
            _ => String::new(),
        };
        let namespaces = member(&policy, "namespaces");
        let whole = items(&namespaces).is_none_or(|list| list.is_empty());
        let scope = if whole { "cluster" } else { "namespace" };
        let values = [
            ("access_scope", Planned::List(vec![object([("namespaces", namespaces), ("type", known(scope))])])),
            ("cluster_name", source.get("cluster")),
            ("policy_arn", arn),
            ("principal_arn", source.get("principal_arn")),
        ];
        parts.push(part("aws_eks_access_policy_association", &suffix, values));
    }
    parts
}

pub(super) fn pod_identity_association(source: &Source<'_>) -> Vec<Part> {
    one(
        "aws_eks_pod_identity_association",
        [
            ("association_arn", source.out("arn")),
            ("association_id", source.out("id")),
            ("cluster_name", source.get("cluster")),
            ("id", source.out("id")),
            ("namespace", source.get("namespace")),
            ("role_arn", source.get("role_arn")),
            ("service_account", source.get("service_account")),
            ("tags", source.get("tags")),
            ("tags_all", source.get("tags")),
            ("target_role_arn", source.get("target_role_arn")),
        ],
    )
}
