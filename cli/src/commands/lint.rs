//! `rayplat lint`

use rayplat_resources::platform::{
    lint::{self, RULES},
    manifest::Severity,
};
use serde_json::json;

use crate::{
    args::Global,
    exit::{Ending, Failure},
    report::{err, out},
    setup,
};

pub fn run(global: &Global, rules: bool) -> Result<Ending, Failure> {
    if rules {
        list(global);
        return Ok(Ending::Done);
    }
    let linted = lint::lint(&setup::read_manifest(&global.file)?);
    let findings = &linted.findings;
    if global.json {
        let allowed: Vec<_> = linted
            .allowed
            .iter()
            .map(
                |allowed| json!({"rule": allowed.finding.rule, "path": allowed.finding.path, "reason": allowed.reason}),
            )
            .collect();
        out(&json!({"file": findings.file, "diagnostics": findings.diagnostics, "allowed": allowed}).to_string());
    } else {
        let text = findings.to_string();
        if !text.is_empty() {
            err(text.trim_end());
        }
        for allowed in &linted.allowed {
            let rule = allowed.finding.rule.unwrap_or_default();
            out(&format!("allowed: {rule} at line {}: {}", allowed.finding.line, allowed.reason));
        }
        let count = |severity, name: &str| match findings.count(severity) {
            1 => format!("1 {name}"),
            count => format!("{count} {name}s"),
        };
        let (errors, warnings) = (count(Severity::Error, "error"), count(Severity::Warning, "warning"));
        out(&format!("{errors}, {warnings}, {}", count(Severity::Note, "note")));
    }
    Ok(if findings.has_errors() { Ending::Faulty } else { Ending::Done })
}

fn list(global: &Global) {
    if global.json {
        let rules: Vec<_> = RULES
            .iter()
            .map(|rule| json!({"id": rule.id, "severity": rule.severity, "reason": rule.reason, "source": rule.source}))
            .collect();
        out(&json!(rules).to_string());
        return;
    }
    for rule in RULES {
        out(&format!("{} ({})\n  {}\n  {}", rule.id, rule.severity, rule.reason, rule.source));
    }
}
