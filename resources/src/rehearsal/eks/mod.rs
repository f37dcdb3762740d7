//! The emulated eks service: clusters, node groups, addons, access entries and
//! their life cycles, which end when the account's clock says so.

mod access_entries;
mod access_policies;
mod addon_catalog;
mod addon_checks;
mod addon_schemas;
mod addon_updates;
mod addons;
mod answers;
mod certificate;
mod cluster_checks;
mod cluster_updates;
mod clusters;
mod durations;
mod launch;
mod machines;
mod model;
mod nodegroup_checks;
mod nodegroup_updates;
mod nodegroups;
mod outside;
mod params;
mod pod_identity;
mod settle;
mod settle_addons;
mod settle_nodegroups;
mod tags;
#[cfg(test)]
mod tests;
mod tokens;
mod updates;
mod user_data;
mod versions;
mod warm_pools;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Account, ApiError};

pub use model::{
    AccessEntry, AccessPolicy, Addon, Association, Cluster, Encryption, Endpoint, Issue, Network, Nodegroup, Scaling,
    Status, Taint,
};
pub use nodegroups::{nodes, set_desired, start_missing};
pub use settle::settle;
pub use updates::Update;
pub use versions::{KUBERNETES_VERSIONS, KubernetesVersion, Support};

/// What the service holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// Clusters by name, each with everything in it.
    pub clusters: IndexMap<String, Cluster>,
    /// Client tokens of `CreateCluster`.
    tokens: tokens::Tokens,
    /// Log groups that EKS will write once more after their cluster is gone.
    late_log_groups: Vec<settle::LateLogGroup>,
}

/// The max-pods that the nodes of a group were started with: what vpc-cni was when
/// the group was made decides it (eksctl#4478). `None`: no such group.
pub fn max_pods(account: &Account, cluster: &str, nodegroup: &str) -> Option<u32> {
    let cluster = account.eks.clusters.get(cluster)?;
    cluster.nodegroups.get(nodegroup).map(|group| group.max_pods)
}

/// Answers one call.
///
/// # Errors
/// The service's refusal, in EKS's codes and words.
pub fn call(account: &mut Account, operation: &str, params: &Value) -> Result<Value, ApiError> {
    match operation {
        "CreateCluster" => clusters::create(account, params),
        "DescribeCluster" => clusters::describe(account, params),
        "ListClusters" => clusters::list(account, params),
        "DeleteCluster" => clusters::delete(account, params),
        "UpdateClusterConfig" => cluster_updates::config(account, params),
        "UpdateClusterVersion" => cluster_updates::version(account, params),
        "AssociateEncryptionConfig" => cluster_updates::encryption(account, params),
        "DescribeClusterVersions" => versions::describe(account, params),
        "DescribeUpdate" => updates::describe(account, params),
        "ListUpdates" => updates::list(account, params),
        "CreateNodegroup" => nodegroups::create(account, params),
        "DescribeNodegroup" => nodegroups::describe(account, params),
        "ListNodegroups" => nodegroups::list(account, params),
        "DeleteNodegroup" => nodegroups::delete(account, params),
        "UpdateNodegroupConfig" => nodegroup_updates::config(account, params),
        "UpdateNodegroupVersion" => nodegroup_updates::version(account, params),
        "CreateAddon" => addons::create(account, params),
        "DescribeAddon" => addons::describe(account, params),
        "ListAddons" => addons::list(account, params),
        "DeleteAddon" => addons::delete(account, params),
        "UpdateAddon" => addon_updates::update(account, params),
        "DescribeAddonVersions" => addon_catalog::describe_versions(account, params),
        "DescribeAddonConfiguration" => addon_schemas::describe(account, params),
        "CreateAccessEntry" => access_entries::create(account, params),
        "DescribeAccessEntry" => access_entries::describe(account, params),
        "ListAccessEntries" => access_entries::list(account, params),
        "UpdateAccessEntry" => access_entries::update(account, params),
        "DeleteAccessEntry" => access_entries::delete(account, params),
        "ListAccessPolicies" => access_policies::list(account, params),
        "AssociateAccessPolicy" => access_policies::associate(account, params),
        "DisassociateAccessPolicy" => access_policies::disassociate(account, params),
        "ListAssociatedAccessPolicies" => access_policies::list_associated(account, params),
        "CreatePodIdentityAssociation" => pod_identity::create(account, params),
        "DescribePodIdentityAssociation" => pod_identity::describe(account, params),
        "ListPodIdentityAssociations" => pod_identity::list(account, params),
        "UpdatePodIdentityAssociation" => pod_identity::update(account, params),
        "DeletePodIdentityAssociation" => pod_identity::delete(account, params),
        "TagResource" => tags::tag(account, params),
        "UntagResource" => tags::untag(account, params),
        "ListTagsForResource" => tags::list(account, params),
        other => {
            Err(ApiError::new(501, "NotImplemented", format!("The rehearsal account's eks has no operation {other}.")))
        }
    }
}
