//! What EKS holds.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::ec2::Tags;
use super::tokens::Tokens;
use super::updates::Update;

/// Where something is in its life. Not every kind knows every status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Being made.
    Creating,
    /// Ready.
    Active,
    /// Ready, and being changed.
    Updating,
    /// Going.
    Deleting,
    /// A cluster that could not be made or deleted.
    Failed,
    /// Could not be made.
    CreateFailed,
    /// An addon that could not be changed.
    UpdateFailed,
    /// Could not be deleted.
    DeleteFailed,
    /// Stands, but does not work.
    Degraded,
}

impl Status {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "CREATING",
            Self::Active => "ACTIVE",
            Self::Updating => "UPDATING",
            Self::Deleting => "DELETING",
            Self::Failed => "FAILED",
            Self::CreateFailed => "CREATE_FAILED",
            Self::UpdateFailed => "UPDATE_FAILED",
            Self::DeleteFailed => "DELETE_FAILED",
            Self::Degraded => "DEGRADED",
        }
    }
}

/// A health issue: why something failed or does not work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Issue {
    /// E.g. `NodeCreationFailure`.
    pub code: String,
    /// In words.
    pub message: String,
    /// What it is about.
    pub resource_ids: Vec<String>,
}

/// A cluster with everything in it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cluster {
    /// Unique in account and region.
    pub name: String,
    /// `arn:aws:eks:REGION:ACCOUNT:cluster/NAME`.
    pub arn: String,
    /// Kubernetes minor version, e.g. `1.35`.
    pub version: String,
    /// The role that the control plane takes.
    pub role_arn: String,
    /// Milliseconds since the epoch.
    pub created_ms: u64,
    /// Life cycle.
    pub status: Status,
    /// When the running phase ends, milliseconds since the epoch.
    pub due_ms: Option<u64>,
    /// The update that runs, and what it changes at its end.
    pub(super) running: Option<Running<ClusterChange>>,
    /// Until then a new update is refused although the status reads ACTIVE.
    pub(super) busy_until_ms: u64,
    /// VPC, subnets, endpoint access.
    pub network: Network,
    /// Control-plane log types that are on.
    pub logging: BTreeSet<String>,
    /// When EKS makes the log group if nobody has.
    pub(super) log_group_due_ms: Option<u64>,
    /// Envelope encryption of secrets.
    pub encryption: Option<Encryption>,
    /// `API`, `API_AND_CONFIG_MAP` or `CONFIG_MAP`.
    pub authentication_mode: String,
    /// Whether the creator was made an administrator.
    pub bootstrap_creator_admin: bool,
    /// Whether EKS installed vpc-cni, kube-proxy and coredns by itself.
    pub self_managed_addons: bool,
    /// Addons whose software was kept when they were deleted.
    pub preserved_addons: BTreeSet<String>,
    /// `STANDARD` or `EXTENDED`.
    pub support_type: String,
    /// Refuses deletion while true.
    pub deletion_protection: bool,
    /// Zonal shift.
    pub zonal_shift: bool,
    /// Told once the control plane stands.
    pub endpoint: Endpoint,
    /// True from the first ACTIVE on.
    pub stands: bool,
    /// Health.
    pub issues: Vec<Issue>,
    /// Tags.
    pub tags: Tags,
    /// The token that the cluster was made with.
    pub client_request_token: Option<String>,
    /// Managed node groups by name.
    pub nodegroups: IndexMap<String, Nodegroup>,
    /// Addons by name.
    pub addons: IndexMap<String, Addon>,
    /// Access entries by principal ARN.
    pub access_entries: IndexMap<String, AccessEntry>,
    /// Pod Identity associations by id.
    pub associations: IndexMap<String, Association>,
    /// The cluster's own updates by id.
    pub updates: IndexMap<String, Update>,
    /// Client tokens of operations in this cluster.
    pub(super) tokens: Tokens,
}

/// A running update.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Running<Change> {
    /// The update's record.
    pub update_id: String,
    /// What it changes when it succeeds.
    pub change: Change,
}

/// What a cluster update changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum ClusterChange {
    Logging(BTreeSet<String>),
    EndpointAccess { public: bool, private: bool, public_cidrs: Vec<String> },
    Vpc { subnet_ids: Vec<String>, security_group_ids: Vec<String> },
    AuthenticationMode(String),
    DeletionProtection(bool),
    SupportType(String),
    ZonalShift(bool),
    Version(String),
    Encryption(Encryption),
}

