//! What a platform may have beside nodes and add-ons: the cluster autoscaler, the node
//! termination handler, backups, monitoring.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::formats;
use super::pool_extras::Identity;
use super::types::{policy_arn, string};

/// The cluster autoscaler.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Autoscaler {
    /// Whether nodes are added and removed with the load.
    pub enabled: bool,
    /// How its service account, kube-system/cluster-autoscaler, gets the credentials of its role.
    pub identity: Identity,
    /// A policy of your own for its role, in place of the one that rayplat writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "policy_arn")]
    pub policy_arn: Option<String>,
}

/// The AWS node termination handler. Managed node groups drain Spot nodes by themselves: it is
/// for what they do not see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TerminationHandler {
    /// Whether it has its role and, in queue mode, its queue.
    pub enabled: bool,
    /// How it hears of what is to come.
    pub mode: TerminationMode,
    /// How its service account, kube-system/aws-node-termination-handler, gets the credentials of
    /// its role.
    pub identity: Identity,
}

/// How the node termination handler hears of what is to come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TerminationMode {
    /// From the metadata service of its own node, on every node.
    #[default]
    Imds,
    /// From a queue that EventBridge fills, once for the cluster. It hears of more: scale-in,
    /// rebalancing of zones, maintenance.
    Queue,
}

/// Backups of the cluster's objects and volumes by Velero: bucket, key and role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Backup {
    /// Whether there are any. What is in the bucket outlives this key and `down`, with the bucket
    /// and its key, until `down --purge-backups`.
    pub enabled: bool,
    /// When Velero makes one, as cron writes it, in UTC.
    #[schemars(schema_with = "schedule")]
    pub schedule: String,
    /// How long Velero keeps one; what it deletes stays as an older version as long again.
    #[schemars(range(min = 1, max = 3_650))]
    pub retention_days: u32,
    /// How its service account, velero/velero-server, gets the credentials of its role.
    pub identity: Identity,
}

/// What a Prometheus and a Grafana of your own are told of the platform; rayplat installs neither.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Monitoring {
    /// Whether there are dashboards for Grafana, of the cluster's health and of its cost: ConfigMaps that
    /// the sidecar of Grafana's chart looks for.
    pub dashboards: bool,
    /// Whether Prometheus is told of Ray's pods, by PodMonitors. Their kind is the Prometheus operator's,
    /// and must stand in the cluster before.
    pub pod_monitors: bool,
    /// The namespace of Prometheus and Grafana, which must stand: dashboards and monitors go there, and
    /// its pods may read Ray's metrics. Default for dashboards: Ray's.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "dns_label")]
    pub namespace: Option<String>,
    /// Labels by which Prometheus chooses its monitors, such as `release: kube-prometheus-stack`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

impl Default for Autoscaler {
    fn default() -> Self {
        Self { enabled: true, identity: Identity::Irsa, policy_arn: None }
    }
}

impl Default for TerminationHandler {
    fn default() -> Self {
        Self { enabled: false, mode: TerminationMode::default(), identity: Identity::Irsa }
    }
}

impl Default for Backup {
    fn default() -> Self {
        Self { enabled: false, schedule: "0 2 * * *".to_owned(), retention_days: 30, identity: Identity::Irsa }
    }
}

fn dns_label(_: &mut SchemaGenerator) -> Schema {
    string(&formats::DNS_LABEL)
}

fn schedule(_: &mut SchemaGenerator) -> Schema {
    string(&formats::SCHEDULE)
}
