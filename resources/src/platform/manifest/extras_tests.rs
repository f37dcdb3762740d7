//! Reserved capacity, EFA, warm pools, repair, AMIs of one's own, identities: manifests that
//! are right, and those that are wrong with line, column and words.

#![allow(clippy::unwrap_used)]

use jiff::civil::{Date, date};

use super::types::{Capacity, Identity, RepairAction, TerminationMode, WarmState};
use super::*;

const TODAY: Date = date(2026, 11, 24);
const HEAD: &str =
    "name: a\nregion: us-east-1\nnetwork:\n  vpc_id: vpc-0abcd123\n  subnet_ids: [subnet-0abcd123, subnet-0abcd124]\n";

fn found(text: &str, severity: Severity) -> Vec<String> {
    let findings = match load("m.yaml", format!("{HEAD}{text}").as_bytes(), TODAY) {
        Ok(loaded) => loaded.warnings,
        Err(found) => found,
    };
    assert!(findings.iter().all(|d| !d.cure.is_empty()), "{findings}");
    let of = findings.iter().filter(|d| d.severity == severity);
    of.map(|d| format!("{}:{}: {}", d.line, d.column, d.message)).collect()
}

#[test]
fn everything_a_pool_may_have() {
    let text = "
cluster: {zonal_shift: true, service_cidr: 172.30.0.0/16}
node_pools:
  cpu:
    max_pods: 58
    warm_pool: {min: 1, max_prepared: 6, state: running, reuse_on_scale_in: true}
    node_repair:
      max_unhealthy_percent: 20
      max_parallel_nodes: 1
      overrides:
        - {condition: AcceleratedInstanceNotReady, reason: NvidiaXID13Error, wait_minutes: 10, action: reboot}
  train:
    instance_types: [p4d.24xlarge]
    capacity: capacity_block
    capacity_reservation: {id: cr-0123456789abcdef0}
    subnet_ids: [subnet-0abcd124]
    efa: true
    max_pods: 250
  own:
    instance_types: [g5.xlarge]
    ami: BOTTLEROCKET_x86_64_NVIDIA
    image_id: ami-0123456789abcdef0
    subnet_ids: [subnet-0abcd123]
    capacity_reservation: {resource_group_arn: arn:aws:resource-groups:us-east-1:111122223333:group/gpus}
    warm_pool: {enabled: false}
    node_repair: {enabled: false}
addons:
  vpc-cni: {identity: irsa}
  aws-ebs-csi-driver: {identity: pod_identity}
autoscaler: {identity: pod_identity}
termination_handler: {enabled: true, mode: queue, identity: pod_identity}
backup: {enabled: true, schedule: '*/30 0-6 * * MON-FRI', retention_days: 90, identity: pod_identity}
monitoring: {dashboards: true, pod_monitors: true, namespace: prometheus, labels: {release: stack}}
";
    let loaded = load("m.yaml", format!("{HEAD}{text}").as_bytes(), TODAY).unwrap();
    assert!(loaded.warnings.is_empty(), "{}", loaded.warnings);
    let manifest = &loaded.manifest;
    let (cpu, train, own) = (&manifest.node_pools["cpu"], &manifest.node_pools["train"], &manifest.node_pools["own"]);
    let warm = cpu.warm_pool.as_ref().unwrap();
    assert_eq!((warm.min, warm.max_prepared, warm.state), (1, Some(6), WarmState::Running));
    assert_eq!(cpu.node_repair.as_ref().unwrap().overrides[0].action, RepairAction::Reboot);
    assert_eq!((train.capacity, train.efa, train.fallback.is_none()), (Capacity::CapacityBlock, true, true));
    // What is switched off is as if it were not there.
    assert_eq!((&own.warm_pool, &own.node_repair), (&None, &None));
    assert_eq!(manifest.addons["vpc-cni"].identity, Some(Identity::Irsa));
    assert_eq!(manifest.addons["aws-ebs-csi-driver"].identity, Some(Identity::PodIdentity));
    assert_eq!(manifest.addons["coredns"].identity, None);
    assert_eq!(manifest.autoscaler.identity, Identity::PodIdentity);
    assert_eq!(manifest.termination_handler.mode, TerminationMode::Queue);
    assert_eq!((manifest.backup.enabled, manifest.backup.retention_days), (true, 90));
    assert_eq!(manifest.monitoring.namespace.as_deref(), Some("prometheus"));
    assert_eq!(manifest.monitoring.labels["release"], "stack");
    let json = serde_json::to_string(manifest).unwrap();
    assert_eq!(&serde_json::from_str::<Resolved>(&json).unwrap(), manifest);
    // What is written can be written again: JSON is YAML.
    let again = serde_json::to_string(&loaded.raw).unwrap();
    assert_eq!(&load("again.yaml", again.as_bytes(), TODAY).unwrap().manifest, manifest);
}

