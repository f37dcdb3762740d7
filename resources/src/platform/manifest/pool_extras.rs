//! What a pool of nodes may have beyond sizes and types: reserved capacity, a warm
//! pool, repair.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::formats;
use super::types::string;

/// Reserved capacity of EC2: exactly one of the two keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CapacityReservation {
    /// One Capacity Reservation or Capacity Block.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "reservation_id")]
    pub id: Option<String>,
    /// A resource group of Capacity Reservations: what is in it can change without the nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "resource_group_arn")]
    pub resource_group_arn: Option<String>,
}

/// Instances that have booted already and wait, so that a new node is there sooner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct WarmPool {
    /// Whether there is one. Default: true.
    pub enabled: bool,
    /// The fewest instances that wait.
    #[schemars(range(max = 100_000))]
    pub min: u32,
    /// The most instances, those that wait and the nodes together. Default: the pool's `max`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_prepared: Option<u32>,
    /// How they wait.
    pub state: WarmState,
    /// Whether a node that is no longer needed goes back into the warm pool.
    pub reuse_on_scale_in: bool,
}

/// How an instance of a warm pool waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WarmState {
    /// Stopped: only its disk is paid for.
    #[default]
    Stopped,
    /// Running: paid for in full, and there at once.
    Running,
    /// Its memory on its disk. Not on Bottlerocket.
    Hibernated,
}

/// Automatic repair: EKS replaces or reboots nodes that stay unhealthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NodeRepair {
    /// Whether nodes are repaired. Default: true.
    pub enabled: bool,
    /// Repair stops while more nodes than this are unhealthy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_unhealthy_nodes: Option<u32>,
    /// The same as a share of the pool, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_unhealthy_percent: Option<u32>,
    /// The most nodes that are repaired at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max_parallel_nodes: Option<u32>,
    /// The same as a share of the pool, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_parallel_percent: Option<u32>,
    /// What to do about particular conditions, in place of EKS's own choice.
    #[schemars(length(max = 50))]
    pub overrides: Vec<RepairOverride>,
}

/// What to do about one condition of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RepairOverride {
    /// The node's condition, for example AcceleratedInstanceNotReady.
    pub condition: String,
    /// The condition's reason, for example NvidiaXID13Error.
    pub reason: String,
    /// How many minutes the condition must last.
    #[schemars(range(min = 1, max = 1_440))]
    pub wait_minutes: u32,
    /// What is done.
    pub action: RepairAction,
}

/// What is done about an unhealthy node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RepairAction {
    /// A new node takes its place.
    Replace,
    /// It is rebooted.
    Reboot,
    /// Nothing.
    NoAction,
}

/// How a component gets the credentials of its IAM role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// By the Pod Identity agent on its node. The role does not depend on the cluster.
    PodIdentity,
    /// By the cluster's OpenID Connect issuer (IAM roles for service accounts).
    Irsa,
}

impl Default for WarmPool {
    fn default() -> Self {
        Self { enabled: true, min: 0, max_prepared: None, state: WarmState::default(), reuse_on_scale_in: false }
    }
}

impl Default for NodeRepair {
    fn default() -> Self {
        Self {
            enabled: true,
            max_unhealthy_nodes: None,
            max_unhealthy_percent: None,
            max_parallel_nodes: None,
            max_parallel_percent: None,
            overrides: Vec::new(),
        }
    }
}

pub(super) fn image_id(_: &mut SchemaGenerator) -> Schema {
    string(&formats::IMAGE_ID)
}

pub(super) fn cidr(_: &mut SchemaGenerator) -> Schema {
    string(&formats::CIDR)
}

pub(super) fn pool_subnet_ids(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": string(&formats::SUBNET_ID),
        "minItems": 1,
        "uniqueItems": true,
    })
}

fn reservation_id(_: &mut SchemaGenerator) -> Schema {
    string(&formats::CAPACITY_RESERVATION_ID)
}

fn resource_group_arn(_: &mut SchemaGenerator) -> Schema {
    string(&formats::RESOURCE_GROUP_ARN)
}
