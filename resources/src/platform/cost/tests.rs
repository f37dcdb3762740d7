//! Sums reckoned by hand from the table's prices.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use rayplat_engine::{provider::Registry, stack::Stack, store::Checkpoint, urn::Urn};
use serde_json::{Value, json};

use super::*;
use crate::platform::{Platform, Setting, build, manifest};

const QUICKSTART: &str = include_str!("../../../../examples/quickstart.yaml");
const TODAY: Date = date(2026, 11, 24);

fn platform(text: &str, today: Date) -> Platform {
    let loaded = manifest::load("rayplat.yaml", text.as_bytes(), today).unwrap_or_else(|found| panic!("{found}"));
    let setting = Setting {
        partition: "aws".into(),
        account: "123456789012".into(),
        region: loaded.manifest.region.clone(),
        caller_arn: "arn:aws:iam::123456789012:role/caller".into(),
        zones: Vec::new(),
    };
    build(&loaded.manifest, &setting).unwrap()
}

fn bill_on(text: &str, today: Date) -> Estimate {
    let items = wanted(&platform(text, today).stack).unwrap();
    Estimate::of(&items, &Prices::table("us-east-1"), today)
}

fn bill(text: &str) -> Estimate {
    bill_on(text, TODAY)
}

fn item(kind: &str, name: &str, inputs: Value, depends_on: &[&str]) -> Item {
    let depends_on = depends_on.iter().map(|urn| urn.parse().unwrap()).collect();
    Item { urn: Urn::new(kind, name).unwrap(), inputs, depends_on }
}

fn of(items: &[Item]) -> Estimate {
    Estimate::of(items, &Prices::table("us-east-1"), TODAY)
}

fn shown(sum: Sum) -> (String, String, usize) {
    (sum.now.to_string(), sum.at_most.to_string(), sum.unknown)
}

fn sums(now: &str, at_most: &str) -> (String, String, usize) {
    (now.to_owned(), at_most.to_owned(), 0)
}

/// 0.10 x 730 = 73.00
/// cpu: 3 x 0.154 x 730 = 337.26 and 3 x 100 x 0.08 = 24.00; of ten nodes 1,124.20 and 80.00
/// gpu: of five Spot nodes 5 x 0.526 x 730 = 1,919.90 at most and a tenth of it at least, 191.99;
///      5 x 200 x 0.08 = 80.00; of the fallback's one node 383.98 and 16.00
/// key: 1.00
/// volume of Redis: 5 x 0.08 = 0.40
#[test]
fn the_quick_start_to_the_cent() {
    let bill = bill(QUICKSTART);
    assert_eq!(shown(bill.sum(Some("control plane"))), sums("73.00", "73.00"));
    assert_eq!(shown(bill.sum(Some("pool cpu"))), sums("361.26", "1,204.20"));
    assert_eq!(shown(bill.sum(Some("pool gpu"))), sums("0.00", "671.97 to 2,399.88"));
    assert_eq!(shown(bill.sum(Some("KMS keys"))), sums("1.00", "1.00"));
    assert_eq!(shown(bill.sum(Some("pod volumes"))), sums("0.40", "0.40"));
    assert_eq!(shown(bill.sum(None)), sums("435.66", "1,950.57 to 3,678.48"));
}

