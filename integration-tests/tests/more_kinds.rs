//! Kinds that the quick start does not use, on the emulated account: their whole life,
//! lost responses, a stop at any call, a bad network.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use rayplat_engine::{
    apply::Interrupt,
    error::Error,
    event::{Event, Events},
    input::Input,
    ops::Report,
    plan::render::render,
    stack::{Added, Stack},
    urn::Urn,
    value::Expr,
};
use rayplat_integration_tests::{World, failures, leftovers};
use rayplat_resources::{
    aws::{
        PolicyArn, RoleArn, SubnetId, Tags,
        eks_cluster::{Cluster, ClusterArgs, EndpointAccess},
        eks_pod_identity_association::{PodIdentityAssociation, PodIdentityAssociationArgs},
        events_rule::{Rule, RuleArgs},
        iam_policy::{Policy, PolicyArgs},
        iam_role::{Role, RoleArgs},
        iam_role_policy_attachment::{RolePolicyAttachment, RolePolicyAttachmentArgs},
        sqs_queue::{Encryption, Queue, QueueArgs},
    },
    platform::{Setting, termination},
    rehearsal::faults::{FaultKind, FaultRule, Faults, Moment},
};
use serde_json::{Value, json};

const STACK: &str = "more-kinds";

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

/// What a stack is made with; two of them differ in everything that changes in place.
#[derive(Clone, Copy)]
struct Variant {
    action: &'static str,
    tag: &'static str,
    other_role: bool,
    retention: u32,
    encrypted: bool,
    target: &'static str,
}

const FIRST: Variant = Variant {
    action: "s3:GetObject",
    tag: "first",
    other_role: false,
    retention: 300,
    encrypted: true,
    target: "queue",
};
const SECOND: Variant = Variant {
    action: "s3:PutObject",
    tag: "second",
    other_role: true,
    retention: 600,
    encrypted: false,
    target: "other",
};

fn tags(of: Variant) -> Tags {
    Tags::from([("variant".to_owned(), of.tag.to_owned())])
}

fn trust(service: &str) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow", "Principal": {"Service": service}, "Action": ["sts:AssumeRole", "sts:TagSession"],
        }],
    })
}

fn role(stack: &mut Stack, name: &str, service: &str) -> Added<Role> {
    let args = RoleArgs { name_prefix: name.into(), trust_policy: trust(service).into(), ..RoleArgs::default() };
    stack.add::<Role>(name, args).unwrap()
}

fn attach(stack: &mut Stack, name: &str, role: &Added<Role>, policy: Input<PolicyArn>) -> Urn {
    let args = RolePolicyAttachmentArgs { role: role.out.name().into(), policy_arn: policy };
    stack.add::<RolePolicyAttachment>(name, args).unwrap().urn
}

fn stack(of: Variant) -> Stack {
    let mut stack = Stack::new(STACK);
    let pod = role(&mut stack, "pod", "pods.eks.amazonaws.com");
    let other = role(&mut stack, "other", "pods.eks.amazonaws.com");
    let statement = json!([{"Effect": "Allow", "Action": of.action, "Resource": "*"}]);
    let args = PolicyArgs {
        name_prefix: "pod".into(),
        path: "/rayplat/".into(),
        description: "What the pods may do".into(),
        document: json!({"Version": "2012-10-17", "Statement": statement}).into(),
        tags: tags(of).into(),
    };
    let policy = stack.add::<Policy>("pod", args).unwrap();
    attach(&mut stack, "pod", &pod, policy.out.arn().into());
    let cluster = cluster(&mut stack);
    let of_pods = if of.other_role { &other } else { &pod };
    let args = PodIdentityAssociationArgs {
        cluster: cluster.out.name().into(),
        namespace: "ray".into(),
        service_account: "workers".into(),
        role_arn: of_pods.out.arn().into(),
        target_role_arn: Some(RoleArn::from(format!("arn:aws:iam::999999999999:role/{}", of.tag))).into(),
        tags: tags(of).into(),
    };
    stack.add::<PodIdentityAssociation>("workers", args).unwrap();
    queue_and_rule(&mut stack, of);
    let setting = Setting {
        partition: "aws".into(),
        account: "123456789012".into(),
        region: "us-east-1".into(),
        caller_arn: rayplat_integration_tests::CALLER.into(),
        zones: Vec::new(),
    };
    termination::add_queue(&mut stack, &setting, STACK, &tags(FIRST)).unwrap();
    stack
}

