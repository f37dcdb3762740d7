//! A plan as plain text, for golden tests and logs: one line a step, then its edges.

use std::fmt::Write;

use crate::{
    plan::{Plan, Reason, Step},
    provider::{Action, ReplaceOrder},
};

/// The whole plan. Steps are named `verb URN#GENERATION`.
pub fn render(plan: &Plan) -> String {
    let mut text = String::new();
    let mut before = vec![Vec::new(); plan.steps.len()];
    for (from, to) in &plan.edges {
        before[to.index()].push(name(&plan.steps[from.index()]));
    }
    for step in &plan.steps {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{}{}", name(step), notes(step));
        for change in &step.changes {
            let old = change.old.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
            let new = change.new.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
            let _ = writeln!(text, "    {}: {old} -> {new}", change.path);
        }
        let mut before = std::mem::take(&mut before[step.id.index()]);
        before.sort();
        if !before.is_empty() {
            let _ = writeln!(text, "    after {}", before.join(", "));
        }
    }
    for kept in &plan.kept {
        let wanted = kept.wanted.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
        let _ = writeln!(text, "kept {} {}: {}, not {wanted}", kept.urn, kept.path, kept.value);
    }
    for key in &plan.retained {
        let _ = writeln!(text, "retained: {key}");
    }
    for along in &plan.along {
        let _ = writeln!(text, "{}: {}", if along.stays { "stays" } else { "goes along" }, along.what);
    }
    if !plan.unchanged.is_empty() {
        let _ = writeln!(text, "unchanged: {}", plan.unchanged.len());
    }
    text
}

fn name(step: &Step) -> String {
    format!("{} {}#{}", step.action.verb(), step.urn, step.generation)
}

fn notes(step: &Step) -> String {
    let mut notes = Vec::new();
    match &step.reason {
        Reason::Insisted => notes.push("insisted on".to_owned()),
        Reason::New | Reason::Changed | Reason::NeedsReplacing | Reason::Lookup => {}
        Reason::Interrupted => notes.push("taken up".to_owned()),
        Reason::Broken { error } => notes.push(format!("broken: {error}")),
        Reason::Removed => notes.push("removed".to_owned()),
        Reason::Deposed => notes.push("deposed".to_owned()),
    }
    if let Some(pair) = &step.pair {
        let order = match pair.order {
            ReplaceOrder::CreateThenDelete => "create-then-delete",
            ReplaceOrder::DeleteThenCreate => "delete-then-create",
        };
        let sure = if pair.certain { "" } else { ", if still needed" };
        if step.action == Action::Create {
            notes.push(format!("replaces #{}, {order}{sure}", pair.old.generation));
        } else {
            notes.push(format!("replaced{sure}"));
        }
    }
    if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) }
}
