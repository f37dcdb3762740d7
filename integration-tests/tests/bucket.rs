//! A bucket on the emulated account, through the engine: its life, drift, adoption, lost
//! responses, and a process that stops at any call.

#![allow(clippy::unwrap_used)]

use std::{sync::Arc, time::Duration};

use rayplat_engine::{
    apply::Interrupt,
    event::{Event, Events},
    ops::Report,
    plan::render::render,
    stack::Stack,
};
use rayplat_integration_tests::{World, failures, leftovers};
use rayplat_resources::{
    aws::{
        Tags,
        kms_key::{Key, KeyArgs},
        s3_bucket::{Bucket, BucketArgs},
    },
    rehearsal::{
        faults::{FaultKind, FaultRule, Faults, Moment},
        s3,
    },
};
use rayplat_state::MemoryStore;
use serde_json::{Value, json};

const NAME: &str = "ray-backup-123456789012-us-east-1";

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

/// A bucket with everything, and the key that encrypts it.
fn stack(purge: bool, days: u32) -> Stack {
    let mut stack = Stack::new("buckets");
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "kms:*", "Resource": "*",
    }]});
    let args = KeyArgs { policy: policy.into(), deletion_window_days: 7.into(), ..KeyArgs::default() };
    let key = stack.add::<Key>("backup", args).unwrap();
    let args = BucketArgs {
        name: NAME.into(),
        versioning: true.into(),
        kms_key_arn: key.out.arn().into(),
        expire_noncurrent_days: Some(days).into(),
        abort_uploads_days: Some(7).into(),
        purge_on_delete: purge.into(),
        tags: Tags::from([("team".to_owned(), "ml".to_owned())]).into(),
        ..BucketArgs::default()
    };
    stack.add::<Bucket>("backup", args).unwrap();
    stack
}

async fn up(world: &World, stack: &Stack) -> (Report, Vec<Event>) {
    let (events, mut reader) = Events::channel();
    let report = world.engine().await.0.up(stack, events, Interrupt::default(), |_| true).await.unwrap();
    (report, std::iter::from_fn(|| reader.try_recv().ok()).collect())
}

async fn down(world: &World) -> (Report, Vec<Event>) {
    let (events, mut reader) = Events::channel();
    let report = world.engine().await.0.down("buckets", events, Interrupt::default(), |_| true).await.unwrap();
    (report, std::iter::from_fn(|| reader.try_recv().ok()).collect())
}

async fn stands(world: &World, stack: &Stack, what: &str) {
    let (report, events) = up(world, stack).await;
    assert!(report.summary.complete(), "{what}: {:#?}", failures(&events));
    let again = world.engine().await.0.preview(stack, Events::none()).await.unwrap();
    assert!(again.plan.is_empty(), "{what}: {}", render(&again.plan));
    assert_eq!(leftovers(world), ["kms key", "s3 bucket"], "{what}");
}

fn ask(world: &World, operation: &str, mut params: Value) -> Value {
    params["Bucket"] = NAME.into();
    world.account.with_account(|account| account.handle("s3", operation, &params)).unwrap()
}

