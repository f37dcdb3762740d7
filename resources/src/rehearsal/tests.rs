//! The handle: clock, faults, stop points, folder.

#![allow(clippy::unwrap_used)]

use std::{fs, time::Duration};

use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};

use super::faults::{FaultKind, FaultRule, Faults, Moment};
use super::testing::{BASE_MS, REGION, iam, kms, logs, rehearsal, seed, sts};
use super::{Account, Rehearsal, RehearsalError, Seed};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;

fn keys(rehearsal: &Rehearsal) -> usize {
    rehearsal.with_account(|account: &mut Account| account.kms.keys.len())
}

fn once(rehearsal: &Rehearsal, kind: FaultKind) {
    rehearsal.set_faults(Faults::new(1, vec![FaultRule::once("kms", "CreateKey", kind)]));
}

fn code<T: std::fmt::Debug, E: ProvideErrorMetadata>(result: Result<T, E>) -> String {
    result.unwrap_err().code().unwrap_or_default().to_owned()
}

#[tokio::test(start_paused = true)]
async fn time_is_virtual_and_calls_take_some() {
    let rehearsal = rehearsal();
    let began = std::time::Instant::now();
    for _ in 0..10 {
        sts(&rehearsal).get_caller_identity().send().await.unwrap();
    }
    let passed = rehearsal.now_ms() - BASE_MS;
    assert!((400..=1600).contains(&passed), "{passed}");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(rehearsal.now_ms() >= BASE_MS + 3_600_000);
    assert!(began.elapsed() < Duration::from_secs(30), "an hour must not take its time");
    let calls = rehearsal.calls();
    assert_eq!(calls[&("sts".to_owned(), "GetCallerIdentity".to_owned())], 10);
}

