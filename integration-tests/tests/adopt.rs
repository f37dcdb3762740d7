//! Coming from the Terraform module: what it made is adopted as it stands, and only its
//! tags change.
#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, time::Duration};

use rayplat_engine::{
    error::Error,
    event::Events,
    import::{ImportOptions, ImportReport},
    plan::{Plan, Step, render::render},
    provider::Action,
    urn::Urn,
};
use rayplat_integration_tests::{World, failures, leftovers};
use rayplat_resources::adopt::{self, Adoption, Fate, TfState};
use serde_json::{Value, json};

const TFVARS: &str = include_str!("../fixtures/old-module.tfvars");
const TFSTATE: &str = include_str!("../fixtures/old-module.tfstate");

const CLUSTER: &str = "production-ray-cluster";
/// What Terraform adds to a `name_prefix`.
const SUFFIX: &str = "20250301120000000100000002";

/// An account in which Terraform has applied the module: made by plain API calls, with the
/// names and settings that the module gives. The ids are the account's own.
struct Old {
    world: World,
    /// What the state's file has in place of ids, and the ids.
    ids: BTreeMap<&'static str, String>,
}

impl Old {
    async fn standing() -> Self {
        let mut old = Self { world: World::new(11), ids: BTreeMap::new() };
        old.roles_and_key();
        old.groups();
        // IAM needs a moment before others see a role.
        tokio::time::sleep(Duration::from_secs(30)).await;
        old.cluster().await;
        old.nodes().await;
        old.addons_and_autoscaler().await;
        old
    }

    fn ask(&self, service: &str, operation: &str, params: &Value) -> Value {
        let answer = self.world.account.with_account(|account| account.handle(service, operation, params));
        answer.unwrap_or_else(|error| panic!("{operation}: {error:?}"))
    }

    fn id(&self, name: &str) -> String {
        self.ids[name].clone()
    }

    fn keep(&mut self, name: &'static str, id: &Value) {
        self.ids.insert(name, id.as_str().unwrap().to_owned());
    }

    fn role(&self, name: &str, trust: &Value, policies: &[&str]) {
        let role = role(name);
        self.ask("iam", "CreateRole", &json!({"RoleName": role, "AssumeRolePolicyDocument": trust.to_string()}));
        for policy in policies {
            let arn = if policy.starts_with("arn:") {
                (*policy).to_owned()
            } else {
                format!("arn:aws:iam::aws:policy/{policy}")
            };
            self.ask("iam", "AttachRolePolicy", &json!({"RoleName": role, "PolicyArn": arn}));
        }
    }

    fn roles_and_key(&mut self) {
        self.role(
            "cluster",
            &trust("eks.amazonaws.com"),
            &["AmazonEKSClusterPolicy", "AmazonEKSVPCResourceController"],
        );
        let of_nodes = [
            "AmazonEKSWorkerNodePolicy",
            "AmazonEKS_CNI_Policy",
            "AmazonEC2ContainerRegistryReadOnly",
            "service-role/AmazonEBSCSIDriverPolicy",
        ];
        self.role("node", &trust("ec2.amazonaws.com"), &of_nodes);
        let group = format!("/aws/eks/{CLUSTER}/cluster");
        let policy = json!({"Version": "2012-10-17", "Statement": [
            {"Sid": "Enable IAM User Permissions", "Effect": "Allow", "Action": "kms:*", "Resource": "*",
             "Principal": {"AWS": "arn:aws:iam::123456789012:root"}},
            // The module lacks this one; without it the encrypted log group cannot be made.
            {"Sid": "Logs", "Effect": "Allow", "Resource": "*", "Principal": {"Service": "logs.us-east-1.amazonaws.com"},
             "Action": ["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"]},
        ]});
        let key = self.ask(
            "kms",
            "CreateKey",
            &json!({
                "Description": format!("EKS Secret Encryption Key for {CLUSTER}"), "Policy": policy.to_string(),
                "Tags": [{"TagKey": "Name", "TagValue": format!("{CLUSTER}-kms-key")}],
            }),
        );
        self.keep("KEYID", &key["KeyMetadata"]["KeyId"]);
        let id = self.id("KEYID");
        self.ask("kms", "EnableKeyRotation", &json!({"KeyId": id}));
        let alias = format!("alias/{CLUSTER}-eks-secrets");
        self.ask("kms", "CreateAlias", &json!({"AliasName": alias, "TargetKeyId": id}));
        let arn = key["KeyMetadata"]["Arn"].clone();
        self.ask("logs", "CreateLogGroup", &json!({"logGroupName": group, "kmsKeyId": arn}));
        self.ask("logs", "PutRetentionPolicy", &json!({"logGroupName": group, "retentionInDays": 365}));
    }

