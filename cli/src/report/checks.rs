//! What checks of a live platform found.

use rayplat_resources::kubernetes::verify::{Measure, Outcome, Threshold, Verdict};
use serde_json::{Value, json};

use super::style::{self, Style};

fn verdict(outcome: &Outcome) -> &'static str {
    match outcome.verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "FAILED",
        Verdict::NotRun => "COULD NOT RUN",
    }
}

/// The terminal's form of one.
pub fn text(outcome: &Outcome) -> String {
    render(outcome, style::stdout())
}

fn render(outcome: &Outcome, style: Style) -> String {
    let Style { bold, reset, .. } = style;
    let colour = if outcome.passed() { style.create } else { style.error };
    let mut lines = vec![format!("{bold}{}{reset}: {colour}{}{reset}", outcome.check, verdict(outcome))];
    let width = outcome.measures.iter().map(|measure| measure.name.len()).max().unwrap_or_default();
    for measure in &outcome.measures {
        let colour = if measure.passed { "" } else { style.error };
        lines.push(format!("  {:width$}  {colour}{:>9}{reset}  {}", measure.name, value(measure), threshold(measure)));
    }
    lines.extend(outcome.reason.iter().map(|reason| format!("  {reason}")));
    lines.extend(outcome.notes.iter().map(|note| format!("  {note}")));
    lines.extend(outcome.hint.iter().map(|hint| format!("  {}hint:{reset} {hint}", style.hint)));
    lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join("\n")
}

fn value(measure: &Measure) -> String {
    measure.value.map_or_else(|| "never".to_owned(), |value| with_unit(value, measure.unit))
}

fn threshold(measure: &Measure) -> String {
    let text = match measure.threshold {
        None => return String::new(),
        Some(Threshold::AtMost(limit)) => format!("at most {}", with_unit(limit, measure.unit)),
        Some(Threshold::AtLeast(limit)) => format!("at least {}", with_unit(limit, measure.unit)),
    };
    if measure.passed { text } else { format!("{text}: not so") }
}

/// `0.04 %`, `14.2 s`, `922`.
fn with_unit(value: f64, unit: &str) -> String {
    let number = if value == value.trunc() { format!("{value:.0}") } else { format!("{value:.2}") };
    let number = if number.contains('.') { number.trim_end_matches('0') } else { &number };
    if unit.is_empty() { number.to_owned() } else { format!("{number} {unit}") }
}

/// After several.
pub fn summary(outcomes: &[Outcome]) -> String {
    let count = |wanted: Verdict| outcomes.iter().filter(|outcome| outcome.verdict == wanted).count();
    let parts = [(Verdict::Passed, "passed"), (Verdict::Failed, "failed"), (Verdict::NotRun, "could not run")];
    let parts: Vec<String> = parts
        .iter()
        .map(|(verdict, what)| (count(*verdict), what))
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    format!("\n{} checks: {}.", outcomes.len(), parts.join(", "))
}

/// The JSON form of all.
pub fn json(outcomes: &[Outcome]) -> Value {
    json!({"passed": outcomes.iter().all(Outcome::passed), "checks": outcomes})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(name: &str, value: Option<f64>, threshold: Option<Threshold>, passed: bool) -> Measure {
        Measure { name: name.to_owned(), value, unit: "s", threshold, passed }
    }

    #[test]
    fn a_check_fits_the_terminal() {
        let outcome = Outcome {
            check: "head-failover",
            verdict: Verdict::Failed,
            measures: vec![
                measure("head back after", None, Some(Threshold::AtMost(120.0)), false),
                measure("answer, median", Some(9.62), None, true),
            ],
            notes: vec!["seen: HTTP 502".to_owned()],
            reason: None,
            hint: Some("Look at Redis.".to_owned()),
        };
        assert_eq!(
            render(&outcome, Style::default()),
            "head-failover: FAILED\n  \
             head back after      never  at most 120 s: not so\n  \
             answer, median      9.62 s\n  \
             seen: HTTP 502\n  \
             hint: Look at Redis."
        );
        assert_eq!(summary(&[outcome.clone(), outcome]), "\n2 checks: 2 failed.");
    }
}