#[tokio::test(start_paused = true)]
async fn a_lost_response_tells_nothing_of_the_effect() {
    for (kind, effect) in [(FaultKind::LostBefore, 0), (FaultKind::LostAfter, 1)] {
        let rehearsal = rehearsal();
        once(&rehearsal, kind);
        let error = kms(&rehearsal).create_key().send().await.unwrap_err();
        assert!(matches!(&error, SdkError::DispatchFailure(failure) if failure.is_io()), "{error:?}");
        assert_eq!(keys(&rehearsal), effect, "{kind:?}");
        assert_eq!(rehearsal.log().last().unwrap().error.as_deref(), Some("lost"));
        kms(&rehearsal).create_key().send().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_may_appear_after_its_response_was_lost() {
    let rehearsal = rehearsal();
    once(&rehearsal, FaultKind::Late(Duration::from_secs(10)));
    let before = rehearsal.now_ms();
    kms(&rehearsal).create_key().send().await.unwrap_err();
    assert!(rehearsal.now_ms() < before + 1000, "the caller hears at once");
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(keys(&rehearsal), 0);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(keys(&rehearsal), 1);
    let created = rehearsal.with_account(|account| account.kms.keys.values().next().unwrap().created_ms);
    assert!((10_000..11_000).contains(&(created - before)), "{created}");
}

#[tokio::test(start_paused = true)]
async fn services_refuse_in_their_own_words() {
    let rehearsal = rehearsal();
    let everywhere = |kind| rehearsal.set_faults(Faults::new(1, vec![FaultRule::anywhere(1.0, kind)]));
    everywhere(FaultKind::Throttled);
    assert_eq!(code(iam(&rehearsal).list_roles().send().await), "Throttling");
    assert_eq!(code(kms(&rehearsal).list_keys().send().await), "ThrottlingException");
    assert_eq!(code(logs(&rehearsal).describe_log_groups().send().await), "ThrottlingException");
    everywhere(FaultKind::ServerError);
    assert_eq!(code(iam(&rehearsal).list_roles().send().await), "ServiceFailure");
    everywhere(FaultKind::Unavailable);
    let error = sts(&rehearsal).get_caller_identity().send().await.unwrap_err();
    assert_eq!(error.raw_response().unwrap().status().as_u16(), 503);
    assert_eq!(keys(&rehearsal), 0);
    once(&rehearsal, FaultKind::ServerErrorAfter);
    assert_eq!(code(kms(&rehearsal).create_key().send().await), "KMSInternalException");
    assert_eq!(keys(&rehearsal), 1);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_felt_after_a_while_and_leaves_doubt() {
    let rehearsal = rehearsal();
    let rules = vec![FaultRule::anywhere(1.0, FaultKind::Timeout)];
    rehearsal.set_faults(Faults::new(3, rules));
    let kms = kms(&rehearsal);
    for _ in 0..20 {
        let before = rehearsal.now_ms();
        let error = kms.create_key().send().await.unwrap_err();
        let timed_out = matches!(&error, SdkError::TimeoutError(_))
            || matches!(&error, SdkError::DispatchFailure(failure) if failure.is_timeout());
        assert!(timed_out, "{error:?}");
        assert!(rehearsal.now_ms() - before >= 1000);
    }
    let made = keys(&rehearsal);
    assert!((1..20).contains(&made), "some took effect, some did not: {made}");
}

#[tokio::test(start_paused = true)]
async fn at_the_stop_point_the_caller_is_dead() {
    for (moment, effects) in [(Moment::BeforeEffect, 2), (Moment::AfterEffect, 3)] {
        let rehearsal = rehearsal();
        let (faults, reached) = Faults::default().stop_at(3, moment);
        rehearsal.set_faults(faults);
        let kms = kms(&rehearsal);
        // Five at once: those after the third must not take effect either. The SDK may give
        // up by itself while it waits; what counts is that nobody is answered.
        let call = async || tokio::time::timeout(Duration::from_secs(60), kms.create_key().send()).await;
        let (one, two, three, four, five) = tokio::join!(call(), call(), call(), call(), call());
        reached.notified().await;
        let answered = [one, two, three, four, five].into_iter().filter(|call| matches!(call, Ok(Ok(_)))).count();
        assert_eq!(answered, 2, "{moment:?}");
        assert_eq!(keys(&rehearsal), effects, "{moment:?}");
        rehearsal.set_faults(Faults::default());
        kms.create_key().send().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_account() {
    let run = async || {
        let rehearsal = rehearsal();
        rehearsal.set_faults(Faults::new(5, vec![FaultRule::anywhere(0.3, FaultKind::LostAfter)]));
        for index in 0..20 {
            let role = iam(&rehearsal).create_role().role_name(format!("r{index}"));
            drop(role.assume_role_policy_document(TRUST).send().await);
        }
        let log = rehearsal.log();
        rehearsal.with_account(|account| (serde_json::to_string(account).unwrap(), log))
    };
    let (first, second) = (run().await, run().await);
    assert_eq!(first, second);
    assert!(first.1.iter().any(|line| line.error.is_some()));
    assert!(first.1.iter().any(|line| line.resource == "r3"));
}

#[tokio::test(start_paused = true)]
async fn an_account_outlives_its_process() {
    let folder = tempfile::tempdir().unwrap();
    let first = Rehearsal::open(folder.path(), &seed(), BASE_MS).unwrap();
    iam(&first).create_role().role_name("r").assume_role_policy_document(TRUST).send().await.unwrap();
    first.with_account(|account| account.iam.instance_profiles.insert("p".into(), "r".into()));
    once(&first, FaultKind::Late(Duration::from_secs(10)));
    kms(&first).create_key().send().await.unwrap_err();
    // Only looked at, for a long time.
    tokio::time::sleep(Duration::from_secs(600)).await;
    iam(&first).get_role().role_name("r").send().await.unwrap();
    let last_call_ms = first.now_ms() - 200;
    drop(first);
    let second = Rehearsal::open(folder.path(), &seed(), BASE_MS).unwrap();
    assert!(second.now_ms() >= last_call_ms, "time goes on where it was");
    iam(&second).get_role().role_name("r").send().await.unwrap();
    second.with_account(|account| assert_eq!(account.iam.instance_profiles["p"], "r"));
    assert_eq!(keys(&second), 1, "the late key appears in the next process");
}

#[tokio::test(start_paused = true)]
async fn what_is_late_survives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let first = Rehearsal::open(folder.path(), &seed(), BASE_MS).unwrap();
    once(&first, FaultKind::Late(Duration::from_secs(10)));
    kms(&first).create_key().send().await.unwrap_err();
    drop(first);
    let second = Rehearsal::open(folder.path(), &seed(), BASE_MS).unwrap();
    assert_eq!(keys(&second), 0);
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!(keys(&second), 1);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_or_foreign_folder_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("account.json");
    let open = |seed: &Seed| Rehearsal::open(folder.path(), seed, BASE_MS);
    drop(open(&seed()).unwrap());
    let other = Seed { account_id: "999999999999".to_owned(), ..seed() };
    assert!(matches!(open(&other), Err(RehearsalError::Other { .. })));
    let whole = fs::read(&file).unwrap();
    for damaged in [&whole[..whole.len() / 2], b"", b"{}"] {
        fs::write(&file, damaged).unwrap();
        let error = open(&seed()).unwrap_err();
        assert!(error.to_string().contains("account.json"), "{error}");
        assert!(error.hint().contains("delete"), "{}", error.hint());
        assert_eq!(fs::read(&file).unwrap(), damaged, "nothing is replaced");
    }
    fs::write(&file, &whole).unwrap();
    open(&seed()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_cannot_be_written_refuses_calls() {
    let folder = tempfile::tempdir().unwrap();
    let rehearsal = Rehearsal::open(folder.path(), &seed(), BASE_MS).unwrap();
    let blocker = folder.path().join("account.json.new");
    fs::create_dir(&blocker).unwrap();
    let error = kms(&rehearsal).create_key().send().await.unwrap_err();
    assert_eq!(error.code(), Some("InternalFailure"));
    assert!(error.message().unwrap().contains("account.json"), "{:?}", error.message());
    assert_eq!(code(kms(&rehearsal).create_key().send().await), "InternalFailure");
    fs::remove_dir(&blocker).unwrap();
    rehearsal.save().unwrap();
    kms(&rehearsal).create_key().send().await.unwrap();
    assert_eq!(REGION, rehearsal.with_account(|account| account.region.clone()));
}
