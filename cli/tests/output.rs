//! `rayplat output`

#![allow(clippy::unwrap_used)]

mod common;

use common::{Place, QUICKSTART};

#[test]
fn one_and_all() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    let one = place.ok(&["output", "cluster_name", "--rehearse"]);
    assert_eq!(one.stdout, "production-ray-cluster\n");
    let all: serde_json::Value = serde_json::from_str(&place.ok(&["output", "--rehearse", "--json"]).stdout).unwrap();
    for name in [
        "cluster_arn",
        "cluster_certificate_authority",
        "cluster_endpoint",
        "cluster_iam_role_arn",
        "cluster_oidc_issuer_url",
        "cluster_security_group_id",
        "cluster_version",
        "cloudwatch_log_group",
        "cluster_autoscaler_iam_role_arn",
        "cpu_node_group_id",
        "cpu_node_group_status",
        "gpu_node_group_id",
        "gpu_fallback_node_group_id",
        "kubeconfig_command",
        "node_iam_role_arn",
        "node_security_group_id",
        "oidc_provider_arn",
        "region",
    ] {
        assert!(all[name].as_str().is_some_and(|text| !text.is_empty()), "{name}: {}", all[name]);
    }
}

#[test]
fn the_cost_of_a_month_is_an_output() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    let text = place.ok(&["output", "estimated_monthly_cost", "--rehearse"]).stdout;
    assert!(
        text.starts_with("435.26 US dollars a month, with all nodes 1,950.17 to 3,678.08 (by list prices"),
        "{text}"
    );
    let json = place.ok(&["output", "estimated_monthly_cost", "--rehearse", "--json"]).last_json();
    assert_eq!((json["now"]["low"].as_f64(), json["at_most"]["high"].as_f64()), (Some(435.26), Some(3678.08)));
}

#[test]
fn an_unknown_name_is_told_the_known_ones() {
    let place = Place::new();
    place.ok(&["up", "--rehearse", "--yes"]);
    let ran = place.run(&["output", "nope", "--rehearse"]);
    assert_eq!(ran.code, 64);
    assert!(ran.stderr.contains("cluster_endpoint"), "{}", ran.stderr);
}

#[test]
fn without_a_state_it_says_where_it_looked() {
    let ran = Place::new().run(&["output"]);
    assert_eq!(ran.code, 64);
    assert!(ran.stderr.contains(".rayplat/state"), "{}", ran.stderr);
}

/// The names of the Terraform module's outputs. What the platform has not got is `null`.
const OLD_NAMES: [&str; 31] = [
    "access_instructions",
    "cloudwatch_log_group",
    "cluster_arn",
    "cluster_autoscaler_iam_role_arn",
    "cluster_certificate_authority",
    "cluster_endpoint",
    "cluster_iam_role_arn",
    "cluster_id",
    "cluster_name",
    "cluster_oidc_issuer_url",
    "cluster_security_group_id",
    "cluster_version",
    "cpu_node_group_id",
    "cpu_node_group_status",
    "gpu_fallback_node_group_id",
    "gpu_fallback_node_group_status",
    "gpu_node_group_id",
    "gpu_node_group_status",
    "gpu_primary_node_group_id",
    "gpu_primary_node_group_status",
    "kubeconfig_command",
    "kubeconfig_path",
    "node_iam_role_arn",
    "node_security_group_id",
    "oidc_provider_arn",
    "region",
    "resource_tags",
    "node_termination_handler_iam_role_arn",
    "velero_backup_bucket_name",
    "velero_iam_role_arn",
    "estimated_monthly_cost",
];

#[test]
fn every_name_of_the_old_module_is_there_whatever_the_manifest() {
    let place = Place::new();
    let small = QUICKSTART.replace("  gpu: {capacity: spot, max: 5}\n", "");
    place.write("rayplat.yaml", &format!("{small}autoscaler: {{enabled: false}}\ntags: {{team: ml}}\n"));
    place.ok(&["up", "--rehearse", "--yes"]);
    let all: serde_json::Value = serde_json::from_str(&place.ok(&["output", "--rehearse", "--json"]).stdout).unwrap();
    let missing: Vec<&&str> = OLD_NAMES.iter().filter(|name| all.get(**name).is_none()).collect();
    assert_eq!(missing, Vec::<&&str>::new());
    for absent in ["gpu_node_group_id", "gpu_primary_node_group_status", "cluster_autoscaler_iam_role_arn"] {
        assert!(all[absent].is_null(), "{absent}: {}", all[absent]);
        assert_eq!(place.ok(&["output", absent, "--rehearse"]).stdout, "\n");
    }
    assert_eq!(all["kubeconfig_path"], "~/.kube/config-production-ray-cluster");
    assert_eq!(all["resource_tags"]["team"], "ml");
    assert_eq!(all["cpu_node_group_status"], "ACTIVE");
    let instructions = place.ok(&["output", "access_instructions", "--rehearse"]).stdout;
    assert!(instructions.contains(all["kubeconfig_command"].as_str().unwrap()), "{instructions}");
}
