//! A plan as a tree: what, why, and what differs.

use std::collections::BTreeMap;

use rayplat_engine::{
    event::Summary,
    ops::Report,
    plan::{
        Along, Plan, Reason, Step,
        diff::{Change, Effect},
    },
    provider::{Action, ReplaceOrder},
    store::Checkpoint,
    value::Planned,
};
use serde_json::Value;

use super::{
    duration, kept,
    style::{self, Style},
};
use crate::setup::World;

/// Where a detail begins.
const INDENT: usize = 8;

/// Where a run works.
#[derive(Debug, Clone)]
pub struct Place {
    pub name: String,
    pub account: String,
    pub region: String,
    pub rehearsal: bool,
}

impl Place {
    /// Where the command works.
    pub fn of(world: &World) -> Self {
        Self {
            name: world.loaded.manifest.name.clone(),
            account: world.setting.account.clone(),
            region: world.setting.region.clone(),
            rehearsal: world.rehearsal.is_some(),
        }
    }
}

/// Where the run works, as a line.
pub fn heading(world: &World) -> String {
    let style = style::stdout();
    let setting = &world.setting;
    let place = format!("account {} in {}", setting.account, setting.region);
    let rehearsal = if world.rehearsal.is_some() { " (rehearsal: an emulated account, virtual time)" } else { "" };
    format!("{}{}{} in {place}{rehearsal}", style.bold, world.loaded.manifest.name, style.reset)
}

/// The plan, as wide as the terminal. `verbose` shows every input of what is made.
pub fn render(plan: &Plan, verbose: bool) -> String {
    let width = terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0));
    Tree { style: style::stdout(), width: width.max(60), verbose }.plan(plan)
}

struct Tree {
    style: Style,
    width: usize,
    verbose: bool,
}

impl Tree {
    fn plan(&self, plan: &Plan) -> String {
        let Style { bold, reset, .. } = self.style;
        if plan.is_empty() {
            let mut lines = self.retained(plan);
            lines.push(match (plan.unchanged.len(), lines.len()) {
                (0, 0) => "Nothing to do: nothing is known and nothing is wanted.".to_owned(),
                (0, _) => "Nothing to do.".to_owned(),
                (count, _) => format!("Nothing to do: {count} resources are as the manifest says."),
            });
            lines.extend(kept::lines(&plan.kept));
            return lines.join("\n");
        }
        let mut kinds: BTreeMap<&str, Vec<&Step>> = BTreeMap::new();
        for step in plan.steps.iter().filter(|step| step.action != Action::Delete || step.pair.is_none()) {
            kinds.entry(step.urn.kind()).or_default().push(step);
        }
        // Where everything goes, saying so of each is noise.
        let all_go = plan.steps.iter().all(|step| step.action == Action::Delete);
        let mut lines = Vec::new();
        for (kind, mut steps) in kinds {
            steps.sort_by(|a, b| (&a.urn, a.generation).cmp(&(&b.urn, b.generation)));
            lines.push(format!("{bold}{kind}{reset}"));
            let last = steps.len() - 1;
            for (index, step) in steps.into_iter().enumerate() {
                let (branch, below) = if index == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
                lines.push(format!("{branch}{}", self.title(step, all_go)));
                lines.extend(self.details(step).into_iter().map(|line| format!("{below}     {line}")));
            }
        }
        lines.extend(self.along(plan));
        lines.extend(self.retained(plan));
        lines.extend(kept::lines(&plan.kept));
        lines.push(String::new());
        lines.push(format!("{bold}{}{reset}", sentence(plan.summary())));
        let (expected, _) = plan.critical_path();
        let expected = u64::try_from(expected.as_millis()).unwrap_or(u64::MAX);
        lines.push(format!("Expected to take about {}.", duration(expected)));
        lines.join("\n")
    }

    /// What others made and what becomes of it.
    fn along(&self, plan: &Plan) -> Vec<String> {
        let Style { bold, reset, .. } = self.style;
        let mut lines = Vec::new();
        for (stays, heading) in [(false, "goes too"), (true, "stays in the account")] {
            let these: Vec<&Along> = plan.along.iter().filter(|along| along.stays == stays).collect();
            let Some(last) = these.len().checked_sub(1) else { continue };
            lines.push(format!("{bold}{heading}{reset}"));
            let branch = |index| if index == last { "└─ " } else { "├─ " };
            lines.extend(these.iter().enumerate().map(|(index, along)| format!("{}{}", branch(index), along.what)));
        }
        lines
    }

    /// What is left standing although it is no longer wanted, and how to be rid of it.
    fn retained(&self, plan: &Plan) -> Vec<String> {
        if plan.retained.is_empty() {
            return Vec::new();
        }
        let Style { bold, dim, reset, .. } = self.style;
        let mut lines = vec![format!("{bold}kept{reset}  {dim}`down --purge-backups` destroys this too{reset}")];
        let last = plan.retained.len() - 1;
        for (index, key) in plan.retained.iter().enumerate() {
            lines.push(format!("{}{}", if index == last { "└─ " } else { "├─ " }, key.urn));
        }
        lines
    }

