//! The quick start's whole life on the emulated account.

#![allow(clippy::unwrap_used)]

use rayplat_engine::{
    event::{Event, Summary},
    plan::render::render,
    provider::Action,
};
use rayplat_integration_tests::{QUICKSTART, World, failures, leftovers};

/// What the quick start is made of: see ARCHITECTURE.md for the edges between them.
const RESOURCES: u64 = 33;

async fn standing(seed: u64) -> World {
    let world = World::new(seed);
    let (report, events) = world.up(QUICKSTART).await.unwrap();
    assert!(report.summary.complete(), "{:#?}", failures(&events));
    assert_eq!(report.summary.created, RESOURCES);
    world
}

#[tokio::test(start_paused = true)]
async fn up_again_down() {
    let world = standing(1).await;
    let again = world.preview(QUICKSTART).await.unwrap();
    assert!(again.plan.is_empty(), "{}", render(&again.plan));

    let (down, events) = world.down().await.unwrap();
    assert!(down.summary.complete(), "{:#?}", failures(&events));
    assert_eq!(down.summary.deleted, RESOURCES);
    assert_eq!(leftovers(&world), Vec::<String>::new());
}

async fn change(from: &str, to: &str) -> (World, Summary, Vec<Event>) {
    let world = standing(2).await;
    let text = QUICKSTART.replace(from, to);
    assert_ne!(text, QUICKSTART);
    let (report, events) = world.up(&text).await.unwrap();
    assert!(report.summary.complete(), "{:#?}", failures(&events));
    let again = world.preview(&text).await.unwrap();
    assert!(again.plan.is_empty(), "{}", render(&again.plan));
    (world, report.summary, events)
}

fn unchanged_but(updated: u64, replaced: u64) -> Summary {
    Summary { updated, replaced, unchanged: RESOURCES - updated - replaced, ..Summary::default() }
}

#[tokio::test(start_paused = true)]
async fn a_pool_size_changes_in_place() {
    let (_, summary, _) = change("cpu: {min: 2, max: 10}", "cpu: {min: 3, max: 12}").await;
    assert_eq!(summary, unchanged_but(1, 0));
}

#[tokio::test(start_paused = true)]
async fn retention_changes_in_place() {
    let (_, summary, _) = change("  oidc:", "  logs: {retention_days: 30}\n  oidc:").await;
    assert_eq!(summary, unchanged_but(1, 0));
}