fn queue_and_rule(stack: &mut Stack, of: Variant) {
    let statement = json!({
        "Sid": of.tag, "Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage",
    });
    let args = QueueArgs {
        name_prefix: "events".into(),
        policy: Some(json!({"Version": "2012-10-17", "Statement": [statement]})).into(),
        retention_seconds: of.retention.into(),
        encryption: if of.encrypted { Encryption::Sqs } else { Encryption::Off }.into(),
        tags: tags(of).into(),
    };
    let queue = stack.add::<Queue>("events", args).unwrap();
    let target = (Expr::Value(of.target.into()), queue.out.arn().expr());
    let args = RuleArgs {
        name_prefix: "events".into(),
        description: of.tag.into(),
        pattern: json!({"source": [of.tag]}).into(),
        targets: Input::expr(Expr::Object(vec![target])),
        disabled: of.encrypted.into(),
        tags: tags(of).into(),
    };
    stack.add::<Rule>("events", args).unwrap();
}

fn cluster(stack: &mut Stack) -> Added<Cluster> {
    let role = role(stack, "cluster", "eks.amazonaws.com");
    let policy = PolicyArn::from("arn:aws:iam::aws:policy/AmazonEKSClusterPolicy");
    let attached = attach(stack, "cluster", &role, policy.into());
    let subnets = ["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"].map(SubnetId::from);
    let args = ClusterArgs {
        name: STACK.into(),
        role_arn: role.out.arn().into(),
        kubernetes_version: "1.35".into(),
        support: "STANDARD".into(),
        subnet_ids: subnets.to_vec().into(),
        endpoint: EndpointAccess { public: false, private: true, public_cidrs: vec![] }.into(),
        authentication_mode: "API".into(),
        ..ClusterArgs::default()
    };
    let cluster = stack.add::<Cluster>("main", args).unwrap();
    stack.after(&cluster.urn, &attached).unwrap();
    cluster
}

async fn up(world: &World, of: Variant) -> Result<(Report, Vec<Event>), Error> {
    let (engine, _) = world.engine().await;
    let (events, mut reader) = Events::channel();
    let report = engine.up(&stack(of), events, Interrupt::default(), |_| true).await?;
    Ok((report, std::iter::from_fn(|| reader.try_recv().ok()).collect()))
}

async fn down(world: &World) -> Result<(Report, Vec<Event>), Error> {
    let (engine, _) = world.engine().await;
    let (events, mut reader) = Events::channel();
    let report = engine.down(STACK, events, Interrupt::default(), |_| true).await?;
    Ok((report, std::iter::from_fn(|| reader.try_recv().ok()).collect()))
}

/// `up` completes and leaves nothing to do.
async fn stand(world: &World, of: Variant, what: &str) -> Report {
    let (report, events) = up(world, of).await.unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(report.summary.complete(), "{what}: {:#?}", failures(&events));
    let again = world.engine().await.0.preview(&stack(of), Events::none()).await.unwrap();
    assert!(again.plan.is_empty(), "{what}: {}", render(&again.plan));
    report
}

fn whole() -> Vec<String> {
    block_on(async {
        let world = World::new(51);
        stand(&world, FIRST, "first").await;
        leftovers(&world)
    })
}

