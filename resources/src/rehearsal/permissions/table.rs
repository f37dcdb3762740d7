//! Which actions AWS checks for an operation, and on which resources. One row an operation.
//!
//! Pages of the Service Authorization Reference: list_amazonelastickubernetesservice,
//! list_awsidentityandaccessmanagementiam, list_amazonec2, list_awskeymanagementservice,
//! list_amazoncloudwatchlogs, list_amazons3, list_amazonec2autoscaling, list_amazonsqs,
//! list_amazoneventbridge, list_awspricelist, list_amazonresourcegrouptaggingapi.

use serde_json::Value;

use super::{
    Need, implied,
    shapes::Shape::{self, *},
};
use crate::rehearsal::Account;

/// An action on resources.
pub(super) struct Act {
    pub action: &'static str,
    pub on: Shape,
    /// Only when this parameter is given.
    pub when: Option<&'static str>,
}

/// What an operation needs.
pub(super) struct Row {
    /// `SERVICE:OPERATION`, by the signing name.
    call: &'static str,
    pub acts: &'static [Act],
    /// What the service does with the caller's permissions.
    pub implied: Option<fn(&Account, &Value) -> Vec<Need>>,
}

pub(super) fn row(service: &str, operation: &str) -> Option<&'static Row> {
    let is = |row: &&Row| row.call.split_once(':') == Some((service, operation));
    ROWS.iter().find(is)
}

const fn act(action: &'static str, on: Shape) -> Act {
    Act { action, on, when: None }
}

const fn when(member: &'static str, action: &'static str, on: Shape) -> Act {
    Act { action, on, when: Some(member) }
}

const fn row_of(call: &'static str, acts: &'static [Act]) -> Row {
    Row { call, acts, implied: None }
}

