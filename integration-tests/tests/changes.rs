//! What a change of a field comes to, kind by kind, on the emulated account: in place, a new
//! object, or a refusal. What is in place is applied, and then nothing is left to do.

#![allow(clippy::unwrap_used)]

use rayplat_engine::{
    apply::Interrupt,
    error::Error,
    event::Events,
    plan::{Plan, render::render},
    provider::Action,
    stack::{Resource, Stack},
    value::Expr,
};
use rayplat_integration_tests::{QUICKSTART, World};
use serde_json::{Value, json};

/// What a change comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comes {
    /// Changed as it stands.
    InPlace,
    /// A new object.
    Replaced,
    /// Refused: there may be no new object, or nothing leads there.
    Refused,
}

use Comes::{InPlace, Refused, Replaced};

/// Resource, field, the new value, what it comes to.
type Row = (&'static str, &'static str, Value, Comes);

fn cluster() -> Vec<Row> {
    let row = |field, value, comes| ("aws:eks:Cluster/main", field, value, comes);
    vec![
        row("kubernetes_version", json!("1.36"), InPlace),
        row("kubernetes_version", json!("1.37"), Refused),
        row("kubernetes_version", json!("1.34"), Refused),
        row("endpoint", json!({"public": true, "private": true, "public_cidrs": ["203.0.113.0/24"]}), InPlace),
        row("log_types", json!(["api", "audit"]), InPlace),
        row("support", json!("EXTENDED"), InPlace),
        row("deletion_protection", json!(true), InPlace),
        row("authentication_mode", json!("CONFIG_MAP"), Refused),
        row("secrets_key_arn", json!(null), Refused),
        row("secrets_key_arn", json!("arn:aws:kms:us-east-1:123456789012:key/other"), Refused),
        row("tags", json!({"Team": "ray"}), InPlace),
        row("name", json!("other"), Refused),
        row("role_arn", json!("arn:aws:iam::123456789012:role/other"), Refused),
        row("bootstrap_creator_admin", json!(true), Refused),
    ]
}

fn node_group() -> Vec<Row> {
    let row = |field, value, comes| ("aws:eks:NodeGroup/cpu", field, value, comes);
    vec![
        row("scaling", json!({"min": 1, "desired": 3, "max": 20}), InPlace),
        row("labels", json!({"pool": "other"}), InPlace),
        row("taints", json!([{"key": "a", "value": "b", "effect": "NO_SCHEDULE"}]), InPlace),
        row("max_unavailable_percentage", json!(50), InPlace),
        row("update_strategy", json!("MINIMAL"), InPlace),
        row("ami_release", json!("1.35.3-20261205"), InPlace),
        row("tags", json!({"Team": "ray"}), InPlace),
        row("kubernetes_version", json!("1.34"), Replaced),
        row("instance_types", json!(["m6g.2xlarge"]), Replaced),
        row("capacity", json!("SPOT"), Replaced),
        row("ami_type", json!("BOTTLEROCKET_ARM_64"), Replaced),
        row("subnet_ids", json!(["subnet-0123456789abcdef0"]), Replaced),
        row("name_prefix", json!("other"), Replaced),
    ]
}

fn in_the_cluster() -> Vec<Row> {
    let addon = |field, value, comes| ("aws:eks:Addon/coredns", field, value, comes);
    let entry = |field, value, comes| ("aws:eks:AccessEntry/caller", field, value, comes);
    let view = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy";
    vec![
        addon("version", json!("v1.13.2-eksbuild.3"), InPlace),
        addon("configuration", json!({"replicaCount": 5}), InPlace),
        addon("tags", json!({"Team": "ray"}), InPlace),
        addon("name", json!("metrics-server"), Replaced),
        entry("policies", json!([{"policy_arn": view, "namespaces": ["default"]}]), InPlace),
        entry("kubernetes_groups", json!(["viewers"]), InPlace),
        entry("tags", json!({"Team": "ray"}), InPlace),
        entry("principal_arn", json!("arn:aws:iam::123456789012:user/other"), Replaced),
    ]
}

