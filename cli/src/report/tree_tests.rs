//! How plans made by hand look.

#![allow(clippy::unwrap_used)]

use rayplat_engine::{
    plan::{Pair, StepId},
    store::ObjectKey,
    urn::Urn,
};
use serde_json::json;

use super::*;

fn step(id: u32, urn: &str, action: Action, reason: Reason) -> Step {
    Step {
        id: StepId(id),
        urn: urn.parse().unwrap(),
        generation: 0,
        action,
        reason,
        inputs: None,
        planned: None,
        depends_on: Vec::new(),
        replace_order: ReplaceOrder::CreateThenDelete,
        pair: None,
        changes: Vec::new(),
        expected_ms: 30_000,
    }
}

fn change(path: &str, old: Value, new: Planned, effect: Effect) -> Change {
    Change { path: path.to_owned(), old: Some(old), new: Some(new), effect }
}

fn plan() -> Plan {
    let group = |name: &str| -> Urn { format!("aws:eks:NodeGroup/{name}").parse().unwrap() };
    let mut made = step(0, "aws:iam:Role/node", Action::Create, Reason::New);
    made.planned = Some(Planned::Object(vec![
        ("path".into(), Planned::Known(json!(null))),
        ("trust".into(), Planned::Unknown),
        ("name".into(), Planned::Known(json!("node"))),
    ]));
    let mut new = step(1, "aws:eks:NodeGroup/gpu", Action::Create, Reason::NeedsReplacing);
    let pair = |partner| Pair {
        partner: StepId(partner),
        old: ObjectKey { urn: group("gpu"), generation: 0 },
        order: ReplaceOrder::CreateThenDelete,
        certain: true,
    };
    new.pair = Some(pair(2));
    new.changes = vec![
        change(
            "instance_types",
            json!(["g4dn.xlarge"]),
            Planned::Known(json!(["g5.xlarge", "g5.2xlarge", "g6.xlarge", "g6.2xlarge"])),
            Effect::Replace,
        ),
        change("scaling.max", json!(5), Planned::Known(json!(6)), Effect::Update),
    ];
    let mut old = step(2, "aws:eks:NodeGroup/gpu", Action::Delete, Reason::NeedsReplacing);
    old.pair = Some(pair(1));
    let mut updated = step(3, "aws:eks:NodeGroup/cpu", Action::Update, Reason::Changed);
    updated.changes = vec![change("launch_template.version", json!("1"), Planned::Unknown, Effect::Update)];
    let gone = step(4, "aws:logs:LogGroup/cluster", Action::Delete, Reason::Removed);
    Plan {
        stack: "p".into(),
        steps: vec![made, new, old, updated, gone],
        edges: vec![(StepId(0), StepId(1)), (StepId(1), StepId(2))],
        unchanged: vec![group("kept")],
        ..Plan::default()
    }
}

fn shown(plan: &Plan, width: usize, verbose: bool) -> String {
    Tree { style: Style::default(), width, verbose }.plan(plan)
}

const NARROW: &str = r#"aws:eks:NodeGroup
├─ ~   cpu
│       launch_template.version: "1" -> (known after apply)
└─ +/- gpu  needs a new object, the new one before the old one goes
        instance_types:   needs a new object
           ["g4dn.xlarge"]
        -> ["g5.xlarge","g5.2xlarge","g6.xlarge","g6.2xlarge"]
        scaling.max: 5 -> 6
aws:iam:Role
└─ +   node
        trust: (known after apply)
        name: "node"
aws:logs:LogGroup
└─ -   cluster  no longer wanted

1 to create, 1 to change, 1 to replace, 1 to delete, 1 unchanged.
Expected to take about 1 min 30 s."#;

const WIDE: &str = r#"aws:eks:NodeGroup
├─ ~   cpu
│       launch_template.version: "1" -> (known after apply)
└─ +/- gpu  needs a new object, the new one before the old one goes
        instance_types: ["g4dn.xlarge"] -> ["g5.xlarge","g5.2xlarge","g6.xlarge","g6.2xlarge"]   needs a new object
        scaling.max: 5 -> 6
aws:iam:Role
└─ +   node
aws:logs:LogGroup
└─ -   cluster  no longer wanted

1 to create, 1 to change, 1 to replace, 1 to delete, 1 unchanged.
Expected to take about 1 min 30 s."#;

#[test]
fn in_eighty_columns_nothing_is_lost() {
    let text = shown(&plan(), 80, true);
    assert_eq!(text, NARROW);
    assert!(text.lines().all(|line| line.chars().count() <= 80));
}

#[test]
fn a_wide_terminal_has_a_change_in_a_line() {
    assert_eq!(shown(&plan(), 160, false), WIDE);
}

#[test]
fn what_is_longer_than_any_line_is_broken() {
    let mut updated = step(0, "k/a", Action::Update, Reason::Changed);
    updated.changes = vec![change("policy", json!("q".repeat(120)), Planned::Known(json!("y")), Effect::Update)];
    let text = shown(&Plan { steps: vec![updated], ..Plan::default() }, 60, false);
    assert_eq!(text.matches('q').count(), 120);
    assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
}

#[test]
fn where_everything_goes_no_reason_is_given() {
    let text =
        shown(&Plan { steps: vec![step(0, "k/a", Action::Delete, Reason::Removed)], ..Plan::default() }, 80, false);
    assert_eq!(text, "k\n└─ -   a\n\n1 to delete.\nExpected to take about 30 s.");
}

#[test]
fn colours_say_what_happens() {
    let style = Style { create: "<green>", reset: "<>", bold: "<bold>", ..Style::default() };
    let made = Plan { steps: vec![step(0, "k/a", Action::Create, Reason::New)], ..Plan::default() };
    let text = Tree { style, width: 80, verbose: false }.plan(&made);
    assert!(text.starts_with("<bold>k<>\n└─ <green>+   <>a\n"), "{text}");
}

#[test]
fn an_interrupted_replacement_says_so_without_a_stray_comma() {
    let mut new = step(0, "k/a", Action::Create, Reason::Changed);
    new.pair = Some(Pair {
        partner: StepId(1),
        old: ObjectKey { urn: "k/a".parse().unwrap(), generation: 0 },
        order: ReplaceOrder::DeleteThenCreate,
        certain: false,
    });
    assert_eq!(why(&new), "the old one goes first, if it still differs then");
}

#[test]
fn what_is_kept_is_said() {
    let kept = |urn: &str| ObjectKey { urn: urn.parse().unwrap(), generation: 0 };
    let plan = Plan { retained: vec![kept("aws:kms:Key/backup"), kept("aws:s3:Bucket/backup")], ..Plan::default() };
    let tree = Tree { style: Style::default(), width: 80, verbose: false };
    assert_eq!(
        tree.plan(&plan),
        "kept  `down --purge-backups` destroys this too\n├─ aws:kms:Key/backup\n└─ aws:s3:Bucket/backup\nNothing to do."
    );
}
