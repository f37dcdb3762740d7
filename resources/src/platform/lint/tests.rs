#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use super::*;
use crate::platform::manifest;

const HEAD: &str = "name: demo\nregion: us-east-1\nnetwork: {vpc_id: vpc-0abcd1234ef567890, \
                    subnet_ids: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]}\n";

fn linted(rest: &str) -> Linted {
    let today = jiff::civil::date(2026, 11, 24);
    let text = format!("{HEAD}{rest}");
    let loaded = manifest::load("rayplat.yaml", text.as_bytes(), today).unwrap_or_else(|found| panic!("{found}"));
    lint(&loaded)
}

/// What breaks each rule, and where it is found.
const BROKEN: &[(&str, &str, usize)] = &[
    ("addon-needed", "addons: {kube-proxy: {enabled: false}}\n", 4),
    ("all-spot", "node_pools:\n  cpu: {capacity: spot}\n", 4),
    ("ami-accelerator", "node_pools:\n  cpu: {instance_types: [m5.xlarge], ami: AL2023_x86_64_NVIDIA}\n", 5),
    ("autoscaler-off", "autoscaler:\n  enabled: false\n", 5),
    ("budget", "node_pools:\n  cpu:\n    max: 60\n", 6),
    ("cidr-overlap", "cluster: {endpoint: {public: true, public_cidrs: [203.0.113.0/24, 203.0.113.7/32]}}\n", 4),
    ("coredns-replicas", "addons:\n  coredns:\n    configuration: {autoScaling: {minReplicas: 2}}\n", 6),
    ("deletion-protection", "", 1),
    ("ebs-csi", "addons:\n  aws-ebs-csi-driver: {enabled: false}\n", 5),
    ("extended-support", "cluster: {kubernetes_version: \"1.33\", support: extended}\n", 4),
    ("gpu-device-plugin", "node_pools:\n  cpu: {}\n  gpu: {}\nkubernetes: {enabled: false}\n", 6),
    ("gpu-disk", "node_pools:\n  cpu: {}\n  gpu:\n    disk: {size_gb: 40}\n", 7),
    ("gpu-taint", "node_pools:\n  cpu: {}\n  gpu:\n    taints: []\n", 7),
    (
        "logs-unencrypted",
        "cluster:\n  secrets_key_arn: arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555\n",
        5,
    ),
    ("max-pods", "addons:\n  vpc-cni:\n    configuration: {env: {ENABLE_PREFIX_DELEGATION: \"false\"}}\n", 6),
    ("mixed-shapes", "node_pools:\n  cpu:\n    instance_types: [m6g.xlarge, m6g.2xlarge]\n", 6),
    ("no-ordinary-node", "node_pools:\n  cpu: {min: 0, desired: 0}\n", 4),
    ("node-group-quota", "node_pools:\n  cpu: {}\n  big: {instance_types: [m5.large], max: 500}\n", 6),
    ("open-endpoint", "cluster: {endpoint: {public: true}}\n", 4),
    ("private-endpoint", "cluster:\n  endpoint:\n    public: false\n", 6),
    (
        "public-only-endpoint",
        "cluster: {endpoint: {public: true, private: false, public_cidrs: [203.0.113.0/24]}}\n",
        4,
    ),
    ("reserved-label", "node_pools:\n  cpu:\n    labels: {kubernetes.io/role: x}\n", 6),
    ("spot-diversity", "node_pools:\n  cpu: {}\n  gpu: {instance_types: [g4dn.xlarge]}\n", 6),
    ("spot-fallback", "node_pools:\n  cpu: {}\n  gpu:\n    fallback: {enabled: false}\n", 7),
    ("support-ends", "cluster: {kubernetes_version: \"1.34\"}\n", 4),
    ("unknown-instance-type", "node_pools:\n  cpu: {instance_types: [m99.large]}\n", 5),
    ("unknown-region", "tags: {}\n", 2),
    ("volume-gp2", "node_pools:\n  cpu:\n    disk: {type: gp2}\n", 6),
];

