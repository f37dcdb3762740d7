//! What a check found.

use serde::Serialize;

/// One figure, with what it must be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Measure {
    /// What was measured.
    pub name: String,
    /// The figure; `None` if it never came to one.
    pub value: Option<f64>,
    /// Its unit, e.g. `s`, `ms`, `MiB`; empty for a count.
    pub unit: &'static str,
    /// What it must be; `None` for one that is only told.
    pub threshold: Option<Threshold>,
    /// Whether it is so.
    pub passed: bool,
}

/// What a figure must be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Threshold {
    /// This or less.
    AtMost(f64),
    /// This or more.
    AtLeast(f64),
}

impl Measure {
    /// One that is only told.
    pub(super) fn told(name: &str, value: Option<f64>, unit: &'static str) -> Self {
        Self { name: name.to_owned(), value, unit, threshold: None, passed: true }
    }

    /// One that must be the limit or less; nothing is never so.
    pub(super) fn at_most(name: &str, value: Option<f64>, unit: &'static str, limit: f64) -> Self {
        let passed = value.is_some_and(|value| value <= limit);
        Self { name: name.to_owned(), value, unit, threshold: Some(Threshold::AtMost(limit)), passed }
    }

    /// One that must be the limit or more; nothing is never so.
    pub(super) fn at_least(name: &str, value: Option<f64>, unit: &'static str, limit: f64) -> Self {
        let passed = value.is_some_and(|value| value >= limit);
        Self { name: name.to_owned(), value, unit, threshold: Some(Threshold::AtLeast(limit)), passed }
    }
}

/// How a check ended. What could not run has not passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every figure is as it must be.
    Passed,
    /// One is not.
    Failed,
    /// Nothing was found out.
    NotRun,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Its name on the command line.
    pub check: &'static str,
    /// How it ended.
    pub verdict: Verdict,
    /// What was measured.
    pub measures: Vec<Measure>,
    /// What else there is to know.
    pub notes: Vec<String>,
    /// Why it did not run, or what the platform refused to do.
    pub reason: Option<String>,
    /// What to do.
    pub hint: Option<String>,
}

/// What a check measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Found {
    pub measures: Vec<Measure>,
    pub notes: Vec<String>,
    /// What to do if a figure is not as it must be.
    pub hint: &'static str,
}

/// Why a check ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// Nothing was found out.
    NotRun { why: String, hint: String },
    /// The platform did not do what was asked of it.
    Failed { why: String, hint: String },
}

impl Stop {
    pub fn not_run(why: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::NotRun { why: why.into(), hint: hint.into() }
    }
}

impl From<rayplat_engine::error::ProviderError> for Stop {
    fn from(error: rayplat_engine::error::ProviderError) -> Self {
        let hint = error.hint.clone().unwrap_or_default();
        Self::NotRun { why: error.to_string(), hint }
    }
}

impl Outcome {
    pub(super) fn of(check: &'static str, result: Result<Found, Stop>) -> Self {
        let some = |text: String| (!text.is_empty()).then_some(text);
        let early = |verdict, why: String, hint: String| Self {
            check,
            verdict,
            measures: Vec::new(),
            notes: Vec::new(),
            reason: some(why),
            hint: some(hint),
        };
        match result {
            Err(Stop::NotRun { why, hint }) => early(Verdict::NotRun, why, hint),
            Err(Stop::Failed { why, hint }) => early(Verdict::Failed, why, hint),
            // A check without a threshold cannot fail, and is none.
            Ok(found) if !found.measures.iter().any(|measure| measure.threshold.is_some()) => {
                early(Verdict::NotRun, "nothing was measured".to_owned(), String::new())
            }
            Ok(Found { measures, notes, hint }) => {
                let passed = measures.iter().all(|measure| measure.passed);
                let hint = (!passed).then(|| hint.to_owned());
                let verdict = if passed { Verdict::Passed } else { Verdict::Failed };
                Self { check, verdict, measures, notes, reason: None, hint }
            }
        }
    }

    /// Whether it passed.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.verdict == Verdict::Passed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_measured_and_is_so_passes() {
        let verdict = |measures: Vec<Measure>| {
            let found = Found { measures, hint: "mend it", ..Found::default() };
            Outcome::of("x", Ok(found)).verdict
        };
        assert_eq!(verdict(vec![Measure::at_most("a", Some(1.0), "", 1.0)]), Verdict::Passed);
        assert_eq!(verdict(vec![Measure::at_most("a", Some(1.1), "", 1.0)]), Verdict::Failed);
        assert_eq!(verdict(vec![Measure::at_most("a", None, "", 1.0)]), Verdict::Failed, "never came to one");
        assert_eq!(verdict(vec![Measure::at_least("a", None, "", 0.0)]), Verdict::Failed);
        assert_eq!(verdict(vec![Measure::at_most("a", Some(f64::NAN), "", 1.0)]), Verdict::Failed);
        assert_eq!(verdict(vec![Measure::told("a", Some(1.0), "")]), Verdict::NotRun, "it could not have failed");
        assert_eq!(verdict(vec![]), Verdict::NotRun);
        assert_eq!(Outcome::of("x", Err(Stop::not_run("why", ""))).verdict, Verdict::NotRun);
    }
}