#[test]
fn up_change_down() {
    block_on(async {
        let world = World::new(51);
        let up = stand(&world, FIRST, "first").await;
        assert_eq!(up.summary.created, stack(FIRST).len() as u64);
        let change = stand(&world, SECOND, "second").await;
        let summary = &change.summary;
        assert_eq!((summary.created, summary.replaced, summary.deleted, summary.failed), (0, 0, 0, 0), "{summary:?}");
        assert_eq!(summary.updated, UPDATED, "{}", render(&change.plan));
        let (down, events) = down(&world).await.unwrap();
        assert!(down.summary.complete(), "{:#?}", failures(&events));
        assert_eq!(leftovers(&world), Vec::<String>::new());
    });
}

/// How many resources differ between the two variants.
const UPDATED: u64 = 4;

/// The state is gone: what stands is found again by names and tags, and nothing is to do.
#[test]
fn a_lost_state_is_adopted() {
    block_on(async {
        let world = World::new(53);
        stand(&world, FIRST, "first").await;
        let whole = leftovers(&world);
        let lost = World { store: std::sync::Arc::new(rayplat_state::MemoryStore::default()), ..world };
        stand(&lost, FIRST, "without its state").await;
        assert_eq!(leftovers(&lost), whole);
        let (down, events) = down(&lost).await.unwrap();
        assert!(down.summary.complete(), "{:#?}", failures(&events));
        assert_eq!(leftovers(&lost), Vec::<String>::new());
    });
}

/// Ten changes of a document: never more than five versions, and the last one in force.
#[test]
fn a_policy_changes_as_often_as_one_likes() {
    block_on(async {
        let world = World::new(52);
        for round in 0..5 {
            stand(&world, FIRST, &format!("{round}, first")).await;
            stand(&world, SECOND, &format!("{round}, second")).await;
        }
        world.account.with_account(|account| {
            let policy = account.iam.policies.values().next().unwrap();
            assert_eq!((policy.versions.len(), policy.default_version), (5, 10));
            assert!(policy.versions.last().unwrap().document.contains("s3:PutObject"));
        });
    });
}

const LOST: [FaultKind; 3] = [FaultKind::LostBefore, FaultKind::LostAfter, FaultKind::Late(Duration::from_secs(10))];

/// What makes things, and what changes them.
const CREATES: [(&str, &str); 7] = [
    ("iam", "CreatePolicy"),
    ("iam", "AttachRolePolicy"),
    ("eks", "CreatePodIdentityAssociation"),
    ("sqs", "CreateQueue"),
    ("sqs", "SetQueueAttributes"),
    ("events", "PutRule"),
    ("events", "PutTargets"),
];
const CHANGES: [(&str, &str); 10] = [
    ("sqs", "SetQueueAttributes"),
    ("sqs", "TagQueue"),
    ("events", "PutRule"),
    ("events", "PutTargets"),
    ("events", "RemoveTargets"),
    ("events", "TagResource"),
    ("iam", "CreatePolicyVersion"),
    ("iam", "TagPolicy"),
    ("eks", "UpdatePodIdentityAssociation"),
    ("eks", "TagResource"),
];

#[test]
fn one_lost_response_of_each_creation() {
    let whole = whole();
    for (service, operation) in CREATES {
        for kind in LOST {
            block_on(async {
                let world = World::new(51);
                let what = format!("{operation}, {kind:?}");
                world.account.set_faults(Faults::new(1, vec![FaultRule::once(service, operation, kind)]));
                stand(&world, FIRST, &what).await;
                let struck = world.account.log().iter().filter(|line| line.error.as_deref() == Some("lost")).count();
                assert_eq!(struck, 1, "{what}");
                tokio::time::sleep(Duration::from_secs(20)).await;
                assert_eq!(leftovers(&world), whole, "{what}");
            });
        }
    }
}

#[test]
fn one_lost_response_of_each_change() {
    let whole = whole();
    for (service, operation) in CHANGES {
        for kind in LOST {
            block_on(async {
                let world = World::new(51);
                let what = format!("{operation}, {kind:?}");
                stand(&world, FIRST, &what).await;
                world.account.set_faults(Faults::new(1, vec![FaultRule::once(service, operation, kind)]));
                stand(&world, SECOND, &what).await;
                let struck = world.account.log().iter().filter(|line| line.error.as_deref() == Some("lost")).count();
                assert_eq!(struck, 1, "{what}");
                tokio::time::sleep(Duration::from_secs(20)).await;
                stand(&world, SECOND, &what).await;
                assert_eq!(leftovers(&world), whole, "{what}");
            });
        }
    }
}

