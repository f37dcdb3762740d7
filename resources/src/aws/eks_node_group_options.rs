//! What a node group may have beside its sizes: a warm pool, and repair.
//! API: <https://docs.aws.amazon.com/eks/latest/APIReference/API_WarmPoolConfig.html>,
//! <https://docs.aws.amazon.com/eks/latest/APIReference/API_NodeRepairConfig.html>

use aws_sdk_eks::types::{NodeRepairConfig, NodeRepairConfigOverrides, RepairAction, WarmPoolConfig, WarmPoolState};
use serde::{Deserialize, Serialize};

use super::eks_node_group::number;

/// Instances that have booted already and wait.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmPool {
    /// The fewest that wait.
    pub min: u32,
    /// The most, with the group's own; `None`: as many as the group may have.
    pub max_prepared: Option<u32>,
    /// `STOPPED`, `RUNNING` or `HIBERNATED`.
    pub state: String,
    /// Nodes that are no longer needed go back into it.
    pub reuse_on_scale_in: bool,
}

/// Automatic repair of unhealthy nodes. A limit is a number of nodes or a percentage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeRepair {
    /// Repair stops while more nodes than this are unhealthy.
    pub max_unhealthy_nodes: Option<u32>,
    /// The same, percent.
    pub max_unhealthy_percent: Option<u32>,
    /// The most nodes that are repaired at once.
    pub max_parallel_nodes: Option<u32>,
    /// The same, percent.
    pub max_parallel_percent: Option<u32>,
    /// What to do about particular conditions.
    pub overrides: Vec<RepairOverride>,
}

/// What to do about one condition of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairOverride {
    /// E.g. `AcceleratedInstanceNotReady`.
    pub condition: String,
    /// E.g. `NvidiaXID13Error`.
    pub reason: String,
    /// How long it must last, minutes.
    pub wait_minutes: u32,
    /// `Replace`, `Reboot` or `NoAction`.
    pub action: String,
}

/// As EKS takes it; without one it says so, because an update leaves out what stays.
pub(super) fn warm_pool(pool: Option<&WarmPool>) -> WarmPoolConfig {
    let Some(pool) = pool else { return WarmPoolConfig::builder().enabled(false).build() };
    WarmPoolConfig::builder()
        .enabled(true)
        .min_size(number(pool.min))
        .set_max_group_prepared_capacity(pool.max_prepared.map(number))
        .pool_state(WarmPoolState::from(pool.state.as_str()))
        .reuse_on_scale_in(pool.reuse_on_scale_in)
        .build()
}

/// The same for repair.
pub(super) fn node_repair(repair: Option<&NodeRepair>) -> NodeRepairConfig {
    let Some(repair) = repair else { return NodeRepairConfig::builder().enabled(false).build() };
    let overrides = repair.overrides.iter().map(|one| {
        NodeRepairConfigOverrides::builder()
            .node_monitoring_condition(&one.condition)
            .node_unhealthy_reason(&one.reason)
            .min_repair_wait_time_mins(number(one.wait_minutes))
            .repair_action(RepairAction::from(one.action.as_str()))
            .build()
    });
    NodeRepairConfig::builder()
        .enabled(true)
        .set_max_unhealthy_node_threshold_count(repair.max_unhealthy_nodes.map(number))
        .set_max_unhealthy_node_threshold_percentage(repair.max_unhealthy_percent.map(number))
        .set_max_parallel_nodes_repaired_count(repair.max_parallel_nodes.map(number))
        .set_max_parallel_nodes_repaired_percentage(repair.max_parallel_percent.map(number))
        .set_node_repair_config_overrides((!repair.overrides.is_empty()).then(|| overrides.collect()))
        .build()
}

fn size(number: Option<i32>) -> Option<u32> {
    number.and_then(|number| u32::try_from(number).ok())
}

/// As found.
pub(super) fn warm_pool_of(config: Option<&WarmPoolConfig>, prior: Option<&WarmPool>) -> Option<WarmPool> {
    let config = config.filter(|config| config.enabled() == Some(true))?;
    let max_prepared = size(config.max_group_prepared_capacity());
    Some(WarmPool {
        min: size(config.min_size()).unwrap_or_default(),
        // A limit that EKS filled in is not a difference.
        max_prepared: max_prepared.filter(|_| prior.is_none_or(|prior| prior.max_prepared.is_some())),
        state: config.pool_state().map_or("STOPPED", WarmPoolState::as_str).to_owned(),
        reuse_on_scale_in: config.reuse_on_scale_in().unwrap_or_default(),
    })
}

/// The same for repair.
pub(super) fn node_repair_of(config: Option<&NodeRepairConfig>) -> Option<NodeRepair> {
    let config = config.filter(|config| config.enabled() == Some(true))?;
    let overrides = config.node_repair_config_overrides().iter().map(|one| RepairOverride {
        condition: one.node_monitoring_condition().unwrap_or_default().to_owned(),
        reason: one.node_unhealthy_reason().unwrap_or_default().to_owned(),
        wait_minutes: size(one.min_repair_wait_time_mins()).unwrap_or_default(),
        action: one.repair_action().map_or("", RepairAction::as_str).to_owned(),
    });
    Some(NodeRepair {
        max_unhealthy_nodes: size(config.max_unhealthy_node_threshold_count()),
        max_unhealthy_percent: size(config.max_unhealthy_node_threshold_percentage()),
        max_parallel_nodes: size(config.max_parallel_nodes_repaired_count()),
        max_parallel_percent: size(config.max_parallel_nodes_repaired_percentage()),
        overrides: overrides.collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_what_is_found() {
        let pool = WarmPool { min: 2, max_prepared: Some(9), state: "RUNNING".into(), reuse_on_scale_in: true };
        assert_eq!(warm_pool_of(Some(&warm_pool(Some(&pool))), Some(&pool)), Some(pool));
        assert_eq!(warm_pool_of(Some(&warm_pool(None)), None), None);
        let repair = NodeRepair {
            max_unhealthy_percent: Some(20),
            max_parallel_nodes: Some(1),
            overrides: vec![RepairOverride {
                condition: "AcceleratedInstanceNotReady".into(),
                reason: "NvidiaXID13Error".into(),
                wait_minutes: 10,
                action: "Reboot".into(),
            }],
            ..NodeRepair::default()
        };
        assert_eq!(node_repair_of(Some(&node_repair(Some(&repair)))), Some(repair));
        assert_eq!(node_repair_of(Some(&node_repair(None))), None);
    }

    #[test]
    fn a_limit_that_was_left_to_eks_is_no_difference() {
        let mine = WarmPool { state: "STOPPED".into(), ..WarmPool::default() };
        let filled = WarmPoolConfig::builder().enabled(true).max_group_prepared_capacity(10).build();
        assert_eq!(warm_pool_of(Some(&filled), Some(&mine)), Some(mine));
    }
}