#[test]
fn errors() {
    let cases: &[(&str, &[&str])] = &[
        // Reserved capacity.
        (
            "node_pools: {cpu: {capacity_reservation: {}}}\n",
            &["6:20: `capacity_reservation` must have exactly one of `id` and `resource_group_arn`"],
        ),
        (
            "node_pools: {cpu: {capacity_reservation: {id: cr-1}}}\n",
            &[
                "6:47: `id` must be a Capacity Reservation's id: `cr-` and 8 or 17 of the characters 0-9 and a-f, not \"cr-1\"",
            ],
        ),
        (
            "node_pools: {gpu: {capacity_reservation: {id: cr-0abcd123}}}\n",
            &["6:20: the pool `gpu` is Spot, and Spot instances never run in reserved capacity"],
        ),
        (
            "node_pools: {gpu: {capacity: capacity_block}}\n",
            &[
                "6:20: the pool `gpu` is a Capacity Block and does not say which",
                "6:14: a Capacity Block is in one zone, and the pool in several subnets",
            ],
        ),
        (
            "node_pools: {gpu: {capacity: capacity_block, subnet_ids: [subnet-0abcd123], instance_types: [g5.xlarge, g6.xlarge], capacity_reservation: {id: cr-0abcd123}, fallback: {}}}\n",
            &[
                "6:77: a Capacity Block has one instance type, and the pool `gpu` names 2",
                "6:158: the pool `gpu` is a Capacity Block, and a fallback stands in for Spot",
            ],
        ),
        (
            "node_pools: {cpu: {subnet_ids: [subnet-0abcd125]}}\n",
            &["6:33: subnet-0abcd125 is not among the subnets of `network`"],
        ),
        // EFA.
        (
            "node_pools: {gpu: {efa: true, instance_types: [g5.xlarge]}}\n",
            &["6:48: rayplat knows no Elastic Fabric Adapter of g5.xlarge"],
        ),
        ("node_pools: {gpu: {efa: true}}\n", &["6:25: rayplat knows no Elastic Fabric Adapter of g4dn.xlarge"]),
        (
            "node_pools: {gpu: {efa: true, instance_types: [p4d.24xlarge, p5.48xlarge]}}\n",
            &["6:62: p5.48xlarge has not as many network cards as p4d.24xlarge: one template serves one number"],
        ),
        // Warm pools and repair.
        (
            "node_pools: {gpu: {warm_pool: {}}}\n",
            &["6:20: the pool `gpu` is not On-Demand, and only On-Demand instances can wait in a warm pool"],
        ),
        (
            "node_pools: {cpu: {warm_pool: {}, image_id: ami-0abcd123}}\n",
            &["6:20: EKS has no warm pools of AMIs of one's own"],
        ),
        (
            "node_pools: {cpu: {ami: BOTTLEROCKET_ARM_64, warm_pool: {state: hibernated}}}\n",
            &["6:65: on Bottlerocket instances neither hibernate nor go back into the warm pool"],
        ),
        (
            "node_pools: {cpu: {warm_pool: {min: 3, max_prepared: 2}}}\n",
            &["6:54: `min` is 3 and `max_prepared` is 2: the instances that wait are among those prepared"],
        ),
        (
            "node_pools: {cpu: {node_repair: {max_parallel_nodes: 1, max_parallel_percent: 10}}}\n",
            &["6:57: `max_parallel_nodes` and `max_parallel_percent` say the same thing twice"],
        ),
        (
            "node_pools: {cpu: {max_pods: 111}}\n",
            &["6:30: m6g.xlarge has 4 vCPUs, and EKS lets nodes under 30 run at most 110 pods"],
        ),
        ("node_pools: {cpu: {max_pods: 500}}\n", &["6:30: `max_pods` must be at most 250, not 500"]),
        (
            "node_pools: {cpu: {image_id: ami-1}}\n",
            &["6:30: `image_id` must be an AMI id: `ami-` and 8 or 17 of the characters 0-9 and a-f, not \"ami-1\""],
        ),
        // The control plane.
        (
            "cluster: {service_cidr: 172.30.0.0}\n",
            &["6:25: `service_cidr` must be an IPv4 network in CIDR notation, not \"172.30.0.0\""],
        ),
        ("cluster: {service_cidr: 300.0.0.0/16}\n", &["6:25: \"300.0.0.0/16\" is not a network in CIDR notation"]),
        ("cluster: {service_cidr: 172.30.0.1/16}\n", &["6:25: 172.30.0.1/16 has bits set after the first 16"]),
        ("cluster: {service_cidr: 8.0.0.0/16}\n", &["6:25: 8.0.0.0/16 cannot be the addresses of Services"]),
        ("cluster: {service_cidr: 10.0.0.0/8}\n", &["6:25: 10.0.0.0/8 cannot be the addresses of Services"]),
        // Components.
        (
            "backup: {schedule: daily}\n",
            &[
                "6:20: `schedule` must be five fields as cron has them: minute, hour, day of the month, month, day of the week, not \"daily\"",
            ],
        ),
        ("backup: {retention_days: 0}\n", &["6:26: `retention_days` must be at least 1, not 0"]),
        ("termination_handler: {mode: sqs}\n", &["6:29: `mode` must be one of imds, queue, not \"sqs\""]),
        (
            "addons: {eks-pod-identity-agent: {enabled: false}, vpc-cni: {identity: irsa}, aws-ebs-csi-driver: {identity: irsa}}\nbackup: {identity: pod_identity}\n",
            &["7:20: `backup` gets its role by Pod Identity, and the agent that hands it out is switched off"],
        ),
        // Monitoring.
        (
            "monitoring: {pod_monitors: true}\n",
            &["6:28: Ray's NetworkPolicies let no Prometheus in whose namespace they do not know"],
        ),
        (
            "ray: {enabled: false}\nmonitoring: {dashboards: true, pod_monitors: true}\n",
            &[
                "7:26: without Ray there is no namespace for the dashboards",
                "7:46: there is no Ray whose pods could be watched",
            ],
        ),
        (
            "kubernetes: {enabled: false}\nmonitoring: {dashboards: true}\n",
            &["7:26: `dashboards` would stand in the cluster, and `kubernetes.enabled` keeps it empty"],
        ),
        (
            "monitoring: {labels: {\"a/b/c\": d}}\n",
            &["6:23: \"a/b/c\" is not a Kubernetes label key: it has the character \"/\""],
        ),
        (
            "monitoring: {namespace: Prometheus}\n",
            &[
                "6:25: `namespace` must be a Kubernetes name: 63 characters at most of a-z, 0-9 and `-`, with neither end a `-`, not \"Prometheus\"",
            ],
        ),
        // Identities.
        ("addons: {coredns: {identity: irsa}}\n", &["6:20: coredns does not call AWS and has no role"]),
        (
            "addons: {eks-pod-identity-agent: {enabled: false}, vpc-cni: {identity: irsa}}\n",
            &[
                "6:44: aws-ebs-csi-driver gets its role by Pod Identity, and the agent that hands it out is switched off",
            ],
        ),
    ];
    for (text, expected) in cases {
        let mut expected: Vec<String> = expected.iter().map(|line| (*line).to_owned()).collect();
        let mut errors = found(text, Severity::Error);
        expected.sort();
        errors.sort();
        assert_eq!(errors, expected, "{text}");
    }
}

#[test]
fn warnings() {
    let cases: &[(&str, &str)] = &[
        (
            "node_pools: {cpu: {capacity_reservation: {id: cr-0abcd123}}}\n",
            "6:20: reserved capacity is in one zone, and these nodes may be launched in others, where it does not count",
        ),
        (
            "node_pools: {cpu: {}, t: {instance_types: [p4d.24xlarge], efa: true}}\n",
            "6:59: EFA traffic stays in one zone, and these nodes may be in several",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(found(text, Severity::Warning), [*expected], "{text}");
    }
    // Without the agent nothing of Pod Identity is left to say.
    let text = "addons: {eks-pod-identity-agent: {enabled: false}, vpc-cni: {identity: irsa}, aws-ebs-csi-driver: {enabled: false}}\n";
    assert_eq!(found(text, Severity::Error), Vec::<String>::new());
}
