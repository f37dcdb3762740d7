//! The least policy of a platform: the whole life passes under it, and under nothing less.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeSet, sync::Arc};

use rayplat_engine::store::StateStore;
use rayplat_integration_tests::{CALLER, QUICKSTART, World, load, operations::used};
use rayplat_resources::{
    platform::{Setting, manifest::Manifest},
    rehearsal::{
        Rehearsal,
        life::{self, Life, Lived},
        permissions::{self, Documents, Policy},
    },
};
use rayplat_state::MemoryStore;
use serde_json::{Value, json};

fn setting() -> Setting {
    Setting {
        partition: "aws".into(),
        account: "123456789012".into(),
        region: "us-east-1".into(),
        caller_arn: CALLER.into(),
        zones: Vec::new(),
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

/// A life on accounts where the caller may do what the policy allows.
fn lived(manifest: &Manifest, policy: Option<&Policy>) -> Lived {
    let account = || -> Rehearsal {
        let account = World::new(5).account;
        if let Some(policy) = policy {
            account.enforce(policy.clone());
        }
        account
    };
    let store = || -> Arc<dyn StateStore> { Arc::new(MemoryStore::default()) };
    let life = Life { manifest, setting: &setting(), account: &account, store: &store, patient: false };
    block_on(life::live(&life)).unwrap()
}

fn quickstart() -> (Manifest, Documents) {
    let manifest = load(QUICKSTART).raw;
    let lived = lived(&manifest, None);
    assert_eq!(lived.remarks, Vec::<String>::new());
    let documents = life::policy(&lived, &manifest);
    (manifest, documents)
}

#[test]
fn every_operation_of_the_kinds_has_its_permissions() {
    let unknown: Vec<String> = used()
        .into_iter()
        .filter(|call| call.split_once(',').is_none_or(|(service, operation)| !permissions::knows(service, operation)))
        .collect();
    assert!(unknown.is_empty(), "resources/src/rehearsal/permissions/table.rs has no row for {unknown:?}");
}

#[test]
fn the_quick_start_lives_under_its_policy() {
    let (manifest, documents) = quickstart();
    assert!(documents.0.iter().all(|document| document.to_string().len() <= permissions::LIMIT));
    let policy = Policy::parse(&documents.json()).unwrap();
    assert_eq!(lived(&manifest, Some(&policy)).remarks, Vec::<String>::new());
    // What AWS cannot narrow, and nothing else, is allowed everywhere.
    for statement in documents.statements().filter(|statement| statement["Resource"] == json!(["*"])) {
        for action in statement["Action"].as_array().unwrap() {
            let action = action.as_str().unwrap();
            let verb = action.split(':').nth(1).unwrap();
            let looks = ["Describe", "List", "Get"].iter().any(|look| verb.starts_with(look));
            assert!(looks || action == "kms:CreateKey", "{action} is allowed on everything");
        }
    }
    let conditions: Vec<&Value> = documents.statements().filter_map(|statement| statement.get("Condition")).collect();
    for key in [
        "iam:PassedToService",
        "iam:AWSServiceName",
        "kms:GrantIsForAWSResource",
        "ec2:CreateAction",
        "iam:PolicyARN",
        r#""aws:ResourceTag/cluster.k8s.amazonaws.com/name":"production-ray-cluster""#,
    ] {
        assert!(conditions.iter().any(|condition| condition.to_string().contains(key)), "{key}: {conditions:#?}");
    }
}

/// Takes one action out of one statement.
fn without(documents: &Documents, sid: &str, action: &str) -> Policy {
    let mut all = Vec::new();
    for statement in documents.statements() {
        let mut statement = statement.clone();
        if statement["Sid"] == sid {
            statement["Action"].as_array_mut().unwrap().retain(|one| one != action);
        }
        all.push(statement);
    }
    Policy::parse(&json!({"Statement": all})).unwrap()
}

/// The engine's runs do not ask for prices: an estimate falls back to the program's table.
const NOT_OF_A_RUN: [&str; 1] = ["pricing:GetProducts"];

#[test]
fn nothing_in_the_policy_can_be_left_out() {
    let (manifest, documents) = quickstart();
    let mut actions = BTreeSet::new();
    for statement in documents.statements() {
        let sid = statement["Sid"].as_str().unwrap();
        for action in statement["Action"].as_array().unwrap().iter().map(|action| action.as_str().unwrap()) {
            if NOT_OF_A_RUN.contains(&action) {
                continue;
            }
            actions.insert(action.to_owned());
            let failed = lived(&manifest, Some(&without(&documents, sid, action))).remarks;
            let told = failed.iter().any(|remark| remark.contains("(Allow ") && remark.contains(action));
            assert!(told, "without {action} of {sid}: {failed:?}");
        }
    }
    assert!(actions.len() > 60, "{actions:?}");
}