#[tokio::test(start_paused = true)]
async fn an_addon_configuration_changes_in_place() {
    let addon = "addons:\n  coredns: {configuration: {autoScaling: {enabled: true, minReplicas: 6}}}\nnode_pools:";
    let (_, summary, _) = change("node_pools:", addon).await;
    assert_eq!(summary, unchanged_but(1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_tag_changes_in_place() {
    let (_, summary, _) = change("network:", "tags: {Team: ray}\nnetwork:").await;
    assert_eq!((summary.created, summary.replaced, summary.deleted, summary.failed), (0, 0, 0, 0));
    assert!(summary.updated >= 15, "{summary:?}");
}

#[tokio::test(start_paused = true)]
async fn control_plane_logs_change_in_place() {
    let (_, summary, _) = change("  oidc:", "  logs: {types: [api, audit]}\n  oidc:").await;
    assert_eq!(summary, unchanged_but(1, 0));
}

#[tokio::test(start_paused = true)]
async fn another_instance_type_replaces_that_group_alone_new_before_old() {
    let types = "cpu: {min: 2, max: 10, instance_types: [m6g.2xlarge]}";
    let (_, summary, events) = change("cpu: {min: 2, max: 10}", types).await;
    // The tags are on the new Auto Scaling group.
    assert_eq!(summary, unchanged_but(0, 2));
    let done: Vec<(String, Action)> = events
        .iter()
        .filter_map(|event| match event {
            Event::StepFinished { urn, action, .. } => Some((urn.to_string(), *action)),
            _ => None,
        })
        .collect();
    let (group, tags) = ("aws:eks:NodeGroup/cpu".to_owned(), "aws:autoscaling:GroupTags/cpu".to_owned());
    let expected =
        [(&group, Action::Create), (&tags, Action::Create), (&tags, Action::Delete), (&group, Action::Delete)];
    assert_eq!(done, expected.map(|(urn, action)| (urn.clone(), action)));
}

/// Scale from zero: the Auto Scaling group of an empty node group says what its nodes would be.
#[tokio::test(start_paused = true)]
async fn the_autoscaler_finds_a_model_of_each_pools_nodes() {
    let world = standing(6).await;
    let of_group = |name: &str| {
        let name = format!("eks-{name}-");
        world.account.with_account(|account| {
            let answer = account.handle("autoscaling", "DescribeAutoScalingGroups", &serde_json::json!({})).unwrap();
            let groups = answer["AutoScalingGroups"].as_array().unwrap().clone();
            let is_it = |group: &&serde_json::Value| group["AutoScalingGroupName"].as_str().unwrap().starts_with(&name);
            let tags = groups.iter().find(is_it).unwrap()["Tags"].as_array().unwrap().clone();
            let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            let template = "k8s.io/cluster-autoscaler/node-template/";
            let ours = tags.iter().filter_map(|tag| {
                let key = tag["Key"].as_str().unwrap().strip_prefix(template)?.to_owned();
                assert_eq!(tag["PropagateAtLaunch"], false);
                Some((key, text(&tag["Value"])))
            });
            ours.collect::<std::collections::BTreeMap<String, String>>()
        })
    };
    let gpu = of_group("gpu-fallback");
    let expected = [
        ("label/eks.amazonaws.com/capacityType", "ON_DEMAND"),
        ("label/rayplat.io/capacity", "on-demand"),
        ("label/rayplat.io/pool", "gpu"),
        ("resources/ephemeral-storage", "103Gi"),
        ("resources/nvidia.com/gpu", "1"),
        ("taint/nvidia.com/gpu", "true:NoSchedule"),
    ];
    assert_eq!(gpu, expected.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    let cpu = of_group("cpu");
    assert!(!cpu.keys().any(|key| key.starts_with("taint/") || key.contains("gpu")), "{cpu:?}");
}

/// Tags that others put on the group stay; ours are put back.
#[tokio::test(start_paused = true)]
async fn others_tags_on_an_auto_scaling_group_are_left_alone() {
    let world = standing(7).await;
    let change = |operation: &str, key: &str| {
        world.account.with_account(|account| {
            let groups = account.handle("autoscaling", "DescribeAutoScalingGroups", &serde_json::json!({})).unwrap();
            let name = &groups["AutoScalingGroups"][0]["AutoScalingGroupName"];
            let tag = serde_json::json!({"ResourceId": name, "ResourceType": "auto-scaling-group", "Key": key,
                "Value": "x"});
            account.handle("autoscaling", operation, &serde_json::json!({"Tags": [tag]})).unwrap();
        });
    };
    change("CreateOrUpdateTags", "theirs");
    let preview = world.preview(QUICKSTART).await.unwrap();
    assert!(preview.plan.is_empty(), "{}", render(&preview.plan));
    change("DeleteTags", "k8s.io/cluster-autoscaler/node-template/label/rayplat.io/pool");
    let (report, _) = world.up(QUICKSTART).await.unwrap();
    assert_eq!(report.summary, unchanged_but(1, 0));
    let theirs = world.account.with_account(|account| {
        let filter = serde_json::json!({"Filters": [{"Name": "key", "Values": ["theirs"]}]});
        account.handle("autoscaling", "DescribeTags", &filter).unwrap()
    });
    assert_eq!(theirs["Tags"].as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn drift_is_found_and_mended() {
    let world = standing(3).await;
    world.account.with_account(|account| {
        let gone =
            serde_json::json!({"logGroupName": "/aws/eks/production-ray-cluster/cluster", "retentionInDays": 90});
        account.handle("logs", "PutRetentionPolicy", &gone).unwrap();
    });
    let preview = world.preview(QUICKSTART).await.unwrap();
    assert_eq!(preview.plan.summary(), unchanged_but(1, 0), "{}", render(&preview.plan));
    let (report, _) = world.up(QUICKSTART).await.unwrap();
    assert_eq!(report.summary, unchanged_but(1, 0));
}

/// The state folder is gone: everything of ours is adopted, the key too, which has no
/// name. A key that somebody else's platform tagged is not.
#[tokio::test(start_paused = true)]
async fn a_lost_state_is_adopted_and_nothing_is_made_twice() {
    let world = standing(4).await;
    let whole = leftovers(&world);
    let lost = World { store: std::sync::Arc::new(rayplat_state::MemoryStore::default()), seed: 5, ..world };
    let (report, events) = lost.up(QUICKSTART).await.unwrap();
    assert!(report.summary.complete(), "{:#?}", failures(&events));
    assert_eq!(leftovers(&lost), whole);
    let again = lost.preview(QUICKSTART).await.unwrap();
    assert!(again.plan.is_empty(), "{}", render(&again.plan));
    let (down, events) = lost.down().await.unwrap();
    assert!(down.summary.complete(), "{:#?}", failures(&events));
    assert_eq!(leftovers(&lost), Vec::<String>::new());
}