/// A cluster's network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// That of the subnets.
    pub vpc_id: String,
    /// Where the control plane's interfaces are.
    pub subnet_ids: Vec<String>,
    /// Additional groups on those interfaces.
    pub security_group_ids: Vec<String>,
    /// The group that EKS made for control plane and nodes.
    pub cluster_security_group_id: String,
    /// Reachable from the internet.
    pub endpoint_public: bool,
    /// Reachable from the VPC.
    pub endpoint_private: bool,
    /// From where in the internet.
    pub public_cidrs: Vec<String>,
    /// Addresses of Kubernetes services.
    pub service_cidr: String,
}

/// Envelope encryption.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Encryption {
    /// Always `["secrets"]`.
    pub resources: Vec<String>,
    /// The KMS key.
    pub key_arn: String,
}

/// What is known once a control plane stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// `https://<32 hex upper>.gr7.REGION.eks.amazonaws.com`.
    pub url: String,
    /// `https://oidc.eks.REGION.amazonaws.com/id/<32 hex upper>`.
    pub issuer: String,
    /// The cluster's CA: PEM in base64, as kubeconfigs have it.
    pub certificate_authority: String,
}

/// A managed node group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Nodegroup {
    /// Unique in the cluster.
    pub name: String,
    /// Ends in an id of its own.
    pub arn: String,
    /// Milliseconds since the epoch.
    pub created_ms: u64,
    /// Milliseconds since the epoch.
    pub modified_ms: u64,
    /// Life cycle.
    pub status: Status,
    /// When the running phase ends, milliseconds since the epoch.
    pub due_ms: Option<u64>,
    /// The update that runs.
    pub(super) running: Option<Running<NodegroupChange>>,
    /// Kubernetes version of the nodes.
    pub version: String,
    /// AMI release, e.g. `1.35.0-20261112`.
    pub release_version: String,
    /// `ON_DEMAND`, `SPOT` or `CAPACITY_BLOCK`.
    pub capacity_type: String,
    /// E.g. `AL2023_ARM_64_STANDARD`, or `CUSTOM`.
    pub ami_type: String,
    /// As asked; empty when the launch template has the type.
    pub instance_types: Vec<String>,
    /// What the nodes really are: from the call or the template.
    pub effective_types: Vec<String>,
    /// Sizes.
    pub scaling: Scaling,
    /// Subnets of the nodes.
    pub subnet_ids: Vec<String>,
    /// Role of the nodes.
    pub node_role: String,
    /// GiB, when there is no template.
    pub disk_size: Option<i64>,
    /// Kubernetes labels.
    pub labels: BTreeMap<String, String>,
    /// Kubernetes taints.
    pub taints: Vec<Taint>,
    /// `updateConfig` as answered.
    pub update_config: Value,
    /// `nodeRepairConfig` as answered.
    pub node_repair: Option<Value>,
    /// `warmPoolConfig` as answered; `None` without one.
    #[serde(default)]
    pub warm_pool: Option<Value>,
    /// The template, with the version as a number.
    pub launch_template: Option<Template>,
    /// The Auto Scaling group's name.
    pub auto_scaling_group: String,
    /// What each node's kubelet was told.
    pub max_pods: u32,
    /// Groups on the nodes' interfaces.
    pub security_group_ids: Vec<String>,
    /// Set when the nodes will never join: found out at the end of creation.
    pub(super) doomed: Option<Issue>,
    /// Health.
    pub issues: Vec<Issue>,
    /// Tags.
    pub tags: Tags,
    /// Updates by id.
    pub updates: IndexMap<String, Update>,
}

/// Sizes of a node group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scaling {
    /// Least nodes.
    pub min: i64,
    /// Nodes that run.
    pub desired: i64,
    /// Most nodes.
    pub max: i64,
}

/// A Kubernetes taint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Taint {
    /// Key.
    pub key: String,
    /// Value, which may be missing.
    pub value: Option<String>,
    /// `NO_SCHEDULE`, `NO_EXECUTE` or `PREFER_NO_SCHEDULE`.
    pub effect: String,
}

/// A launch template as a node group has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Template {
    /// `lt-…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The resolved number.
    pub version: u64,
}

/// What a node group update changes: the values that will hold afterwards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum NodegroupChange {
    Config {
        scaling: Scaling,
        labels: BTreeMap<String, String>,
        taints: Vec<Taint>,
        update_config: Value,
        node_repair: Option<Value>,
        #[serde(default)]
        warm_pool: Option<Value>,
    },
    Version {
        version: String,
        release_version: String,
        launch_template: Option<Template>,
        effective_types: Vec<String>,
        security_group_ids: Vec<String>,
        /// Set when the new nodes will never join.
        doomed: Option<Issue>,
        /// Pods that cannot be evicted do not stop it.
        #[serde(default)]
        force: bool,
    },
}

