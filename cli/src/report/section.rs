//! The parts of a preview beside the plan: what checks, policies and prices say of it. A
//! preview is handed a list of them; each of its forms shows them all.

use rayplat_engine::{dry_run::DryRun, plan::Plan, unread::Unread};
use rayplat_resources::platform::{
    cost::Comparison,
    manifest::{Diagnostics, Severity},
    policy::{Finding, Ruling, Verdict},
};
use serde_json::{Value, json};

use super::{kept, style};

/// The key of what the manifest's checks say.
const MANIFEST: &str = "warnings";

/// The key of what stays as it stands.
const KEPT: &str = "kept";

/// The key of the prices.
const COST: &str = "cost";

/// The key of what the cluster's API says.
pub const DRY_RUN: &str = "dry_run";

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The plan must not be applied.
    Denied,
    /// It would not go through: the plan cannot be applied.
    Refused,
    /// Look at it.
    Warning,
    /// It would be denied, but there is a written reason.
    Allowed,
}

/// One line of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What is wrong; none for a remark.
    pub level: Option<Level>,
    /// A name to look it up by, e.g. a rule's; empty for none.
    pub name: String,
    /// What.
    pub text: String,
}

/// Something that has forms of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// For the terminal, with its heading.
    pub text: String,
    /// Without the heading.
    pub markdown: String,
}

/// One part.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// Its member in the JSON form.
    pub key: &'static str,
    /// Its heading, with the verdict in it.
    pub title: String,
    /// Its lines.
    pub items: Vec<Item>,
    /// In place of lines.
    pub table: Option<Table>,
    /// What the JSON form has of it.
    pub json: Value,
}

impl Item {
    /// A word for it, or nothing.
    pub fn mark(&self) -> Option<&'static str> {
        self.level.map(|level| match level {
            Level::Denied => "denied",
            Level::Refused => "refused",
            Level::Warning => "warning",
            Level::Allowed => "allowed",
        })
    }
}

impl Section {
    /// False where the terminal has it already, or does not need it: warnings stand above,
    /// with the lines of the manifest, and what is kept in the plan itself; without changes nobody asks for prices.
    pub fn in_text(&self, plan: &Plan) -> bool {
        match self.key {
            MANIFEST | KEPT => false,
            COST => !plan.is_empty(),
            _ => true,
        }
    }

    /// The terminal's form.
    pub fn text(&self) -> String {
        if let Some(table) = &self.table {
            return table.text.clone();
        }
        let style = style::stdout();
        let mut text = format!("{}{}{}", style.bold, self.title, style.reset);
        for item in &self.items {
            let colour = match item.level {
                Some(Level::Denied | Level::Refused) => style.error,
                Some(Level::Warning) => style.update,
                Some(Level::Allowed) | None => style.dim,
            };
            let mark = item.mark().map_or_else(String::new, |mark| format!("{colour}{mark}:{} ", style.reset));
            let name = if item.name.is_empty() { String::new() } else { format!("{}: ", item.name) };
            text.push_str(&format!("\n  {mark}{name}{}", item.text));
        }
        text
    }
}

/// What the manifest's checks say; none if they say nothing.
pub fn manifest(warnings: &Diagnostics) -> Option<Section> {
    let items: Vec<Item> = warnings
        .iter()
        .filter(|found| found.severity == Severity::Warning)
        .map(|found| Item {
            level: Some(Level::Warning),
            name: format!("{}:{}:{}", warnings.file, found.line, found.column),
            text: format!("{}. Cure: {}", found.message, found.cure),
        })
        .collect();
    (!items.is_empty()).then(|| Section {
        key: MANIFEST,
        title: format!("Manifest: {}", counted(items.len(), "warning")),
        items,
        table: None,
        json: serde_json::to_value(warnings).map_or(Value::Null, |mut value| value["diagnostics"].take()),
    })
}

/// What the policies say; they say so too when all is well.
pub fn policies(verdict: &Verdict) -> Section {
    let item = |finding: &Finding| Item {
        level: Some(match finding.ruling {
            Ruling::Deny => Level::Denied,
            Ruling::Warn => Level::Warning,
            Ruling::Allowed => Level::Allowed,
        }),
        name: finding.policy.clone(),
        text: match &finding.reason {
            Some(reason) => format!("{} (allowed: {reason})", finding.message),
            None => finding.message.clone(),
        },
    };
    let counts = [
        (verdict.count(Ruling::Deny), "denied"),
        (verdict.count(Ruling::Warn), "to look at"),
        (verdict.count(Ruling::Allowed), "allowed"),
    ];
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let counts = if counts.is_empty() { "none objects".to_owned() } else { counts.join(", ") };
    let mut json = serde_json::to_value(verdict).unwrap_or_default();
    json["denied"] = verdict.denied().into();
    Section {
        key: "policies",
        title: format!("Policies ({} asked): {counts}", verdict.policies),
        items: verdict.findings.iter().map(item).collect(),
        table: None,
        json,
    }
}

/// What could not be read; none if all was.
pub fn unread(unread: &[Unread]) -> Option<Section> {
    let first = unread.first()?;
    let item = |one: &Unread| Item { level: None, name: one.urn.to_string(), text: "taken as recorded".to_owned() };
    Some(Section {
        key: "unread",
        title: super::unread(unread.len(), &first.error.to_string()),
        items: unread.iter().map(item).collect(),
        table: None,
        json: json!(unread),
    })
}

/// What would be refused, and what could not be asked about; none if nothing would be.
pub fn dry_run(found: &DryRun) -> Option<Section> {
    let refused = found.refused.iter().map(|refused| Item {
        level: Some(Level::Refused),
        name: format!("{} {}", refused.action.verb(), refused.urn),
        text: match &refused.error.hint {
            Some(cure) => format!("{}. Cure: {cure}", refused.error),
            None => refused.error.to_string(),
        },
    });
    let unasked = found.unasked.iter().map(|unasked| Item {
        level: None,
        name: format!("{} {}", unasked.action.verb(), unasked.urn),
        text: format!("not tried: {}", unasked.reason),
    });
    (!found.refused.is_empty()).then(|| Section {
        key: DRY_RUN,
        title: format!("Dry run: {} refused, {} accepted", found.refused.len(), found.accepted),
        items: refused.chain(unasked).collect(),
        table: None,
        json: json!(found),
    })
}

/// What stays as it stands although the manifest wants it otherwise; none if nothing does.
pub fn kept(plan: &Plan) -> Option<Section> {
    let items: Vec<Item> =
        plan.kept.iter().map(|kept| Item { level: None, name: kept.urn.to_string(), text: kept::line(kept) }).collect();
    (!items.is_empty()).then(|| Section {
        key: KEPT,
        title: format!("Kept as it stands: {}", counted(items.len(), "field")),
        items,
        table: None,
        json: serde_json::to_value(&plan.kept).unwrap_or_default(),
    })
}

/// What it costs.
pub fn cost(cost: &Comparison) -> Section {
    let table = cost.section();
    Section {
        key: COST,
        title: table.heading.clone(),
        items: Vec::new(),
        table: Some(Table { text: table.text(), markdown: table.markdown() }),
        json: cost.json(),
    }
}

/// `1 warning`, `2 warnings`.
pub fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}
