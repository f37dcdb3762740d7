//! AWS's own managed policies: those that EKS platforms use, by path and name
//! (AWS managed policy reference). Only that they exist matters here, not their text.

use super::super::Account;

const NAMES: &[&str] = &[
    "AWSXRayDaemonWriteAccess",
    "AdministratorAccess",
    "AmazonEC2ContainerRegistryFullAccess",
    "AmazonEC2ContainerRegistryPowerUser",
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonEC2ContainerRegistryReadOnly",
    "AmazonEC2FullAccess",
    "AmazonEC2ReadOnlyAccess",
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSClusterPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSFargatePodExecutionRolePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSLocalOutpostClusterPolicy",
    "AmazonEKSNetworkingPolicy",
    "AmazonEKSServicePolicy",
    "AmazonEKSVPCResourceController",
    "AmazonEKSWorkerNodeMinimalPolicy",
    "AmazonEKSWorkerNodePolicy",
    "AmazonEKS_CNI_Policy",
    "AmazonS3FullAccess",
    "AmazonS3ReadOnlyAccess",
    "AmazonSSMManagedInstanceCore",
    "AutoScalingFullAccess",
    "CloudWatchAgentServerPolicy",
    "CloudWatchLogsFullAccess",
    "CloudWatchReadOnlyAccess",
    "PowerUserAccess",
    "ReadOnlyAccess",
    "aws-service-role/AWSServiceRoleForAmazonEKSNodegroup",
    "aws-service-role/AmazonEKSServiceRolePolicy",
    "aws-service-role/AutoScalingServiceRolePolicy",
    "job-function/ViewOnlyAccess",
    "service-role/AmazonEBSCSIDriverPolicy",
    "service-role/AmazonEBSCSIDriverPolicyV2",
    "service-role/AmazonEFSCSIDriverPolicy",
    "service-role/AmazonS3FilesCSIDriverPolicy",
];

/// Path and name of the managed policy that an ARN names, if it exists.
pub fn of_arn<'a>(account: &Account, arn: &'a str) -> Option<&'a str> {
    let name = arn.strip_prefix(&format!("arn:{}:iam::aws:policy/", account.partition()))?;
    NAMES.contains(&name).then_some(name)
}

/// May only AWS attach this policy?
pub fn is_service_linked(account: &Account, arn: &str) -> bool {
    of_arn(account, arn).is_some_and(|name| name.starts_with("aws-service-role/"))
}

/// The ARNs of all.
pub fn arns(account: &Account) -> impl Iterator<Item = String> {
    let partition = account.partition();
    NAMES.iter().map(move |name| format!("arn:{partition}:iam::aws:policy/{name}"))
}
