//! A comparison as rows: for a terminal, a Markdown table, or a program.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Comparison, Estimate, MONTH_HOURS, Sum};

/// One row of a [`Section`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it is of.
    pub name: String,
    /// One cell for each column.
    pub cells: Vec<String>,
    /// True for the sum of the others.
    pub total: bool,
}

/// A part of a report that is shown in any form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its heading.
    pub heading: String,
    /// The columns after the first, which has the rows' names.
    pub columns: Vec<&'static str>,
    /// Its rows.
    pub rows: Vec<Row>,
    /// Sentences below the table.
    pub notes: Vec<String>,
}

impl Comparison {
    /// True if the sums change, or what is not in them does.
    pub fn changes(&self) -> bool {
        self.before.sum(None) != self.after.sum(None)
    }

    /// The groups of both bills, in the order of the bills.
    fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = Vec::new();
        for line in self.after.lines.iter().chain(&self.before.lines) {
            if !groups.contains(&line.group.as_str()) {
                groups.push(&line.group);
            }
        }
        groups.sort_by_key(|group| (rank(group), *group));
        groups
    }

    /// A table: before, after, difference, and after with as many nodes as may be.
    pub fn section(&self) -> Section {
        let row = |name: &str, group: Option<&str>| {
            let (before, after) = (self.before.sum(group), self.after.sum(group));
            let cells = vec![
                shown(before.now.to_string(), before),
                shown(after.now.to_string(), after),
                before.now.change_to(after.now).signed(),
                shown(after.at_most.to_string(), after),
            ];
            Row { name: name.to_owned(), cells, total: group.is_none() }
        };
        let mut rows: Vec<Row> = self.groups().into_iter().map(|group| row(group, Some(group))).collect();
        rows.push(row("total", None));
        Section {
            heading: format!("Cost a month in US dollars, {MONTH_HOURS} hours, by {}", self.prices.source()),
            columns: vec!["before", "after", "difference", "after, all nodes"],
            rows,
            notes: self.notes(),
        }
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = self.prices.remarks();
        let unknown: BTreeSet<String> = self.before.lines.iter().chain(&self.after.lines).filter_map(why).collect();
        notes.extend(unknown.into_iter().map(|why| format!("Not in the sums: {why}.")));
        notes.extend(self.after.notes.iter().cloned());
        notes
    }

    /// What is wanted, in one sentence.
    pub fn sentence(&self) -> String {
        let after = self.after.sum(None);
        let unknown = if after.unknown == 0 { String::new() } else { format!(", without {} unknown", after.unknown) };
        format!(
            "{} US dollars a month, with all nodes {} (by {}{unknown})",
            after.now,
            after.at_most,
            self.prices.source()
        )
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({
            "currency": "USD",
            "hours_per_month": MONTH_HOURS,
            "region": self.prices.region(),
            "prices": self.prices.source(),
            "before": bill(&self.before),
            "after": bill(&self.after),
            "difference": self.before.sum(None).now.change_to(self.after.sum(None).now),
            "notes": self.notes(),
        })
    }
}

fn bill(estimate: &Estimate) -> Value {
    json!({"total": estimate.sum(None), "lines": estimate.lines})
}

fn why(line: &super::Line) -> Option<String> {
    line.unknown.as_ref().map(|why| format!("{}, {}: {why}", line.group, line.what))
}

/// The control plane first, pools after it, then the rest.
fn rank(group: &str) -> u8 {
    match group {
        "control plane" => 0,
        _ if group.starts_with("pool ") => 1,
        _ => 2,
    }
}

fn shown(amount: String, sum: Sum) -> String {
    if sum.unknown == 0 { amount } else { format!("{amount} + {} unknown", sum.unknown) }
}

impl Section {
    /// As plain text, columns aligned.
    pub fn text(&self) -> String {
        let heads = std::iter::once("").chain(self.columns.iter().copied()).map(str::to_owned).collect();
        let mut table: Vec<Vec<String>> = vec![heads];
        table.extend(self.rows.iter().map(Row::all));
        let widths: Vec<usize> = (0..=self.columns.len())
            .map(|column| table.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max())
            .map(Option::unwrap_or_default)
            .collect();
        let mut lines = vec![format!("{}:", self.heading)];
        for row in &table {
            let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                if column == 0 { format!("  {cell:width$}") } else { format!("{cell:>width$}") }
            });
            lines.push(cells.collect::<Vec<_>>().join("  ").trim_end().to_owned());
        }
        lines.extend(self.notes.iter().map(|note| format!("  {note}")));
        lines.join("\n")
    }

    /// As Markdown: a table and a list of notes, without the heading.
    pub fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |", cells.join(" | "));
        let heads: Vec<String> = std::iter::once("").chain(self.columns.iter().copied()).map(str::to_owned).collect();
        let rule = format!("|---|{}", "---:|".repeat(self.columns.len()));
        let mut lines = vec![line(&heads), rule];
        for row in &self.rows {
            let cells = row.all().into_iter().map(|cell| if row.total { format!("**{cell}**") } else { cell });
            lines.push(line(&cells.collect::<Vec<_>>()));
        }
        lines.push(String::new());
        lines.extend(self.notes.iter().map(|note| format!("- {note}")));
        lines.join("\n")
    }
}

impl Row {
    fn all(&self) -> Vec<String> {
        std::iter::once(self.name.clone()).chain(self.cells.iter().cloned()).collect()
    }
}