fn identity() -> Vec<Row> {
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": [
        "ec2.amazonaws.com", "ssm.amazonaws.com"]}, "Action": "sts:AssumeRole"}]});
    let key = json!({"Version": "2012-10-17", "Statement": [{"Sid": "Root", "Effect": "Allow", "Principal":
        {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*"}]});
    vec![
        ("aws:iam:Role/node", "trust_policy", trust, InPlace),
        ("aws:iam:Role/node", "description", json!("other"), InPlace),
        ("aws:iam:Role/node", "tags", json!({"Team": "ray"}), InPlace),
        ("aws:iam:Role/node", "name_prefix", json!("other"), Replaced),
        ("aws:iam:OpenIdConnectProvider/cluster", "client_ids", json!(["sts.amazonaws.com", "other"]), InPlace),
        ("aws:iam:OpenIdConnectProvider/cluster", "url", json!("https://example.com/id/1"), Replaced),
        ("aws:kms:Key/platform", "policy", key, InPlace),
        ("aws:kms:Key/platform", "description", json!("other"), InPlace),
        ("aws:kms:Key/platform", "tags", json!({"Team": "ray"}), InPlace),
    ]
}

fn machines() -> Vec<Row> {
    let template = |field, value, comes| ("aws:ec2:LaunchTemplate/cpu", field, value, comes);
    vec![
        template("monitoring", json!(true), InPlace),
        template("metadata", json!({"http_tokens": "required", "hop_limit": 2}), InPlace),
        template("instance_tags", json!({"Team": "ray"}), InPlace),
        template("name_prefix", json!("other"), Replaced),
        ("aws:logs:LogGroup/cluster", "retention_days", json!(30), InPlace),
        ("aws:logs:LogGroup/cluster", "kms_key_arn", json!(null), InPlace),
        ("aws:logs:LogGroup/cluster", "name", json!("/other"), Replaced),
        ("aws:ec2:SecurityGroup/node", "tags", json!({"Team": "ray"}), InPlace),
        ("aws:ec2:SecurityGroup/node", "description", json!("other"), Replaced),
    ]
}

/// The quick start with one field of one resource as the row has it. What other resources
/// refer to stays a reference.
fn changed(desired: &Stack, (urn, field, value, _): &Row) -> Stack {
    let mut stack = Stack::new(desired.name());
    let mut found = false;
    for resource in desired.resources() {
        let mut resource: Resource = resource.clone();
        if resource.urn.as_str() == *urn
            && let Expr::Object(entries) = &mut resource.inputs
        {
            for (_, inputs) in entries.iter_mut().filter(|(key, _)| *key == Expr::Value(json!(field))) {
                *inputs = Expr::Value(value.clone());
                found = true;
            }
        }
        stack.insert(resource).unwrap();
    }
    assert!(found, "{urn} has no field {field}");
    stack
}

fn comes_to(planned: Result<&Plan, &Error>, urn: &str) -> Comes {
    match planned {
        Err(Error::Refused { .. } | Error::Protected { .. }) => Refused,
        Err(error) => panic!("{urn}: {error}"),
        Ok(plan) => {
            let step = plan.steps.iter().find(|step| step.urn.as_str() == urn && step.action != Action::Delete);
            match step.unwrap_or_else(|| panic!("{urn}: {}", render(plan))) {
                step if step.pair.is_some() => Replaced,
                step if step.action == Action::Update => InPlace,
                _ => panic!("{urn}: {}", render(plan)),
            }
        }
    }
}

async fn check(row: &Row) {
    let world = World::new(41);
    let desired = world.platform(QUICKSTART).stack;
    world.up(QUICKSTART).await.unwrap();
    let (urn, field, value, expected) = row;
    let what = format!("{urn} {field} {value}");
    let stack = changed(&desired, row);
    let (engine, _) = world.engine().await;
    let planned = engine.preview(&stack, Events::none()).await.map(|preview| preview.plan);
    assert_eq!(comes_to(planned.as_ref(), urn), *expected, "{what}");
    if *expected == InPlace {
        let done = engine.up(&stack, Events::none(), Interrupt::default(), |_| true).await.unwrap();
        assert!(done.summary.complete(), "{what}: {:?}", done.summary);
        let again = engine.preview(&stack, Events::none()).await.unwrap().plan;
        assert!(again.is_empty(), "{what}: {}", render(&again));
    }
}

fn table(rows: &[Row]) {
    for row in rows {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(check(row));
    }
}

#[test]
fn of_a_cluster() {
    table(&cluster());
}

#[test]
fn of_a_node_group() {
    table(&node_group());
}

#[test]
fn of_what_is_in_a_cluster() {
    table(&in_the_cluster());
}

#[test]
fn of_identity_and_keys() {
    table(&identity());
}

#[test]
fn of_templates_groups_and_logs() {
    table(&machines());
}