#[test]
fn every_rule_is_broken_by_its_manifest_at_its_line() {
    let tested: BTreeSet<&str> = BROKEN.iter().map(|(rule, _, _)| *rule).collect();
    let all: BTreeSet<&str> = RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(tested, all);
    for (rule, rest, line) in BROKEN {
        let found = if *rule == "unknown-region" {
            let today = jiff::civil::date(2026, 11, 24);
            let text = format!("{HEAD}{rest}").replace("us-east-1", "us-east-9");
            lint(&manifest::load("f", text.as_bytes(), today).unwrap()).findings
        } else {
            linted(rest).findings
        };
        let hit = found.iter().find(|found| found.rule == Some(rule));
        let hit = hit.unwrap_or_else(|| panic!("{rule} is not found in:\n{rest}\n{found}"));
        assert_eq!(hit.line, *line, "{rule}: {found}");
        let declared = RULES.iter().find(|declared| declared.id == *rule).unwrap();
        assert_eq!(hit.severity, declared.severity, "{rule}");
        assert!(!hit.cure.is_empty() && !hit.message.is_empty());
    }
}

#[test]
fn a_rule_is_quiet_where_it_is_kept() {
    let kept = "cluster:\n  deletion_protection: true\n  endpoint: {public: true, public_cidrs: [203.0.113.0/24]}\n\
                node_pools:\n  cpu: {}\n  gpu:\n    instance_types: [g4dn.xlarge, g5.xlarge, g6.xlarge]\n    \
                ami: BOTTLEROCKET_x86_64_NVIDIA\n    fallback: {max: 1}\n";
    let found: Vec<_> = linted(kept).findings.iter().filter_map(|found| found.rule).collect();
    assert_eq!(found, Vec::<&str>::new());
}

#[test]
fn rules_are_sorted_and_every_finding_has_one() {
    assert!(RULES.windows(2).all(|pair| pair[0].id.replace('-', " ") < pair[1].id.replace('-', " ")));
    for (_, rest, _) in BROKEN {
        for found in linted(rest).findings.iter() {
            let rule = found.rule.unwrap_or_else(|| panic!("a finding without a rule: {}", found.message));
            assert!(RULES.iter().any(|declared| declared.id == rule), "{rule}");
        }
    }
}

#[test]
fn what_is_allowed_is_kept_with_its_reason() {
    let rest =
        "node_pools:\n  cpu:\n    disk: {type: gp2}\nlint:\n  allow:\n    volume-gp2: snapshots of the old cluster\n";
    let linted = linted(rest);
    assert!(linted.findings.iter().all(|found| found.rule != Some("volume-gp2")));
    assert_eq!(linted.allowed.len(), 1);
    assert_eq!(linted.allowed[0].reason, "snapshots of the old cluster");
}

#[test]
fn an_allowance_names_a_rule_that_is_broken_and_says_why() {
    let of = |rest: &str| linted(rest).findings;
    let unknown = of("lint: {allow: {volume-gp3: because we like it so}}\n");
    assert!(unknown.has_errors());
    assert!(unknown.to_string().contains("did you mean volume-gp2?"), "{unknown}");
    let silent = of("autoscaler: {enabled: false}\nlint: {allow: {autoscaler-off: x}}\n");
    assert!(silent.has_errors() && silent.to_string().contains("without a reason"), "{silent}");
    let needless = of("lint: {allow: {volume-gp2: because we like it so}}\n");
    assert!(!needless.has_errors());
    assert!(needless.to_string().contains("nothing breaks it"), "{needless}");
}

#[test]
fn the_docs_list_the_rules() {
    let docs = include_str!("../../../../docs/lint.md");
    let rows: Vec<&str> = docs.lines().filter(|line| line.starts_with("| `")).collect();
    let wanted: Vec<String> =
        RULES.iter().map(|rule| format!("| `{}` | {} | {} |", rule.id, rule.severity, rule.reason)).collect();
    assert_eq!(rows, wanted);
}