/// Stops `run` at its n-th call. False if it has fewer.
async fn stopped<F: Future>(world: &World, n: u64, moment: Moment, run: F) -> bool {
    let (faults, reached) = Faults::default().stop_at(n, moment);
    world.account.set_faults(faults);
    let stopped = tokio::select! {
        () = reached.notified() => true,
        _ = run => false,
    };
    world.account.set_faults(Faults::default());
    stopped
}

const MOMENTS: [Moment; 2] = [Moment::BeforeEffect, Moment::AfterEffect];

#[test]
fn a_stop_at_any_call_is_finished_by_the_next_run() {
    let whole = whole();
    // Most calls are waits for the cluster: every third, and every one with RAYPLAT_CRASH_ALL set.
    let stride = if std::env::var_os("RAYPLAT_CRASH_ALL").is_some() { 1 } else { 3 };
    for n in (1..).step_by(stride) {
        let mut more = false;
        for moment in MOMENTS {
            more |= block_on(async {
                let what = format!("stopped at call {n}, {moment:?}");
                let world = World::new(51);
                let first = stopped(&world, n, moment, up(&world, FIRST)).await;
                stand(&world, FIRST, &what).await;
                assert_eq!(leftovers(&world), whole, "{what}");
                let second = stopped(&world, n, moment, up(&world, SECOND)).await;
                stand(&world, SECOND, &what).await;
                assert_eq!(leftovers(&world), whole, "{what}");
                let third = stopped(&world, n, moment, down(&world)).await;
                let (report, events) = down(&world).await.unwrap();
                assert!(report.summary.complete(), "{what}: {:#?}", failures(&events));
                assert_eq!(leftovers(&world), Vec::<String>::new(), "{what}");
                first || second || third
            });
        }
        if !more {
            assert!(n > 8, "the runs have only {n} calls");
            return;
        }
    }
}

async fn through(seed: u64, whole: &[String]) {
    let world = World::new(seed);
    let mut draw = fastrand::Rng::with_seed(seed);
    let mut rule = |most: f64, kind| FaultRule::anywhere(draw.f64() * most, kind);
    let rules = vec![
        rule(0.10, FaultKind::Throttled),
        rule(0.05, FaultKind::ServerError),
        rule(0.05, FaultKind::Unavailable),
        rule(0.05, FaultKind::LostBefore),
        rule(0.05, FaultKind::LostAfter),
        rule(0.02, FaultKind::Late(Duration::from_secs(6))),
    ];
    world.account.set_faults(Faults::new(seed, rules));
    for of in [FIRST, SECOND] {
        until_complete(seed, async || up(&world, of).await).await;
        assert_eq!(leftovers(&world), whole, "seed {seed}");
    }
    until_complete(seed, async || down(&world).await).await;
    assert_eq!(leftovers(&world), Vec::<String>::new(), "seed {seed}");
}

async fn until_complete(seed: u64, run: impl AsyncFn() -> Result<(Report, Vec<Event>), Error>) {
    let mut last = String::new();
    for _ in 0..8 {
        match run().await {
            Ok((report, _)) if report.summary.complete() => return,
            Ok((_, events)) => last = failures(&events).join("\n"),
            Err(error) => last = error.to_string(),
        }
    }
    panic!("seed {seed}: never finished: {last}");
}

/// A hundred seeds; `RAYPLAT_FAULT_SEEDS` sets another number.
#[test]
fn a_hundred_seeds() {
    let seeds = std::env::var("RAYPLAT_FAULT_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(100u64);
    let whole = whole();
    for seed in 0..seeds {
        block_on(through(seed, &whole));
    }
}