    fn groups(&mut self) {
        let group = self.ask("ec2", "CreateSecurityGroup", &json!({
            "GroupName": format!("{CLUSTER}-node-{SUFFIX}"), "GroupDescription": "Security group for EKS worker nodes",
            "VpcId": "vpc-0abcd1234ef567890",
            "TagSpecification": [{"ResourceType": "security-group", "Tag": [{"Key": "Name", "Value": format!("{CLUSTER}-node-sg")}]}],
        }));
        self.keep("NODEGROUP", &group["groupId"]);
        let id = self.id("NODEGROUP");
        let rule = self.ask("ec2", "AuthorizeSecurityGroupIngress", &json!({"GroupId": id, "IpPermissions": [{
            "IpProtocol": "-1", "Groups": [{"GroupId": id, "Description": "Allow nodes to communicate with each other"}],
        }]}));
        self.keep("NODERULE", &rule["securityGroupRuleSet"][0]["securityGroupRuleId"]);
    }

    async fn cluster(&mut self) {
        let key = format!("arn:aws:kms:us-east-1:123456789012:key/{}", self.id("KEYID"));
        self.ask(
            "eks",
            "CreateCluster",
            &json!({
                "name": CLUSTER, "version": "1.32", "roleArn": arn_of_role("cluster"),
                "resourcesVpcConfig": {
                    "subnetIds": SUBNETS, "securityGroupIds": [self.id("NODEGROUP")],
                    "endpointPublicAccess": false, "endpointPrivateAccess": true,
                },
                "encryptionConfig": [{"resources": ["secrets"], "provider": {"keyArn": key}}],
                "logging": {"clusterLogging": [
                    {"enabled": true, "types": ["api", "audit", "authenticator", "controllerManager", "scheduler"]},
                ]},
                "clientRequestToken": "terraform-0123456789012345678901234567",
            }),
        );
        tokio::time::sleep(Duration::from_secs(1500)).await;
        let cluster = self.ask("eks", "DescribeCluster", &json!({"name": CLUSTER}))["cluster"].clone();
        assert_eq!(cluster["status"], "ACTIVE");
        self.keep("CLUSTERGROUP", &cluster["resourcesVpcConfig"]["clusterSecurityGroupId"]);
        let issuer = cluster["identity"]["oidc"]["issuer"].as_str().unwrap();
        self.ids.insert("ISSUER", issuer.rsplit('/').next().unwrap().to_owned());
        let provider = json!({"Url": issuer, "ClientIDList": ["sts.amazonaws.com"]});
        self.ask("iam", "CreateOpenIDConnectProvider", &provider);
    }

    fn template(&mut self, name: &'static str, pool: &str, size: u32) {
        let user_data = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"B\"\n\n--B\n\
                         Content-Type: text/x-shellscript; charset=\"us-ascii\"\n\n#!/bin/bash\necho ready\n\n--B--\n";
        let made = self.ask("ec2", "CreateLaunchTemplate", &json!({
            "LaunchTemplateName": format!("{CLUSTER}-{pool}-{SUFFIX}"),
            "LaunchTemplateData": {
                "BlockDeviceMapping": [{"DeviceName": "/dev/xvda", "Ebs": {
                    "VolumeSize": size.to_string(), "VolumeType": "gp3", "Iops": "3000", "Throughput": "125",
                    "DeleteOnTermination": "true", "Encrypted": "true",
                }}],
                "MetadataOptions": {"HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": "1"},
                "SecurityGroupId": [self.id("NODEGROUP"), self.id("CLUSTERGROUP")],
                "TagSpecification": [{"ResourceType": "instance", "Tag": [{"Key": "ManagedBy", "Value": "Terraform"}]}],
                "UserData": base64(user_data),
            },
        }));
        self.keep(name, &made["launchTemplate"]["launchTemplateId"]);
    }

