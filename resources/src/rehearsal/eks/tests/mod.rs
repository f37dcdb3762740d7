//! EKS through `Account::handle`.
#![allow(clippy::unwrap_used)]

mod access;
mod addons;
mod autoscaling;
mod cluster_updates;
mod clusters;
mod logs_and_keys;
mod nodegroup_updates;
mod nodegroups;
mod through_sdk;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::iam::{Attachment, Role};
use super::super::{Account, ApiError, LifecycleFailure, Seed, ec2};

/// 2026-11-24T12:00:00Z.
const START_MS: u64 = 1_795_521_600_000;
const SUBNETS: &[&str] = &["subnet-1", "subnet-2", "subnet-3"];

/// An account with a network and the roles that a platform needs.
struct Rig {
    account: Account,
}

impl Rig {
    fn new() -> Self {
        Self::seeded(7)
    }

    fn seeded(seed: u64) -> Self {
        let seed = Seed { account_id: "111122223333".to_owned(), region: "us-east-1".to_owned(), seed };
        let mut rig = Self { account: Account::new(&seed, START_MS) };
        ec2::seed_network(&mut rig.account, Some("vpc-1"), SUBNETS, "10.0.0.0/16").unwrap();
        rig.role("cluster", "eks.amazonaws.com", &["AmazonEKSClusterPolicy"]);
        rig.role("node", "ec2.amazonaws.com", &["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"]);
        rig.role("pods", "pods.eks.amazonaws.com", &[]);
        rig
    }

    /// Makes a role that everybody sees at once.
    fn role(&mut self, name: &str, principal: &str, policies: &[&str]) {
        let trust = json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": {"Service": principal},
                "Action": ["sts:AssumeRole", "sts:TagSession"],
            }],
        });
        let mut role = Role::new(&mut self.account, name, "/", trust.to_string());
        for policy in policies {
            role.attached.push(Attachment { policy_arn: format!("arn:aws:iam::aws:policy/{policy}"), visible_ms: 0 });
        }
        self.account.iam.roles.insert(name.to_owned(), role);
    }

    fn wait(&mut self, seconds: u64) {
        self.account.now_ms += seconds * 1000;
    }

    fn ok(&mut self, operation: &str, params: Value) -> Value {
        self.account.handle("eks", operation, &params).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
    }

    fn ec2(&mut self, operation: &str, params: Value) -> Value {
        self.account.handle("ec2", operation, &params).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
    }

    /// The refusal of a call, which must not have changed anything.
    fn err(&mut self, operation: &str, params: Value) -> ApiError {
        self.account.settle();
        let state = |account: &Account| serde_json::to_value((&account.eks, &account.ec2, &account.drawn)).unwrap();
        let before = state(&self.account);
        let error = self.account.handle("eks", operation, &params).expect_err(operation);
        assert_eq!(state(&self.account), before, "{operation}: a refusal changed something");
        error
    }

    /// Code and a part of the message that a call must be refused with.
    fn refused(&mut self, operation: &str, params: Value, code: &str, words: &str) {
        let error = self.err(operation, params);
        assert_eq!(error.code, code, "{}", error.message);
        assert!(error.message.contains(words), "{}", error.message);
    }

    fn fail(&mut self, what: &str, phase: &str, code: &str) {
        self.account.failures.push(LifecycleFailure {
            what: what.to_owned(),
            phase: phase.to_owned(),
            code: code.to_owned(),
            message: "asked for".to_owned(),
        });
    }

    fn cluster_status(&mut self) -> String {
        text(&self.ok("DescribeCluster", json!({"name": "ray"}))["cluster"]["status"])
    }

    /// A whole cluster `ray`, ACTIVE.
    fn with_cluster() -> Self {
        let mut rig = Self::new();
        rig.ok("CreateCluster", cluster_request());
        rig.wait(610);
        assert_eq!(rig.cluster_status(), "ACTIVE");
        rig
    }

    /// A cluster with vpc-cni, so that nodes can join.
    fn with_cni() -> Self {
        let mut rig = Self::with_cluster();
        rig.ok("CreateAddon", json!({"clusterName": "ray", "addonName": "vpc-cni"}));
        rig.wait(40);
        rig
    }

    /// A cluster with vpc-cni and the ACTIVE node group `cpu` of three nodes.
    fn with_nodes() -> Self {
        let mut rig = Self::with_cni();
        rig.ok("CreateNodegroup", nodegroup_request("cpu"));
        rig.wait(210);
        assert_eq!(rig.nodegroup("cpu")["status"], "ACTIVE");
        rig
    }

    fn nodegroup(&mut self, name: &str) -> Value {
        let params = json!({"clusterName": "ray", "nodegroupName": name});
        self.ok("DescribeNodegroup", params)["nodegroup"].clone()
    }

    fn addon(&mut self, name: &str) -> Value {
        let params = json!({"clusterName": "ray", "addonName": name});
        self.ok("DescribeAddon", params)["addon"].clone()
    }

    fn cluster(&mut self) -> Value {
        self.ok("DescribeCluster", json!({"name": "ray"}))["cluster"].clone()
    }

    /// A launch template with this data; its id.
    fn template(&mut self, name: &str, data: Value) -> String {
        let params = json!({"LaunchTemplateName": name, "LaunchTemplateData": data});
        text(&self.ec2("CreateLaunchTemplate", params)["launchTemplate"]["launchTemplateId"])
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn cluster_request() -> Value {
    json!({
        "name": "ray",
        "version": "1.35",
        "roleArn": "arn:aws:iam::111122223333:role/cluster",
        "resourcesVpcConfig": {
            "subnetIds": ["subnet-1", "subnet-2"],
            "endpointPublicAccess": false,
            "endpointPrivateAccess": true,
        },
        "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": false},
        "bootstrapSelfManagedAddons": false,
        "tags": {"rayplat:stack": "ray"},
        "clientRequestToken": "0123456789012345678901234567890123",
    })
}

fn nodegroup_request(name: &str) -> Value {
    json!({
        "clusterName": "ray",
        "nodegroupName": name,
        "nodeRole": "arn:aws:iam::111122223333:role/node",
        "subnets": ["subnet-1", "subnet-2"],
        "amiType": "AL2023_ARM_64_STANDARD",
        "instanceTypes": ["m6g.xlarge"],
        "scalingConfig": {"minSize": 2, "desiredSize": 3, "maxSize": 10},
        "clientRequestToken": format!("token-{name}"),
    })
}

/// The request with members changed; null takes a member away.
fn with(mut request: Value, changes: Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            request.as_object_mut().unwrap().shift_remove(name);
        } else {
            request[name] = value.clone();
        }
    }
    request
}

fn base64(text: &str) -> String {
    STANDARD.encode(text)
}
