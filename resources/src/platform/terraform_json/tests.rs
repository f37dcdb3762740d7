//! The document of the quick start, and of changes made by hand.

#![allow(clippy::unwrap_used)]

use rayplat_engine::{
    plan::{Pair, Reason, StepId, diff::Change, plan},
    provider::Registry,
    store::{ObjectKey, Phase},
};

use super::*;
use crate::{
    platform::{Setting, build, manifest},
    rehearsal::{Rehearsal, Seed},
};

const QUICKSTART: &str = include_str!("../../../../examples/quickstart.yaml");

fn registry() -> Registry {
    let seed = Seed { account_id: "123456789012".into(), region: "us-east-1".into(), seed: 1 };
    let mut registry = Registry::new();
    crate::register(&mut registry, &Rehearsal::in_memory(&seed, 0).clients());
    registry
}

/// The document of making a platform from nothing.
pub fn made(manifest: &str) -> Value {
    let today = jiff::civil::date(2026, 11, 24);
    let loaded = manifest::load("rayplat.yaml", manifest.as_bytes(), today).unwrap();
    let setting = Setting {
        partition: "aws".into(),
        account: "123456789012".into(),
        region: "us-east-1".into(),
        caller_arn: "arn:aws:iam::123456789012:role/caller".into(),
        zones: Vec::new(),
    };
    let platform = build(&loaded.manifest, &setting).unwrap();
    let state = Checkpoint::default();
    let plan = plan(&platform.stack, &state, &registry()).unwrap();
    document(&plan, &state, "us-east-1")
}

fn find<'a>(document: &'a Value, address: &str) -> &'a Value {
    let changes = document["resource_changes"].as_array().unwrap();
    let found = changes.iter().find(|change| change["address"] == address);
    found.unwrap_or_else(|| panic!("no {address} in {:#?}", addresses(document)))
}

fn addresses(document: &Value) -> Vec<&str> {
    document["resource_changes"].as_array().unwrap().iter().map(|change| text(change, "address")).collect()
}