    async fn nodes(&mut self) {
        self.template("CPUTEMPLATE", "cpu", 100);
        self.template("GPUTEMPLATE", "gpu", 200);
        let taints = json!([{"key": "nvidia.com/gpu", "value": "true", "effect": "NO_SCHEDULE"}]);
        let groups = [
            (
                "cpu-workers",
                "CPUTEMPLATE",
                "AL2023_ARM_64_STANDARD",
                "ON_DEMAND",
                json!(["m6g.xlarge", "m6g.2xlarge"]),
                [1, 2, 6],
            ),
            ("gpu-workers", "GPUTEMPLATE", "AL2_x86_64_GPU", "SPOT", json!(["g4dn.xlarge", "g4dn.2xlarge"]), [0, 0, 4]),
            ("gpu-ondemand-fallback", "GPUTEMPLATE", "AL2_x86_64_GPU", "ON_DEMAND", json!(["g4dn.xlarge"]), [0, 0, 1]),
        ];
        for (name, template, ami, capacity, types, [min, desired, max]) in groups {
            let gpu = template == "GPUTEMPLATE";
            let labels = json!({
                "role": if gpu { "gpu-worker" } else { "cpu-worker" }, "managed-by": "terraform", "ray.io/node-type": "worker",
            });
            let group = format!("{CLUSTER}-{name}");
            self.ask("eks", "CreateNodegroup", &json!({
                "clusterName": CLUSTER, "nodegroupName": group, "nodeRole": arn_of_role("node"), "subnets": SUBNETS,
                "instanceTypes": types, "amiType": ami, "capacityType": capacity,
                "launchTemplate": {"id": self.id(template), "version": "1"},
                "scalingConfig": {"minSize": min, "desiredSize": desired, "maxSize": max},
                "updateConfig": {"maxUnavailable": 1}, "labels": labels, "taints": if gpu { taints.clone() } else { json!([]) },
                "tags": {"Name": group, "ManagedBy": "Terraform"},
                "clientRequestToken": format!("terraform-{name}-0123456789012345678901"),
            }));
        }
        tokio::time::sleep(Duration::from_secs(900)).await;
        for (name, ..) in ["cpu-workers", "gpu-workers", "gpu-ondemand-fallback"].map(|name| (name,)) {
            let params = json!({"clusterName": CLUSTER, "nodegroupName": format!("{CLUSTER}-{name}")});
            let group = self.ask("eks", "DescribeNodegroup", &params)["nodegroup"].clone();
            assert_eq!(group["status"], "ACTIVE", "{group}");
        }
    }

    async fn addons_and_autoscaler(&mut self) {
        let coredns = json!({"replicaCount": 4, "resources": {
            "limits": {"cpu": "200m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"},
        }});
        let addons = [
            ("vpc-cni", json!({"env": {"ENABLE_PREFIX_DELEGATION": "true"}}).to_string()),
            ("kube-proxy", String::new()),
            ("coredns", coredns.to_string()),
        ];
        for (name, configuration) in addons {
            let mut params = json!({"clusterName": CLUSTER, "addonName": name, "resolveConflicts": "OVERWRITE"});
            if !configuration.is_empty() {
                params["configurationValues"] = configuration.into();
            }
            self.ask("eks", "CreateAddon", &params);
        }
        let allow = json!({"Effect": "Allow", "Action": "autoscaling:Describe*", "Resource": "*"});
        let document = json!({"Version": "2012-10-17", "Statement": [allow]});
        let policy = json!({"PolicyName": role("autoscaler"), "PolicyDocument": document.to_string()});
        self.ask("iam", "CreatePolicy", &policy);
        let host = format!("oidc.eks.us-east-1.amazonaws.com/id/{}", self.id("ISSUER"));
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": format!("arn:aws:iam::123456789012:oidc-provider/{host}")},
            "Condition": {"StringEquals": {
                format!("{host}:sub"): "system:serviceaccount:kube-system:cluster-autoscaler",
                format!("{host}:aud"): "sts.amazonaws.com",
            }},
        }]});
        let arn = format!("arn:aws:iam::123456789012:policy/{}", role("autoscaler"));
        self.role("autoscaler", &trust, &[&arn]);
        tokio::time::sleep(Duration::from_secs(120)).await;
    }

    /// The state as Terraform would have written it for this account.
    fn tfstate(&self) -> TfState {
        let text = self.ids.iter().fold(TFSTATE.to_owned(), |text, (name, id)| text.replace(name, id));
        TfState::parse(text.as_bytes()).unwrap()
    }

    async fn import(&self, manifest: &str, pairs: &[(Urn, String)], options: ImportOptions) -> ImportReport {
        let stack = self.world.platform(manifest).stack;
        self.world.engine().await.0.import(&stack, pairs, options, Events::none()).await.unwrap()
    }
}

const SUBNETS: [&str; 2] = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"];

fn role(name: &str) -> String {
    format!("{CLUSTER}-{name}-{SUFFIX}")
}

fn arn_of_role(name: &str) -> String {
    format!("arn:aws:iam::123456789012:role/{}", role(name))
}

fn trust(service: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"},
    ]})
}

