//! What a platform costs a month, before a change and after it. Pure: resources, prices
//! and a day go in, sums come out. docs/cost.md has every assumption and its source.

mod bill;
mod items;
mod money;
mod prices;
mod report;
pub mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::Serialize;

pub use bill::knows;
pub use items::{Item, standing, wanted};
pub use money::{Money, Range};
pub use prices::{Prices, Product};
pub use report::{Row, Section};

/// The hours of a month: 8,760 a year, by twelve, as AWS's own calculator reckons.
pub const MONTH_HOURS: u64 = 730;

/// One line of a bill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What it belongs to: `control plane`, `pool gpu`, `network`, ...
    pub group: String,
    /// What is paid for.
    pub what: String,
    /// A month with the number of nodes that the manifest begins with.
    pub now: Range,
    /// A month with as many nodes as the autoscaler may make.
    pub at_most: Range,
    /// Why it is not in the sums, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<String>,
}

/// A month's bill.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// Its lines.
    pub lines: Vec<Line>,
    /// What is not in them.
    pub notes: BTreeSet<String>,
}

/// Two sums, and how many lines of the bill are not in them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sum {
    /// With the number of nodes that the manifest begins with.
    pub now: Range,
    /// With as many nodes as the autoscaler may make.
    pub at_most: Range,
    /// Lines without a price.
    pub unknown: usize,
}

impl Estimate {
    /// The bill of `items` on a day: which support a version is in depends on it.
    pub fn of(items: &[Item], prices: &Prices, today: Date) -> Self {
        bill::estimate(items, prices, today)
    }

    /// The sum of a group, or of everything.
    pub fn sum(&self, group: Option<&str>) -> Sum {
        let lines = || self.lines.iter().filter(|line| group.is_none_or(|group| line.group == group));
        Sum {
            now: lines().map(|line| line.now).sum(),
            at_most: lines().map(|line| line.at_most).sum(),
            unknown: lines().filter(|line| line.unknown.is_some()).count(),
        }
    }
}

/// What must be priced for a bill of `items`.
pub fn needs(items: &[Item], today: Date) -> BTreeSet<Product> {
    bill::needs(items, today)
}

/// A month before a change and after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// What stands.
    pub before: Estimate,
    /// What is wanted.
    pub after: Estimate,
    /// What the prices are of.
    pub prices: Prices,
}

impl Comparison {
    /// Both bills by the same prices.
    pub fn of(before: &[Item], after: &[Item], prices: Prices, today: Date) -> Self {
        Self { before: Estimate::of(before, &prices, today), after: Estimate::of(after, &prices, today), prices }
    }
}