/// Kinds that are not in the table, of all that are registered. New kinds belong in it.
#[tokio::test(start_paused = true)]
async fn every_kind_has_its_mapping() {
    let registry = registry();
    let without: Vec<_> = registry.kinds().filter(|kind| mapping(kind).is_none()).collect();
    assert_eq!(without, Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn the_quick_start_reads_as_terraform_would_have_it() {
    let document = made(QUICKSTART);
    assert_eq!(document["format_version"], "1.2");
    let template = &find(&document, "aws_launch_template.gpu")["change"];
    assert_eq!(template["actions"], json!(["create"]));
    assert_eq!(template["after"]["metadata_options"][0]["http_tokens"], "required");
    assert_eq!(template["after"]["block_device_mappings"][0]["ebs"][0]["encrypted"], "true");
    assert_eq!(template["after"]["block_device_mappings"][0]["ebs"][0]["volume_size"], 200);
    let cluster = &find(&document, "aws_eks_cluster.main")["change"]["after"];
    assert_eq!(cluster["vpc_config"][0]["endpoint_private_access"], true);
    assert_eq!(cluster["vpc_config"][0]["endpoint_public_access"], false);
    assert_eq!(cluster["version"], "1.35");
    assert_eq!(cluster["encryption_config"][0]["resources"], json!(["secrets"]));
    let gpu = &find(&document, "aws_eks_node_group.gpu")["change"]["after"];
    assert_eq!(gpu["capacity_type"], "SPOT");
    assert_eq!(gpu["scaling_config"], json!([{"desired_size": 0, "max_size": 5, "min_size": 0}]));
    let fallback = &find(&document, "aws_eks_node_group.gpu-fallback")["change"]["after"];
    assert_eq!(fallback["capacity_type"], "ON_DEMAND");
    let role = &find(&document, "aws_iam_role.node")["change"]["after"];
    let trust: Value = serde_json::from_str(role["assume_role_policy"].as_str().unwrap()).unwrap();
    assert_eq!(trust["Statement"][0]["Principal"]["Service"], "ec2.amazonaws.com");
    let association = find(&document, "aws_eks_access_policy_association.caller-AmazonEKSClusterAdminPolicy");
    assert_eq!(association["change"]["after"]["access_scope"][0]["type"], "cluster");
    let log_group = &find(&document, "aws_cloudwatch_log_group.cluster")["change"]["after"];
    assert_eq!(log_group["retention_in_days"], 7);
    let key = &find(&document, "aws_kms_key.platform")["change"]["after"];
    assert_eq!(key["enable_key_rotation"], true);
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_is_said_and_not_shown() {
    let document = made(QUICKSTART);
    let cluster = &find(&document, "aws_eks_cluster.main")["change"];
    assert!(cluster["after"].get("arn").is_none() && cluster["after"].get("role_arn").is_none());
    assert_eq!((&cluster["after_unknown"]["arn"], &cluster["after_unknown"]["role_arn"]), (&json!(true), &json!(true)));
    assert!(cluster["after"]["vpc_config"][0].get("vpc_id").is_none());
    assert_eq!(cluster["after_unknown"]["vpc_config"][0]["vpc_id"], true);
    assert_eq!(cluster["after_unknown"]["vpc_config"][0]["security_group_ids"], json!([true]));
    assert_eq!(cluster["after"]["vpc_config"][0]["security_group_ids"], json!([null]));
    let provider = &find(&document, "aws_iam_openid_connect_provider.cluster")["change"];
    assert_eq!(provider["after_unknown"]["thumbprint_list"], true);
    let text = document.to_string();
    assert!(!text.contains("known after apply"), "no placeholder stands in it");
}

/// What conftest, checkov and OPA rules for Terraform rely on.
#[tokio::test(start_paused = true)]
async fn every_change_has_the_members_of_the_form() {
    let document = made(QUICKSTART);
    let changes = document["resource_changes"].as_array().unwrap();
    let mut seen = BTreeSet::new();
    for change in changes {
        assert!(seen.insert(text(change, "address")), "{} is there twice", change["address"]);
        let (kind, name) = (text(change, "type"), text(change, "name"));
        assert_eq!(text(change, "address"), format!("{kind}.{name}"));
        assert_eq!(change["mode"], "managed");
        assert!(text(change, "provider_name").starts_with("registry.terraform.io/hashicorp/"), "{change:#}");
        for member in ["actions", "before", "after", "after_unknown"] {
            assert!(change["change"].get(member).is_some(), "{member}");
        }
    }
    let planned = document["planned_values"]["root_module"]["resources"].as_array().unwrap();
    assert_eq!(planned.len(), changes.len());
    assert_eq!(planned[0]["values"], changes[0]["change"]["after"]);
}

fn object(urn: &str, generation: u32, deposed: bool, inputs: Value) -> Object {
    Object {
        urn: urn.parse().unwrap(),
        generation,
        phase: Phase::Live,
        deposed,
        data: false,
        id: Some(format!("id-{generation}")),
        nonce: "n".into(),
        inputs,
        outputs: json!({"name": "gpu-1", "arn": "arn:x", "status": "ACTIVE", "autoscaling_group": "asg"}),
        depends_on: Vec::new(),
        replace_order: ReplaceOrder::CreateThenDelete,
        took_ms: None,
        claimed: true,
        pinned: std::collections::BTreeMap::new(),
    }
}

fn step(id: u32, urn: &str, generation: u32, action: Action, planned: Option<Value>) -> Step {
    Step {
        id: StepId(id),
        urn: urn.parse().unwrap(),
        generation,
        action,
        reason: Reason::Changed,
        inputs: None,
        planned: planned.map(Planned::Known),
        depends_on: Vec::new(),
        replace_order: ReplaceOrder::CreateThenDelete,
        pair: None,
        changes: Vec::new(),
        expected_ms: 0,
    }
}

fn group(max: u32, types: &[&str]) -> Value {
    json!({"cluster": "c", "capacity": "SPOT", "instance_types": types, "scaling": {"min": 0, "desired": 0, "max": max}})
}

const GPU: &str = "aws:eks:NodeGroup/gpu";

fn state(objects: impl IntoIterator<Item = Object>) -> Checkpoint {
    Checkpoint { meta: None, objects: objects.into_iter().map(|object| (object.key(), object)).collect() }
}

#[test]
fn an_update_keeps_what_stays() {
    let state = state([object(GPU, 0, false, group(5, &["a"]))]);
    let update = step(0, GPU, 0, Action::Update, Some(group(6, &["a"])));
    let document = document(&Plan { steps: vec![update], ..Plan::default() }, &state, "r");
    let change = &find(&document, "aws_eks_node_group.gpu")["change"];
    assert_eq!(change["actions"], json!(["update"]));
    assert_eq!(change["before"]["scaling_config"][0]["max_size"], 5);
    assert_eq!(change["after"]["scaling_config"][0]["max_size"], 6);
    assert_eq!(change["after"]["node_group_name"], "gpu-1");
    assert_eq!(change["after_unknown"], json!({"status": true}));
}

#[test]
fn a_replacement_is_one_change_and_says_which_attribute_asks_for_it() {
    let state = state([object(GPU, 0, false, group(5, &["a"]))]);
    let types = Change {
        path: "instance_types".into(),
        old: Some(json!(["a"])),
        new: Some(Planned::Known(json!(["b"]))),
        effect: Effect::Replace,
    };
    let size = Change {
        path: "scaling.max".into(),
        old: Some(json!(5)),
        new: Some(Planned::Known(json!(6))),
        effect: Effect::Replace,
    };
    for (order, actions) in [
        (ReplaceOrder::CreateThenDelete, json!(["create", "delete"])),
        (ReplaceOrder::DeleteThenCreate, json!(["delete", "create"])),
    ] {
        let pair = |partner| {
            let old = ObjectKey { urn: GPU.parse().unwrap(), generation: 0 };
            Some(Pair { partner: StepId(partner), old, order, certain: true })
        };
        let mut new = step(0, GPU, 1, Action::Create, Some(group(6, &["b"])));
        let mut old = step(1, GPU, 0, Action::Delete, None);
        (new.pair, old.pair) = (pair(1), pair(0));
        new.changes = vec![types.clone(), size.clone()];
        let document = document(&Plan { steps: vec![new, old], ..Plan::default() }, &state, "r");
        assert_eq!(addresses(&document), ["aws_eks_node_group.gpu"]);
        let change = &document["resource_changes"][0]["change"];
        assert_eq!(change["actions"], actions);
        assert_eq!(change["replace_paths"], json!([["instance_types"], ["scaling_config", 0, "max_size"]]));
        assert_eq!(change["after_unknown"]["arn"], true, "the new one's");
        assert_eq!(change["before"]["arn"], "arn:x");
    }
}

#[test]
fn what_goes_what_is_deposed_and_what_stays() {
    let state = state([
        object(GPU, 0, true, group(5, &["a"])),
        object(GPU, 1, false, group(5, &["b"])),
        object("aws:eks:NodeGroup/old", 0, false, group(5, &["b"])),
    ]);
    let steps = vec![step(0, GPU, 0, Action::Delete, None), step(1, "aws:eks:NodeGroup/old", 0, Action::Delete, None)];
    let plan = Plan { steps, unchanged: vec![GPU.parse().unwrap()], ..Plan::default() };
    let document = document(&plan, &state, "r");
    let seen: Vec<_> = document["resource_changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (text(change, "address"), &change["change"]["actions"][0], change.get("deposed")))
        .collect();
    let (delete, same, zero) = (json!("delete"), json!("no-op"), json!("0"));
    assert_eq!(
        seen,
        [
            ("aws_eks_node_group.gpu", &delete, Some(&zero)),
            ("aws_eks_node_group.gpu", &same, None),
            ("aws_eks_node_group.old", &delete, None),
        ]
    );
    assert!(document["resource_changes"][0]["change"]["after"].is_null());
    assert_eq!(document["planned_values"]["root_module"]["resources"].as_array().unwrap().len(), 1);
}

#[test]
fn a_kind_of_somebody_elses_falls_back_to_its_own_inputs() {
    let made = step(0, "acme:Widget/9 lives".replace(' ', "-").as_str(), 0, Action::Create, Some(json!({"size": 3})));
    let twin = step(1, "acme:Widget/9/lives", 0, Action::Create, Some(json!({"size": 4})));
    let other = step(2, "acme:Widget/9.lives", 0, Action::Create, Some(json!({"size": 5})));
    let plan = Plan { steps: vec![made, twin, other], ..Plan::default() };
    let document = document(&plan, &Checkpoint::default(), "r");
    assert_eq!(
        addresses(&document),
        ["rayplat_acme_widget._9-lives", "rayplat_acme_widget._9_lives", "rayplat_acme_widget._9_lives_2"]
    );
    assert_eq!(document["resource_changes"][0]["change"]["after"], json!({"size": 3}));
    assert_eq!(document["resource_changes"][0]["provider_name"], "rayplat");
}

#[test]
fn an_unencrypted_disk_does_not_pass_for_an_encrypted_one() {
    let inputs = |encrypted: bool| json!({"disk": {"encrypted": encrypted}, "metadata": {}});
    let plan = |encrypted| {
        let made = step(0, "aws:ec2:LaunchTemplate/x", 0, Action::Create, Some(inputs(encrypted)));
        Plan { steps: vec![made], ..Plan::default() }
    };
    let ebs = |encrypted| {
        let document = document(&plan(encrypted), &Checkpoint::default(), "r");
        document["resource_changes"][0]["change"]["after"]["block_device_mappings"][0]["ebs"][0]["encrypted"].clone()
    };
    assert_eq!((ebs(true), ebs(false)), (json!("true"), json!(false)));
}
