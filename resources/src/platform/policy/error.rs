//! Why a policy cannot be asked.

use std::fmt;

/// A policy that cannot be read or evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyError {
    /// The file.
    pub file: String,
    /// Line and column from 1, where they are known.
    pub place: Option<(u32, u32)>,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "policy {}", self.file)?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for PolicyError {}

impl PolicyError {
    pub(super) fn new(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), place: None, message: message.into() }
    }

    /// From the interpreter's report, which has `--> FILE:LINE:COLUMN`, the line itself, and
    /// `error: WHAT`; `file` where it names none.
    pub(super) fn of_report(file: &str, report: &str) -> Self {
        let place = report.split("--> ").nth(1).and_then(|rest| rest.lines().next());
        let message = match report.rsplit_once("error: ") {
            Some((_, message)) => message,
            None => report,
        };
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let parsed = place.and_then(|place| {
            let mut parts = place.rsplitn(3, ':');
            let column = parts.next()?.trim().parse().ok()?;
            let line = parts.next()?.trim().parse().ok()?;
            Some((parts.next()?.to_owned(), (line, column)))
        });
        match parsed {
            Some((file, place)) => Self { file, place: Some(place), message },
            None => Self { file: file.to_owned(), place: None, message },
        }
    }
}
