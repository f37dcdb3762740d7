//! How comments look, and that they end in time.

#![allow(clippy::unwrap_used)]

use rayplat_engine::{
    plan::{Pair, Reason, StepId},
    provider::ReplaceOrder,
    store::ObjectKey,
};
use serde_json::json;

use super::*;
use crate::report::section::{Level, Table};

fn place() -> Place {
    Place { name: "p".into(), account: "123456789012".into(), region: "us-east-1".into(), rehearsal: false }
}

fn step(id: u32, urn: &str, action: Action, reason: Reason, changes: Vec<Change>) -> Step {
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
        changes,
        expected_ms: 30_000,
    }
}

fn change(path: &str, old: Value, new: Planned, effect: Effect) -> Change {
    Change { path: path.to_owned(), old: Some(old), new: Some(new), effect }
}

fn plan(steps: Vec<Step>) -> Plan {
    Plan { stack: "p".into(), steps, unchanged: vec!["k/kept".parse().unwrap()], ..Plan::default() }
}

fn small() -> Plan {
    let types = change("instance_types", json!(["a"]), Planned::Known(json!(["b"])), Effect::Replace);
    let mut new = step(0, "aws:eks:NodeGroup/gpu", Action::Create, Reason::NeedsReplacing, vec![types]);
    let mut old = step(1, "aws:eks:NodeGroup/gpu", Action::Delete, Reason::NeedsReplacing, Vec::new());
    let key = ObjectKey { urn: new.urn.clone(), generation: 0 };
    let pair = |partner| Pair {
        partner: StepId(partner),
        old: key.clone(),
        order: ReplaceOrder::CreateThenDelete,
        certain: true,
    };
    new.pair = Some(pair(1));
    old.pair = Some(pair(0));
    let version = change("template_version", json!("1"), Planned::Unknown, Effect::Update);
    plan(vec![
        new,
        old,
        step(2, "aws:eks:NodeGroup/cpu", Action::Update, Reason::Changed, vec![version]),
        step(3, "aws:iam:Role/x", Action::Create, Reason::New, Vec::new()),
        step(4, "aws:logs:LogGroup/x", Action::Delete, Reason::Removed, Vec::new()),
    ])
}

const SMALL: &str = "<!-- rayplat preview p -->
### rayplat preview: `p`

account 123456789012 in us-east-1

| to create | to change | to replace | to delete | unchanged |
|---:|---:|---:|---:|---:|
| 1 | 1 | 1 | 1 | 1 |

Expected to take about 30 s.

#### Checks: 1 warning (1)

- **warning:** `a:1:2`: do \\*not\\*

#### Replace (1)

- `aws:eks:NodeGroup/gpu`: needs a new object, the new one before the old one goes
  - `instance_types`: `[\"a\"]` → `[\"b\"]` **needs a new object**

#### Delete (1)

- `aws:logs:LogGroup/x`: no longer wanted

#### Change (1)

- `aws:eks:NodeGroup/cpu`
  - `template_version`: `\"1\"` → (known after apply)

<details><summary>Create (1)</summary>

- `aws:iam:Role/x`

</details>

";

#[test]
fn changes_are_grouped_the_gravest_first() {
    let item = Item { level: Some(Level::Warning), name: "a:1:2".into(), text: "do *not*".into() };
    let section =
        Section { key: "checks", title: "Checks: 1 warning".into(), items: vec![item], table: None, json: Value::Null };
    assert_eq!(preview(&place(), &small(), &[section]), SMALL);
}

#[test]
fn nothing_to_do_is_said() {
    let text = preview(&place(), &plan(Vec::new()), &[]);
    assert!(text.ends_with("Nothing to do: 1 resources are as the manifest says.\n\n"), "{text}");
}

#[test]
fn nothing_in_a_value_is_markup() {
    assert_eq!(code("a|b <b> `x` ``y``"), "``` a|b <b> `x` ``y`` ```");
    assert_eq!(code("plain"), "`plain`");
    assert_eq!(code("`"), "`` ` ``");
    assert_eq!(code("\n"), "(empty)");
    assert_eq!(code("a\nb\u{1b}[0m\u{202e}"), "`a b\u{fffd}[0m\u{fffd}`");
    assert_eq!(
        plain("<b>*x* @all #1 a|b [l](u) `c` \\"),
        "&lt;b&gt;\\*x\\* @<!-- -->all #<!-- -->1 a\\|b \\[l\\](u) \\`c\\` \\\\"
    );
    assert_eq!(
        heading("drift", &Place { name: "a-->b".into(), ..place() }).lines().next(),
        Some("<!-- rayplat drift a->b -->")
    );
}

