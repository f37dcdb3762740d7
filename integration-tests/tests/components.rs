//! What runs in the cluster and calls AWS: roles by both ways, the termination queue, and
//! backups, which outlive their platform until somebody asks for their end.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use rayplat_engine::{apply::Interrupt, event::Events, ops::Report, plan::render::render};
use rayplat_integration_tests::{QUICKSTART, World, failures, leftovers};
use rayplat_state::MemoryStore;
use serde_json::{Value, json};

fn with(rest: &str) -> String {
    format!("{QUICKSTART}{rest}\n")
}

async fn up(world: &World, text: &str) {
    let (report, events) = world.up(text).await.unwrap();
    assert!(report.summary.complete(), "{:#?}", failures(&events));
    let again = world.preview(text).await.unwrap();
    assert!(again.plan.is_empty(), "{}", render(&again.plan));
}

async fn down(world: &World, purge: bool) -> Report {
    let (engine, _) = world.engine().await;
    let engine = if purge { engine.purging() } else { engine };
    let report = engine.down("production-ray-cluster", Events::none(), Interrupt::default(), |_| true).await.unwrap();
    assert!(report.summary.complete(), "{:?}", report.summary);
    report
}

fn ask(world: &World, service: &str, operation: &str, params: &Value) -> Value {
    world.account.with_account(|account| account.handle(service, operation, params).unwrap())
}

/// Service accounts with an association of their own, sorted.
fn associated(world: &World) -> Vec<String> {
    let answer = ask(world, "eks", "ListPodIdentityAssociations", &json!({"clusterName": "production-ray-cluster"}));
    let of = answer["associations"].as_array().unwrap().iter();
    let mut names: Vec<String> = of
        .map(|one| format!("{}/{}", one["namespace"].as_str().unwrap(), one["serviceAccount"].as_str().unwrap()))
        .filter(|name| !name.ends_with("/aws-node") && !name.ends_with("/ebs-csi-controller-sa"))
        .collect();
    names.sort();
    names
}

/// The trust policy of the one role whose name has this in it.
fn trust(world: &World, part: &str) -> String {
    let roles = ask(world, "iam", "ListRoles", &json!({}))["Roles"].clone();
    let of = roles.as_array().unwrap().iter().filter(|role| role["RoleName"].as_str().unwrap().contains(part));
    let documents: Vec<String> = of.map(|role| role["AssumeRolePolicyDocument"].to_string()).collect();
    assert_eq!(documents.len(), 1, "{part}: {documents:?}");
    documents[0].clone()
}

#[tokio::test(start_paused = true)]
async fn components_get_their_roles_by_pod_identity_or_by_the_issuer() {
    let world = World::new(51);
    let all = |identity: &str| {
        with(&format!(
            "autoscaler: {{identity: {identity}}}\ntermination_handler: {{enabled: true, identity: {identity}}}\n\
             backup: {{enabled: true, identity: {identity}}}"
        ))
    };
    up(&world, &all("pod_identity")).await;
    assert_eq!(
        associated(&world),
        ["kube-system/aws-node-termination-handler", "kube-system/cluster-autoscaler", "velero/velero-server"]
    );
    assert!(trust(&world, "cluster-autoscaler").contains("pods.eks.amazonaws.com"));
    up(&world, &all("irsa")).await;
    assert_eq!(associated(&world), Vec::<String>::new());
    for (part, account) in [
        ("cluster-autoscaler", "kube-system%3Acluster-autoscaler"),
        ("termination-handler", "kube-system%3Aaws-node-termination-handler"),
        ("velero", "velero%3Avelero-server"),
    ] {
        assert!(trust(&world, part).contains(account), "{part}: {}", trust(&world, part));
    }
    down(&world, true).await;
    assert_eq!(leftovers(&world), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn queue_mode_has_a_queue_that_its_role_may_read() {
    let world = World::new(52);
    up(&world, &with("termination_handler: {enabled: true, mode: queue}")).await;
    let queues = ask(&world, "sqs", "ListQueues", &json!({}))["QueueUrls"].clone();
    assert_eq!(queues.as_array().unwrap().len(), 1, "{queues}");
    // Back to the metadata service: queue and rules go, the role stays.
    up(&world, &with("termination_handler: {enabled: true, mode: imds}")).await;
    let queues = ask(&world, "sqs", "ListQueues", &json!({}));
    assert!(queues["QueueUrls"].as_array().is_none_or(Vec::is_empty), "{queues}");
    assert!(trust(&world, "termination-handler").contains("aws-node-termination-handler"));
    down(&world, false).await;
    assert_eq!(leftovers(&world), Vec::<String>::new());
}

const BACKUP: &str = "backup: {enabled: true}";
const BUCKET: &str = "production-ray-cluster-backup-123456789012-us-east-1";

fn put_backup(world: &World) {
    for body in ["b25l", "dHdv"] {
        let object = json!({"Bucket": BUCKET, "Key": "backups/first/velero-backup.json", "Body": body});
        ask(world, "s3", "PutObject", &object);
    }
}

fn backups(world: &World) -> usize {
    let versions = ask(world, "s3", "ListObjectVersions", &json!({"Bucket": BUCKET}));
    versions["Version"].as_array().map_or(0, Vec::len)
}

#[tokio::test(start_paused = true)]
async fn backups_outlive_their_platform_until_they_are_purged() {
    let world = World::new(53);
    up(&world, &with(BACKUP)).await;
    put_backup(&world);
    let report = down(&world, false).await;
    let retained: Vec<String> = report.plan.retained.iter().map(|key| key.urn.to_string()).collect();
    assert_eq!(retained, ["aws:kms:Key/backup", "aws:s3:Bucket/backup"]);
    assert_eq!(backups(&world), 2);
    let left = leftovers(&world);
    assert_eq!(left.iter().filter(|what| !what.starts_with("s3 object")).collect::<Vec<_>>(), ["kms key", "s3 bucket"]);
    // The platform comes back to them.
    let (report, events) = world.up(&with(BACKUP)).await.unwrap();
    assert!(report.summary.complete(), "{:#?}", failures(&events));
    assert_eq!((report.summary.unchanged, report.summary.replaced), (2, 0));
    assert_eq!(backups(&world), 2);
    // Without the key in the manifest they are kept too.
    let (report, events) = world.up(QUICKSTART).await.unwrap();
    assert!(report.summary.complete(), "{:#?}", failures(&events));
    assert_eq!(report.plan.retained.len(), 2, "{}", render(&report.plan));
    assert_eq!(backups(&world), 2);
    down(&world, true).await;
    assert_eq!(leftovers(&world), Vec::<String>::new());
}

/// The state is lost after `down`: the next `up` finds bucket and key by their tags.
#[tokio::test(start_paused = true)]
async fn backups_of_a_lost_state_are_adopted() {
    let world = World::new(54);
    up(&world, &with(BACKUP)).await;
    put_backup(&world);
    down(&world, false).await;
    let lost = World { store: Arc::new(MemoryStore::default()), seed: 55, ..world };
    up(&lost, &with(BACKUP)).await;
    assert_eq!(backups(&lost), 2);
    let whole = leftovers(&lost);
    assert_eq!(whole.iter().filter(|what| *what == "s3 bucket").count(), 1);
    // The platform's own key waits out its window; there is one for backups and one new one.
    assert_eq!(whole.iter().filter(|what| *what == "kms key").count(), 2);
    down(&lost, true).await;
    assert_eq!(leftovers(&lost), Vec::<String>::new());
}
