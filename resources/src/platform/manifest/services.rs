//! What a platform may have beside nodes and add-ons: the cluster autoscaler, the node
//! termination handler, backups.

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

fn schedule(_: &mut SchemaGenerator) -> Schema {
    string(&formats::SCHEDULE)
}