    fn title(&self, step: &Step, all_go: bool) -> String {
        let style = self.style;
        let (mark, colour) = match (step.action, &step.pair) {
            (Action::Create, Some(pair)) if pair.order == ReplaceOrder::CreateThenDelete => ("+/-", style.update),
            (Action::Create, Some(_)) => ("-/+", style.update),
            (Action::Create, None) => ("+", style.create),
            (Action::Update, _) => ("~", style.update),
            (Action::Delete, _) => ("-", style.delete),
            (Action::Read, _) => ("?", style.dim),
        };
        let why = if all_go && step.reason == Reason::Removed { String::new() } else { why(step) };
        let why = if why.is_empty() { why } else { format!("  {}{why}{}", style.dim, style.reset) };
        format!("{colour}{mark:<4}{}{}{why}", style.reset, step.urn.name())
    }

    fn details(&self, step: &Step) -> Vec<String> {
        if !step.changes.is_empty() {
            return step.changes.iter().flat_map(|change| self.change(change)).collect();
        }
        match (&step.planned, self.verbose && step.action == Action::Create) {
            (Some(planned), true) => inputs(planned).iter().flat_map(|line| self.wrap(line, 4)).collect(),
            _ => Vec::new(),
        }
    }

    /// `path: old -> new` where that fits, else both below the path.
    fn change(&self, change: &Change) -> Vec<String> {
        let old = change.old.as_ref().map_or_else(|| "(none)".to_owned(), Value::to_string);
        let new = change.new.as_ref().map_or_else(|| "(none)".to_owned(), Planned::to_string);
        let needs = if change.effect == Effect::Replace { "   needs a new object" } else { "" };
        let line = format!("{}: {old} -> {new}{needs}", change.path);
        if line.chars().count() <= self.room() {
            return vec![line];
        }
        let mut lines = vec![format!("{}:{needs}", change.path)];
        lines.extend(self.wrap(&format!("   {old}"), 3));
        lines.extend(self.wrap(&format!("-> {new}"), 3));
        lines
    }

    fn room(&self) -> usize {
        self.width.saturating_sub(INDENT)
    }

    /// Breaks a line where the terminal ends; nothing is left out. What follows is
    /// indented by `hang`.
    fn wrap(&self, line: &str, hang: usize) -> Vec<String> {
        let letters: Vec<char> = line.chars().collect();
        let (first, rest) = letters.split_at(letters.len().min(self.room()));
        let mut lines = vec![first.iter().collect::<String>()];
        let pieces = rest.chunks(self.room() - hang);
        lines.extend(pieces.map(|piece| format!("{:hang$}{}", "", piece.iter().collect::<String>())));
        lines
    }
}

/// Why the step is in the plan, and in which order it goes; empty where that needs no words.
pub fn why(step: &Step) -> String {
    let base = match &step.reason {
        Reason::New | Reason::Changed => String::new(),
        Reason::Interrupted => "its creation was interrupted and is taken up".to_owned(),
        Reason::NeedsReplacing => "needs a new object".to_owned(),
        Reason::Insisted => "a new object by --replace".to_owned(),
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
    let base = if base.is_empty() { base } else { format!("{base}, ") };
    format!("{base}{order}{sure}")
}

fn inputs(planned: &Planned) -> Vec<String> {
    match planned {
        Planned::Known(Value::Object(map)) => {
            let set = map.iter().filter(|(_, value)| !value.is_null());
            set.map(|(key, value)| format!("{key}: {value}")).collect()
        }
        Planned::Object(entries) => {
            let set = entries.iter().filter(|(_, value)| value.known() != Some(&Value::Null));
            set.map(|(key, value)| format!("{key}: {value}")).collect()
        }
        other => vec![other.to_string()],
    }
}

fn counts(parts: &[(u64, &str)]) -> String {
    let named: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    named.join(", ")
}

fn sentence(summary: Summary) -> String {
    let named = counts(&[
        (summary.created, "to create"),
        (summary.updated, "to change"),
        (summary.replaced, "to replace"),
        (summary.deleted, "to delete"),
        (summary.unchanged, "unchanged"),
    ]);
    if named.is_empty() { "Nothing to change.".to_owned() } else { format!("{named}.") }
}

/// What was done, in one sentence. `before` is the state as it was.
pub fn closing(report: &Report, before: &Checkpoint) -> String {
    let summary = report.summary;
    let style = style::stdout();
    let named = counts(&[
        (summary.created, "created"),
        (summary.updated, "changed"),
        (summary.replaced, "replaced"),
        (summary.deleted, "deleted"),
        (summary.unchanged, "unchanged"),
        (summary.failed, "failed"),
        (summary.skipped, "skipped"),
    ]);
    let named = if named.is_empty() { "nothing to do".to_owned() } else { named };
    let mut text = if summary.complete() {
        format!("{}Done:{} {named}.", style.bold, style.reset)
    } else {
        format!(
            "{}Not complete:{} {named}. The state is exact; run the same command again to go on.",
            style.error, style.reset
        )
    };
    let gone = |step: &&Step| step.action == Action::Delete && step.urn.kind() == "aws:kms:Key";
    for step in report.plan.steps.iter().filter(gone).filter(|step| !report.state.objects.contains_key(&step.key())) {
        let id = before.objects.get(&step.key()).and_then(|object| object.id.as_deref()).unwrap_or("ID");
        text.push_str(&format!(
            "\nThe KMS key waits out its deletion window; `aws kms cancel-key-deletion --key-id {id}` takes that back."
        ));
    }
    if summary.complete() {
        for stays in report.plan.along.iter().filter(|along| along.stays) {
            text.push_str(&format!("\nLeft in the account: {}.", stays.what));
        }
    }
    text
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
