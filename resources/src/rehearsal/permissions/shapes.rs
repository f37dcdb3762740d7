//! ARNs of what a call is about, from its parameters and the account.
//! Forms: "Resource types defined by ...", Service Authorization Reference.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::rehearsal::{
    Account,
    params::{list, text, texts},
};

/// Which resources an action is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// The action knows no resources.
    Any,
    /// The ARN is a parameter.
    Param(&'static str),
    /// The cluster that the call names.
    Cluster,
    /// The node group.
    NodeGroup,
    /// The add-on.
    Addon,
    /// The access entry of a principal.
    AccessEntry,
    /// The Pod Identity association.
    PodIdentity,
    /// The role by its name.
    Role,
    /// A policy to be.
    NewPolicy,
    /// An OIDC provider to be, by its URL.
    NewIssuer,
    /// A KMS key, by the parameter that has its id or ARN; without one, a key to be.
    Key(&'static str),
    /// The alias.
    Alias,
    /// The key of the alias.
    AliasKey,
    /// The log group.
    LogGroup,
    /// All log groups.
    LogGroups,
    /// An EC2 resource of a type, by the parameter that has its id.
    Ec2(&'static str, &'static str),
    /// The same of one that is there: a condition on its tags cannot be met by another.
    Standing(&'static str, &'static str),
    /// An EC2 resource to be.
    New(&'static str),
    /// The EC2 resources of a type, by the parameter that has their ids.
    Each(&'static str, &'static str),
    /// The EC2 resources that are tagged.
    Tagged,
    /// A hosted zone that AWS keeps.
    HostedZone,
    /// The Auto Scaling groups that are tagged.
    Groups,
    /// The queue, by its name or URL.
    Queue,
    /// The rule, by the parameter that has its name.
    Rule(&'static str),
    /// The bucket.
    Bucket,
    /// What is in the bucket.
    Objects,
}

/// Stands for an id that is not known yet, or that AWS keeps to itself.
const UNKNOWN: &str = "0";

pub(super) fn arn(account: &Account, service: &str, rest: &str) -> String {
    format!("arn:{}:{service}:{}:{}:{rest}", account.partition(), account.region, account.account_id)
}

pub(super) fn iam_arn(account: &Account, rest: &str) -> String {
    format!("arn:{}:iam::{}:{rest}", account.partition(), account.account_id)
}

pub(super) fn ec2_arn(account: &Account, kind: &str, id: &str) -> String {
    arn(account, "ec2", &format!("{kind}/{id}"))
}

/// The ARN of a role by name; one that is not there has the path `/`.
pub(super) fn role_arn(account: &Account, name: &str) -> String {
    match account.iam.roles.get(name) {
        Some(role) => role.arn.clone(),
        None => iam_arn(account, &format!("role/{name}")),
    }
}

/// The cluster's name: of a cluster's own calls `name`, of all others `clusterName`.
pub(super) fn cluster_name(params: &Value) -> &str {
    text(params, "clusterName").or_else(|| text(params, "name")).unwrap_or(UNKNOWN)
}

fn key_arn(account: &Account, key: Option<&str>) -> String {
    match key {
        Some(arn) if arn.starts_with("arn:") => arn.to_owned(),
        Some(id) => arn(account, "kms", &format!("key/{id}")),
        None => arn(account, "kms", &format!("key/{UNKNOWN}")),
    }
}

impl Shape {
    pub(super) fn arns(self, account: &Account, params: &Value) -> Vec<String> {
        let param = |name: &str| text(params, name).unwrap_or(UNKNOWN);
        let eks = |rest: String| arn(account, "eks", &rest);
        let cluster = cluster_name(params);
        vec![match self {
            Self::Any => "*".to_owned(),
            Self::Param(name) => param(name).to_owned(),
            Self::Cluster => eks(format!("cluster/{cluster}")),
            Self::NodeGroup => eks(format!("nodegroup/{cluster}/{}/{UNKNOWN}", param("nodegroupName"))),
            Self::Addon => eks(format!("addon/{cluster}/{}/{UNKNOWN}", param("addonName"))),
            Self::AccessEntry => {
                let principal = param("principalArn");
                let name = principal.rsplit('/').next().unwrap_or(UNKNOWN);
                let kind = if principal.contains(":user/") { "user" } else { "role" };
                eks(format!("access-entry/{cluster}/{kind}/{}/{name}/{UNKNOWN}", account.account_id))
            }
            Self::PodIdentity => eks(format!("podidentityassociation/{cluster}/{}", param("associationId"))),
            Self::Role => role_arn(account, param("RoleName")),
            Self::NewPolicy => iam_arn(account, &format!("policy/{}", param("PolicyName"))),
            Self::NewIssuer => {
                iam_arn(account, &format!("oidc-provider/{}", param("Url").trim_start_matches("https://")))
            }
            Self::Key(name) => key_arn(account, text(params, name)),
            Self::Alias => arn(account, "kms", param("AliasName")),
            Self::AliasKey => {
                key_arn(account, account.kms.aliases.get(param("AliasName")).map(|alias| alias.key_id.as_str()))
            }
            Self::LogGroup => arn(account, "logs", &format!("log-group:{}", param("logGroupName"))),
            Self::LogGroups => arn(account, "logs", "log-group::log-stream:"),
            Self::Ec2(kind, name) => ec2_arn(account, kind, param(name)),
            Self::Standing(_, name) if tags_of(account, param(name)).is_none() => return Vec::new(),
            Self::Standing(kind, name) => ec2_arn(account, kind, param(name)),
            Self::Bucket => format!("arn:{}:s3:::{}", account.partition(), param("Bucket")),
            Self::Objects => format!("arn:{}:s3:::{}/*", account.partition(), param("Bucket")),
            Self::New(kind) => ec2_arn(account, kind, UNKNOWN),
            Self::Each(kind, name) => {
                return texts(params, name).iter().map(|id| ec2_arn(account, kind, id)).collect();
            }
            Self::HostedZone => format!("arn:{}:route53:::hostedzone/{UNKNOWN}", account.partition()),
            Self::Groups => {
                let names = list(params, "Tags").iter().filter_map(|tag| text(tag, "ResourceId"));
                let arn = |name| {
                    arn(account, "autoscaling", &format!("autoScalingGroup:{UNKNOWN}:autoScalingGroupName/{name}"))
                };
                return names.map(arn).collect::<BTreeSet<_>>().into_iter().collect();
            }
            Self::Queue => {
                let url = text(params, "QueueUrl").and_then(|url| url.rsplit('/').next());
                arn(account, "sqs", text(params, "QueueName").or(url).unwrap_or(UNKNOWN))
            }
            Self::Rule(name) => arn(account, "events", &format!("rule/{}", param(name))),
            Self::Tagged => {
                return texts(params, "ResourceId").iter().map(|id| ec2_arn(account, kind_of(id), id)).collect();
            }
        }]
    }
}

/// The resource type that an id's prefix stands for.
fn kind_of(id: &str) -> &'static str {
    match id.rsplit_once('-').map_or(id, |(prefix, _)| prefix) {
        "sg" => "security-group",
        "sgr" => "security-group-rule",
        "lt" => "launch-template",
        "vpc" => "vpc",
        "subnet" => "subnet",
        "igw" => "internet-gateway",
        "nat" => "natgateway",
        "eipalloc" => "elastic-ip",
        "rtb" => "route-table",
        "vpce" => "vpc-endpoint",
        "eni" => "network-interface",
        "vol" => "volume",
        "i" => "instance",
        _ => "*",
    }
}

/// The tag by which the VPC CNI says of which cluster an interface is.
const CNI_CLUSTER: &str = "cluster.k8s.amazonaws.com/name";

/// The tags of a network interface; none if it is not there.
fn tags_of<'a>(account: &'a Account, id: &str) -> Option<&'a crate::rehearsal::ec2::Tags> {
    account.ec2.network_interfaces.get(id).map(|interface| &interface.tags)
}

/// The condition keys of an action that the printed policy narrows it by.
pub(super) fn context(account: &Account, action: &str, operation: &str, params: &Value) -> Vec<(&'static str, String)> {
    let of =
        |key: &'static str, name: &str| text(params, name).map(|value| (key, value.to_owned())).into_iter().collect();
    match action {
        // Whoever attaches any policy to a role of his own has every permission.
        "iam:AttachRolePolicy" | "iam:DetachRolePolicy" => of("iam:PolicyARN", "PolicyArn"),
        "iam:CreateServiceLinkedRole" => of("iam:AWSServiceName", "AWSServiceName"),
        // Of all interfaces only those that the VPC CNI of the platform's cluster made.
        "ec2:DeleteNetworkInterface" => {
            let tags = tags_of(account, text(params, "NetworkInterfaceId").unwrap_or(UNKNOWN));
            let cluster = tags.and_then(|tags| tags.get(CNI_CLUSTER));
            cluster.map(|name| ("aws:ResourceTag/cluster.k8s.amazonaws.com/name", name.clone())).into_iter().collect()
        }
        "ec2:CreateTags" if operation != "CreateTags" => vec![("ec2:CreateAction", operation.to_owned())],
        _ => Vec::new(),
    }
}
