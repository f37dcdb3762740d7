//! The API through `kube::Client`, on an account with a cluster and nodes.
#![allow(clippy::unwrap_used)]

mod applying;
mod life;
mod ray;
mod requests;

use std::{sync::Arc, time::Duration};

use http::Request;
use kube::Client;
use serde_json::{Value, json};

use super::super::{
    Account, Rehearsal, Seed, ec2,
    iam::{Attachment, Role},
};
use crate::kubernetes::{ClusterAccess, Connector};

/// 2026-11-24T00:00:00Z
const BASE_MS: u64 = 1_795_478_400_000;

/// A cluster and the way into it.
struct Rig {
    rehearsal: Rehearsal,
    connector: Arc<dyn Connector>,
    access: ClusterAccess,
    client: Client,
}

/// What a refusal says.
#[derive(Debug, PartialEq)]
struct Refused {
    code: u16,
    reason: String,
    message: String,
    status: Value,
}

fn role(account: &mut Account, name: &str, principal: &str, policies: &[&str]) {
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": principal}, "Action": ["sts:AssumeRole", "sts:TagSession"]}],
    });
    let mut role = Role::new(account, name, "/", trust.to_string());
    for policy in policies {
        role.attached.push(Attachment { policy_arn: format!("arn:aws:iam::aws:policy/{policy}"), visible_ms: 0 });
    }
    account.iam.roles.insert(name.to_owned(), role);
}

fn eks(account: &mut Account, operation: &str, params: Value) -> Value {
    account.handle("eks", operation, &params).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
}

impl Rig {
    /// A cluster that stands, with addons and `nodes` nodes of the type.
    async fn new(kind: &str, nodes: i64) -> Self {
        let seed = Seed { account_id: "111122223333".to_owned(), region: "us-east-1".to_owned(), seed: 7 };
        let rehearsal = Rehearsal::in_memory(&seed, BASE_MS);
        rehearsal.with_account(|account| {
            ec2::seed_network(account, Some("vpc-1"), &["subnet-1", "subnet-2"], "10.0.0.0/16").unwrap();
            role(account, "cluster", "eks.amazonaws.com", &["AmazonEKSClusterPolicy"]);
            let node = ["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryPullOnly"];
            role(account, "node", "ec2.amazonaws.com", &node);
            let cluster = json!({
                "name": "ray",
                "version": "1.35",
                "roleArn": "arn:aws:iam::111122223333:role/cluster",
                "resourcesVpcConfig": {"subnetIds": ["subnet-1", "subnet-2"]},
                "accessConfig": {"authenticationMode": "API"},
                "bootstrapSelfManagedAddons": true,
            });
            eks(account, "CreateCluster", cluster);
        });
        tokio::time::sleep(Duration::from_secs(700)).await;
        rehearsal.with_account(|account| {
            eks(account, "CreateAddon", json!({"clusterName": "ray", "addonName": "aws-ebs-csi-driver"}));
            if nodes > 0 {
                let arm = crate::platform::instance_types::architecture(kind)
                    == crate::platform::instance_types::Architecture::Arm64;
                let group = json!({
                    "clusterName": "ray",
                    "nodegroupName": "cpu",
                    "nodeRole": "arn:aws:iam::111122223333:role/node",
                    "subnets": ["subnet-1", "subnet-2"],
                    "instanceTypes": [kind],
                    "amiType": if arm { "AL2023_ARM_64_STANDARD" } else { "AL2023_x86_64_STANDARD" },
                    "scalingConfig": {"minSize": 1, "desiredSize": nodes, "maxSize": 5},
                });
                eks(account, "CreateNodegroup", group);
            }
        });
        tokio::time::sleep(Duration::from_secs(400)).await;
        let access = rehearsal.with_account(|account| {
            let endpoint = &account.eks.clusters["ray"].endpoint;
            ClusterAccess {
                name: "ray".to_owned(),
                endpoint: endpoint.url.clone(),
                certificate_authority: endpoint.certificate_authority.clone(),
            }
        });
        let connector = rehearsal.clients().kubernetes;
        let client = connector.connect(&access).unwrap();
        Self { rehearsal, connector, access, client }
    }

    async fn send(&self, method: &str, path: &str, content: &str, body: &Value) -> Result<Value, Refused> {
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request = Request::builder().method(method).uri(path).header("content-type", content);
        let request = request.header("user-agent", "tester/1").body(bytes).unwrap();
        match self.client.request::<Value>(request).await {
            Ok(answer) => Ok(answer),
            Err(kube::Error::Api(status)) => Err(Refused {
                code: status.code,
                reason: status.reason.clone(),
                message: status.message.clone(),
                status: serde_json::to_value(&status).unwrap(),
            }),
            Err(other) => panic!("{method} {path}: {other}"),
        }
    }

    async fn get(&self, path: &str) -> Value {
        self.send("GET", path, "application/json", &Value::Null).await.unwrap()
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        self.send("POST", path, "application/json", body).await
    }

    async fn apply(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        let path = format!("{path}{}fieldManager=rayplat", if path.contains('?') { "&" } else { "?" });
        self.send("PATCH", &path, "application/apply-patch+yaml", body).await
    }

    async fn merge(&self, path: &str, body: &Value) -> Result<Value, Refused> {
        self.send("PATCH", path, "application/merge-patch+json", body).await
    }

    async fn delete(&self, path: &str) -> Result<Value, Refused> {
        self.send("DELETE", path, "application/json", &Value::Null).await
    }

    async fn wait(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self.rehearsal.with_account(|account| {
            let restless = account.kubernetes.clusters.values().any(|world| world.dirty);
            assert!(!restless, "the controllers never come to rest");
        });
    }

    /// Waits until it holds, and says how many seconds that took.
    async fn until(&self, path: &str, holds: impl Fn(&Value) -> bool) -> u64 {
        let began = self.rehearsal.now_ms();
        for _ in 0..600 {
            let answer = self.send("GET", path, "application/json", &Value::Null).await;
            if holds(&answer.unwrap_or_else(|refused| json!({"gone": refused.code}))) {
                return (self.rehearsal.now_ms() - began) / 1000;
            }
            self.wait(1).await;
        }
        panic!("{path} never got there: {}", self.get(path).await);
    }
}

fn deployment(name: &str, replicas: i64, cpu: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{
                    "name": "main", "image": "example/app:1", "resources": {"requests": {"cpu": cpu}},
                }]},
            },
        },
    })
}

fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "kind": "Widget", "shortNames": ["wd"]},
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {
                        "spec": {
                            "type": "object",
                            "required": ["size"],
                            "properties": {
                                "size": {"type": "integer", "minimum": 1},
                                "color": {"type": "string", "default": "red", "enum": ["red", "blue"]},
                                "parts": {
                                    "type": "array",
                                    "x-kubernetes-list-type": "map",
                                    "x-kubernetes-list-map-keys": ["name"],
                                    "items": {"type": "object", "properties": {
                                        "name": {"type": "string"}, "count": {"type": "integer"},
                                    }},
                                },
                            },
                        },
                        "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                    },
                }},
            }],
        },
    })
}
