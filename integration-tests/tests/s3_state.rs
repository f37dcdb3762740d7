//! State in S3: a runner killed on moto, and another that takes over; a bad network on the
//! emulated account.

#![allow(clippy::unwrap_used)]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use rayplat_engine::{
    apply::Interrupt,
    context::SystemClock,
    event::{Event, Events},
    ops::{Engine, Options},
    plan::render::render,
    provider::Registry,
    retry::RetryPolicy,
    stack::Stack,
    store::{StateStore, StoreError},
};
use rayplat_integration_tests::{QUICKSTART, World, failures, leftovers, moto::Moto, python};
use rayplat_resources::{
    aws::{
        self, Clients, S3Objects,
        iam_role::{Role, RoleArgs},
        iam_role_policy::{RolePolicy, RolePolicyArgs},
        kms_alias::{Alias, AliasArgs},
        kms_key::{Key, KeyArgs},
        log_group::{LogGroup, LogGroupArgs},
    },
    rehearsal::faults::{FaultKind, FaultRule, Faults},
};
use rayplat_state::{LockOptions, S3Store};
use serde_json::json;

const LEASE: Duration = Duration::from_secs(2);

fn options(command: &str) -> LockOptions {
    LockOptions { command: command.into(), lease: LEASE, clock: Arc::new(SystemClock), alone: false }
}

/// Roles with policies, a key with its alias, log groups: what moto has, several of each, so
/// that a run has a middle.
fn stack() -> Stack {
    let mut stack = Stack::new("shared");
    let root = json!({"AWS": "arn:aws:iam::123456789012:root"});
    let key_policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"},
    ]});
    for index in 0..5 {
        let name = format!("n{index}");
        let trust = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"},
        ]});
        let args = RoleArgs { name_prefix: name.clone().into(), trust_policy: trust.into(), ..RoleArgs::default() };
        let role = stack.add::<Role>(&name, args).unwrap();
        let document = json!({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"},
        ]});
        let args = RolePolicyArgs { role: role.out.name().into(), name: "inline".into(), document: document.into() };
        stack.add::<RolePolicy>(&name, args).unwrap();
        let args = KeyArgs { policy: key_policy.clone().into(), deletion_window_days: 7.into(), ..KeyArgs::default() };
        let key = stack.add::<Key>(&name, args).unwrap();
        let args = AliasArgs { name: format!("alias/{name}").into(), target_key_id: key.out.key_id().into() };
        stack.add::<Alias>(&name, args).unwrap();
        let args = LogGroupArgs { name: format!("/shared/{name}").into(), ..LogGroupArgs::default() };
        stack.add::<LogGroup>(&name, args).unwrap();
    }
    stack
}

async fn engine(clients: &Clients, store: Arc<dyn StateStore>) -> Engine {
    let identity = clients.identity().await.unwrap();
    let mut registry = Registry::new();
    rayplat_resources::register(&mut registry, clients);
    let options = Options {
        parallelism: 2,
        retry: RetryPolicy::default(),
        clock: Arc::new(SystemClock),
        binding: clients.binding(&identity),
        seed: u64::from(std::process::id()),
    };
    Engine::new(registry, store, options)
}