/// Two replicas of 1.5 GiB, which EBS rounds up, with 1,000 IOPS more: 2 x (2 x 0.08 + 1,000 x 0.005) = 10.32.
#[test]
fn volumes_of_pods_are_billed_by_their_storage_class() {
    let class = |name: &str| {
        let manifest = json!({
            "kind": "StorageClass", "metadata": {"name": name}, "parameters": {"type": "gp3", "iops": "4000"},
        });
        item("kubernetes:Object", name, json!({"manifest": manifest}), &[])
    };
    let of = |class_name: &str, size: &str, replicas: u64| {
        let claim = json!({"metadata": {"name": "data"}, "spec": {
            "storageClassName": class_name, "resources": {"requests": {"storage": size}},
        }});
        let manifest = json!({"kind": "StatefulSet", "metadata": {"name": "db"}, "spec": {
            "replicas": replicas, "volumeClaimTemplates": [claim],
        }});
        let workload = item("kubernetes:Workload", "db", json!({"manifest": manifest}), &[]);
        of(&[workload, class("fast")])
    };
    let bill = of("fast", "1536Mi", 2);
    assert_eq!(bill.lines[0].what, "2 of 2 GiB gp3, db/data");
    assert_eq!(shown(bill.sum(None)), sums("10.32", "10.32"));
    for (class, size, why) in [
        ("theirs", "1Gi", "the storage class `theirs` is not the platform's"),
        ("fast", "1G", "1G is not in Mi, Gi or Ti"),
    ] {
        assert_eq!(of(class, size, 1).lines[0].unknown.as_deref(), Some(why));
    }
    // What is no StatefulSet claims nothing.
    let plain =
        item("kubernetes:Workload", "d", json!({"manifest": {"kind": "Deployment", "spec": {"replicas": 2}}}), &[]);
    assert!(super::Estimate::of(&[plain], &Prices::table("us-east-1"), TODAY).lines.is_empty());
}

#[test]
fn what_is_not_known_beforehand_is_said() {
    let notes: Vec<String> = bill(QUICKSTART).notes.into_iter().collect();
    let said = |words: &str| assert!(notes.iter().any(|note| note.contains(words)), "{words}: {notes:#?}");
    said("0.5 per GB taken in, 0.03 per GB and month kept; each GB is kept for 7 days");
    said("Spot changes with the market");
    said("Data transfer is not in the sums");
    said("rotations adds 1.00 a month");
}

/// 1.34's standard support ends on 2026-12-02: 0.60 x 730 = 438.00 from the day after.
#[test]
fn extended_support_costs_from_the_day_after_standard_support() {
    let text = QUICKSTART.replace("  oidc:", "  kubernetes_version: \"1.34\"\n  support: extended\n  oidc:");
    let on = |today| shown(bill_on(&text, today).sum(Some("control plane")));
    assert_eq!(on(date(2026, 12, 2)), sums("73.00", "73.00"));
    assert_eq!(on(date(2026, 12, 3)), sums("438.00", "438.00"));
    let warned = bill_on(&text, TODAY)
        .notes
        .into_iter()
        .any(|note| note.contains("After 2026-12-02") && note.contains("438.00"));
    assert!(warned);
    // On standard support EKS upgrades the cluster by itself: 0.10 it stays.
    let standard = json!({"kubernetes_version": "1.32", "support": "STANDARD"});
    assert_eq!(shown(of(&[item("aws:eks:Cluster", "main", standard, &[])]).sum(None)), sums("73.00", "73.00"));
}

/// Types of different prices: 2 x 730 x (0.154 to 0.1632) = 224.84 to 238.27 (238.272);
/// gp3 with 4,000 IOPS and 250 MiB/s: 50 x 0.08 + 1,000 x 0.005 + 125 x 0.04 = 14.00 a node.
#[test]
fn several_types_and_a_fast_disk() {
    let disk = json!({"size_gb": 50, "volume_type": "gp3", "iops": 4000, "throughput": 250});
    let group = json!({"labels": {}, "scaling": {"min": 0, "desired": 2, "max": 2}, "capacity": "ON_DEMAND",
        "instance_types": ["m7g.xlarge", "m6g.xlarge"]});
    let template = item("aws:ec2:LaunchTemplate", "w", json!({"disk": disk}), &[]);
    let bill = of(&[template, item("aws:eks:NodeGroup", "w", group, &["aws:ec2:LaunchTemplate/w"])]);
    assert_eq!(bill.lines[0].now.to_string(), "224.84 to 238.27");
    assert_eq!(bill.lines[1].now.to_string(), "28.00");
}