/// An addon.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Addon {
    /// E.g. `vpc-cni`.
    pub name: String,
    /// Ends in an id of its own.
    pub arn: String,
    /// Milliseconds since the epoch.
    pub created_ms: u64,
    /// Milliseconds since the epoch.
    pub modified_ms: u64,
    /// Life cycle.
    pub status: Status,
    /// When the running phase ends, milliseconds since the epoch.
    pub due_ms: Option<u64>,
    /// The update that runs.
    pub(super) running: Option<Running<AddonChange>>,
    /// Set when creation will end in a conflict with what is installed.
    pub(super) doomed: Option<Issue>,
    /// What stands.
    pub settings: AddonSettings,
    /// Health.
    pub issues: Vec<Issue>,
    /// Tags.
    pub tags: Tags,
    /// Updates by id.
    pub updates: IndexMap<String, Update>,
}

/// What of an addon can be changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AddonSettings {
    /// E.g. `v1.21.1-eksbuild.1`.
    pub version: String,
    /// The JSON text as given.
    pub configuration: Option<String>,
    /// Role for the service account (IRSA).
    pub service_account_role_arn: Option<String>,
}

/// What an addon update changes: the values that will hold afterwards.
pub(super) type AddonChange = AddonSettings;

/// Who may do what in a cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AccessEntry {
    /// The IAM user or role.
    pub principal_arn: String,
    /// Ends in an id of its own.
    pub arn: String,
    /// `STANDARD`, `EC2_LINUX`, ...
    pub kind: String,
    /// Kubernetes user name.
    pub username: String,
    /// Kubernetes groups.
    pub groups: Vec<String>,
    /// Milliseconds since the epoch.
    pub created_ms: u64,
    /// Milliseconds since the epoch.
    pub modified_ms: u64,
    /// Made by EKS for the nodes of a managed group.
    pub for_nodes: bool,
    /// Associated policies by ARN.
    pub policies: IndexMap<String, AccessPolicy>,
    /// Tags.
    pub tags: Tags,
}

/// An access policy as an entry has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccessPolicy {
    /// `accessScope` as given.
    pub scope: Value,
    /// Milliseconds since the epoch.
    pub associated_ms: u64,
    /// Milliseconds since the epoch.
    pub modified_ms: u64,
}

/// A Pod Identity association.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Association {
    /// `a-…`.
    pub id: String,
    /// Ends in the id.
    pub arn: String,
    /// Kubernetes namespace.
    pub namespace: String,
    /// Kubernetes service account.
    pub service_account: String,
    /// The role that its pods get.
    pub role_arn: String,
    /// The addon that owns it, if one does.
    pub owner_arn: Option<String>,
    /// No session tags.
    pub disable_session_tags: bool,
    /// A role in another account.
    pub target_role_arn: Option<String>,
    /// Milliseconds since the epoch.
    pub created_ms: u64,
    /// Milliseconds since the epoch.
    pub modified_ms: u64,
    /// Tags.
    pub tags: Tags,
}

impl Cluster {
    /// True when pods get addresses: nodes without a CNI never become ready.
    pub(super) fn has_cni(&self) -> bool {
        self.self_managed_addons
            || self.preserved_addons.contains("vpc-cni")
            || self.addons.get("vpc-cni").is_some_and(|addon| {
                matches!(addon.status, Status::Active | Status::Updating | Status::Degraded | Status::UpdateFailed)
            })
    }

    /// The addons whose software runs although they are none of EKS's (any more).
    pub(in crate::rehearsal) fn preserved_addons(&self) -> impl Iterator<Item = &str> {
        let own: &[&str] = if self.self_managed_addons { &["vpc-cni", "kube-proxy", "coredns"] } else { &[] };
        let all = own.iter().copied().chain(self.preserved_addons.iter().map(String::as_str));
        all.filter(|name| !self.addons.contains_key(*name))
    }

    /// Untainted nodes that run: where coredns and other deployments can be.
    pub(super) fn nodes_for_pods(&self) -> i64 {
        self.nodegroups
            .values()
            .filter(|group| matches!(group.status, Status::Active | Status::Updating | Status::Degraded))
            .filter(|group| group.taints.iter().all(|taint| taint.effect == "PREFER_NO_SCHEDULE"))
            .map(|group| group.scaling.desired)
            .sum()
    }
}
