//! What a person writes: the manifest, key by key.
//!
//! The doc comments are the descriptions of the published JSON Schema. A key
//! whose default depends on other keys is an `Option` here;
//! [`Manifest::resolve`] fills it in.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::formats::{self, Format};
pub use super::network::{CreateNetwork, EndpointService, NatGateways, Network, Zones};
pub use super::pool_extras::{
    CapacityReservation, Identity, NodeRepair, RepairAction, RepairOverride, WarmPool, WarmState,
};
use super::pool_extras::{cidr, image_id, pool_subnet_ids};
pub use super::pool_update::{PoolUpdate, UpdateStrategy};
pub use super::ray::{FaultTolerance, Kubernetes, Ray, RayHead, RayJob, RayWorkers};
pub use super::services::{Autoscaler, Backup, Monitoring, TerminationHandler, TerminationMode};

/// A Ray platform on Amazon EKS, as `rayplat` provisions it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "rayplat manifest")]
pub struct Manifest {
    /// The cluster's name, and the beginning of the names of all that belongs to it.
    #[schemars(schema_with = "name")]
    pub name: String,
    /// The AWS region, for example us-east-1.
    #[schemars(schema_with = "region")]
    pub region: String,
    /// What the platform is for.
    #[serde(default)]
    pub environment: Environment,
    /// AWS tags for every resource that can carry tags.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// The network that the platform runs in.
    pub network: Network,
    /// The EKS control plane.
    #[serde(default)]
    pub cluster: Cluster,
    /// The groups of worker nodes, by name. Without this key there is a pool `cpu` and a pool
    /// `gpu`; with it there are only the pools that it names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "node_pools")]
    pub node_pools: Option<BTreeMap<String, NodePool>>,
    /// The EKS addons.
    #[serde(default)]
    pub addons: Addons,
    /// The cluster autoscaler.
    #[serde(default)]
    pub autoscaler: Autoscaler,
    /// The node termination handler.
    #[serde(default)]
    pub termination_handler: TerminationHandler,
    /// Backups.
    #[serde(default)]
    pub backup: Backup,
    /// What stands in the cluster.
    #[serde(default)]
    pub kubernetes: Kubernetes,
    /// The Ray cluster.
    #[serde(default)]
    pub ray: Ray,
    /// Dashboards and monitors.
    #[serde(default)]
    pub monitoring: Monitoring,
    /// The lint.
    #[serde(default)]
    pub lint: Lint,
    /// Policies in Rego: files, and folders of `.rego` files, relative to the manifest. Their
    /// rules `deny` and `warn` see the plan as `terraform show -json` has it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "policies")]
    pub policies: Vec<String>,
    /// The built-in policies.
    #[serde(default)]
    pub policy: Policy,
}

/// What the lint is to leave alone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Lint {
    /// Rules that this platform breaks on purpose: the rule's id, and why. `rayplat lint --rules` lists them.
    pub allow: BTreeMap<String, String>,
}

/// The built-in policies: encrypted-root-volume, expensive-gpu, imdsv2-required, node-budget,
/// private-endpoint-kept, spot-gpu-fallback.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Those that do not hold here, by name, each with the reason.
    pub allow: BTreeMap<String, String>,
}

/// What a platform is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// People depend on it.
    #[default]
    Production,
    /// A rehearsal of production.
    Staging,
    /// For development.
    Dev,
}

/// The EKS control plane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// The Kubernetes minor version, in quotes: "1.35".
    #[schemars(schema_with = "kubernetes_version")]
    pub kubernetes_version: String,
    /// What happens when the version's standard support ends.
    pub support: Support,
    /// From where the Kubernetes API can be reached.
    pub endpoint: Endpoint,
    /// The KMS key that encrypts Kubernetes secrets and the control plane's logs. Without it the
    /// platform makes a key of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kms_key_arn")]
    pub secrets_key_arn: Option<String>,
    /// The control plane's logs.
    pub logs: Logs,
    /// The cluster's OpenID Connect provider.
    pub oidc: Oidc,
    /// IAM roles and users that administer the cluster, besides the one that creates it.
    #[schemars(schema_with = "admins")]
    pub admins: Vec<String>,
    /// Whether EKS refuses to delete the cluster.
    pub deletion_protection: bool,
    /// Whether Amazon Application Recovery Controller may shift traffic away from a zone in trouble.
    pub zonal_shift: bool,
    /// The addresses of Kubernetes Services, a private IPv4 block of /12 to /24 apart from the
    /// VPC's. Default: EKS chooses. It cannot be changed afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "cidr")]
    pub service_cidr: Option<String>,
    /// Who says who may enter: access entries, the ConfigMap aws-auth, or both. It can be
    /// changed in this direction only: config_map, api_and_config_map, api.
    pub authentication_mode: AuthenticationMode,
    /// Whether Kubernetes secrets are encrypted with a key of KMS. Once on it cannot be taken
    /// off.
    pub secrets_encryption: bool,
    /// The policies of the control plane's role: names of AWS-managed policies, or ARNs.
    #[schemars(schema_with = "role_policies")]
    pub role_policies: Vec<String>,
    /// The policies of the nodes' role: names of AWS-managed policies, or ARNs.
    #[schemars(schema_with = "role_policies")]
    pub node_role_policies: Vec<String>,
}

