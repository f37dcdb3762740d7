//! A preview as a comment on a pull request.
//!
//! GitHub refuses comments over 65,536 characters. What does not fit is left out entry by
//! entry and counted; no line, list or fold is ever cut.

use rayplat_engine::{
    drift::{Drift, Drifted},
    plan::{
        Plan, Step,
        diff::{Change, Effect},
    },
    provider::Action,
    value::Planned,
};
use serde_json::Value;

use super::{
    duration,
    section::{Item, Section},
    tree::{self, Place},
};

/// The most bytes of a comment: no text has fewer bytes than GitHub counts characters.
const LIMIT: usize = 65_000;

/// What a list needs even if no entry of it fits: its heading and the count.
const HEADING: usize = 400;

/// The most bytes of one entry.
const ENTRY: usize = 6_000;

/// The most characters of one value.
const VALUE: usize = 240;

/// Lists with more lines than these are folded.
const UNFOLDED: usize = 12;

/// A list to be.
struct List {
    title: String,
    /// Shown whole or not at all.
    block: Option<String>,
    entries: Vec<String>,
    /// Folded whatever its length.
    folded: bool,
}

/// The plan and what is said of it.
pub fn preview(place: &Place, plan: &Plan, sections: &[Section]) -> String {
    let mut page = Page::new(LIMIT);
    page.push(&heading("preview", place));
    let summary = plan.summary();
    let mut lists: Vec<List> = sections.iter().map(section).collect();
    if plan.is_empty() {
        page.push(&format!("Nothing to do: {} resources are as the manifest says.\n\n", plan.unchanged.len()));
    } else {
        let row: Vec<String> = [summary.created, summary.updated, summary.replaced, summary.deleted, summary.unchanged]
            .map(|count| count.to_string())
            .to_vec();
        page.push(&format!(
            "| to create | to change | to replace | to delete | unchanged |\n|---:|---:|---:|---:|---:|\n| {} |\n\n",
            row.join(" | ")
        ));
        let (expected, _) = plan.critical_path();
        let expected = u64::try_from(expected.as_millis()).unwrap_or(u64::MAX);
        page.push(&format!("Expected to take about {}.\n\n", duration(expected)));
        lists.extend(groups(plan));
    }
    page.lists(lists);
    page.text
}

/// What has drifted.
pub fn drift(place: &Place, drift: &Drift) -> String {
    let mut page = Page::new(LIMIT);
    page.push(&heading("drift", place));
    let (gone, changed): (Vec<&Drifted>, Vec<&Drifted>) = drift.drifted().partition(|object| object.gone);
    if gone.is_empty() && changed.is_empty() {
        page.push(&format!("No drift: {} objects are as recorded.\n\n", drift.checked));
    } else {
        page.push(&format!(
            "| changed | gone | checked |\n|---:|---:|---:|\n| {} | {} | {} |\n\n",
            changed.len(),
            gone.len(),
            drift.checked
        ));
    }
    let list = |title: &str, objects: &[&Drifted], folded| List {
        title: title.to_owned(),
        block: None,
        entries: objects.iter().map(|object| drifted(object)).collect(),
        folded,
    };
    let moved: Vec<&Drifted> = drift.objects.iter().filter(|object| !object.is_drift()).collect();
    let mut lists = vec![list("Gone", &gone, false), list("Changed", &changed, false)];
    lists.push(list("Moved by AWS, no drift", &moved, true));
    page.lists(lists.into_iter().filter(|list| !list.entries.is_empty()).collect());
    page.text
}

/// The first line lets a job find its own comment again and change it in place.
fn heading(what: &str, place: &Place) -> String {
    let rehearsal = if place.rehearsal { " (rehearsal)" } else { "" };
    format!(
        "<!-- rayplat {what} {} -->\n### rayplat {what}: {}\n\naccount {} in {}{rehearsal}\n\n",
        place.name.replace("--", "-"),
        code(&place.name),
        place.account,
        place.region
    )
}

/// Changes by what they do, the gravest first.
fn groups(plan: &Plan) -> Vec<List> {
    type Is = fn(&Step) -> bool;
    let kinds: [(&str, Is); 5] = [
        ("Replace", |step| step.action == Action::Create && step.pair.is_some()),
        ("Delete", |step| step.action == Action::Delete && step.pair.is_none()),
        ("Change", |step| step.action == Action::Update),
        ("Create", |step| step.action == Action::Create && step.pair.is_none()),
        ("Look up", |step| step.action == Action::Read),
    ];
    let list = |(title, is): (&str, Is)| {
        let mut steps: Vec<&Step> = plan.steps.iter().filter(|step| is(step)).collect();
        steps.sort_by(|a, b| (&a.urn, a.generation).cmp(&(&b.urn, b.generation)));
        List {
            title: title.to_owned(),
            block: None,
            entries: steps.into_iter().map(step).collect(),
            folded: matches!(title, "Create" | "Look up"),
        }
    };
    kinds.into_iter().map(list).filter(|list| !list.entries.is_empty()).collect()
}

