#![allow(clippy::unwrap_used)]

use std::time::Duration;

use aws_sdk_kms::Client;
use aws_sdk_kms::error::ProvideErrorMetadata;
use aws_sdk_kms::types::{KeyState, Tag};

use super::super::testing::{ACCOUNT, iam, kms, rehearsal};
use super::{allows_service, allows_service_with};

fn refusal<T: std::fmt::Debug, E: ProvideErrorMetadata>(result: Result<T, E>) -> (String, String) {
    let error = result.unwrap_err();
    (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

fn policy(principal: &str) -> String {
    let root = format!("\"AWS\":\"arn:aws:iam::{ACCOUNT}:root\"");
    format!(
        r#"{{"Version":"2012-10-17","Statement":[
            {{"Effect":"Allow","Principal":{{{root}}},"Action":"kms:*","Resource":"*"}},
            {{"Effect":"Allow","Principal":{{{principal}}},"Action":["kms:Encrypt*","kms:Describe*"],"Resource":"*",
              "Condition":{{"ArnLike":{{"kms:EncryptionContext:aws:logs:arn":"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/eks/*"}}}}}}]}}"#
    )
}

async fn new_key(kms: &Client) -> (String, String) {
    let key = kms.create_key().send().await.unwrap().key_metadata.unwrap();
    (key.key_id, key.arn.unwrap())
}