/// Who says who may enter a cluster.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthenticationMode {
    /// Access entries.
    #[default]
    Api,
    /// Access entries and the ConfigMap aws-auth.
    ApiAndConfigMap,
    /// The ConfigMap aws-auth, which rayplat does not write.
    ConfigMap,
}

/// What happens when a Kubernetes version's standard support ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Support {
    /// EKS upgrades the cluster to the next version. $0.10 an hour.
    #[default]
    Standard,
    /// The version stays for another year, for $0.60 an hour.
    Extended,
}

/// From where the Kubernetes API can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Endpoint {
    /// From the internet.
    pub public: bool,
    /// From the VPC.
    pub private: bool,
    /// The networks that may use the public endpoint, as CIDR blocks. Empty: the whole internet.
    #[schemars(length(max = 40))]
    pub public_cidrs: Vec<String>,
    /// Whether a private endpoint answers the machine that runs rayplat: by a VPN, peering, Direct
    /// Connect. Default: only a machine inside the VPC is taken to reach it.
    pub routed: bool,
}

/// The control plane's logs, in CloudWatch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Logs {
    /// Whether there are any.
    pub enabled: bool,
    /// How long CloudWatch keeps them.
    #[schemars(schema_with = "retention_days")]
    pub retention_days: u32,
    /// Which ones.
    #[schemars(schema_with = "log_types")]
    pub types: Vec<LogType>,
}

/// A log of the control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum LogType {
    /// The API server's.
    #[serde(rename = "api")]
    Api,
    /// Who did what.
    #[serde(rename = "audit")]
    Audit,
    /// The IAM authenticator's.
    #[serde(rename = "authenticator")]
    Authenticator,
    /// The controller manager's.
    #[serde(rename = "controllerManager")]
    ControllerManager,
    /// The scheduler's.
    #[serde(rename = "scheduler")]
    Scheduler,
}

/// The cluster's OpenID Connect provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Oidc {
    /// Whether the platform owns the list of thumbprints. AWS fills the list in by itself and
    /// does not look at it for EKS, so that the default is to leave it alone.
    pub manage_thumbprint: bool,
}