/// Every fold is closed, every line is whole, every code span ends on its line.
fn assert_whole(text: &str) {
    assert!(text.len() <= LIMIT, "{}", text.len());
    assert!(text.ends_with('\n'));
    assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    for line in text.lines().filter(|line| line.trim_start().starts_with("- `")) {
        assert_eq!(line.matches('`').count() % 2, 0, "{line}");
    }
}

/// The entries shown and those counted as left out.
fn counted(text: &str) -> usize {
    let shown = text.lines().filter(|line| line.starts_with("- ")).count();
    let left =
        text.lines().filter_map(|line| line.strip_suffix(" more are left out: a comment ends at 65000 characters."));
    shown + left.map(|count| count.parse::<usize>().unwrap()).sum::<usize>()
}

#[test]
fn what_does_not_fit_is_counted() {
    let long =
        |path: &str| change(path, json!("é".repeat(5000)), Planned::Known(json!("y".repeat(5000))), Effect::Update);
    let fields = |count: usize| (0..count).map(|n| long(&format!("field{n}"))).collect::<Vec<_>>();
    for (updates, each) in [(1, 1), (1, 400), (200, 3), (2000, 1), (2000, 40)] {
        let mut steps: Vec<Step> = (0..updates)
            .map(|n| step(n, &format!("aws:eks:NodeGroup/pool-{n}"), Action::Update, Reason::Changed, fields(each)))
            .collect();
        steps.extend(
            (0..updates).map(|n| step(n, &format!("aws:iam:Role/r-{n}"), Action::Create, Reason::New, Vec::new())),
        );
        let items: Vec<Item> = (0..updates)
            .map(|n| Item { level: Some(Level::Warning), name: format!("rule-{n}"), text: "x".repeat(100) })
            .collect();
        let total = steps.len() + items.len();
        let section = Section { key: "checks", title: "Checks".into(), items, table: None, json: Value::Null };
        let text = preview(&place(), &plan(steps), &[section]);
        assert_whole(&text);
        assert_eq!(counted(&text), total, "{updates} {each}");
        for title in ["Checks (", "Change (", "Create ("] {
            assert!(text.contains(title), "{title}");
        }
    }
}

#[test]
fn a_table_is_shown_whole_or_not_at_all() {
    let table = |rows: usize| {
        let markdown = format!("| a |\n|---|\n{}", "| row |\n".repeat(rows));
        let table = Some(Table { text: String::new(), markdown });
        Section { key: "cost", title: "Cost".into(), items: Vec::new(), table, json: Value::Null }
    };
    let text = preview(&place(), &small(), &[table(2)]);
    assert!(text.contains("#### Cost\n\n| a |\n|---|\n| row |\n| row |\n\n#### Replace"), "{text}");
    let text = preview(&place(), &small(), &[table(20_000)]);
    assert!(text.contains("#### Cost\n\nLeft out: it is too long for a comment.\n\n#### Replace"), "{text}");
    assert_whole(&text);
}

#[test]
fn a_long_value_is_shortened_and_says_so() {
    let text = field(&change("policy", json!("x".repeat(1000)), Planned::Known(json!(1)), Effect::Update));
    assert!(text.contains("… (1002 characters)"), "{text}");
    assert!(text.len() < 400, "{text}");
}

fn object(urn: &str, gone: bool, changes: Vec<Change>, outputs: Vec<Change>) -> Drifted {
    Drifted { urn: urn.parse().unwrap(), generation: 0, id: Some("id".into()), gone, changes, outputs }
}

#[test]
fn drift_is_grouped_too() {
    let edited = || change("scaling.max", json!(10), Planned::Known(json!(12)), Effect::Replace);
    let found = Drift {
        stack: "p".into(),
        checked: 30,
        objects: vec![
            object("k/a", false, vec![edited()], Vec::new()),
            object("k/b", true, Vec::new(), Vec::new()),
            object("k/c", false, Vec::new(), vec![edited()]),
        ],
    };
    let text = drift(&place(), &found);
    assert_eq!(
        text.split_once("us-east-1\n\n").unwrap().1,
        "| changed | gone | checked |\n|---:|---:|---:|\n| 1 | 1 | 30 |\n\n#### Gone (1)\n\n- `k/b` (`id`)\n\n#### Changed \
         (1)\n\n- `k/a` (`id`)\n  - `scaling.max`: `10` → `12`\n\n<details><summary>Moved by AWS, no drift \
         (1)</summary>\n\n- `k/c` (`id`)\n  - `scaling.max`: `10` → `12`\n\n</details>\n\n"
    );
    let none = drift(&place(), &Drift { checked: 3, ..Drift::default() });
    assert!(none.ends_with("No drift: 3 objects are as recorded.\n\n"), "{none}");
}