#[test]
fn it_is_made_kept_so_and_emptied_only_when_asked() {
    block_on(async {
        let world = World::new(31);
        stands(&world, &stack(false, 30), "first").await;
        let encryption = ask(&world, "GetBucketEncryption", json!({}));
        assert_eq!(encryption["Rule"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "aws:kms");
        assert_eq!(encryption["Rule"][0]["BucketKeyEnabled"], true);
        assert_eq!(ask(&world, "GetBucketVersioning", json!({}))["Status"], "Enabled");

        // What somebody took away comes back, and nothing else is touched.
        ask(&world, "DeletePublicAccessBlock", json!({}));
        ask(&world, "DeleteBucketPolicy", json!({}));
        ask(&world, "PutBucketVersioning", json!({"Status": "Suspended"}));
        let rule = json!([{"Status": "Enabled", "Prefix": "", "Expiration": {"Days": 1}}]);
        ask(&world, "PutBucketLifecycleConfiguration", json!({"Rule": rule}));
        let drift = world.engine().await.0.preview(&stack(false, 30), Events::none()).await.unwrap();
        let text = render(&drift.plan);
        for what in ["guards.public_access_blocked", "guards.tls_only", "versioning", "expire_noncurrent_days"] {
            assert!(text.contains(what), "{what}: {text}");
        }
        stands(&world, &stack(false, 30), "mended").await;
        let (changed, _) = up(&world, &stack(false, 10)).await;
        assert_eq!(changed.summary.updated, 1);
        let tags = ask(&world, "GetBucketTagging", json!({}))["TagSet"]["Tag"].to_string();
        assert!(tags.contains("rayplat:nonce"), "{tags}");

        ask(&world, "PutObject", json!({"Key": "a", "Body": "eA=="}));
        ask(&world, "DeleteObject", json!({"Key": "a"}));
        let (refused, events) = down(&world).await;
        assert!(!refused.summary.complete());
        assert!(failures(&events)[0].contains("is not empty: it holds older versions of a"), "{events:#?}");
        up(&world, &stack(true, 10)).await;
        for number in 0..1_500 {
            ask(&world, "PutObject", json!({"Key": format!("many-{number}"), "Body": ""}));
        }
        let (gone, events) = down(&world).await;
        assert!(gone.summary.complete(), "{:#?}", failures(&events));
        assert_eq!(leftovers(&world), Vec::<String>::new());
    });
}

#[test]
fn a_lost_state_is_no_second_bucket_and_a_strangers_is_not_touched() {
    block_on(async {
        let mut world = World::new(32);
        stands(&world, &stack(true, 30), "first").await;
        world.store = Arc::new(MemoryStore::default());
        stands(&world, &stack(true, 20), "adopted").await;

        for other_account in [true, false] {
            let world = World::new(33);
            if other_account {
                world.account.with_account(|account| s3::seed_foreign(account, NAME));
            } else {
                ask(&world, "CreateBucket", json!({}));
            }
            let before = world.account.with_account(|account| account.s3.clone());
            let (refused, events) = up(&world, &stack(true, 30)).await;
            assert_eq!(refused.summary.failed, 1, "{events:#?}");
            let after = world.account.with_account(|account| account.s3.clone());
            assert_eq!(before.buckets, after.buckets);
            let (gone, events) = down(&world).await;
            assert!(gone.summary.complete(), "{:#?}", failures(&events));
            let still = world.account.with_account(|account| account.s3.clone());
            assert_eq!(before.buckets, still.buckets);
        }
    });
}

#[test]
fn lost_responses() {
    let operations = [
        "CreateBucket",
        "PutPublicAccessBlock",
        "PutBucketOwnershipControls",
        "PutBucketPolicy",
        "PutBucketEncryption",
        "PutBucketVersioning",
        "PutBucketLifecycleConfiguration",
    ];
    let kinds = [FaultKind::LostBefore, FaultKind::LostAfter, FaultKind::Late(Duration::from_secs(10))];
    for operation in operations {
        for kind in kinds {
            block_on(async {
                let world = World::new(34);
                world.account.set_faults(Faults::new(1, vec![FaultRule::once("s3", operation, kind)]));
                stands(&world, &stack(true, 30), &format!("{operation}, {kind:?}")).await;
                let struck = world.account.log().iter().filter(|line| line.error.as_deref() == Some("lost")).count();
                assert_eq!(struck, 1, "{operation}");
            });
        }
    }
}

#[test]
fn it_is_finished_by_the_next_run_wherever_this_one_stops() {
    for whole in [true, false] {
        let mut n = 1;
        loop {
            let mut more = false;
            for moment in [Moment::BeforeEffect, Moment::AfterEffect] {
                more |= block_on(async {
                    let world = World::new(35);
                    if !whole {
                        stands(&world, &stack(true, 30), "first").await;
                        ask(&world, "PutObject", json!({"Key": "a", "Body": "eA=="}));
                    }
                    let (faults, reached) = Faults::default().stop_at(n, moment);
                    world.account.set_faults(faults);
                    let (wanted, empty) = (stack(true, 30), Stack::new("buckets"));
                    let stopped = tokio::select! {
                        () = reached.notified() => true,
                        _ = up(&world, if whole { &wanted } else { &empty }) => false,
                    };
                    world.account.set_faults(Faults::default());
                    let what = format!("{whole}: call {n}, {moment:?}");
                    if whole {
                        stands(&world, &wanted, &what).await;
                    } else {
                        let (gone, events) = down(&world).await;
                        assert!(gone.summary.complete(), "{what}: {:#?}", failures(&events));
                        assert_eq!(leftovers(&world), Vec::<String>::new(), "{what}");
                    }
                    stopped
                });
            }
            if !more {
                assert!(n > 5, "{n}");
                break;
            }
            n += 1;
        }
    }
}
