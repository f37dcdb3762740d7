//! `rayplat doctor`: looks at everything that a run needs, and says how to mend what it lacks.
//! Changes nothing, in the account or here.

mod account;
mod cluster;
mod machine;
mod state;

use rayplat_engine::{error::ProviderError, store::Checkpoint};
use rayplat_resources::{aws::Clients, platform::manifest::Loaded, rehearsal::Rehearsal};
use serde::Serialize;
use serde_json::json;

use crate::{
    args::Global,
    exit::{Ending, Failure},
    report::{out, style},
};

/// What a check came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ok,
    /// A run goes on without it.
    Warning,
    /// No run can end well.
    Failed,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    /// What was found.
    what: String,
    /// How to mend it.
    #[serde(skip_serializing_if = "Option::is_none")]
    cure: Option<String>,
}

impl Check {
    fn ok(name: &'static str, what: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, what: what.into(), cure: None }
    }

    fn warning(name: &'static str, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Warning, what: what.into(), cure: Some(cure.into()) }
    }

    fn failed(name: &'static str, what: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Failed, what: what.into(), cure: Some(cure.into()) }
    }

    /// A failure with its own cure.
    fn of(name: &'static str, failure: &Failure) -> Self {
        let cure = failure.hint().unwrap_or_else(|| "Mend it, and run `rayplat doctor` again.".to_owned());
        Self::failed(name, failure.to_string(), cure)
    }

    fn of_call(name: &'static str, error: ProviderError) -> Self {
        Self::of(name, &Failure::Aws(error))
    }
}

/// What was opened on the way, for the checks after it.
struct Patient<'a> {
    global: &'a Global,
    loaded: &'a Loaded,
    state: Option<&'a Checkpoint>,
    rehearsal: Option<&'a Rehearsal>,
    clients: Option<&'a Clients>,
}

pub async fn run(global: &Global) -> Result<Ending, Failure> {
    let checks = examine(global).await;
    let failed = checks.iter().any(|check| check.verdict == Verdict::Failed);
    if global.json {
        out(&json!({"ok": !failed, "checks": checks}).to_string());
    } else {
        out(&text(&checks));
    }
    Ok(if failed { Ending::Incomplete } else { Ending::Done })
}

async fn examine(global: &Global) -> Vec<Check> {
    let (manifest, loaded) = machine::manifest(global);
    let mut checks = vec![manifest, machine::source(global)];
    let Some(loaded) = loaded else {
        // Which charts, which account, which state: all of it is the manifest's to say.
        return checks;
    };
    checks.extend(machine::region(global, &loaded));
    // The folder of a state is locked before the account beside it is opened.
    let (state_check, state) = state::state(global).await;
    let (credentials, opened) = account::credentials(global, &loaded).await;
    checks.push(credentials);
    checks.push(state_check);
    let patient = Patient {
        global,
        loaded: &loaded,
        state: state.as_ref(),
        rehearsal: opened.as_ref().and_then(|opened| opened.rehearsal.as_ref()),
        clients: opened.as_ref().map(|opened| &opened.clients),
    };
    if let (Some(state), Some(opened)) = (patient.state, &opened) {
        checks.extend(account::binding(state, opened));
    }
    checks.extend(machine::helm(&patient).await);
    checks.extend(cluster::endpoint(&patient).await);
    checks.extend(cluster::kubeconfig(&patient));
    checks
}

/// The columns of a terminal.
const WIDTH: usize = 80;

fn text(checks: &[Check]) -> String {
    let style = style::stdout();
    let names = checks.iter().map(|check| check.name.len()).max().unwrap_or_default();
    let indent = " ".repeat("warning".len() + names + 4);
    let mut lines = Vec::new();
    for check in checks {
        let (word, colour) = match check.verdict {
            Verdict::Ok => ("ok", style.create),
            Verdict::Warning => ("warning", style.update),
            Verdict::Failed => ("failed", style.error),
        };
        let head = format!("{colour}{word:7}{}  {:names$}  ", style.reset, check.name);
        let found = wrapped(&check.what, indent.len()).join(&format!("\n{indent}"));
        lines.push(format!("{head}{found}"));
        if let Some(cure) = &check.cure {
            let cure = wrapped(&format!("cure: {cure}"), indent.len()).join(&format!("\n{indent}"));
            lines.push(format!("{indent}{}{cure}{}", style.hint, style.reset));
        }
    }
    let of = |verdict: Verdict| checks.iter().filter(|check| check.verdict == verdict).count();
    lines.push(match (of(Verdict::Failed), of(Verdict::Warning)) {
        (0, 0) => "Nothing is in the way of a run.".to_owned(),
        (0, warnings) => format!("Nothing is in the way of a run; {warnings} to look at."),
        (failed, _) => format!("{failed} to mend before a run."),
    });
    lines.join("\n")
}

/// Words in lines that end before the terminal's edge; a longer word has a line of its own.
fn wrapped(text: &str, indent: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if indent + line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_fits_a_terminal() {
        let long = "word ".repeat(40);
        let checks = [
            Check::ok("manifest", "rayplat.yaml"),
            Check::warning("kubeconfig", long.clone(), "Run `rayplat kubeconfig`."),
            Check::failed("credentials", "none", long),
        ];
        let text = text(&checks);
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert!(text.starts_with("ok       manifest     rayplat.yaml\nwarning  kubeconfig   word word"), "{text}");
        assert!(
            text.contains("\n                      cure: Run `rayplat kubeconfig`.\nfailed   credentials  none\n"),
            "{text}"
        );
        assert!(text.ends_with("\n1 to mend before a run."), "{text}");
    }

    #[test]
    fn words_are_not_cut() {
        assert_eq!(wrapped("a bb ccc", WIDTH - 4), ["a bb", "ccc"]);
        assert_eq!(wrapped(&"x".repeat(100), 10), ["x".repeat(100)]);
    }
}
