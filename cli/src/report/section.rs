//! The parts of a preview beside the plan: what checks, policies and prices say of it. A
//! preview is handed a list of them; each of its forms shows them all.

use rayplat_engine::plan::Plan;
use rayplat_resources::platform::{
    cost::Comparison,
    manifest::{Diagnostics, Severity},
};
use serde_json::Value;

use super::style;

/// The key of what the manifest's checks say.
const MANIFEST: &str = "warnings";

/// The key of the prices.
const COST: &str = "cost";

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Look at it.
    Warning,
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
    /// `warning`, or nothing.
    pub fn mark(&self) -> Option<&'static str> {
        self.level.map(|level| match level {
            Level::Warning => "warning",
        })
    }
}

impl Section {
    /// False where the terminal has it already, or does not need it: warnings stand above,
    /// with the lines of the manifest; without changes nobody asks for prices.
    pub fn in_text(&self, plan: &Plan) -> bool {
        match self.key {
            MANIFEST => false,
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
            let mark = item.mark().map_or_else(String::new, |mark| format!("{}{mark}:{} ", style.update, style.reset));
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
