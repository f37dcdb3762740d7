//! A plan as a tree: what, why, and what differs.

use std::collections::BTreeMap;

use rayplat_engine::{
    event::Summary,
    ops::Report,
    plan::{
        Plan, Reason, Step,
        diff::{Change, Effect},
    },
    provider::{Action, ReplaceOrder},
    value::Planned,
};
use serde_json::Value;

use super::{
    duration,
    style::{self, Style},
};
use crate::setup::World;

/// Where the run works.
pub fn heading(world: &World) -> String {
    let style = style::stdout();
    let setting = &world.setting;
    let place = format!("account {} in {}", setting.account, setting.region);
    let rehearsal = if world.rehearsal.is_some() { " (rehearsal: an emulated account, virtual time)" } else { "" };
    format!("{}{}{} in {place}{rehearsal}", style.bold, world.loaded.manifest.name, style.reset)
}

/// The plan. `verbose` shows every input of what is made.
pub fn render(plan: &Plan, verbose: bool) -> String {
    let style = style::stdout();
    if plan.is_empty() {
        return format!("Nothing to do: {} resources are as the manifest says.", plan.unchanged.len());
    }
    let width = terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0)).max(60);
    let mut kinds: BTreeMap<&str, Vec<&Step>> = BTreeMap::new();
    for step in plan.steps.iter().filter(|step| step.action != Action::Delete || step.pair.is_none()) {
        kinds.entry(step.urn.kind()).or_default().push(step);
    }
    let mut lines = Vec::new();
    for (kind, steps) in kinds {
        lines.push(format!("{}{kind}{}", style.bold, style.reset));
        let last = steps.len() - 1;
        for (index, step) in steps.into_iter().enumerate() {
            let (branch, below) = if index == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            lines.push(format!("{branch}{}", title(step, style)));
            let details = details(step, verbose);
            lines
                .extend(details.into_iter().map(|line| format!("{below}     {}", cut(&line, width.saturating_sub(8)))));
        }
    }
    lines.push(String::new());
    lines.push(format!("{}{}{}", style.bold, sentence(plan.summary()), style.reset));
    let (expected, _) = plan.critical_path();
    let expected = u64::try_from(expected.as_millis()).unwrap_or(u64::MAX);
    lines.push(format!("Expected to take about {}.", duration(expected)));
    lines.join("\n")
}

fn title(step: &Step, style: Style) -> String {
    let (mark, colour) = match (step.action, &step.pair) {
        (Action::Create, Some(pair)) if pair.order == ReplaceOrder::CreateThenDelete => ("+/-", style.update),
        (Action::Create, Some(_)) => ("-/+", style.update),
        (Action::Create, None) => ("+", style.create),
        (Action::Update, _) => ("~", style.update),
        (Action::Delete, _) => ("-", style.delete),
        (Action::Read, _) => ("?", style.dim),
    };
    let why = why(step);
    let why = if why.is_empty() { String::new() } else { format!("  {}{why}{}", style.dim, style.reset) };
    format!("{colour}{mark:<4}{}{}{why}", style.reset, step.urn.name())
}

fn why(step: &Step) -> String {
    let base = match &step.reason {
        Reason::New | Reason::Changed => String::new(),
        Reason::Interrupted => "its creation was interrupted and is taken up".to_owned(),
        Reason::NeedsReplacing => "needs a new object".to_owned(),
        Reason::Broken { error } => format!("its creation failed: {error}"),
        Reason::Removed => "no longer wanted".to_owned(),
        Reason::Deposed => "its successor stands already".to_owned(),
        Reason::Lookup => "looked up when it can be".to_owned(),
    };
    let Some(pair) = &step.pair else { return base };
    let order = match pair.order {
        ReplaceOrder::CreateThenDelete => "the new one before the old one goes",
        ReplaceOrder::DeleteThenCreate => "the old one goes first",
    };
    let sure = if pair.certain { "" } else { ", if it still differs then" };
    format!("{base}, {order}{sure}")
}

fn details(step: &Step, verbose: bool) -> Vec<String> {
    if !step.changes.is_empty() {
        return step.changes.iter().map(change).collect();
    }
    match (&step.planned, verbose && step.action == Action::Create) {
        (Some(planned), true) => inputs(planned),
        _ => Vec::new(),
    }
}

fn change(change: &Change) -> String {
    let old = change.old.as_ref().map_or_else(|| "(none)".to_owned(), show);
    let new = change.new.as_ref().map_or_else(|| "(none)".to_owned(), Planned::to_string);
    let forces = if change.effect == Effect::Replace { "   needs a new object" } else { "" };
    format!("{}: {old} -> {new}{forces}", change.path)
}

fn show(value: &Value) -> String {
    value.to_string()
}

fn inputs(planned: &Planned) -> Vec<String> {
    match planned {
        Planned::Known(Value::Object(map)) => {
            let set = map.iter().filter(|(_, value)| !value.is_null());
            set.map(|(key, value)| format!("{key}: {value}")).collect()
        }
        Planned::Object(entries) => entries.iter().map(|(key, value)| format!("{key}: {value}")).collect(),
        other => vec![other.to_string()],
    }
}

/// A line that fits; the rest is in `--json`.
fn cut(line: &str, width: usize) -> String {
    if line.chars().count() <= width {
        return line.to_owned();
    }
    let kept: String = line.chars().take(width.saturating_sub(3)).collect();
    format!("{kept}...")
}

fn sentence(summary: Summary) -> String {
    let parts = [
        (summary.created, "to create"),
        (summary.updated, "to change"),
        (summary.replaced, "to replace"),
        (summary.deleted, "to delete"),
        (summary.unchanged, "unchanged"),
    ];
    let named: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if named.is_empty() { "Nothing to change.".to_owned() } else { format!("{}.", named.join(", ")) }
}

/// What was done, in one sentence.
pub fn closing(report: &Report, down: bool) -> String {
    let summary = report.summary;
    let style = style::stdout();
    let parts = [
        (summary.created, "created"),
        (summary.updated, "changed"),
        (summary.replaced, "replaced"),
        (summary.deleted, "deleted"),
        (summary.unchanged, "unchanged"),
        (summary.failed, "failed"),
        (summary.skipped, "skipped"),
    ];
    let named: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let counts = if named.is_empty() { "nothing to do".to_owned() } else { named.join(", ") };
    let mut text = if summary.complete() {
        format!("{}Done:{} {counts}.", style.bold, style.reset)
    } else {
        format!(
            "{}Not complete:{} {counts}. The state is exact; run the same command again to go on.",
            style.error, style.reset
        )
    };
    if down && summary.deleted > 0 && summary.complete() {
        text.push_str(
            "\nThe KMS key waits out its deletion window; `aws kms cancel-key-deletion --key-id ID` takes that back.",
        );
    }
    text
}
