//! rayplat's kinds against moto, an emulator written by others, for what it has.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use rayplat_engine::{
    apply::Interrupt,
    context::SystemClock,
    event::{Event, Events},
    input::Input,
    ops::{Engine, Options},
    plan::render::render,
    provider::Registry,
    retry::RetryPolicy,
    stack::Stack,
    value::Expr,
};
use rayplat_integration_tests::{failures, moto::Moto, python};
use rayplat_resources::aws::{
    self, Clients, PolicyArn, SubnetId, Tags, VpcId,
    autoscaling_group_tags::{GroupTags, GroupTagsArgs},
    ec2_eip::{Eip, EipArgs},
    ec2_internet_gateway::{InternetGateway, InternetGatewayArgs},
    ec2_nat_gateway::{NatGateway, NatGatewayArgs},
    ec2_route::{Route, RouteArgs},
    ec2_route_table::{RouteTable, RouteTableArgs},
    ec2_route_table_association::{RouteTableAssociation, RouteTableAssociationArgs},
    ec2_security_group::{SecurityGroup, SecurityGroupArgs},
    ec2_security_group_rule::{SecurityGroupRule, SecurityGroupRuleArgs, Source},
    ec2_subnet::{Subnet, SubnetArgs},
    ec2_vpc::{Vpc, VpcArgs},
    ec2_vpc_endpoint::{VpcEndpoint, VpcEndpointArgs},
    eks_cluster::{Cluster, ClusterArgs, EndpointAccess},
    eks_node_group::{NodeGroup, NodeGroupArgs, Scaling},
    events_rule::{Rule, RuleArgs},
    iam_oidc_provider::{OidcProvider, OidcProviderArgs},
    iam_policy::{Policy, PolicyArgs},
    iam_role::{Role, RoleArgs},
    iam_role_policy::{RolePolicy, RolePolicyArgs},
    iam_role_policy_attachment::{RolePolicyAttachment, RolePolicyAttachmentArgs},
    kms_alias::{Alias, AliasArgs},
    kms_key::{Key, KeyArgs},
    launch_template::{Disk, LaunchTemplate, LaunchTemplateArgs, Metadata},
    log_group::{LogGroup, LogGroupArgs},
    sqs_queue::{Queue, QueueArgs},
};
use rayplat_state::MemoryStore;
use serde_json::json;

/// What moto 5.2.5 can do of what rayplat uses, kind by kind.
const TABLE: [(&str, Result<(), &str>); 30] = [
    ("aws:iam:Role", Ok(())),
    ("aws:iam:Policy", Ok(())),
    ("aws:iam:RolePolicy", Ok(())),
    ("aws:iam:RolePolicyAttachment", Ok(())),
    ("aws:iam:OpenIdConnectProvider", Ok(())),
    ("aws:kms:Key", Ok(())),
    ("aws:kms:Alias", Ok(())),
    ("aws:logs:LogGroup", Ok(())),
    ("aws:ec2:SecurityGroup", Ok(())),
    ("aws:ec2:SecurityGroupRule", Ok(())),
    ("aws:ec2:LaunchTemplate", Ok(())),
    ("aws:autoscaling:GroupTags", Ok(())),
    ("aws:sqs:Queue", Ok(())),
    ("aws:events:Rule", Ok(())),
    ("aws:ec2:Vpc", Ok(())),
    ("aws:ec2:Subnet", Ok(())),
    ("aws:ec2:InternetGateway", Ok(())),
    ("aws:ec2:Eip", Ok(())),
    ("aws:ec2:NatGateway", Ok(())),
    ("aws:ec2:RouteTable", Ok(())),
    ("aws:ec2:Route", Ok(())),
    ("aws:ec2:RouteTableAssociation", Ok(())),
    ("aws:ec2:VpcEndpoint", Ok(())),
    ("aws:eks:Cluster", Ok(())),
    ("aws:eks:NodeGroup", Ok(())),
    ("aws:eks:Addon", Err("moto has no add-ons: HTML 404")),
    ("aws:eks:AccessEntry", Err("moto has no access entries: HTML 404")),
    ("aws:s3:Bucket", Err("moto ignores the tags of CreateBucket: whose the bucket is cannot be told")),
    ("aws:eks:PodIdentityAssociation", Err("moto has no associations: HTML 404")),
    ("updates of clusters and node groups", Err("moto has no update records: HTML 404")),
];

fn trust(service: &str) -> serde_json::Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}],
    })
}