/// Two nodes of 20 GiB and a system volume of 4 GiB: 2 x 20 x 0.08 = 3.20, 2 x 4 x 0.08 = 0.64.
#[test]
fn a_second_volume_is_paid_and_a_warm_pool_is_named() {
    let disk = |size: u32| json!({"size_gb": size, "volume_type": "gp3"});
    let group = json!({"labels": {}, "scaling": {"desired": 2, "max": 2}, "capacity": "ON_DEMAND",
        "instance_types": ["m6g.xlarge"], "warm_pool": {}});
    let template = item("aws:ec2:LaunchTemplate", "w", json!({"disk": disk(20), "system_disk": disk(4)}), &[]);
    let bill = of(&[template, item("aws:eks:NodeGroup", "w", group, &["aws:ec2:LaunchTemplate/w"])]);
    let lines: Vec<String> = bill.lines[1..].iter().map(|line| line.now.to_string()).collect();
    assert_eq!(lines, ["3.20", "0.64"]);
    assert!(bill.notes.iter().any(|note| note.contains("warm pool is not in the sums")));
}

/// 0.045 x 730 = 32.85; 0.005 x 730 = 3.65; 2 x 0.01 x 730 = 14.60
#[test]
fn the_network_is_paid_by_the_hour() {
    let bill = of(&[
        item("aws:ec2:NatGateway", "a", json!({}), &[]),
        item("aws:ec2:Eip", "a", json!({}), &[]),
        item("aws:ec2:VpcEndpoint", "ecr", json!({"kind": "interface", "subnet_ids": [null, null]}), &[]),
        item("aws:ec2:VpcEndpoint", "s3", json!({"kind": "gateway"}), &[]),
        item("aws:ec2:Subnet", "a", json!({}), &[]),
    ]);
    let lines: Vec<String> = bill.lines.iter().map(|line| line.now.to_string()).collect();
    assert_eq!(lines, ["32.85", "3.65", "14.60"]);
    assert!(bill.notes.iter().any(|note| note.contains("NAT gateways is extra")));
}

#[test]
fn a_price_that_is_not_known_is_counted_and_named_and_never_guessed() {
    let group = |types: Value, capacity: &str| {
        json!({"labels": {"rayplat.io/pool": "odd"}, "scaling": {"desired": 1, "max": 1}, "instance_types": types,
            "capacity": capacity})
    };
    for (inputs, why) in [
        (group(json!(["m6g.xlarge", "z9.large"]), "ON_DEMAND"), "no price known for z9.large in us-east-1"),
        (group(json!(["p5.48xlarge"]), "CAPACITY_BLOCK"), "no price is known for capacity of the kind CAPACITY_BLOCK"),
        (group(json!([]), "ON_DEMAND"), "its instance types are in its launch template"),
    ] {
        let bill = of(&[item("aws:eks:NodeGroup", "odd", inputs, &[])]);
        let unknown = bill.lines[0].unknown.clone().unwrap();
        assert!(unknown.contains(why), "{unknown}");
        // The disk is not known either: there is no launch template.
        assert_eq!(shown(bill.sum(None)), ("0.00".to_owned(), "0.00".to_owned(), 2));
    }
    let strange = of(&[item("my:Disk", "a", json!({}), &[])]);
    assert_eq!(strange.lines[0].unknown.as_deref(), Some("no price is known for my:Disk"));
}

#[test]
fn another_region_has_no_price_here() {
    let elsewhere = wanted(&platform(QUICKSTART, TODAY).stack).unwrap();
    let prices = Prices::table("eu-west-1");
    let comparison = Comparison::of(&[], &elsewhere, prices, TODAY);
    assert_eq!(comparison.after.sum(None).now, Range::default());
    assert_eq!(comparison.after.sum(None).unknown, 9);
    let text = comparison.section().text();
    assert!(text.contains("0.00 + 9 unknown"), "{text}");
    assert!(text.contains("no price known for m6g.xlarge in eu-west-1"), "{text}");
    assert!(text.contains("nothing of eu-west-1 is in the sums"), "{text}");
}

#[test]
fn listed_prices_come_before_the_table() {
    let listed = BTreeMap::from([(Product::Key, Money::micros(2_000_000))]);
    let prices = Prices::listed("us-east-1", listed.clone(), "2026-11-01");
    assert_eq!(prices.get(&Product::Key), Some(Money::micros(2_000_000)));
    assert_eq!(prices.get(&Product::NatGateway), Some(Money::micros(45_000)));
    assert_eq!(Prices::listed("eu-west-1", listed, "").get(&Product::NatGateway), None);
}

