//! The SDK's own clients, parsers and waiters against the account.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_sdk_ec2::types::{
    Filter, IpPermission, LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest,
    LaunchTemplateInstanceMetadataOptionsRequest, RequestLaunchTemplateData, ResourceType, Tag, TagSpecification,
    UserIdGroupPair,
};
use aws_sdk_eks::client::Waiters;
use aws_sdk_eks::error::ProvideErrorMetadata;
use aws_sdk_eks::types::{
    AmiTypes, AuthenticationMode, CreateAccessConfigRequest, LaunchTemplateSpecification, NodegroupScalingConfig,
    UpdateLabelsPayload, UpdateStatus, VpcConfigRequest,
};

use super::super::super::Rehearsal;
use super::*;

/// The account of a rig behind the SDK's clients.
struct Clients {
    rehearsal: Rehearsal,
    ec2: aws_sdk_ec2::Client,
    eks: aws_sdk_eks::Client,
}

fn clients() -> Clients {
    let seed = Seed { account_id: "111122223333".to_owned(), region: "us-east-1".to_owned(), seed: 7 };
    let rehearsal = Rehearsal::in_memory(&seed, START_MS);
    rehearsal.with_account(|account| *account = Rig::new().account);
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::for_tests()))
        .http_client(rehearsal.http_client())
        .time_source(rehearsal.time_source())
        .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(aws_smithy_async::rt::sleep::TokioSleep::new()))
        .build();
    Clients { ec2: aws_sdk_ec2::Client::new(&config), eks: aws_sdk_eks::Client::new(&config), rehearsal }
}

impl Clients {
    async fn cluster(&self) {
        let network = VpcConfigRequest::builder().subnet_ids("subnet-1").subnet_ids("subnet-2").build();
        let access = CreateAccessConfigRequest::builder()
            .authentication_mode(AuthenticationMode::Api)
            .bootstrap_cluster_creator_admin_permissions(false)
            .build();
        self.eks
            .create_cluster()
            .name("ray")
            .role_arn("arn:aws:iam::111122223333:role/cluster")
            .resources_vpc_config(network)
            .access_config(access)
            .send()
            .await
            .unwrap();
        let waiter = self.eks.wait_until_cluster_active().name("ray");
        waiter.wait(Duration::from_secs(1200)).await.unwrap();
    }

    async fn template(&self, group: &str) -> String {
        let disk = LaunchTemplateEbsBlockDeviceRequest::builder().volume_size(100).encrypted(true).build();
        let disk = LaunchTemplateBlockDeviceMappingRequest::builder().device_name("/dev/xvda").ebs(disk).build();
        let metadata = LaunchTemplateInstanceMetadataOptionsRequest::builder().http_put_response_hop_limit(1).build();
        let data = RequestLaunchTemplateData::builder()
            .block_device_mappings(disk)
            .metadata_options(metadata)
            .security_group_ids(group)
            .build();
        let made =
            self.ec2.create_launch_template().launch_template_name("nodes").launch_template_data(data).send().await;
        made.unwrap().launch_template().unwrap().launch_template_id().unwrap().to_owned()
    }

    async fn group(&self) -> String {
        let tags = TagSpecification::builder()
            .resource_type(ResourceType::SecurityGroup)
            .tags(Tag::builder().key("stack").value("ray & co").build())
            .build();
        let made = self
            .ec2
            .create_security_group()
            .group_name("nodes")
            .description("nodes")
            .vpc_id("vpc-1")
            .tag_specifications(tags)
            .send()
            .await
            .unwrap();
        made.group_id().unwrap().to_owned()
    }
}

