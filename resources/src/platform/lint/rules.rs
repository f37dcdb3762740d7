//! The rules, as `rayplat lint --rules` and `docs/lint.md` show them.

use super::super::manifest::Severity;

/// One rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Its id, by which a manifest allows it.
    pub id: &'static str,
    /// How bad a finding is.
    pub severity: Severity,
    /// Why it is a rule.
    pub reason: &'static str,
    /// Where that can be read.
    pub source: &'static str,
}

const fn rule(id: &'static str, severity: Severity, reason: &'static str, source: &'static str) -> Rule {
    Rule { id, severity, reason, source }
}

use Severity::{Note, Warning};

pub(super) static ADDON_NEEDED: Rule = rule(
    "addon-needed",
    Warning,
    "Without vpc-cni no node becomes ready, without kube-proxy no Service is reached, without CoreDNS none has a name.",
    "https://docs.aws.amazon.com/eks/latest/userguide/eks-add-ons.html",
);
pub(super) static ALL_SPOT: Rule = rule(
    "all-spot",
    Warning,
    "The Ray head and cluster DNS would lose their node whenever AWS takes Spot capacity back.",
    "https://docs.ray.io/en/latest/cluster/kubernetes/user-guides/kuberay-gcs-ft.html",
);
pub(super) static AMI_ACCELERATOR: Rule = rule(
    "ami-accelerator",
    Warning,
    "An accelerated AMI is larger and slower to start, and its driver finds nothing on such a node.",
    "https://docs.aws.amazon.com/eks/latest/APIReference/API_Nodegroup.html",
);
pub(super) static AUTOSCALER_OFF: Rule = rule(
    "autoscaler-off",
    Warning,
    "A pool whose size may vary stays at its desired size when nothing scales it.",
    "https://github.com/kubernetes/autoscaler/tree/master/cluster-autoscaler/cloudprovider/aws",
);
pub(super) static BUDGET: Rule = rule(
    "budget",
    Warning,
    "The limit held costs in the Terraform module that rayplat succeeds; AWS has no such limit.",
    "the module's variable validations",
);
pub(super) static CIDR_OVERLAP: Rule = rule(
    "cidr-overlap",
    Warning,
    "A network within another one adds nothing, and removing the wider one later opens or closes less than it seems.",
    "https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html",
);
pub(super) static COREDNS_REPLICAS: Rule = rule(
    "coredns-replicas",
    Warning,
    "Ray's names cost several lookups each; one or two CoreDNS pods are overrun when many workers start at once.",
    "https://docs.aws.amazon.com/eks/latest/userguide/coredns-autoscaling.html",
);
pub(super) static DELETION_PROTECTION: Rule = rule(
    "deletion-protection",
    Note,
    "EKS can refuse to delete a production cluster, whoever asks.",
    "https://docs.aws.amazon.com/eks/latest/userguide/deletion-protection.html",
);
pub(super) static EBS_CSI: Rule = rule(
    "ebs-csi",
    Warning,
    "Without the driver every PersistentVolumeClaim on EBS stays Pending; clusters since 1.30 have no default class either.",
    "https://docs.aws.amazon.com/eks/latest/userguide/ebs-csi.html",
);
pub(super) static EXTENDED_SUPPORT: Rule = rule(
    "extended-support",
    Warning,
    "A version in extended support costs six times the price of the control plane.",
    "https://aws.amazon.com/eks/pricing/",
);
pub(super) static GPU_DEVICE_PLUGIN: Rule = rule(
    "gpu-device-plugin",
    Note,
    "The AL2023 NVIDIA AMI has the driver and no device plugin: without the chart GPU pods stay Pending for ever.",
    "https://docs.aws.amazon.com/eks/latest/userguide/ml-eks-k8s-device-plugin.html",
);
pub(super) static GPU_DISK: Rule = rule(
    "gpu-disk",
    Warning,
    "A Ray GPU image is 10 GiB and more when unpacked: a small root volume ends in DiskPressure evictions.",
    "https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/",
);
pub(super) static GPU_TAINT: Rule = rule(
    "gpu-taint",
    Warning,
    "Without a taint ordinary pods are scheduled on GPU nodes and keep them from being scaled down.",
    "https://docs.aws.amazon.com/eks/latest/best-practices/aiml-compute.html",
);
pub(super) static LOGS_UNENCRYPTED: Rule = rule(
    "logs-unencrypted",
    Note,
    "A supplied key's policy may not let CloudWatch Logs use it, so the log group is kept with AWS's own encryption.",
    "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html; terraform-provider-aws#29282",
);
pub(super) static MAX_PODS: Rule = rule(
    "max-pods",
    Warning,
    "Without prefix delegation a node takes as many pods as its interfaces have addresses: 29 on a g4dn.xlarge.",
    "https://docs.aws.amazon.com/eks/latest/userguide/cni-increase-ip-addresses.html; eksctl#4478",
);
pub(super) static MIXED_SHAPES: Rule = rule(
    "mixed-shapes",
    Warning,
    "The cluster autoscaler plans every node of a group as the first type: larger ones are wasted, smaller ones too small.",
    "https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/cloudprovider/aws/README.md",
);
pub(super) static NODE_GROUP_QUOTA: Rule = rule(
    "node-group-quota",
    Warning,
    "A managed node group has 450 nodes at most until the quota is raised.",
    "https://docs.aws.amazon.com/eks/latest/userguide/service-quotas.html",
);
pub(super) static NO_ORDINARY_NODE: Rule = rule(
    "no-ordinary-node",
    Warning,
    "CoreDNS and the other add-ons need a node without taints; with none they stay DEGRADED and no pod resolves a name.",
    "https://docs.aws.amazon.com/eks/latest/userguide/managing-coredns.html",
);
pub(super) static OPEN_ENDPOINT: Rule = rule(
    "open-endpoint",
    Warning,
    "The whole internet reaches the Kubernetes API; only its authentication stands between.",
    "https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html",
);
pub(super) static PRIVATE_ENDPOINT: Rule = rule(
    "private-endpoint",
    Note,
    "Only the VPC reaches the Kubernetes API: kubectl, Helm and CI must run there or come by VPN, peering or a bastion.",
    "https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html",
);
pub(super) static PUBLIC_ONLY_ENDPOINT: Rule = rule(
    "public-only-endpoint",
    Warning,
    "Nodes reach the API through the internet: every subnet needs a way out, and its NAT is in the path of every kubelet.",
    "https://docs.aws.amazon.com/eks/latest/userguide/cluster-endpoint.html",
);
pub(super) static RESERVED_LABEL: Rule = rule(
    "reserved-label",
    Warning,
    "EKS refuses most labels under the reserved prefixes when the node group is made.",
    "https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateNodegroup.html",
);
pub(super) static SPOT_DIVERSITY: Rule = rule(
    "spot-diversity",
    Warning,
    "A Spot pool of few types waits whenever AWS has none of them.",
    "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-best-practices.html",
);
pub(super) static SPOT_FALLBACK: Rule = rule(
    "spot-fallback",
    Warning,
    "GPU Spot capacity is taken back often and for hours: without an On-Demand pool beside it work stands still.",
    "https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/expander/priority/readme.md",
);
pub(super) static SUPPORT_ENDS: Rule = rule(
    "support-ends",
    Warning,
    "When standard support ends EKS upgrades the control plane by itself, at a time of its own.",
    "https://docs.aws.amazon.com/eks/latest/userguide/kubernetes-versions.html",
);
pub(super) static UNKNOWN_INSTANCE_TYPE: Rule = rule(
    "unknown-instance-type",
    Warning,
    "What is not known cannot be checked: architecture, GPU, size and pods.",
    "https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-types.html",
);
pub(super) static UNKNOWN_REGION: Rule = rule(
    "unknown-region",
    Warning,
    "A mistyped region is another place, or none.",
    "https://docs.aws.amazon.com/general/latest/gr/eks.html",
);
pub(super) static VOLUME_GP2: Rule = rule(
    "volume-gp2",
    Warning,
    "gp2 costs a quarter more than gp3, and its speed depends on its size.",
    "https://aws.amazon.com/ebs/pricing/",
);

/// Every rule, by id.
pub static RULES: &[&Rule] = &[
    &ADDON_NEEDED,
    &ALL_SPOT,
    &AMI_ACCELERATOR,
    &AUTOSCALER_OFF,
    &BUDGET,
    &CIDR_OVERLAP,
    &COREDNS_REPLICAS,
    &DELETION_PROTECTION,
    &EBS_CSI,
    &EXTENDED_SUPPORT,
    &GPU_DEVICE_PLUGIN,
    &GPU_DISK,
    &GPU_TAINT,
    &LOGS_UNENCRYPTED,
    &MAX_PODS,
    &MIXED_SHAPES,
    &NO_ORDINARY_NODE,
    &NODE_GROUP_QUOTA,
    &OPEN_ENDPOINT,
    &PRIVATE_ENDPOINT,
    &PUBLIC_ONLY_ENDPOINT,
    &RESERVED_LABEL,
    &SPOT_DIVERSITY,
    &SPOT_FALLBACK,
    &SUPPORT_ENDS,
    &UNKNOWN_INSTANCE_TYPE,
    &UNKNOWN_REGION,
    &VOLUME_GP2,
];