#[test]
fn what_must_be_priced() {
    let items = wanted(&platform(QUICKSTART, TODAY).stack).unwrap();
    let names: Vec<String> = needs(&items, TODAY).iter().map(Product::name).collect();
    assert_eq!(
        names,
        ["the control plane", "g4dn.xlarge", "m6g.xlarge", "gp3 volumes", "KMS keys", "log ingestion", "log storage",]
    );
}

/// Two more CPU nodes at most: only the last column changes. Another type: the difference
/// is 3 x (0.308 - 0.154) x 730 = 337.26.
#[test]
fn before_and_after() {
    let items = |text: &str| wanted(&platform(text, TODAY).stack).unwrap();
    let before = items(QUICKSTART);
    let compare = |text: &str| Comparison::of(&before, &items(text), Prices::table("us-east-1"), TODAY);
    let same = compare(QUICKSTART);
    assert!(!same.changes());
    let wider = compare(&QUICKSTART.replace("max: 10", "max: 12"));
    assert!(wider.changes());
    let row = wider.section().rows.into_iter().find(|row| row.name == "pool cpu").unwrap();
    assert_eq!(row.cells, ["361.26", "361.26", "0.00", "1,445.04"]);
    let larger = compare(&QUICKSTART.replace("max: 10", "max: 10, instance_types: [m6g.2xlarge]"));
    let total = larger.section().rows.into_iter().next_back().unwrap();
    assert_eq!(total.cells[..3], ["435.66", "772.92", "+337.26"]);
    let json = larger.json();
    assert_eq!(json["difference"], json!({"low": 337.26, "high": 337.26}));
    assert_eq!(json["before"]["total"]["now"]["low"], 435.66);
    let gone = Comparison::of(&before, &[], Prices::table("us-east-1"), TODAY);
    assert_eq!(gone.section().rows.last().unwrap().cells[..3], ["435.66", "0.00", "-435.66"]);
}

#[test]
fn as_text_and_as_markdown() {
    let items = wanted(&platform(QUICKSTART, TODAY).stack).unwrap();
    let section = Comparison::of(&[], &items, Prices::table("us-east-1"), TODAY).section();
    let text = section.text();
    let head: Vec<&str> = text.lines().take(8).collect();
    assert_eq!(
        head,
        [
            "Cost a month in US dollars, 730 hours, by list prices of us-east-1 as of 2026-07-20:",
            "                 before   after  difference      after, all nodes",
            "  control plane    0.00   73.00      +73.00                 73.00",
            "  pool cpu         0.00  361.26     +361.26              1,204.20",
            "  pool gpu         0.00    0.00        0.00    671.97 to 2,399.88",
            "  KMS keys         0.00    1.00       +1.00                  1.00",
            "  pod volumes      0.00    0.40       +0.40                  0.40",
            "  total            0.00  435.66     +435.66  1,950.57 to 3,678.48",
        ]
    );
    let markdown = section.markdown();
    assert!(markdown.starts_with("|  | before | after | difference | after, all nodes |\n|---|---:|---:|---:|---:|\n"));
    assert!(markdown.contains("| pool cpu | 0.00 | 361.26 | +361.26 | 1,204.20 |"), "{markdown}");
    assert!(markdown.contains("| **total** | **0.00** | **435.66** |"), "{markdown}");
}

#[test]
fn what_stands_is_in_the_state() {
    assert!(standing(&Checkpoint::default()).is_empty());
    assert!(wanted(&Stack::new("empty")).unwrap().is_empty());
}

/// A kind that nobody told the cost of would silently cost nothing.
#[tokio::test(start_paused = true)]
#[cfg(feature = "rehearsal")]
async fn every_kind_has_its_cost() {
    use crate::{rehearsal::Rehearsal, rehearsal::Seed};
    let seed = Seed { account_id: "123456789012".into(), region: "us-east-1".into(), seed: 1 };
    let mut registry = Registry::new();
    crate::register(&mut registry, &Rehearsal::in_memory(&seed, 0).clients());
    let missing: Vec<&str> = registry.kinds().filter(|kind| !knows(kind)).collect();
    assert!(missing.is_empty(), "platform/cost/bill.rs does not know what these cost: {missing:?}");
}
