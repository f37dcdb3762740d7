//! Manifests that are right: what they resolve to, and what is warned of.

#![allow(clippy::unwrap_used)]

use jiff::civil::{Date, date};
use serde_json::{Value, json};

use super::*;

const TODAY: Date = date(2026, 11, 24);
const QUICKSTART: &[u8] = include_bytes!("../../../../examples/quickstart.yaml");
const HEAD: &str =
    "name: a\nregion: us-east-1\nnetwork:\n  vpc_id: vpc-0abcd123\n  subnet_ids: [subnet-0abcd123, subnet-0abcd124]\n";

fn loaded(text: &str) -> Loaded {
    load("good.yaml", format!("{HEAD}{text}").as_bytes(), TODAY).unwrap()
}

fn warnings(text: &str) -> Vec<String> {
    let loaded = loaded(text);
    let all = loaded.warnings.iter();
    all.map(|d| format!("{}:{}: {}", d.line, d.column, d.message)).collect()
}

/// The defaults that the quick start promises, every one.
#[test]
fn the_quickstart_resolves_to_its_defaults() {
    let loaded = load("examples/quickstart.yaml", QUICKSTART, TODAY).unwrap();
    let nvidia = json!([{"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}]);
    assert_eq!(
        serde_json::to_value(&loaded.manifest).unwrap(),
        json!({
            "name": "production-ray-cluster",
            "region": "us-east-1",
            "environment": "production",
            "tags": {},
            "network": {
                "vpc_id": "vpc-0abcd1234ef567890",
                "subnet_ids": ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"],
            },
            "cluster": {
                "kubernetes_version": "1.35",
                "support": "standard",
                "endpoint": {"public": false, "private": true, "public_cidrs": [], "routed": false},
                "logs": {
                    "enabled": true,
                    "retention_days": 7,
                    "types": ["api", "audit", "authenticator", "controllerManager", "scheduler"],
                },
                "oidc": {"manage_thumbprint": false},
                "admins": [],
                "deletion_protection": false,
                "zonal_shift": false,
                "authentication_mode": "api",
                "secrets_encryption": true,
                "role_policies": ["AmazonEKSClusterPolicy"],
                "node_role_policies": [
                    "AmazonEKSWorkerNodePolicy",
                    "AmazonEC2ContainerRegistryPullOnly",
                    "AmazonSSMManagedInstanceCore",
                ],
            },
            "node_pools": {
                "cpu": {
                    "instance_types": ["m6g.xlarge"],
                    "architecture": "arm64",
                    "accelerator": "none",
                    "capacity": "on_demand",
                    "min": 2, "desired": 3, "max": 10,
                    "ami": "AL2023_ARM_64_STANDARD",
                    "ami_release": null,
                    "update": {"strategy": "default", "force": false},
                    "disk": {"size_gb": 100, "type": "gp3"},
                    "labels": {},
                    "taints": [],
                    "fallback": null,
                },
                "gpu": {
                    "instance_types": ["g4dn.xlarge"],
                    "architecture": "x86_64",
                    "accelerator": "nvidia",
                    "capacity": "spot",
                    "min": 0, "desired": 0, "max": 5,
                    "ami": "AL2023_x86_64_NVIDIA",
                    "ami_release": null,
                    "update": {"strategy": "default", "force": false},
                    "disk": {"size_gb": 200, "type": "gp3"},
                    "labels": {},
                    "taints": nvidia,
                    "fallback": {
                        "instance_types": ["g4dn.xlarge"],
                        "min": 0, "desired": 0, "max": 1,
                    },
                },
            },
            "addons": {
                "aws-ebs-csi-driver": {"version": null, "configuration": {}, "identity": "pod_identity"},
                "coredns": {"version": null, "configuration": {
                    "autoScaling": {"enabled": true, "minReplicas": 4, "maxReplicas": 10},
                }},
                "eks-pod-identity-agent": {"version": null, "configuration": {}},
                "kube-proxy": {"version": null, "configuration": {}},
                "vpc-cni": {"version": null, "identity": "pod_identity", "configuration": {
                    "env": {"ENABLE_PREFIX_DELEGATION": "true", "WARM_PREFIX_TARGET": "1"},
                    "enableNetworkPolicy": "true",
                }},
            },
            "autoscaler": {"enabled": true, "identity": "irsa"},
            "termination_handler": {"enabled": false, "mode": "imds", "identity": "irsa"},
            "backup": {"enabled": false, "schedule": "0 2 * * *", "retention_days": 30, "identity": "irsa"},
            "kubernetes": {"enabled": true},
            "ray": {
                "version": "2.60.0",
                "namespace": "ray",
                "head": {
                    "pool": "cpu", "image": "rayproject/ray:2.60.0-py312-aarch64",
                    "cpus": 2, "memory_gb": 8, "gpus": 0, "spill_gb": 20,
                },
                // Three nodes to begin with, less the head's; 3.69 CPUs and 13 GiB less what others need.
                "workers": {
                    "cpu": {"min": 2, "max": 9, "pods": {
                        "pool": "cpu", "image": "rayproject/ray:2.60.0-py312-aarch64",
                        "cpus": 3, "memory_gb": 12, "gpus": 0, "spill_gb": 40,
                    }},
                    "gpu": {"min": 0, "max": 6, "pods": {
                        "pool": "gpu", "image": "rayproject/ray:2.60.0-py312-gpu",
                        "cpus": 3, "memory_gb": 12, "gpus": 1, "spill_gb": 80,
                    }},
                },
                "autoscaling": true,
                "token_auth": true,
                "fault_tolerance": {"enabled": true, "storage_gb": 5},
                "allow_from": [],
                "serve": null,
                "jobs": {},
            },
            "monitoring": {"dashboards": false, "pod_monitors": false},
            "policies": [],
            "policy": {"allow": {}},
        })
    );
    let place = |path: &str| loaded.spans.at(path).map(|span| (span.line, span.column));
    let line_of = |text: &str| 1 + loaded.source.lines().position(|l| l.contains(text)).unwrap();
    assert_eq!(place("node_pools.gpu.max"), Some((line_of("gpu: {"), 30)));
    // A saved plan reads it again.
    let json = serde_json::to_string(&loaded.manifest).unwrap();
    assert_eq!(serde_json::from_str::<Resolved>(&json).unwrap(), loaded.manifest);
}

#[test]
fn the_least_manifest_has_the_pools_of_the_quickstart() {
    let least = loaded("").manifest;
    let quickstart = load("q", QUICKSTART, TODAY).unwrap().manifest;
    assert_eq!(least.node_pools, quickstart.node_pools);
    assert_eq!(least.addons, quickstart.addons);
    assert_eq!(least.cluster, quickstart.cluster);
}

fn network_of(text: &str) -> (Value, Vec<String>) {
    let loaded =
        load("m", format!("name: a\nregion: us-east-1\n{text}node_pools: {{cpu: {{}}}}\n").as_bytes(), TODAY).unwrap();
    let warnings = loaded.warnings.iter().map(|d| format!("{}:{}: {}", d.line, d.column, d.message)).collect();
    // What is written can be written again.
    let again = serde_json::to_string(&loaded.raw).unwrap();
    assert_eq!(load("again", again.as_bytes(), TODAY).unwrap().manifest, loaded.manifest);
    let saved = serde_json::to_string(&loaded.manifest).unwrap();
    assert_eq!(serde_json::from_str::<Resolved>(&saved).unwrap(), loaded.manifest);
    (serde_json::to_value(&loaded.manifest.network).unwrap(), warnings)
}

#[test]
fn a_network_of_its_own_and_its_defaults() {
    let with = |nat: &str| {
        json!({"create": {
            "cidr": "10.0.0.0/16", "availability_zones": 3, "nat_gateways": nat, "vpc_endpoints": ["s3"],
        }})
    };
    // Production has a way out in each zone, the others one for all.
    assert_eq!(network_of("network: {create: {}}\n").0, with("per_az"));
    assert_eq!(network_of("environment: dev\nnetwork: {create: {}}\n").0, with("single"));
    assert_eq!(network_of("environment: staging\nnetwork: {create: {nat_gateways: per_az}}\n").0, with("per_az"));
    let (network, warnings) = network_of(
        "network:\n  create:\n    cidr: 100.64.0.0/20\n    availability_zones: [us-east-1c, us-east-1a]\n    \
         nat_gateways: none\n    vpc_endpoints: [s3, ecr, ecr.api, ec2, sts, logs, eks, eks-auth, elasticloadbalancing]\n\
         autoscaler: {enabled: false}\n",
    );
    assert_eq!(
        network,
        json!({"create": {
            "cidr": "100.64.0.0/20",
            "availability_zones": ["us-east-1c", "us-east-1a"],
            "nat_gateways": "none",
            "vpc_endpoints": [
                "s3", "ecr.api", "ecr.dkr", "ec2", "sts", "logs", "eks", "eks-auth", "elasticloadbalancing",
            ],
        }})
    );
    assert_eq!(warnings, Vec::<String>::new());
    let (_, warnings) = network_of("network: {create: {cidr: 11.0.0.0/16}}\n");
    assert_eq!(
        warnings,
        ["3:26: 11.0.0.0/16 is not a private block: the VPC would not reach the hosts that own these addresses"]
    );
}

#[test]
fn the_services_of_china_are_not_known() {
    let text = "name: a\nregion: cn-north-1\nnetwork: {create: {vpc_endpoints: [s3, sts]}}\nnode_pools: {cpu: {}}\n";
    let found = load("m", text.as_bytes(), TODAY).unwrap_err();
    let lines: Vec<_> = found.iter().map(|d| (d.line, d.column, d.message.as_str())).collect();
    assert_eq!(lines, [(3, 35, "rayplat does not know the endpoint services of cn-north-1: sts")]);
    assert!(load("m", text.replace(", sts", "").as_bytes(), TODAY).is_ok());
}

#[test]
fn node_pools_that_are_named_are_the_only_ones() {
    let pools = loaded("node_pools: {cpu: {}}\n").manifest.node_pools;
    assert_eq!(pools.keys().collect::<Vec<_>>(), ["cpu"]);
}

#[test]
fn everything_that_can_be_written() {
    let text = r#"
environment: staging
tags: {team: ml platform, "cost:center": "0123"}
cluster:
  kubernetes_version: "1.36"
  support: extended
  endpoint: {public: true, private: true, public_cidrs: [203.0.113.0/24, "2001:db8::/32"]}
  secrets_key_arn: arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
  logs: {enabled: true, retention_days: 365, types: [api, audit]}
  oidc: {manage_thumbprint: true}
  admins: [arn:aws:iam::111122223333:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Admin_0123456789abcdef]
  deletion_protection: true
node_pools:
  cpu:
    instance_types: [m5.xlarge, m6i.xlarge]
    capacity: on_demand
    min: 1
    desired: 2
    max: 4
    ami: BOTTLEROCKET_x86_64
    disk: {size_gb: 50, type: gp2}
    labels: {team: ml, example.com/tier: base}
    taints: [{key: dedicated, value: ray, effect: NoExecute}, {key: a, effect: NoSchedule}]
  training:
    instance_types: [g5.xlarge, g6.xlarge]
    capacity: spot
    fallback: {enabled: false}
addons:
  coredns: {version: v1.12.4-eksbuild.1, configuration: {autoScaling: {maxReplicas: 20}, resources: {limits: {cpu: 0.5}}}}
  metrics-server: {}
  aws-ebs-csi-driver: {enabled: false}
autoscaler: {enabled: false}
"#;
    let loaded = loaded(text);
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    let manifest = loaded.manifest;
    assert_eq!(manifest.node_pools["training"].fallback, None);
    assert_eq!(manifest.node_pools["cpu"].taints[1].value, "");
    assert!(manifest.addons.contains_key("metrics-server"));
    assert!(!manifest.addons.contains_key("aws-ebs-csi-driver"));
    let coredns = Value::Object(manifest.addons["coredns"].configuration.clone());
    assert_eq!(
        coredns,
        json!({
            "autoScaling": {"enabled": true, "minReplicas": 4, "maxReplicas": 20},
            "resources": {"limits": {"cpu": 0.5}},
        })
    );
    // What is written can be written again: JSON is YAML.
    let again = serde_json::to_string(&loaded.raw).unwrap();
    let again = load("again.yaml", again.as_bytes(), TODAY).unwrap();
    assert_eq!(again.manifest, manifest);
}

#[test]
fn what_is_warned_of() {
    let cases: [(&str, &[&str]); 14] = [
        ("node_pools: {cpu: {max: 21}}\n", &["6:25: `max` is 21, outside the budget's 1 to 20 for this kind of pool"]),
        ("node_pools: {cpu: {min: 0}}\n", &["6:25: `min` is 0, outside the budget's 1 to 10 for this kind of pool"]),
        (
            "node_pools: {cpu: {}, gpu: {capacity: on_demand, max: 11}}\n",
            &["6:55: `max` is 11, outside the budget's 0 to 10 for this kind of pool"],
        ),
        (
            "node_pools: {cpu: {instance_types: [m6g.xlarge, m6g.2xlarge]}}\n",
            &[
                "6:49: m6g.2xlarge (8 vCPU, 32 GiB) has not the shape of m6g.xlarge (4 vCPU, 16 GiB): the cluster autoscaler plans with the first type only",
            ],
        ),
        (
            "node_pools: {cpu: {}, gpu: {instance_types: [g5.xlarge], capacity: spot}}\n",
            &["6:29: a Spot pool of one type, g5.xlarge, waits whenever AWS has none of it"],
        ),
        (
            "node_pools: {cpu: {capacity: spot, instance_types: [m6g.xlarge, m7g.xlarge]}}\n",
            &["6:1: every pool is Spot: the Ray head and cluster DNS would lose their node when AWS takes it back"],
        ),
        (
            "node_pools: {cpu: {instance_types: [m9g.xlarge]}}\n",
            &["6:37: rayplat does not know \"m9g.xlarge\"; by its name it is arm64"],
        ),
        (
            "node_pools: {cpu: {instance_types: [m6g.3xlarge]}}\n",
            &["6:37: \"m6g.3xlarge\" is not a size of its family that rayplat knows"],
        ),
        (
            "node_pools: {cpu: {labels: {node.kubernetes.io/a: b}}}\n",
            &["6:29: label keys under kubernetes.io are reserved, and EKS refuses most of them"],
        ),
        (
            "node_pools: {cpu: {}}\ncluster: {kubernetes_version: \"1.34\"}\n",
            &[
                "7:31: standard support for Kubernetes 1.34 ends on 2026-12-02, and EKS then upgrades the control plane by itself",
            ],
        ),
        (
            "node_pools: {cpu: {}}\ncluster: {kubernetes_version: \"1.33\", support: extended}\n",
            &[
                "7:31: Kubernetes 1.33 is in extended support until 2027-07-29: $0.60 an hour in place of $0.10, about $438 a month",
            ],
        ),
        (
            "node_pools: {cpu: {}}\ncluster: {endpoint: {public: true}}\n",
            &["7:30: the whole internet can reach the Kubernetes API"],
        ),
        (
            "node_pools: {cpu: {}}\ncluster: {endpoint: {public: true, public_cidrs: [203.0.113.0/24, 203.0.113.128/25]}}\n",
            &["7:67: 203.0.113.128/25 lies within 203.0.113.0/24, which is there already"],
        ),
        (
            "node_pools: {cpu: {}}\naddons: {vpc-cni: {enabled: false}}\n",
            &["7:29: without vpc-cni no node becomes ready"],
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(warnings(text), *expected, "{text}");
    }
}

#[test]
fn a_region_that_is_not_known_is_a_warning() {
    let text = HEAD.replace("us-east-1", "us-esat-1") + "node_pools: {cpu: {}}\n";
    let loaded = load("m", text.as_bytes(), TODAY).unwrap();
    let found: Vec<_> = loaded.warnings.iter().map(|d| (d.line, d.cure.as_str())).collect();
    assert_eq!(found, [(2, "did you mean us-east-1? If not, check that EKS is offered there")]);
}

#[test]
fn a_version_grows_old_with_the_day_that_is_passed_in() {
    let text = format!("{HEAD}cluster: {{kubernetes_version: \"1.35\"}}\nnode_pools: {{cpu: {{}}}}\n");
    let on = |day| load("m", text.as_bytes(), day);
    assert!(on(TODAY).unwrap().warnings.is_empty());
    assert_eq!(on(date(2027, 3, 27)).unwrap().warnings.count(Severity::Warning), 1);
    assert!(on(date(2027, 3, 28)).is_err());
}
