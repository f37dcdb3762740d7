#![allow(clippy::unwrap_used)]

use std::time::Duration;

use aws_sdk_iam::error::ProvideErrorMetadata;
use aws_sdk_iam::types::Tag;
use serde_json::json;

use super::super::testing::{ACCOUNT, BASE_MS, iam, rehearsal};
use super::{CALLER_ROLE, RoleProblem, usable_role};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
const CLUSTER_POLICY: &str = "arn:aws:iam::aws:policy/AmazonEKSClusterPolicy";

/// Code and message of a refusal.
fn refusal<T: std::fmt::Debug, E: ProvideErrorMetadata>(result: Result<T, E>) -> (String, String) {
    let error = result.unwrap_err();
    (error.code().unwrap_or_default().to_owned(), error.message().unwrap_or_default().to_owned())
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_role_lives_and_goes_in_the_right_order() {
    let iam = iam(&rehearsal());
    let create = || iam.create_role().role_name("r").assume_role_policy_document(TRUST).tags(tag("a", "1"));
    let role = create().send().await.unwrap().role.unwrap();
    assert_eq!(role.arn(), format!("arn:aws:iam::{ACCOUNT}:role/r"));
    let again = create().send().await.unwrap_err().into_service_error();
    assert!(again.is_entity_already_exists_exception(), "{again:?}");
    iam.attach_role_policy().role_name("r").policy_arn(CLUSTER_POLICY).send().await.unwrap();
    iam.put_role_policy()
        .role_name("r")
        .policy_name("p")
        .policy_document(r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}"#)
        .send()
        .await
        .unwrap();
    let delete = || iam.delete_role().role_name("r").send();
    let words = ("DeleteConflict".to_owned(), "Cannot delete entity, must detach all policies first.".to_owned());
    assert_eq!(refusal(delete().await), words);
    iam.detach_role_policy().role_name("r").policy_arn(CLUSTER_POLICY).send().await.unwrap();
    assert_eq!(refusal(delete().await).1, "Cannot delete entity, must delete policies first.");
    iam.delete_role_policy().role_name("r").policy_name("p").send().await.unwrap();
    delete().await.unwrap();
    let gone = iam.get_role().role_name("r").send().await.unwrap_err().into_service_error();
    assert!(gone.is_no_such_entity_exception());
    assert_eq!(gone.message(), Some("The role with name r cannot be found."));
}

#[tokio::test(start_paused = true)]
async fn answers_keep_what_was_given() {
    let iam = iam(&rehearsal());
    let description = "with <angles> & \"quotes\"\r\n";
    iam.create_role()
        .role_name("r")
        .path("/a/b/")
        .assume_role_policy_document(TRUST)
        .description(description)
        .max_session_duration(7200)
        .tags(tag("k", "ü&<"))
        .send()
        .await
        .unwrap();
    iam.tag_role().role_name("r").tags(tag("K2", "")).send().await.unwrap();
    let role = iam.get_role().role_name("r").send().await.unwrap().role.unwrap();
    assert_eq!(role.path(), "/a/b/");
    assert_eq!(role.description(), Some(description));
    assert_eq!(role.max_session_duration(), Some(7200));
    let document = percent_encoding::percent_decode_str(role.assume_role_policy_document().unwrap());
    assert_eq!(document.decode_utf8().unwrap(), TRUST);
    assert_eq!(role.tags(), [tag("k", "ü&<"), tag("K2", "")]);
    assert!(role.create_date().secs() >= i64::try_from(BASE_MS / 1000).unwrap());
    iam.untag_role().role_name("r").tag_keys("k").send().await.unwrap();
    assert_eq!(iam.list_role_tags().role_name("r").send().await.unwrap().tags(), [tag("K2", "")]);
}

#[tokio::test(start_paused = true)]
async fn other_services_see_a_role_and_its_policies_later() {
    let rehearsal = rehearsal();
    let iam = iam(&rehearsal);
    iam.create_role().role_name("r").assume_role_policy_document(TRUST).send().await.unwrap();
    iam.attach_role_policy().role_name("r").policy_arn(CLUSTER_POLICY).send().await.unwrap();
    let arn = format!("arn:aws:iam::{ACCOUNT}:role/r");
    assert_eq!(rehearsal.with_account(|account| usable_role(account, &arn).err()), Some(RoleProblem::NotYetVisible));
    tokio::time::sleep(Duration::from_secs(15)).await;
    rehearsal.with_account(|account| {
        let role = usable_role(account, &arn).unwrap();
        assert_eq!(role.visible_policy_arns(account.now_ms), [CLUSTER_POLICY]);
        assert!(role.trusts_service(account.now_ms, "eks.amazonaws.com", "sts:AssumeRole"));
        assert!(!role.trusts_service(account.now_ms, "ec2.amazonaws.com", "sts:AssumeRole"));
        let wrong = arn.replace("role/", "role/path/");
        assert_eq!(usable_role(account, &wrong), Err(RoleProblem::Missing));
    });
    let other = TRUST.replace("eks.", "ec2.");
    iam.update_assume_role_policy().role_name("r").policy_document(other).send().await.unwrap();
    let trusts = |service: &str| {
        rehearsal.with_account(|account| {
            let role = usable_role(account, &arn).unwrap();
            role.trusts_service(account.now_ms, service, "sts:AssumeRole")
        })
    };
    assert!(trusts("eks.amazonaws.com") && !trusts("ec2.amazonaws.com"));
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert!(!trusts("eks.amazonaws.com") && trusts("ec2.amazonaws.com"));
}

#[tokio::test(start_paused = true)]
async fn bad_names_and_documents_are_refused() {
    let iam = iam(&rehearsal());
    let create = |name: &str, trust: &str| iam.create_role().role_name(name).assume_role_policy_document(trust).send();
    assert_eq!(refusal(create(&"x".repeat(65), TRUST).await).0, "ValidationError");
    assert_eq!(refusal(create("a/b", TRUST).await).0, "ValidationError");
    for (trust, words) in [
        ("{", "This policy contains invalid Json"),
        (r#"{"Version":"2020-01-01","Statement":[]}"#, "Syntax errors in policy."),
        (&TRUST.replace("sts:AssumeRole", "s3:Get"), "AssumeRole policy may only specify STS AssumeRole actions."),
        (&TRUST.replace("\"Action\"", "\"Resource\":\"*\",\"Action\""), "Has prohibited field Resource"),
        (
            &TRUST.replace("{\"Service\":\"eks.amazonaws.com\"}", "{\"Federated\":\"https://x\"}"),
            "Federated principals must be valid domain names or SAML metadata ARNs",
        ),
        (
            &TRUST.replace(
                "{\"Service\":\"eks.amazonaws.com\"}",
                &format!("{{\"AWS\":\"arn:aws:iam::{ACCOUNT}:role/none\"}}"),
            ),
            &format!("Invalid principal in policy: \"AWS\":\"arn:aws:iam::{ACCOUNT}:role/none\""),
        ),
    ] {
        let expected = ("MalformedPolicyDocument".to_owned(), words.to_owned());
        assert_eq!(refusal(create("r", trust).await), expected, "{trust}");
    }
    let unknown = "arn:aws:iam::aws:policy/AmazonEKSNoSuchPolicy";
    create("r", TRUST).await.unwrap();
    let (code, message) = refusal(iam.attach_role_policy().role_name("r").policy_arn(unknown).send().await);
    assert_eq!(
        (code.as_str(), message),
        ("NoSuchEntity", format!("Policy {unknown} does not exist or is not attachable."))
    );
    let protected = iam.delete_role().role_name(CALLER_ROLE).send().await.unwrap_err().into_service_error();
    assert!(protected.is_unmodifiable_entity_exception());
}

#[tokio::test(start_paused = true)]
async fn lists_come_in_pages() {
    let iam = iam(&rehearsal());
    for index in 0..7 {
        iam.create_role()
            .role_name(format!("r{index}"))
            .path("/p/")
            .assume_role_policy_document(TRUST)
            .send()
            .await
            .unwrap();
    }
    let mut pages = iam.list_roles().path_prefix("/p/").into_paginator().page_size(3).send();
    let mut names = Vec::new();
    let mut count = 0;
    while let Some(page) = pages.next().await {
        count += 1;
        names.extend(page.unwrap().roles.into_iter().map(|role| role.role_name));
    }
    assert_eq!((count, names.join(" ")), (3, "r0 r1 r2 r3 r4 r5 r6".to_owned()));
    assert_eq!(refusal(iam.list_roles().marker("!").send().await).0, "ValidationError");
    assert_eq!(refusal(iam.list_roles().max_items(0).send().await).0, "ValidationError");
}

#[tokio::test(start_paused = true)]
async fn a_policy_has_versions_and_bearers() {
    let iam = iam(&rehearsal());
    let document =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;
    let policy = iam.create_policy().policy_name("p").policy_document(document).send().await.unwrap().policy.unwrap();
    let arn = policy.arn().unwrap();
    let version = || iam.create_policy_version().policy_arn(arn).policy_document(document).set_as_default(true).send();
    for _ in 0..4 {
        version().await.unwrap();
    }
    assert_eq!(refusal(version().await).0, "LimitExceeded");
    iam.create_role().role_name("r").assume_role_policy_document(TRUST).send().await.unwrap();
    iam.attach_role_policy().role_name("r").policy_arn(arn).send().await.unwrap();
    let entities = iam.list_entities_for_policy().policy_arn(arn).send().await.unwrap();
    assert_eq!(entities.policy_roles()[0].role_name(), Some("r"));
    assert_eq!(
        refusal(iam.delete_policy().policy_arn(arn).send().await).1,
        "Cannot delete a policy attached to entities."
    );
    iam.detach_role_policy().role_name("r").policy_arn(arn).send().await.unwrap();
    assert!(refusal(iam.delete_policy().policy_arn(arn).send().await).1.contains("more than one version"));
    let current = iam.delete_policy_version().policy_arn(arn).version_id("v5").send().await;
    assert_eq!(refusal(current).1, "Cannot delete the default version of a policy.");
    for version in ["v1", "v2", "v3", "v4"] {
        iam.delete_policy_version().policy_arn(arn).version_id(version).send().await.unwrap();
    }
    iam.delete_policy().policy_arn(arn).send().await.unwrap();
    assert_eq!(refusal(iam.get_policy().policy_arn(arn).send().await).0, "NoSuchEntity");
}

#[tokio::test(start_paused = true)]
async fn an_oidc_provider_without_thumbprints_gets_one() {
    let iam = iam(&rehearsal());
    let url = "https://oidc.eks.us-east-1.amazonaws.com/id/ABCDEF0123456789";
    let create = || iam.create_open_id_connect_provider().url(url).client_id_list("sts.amazonaws.com").send();
    let created = create().await.unwrap();
    let arn = created.open_id_connect_provider_arn().unwrap();
    assert_eq!(
        arn,
        format!("arn:aws:iam::{ACCOUNT}:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/ABCDEF0123456789")
    );
    assert_eq!(refusal(create().await).1, format!("Provider with url {url} already exists."));
    let get = || iam.get_open_id_connect_provider().open_id_connect_provider_arn(arn).send();
    let provider = get().await.unwrap();
    assert_eq!(provider.url(), Some("oidc.eks.us-east-1.amazonaws.com/id/ABCDEF0123456789"));
    assert_eq!(provider.thumbprint_list()[0].len(), 40);
    let update = |thumbprint: &str| {
        let update = iam.update_open_id_connect_provider_thumbprint().open_id_connect_provider_arn(arn);
        update.thumbprint_list(thumbprint).send()
    };
    assert_eq!(refusal(update("short").await).0, "ValidationError");
    update(&"a".repeat(40)).await.unwrap();
    assert_eq!(get().await.unwrap().thumbprint_list(), ["a".repeat(40)]);
    for _ in 0..2 {
        iam.delete_open_id_connect_provider().open_id_connect_provider_arn(arn).send().await.unwrap();
    }
    assert_eq!(refusal(get().await).0, "NoSuchEntity");
    let http = iam.create_open_id_connect_provider().url("http://x.example").send().await;
    assert_eq!(refusal(http).0, "ValidationError");
}

#[tokio::test(start_paused = true)]
async fn a_service_linked_role_is_made_once_and_stays() {
    let iam = iam(&rehearsal());
    let create = || iam.create_service_linked_role().aws_service_name("eks-nodegroup.amazonaws.com").send();
    let role = create().await.unwrap().role.unwrap();
    assert_eq!(role.role_name(), "AWSServiceRoleForAmazonEKSNodegroup");
    assert_eq!(refusal(create().await).0, "InvalidInput");
    assert_eq!(refusal(iam.delete_role().role_name(role.role_name()).send().await).0, "UnmodifiableEntity");
    assert_eq!(refusal(iam.create_service_linked_role().aws_service_name("é\"x").send().await).0, "ValidationError");
}

#[tokio::test(start_paused = true)]
async fn a_role_in_an_instance_profile_cannot_go() {
    let rehearsal = rehearsal();
    let iam = iam(&rehearsal);
    iam.create_role().role_name("node").assume_role_policy_document(TRUST).send().await.unwrap();
    rehearsal.with_account(|account| account.iam.instance_profiles.insert("eks-1".into(), "node".into()));
    let conflict = refusal(iam.delete_role().role_name("node").send().await);
    assert_eq!(conflict.1, "Cannot delete entity, must remove roles from instance profile first.");
    let listed = iam.list_instance_profiles_for_role().role_name("node").send().await.unwrap();
    assert_eq!(listed.instance_profiles()[0].instance_profile_name(), "eks-1");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_operation_is_no_panic() {
    let error = rehearsal().with_account(|account| super::call(account, "Nonsense", &json!({})).unwrap_err());
    assert_eq!(error.code, "InvalidAction");
}