/// One of each kind that moto has.
fn stack(vpc: &str, subnets: &[String], description: &str) -> Stack {
    let mut stack = Stack::new("on-moto");
    let role = |stack: &mut Stack, name: &str, service: &str| {
        let args = RoleArgs {
            name_prefix: name.into(),
            trust_policy: trust(service).into(),
            description: description.into(),
            ..RoleArgs::default()
        };
        stack.add::<Role>(name, args).unwrap()
    };
    let cluster_role = role(&mut stack, "cluster", "eks.amazonaws.com");
    let node_role = role(&mut stack, "node", "ec2.amazonaws.com");
    let policy = PolicyArn::from("arn:aws:iam::aws:policy/AmazonEKSClusterPolicy");
    let args = RolePolicyAttachmentArgs { role: cluster_role.out.name().into(), policy_arn: policy.into() };
    stack.add::<RolePolicyAttachment>("cluster", args).unwrap();
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
    });
    let args = RolePolicyArgs { role: node_role.out.name().into(), name: "inline".into(), document: document.into() };
    stack.add::<RolePolicy>("node", args).unwrap();
    own_policy(&mut stack, &node_role, description);
    let key_policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*",
        }],
    });
    let args = KeyArgs {
        description: description.into(),
        policy: key_policy.into(),
        rotation: true.into(),
        deletion_window_days: 7.into(),
        ..KeyArgs::default()
    };
    let key = stack.add::<Key>("key", args).unwrap();
    let args = AliasArgs { name: "alias/on-moto".into(), target_key_id: key.out.key_id().into() };
    stack.add::<Alias>("key", args).unwrap();
    let args = LogGroupArgs {
        name: "/aws/eks/on-moto/cluster".into(),
        retention_days: Some(7).into(),
        kms_key_arn: key.out.arn().into(),
        ..LogGroupArgs::default()
    };
    stack.add::<LogGroup>("logs", args).unwrap();
    let args = SecurityGroupArgs {
        name_prefix: "node".into(),
        description: "nodes".into(),
        vpc_id: VpcId::from(vpc).into(),
        ..SecurityGroupArgs::default()
    };
    let group = stack.add::<SecurityGroup>("node", args).unwrap();
    let args = SecurityGroupRuleArgs {
        group_id: group.out.id().into(),
        protocol: "-1".into(),
        source: Source::Cidr("10.0.0.0/8".into()).into(),
        description: "inside".into(),
        ..SecurityGroupRuleArgs::default()
    };
    stack.add::<SecurityGroupRule>("inside", args).unwrap();
    let tags = Tags::from([("k8s.io/cluster-autoscaler/node-template/label/on".to_owned(), description.to_owned())]);
    let args = GroupTagsArgs { group: GROUP.into(), tags: tags.into() };
    stack.add::<GroupTags>("group", args).unwrap();
    queue_and_rule(&mut stack, description);
    cluster_and_nodes(&mut stack, subnets, &cluster_role, &node_role);
    own_network(&mut stack);
    stack
}