fn section(section: &Section) -> List {
    let entry = |item: &Item| {
        let name = if item.name.is_empty() { String::new() } else { format!("{}: ", code(&item.name)) };
        let mark = item.mark().map_or_else(String::new, |mark| format!("**{mark}:** "));
        format!("- {mark}{name}{}\n", plain(&item.text))
    };
    List {
        title: plain(&section.title),
        block: section.table.as_ref().map(|table| format!("{}\n", table.markdown.trim_end())),
        entries: section.items.iter().map(entry).collect(),
        folded: false,
    }
}

fn step(step: &Step) -> String {
    let why = tree::why(step);
    let why = if why.is_empty() { why } else { format!(": {}", plain(&why)) };
    entry(format!("- {}{why}\n", code(step.urn.as_str())), &step.changes)
}

fn drifted(object: &Drifted) -> String {
    let id = object.id.as_ref().map_or_else(String::new, |id| format!(" ({})", code(id)));
    let changes = if object.is_drift() { &object.changes } else { &object.outputs };
    let was = |change: &Change| Change { effect: Effect::Update, ..change.clone() };
    let changes: Vec<Change> = changes.iter().map(was).collect();
    entry(format!("- {}{id}\n", code(object.urn.as_str())), &changes)
}

/// An entry with a line for each field, as many as have room.
fn entry(mut text: String, changes: &[Change]) -> String {
    for (index, change) in changes.iter().enumerate() {
        let line = field(change);
        if text.len() + line.len() > ENTRY {
            text.push_str(&format!("  - and {} more fields\n", changes.len() - index));
            break;
        }
        text.push_str(&line);
    }
    text
}

fn field(change: &Change) -> String {
    let old = change.old.as_ref().map_or_else(|| "(none)".to_owned(), |old| value(&Value::to_string(old)));
    let new = match &change.new {
        None => "(none)".to_owned(),
        Some(Planned::Unknown) => "(known after apply)".to_owned(),
        Some(new) => value(&new.to_string()),
    };
    let needs = if change.effect == Effect::Replace { " **needs a new object**" } else { "" };
    format!("  - {}: {old} → {new}{needs}\n", code(&change.path))
}

/// A value that is no longer than people read.
fn value(text: &str) -> String {
    let length = text.chars().count();
    if length <= VALUE {
        return code(text);
    }
    let short: String = text.chars().take(VALUE).collect();
    format!("{} … ({length} characters)", code(&short))
}

/// On one line, without what moves a cursor or reorders text.
fn line(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\r' | '\t' => ' ',
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            c if c.is_control() => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// A code span: longer fences than any run of backticks inside (CommonMark 0.31, 6.1).
fn code(text: &str) -> String {
    let text = line(text);
    if text.trim().is_empty() {
        return "(empty)".to_owned();
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    // A table would be cut at a pipe even inside a span: no value stands in one.
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// Text in which nothing is markup, a mention or a link to an issue.
fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in line(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '@' | '#' => {
                escaped.push(c);
                escaped.push_str("<!-- -->");
            }
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// A page that never grows over its limit.
struct Page {
    text: String,
    limit: usize,
}

impl Page {
    fn new(limit: usize) -> Self {
        Self { text: String::new(), limit }
    }

    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Adds lists; what comes first has the room, but each later one has its heading.
    fn lists(&mut self, lists: Vec<List>) {
        let mut later = lists.len();
        for list in lists {
            later -= 1;
            self.list(&list, later * HEADING);
        }
    }

    fn list(&mut self, list: &List, reserved: usize) {
        let lines: usize = list.entries.iter().map(|entry| entry.lines().count()).sum();
        let title = format!("{} ({})", list.title, list.entries.len());
        let (head, tail) = match list.entries.len() {
            0 => (format!("#### {}\n\n", list.title), "\n"),
            _ if list.folded || lines > UNFOLDED => {
                (format!("<details><summary>{title}</summary>\n\n"), "\n</details>\n\n")
            }
            _ => (format!("#### {title}\n\n"), "\n"),
        };
        self.push(&head);
        let room = self.limit.saturating_sub(reserved + HEADING);
        if let Some(block) = &list.block {
            let fits = self.text.len() + block.len() <= room;
            self.push(if fits { block } else { "Left out: it is too long for a comment.\n" });
        }
        let mut shown = 0;
        for entry in &list.entries {
            if self.text.len() + entry.len() > room {
                break;
            }
            self.push(entry);
            shown += 1;
        }
        let left = list.entries.len() - shown;
        if left > 0 {
            self.push(&format!("\n{left} more are left out: a comment ends at {} characters.\n", self.limit));
        }
        self.push(tail);
    }
}

#[cfg(test)]
#[path = "markdown_tests.rs"]
mod tests;