/// A group of like worker nodes. Defaults depend on the pool's name and instance types.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NodePool {
    /// The EC2 instance types, of one architecture and one shape. Default: `[m6g.xlarge]` for
    /// the pool `cpu`, `[g4dn.xlarge]` for the pool `gpu`; every other pool names its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "instance_types")]
    pub instance_types: Option<Vec<String>>,
    /// How the nodes are bought. Default: spot for the pool `gpu`, on_demand for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// The fewest nodes. Default: 2 for the pool `cpu`, 0 for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100_000))]
    pub min: Option<u32>,
    /// How many nodes to begin with; the autoscaler owns the number afterwards. Default: 3 for
    /// the pool `cpu`, else `min`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100_000))]
    pub desired: Option<u32>,
    /// The most nodes. Default: 5 for GPU pools, 10 for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max: Option<u32>,
    /// The EKS AMI type. Default: Amazon Linux 2023 for the instance types' architecture and GPU.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ami: Option<AmiType>,
    /// The release of the AMI, to pin it or to roll the nodes to a newer one: 1.35.3-20261112.
    /// Default: the newest when the nodes get a Kubernetes version, and that one until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 60))]
    pub ami_release: Option<String>,
    /// How nodes are replaced.
    pub update: PoolUpdate,
    /// The root volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk: Option<Disk>,
    /// Kubernetes labels of the nodes.
    pub labels: BTreeMap<String, String>,
    /// Kubernetes taints of the nodes. Default: nvidia.com/gpu=true:NoSchedule for GPU pools.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 50))]
    pub taints: Option<Vec<Taint>>,
    /// The On-Demand pool that stands in when Spot has no capacity. Only with `capacity: spot`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
    /// An AMI of your own, in place of the newest one of the AMI type; `ami` says what it is built
    /// on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "image_id")]
    pub image_id: Option<String>,
    /// Those of the network's subnets that the nodes run in. Default: all of them. Reserved
    /// capacity and EFA need one zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "pool_subnet_ids")]
    pub subnet_ids: Option<Vec<String>>,
    /// The most pods of a node. Default: what EKS computes for the instance type.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 4, max = 250))]
    pub max_pods: Option<u32>,
    /// Reserved capacity that the nodes are launched into. With `capacity: capacity_block` the
    /// Capacity Block, with `on_demand` Capacity Reservations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity_reservation: Option<CapacityReservation>,
    /// Whether nodes have an Elastic Fabric Adapter on every network card.
    pub efa: bool,
    /// A warm pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm_pool: Option<WarmPool>,
    /// Automatic repair of unhealthy nodes. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_repair: Option<NodeRepair>,
}

/// How nodes are bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Capacity {
    /// At the list price, until given back.
    OnDemand,
    /// Spare capacity at a lower price, which AWS can take back within two minutes.
    Spot,
    /// A Capacity Block for ML: GPU instances reserved for a time and paid for in advance.
    CapacityBlock,
}

/// The EKS AMI types that rayplat provisions (EKS API, `AMITypes`). Amazon
/// Linux 2 is not among them: its support ended on 2025-11-26.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum AmiType {
    #[serde(rename = "AL2023_x86_64_STANDARD")]
    Al2023X86Standard,
    #[serde(rename = "AL2023_ARM_64_STANDARD")]
    Al2023ArmStandard,
    #[serde(rename = "AL2023_x86_64_NVIDIA")]
    Al2023X86Nvidia,
    #[serde(rename = "AL2023_ARM_64_NVIDIA")]
    Al2023ArmNvidia,
    #[serde(rename = "AL2023_x86_64_NEURON")]
    Al2023X86Neuron,
    #[serde(rename = "BOTTLEROCKET_x86_64")]
    BottlerocketX86,
    #[serde(rename = "BOTTLEROCKET_ARM_64")]
    BottlerocketArm,
    #[serde(rename = "BOTTLEROCKET_x86_64_FIPS")]
    BottlerocketX86Fips,
    #[serde(rename = "BOTTLEROCKET_ARM_64_FIPS")]
    BottlerocketArmFips,
    #[serde(rename = "BOTTLEROCKET_x86_64_NVIDIA")]
    BottlerocketX86Nvidia,
    #[serde(rename = "BOTTLEROCKET_ARM_64_NVIDIA")]
    BottlerocketArmNvidia,
}

/// The root volume of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Disk {
    /// Its size in GiB. Default: 200 for GPU pools, whose images are large, 100 for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 20, max = 16_384))]
    pub size_gb: Option<u32>,
    /// Its EBS volume type. Default: gp3.
    #[serde(skip_serializing_if = "Option::is_none", rename = "type")]
    pub volume_type: Option<VolumeType>,
}

/// An EBS volume type that a node's root volume may have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VolumeType {
    /// General purpose, its performance independent of its size.
    #[default]
    Gp3,
    /// The generation before gp3, dearer and slower.
    Gp2,
}

/// A Kubernetes taint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Taint {
    /// The key, for example nvidia.com/gpu.
    pub key: String,
    /// The value.
    #[serde(default)]
    pub value: String,
    /// What happens to a pod that does not tolerate it.
    pub effect: TaintEffect,
}

/// What happens to a pod that does not tolerate a taint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// It is not scheduled here.
    NoSchedule,
    /// It is scheduled here only if no other node fits.
    PreferNoSchedule,
    /// It is not scheduled here, and evicted if it runs here.
    NoExecute,
}