/// The description stands in the document, so that it makes a second version.
fn own_policy(stack: &mut Stack, role: &rayplat_engine::stack::Added<Role>, description: &str) {
    let document = json!({
        "Version": "2012-10-17",
        "Statement": [{"Sid": description, "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}],
    });
    let args = PolicyArgs {
        name_prefix: "own".into(),
        path: "/on-moto/".into(),
        description: "own".into(),
        document: document.into(),
        ..PolicyArgs::default()
    };
    let policy = stack.add::<Policy>("own", args).unwrap();
    let args = RolePolicyAttachmentArgs { role: role.out.name().into(), policy_arn: policy.out.arn().into() };
    stack.add::<RolePolicyAttachment>("own", args).unwrap();
}

fn own_network(stack: &mut Stack) {
    let args = VpcArgs {
        cidr: "10.9.0.0/16".into(),
        dns_support: true.into(),
        dns_hostnames: true.into(),
        ..VpcArgs::default()
    };
    let vpc = stack.add::<Vpc>("main", args).unwrap();
    let args = SubnetArgs {
        vpc_id: vpc.out.id().into(),
        cidr: "10.9.0.0/24".into(),
        availability_zone: "us-east-1a".into(),
        map_public_ip: true.into(),
        ..SubnetArgs::default()
    };
    let subnet = stack.add::<Subnet>("public", args).unwrap();
    let args = InternetGatewayArgs { vpc_id: vpc.out.id().into(), ..InternetGatewayArgs::default() };
    let gateway = stack.add::<InternetGateway>("main", args).unwrap();
    let address = stack.add::<Eip>("nat", EipArgs::default()).unwrap();
    let args = NatGatewayArgs {
        subnet_id: subnet.out.id().into(),
        allocation_id: address.out.allocation_id().into(),
        ..NatGatewayArgs::default()
    };
    let nat = stack.add::<NatGateway>("nat", args).unwrap();
    stack.after(&nat.urn, &gateway.urn).unwrap();
    let args = RouteTableArgs { vpc_id: vpc.out.id().into(), ..RouteTableArgs::default() };
    let table = stack.add::<RouteTable>("public", args).unwrap();
    let args = RouteArgs {
        route_table_id: table.out.id().into(),
        destination: "0.0.0.0/0".into(),
        gateway_id: gateway.out.id().into(),
        ..RouteArgs::default()
    };
    stack.add::<Route>("public", args).unwrap();
    let args = RouteTableAssociationArgs { subnet_id: subnet.out.id().into(), route_table_id: table.out.id().into() };
    stack.add::<RouteTableAssociation>("public", args).unwrap();
    let args = VpcEndpointArgs {
        vpc_id: vpc.out.id().into(),
        service_name: "com.amazonaws.us-east-1.s3".into(),
        route_table_ids: vec![table.out.id()].into(),
        ..VpcEndpointArgs::default()
    };
    stack.add::<VpcEndpoint>("s3", args).unwrap();
}

fn cluster_and_nodes(
    stack: &mut Stack,
    subnets: &[String],
    cluster_role: &rayplat_engine::stack::Added<Role>,
    node_role: &rayplat_engine::stack::Added<Role>,
) {
    let subnets: Vec<SubnetId> = subnets.iter().map(|id| id.as_str().into()).collect();
    let args = LaunchTemplateArgs {
        name_prefix: "cpu".into(),
        disk: Disk {
            device_name: "/dev/xvda".into(),
            size_gb: 100,
            volume_type: "gp3".into(),
            encrypted: true,
            ..Disk::default()
        }
        .into(),
        metadata: Metadata { http_tokens: "required".into(), hop_limit: 1 }.into(),
        ..LaunchTemplateArgs::default()
    };
    let template = stack.add::<LaunchTemplate>("cpu", args).unwrap();
    let args = ClusterArgs {
        name: "on-moto".into(),
        role_arn: cluster_role.out.arn().into(),
        kubernetes_version: "1.35".into(),
        support: "STANDARD".into(),
        subnet_ids: subnets.clone().into(),
        endpoint: EndpointAccess { public: false, private: true, public_cidrs: vec![] }.into(),
        authentication_mode: "API".into(),
        ..ClusterArgs::default()
    };
    let cluster = stack.add::<Cluster>("main", args).unwrap();
    let args = OidcProviderArgs {
        url: cluster.out.issuer().into(),
        client_ids: vec!["sts.amazonaws.com".to_owned()].into(),
        thumbprints: Some(vec!["a".repeat(40)]).into(),
        ..OidcProviderArgs::default()
    };
    stack.add::<OidcProvider>("main", args).unwrap();
    let args = NodeGroupArgs {
        cluster: cluster.out.name().into(),
        name_prefix: "cpu".into(),
        role_arn: node_role.out.arn().into(),
        subnet_ids: subnets.into(),
        instance_types: vec!["m6g.xlarge".to_owned()].into(),
        capacity: "ON_DEMAND".into(),
        ami_type: "AL2023_ARM_64_STANDARD".into(),
        scaling: Scaling { min: 1, desired: 1, max: 2 }.into(),
        template_id: template.out.id().into(),
        template_version: template.out.latest_version().into(),
        max_unavailable_percentage: 33.into(),
        ..NodeGroupArgs::default()
    };
    stack.add::<NodeGroup>("cpu", args).unwrap();
}

fn queue_and_rule(stack: &mut Stack, description: &str) {
    let statement = json!({
        "Sid": description, "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
    });
    let args = QueueArgs {
        name_prefix: "on-moto".into(),
        policy: Some(json!({"Version": "2012-10-17", "Statement": [statement]})).into(),
        retention_seconds: 300.into(),
        ..QueueArgs::default()
    };
    let queue = stack.add::<Queue>("events", args).unwrap();
    let target = (Expr::Value("queue".into()), queue.out.arn().expr());
    let args = RuleArgs {
        name_prefix: "on-moto".into(),
        description: description.into(),
        pattern: json!({"source": ["aws.ec2"]}).into(),
        targets: Input::expr(Expr::Object(vec![target])),
        ..RuleArgs::default()
    };
    stack.add::<Rule>("events", args).unwrap();
}

/// An Auto Scaling group that somebody else made: moto has none behind its node groups.
const GROUP: &str = "on-moto-group";

async fn auto_scaling_group(clients: &Clients, subnet: &str) {
    let configuration = clients.autoscaling.create_launch_configuration().launch_configuration_name(GROUP);
    configuration.image_id("ami-12c6146b").instance_type("t3.micro").send().await.unwrap();
    let group = clients.autoscaling.create_auto_scaling_group().auto_scaling_group_name(GROUP);
    let group = group.launch_configuration_name(GROUP).min_size(0).max_size(1).vpc_zone_identifier(subnet);
    group.send().await.unwrap();
}

async fn network(clients: &Clients) -> (String, Vec<String>) {
    let answer = clients.ec2.describe_subnets().send().await.unwrap();
    let subnets = answer.subnets();
    let vpc = subnets[0].vpc_id().unwrap().to_owned();
    (vpc, subnets.iter().take(2).map(|subnet| subnet.subnet_id().unwrap().to_owned()).collect())
}

fn seen(mut reader: tokio::sync::mpsc::UnboundedReceiver<Event>) -> Vec<Event> {
    std::iter::from_fn(|| reader.try_recv().ok()).collect()
}

#[test]
fn the_kinds_that_moto_has() {
    let Some(bin) = python::environment("the_kinds_that_moto_has") else { return };
    let moto = Moto::new(&bin);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(life(&aws::with_keys("us-east-1", &moto.url)));
    let skipped: Vec<_> = TABLE.iter().filter_map(|(what, can)| can.err().map(|why| (what, why))).collect();
    for (what, why) in &skipped {
        python::skipped(&format!("moto: {what}"), why);
    }
    python::skipped("moto", &format!("{} of {} rows of the table", skipped.len(), TABLE.len()));
}

async fn life(clients: &Clients) {
    let identity = clients.identity().await.unwrap();
    let mut registry = Registry::new();
    rayplat_resources::register(&mut registry, clients);
    let options = Options {
        parallelism: 8,
        retry: RetryPolicy::default(),
        clock: Arc::new(SystemClock),
        binding: clients.binding(&identity),
        seed: 5,
    };
    let engine = Engine::new(registry, Arc::new(MemoryStore::default()), options);
    let (vpc, subnets) = network(clients).await;
    auto_scaling_group(clients, &subnets[0]).await;
    let wanted = stack(&vpc, &subnets, "first");
    // The table names each kind that is used here, and only those.
    let used: std::collections::BTreeSet<&str> = wanted.resources().map(|resource| resource.urn.kind()).collect();
    let can: std::collections::BTreeSet<&str> =
        TABLE.iter().filter(|(_, can)| can.is_ok()).map(|(what, _)| *what).collect();
    assert_eq!(used, can);

    let (events, reader) = Events::channel();
    let up = engine.up(&wanted, events, Interrupt::default(), |_| true).await.unwrap();
    assert!(up.summary.complete(), "{:#?}", failures(&seen(reader)));
    assert_eq!(up.summary.created, wanted.len() as u64);
    let again = engine.preview(&wanted, Events::none()).await.unwrap();
    assert!(again.plan.is_empty(), "{}", render(&again.plan));

    // Roles, policy, key, the group's tags, queue and rule change in place.
    let (events, reader) = Events::channel();
    let changed = stack(&vpc, &subnets, "second");
    let change = engine.up(&changed, events, Interrupt::default(), |_| true).await.unwrap();
    assert!(change.summary.complete(), "{:#?}", failures(&seen(reader)));
    assert_eq!(change.summary.updated, 7);

    let (events, reader) = Events::channel();
    let down = engine.down("on-moto", events, Interrupt::default(), |_| true).await.unwrap();
    assert!(down.summary.complete(), "{:#?}", failures(&seen(reader)));
    assert_eq!(down.summary.deleted, wanted.len() as u64);
    let clusters = clients.eks.list_clusters().send().await.unwrap();
    assert!(clusters.clusters().is_empty());
}