const fn implying(call: &'static str, acts: &'static [Act], implied: fn(&Account, &Value) -> Vec<Need>) -> Row {
    Row { call, acts, implied: Some(implied) }
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // EKS. Tags given with a creation need eks:TagResource too (EKS user guide, "Tagging your resources").
    implying("eks:CreateCluster", &[act("eks:CreateCluster", Cluster), when("tags", "eks:TagResource", Cluster)], implied::create_cluster),
    row_of("eks:DescribeCluster", &[act("eks:DescribeCluster", Cluster)]),
    row_of("eks:ListClusters", &[act("eks:ListClusters", Any)]),
    row_of("eks:DeleteCluster", &[act("eks:DeleteCluster", Cluster)]),
    row_of("eks:UpdateClusterConfig", &[act("eks:UpdateClusterConfig", Cluster)]),
    row_of("eks:UpdateClusterVersion", &[act("eks:UpdateClusterVersion", Cluster)]),
    implying("eks:AssociateEncryptionConfig", &[act("eks:AssociateEncryptionConfig", Cluster)], implied::secrets_key),
    row_of("eks:DescribeUpdate", &[act("eks:DescribeUpdate", Cluster), when("nodegroupName", "eks:DescribeUpdate", NodeGroup), when("addonName", "eks:DescribeUpdate", Addon)]),
    row_of("eks:ListUpdates", &[act("eks:ListUpdates", Cluster), when("nodegroupName", "eks:ListUpdates", NodeGroup), when("addonName", "eks:ListUpdates", Addon)]),
    implying("eks:CreateNodegroup", &[act("eks:CreateNodegroup", Cluster), when("tags", "eks:TagResource", NodeGroup)], implied::create_node_group),
    row_of("eks:DescribeNodegroup", &[act("eks:DescribeNodegroup", NodeGroup)]),
    row_of("eks:ListNodegroups", &[act("eks:ListNodegroups", Cluster)]),
    row_of("eks:DeleteNodegroup", &[act("eks:DeleteNodegroup", NodeGroup)]),
    row_of("eks:UpdateNodegroupConfig", &[act("eks:UpdateNodegroupConfig", NodeGroup)]),
    implying("eks:UpdateNodegroupVersion", &[act("eks:UpdateNodegroupVersion", NodeGroup)], implied::update_node_group_version),
    implying("eks:CreateAddon", &[act("eks:CreateAddon", Cluster), when("tags", "eks:TagResource", Addon)], implied::addon_roles),
    row_of("eks:DescribeAddon", &[act("eks:DescribeAddon", Addon)]),
    row_of("eks:ListAddons", &[act("eks:ListAddons", Cluster)]),
    implying("eks:UpdateAddon", &[act("eks:UpdateAddon", Addon)], implied::update_addon),
    // The associations that EKS made for it go with it ("eks:DeletePodIdentityAssociation").
    implying("eks:DeleteAddon", &[act("eks:DeleteAddon", Addon)], implied::delete_addon),
    row_of("eks:DescribeAddonVersions", &[act("eks:DescribeAddonVersions", Any)]),
    row_of("eks:DescribeAddonConfiguration", &[act("eks:DescribeAddonConfiguration", Any)]),
    row_of("eks:DescribeClusterVersions", &[act("eks:DescribeClusterVersions", Any)]),
    row_of("eks:CreateAccessEntry", &[act("eks:CreateAccessEntry", Cluster), when("tags", "eks:TagResource", AccessEntry)]),
    row_of("eks:DescribeAccessEntry", &[act("eks:DescribeAccessEntry", AccessEntry)]),
    row_of("eks:ListAccessEntries", &[act("eks:ListAccessEntries", Cluster)]),
    row_of("eks:UpdateAccessEntry", &[act("eks:UpdateAccessEntry", AccessEntry)]),
    row_of("eks:DeleteAccessEntry", &[act("eks:DeleteAccessEntry", AccessEntry)]),
    row_of("eks:AssociateAccessPolicy", &[act("eks:AssociateAccessPolicy", AccessEntry)]),
    row_of("eks:DisassociateAccessPolicy", &[act("eks:DisassociateAccessPolicy", AccessEntry)]),
    row_of("eks:ListAssociatedAccessPolicies", &[act("eks:ListAssociatedAccessPolicies", AccessEntry)]),
    implying("eks:CreatePodIdentityAssociation", &[act("eks:CreatePodIdentityAssociation", Cluster), when("tags", "eks:TagResource", PodIdentity)], implied::pod_identity_role),
    row_of("eks:DescribePodIdentityAssociation", &[act("eks:DescribePodIdentityAssociation", PodIdentity)]),
    row_of("eks:ListPodIdentityAssociations", &[act("eks:ListPodIdentityAssociations", Cluster)]),
    implying("eks:UpdatePodIdentityAssociation", &[act("eks:UpdatePodIdentityAssociation", PodIdentity)], implied::pod_identity_role),
    row_of("eks:DeletePodIdentityAssociation", &[act("eks:DeletePodIdentityAssociation", PodIdentity)]),
    row_of("eks:TagResource", &[act("eks:TagResource", Param("resourceArn"))]),
    row_of("eks:UntagResource", &[act("eks:UntagResource", Param("resourceArn"))]),
    row_of("eks:ListTagsForResource", &[act("eks:ListTagsForResource", Param("resourceArn"))]),
    // IAM. Tags given with a creation need the action that tags (IAM user guide, "Tagging IAM resources").
    row_of("iam:CreateRole", &[act("iam:CreateRole", Role), when("Tags", "iam:TagRole", Role)]),
    row_of("iam:GetRole", &[act("iam:GetRole", Role)]),
    row_of("iam:ListRoles", &[act("iam:ListRoles", Any)]),
    row_of("iam:DeleteRole", &[act("iam:DeleteRole", Role)]),
    row_of("iam:UpdateRole", &[act("iam:UpdateRole", Role)]),
    row_of("iam:UpdateAssumeRolePolicy", &[act("iam:UpdateAssumeRolePolicy", Role)]),
    row_of("iam:TagRole", &[act("iam:TagRole", Role)]),
    row_of("iam:UntagRole", &[act("iam:UntagRole", Role)]),
    row_of("iam:ListRoleTags", &[act("iam:ListRoleTags", Role)]),
    row_of("iam:ListInstanceProfilesForRole", &[act("iam:ListInstanceProfilesForRole", Role)]),
    row_of("iam:CreateServiceLinkedRole", &[act("iam:CreateServiceLinkedRole", Any)]),
    row_of("iam:PutRolePolicy", &[act("iam:PutRolePolicy", Role)]),
    row_of("iam:GetRolePolicy", &[act("iam:GetRolePolicy", Role)]),
    row_of("iam:DeleteRolePolicy", &[act("iam:DeleteRolePolicy", Role)]),
    row_of("iam:ListRolePolicies", &[act("iam:ListRolePolicies", Role)]),
    row_of("iam:AttachRolePolicy", &[act("iam:AttachRolePolicy", Role)]),
    row_of("iam:DetachRolePolicy", &[act("iam:DetachRolePolicy", Role)]),
    row_of("iam:ListAttachedRolePolicies", &[act("iam:ListAttachedRolePolicies", Role)]),
    row_of("iam:CreatePolicy", &[act("iam:CreatePolicy", NewPolicy), when("Tags", "iam:TagPolicy", NewPolicy)]),
    row_of("iam:GetPolicy", &[act("iam:GetPolicy", Param("PolicyArn"))]),
    row_of("iam:ListPolicies", &[act("iam:ListPolicies", Any)]),
    row_of("iam:DeletePolicy", &[act("iam:DeletePolicy", Param("PolicyArn"))]),
    row_of("iam:ListEntitiesForPolicy", &[act("iam:ListEntitiesForPolicy", Param("PolicyArn"))]),
    row_of("iam:CreatePolicyVersion", &[act("iam:CreatePolicyVersion", Param("PolicyArn"))]),
    row_of("iam:GetPolicyVersion", &[act("iam:GetPolicyVersion", Param("PolicyArn"))]),
    row_of("iam:ListPolicyVersions", &[act("iam:ListPolicyVersions", Param("PolicyArn"))]),
    row_of("iam:DeletePolicyVersion", &[act("iam:DeletePolicyVersion", Param("PolicyArn"))]),
    row_of("iam:SetDefaultPolicyVersion", &[act("iam:SetDefaultPolicyVersion", Param("PolicyArn"))]),
    row_of("iam:TagPolicy", &[act("iam:TagPolicy", Param("PolicyArn"))]),
    row_of("iam:UntagPolicy", &[act("iam:UntagPolicy", Param("PolicyArn"))]),
    row_of("iam:ListPolicyTags", &[act("iam:ListPolicyTags", Param("PolicyArn"))]),
    row_of("iam:CreateOpenIDConnectProvider", &[act("iam:CreateOpenIDConnectProvider", NewIssuer), when("Tags", "iam:TagOpenIDConnectProvider", NewIssuer)]),
    row_of("iam:GetOpenIDConnectProvider", &[act("iam:GetOpenIDConnectProvider", Param("OpenIDConnectProviderArn"))]),
    row_of("iam:ListOpenIDConnectProviders", &[act("iam:ListOpenIDConnectProviders", Any)]),
    row_of("iam:DeleteOpenIDConnectProvider", &[act("iam:DeleteOpenIDConnectProvider", Param("OpenIDConnectProviderArn"))]),
    row_of("iam:UpdateOpenIDConnectProviderThumbprint", &[act("iam:UpdateOpenIDConnectProviderThumbprint", Param("OpenIDConnectProviderArn"))]),
    row_of("iam:AddClientIDToOpenIDConnectProvider", &[act("iam:AddClientIDToOpenIDConnectProvider", Param("OpenIDConnectProviderArn"))]),
    row_of("iam:RemoveClientIDFromOpenIDConnectProvider", &[act("iam:RemoveClientIDFromOpenIDConnectProvider", Param("OpenIDConnectProviderArn"))]),
    row_of("iam:TagOpenIDConnectProvider", &[act("iam:TagOpenIDConnectProvider", Param("OpenIDConnectProviderArn"))]),
    row_of("iam:UntagOpenIDConnectProvider", &[act("iam:UntagOpenIDConnectProvider", Param("OpenIDConnectProviderArn"))]),
    row_of("iam:ListOpenIDConnectProviderTags", &[act("iam:ListOpenIDConnectProviderTags", Param("OpenIDConnectProviderArn"))]),
    // "No permissions are required to perform this operation" (STS API reference).
    row_of("sts:GetCallerIdentity", &[]),
    // KMS. Tags given with a creation need kms:TagResource (CreateKey, API reference); an alias
    // needs both its own permission and its key's (KMS guide, "Controlling access to aliases").
    row_of("kms:CreateKey", &[act("kms:CreateKey", Any), when("Tags", "kms:TagResource", Key("KeyId"))]),
    row_of("kms:DescribeKey", &[act("kms:DescribeKey", Key("KeyId"))]),
    row_of("kms:ListKeys", &[act("kms:ListKeys", Any)]),
    row_of("kms:ListAliases", &[act("kms:ListAliases", Any)]),
    row_of("kms:ListResourceTags", &[act("kms:ListResourceTags", Key("KeyId"))]),
    row_of("kms:TagResource", &[act("kms:TagResource", Key("KeyId"))]),
    row_of("kms:UntagResource", &[act("kms:UntagResource", Key("KeyId"))]),
    row_of("kms:GetKeyPolicy", &[act("kms:GetKeyPolicy", Key("KeyId"))]),
    row_of("kms:PutKeyPolicy", &[act("kms:PutKeyPolicy", Key("KeyId"))]),
    row_of("kms:GetKeyRotationStatus", &[act("kms:GetKeyRotationStatus", Key("KeyId"))]),
    row_of("kms:EnableKeyRotation", &[act("kms:EnableKeyRotation", Key("KeyId"))]),
    row_of("kms:DisableKeyRotation", &[act("kms:DisableKeyRotation", Key("KeyId"))]),
    row_of("kms:UpdateKeyDescription", &[act("kms:UpdateKeyDescription", Key("KeyId"))]),
    row_of("kms:ScheduleKeyDeletion", &[act("kms:ScheduleKeyDeletion", Key("KeyId"))]),
    row_of("kms:CancelKeyDeletion", &[act("kms:CancelKeyDeletion", Key("KeyId"))]),
    row_of("kms:EnableKey", &[act("kms:EnableKey", Key("KeyId"))]),
    row_of("kms:CreateAlias", &[act("kms:CreateAlias", Alias), act("kms:CreateAlias", Key("TargetKeyId"))]),
    row_of("kms:UpdateAlias", &[act("kms:UpdateAlias", Alias), act("kms:UpdateAlias", Key("TargetKeyId"))]),
    row_of("kms:DeleteAlias", &[act("kms:DeleteAlias", Alias), act("kms:DeleteAlias", AliasKey)]),
    // CloudWatch Logs. DescribeLogGroups is checked on all groups, whatever the prefix.
    row_of("logs:CreateLogGroup", &[act("logs:CreateLogGroup", LogGroup), when("tags", "logs:TagResource", LogGroup)]),
    row_of("logs:DescribeLogGroups", &[act("logs:DescribeLogGroups", LogGroups)]),
    row_of("logs:DeleteLogGroup", &[act("logs:DeleteLogGroup", LogGroup)]),
    row_of("logs:PutRetentionPolicy", &[act("logs:PutRetentionPolicy", LogGroup)]),
    row_of("logs:DeleteRetentionPolicy", &[act("logs:DeleteRetentionPolicy", LogGroup)]),
    row_of("logs:AssociateKmsKey", &[act("logs:AssociateKmsKey", LogGroup)]),
    row_of("logs:DisassociateKmsKey", &[act("logs:DisassociateKmsKey", LogGroup)]),
    row_of("logs:TagResource", &[act("logs:TagResource", Param("resourceArn"))]),
    row_of("logs:UntagResource", &[act("logs:UntagResource", Param("resourceArn"))]),
    row_of("logs:ListTagsForResource", &[act("logs:ListTagsForResource", Param("resourceArn"))]),
    // EC2. No Describe action knows resources. Tags given with a creation need ec2:CreateTags
    // with ec2:CreateAction (EC2 user guide, "Grant permission to tag resources during creation").
    row_of("ec2:DescribeVpcs", &[act("ec2:DescribeVpcs", Any)]),
    row_of("ec2:DescribeVpcAttribute", &[act("ec2:DescribeVpcAttribute", Ec2("vpc", "VpcId"))]),
    row_of("ec2:DescribeSubnets", &[act("ec2:DescribeSubnets", Any)]),
    row_of("ec2:DescribeAvailabilityZones", &[act("ec2:DescribeAvailabilityZones", Any)]),
    row_of("ec2:DescribeInstanceTypes", &[act("ec2:DescribeInstanceTypes", Any)]),
    row_of("ec2:DescribeInstanceTypeOfferings", &[act("ec2:DescribeInstanceTypeOfferings", Any)]),
    row_of("ec2:DescribeImages", &[act("ec2:DescribeImages", Any)]),
    row_of("ec2:DescribeTags", &[act("ec2:DescribeTags", Any)]),
    row_of("ec2:DescribeNetworkInterfaces", &[act("ec2:DescribeNetworkInterfaces", Any)]),
    row_of("ec2:DeleteNetworkInterface", &[act("ec2:DeleteNetworkInterface", Standing("network-interface", "NetworkInterfaceId"))]),
    row_of("ec2:DescribeSecurityGroups", &[act("ec2:DescribeSecurityGroups", Any)]),
    row_of("ec2:DescribeSecurityGroupRules", &[act("ec2:DescribeSecurityGroupRules", Any)]),
    row_of("ec2:DescribeLaunchTemplates", &[act("ec2:DescribeLaunchTemplates", Any)]),
    row_of("ec2:DescribeLaunchTemplateVersions", &[act("ec2:DescribeLaunchTemplateVersions", Any)]),
    row_of("ec2:CreateSecurityGroup", &[act("ec2:CreateSecurityGroup", New("security-group")), act("ec2:CreateSecurityGroup", Ec2("vpc", "VpcId")), when("TagSpecification", "ec2:CreateTags", New("security-group"))]),
    row_of("ec2:DeleteSecurityGroup", &[act("ec2:DeleteSecurityGroup", Ec2("security-group", "GroupId"))]),
    row_of("ec2:AuthorizeSecurityGroupIngress", &[act("ec2:AuthorizeSecurityGroupIngress", Ec2("security-group", "GroupId")), when("TagSpecification", "ec2:AuthorizeSecurityGroupIngress", New("security-group-rule")), when("TagSpecification", "ec2:CreateTags", New("security-group-rule"))]),
    row_of("ec2:AuthorizeSecurityGroupEgress", &[act("ec2:AuthorizeSecurityGroupEgress", Ec2("security-group", "GroupId")), when("TagSpecification", "ec2:AuthorizeSecurityGroupEgress", New("security-group-rule")), when("TagSpecification", "ec2:CreateTags", New("security-group-rule"))]),
    row_of("ec2:RevokeSecurityGroupIngress", &[act("ec2:RevokeSecurityGroupIngress", Ec2("security-group", "GroupId"))]),
    row_of("ec2:RevokeSecurityGroupEgress", &[act("ec2:RevokeSecurityGroupEgress", Ec2("security-group", "GroupId"))]),
    row_of("ec2:ModifySecurityGroupRules", &[act("ec2:ModifySecurityGroupRules", Ec2("security-group", "GroupId"))]),
    row_of("ec2:CreateLaunchTemplate", &[act("ec2:CreateLaunchTemplate", New("launch-template")), when("TagSpecification", "ec2:CreateTags", New("launch-template"))]),
    row_of("ec2:CreateLaunchTemplateVersion", &[act("ec2:CreateLaunchTemplateVersion", Ec2("launch-template", "LaunchTemplateId"))]),
    row_of("ec2:ModifyLaunchTemplate", &[act("ec2:ModifyLaunchTemplate", Ec2("launch-template", "LaunchTemplateId"))]),
    row_of("ec2:DeleteLaunchTemplateVersions", &[act("ec2:DeleteLaunchTemplateVersions", Ec2("launch-template", "LaunchTemplateId"))]),
    row_of("ec2:DeleteLaunchTemplate", &[act("ec2:DeleteLaunchTemplate", Ec2("launch-template", "LaunchTemplateId"))]),
    row_of("ec2:CreateTags", &[act("ec2:CreateTags", Tagged)]),
    row_of("ec2:DeleteTags", &[act("ec2:DeleteTags", Tagged)]),
    // The network. Private names of an interface endpoint are a hosted zone of its VPC.
    row_of("ec2:DescribeAddresses", &[act("ec2:DescribeAddresses", Any)]),
    row_of("ec2:DescribeInternetGateways", &[act("ec2:DescribeInternetGateways", Any)]),
    row_of("ec2:DescribeNatGateways", &[act("ec2:DescribeNatGateways", Any)]),
    row_of("ec2:DescribeRouteTables", &[act("ec2:DescribeRouteTables", Any)]),
    row_of("ec2:DescribeVpcEndpoints", &[act("ec2:DescribeVpcEndpoints", Any)]),
    row_of("ec2:DescribeVpcEndpointServices", &[act("ec2:DescribeVpcEndpointServices", Any)]),
    row_of("ec2:DescribePrefixLists", &[act("ec2:DescribePrefixLists", Any)]),
    row_of("ec2:CreateVpc", &[act("ec2:CreateVpc", New("vpc")), when("TagSpecification", "ec2:CreateTags", New("vpc"))]),
    row_of("ec2:DeleteVpc", &[act("ec2:DeleteVpc", Ec2("vpc", "VpcId"))]),
    row_of("ec2:ModifyVpcAttribute", &[act("ec2:ModifyVpcAttribute", Ec2("vpc", "VpcId"))]),
    row_of("ec2:CreateSubnet", &[act("ec2:CreateSubnet", New("subnet")), act("ec2:CreateSubnet", Ec2("vpc", "VpcId")), when("TagSpecification", "ec2:CreateTags", New("subnet"))]),
    row_of("ec2:DeleteSubnet", &[act("ec2:DeleteSubnet", Ec2("subnet", "SubnetId"))]),
    row_of("ec2:ModifySubnetAttribute", &[act("ec2:ModifySubnetAttribute", Ec2("subnet", "SubnetId"))]),
    row_of("ec2:CreateInternetGateway", &[act("ec2:CreateInternetGateway", New("internet-gateway")), when("TagSpecification", "ec2:CreateTags", New("internet-gateway"))]),
    row_of("ec2:AttachInternetGateway", &[act("ec2:AttachInternetGateway", Ec2("internet-gateway", "InternetGatewayId")), act("ec2:AttachInternetGateway", Ec2("vpc", "VpcId"))]),
    row_of("ec2:DetachInternetGateway", &[act("ec2:DetachInternetGateway", Ec2("internet-gateway", "InternetGatewayId")), act("ec2:DetachInternetGateway", Ec2("vpc", "VpcId"))]),
    row_of("ec2:DeleteInternetGateway", &[act("ec2:DeleteInternetGateway", Ec2("internet-gateway", "InternetGatewayId"))]),
    row_of("ec2:AllocateAddress", &[act("ec2:AllocateAddress", New("elastic-ip")), when("TagSpecification", "ec2:CreateTags", New("elastic-ip"))]),
    row_of("ec2:ReleaseAddress", &[act("ec2:ReleaseAddress", Ec2("elastic-ip", "AllocationId"))]),
    row_of("ec2:CreateNatGateway", &[act("ec2:CreateNatGateway", New("natgateway")), act("ec2:CreateNatGateway", Ec2("subnet", "SubnetId")), act("ec2:CreateNatGateway", Ec2("elastic-ip", "AllocationId")), when("TagSpecification", "ec2:CreateTags", New("natgateway"))]),
    row_of("ec2:DeleteNatGateway", &[act("ec2:DeleteNatGateway", Ec2("natgateway", "NatGatewayId"))]),
    row_of("ec2:CreateRouteTable", &[act("ec2:CreateRouteTable", New("route-table")), act("ec2:CreateRouteTable", Ec2("vpc", "VpcId")), when("TagSpecification", "ec2:CreateTags", New("route-table"))]),
    row_of("ec2:DeleteRouteTable", &[act("ec2:DeleteRouteTable", Ec2("route-table", "RouteTableId"))]),
    row_of("ec2:CreateRoute", &[act("ec2:CreateRoute", Ec2("route-table", "RouteTableId"))]),
    row_of("ec2:ReplaceRoute", &[act("ec2:ReplaceRoute", Ec2("route-table", "RouteTableId"))]),
    row_of("ec2:DeleteRoute", &[act("ec2:DeleteRoute", Ec2("route-table", "RouteTableId"))]),
    row_of("ec2:ReplaceRouteTableAssociation", &[act("ec2:ReplaceRouteTableAssociation", Ec2("route-table", "RouteTableId"))]),
    row_of("ec2:AssociateRouteTable", &[act("ec2:AssociateRouteTable", Ec2("route-table", "RouteTableId")), act("ec2:AssociateRouteTable", Ec2("subnet", "SubnetId"))]),
    row_of("ec2:DisassociateRouteTable", &[act("ec2:DisassociateRouteTable", New("route-table")), act("ec2:DisassociateRouteTable", New("subnet"))]),
    row_of("ec2:CreateVpcEndpoint", &[act("ec2:CreateVpcEndpoint", New("vpc-endpoint")), act("ec2:CreateVpcEndpoint", Ec2("vpc", "VpcId")), act("ec2:CreateVpcEndpoint", Each("route-table", "RouteTableId")), act("ec2:CreateVpcEndpoint", Each("subnet", "SubnetId")), act("ec2:CreateVpcEndpoint", Each("security-group", "SecurityGroupId")), when("TagSpecification", "ec2:CreateTags", New("vpc-endpoint")), when("PrivateDnsEnabled", "route53:AssociateVPCWithHostedZone", HostedZone)]),
    row_of("ec2:ModifyVpcEndpoint", &[act("ec2:ModifyVpcEndpoint", Ec2("vpc-endpoint", "VpcEndpointId")), act("ec2:ModifyVpcEndpoint", Each("route-table", "AddRouteTableId")), act("ec2:ModifyVpcEndpoint", Each("route-table", "RemoveRouteTableId")), act("ec2:ModifyVpcEndpoint", Each("subnet", "AddSubnetId")), act("ec2:ModifyVpcEndpoint", Each("subnet", "RemoveSubnetId")), act("ec2:ModifyVpcEndpoint", Each("security-group", "AddSecurityGroupId")), act("ec2:ModifyVpcEndpoint", Each("security-group", "RemoveSecurityGroupId"))]),
    row_of("ec2:DeleteVpcEndpoints", &[act("ec2:DeleteVpcEndpoints", Each("vpc-endpoint", "VpcEndpointId"))]),
    // Auto Scaling: tags of the groups that EKS makes.
    row_of("autoscaling:DescribeAutoScalingGroups", &[act("autoscaling:DescribeAutoScalingGroups", Any)]),
    row_of("autoscaling:DescribeTags", &[act("autoscaling:DescribeTags", Any)]),
    row_of("autoscaling:CreateOrUpdateTags", &[act("autoscaling:CreateOrUpdateTags", Groups)]),
    row_of("autoscaling:DeleteTags", &[act("autoscaling:DeleteTags", Groups)]),
    // SQS and EventBridge.
    row_of("sqs:CreateQueue", &[act("sqs:CreateQueue", Queue), when("tags", "sqs:TagQueue", Queue)]),
    row_of("sqs:DeleteQueue", &[act("sqs:DeleteQueue", Queue)]),
    row_of("sqs:GetQueueUrl", &[act("sqs:GetQueueUrl", Queue)]),
    row_of("sqs:GetQueueAttributes", &[act("sqs:GetQueueAttributes", Queue)]),
    row_of("sqs:SetQueueAttributes", &[act("sqs:SetQueueAttributes", Queue)]),
    row_of("sqs:TagQueue", &[act("sqs:TagQueue", Queue)]),
    row_of("sqs:UntagQueue", &[act("sqs:UntagQueue", Queue)]),
    row_of("sqs:ListQueueTags", &[act("sqs:ListQueueTags", Queue)]),
    row_of("sqs:ListQueues", &[act("sqs:ListQueues", Queue)]),
    row_of("events:PutRule", &[act("events:PutRule", Rule("Name")), when("Tags", "events:TagResource", Rule("Name"))]),
    row_of("events:DescribeRule", &[act("events:DescribeRule", Rule("Name"))]),
    row_of("events:DeleteRule", &[act("events:DeleteRule", Rule("Name"))]),
    row_of("events:EnableRule", &[act("events:EnableRule", Rule("Name"))]),
    row_of("events:DisableRule", &[act("events:DisableRule", Rule("Name"))]),
    row_of("events:PutTargets", &[act("events:PutTargets", Rule("Rule"))]),
    row_of("events:RemoveTargets", &[act("events:RemoveTargets", Rule("Rule"))]),
    row_of("events:ListRules", &[act("events:ListRules", Any)]),
    row_of("events:ListTargetsByRule", &[act("events:ListTargetsByRule", Rule("Rule"))]),
    row_of("events:TagResource", &[act("events:TagResource", Param("ResourceARN"))]),
    row_of("events:UntagResource", &[act("events:UntagResource", Param("ResourceARN"))]),
    row_of("events:ListTagsForResource", &[act("events:ListTagsForResource", Param("ResourceARN"))]),
    // What carries which tags, for a state that was lost.
    row_of("tagging:GetResources", &[act("tag:GetResources", Any)]),
    // S3. Its actions have other names than its operations (S3 user guide, "Required permissions for
    // Amazon S3 API operations").
    row_of("s3:CreateBucket", &[act("s3:CreateBucket", Bucket), when("ObjectOwnership", "s3:PutBucketOwnershipControls", Bucket)]),
    row_of("s3:HeadBucket", &[act("s3:ListBucket", Bucket)]),
    row_of("s3:DeleteBucket", &[act("s3:DeleteBucket", Bucket)]),
    row_of("s3:ListBuckets", &[act("s3:ListAllMyBuckets", Any)]),
    row_of("s3:GetBucketEncryption", &[act("s3:GetEncryptionConfiguration", Bucket)]),
    row_of("s3:PutBucketEncryption", &[act("s3:PutEncryptionConfiguration", Bucket)]),
    row_of("s3:DeleteBucketEncryption", &[act("s3:PutEncryptionConfiguration", Bucket)]),
    row_of("s3:GetBucketLifecycleConfiguration", &[act("s3:GetLifecycleConfiguration", Bucket)]),
    row_of("s3:PutBucketLifecycleConfiguration", &[act("s3:PutLifecycleConfiguration", Bucket)]),
    row_of("s3:DeleteBucketLifecycle", &[act("s3:PutLifecycleConfiguration", Bucket)]),
    row_of("s3:GetBucketOwnershipControls", &[act("s3:GetBucketOwnershipControls", Bucket)]),
    row_of("s3:PutBucketOwnershipControls", &[act("s3:PutBucketOwnershipControls", Bucket)]),
    row_of("s3:DeleteBucketOwnershipControls", &[act("s3:PutBucketOwnershipControls", Bucket)]),
    row_of("s3:GetBucketPolicy", &[act("s3:GetBucketPolicy", Bucket)]),
    row_of("s3:PutBucketPolicy", &[act("s3:PutBucketPolicy", Bucket)]),
    row_of("s3:DeleteBucketPolicy", &[act("s3:DeleteBucketPolicy", Bucket)]),
    row_of("s3:GetBucketTagging", &[act("s3:GetBucketTagging", Bucket)]),
    row_of("s3:PutBucketTagging", &[act("s3:PutBucketTagging", Bucket)]),
    row_of("s3:DeleteBucketTagging", &[act("s3:PutBucketTagging", Bucket)]),
    row_of("s3:GetBucketVersioning", &[act("s3:GetBucketVersioning", Bucket)]),
    row_of("s3:PutBucketVersioning", &[act("s3:PutBucketVersioning", Bucket)]),
    row_of("s3:GetPublicAccessBlock", &[act("s3:GetBucketPublicAccessBlock", Bucket)]),
    row_of("s3:PutPublicAccessBlock", &[act("s3:PutBucketPublicAccessBlock", Bucket)]),
    row_of("s3:DeletePublicAccessBlock", &[act("s3:PutBucketPublicAccessBlock", Bucket)]),
    row_of("s3:ListObjectVersions", &[act("s3:ListBucketVersions", Bucket)]),
    row_of("s3:ListObjectsV2", &[act("s3:ListBucket", Bucket)]),
    row_of("s3:GetObject", &[act("s3:GetObject", Objects)]),
    row_of("s3:PutObject", &[act("s3:PutObject", Objects)]),
    row_of("s3:DeleteObject", &[act("s3:DeleteObject", Objects)]),
    row_of("s3:DeleteObjects", &[act("s3:DeleteObject", Objects), act("s3:DeleteObjectVersion", Objects)]),
    // Prices.
    row_of("pricing:GetProducts", &[act("pricing:GetProducts", Any)]),
];

/// Every operation of the table, as `SERVICE:OPERATION`.
#[cfg(test)]
pub(super) fn calls() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.call)
}