async fn open(clients: &Clients, command: &str) -> Result<S3Store, StoreError> {
    let objects = S3Objects::new(clients.s3.clone(), "s3://state/shared".parse().unwrap(), 1);
    S3Store::open(Arc::new(objects), options(command)).await
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Not a test by itself: the process that the next one kills. It writes a line for each thing
/// made.
#[test]
#[ignore = "a_runner_killed_on_moto runs it"]
fn the_runner() {
    let Some(url) = std::env::var_os("RUNNER_URL") else { return };
    let lines = std::env::var_os("RUNNER_LINES").unwrap();
    runtime().block_on(async {
        let clients = aws::with_keys("us-east-1", url.to_str().unwrap());
        let store = Arc::new(open(&clients, "the first runner").await.unwrap());
        let (events, mut reader) = Events::channel();
        let writer = tokio::spawn(async move {
            let mut text = String::new();
            while let Some(event) = reader.recv().await {
                if let Event::StepFinished { urn, .. } = event {
                    text.push_str(&format!("{urn}\n"));
                    fs::write(&lines, &text).unwrap();
                }
            }
        });
        engine(&clients, store).await.up(&stack(), events, Interrupt::default(), |_| true).await.unwrap();
        writer.await.unwrap();
    });
}

/// Runs the runner until it has made `count` things, and kills it there.
fn killed_after(count: usize, url: &str, folder: &Path) {
    let lines = folder.join(format!("lines-{count}"));
    let mut runner = Command::new(std::env::current_exe().unwrap())
        .args(["the_runner", "--exact", "--ignored"])
        .env("RUNNER_URL", url)
        .env("RUNNER_LINES", &lines)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    loop {
        let made = fs::read_to_string(&lines).unwrap_or_default().lines().count();
        if made >= count {
            break;
        }
        assert!(runner.try_wait().unwrap().is_none(), "the runner ended after {made} things");
        std::thread::sleep(Duration::from_millis(2));
    }
    // SIGKILL.
    runner.kill().unwrap();
    runner.wait().unwrap();
}

#[test]
fn a_runner_killed_on_moto() {
    let Some(bin) = python::environment("a_runner_killed_on_moto") else { return };
    let folder = tempfile::tempdir().unwrap();
    for count in [1, 12] {
        let moto = Moto::new(&bin);
        let runtime = runtime();
        let clients = aws::with_keys("us-east-1", &moto.url);
        runtime.block_on(clients.s3.create_bucket().bucket("state").send()).unwrap();
        killed_after(count, &moto.url, folder.path());
        runtime.block_on(finished(&clients, count));
    }
}

/// The next runner takes over when the lease is over, and finishes with nothing twice.
async fn finished(clients: &Clients, count: usize) {
    let mut refused = 0;
    let store = loop {
        match open(clients, "the second runner").await {
            Ok(store) => break Arc::new(store),
            Err(StoreError::Locked { holder }) => {
                assert!(holder.contains("`the first runner`"), "{holder}");
                refused += 1;
                assert!(refused < 200, "the lock never came free");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(other) => panic!("{count}: {other}"),
        }
    };
    assert!(refused > 0, "{count}: the dead runner's lock was not respected");
    let engine = engine(clients, store.clone()).await;
    let wanted = stack();
    let (events, mut reader) = Events::channel();
    let up = engine.up(&wanted, events, Interrupt::default(), |_| true).await.unwrap();
    let seen: Vec<Event> = std::iter::from_fn(|| reader.try_recv().ok()).collect();
    assert!(up.summary.complete(), "{count}: {:#?}", failures(&seen));
    let again = engine.preview(&wanted, Events::none()).await.unwrap();
    assert!(again.plan.is_empty(), "{count}: {}", render(&again.plan));
    let roles = clients.iam.list_roles().send().await.unwrap();
    assert_eq!(roles.roles().iter().filter(|role| role.path() == "/").count(), 5, "{count}");
    assert_eq!(clients.kms.list_keys().send().await.unwrap().keys().len(), 5, "{count}");
    assert_eq!(clients.logs.describe_log_groups().send().await.unwrap().log_groups().len(), 5, "{count}");
    let down = engine.down("shared", Events::none(), Interrupt::default(), |_| true).await.unwrap();
    assert!(down.summary.complete());
    store.release().await.unwrap();
}

/// The whole platform with its state in the same account's S3, on a bad network for both.
#[test]
fn a_bad_network_for_state_and_platform() {
    for seed in 0..40 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(seed);
            let made =
                world.account.with_account(|account| account.handle("s3", "CreateBucket", &json!({"Bucket": "state"})));
            made.unwrap();
            let mut draw = fastrand::Rng::with_seed(seed);
            let mut rule = |most: f64, kind| FaultRule::anywhere(draw.f64() * most, kind);
            let rules = vec![
                rule(0.05, FaultKind::Throttled),
                rule(0.05, FaultKind::Unavailable),
                rule(0.05, FaultKind::LostBefore),
                rule(0.05, FaultKind::LostAfter),
                rule(0.02, FaultKind::Late(Duration::from_secs(3))),
            ];
            world.account.set_faults(Faults::new(seed, rules));
            let mut last = String::new();
            for attempt in 0..12 {
                let objects =
                    S3Objects::new(world.account.clients().s3, "s3://state/ray".parse().unwrap(), seed + attempt);
                let clock = Arc::new(world.account.clone());
                let options = LockOptions { clock, lease: LockOptions::LEASE, ..options("up") };
                let store = match S3Store::open(Arc::new(objects), options).await {
                    Ok(store) => Arc::new(store),
                    Err(error) => {
                        last = error.to_string();
                        tokio::time::sleep(Duration::from_secs(10)).await;
                        continue;
                    }
                };
                world.store = store.clone();
                match world.up(QUICKSTART).await {
                    Ok((report, _)) if report.summary.complete() => {
                        world.account.set_faults(Faults::default());
                        let again = world.preview(QUICKSTART).await.unwrap();
                        assert!(again.plan.is_empty(), "seed {seed}: {}", render(&again.plan));
                        let one = |what: &str| leftovers(&world).iter().filter(|line| *line == what).count();
                        assert_eq!((one("eks cluster"), one("kms key"), one("iam role")), (1, 1, 5), "seed {seed}");
                        return;
                    }
                    Ok((_, events)) => last = failures(&events).join("\n"),
                    Err(error) => last = error.to_string(),
                }
                drop(store.release().await);
            }
            panic!("seed {seed}: up never finished: {last}");
        });
    }
}