#[tokio::test(start_paused = true)]
async fn every_create_makes_another_key() {
    let kms = kms(&rehearsal());
    let tag = Tag::builder().tag_key("k").tag_value("v").build().unwrap();
    let first = kms.create_key().tags(tag.clone()).description("d").send().await.unwrap().key_metadata.unwrap();
    let (second, _) = new_key(&kms).await;
    assert_ne!(first.key_id, second);
    let tags = kms.list_resource_tags().key_id(&first.key_id).send().await.unwrap();
    assert_eq!(tags.tags(), [tag]);
    let read = kms.describe_key().key_id(first.arn().unwrap()).send().await.unwrap().key_metadata.unwrap();
    assert_eq!((read.description(), read.key_state()), (Some("d"), Some(&KeyState::Enabled)));
    let mut pages = kms.list_keys().limit(1).into_paginator().items().send();
    let mut count = 0;
    while let Some(key) = pages.next().await {
        key.unwrap();
        count += 1;
    }
    assert_eq!(count, 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_goes_only_after_its_window() {
    let kms = kms(&rehearsal());
    let (id, arn) = new_key(&kms).await;
    kms.create_alias().alias_name("alias/a").target_key_id(&id).send().await.unwrap();
    let schedule = |days| kms.schedule_key_deletion().key_id(&id).pending_window_in_days(days).send();
    let (code, message) = refusal(schedule(6).await);
    assert_eq!(code, "ValidationException");
    assert!(message.ends_with("Member must have value greater than or equal to 7"), "{message}");
    schedule(7).await.unwrap();
    let pending = ("KMSInvalidStateException".to_owned(), format!("{arn} is pending deletion."));
    assert_eq!(refusal(schedule(7).await), pending);
    assert_eq!(refusal(kms.enable_key_rotation().key_id(&id).send().await), pending);
    kms.cancel_key_deletion().key_id(&id).send().await.unwrap();
    let read = kms.describe_key().key_id("alias/a").send().await.unwrap().key_metadata.unwrap();
    assert_eq!(read.key_state(), Some(&KeyState::Disabled));
    assert_eq!(refusal(kms.cancel_key_deletion().key_id(&id).send().await).0, "KMSInvalidStateException");
    schedule(7).await.unwrap();
    tokio::time::sleep(Duration::from_secs(7 * 24 * 3600)).await;
    let gone = refusal(kms.describe_key().key_id(&id).send().await);
    assert_eq!(gone, ("NotFoundException".to_owned(), format!("Key '{arn}' does not exist")));
    assert!(kms.list_aliases().send().await.unwrap().aliases().is_empty());
}

#[tokio::test(start_paused = true)]
async fn policies_must_leave_the_key_manageable() {
    let rehearsal = rehearsal();
    let kms = kms(&rehearsal);
    let create = |policy: &str| kms.create_key().policy(policy).send();
    let lockout = policy("\"AWS\":\"*\"").replace(":root", ":root-x");
    assert_eq!(refusal(create("{").await).0, "MalformedPolicyDocumentException");
    let (_, message) = refusal(create(&lockout).await);
    assert_eq!(message, "Policy contains a statement with one or more invalid principals.");
    let others = r#"{"Statement":[{"Effect":"Allow","Principal":{"Service":"logs.us-east-1.amazonaws.com"},"Action":"kms:*","Resource":"*"}]}"#;
    let (_, message) = refusal(create(others).await);
    assert_eq!(message, "The new key policy will not allow you to update the key policy in the future.");
    // A role is a valid principal only once it is visible outside IAM.
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    iam(&rehearsal).create_role().role_name("r").assume_role_policy_document(trust).send().await.unwrap();
    let with_role = policy(&format!("\"AWS\":\"arn:aws:iam::{ACCOUNT}:role/r\""));
    assert_eq!(refusal(create(&with_role).await).0, "MalformedPolicyDocumentException");
    tokio::time::sleep(Duration::from_secs(10)).await;
    create(&with_role).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_policy_says_which_service_may_use_the_key() {
    let rehearsal = rehearsal();
    let kms = kms(&rehearsal);
    let logs = "logs.us-east-1.amazonaws.com";
    let (id, arn) = new_key(&kms).await;
    let allowed = |action: &str| rehearsal.with_account(|account| allows_service(account, &arn, logs, action));
    assert!(!allowed("kms:Encrypt"));
    let policy = policy(&format!("\"Service\":\"{logs}\""));
    kms.put_key_policy().key_id(&id).policy(&policy).send().await.unwrap();
    assert_eq!(kms.get_key_policy().key_id(&id).send().await.unwrap().policy(), Some(policy.as_str()));
    assert!(allowed("kms:Encrypt") && !allowed("kms:Decrypt"));
    let for_group = |name: &str| {
        let group = format!("arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{name}");
        let context = [("kms:EncryptionContext:aws:logs:arn", group.as_str())];
        rehearsal.with_account(|account| allows_service_with(account, &arn, logs, "kms:Encrypt", &context))
    };
    assert!(for_group("/aws/eks/c/cluster") && !for_group("/other"));
    kms.disable_key().key_id(&id).send().await.unwrap();
    assert!(!allowed("kms:Encrypt"));
}

#[tokio::test(start_paused = true)]
async fn aliases_point_at_keys() {
    let kms = kms(&rehearsal());
    let (one, _) = new_key(&kms).await;
    let (two, _) = new_key(&kms).await;
    let create = |name: &str, key: &str| kms.create_alias().alias_name(name).target_key_id(key).send();
    for name in ["alias/a", "alias/b", "alias/c"] {
        create(name, &one).await.unwrap();
    }
    let twice = (
        "AlreadyExistsException".to_owned(),
        format!("An alias with the name arn:aws:kms:us-east-1:{ACCOUNT}:alias/a already exists"),
    );
    assert_eq!(refusal(create("alias/a", &two).await), twice);
    assert_eq!(refusal(create("a", &two).await).0, "ValidationException");
    assert_eq!(refusal(create("alias/x", "alias/a").await).0, "ValidationException");
    kms.update_alias().alias_name("alias/b").target_key_id(&two).send().await.unwrap();
    let of_one = kms.list_aliases().key_id(&one).limit(1).send().await.unwrap();
    assert!(of_one.truncated);
    let rest = kms.list_aliases().key_id(&one).marker(of_one.next_marker().unwrap()).send().await.unwrap();
    assert_eq!((rest.truncated, rest.aliases()[0].alias_name()), (false, Some("alias/c")));
    kms.delete_alias().alias_name("alias/a").send().await.unwrap();
    let gone = refusal(kms.delete_alias().alias_name("alias/a").send().await);
    assert_eq!(gone.1, format!("Alias arn:aws:kms:us-east-1:{ACCOUNT}:alias/a is not found."));
}

#[tokio::test(start_paused = true)]
async fn rotation_is_switched_on_and_off() {
    let kms = kms(&rehearsal());
    let (id, _) = new_key(&kms).await;
    let rotates = async || kms.get_key_rotation_status().key_id(&id).send().await.unwrap().key_rotation_enabled;
    assert!(!rotates().await);
    kms.enable_key_rotation().key_id(&id).send().await.unwrap();
    assert!(rotates().await);
    kms.disable_key_rotation().key_id(&id).send().await.unwrap();
    assert!(!rotates().await);
    assert_eq!(
        refusal(kms.enable_key_rotation().key_id(&id).rotation_period_in_days(5).send().await).0,
        "ValidationException"
    );
}