#[tokio::test(start_paused = true)]
async fn security_groups_and_templates_come_back_as_they_were_sent() {
    let clients = clients();
    let group = clients.group().await;
    let peer = UserIdGroupPair::builder().group_id(&group).description("members").build();
    let permission =
        IpPermission::builder().ip_protocol("tcp").from_port(0).to_port(65535).user_id_group_pairs(peer).build();
    let rules = clients.ec2.authorize_security_group_ingress().group_id(&group).ip_permissions(permission.clone());
    let rules = rules.send().await.unwrap();
    let rule = &rules.security_group_rules()[0];
    assert_eq!((rule.from_port(), rule.to_port(), rule.is_egress()), (Some(0), Some(65535), Some(false)));
    assert_eq!(rule.referenced_group_info().unwrap().group_id(), Some(group.as_str()));
    let again = clients.ec2.authorize_security_group_ingress().group_id(&group).ip_permissions(permission);
    assert_eq!(again.send().await.unwrap_err().code(), Some("InvalidPermission.Duplicate"));

    let filter = Filter::builder().name("tag:stack").values("ray & co").build();
    let found = clients.ec2.describe_security_groups().filters(filter).send().await.unwrap();
    let found = &found.security_groups()[0];
    assert_eq!(found.group_id(), Some(group.as_str()));
    assert_eq!(found.ip_permissions()[0].user_id_group_pairs()[0].description(), Some("members"));
    assert_eq!(found.tags()[0].value(), Some("ray & co"));

    let template = clients.template(&group).await;
    let versions =
        clients.ec2.describe_launch_template_versions().launch_template_id(&template).versions("$Latest").send().await;
    let versions = versions.unwrap();
    let version = &versions.launch_template_versions()[0];
    assert_eq!((version.version_number(), version.default_version()), (Some(1), Some(true)));
    let data = version.launch_template_data().unwrap();
    assert_eq!(data.security_group_ids(), [group]);
    assert_eq!(data.block_device_mappings()[0].ebs().unwrap().volume_size(), Some(100));
    assert_eq!(data.metadata_options().unwrap().http_put_response_hop_limit(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn the_sdk_waiters_see_a_cluster_and_its_nodes_come_and_go() {
    let clients = clients();
    clients.cluster().await;
    let cluster = clients.eks.describe_cluster().name("ray").send().await.unwrap();
    let cluster = cluster.cluster().unwrap();
    assert!(cluster.identity().unwrap().oidc().unwrap().issuer().unwrap().starts_with("https://"));
    assert!(cluster.certificate_authority().unwrap().data().is_some());
    let group = clients.group().await;
    let template = LaunchTemplateSpecification::builder().id(clients.template(&group).await).build();
    let scaling = NodegroupScalingConfig::builder().min_size(1).desired_size(2).max_size(3).build();
    let nodes = clients.eks.create_nodegroup().cluster_name("ray").nodegroup_name("cpu");
    let nodes = nodes.node_role("arn:aws:iam::111122223333:role/node").subnets("subnet-1").subnets("subnet-2");
    let nodes = nodes.ami_type(AmiTypes::Al2023Arm64Standard).instance_types("m6g.xlarge");
    nodes.launch_template(template).scaling_config(scaling).send().await.unwrap();
    let waiter = clients.eks.wait_until_nodegroup_active().cluster_name("ray").nodegroup_name("cpu");
    waiter.wait(Duration::from_secs(600)).await.unwrap();

    let error = clients.eks.delete_cluster().name("ray").send().await.unwrap_err();
    let error = error.into_service_error();
    assert!(error.is_resource_in_use_exception(), "{error:?}");
    assert_eq!(error.message(), Some("Cluster has nodegroups attached"));
    let error = clients.ec2.delete_security_group().group_id(&group).send().await.unwrap_err();
    assert_eq!(error.code(), Some("DependencyViolation"));

    clients.eks.delete_nodegroup().cluster_name("ray").nodegroup_name("cpu").send().await.unwrap();
    let waiter = clients.eks.wait_until_nodegroup_deleted().cluster_name("ray").nodegroup_name("cpu");
    waiter.wait(Duration::from_secs(900)).await.unwrap();
    clients.ec2.delete_security_group().group_id(&group).send().await.unwrap();
    clients.eks.delete_cluster().name("ray").send().await.unwrap();
    let waiter = clients.eks.wait_until_cluster_deleted().name("ray");
    waiter.wait(Duration::from_secs(600)).await.unwrap();
    let clusters = clients.rehearsal.with_account(|account| account.eks.clusters.len());
    assert_eq!(clusters, 0);
}

#[tokio::test(start_paused = true)]
async fn updates_and_addons_are_what_the_sdk_expects() {
    let clients = clients();
    clients.cluster().await;
    let addon = clients.eks.create_addon().cluster_name("ray").addon_name("kube-proxy").send().await.unwrap();
    assert_eq!(addon.addon().unwrap().addon_version(), Some("v1.35.0-eksbuild.2"));
    let waiter = clients.eks.wait_until_addon_active().cluster_name("ray").addon_name("kube-proxy");
    waiter.wait(Duration::from_secs(120)).await.unwrap();
    let update = clients.eks.update_cluster_config().name("ray").deletion_protection(true).send().await.unwrap();
    let id = update.update().unwrap().id().unwrap().to_owned();
    tokio::time::sleep(Duration::from_secs(60)).await;
    let update = clients.eks.describe_update().name("ray").update_id(id).send().await.unwrap();
    assert_eq!(update.update().unwrap().status(), Some(&UpdateStatus::Successful));
    let labels = UpdateLabelsPayload::builder().add_or_update_labels("a", "b").build();
    let missing = clients.eks.update_nodegroup_config().cluster_name("ray").nodegroup_name("none").labels(labels);
    let error = missing.send().await.unwrap_err().into_service_error();
    assert!(error.is_resource_not_found_exception(), "{error:?}");
    let versions = clients.eks.describe_addon_versions().addon_name("vpc-cni").kubernetes_version("1.35").send().await;
    assert!(versions.unwrap().addons()[0].addon_versions().len() > 1);
    let arn = "arn:aws:eks:us-east-1:111122223333:cluster/ray";
    clients.eks.tag_resource().resource_arn(arn).tags("a", "b").send().await.unwrap();
    clients.eks.untag_resource().resource_arn(arn).tag_keys("a").send().await.unwrap();
    let tags = clients.eks.list_tags_for_resource().resource_arn(arn).send().await.unwrap();
    assert!(tags.tags().unwrap().is_empty());
}
