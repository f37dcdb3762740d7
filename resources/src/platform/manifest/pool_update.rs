//! How a pool's nodes are replaced.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a pool's nodes are replaced when their version, image or launch template changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PoolUpdate {
    /// How many nodes may be replaced at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_unavailable: Option<u32>,
    /// How many nodes may be replaced at once, as a share of the pool. Default: 33.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_unavailable_percentage: Option<u32>,
    /// Which comes first.
    pub strategy: UpdateStrategy,
    /// Whether pods that cannot be evicted, for a PodDisruptionBudget, are removed all the same.
    pub force: bool,
}

/// Which comes first when nodes are replaced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpdateStrategy {
    /// New nodes before old ones go.
    #[default]
    Default,
    /// Old nodes go first: for instance types that are hard to get.
    Minimal,
}

/// The share where nothing is said, percent.
const USUAL_SHARE: u32 = 33;

impl PoolUpdate {
    /// The share of nodes, percent; 0 where a number is given.
    #[must_use]
    pub fn share(&self) -> u32 {
        self.max_unavailable_percentage.unwrap_or(if self.max_unavailable.is_some() { 0 } else { USUAL_SHARE })
    }

    /// EKS's name of a strategy that is not the usual one.
    #[must_use]
    pub fn strategy_name(&self) -> Option<String> {
        (self.strategy == UpdateStrategy::Minimal).then(|| "MINIMAL".to_owned())
    }
}