/// The On-Demand pool that stands in when Spot has no capacity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Fallback {
    /// Whether there is one. Default: true.
    pub enabled: bool,
    /// The EC2 instance types. Default: the first type of the pool.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "instance_types")]
    pub instance_types: Option<Vec<String>>,
    /// The fewest nodes. Default: 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100_000))]
    pub min: Option<u32>,
    /// How many nodes to begin with. Default: `min`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 100_000))]
    pub desired: Option<u32>,
    /// The most nodes. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub max: Option<u32>,
}

/// The EKS addons. All but metrics-server are there by default.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Addons {
    /// Pod networking, with prefix delegation. Runs before the first node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_cni: Option<Addon>,
    /// Service networking. Runs before the first node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kube_proxy: Option<Addon>,
    /// Gives pods the credentials of IAM roles. Runs before the first node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eks_pod_identity_agent: Option<Addon>,
    /// Cluster DNS, at least four replicas that follow the cluster's size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coredns: Option<Addon>,
    /// EBS volumes for pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_ebs_csi_driver: Option<Addon>,
    /// CPU and memory figures for `kubectl top` and horizontal autoscaling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_server: Option<Addon>,
}

/// An EKS addon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Addon {
    /// Whether it is installed. Default: true.
    pub enabled: bool,
    /// Its version. Default: the one that EKS recommends for the cluster's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "addon_version")]
    pub version: Option<String>,
    /// Its configuration, merged over rayplat's defaults; `aws eks describe-addon-configuration`
    /// shows what an addon takes.
    pub configuration: Map<String, Value>,
    /// How it gets the credentials of its IAM role; only vpc-cni and aws-ebs-csi-driver have one.
    /// Default: pod_identity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Whether vpc-cni and aws-ebs-csi-driver get an IAM role of their own. Without, they use the
    /// nodes' role, which must have their policy. Default: true.
    pub own_role: bool,
}

/// CloudWatch's periods (PutRetentionPolicy, API reference), in days.
pub const RETENTION_DAYS: [u32; 22] =
    [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

/// The longest name of a platform: role, launch template and node group names
/// are made of it, and an IAM role's name ends at 64 characters.
pub const MAX_NAME: usize = 40;

pub(super) fn string(format: &Format) -> Schema {
    json_schema!({
        "type": "string",
        "pattern": format.pattern,
        "patternErrorMessage": format!("must be {}, for example {}", format.expected, format.example),
    })
}

fn name(_: &mut SchemaGenerator) -> Schema {
    let mut schema = string(&formats::NAME);
    schema.insert("minLength".to_owned(), 1.into());
    schema.insert("maxLength".to_owned(), MAX_NAME.into());
    schema
}

fn region(_: &mut SchemaGenerator) -> Schema {
    string(&formats::REGION)
}

pub(super) fn vpc_id(_: &mut SchemaGenerator) -> Schema {
    string(&formats::VPC_ID)
}

pub(super) fn subnet_ids(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": string(&formats::SUBNET_ID),
        "minItems": 2,
        "uniqueItems": true,
    })
}

fn kubernetes_version(_: &mut SchemaGenerator) -> Schema {
    string(&formats::KUBERNETES_VERSION)
}

fn kms_key_arn(_: &mut SchemaGenerator) -> Schema {
    string(&formats::KMS_KEY_ARN)
}

fn role_policies(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": string(&formats::POLICY),
        "minItems": 1,
        "uniqueItems": true,
    })
}

pub(super) fn policy_arn(_: &mut SchemaGenerator) -> Schema {
    string(&formats::POLICY_ARN)
}

fn addon_version(_: &mut SchemaGenerator) -> Schema {
    string(&formats::ADDON_VERSION)
}

fn admins(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": string(&formats::PRINCIPAL_ARN),
        "uniqueItems": true,
    })
}

fn instance_types(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": string(&formats::INSTANCE_TYPE),
        "minItems": 1,
        // CreateNodegroup takes at most 20 (API reference).
        "maxItems": 20,
        "uniqueItems": true,
    })
}

fn retention_days(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "enum": RETENTION_DAYS })
}

fn log_types(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": generator.subschema_for::<LogType>(),
        "minItems": 1,
        "uniqueItems": true,
    })
}

fn policies(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": { "type": "string", "minLength": 1 },
        "uniqueItems": true,
    })
}

fn node_pools(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "propertyNames": string(&formats::POOL_NAME),
        "additionalProperties": generator.subschema_for::<NodePool>(),
        "minProperties": 1,
    })
}
