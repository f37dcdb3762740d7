//! The lint: what a manifest may say, and what is known to end badly.
//!
//! A rule has an id, a severity, a reason and a source; its findings have a place and a
//! cure. What makes a manifest unusable is no rule but an error of its check
//! ([`super::manifest::load`]), and what the platform never does needs none: `docs/lint.md`
//! has all three in one table.

mod allow;
mod cluster;
mod pools;
mod rules;

pub use rules::{RULES, Rule};

use super::manifest::{Diagnostic, Diagnostics, Loaded, Resolved, Severity};

/// What the lint found.
#[derive(Debug, Clone)]
pub struct Linted {
    /// What stands against the manifest: errors stop, warnings are shown, notes are for who asks.
    pub findings: Diagnostics,
    /// What the manifest allows, with its reason.
    pub allowed: Vec<Allowed>,
}

/// A finding that the manifest allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The finding.
    pub finding: Diagnostic,
    /// Why it is allowed, in the manifest's words.
    pub reason: String,
}

impl Linted {
    /// Without the notes: what a plan is shown with.
    #[must_use]
    pub fn without_notes(&self, source: &str) -> Diagnostics {
        let grave = self.findings.iter().filter(|found| found.severity != Severity::Note).cloned().collect();
        Diagnostics::new(&self.findings.file, source, grave)
    }
}

/// Applies every rule to a manifest that was loaded; its warnings are among the findings.
#[must_use]
pub fn lint(loaded: &Loaded) -> Linted {
    let mut context = Context { loaded, findings: loaded.warnings.diagnostics.clone() };
    cluster::check(&mut context);
    pools::check(&mut context);
    let unused = allow::check(&mut context);
    let Context { mut findings, .. } = context;
    let allow = &loaded.raw.lint.allow;
    let reason = |found: &Diagnostic| found.rule.and_then(|rule| allow.get(rule)).cloned();
    let mut allowed = Vec::new();
    findings.retain(|found| match reason(found) {
        Some(reason) => {
            allowed.push(Allowed { finding: found.clone(), reason });
            false
        }
        None => true,
    });
    findings.extend(
        unused
            .into_iter()
            .filter(|(rule, _)| allowed.iter().all(|a| a.finding.rule != Some(*rule)))
            .map(|(_, finding)| finding),
    );
    Linted { findings: Diagnostics::new(&loaded.warnings.file, &loaded.source, findings), allowed }
}

struct Context<'a> {
    loaded: &'a Loaded,
    findings: Vec<Diagnostic>,
}

impl Context<'_> {
    fn manifest(&self) -> &Resolved {
        &self.loaded.manifest
    }

    fn written(&self, path: &str) -> bool {
        self.loaded.spans.at(path).is_some()
    }

    /// Reports at a value, or at what stands around it when it is a default.
    fn at(&mut self, path: &str, rule: &'static Rule, message: impl Into<String>, cure: impl Into<String>) {
        let found = Diagnostic::lint(rule.severity, rule.id, message, cure);
        let spans = &self.loaded.spans;
        let value = spans.nearest(path);
        // A mapping that begins on the next line is known by its key.
        let span = spans.key(path).filter(|key| key.line < value.line).unwrap_or(value);
        self.findings.push(found.at(span.line, span.column).path(path));
    }
}

#[cfg(test)]
mod tests;