/// RFC 4648, for one call.
fn base64(text: &str) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for index in 0..4 {
            let sign = SIGNS[(bits >> (18 - 6 * index)) as usize & 63] as char;
            out.push(if index <= chunk.len() { sign } else { '=' });
        }
    }
    out
}

fn adopted(found: &[Adoption]) -> Vec<(Urn, String)> {
    let pair = |adoption: &Adoption| match &adoption.fate {
        Fate::Adopt { urn, id } => Some((urn.clone(), id.clone())),
        Fate::Left { .. } => None,
    };
    found.iter().filter_map(pair).collect()
}

/// Tags of an Auto Scaling group that stands are a resource by themselves: to make it is to tag.
fn is_tags(step: &Step) -> bool {
    step.action == Action::Create && step.urn.kind() == "aws:autoscaling:GroupTags"
}

/// Every step changes something in place, and nothing but tags.
fn assert_tags_only(plan: &Plan) {
    for step in &plan.steps {
        if is_tags(step) {
            continue;
        }
        assert_eq!(step.action, Action::Update, "{}", render(plan));
        for change in &step.changes {
            let tags = change.path == "ownership" || change.path == "tags" || change.path.starts_with("tags.");
            assert!(tags, "{}: {}\n{}", step.urn, change.path, render(plan));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_module_made_is_adopted_and_only_its_tags_change() {
    let old = Old::standing().await;
    let state = old.tfstate();
    let variables = adopt::variables("terraform.tfvars", TFVARS).unwrap();
    let written = adopt::write(&variables, Some(&state), true).unwrap();
    assert_eq!(written.warnings, Vec::<String>::new());
    let manifest = written.yaml;

    // Without an import the platform would be made beside it.
    let fresh = old.world.preview(&manifest).await.unwrap();
    assert!(fresh.plan.summary().created > 20);

    let found = adopt::adoptions(&state, CLUSTER).unwrap();
    let pairs = adopted(&found);
    let options = ImportOptions { pin: true, partial: true, dry_run: false };
    let dry = old.import(&manifest, &pairs, ImportOptions { dry_run: true, ..options }).await;
    assert_eq!((dry.refused.len(), dry.written), (0, false), "{:?}", dry.refused);
    let calls = old.world.account.calls();
    let report = old.import(&manifest, &pairs, options).await;
    assert_eq!(report.refused, []);
    assert_eq!(report.adopted.len(), pairs.len());
    let changed: Vec<_> =
        old.world.account.calls().into_iter().filter(|(call, count)| calls.get(call) != Some(count)).collect();
    let reads = ["Get", "List", "Describe"];
    assert!(changed.iter().all(|((_, call), _)| reads.iter().any(|read| call.starts_with(read))), "{changed:?}");
    let left: Vec<_> = found.iter().filter(|adoption| matches!(adoption.fate, Fate::Left { .. })).collect();
    assert_eq!(left.len(), 5, "{left:#?}");

    let plan = old.world.preview(&manifest).await.unwrap().plan;
    assert_tags_only(&plan);
    assert!(plan.steps.len() >= 15 && !plan.kept.is_empty(), "{}", render(&plan));
    assert!(matches!(old.world.down().await, Err(Error::Unclaimed { .. })));

    let (up, events) = old.world.up(&manifest).await.unwrap();
    assert!(up.summary.complete(), "{:#?}", failures(&events));
    let tags = plan.steps.iter().filter(|step| is_tags(step)).count() as u64;
    assert_eq!((up.summary.created, up.summary.replaced, up.summary.deleted), (tags, 0, 0));
    let again = old.world.preview(&manifest).await.unwrap().plan;
    assert!(again.is_empty(), "{}", render(&again));
    assert_eq!(again.kept.len(), plan.kept.len());

    // A step at a time: the GPU pool moves on to Amazon Linux 2023 when it is let.
    let gpu: Urn = "aws:eks:NodeGroup/gpu".parse().unwrap();
    old.world.engine().await.0.release(CLUSTER, &gpu, Some("ami_type")).await.unwrap();
    let plan = old.world.preview(&manifest).await.unwrap().plan;
    // With it goes what is tagged by the group's name.
    let made: Vec<_> = plan.steps.iter().filter(|step| step.action == Action::Create).map(|step| &step.urn).collect();
    assert!(made.contains(&&gpu) && made.iter().all(|urn| urn.name() == "gpu"), "{}", render(&plan));
    assert_eq!(plan.summary().created, 0, "{}", render(&plan));

    let (down, events) = old.world.down().await.unwrap();
    assert!(down.summary.complete(), "{:#?}", failures(&events));
    // The module's autoscaler policy was never ours.
    assert_eq!(leftovers(&old.world), ["iam policy"]);
}
