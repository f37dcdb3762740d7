#![allow(clippy::unwrap_used)]
//! Through the SDK: bucket in the host's name, as on AWS, and in the path.

use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata as _, SdkError},
    primitives::ByteStream,
    types::{
        BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration, Delete, ObjectIdentifier,
        ServerSideEncryption, Tag, VersioningConfiguration,
    },
};
use serde_json::json;

use super::super::testing::{config, kms, rehearsal};
use super::super::{Rehearsal, Seed};
use super::seed_foreign;

fn s3(rehearsal: &Rehearsal) -> Client {
    Client::new(&config(rehearsal))
}

fn code<E: aws_sdk_s3::error::ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> &str {
    error.code().unwrap_or_default()
}

async fn versioned(s3: &Client) {
    s3.create_bucket().bucket("bucket").send().await.unwrap();
    let on = VersioningConfiguration::builder().status(BucketVersioningStatus::Enabled).build();
    s3.put_bucket_versioning().bucket("bucket").versioning_configuration(on).send().await.unwrap();
}

async fn put(s3: &Client, key: &str, text: &'static str) -> String {
    let put = s3.put_object().bucket("bucket").key(key).body(ByteStream::from_static(text.as_bytes()));
    put.send().await.unwrap().e_tag.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_bucket_has_its_tags_from_the_first_moment_and_safe_defaults() {
    for path_style in [false, true] {
        let rehearsal = rehearsal();
        let config = aws_sdk_s3::config::Builder::from(&config(&rehearsal)).force_path_style(path_style).build();
        let s3 = Client::from_conf(config);
        let tag = Tag::builder().key("a").value("b").build().unwrap();
        let tagged = CreateBucketConfiguration::builder().tags(tag.clone()).build();
        s3.create_bucket().bucket("bucket").create_bucket_configuration(tagged).send().await.unwrap();
        let tags = s3.get_bucket_tagging().bucket("bucket").send().await.unwrap();
        assert_eq!(tags.tag_set(), [tag]);
        let block = s3.get_public_access_block().bucket("bucket").send().await.unwrap();
        let block = block.public_access_block_configuration.unwrap();
        assert_eq!(block.restrict_public_buckets, Some(true));
        let encrypted = s3.get_bucket_encryption().bucket("bucket").send().await.unwrap();
        let rules = encrypted.server_side_encryption_configuration.unwrap().rules;
        let default = rules[0].apply_server_side_encryption_by_default.as_ref().unwrap();
        assert_eq!(default.sse_algorithm, ServerSideEncryption::Aes256);
        let location = s3.get_bucket_location().bucket("bucket").send().await.unwrap().location_constraint;
        assert!(location.is_none_or(|location| location.as_str().is_empty()));
        s3.head_bucket().bucket("bucket").send().await.unwrap();
        let missing = s3.head_bucket().bucket("other").send().await.unwrap_err();
        assert!(missing.into_service_error().is_not_found());
        let policy = s3.get_bucket_policy().bucket("bucket").send().await.unwrap_err();
        assert_eq!(code(&policy), "NoSuchBucketPolicy");
        s3.delete_bucket().bucket("bucket").send().await.unwrap();
        assert_eq!(code(&s3.delete_bucket().bucket("bucket").send().await.unwrap_err()), "NoSuchBucket");
    }
}

#[tokio::test(start_paused = true)]
async fn names_are_everybodys() {
    let rehearsal = rehearsal();
    rehearsal.with_account(|account| seed_foreign(account, "taken"));
    let s3 = s3(&rehearsal);
    assert_eq!(code(&s3.create_bucket().bucket("taken").send().await.unwrap_err()), "BucketAlreadyExists");
    assert_eq!(code(&s3.get_bucket_tagging().bucket("taken").send().await.unwrap_err()), "AccessDenied");
    for wrong in ["ab", "UPPER", "a..b", "192.168.0.1", "-ab"] {
        rehearsal.with_account(|account| {
            let refused = account.handle("s3", "CreateBucket", &json!({"Bucket": wrong})).unwrap_err();
            assert_eq!(refused.code, "InvalidBucketName", "{wrong}");
        });
    }
    s3.create_bucket().bucket("mine").send().await.unwrap();
    // The old ways of us-east-1.
    s3.create_bucket().bucket("mine").send().await.unwrap();
    assert_eq!(s3.list_buckets().send().await.unwrap().buckets().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn elsewhere_a_bucket_of_ones_own_is_refused_too() {
    let seed = Seed { account_id: "123456789012".into(), region: "eu-west-1".into(), seed: 1 };
    let rehearsal = Rehearsal::in_memory(&seed, 1_795_478_400_000);
    let s3 = rehearsal.clients().s3;
    let unsaid = s3.create_bucket().bucket("mine").send().await.unwrap_err();
    assert_eq!(code(&unsaid), "IllegalLocationConstraintException");
    let here = CreateBucketConfiguration::builder().location_constraint(BucketLocationConstraint::EuWest1).build();
    let create = s3.create_bucket().bucket("mine").create_bucket_configuration(here);
    create.clone().send().await.unwrap();
    assert_eq!(code(&create.send().await.unwrap_err()), "BucketAlreadyOwnedByYou");
}

#[tokio::test(start_paused = true)]
async fn conditional_writes() {
    let rehearsal = rehearsal();
    let s3 = s3(&rehearsal);
    s3.create_bucket().bucket("bucket").send().await.unwrap();
    let put = |text: &'static str| {
        s3.put_object().bucket("bucket").key("a/b c").body(ByteStream::from_static(text.as_bytes()))
    };
    let absent = put("x").if_match("\"e\"").send().await.unwrap_err();
    assert_eq!(code(&absent), "NoSuchKey");
    let first = put("1").if_none_match("*").send().await.unwrap().e_tag.unwrap();
    assert_eq!(code(&put("2").if_none_match("*").send().await.unwrap_err()), "PreconditionFailed");
    let second = put("2").if_match(&first).send().await.unwrap().e_tag.unwrap();
    let stale = put("3").if_match(&first).send().await.unwrap_err();
    assert_eq!(stale.raw_response().unwrap().status().as_u16(), 412);
    let got = s3.get_object().bucket("bucket").key("a/b c").send().await.unwrap();
    assert_eq!(got.e_tag(), Some(second.as_str()));
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"2");
    let delete = || s3.delete_object().bucket("bucket").key("a/b c");
    assert_eq!(code(&delete().if_match(&first).send().await.unwrap_err()), "PreconditionFailed");
    delete().if_match(&second).send().await.unwrap();
    assert_eq!(code(&delete().if_match(&second).send().await.unwrap_err()), "NoSuchKey");
    assert_eq!(code(&s3.get_object().bucket("bucket").key("a/b c").send().await.unwrap_err()), "NoSuchKey");
}

#[tokio::test(start_paused = true)]
async fn versions_and_delete_markers_keep_a_bucket() {
    let rehearsal = rehearsal();
    let s3 = s3(&rehearsal);
    versioned(&s3).await;
    put(&s3, "a", "1").await;
    put(&s3, "a", "2").await;
    put(&s3, "b", "3").await;
    s3.delete_object().bucket("bucket").key("a").send().await.unwrap();
    assert_eq!(s3.list_objects_v2().bucket("bucket").send().await.unwrap().key_count(), Some(1));
    assert_eq!(code(&s3.delete_bucket().bucket("bucket").send().await.unwrap_err()), "BucketNotEmpty");
    let mut seen = Vec::new();
    let (mut key, mut id) = (None, None);
    loop {
        let list = s3.list_object_versions().bucket("bucket").max_keys(1);
        let page = list.set_key_marker(key).set_version_id_marker(id).send().await.unwrap();
        seen.extend(page.versions().iter().map(|one| (one.key.clone(), one.version_id.clone(), one.is_latest)));
        seen.extend(page.delete_markers().iter().map(|one| (one.key.clone(), one.version_id.clone(), one.is_latest)));
        (key, id) = (page.next_key_marker, page.next_version_id_marker);
        if page.is_truncated != Some(true) {
            break;
        }
    }
    let latest: Vec<Option<bool>> = seen.iter().map(|(_, _, latest)| *latest).collect();
    assert_eq!(latest, [Some(true), Some(false), Some(false), Some(true)]);
    let object = |(key, id, _): (Option<String>, Option<String>, _)| {
        ObjectIdentifier::builder().set_key(key).set_version_id(id).build().unwrap()
    };
    let all = Delete::builder().set_objects(Some(seen.into_iter().map(object).collect())).build().unwrap();
    let deleted = s3.delete_objects().bucket("bucket").delete(all).send().await.unwrap();
    assert_eq!((deleted.deleted().len(), deleted.errors().len()), (4, 0));
    s3.delete_bucket().bucket("bucket").send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn lists_come_in_pages_and_folders() {
    let rehearsal = rehearsal();
    let s3 = s3(&rehearsal);
    versioned(&s3).await;
    for key in ["a/1", "a/2", "b", "c/1", "d"] {
        put(&s3, key, "x").await;
    }
    let mut seen = Vec::new();
    let mut token = None;
    loop {
        let list = s3.list_objects_v2().bucket("bucket").delimiter("/").max_keys(2);
        let page = list.set_continuation_token(token).send().await.unwrap();
        seen.extend(page.contents().iter().filter_map(|one| one.key.clone()));
        seen.extend(page.common_prefixes().iter().filter_map(|one| one.prefix.clone()));
        token = page.next_continuation_token;
        if token.is_none() {
            break;
        }
    }
    seen.sort();
    assert_eq!(seen, ["a/", "b", "c/", "d"]);
    let inside = s3.list_objects_v2().bucket("bucket").prefix("a/").start_after("a/1").send().await.unwrap();
    assert_eq!(inside.contents().iter().map(|one| one.key().unwrap()).collect::<Vec<_>>(), ["a/2"]);
}

#[tokio::test(start_paused = true)]
async fn a_key_must_be_usable() {
    let rehearsal = rehearsal();
    let (s3, kms) = (s3(&rehearsal), kms(&rehearsal));
    versioned(&s3).await;
    let key = kms.create_key().send().await.unwrap().key_metadata.unwrap();
    let put = || {
        let put = s3.put_object().bucket("bucket").key("a").body(ByteStream::from_static(b"x"));
        put.server_side_encryption(ServerSideEncryption::AwsKms).ssekms_key_id(key.key_id())
    };
    let (one, two) = (put().send().await.unwrap(), put().send().await.unwrap());
    assert_eq!(one.ssekms_key_id(), key.arn());
    assert_ne!(one.e_tag(), two.e_tag(), "with KMS an ETag is no digest");
    kms.disable_key().key_id(key.key_id()).send().await.unwrap();
    assert_eq!(code(&put().send().await.unwrap_err()), "KMS.DisabledException");
}

#[tokio::test(start_paused = true)]
async fn a_policy_for_everybody_is_refused_while_it_is_blocked() {
    let rehearsal = rehearsal();
    let s3 = s3(&rehearsal);
    s3.create_bucket().bucket("bucket").send().await.unwrap();
    let policy = |effect: &str, resource: &str| {
        json!({"Statement": [{"Effect": effect, "Principal": "*", "Action": "s3:*", "Resource": resource}]}).to_string()
    };
    let put = |text: String| s3.put_bucket_policy().bucket("bucket").policy(text);
    let inside = "arn:aws:s3:::bucket/*";
    assert_eq!(code(&put("{".into()).send().await.unwrap_err()), "MalformedPolicy");
    assert_eq!(code(&put(policy("Deny", "arn:aws:s3:::other")).send().await.unwrap_err()), "MalformedPolicy");
    assert_eq!(code(&put(policy("Allow", inside)).send().await.unwrap_err()), "AccessDenied");
    put(policy("Deny", inside)).send().await.unwrap();
    let got = s3.get_bucket_policy().bucket("bucket").send().await.unwrap();
    assert_eq!(got.policy(), Some(policy("Deny", inside).as_str()));
    s3.delete_public_access_block().bucket("bucket").send().await.unwrap();
    put(policy("Allow", inside)).send().await.unwrap();
}
