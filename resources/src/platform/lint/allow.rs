//! What a manifest allows: by the rule's id, with a written reason.

use super::{
    Context,
    rules::{RULES, Rule},
};
use crate::platform::manifest::{Code, Diagnostic, Severity, diagnostic::nearest};

/// The shortest text that can be a reason.
const REASON: usize = 10;

/// Checks `lint.allow`. Gives a finding for each rule that is allowed, to be used if
/// nothing of it was found.
pub(super) fn check(context: &mut Context<'_>) -> Vec<(&'static str, Diagnostic)> {
    let mut unused = Vec::new();
    for (id, reason) in &context.loaded.raw.lint.allow {
        let path = format!("lint.allow.{id}");
        let span = context.loaded.spans.key(&path).unwrap_or_else(|| context.loaded.spans.nearest("lint.allow"));
        let place = |found: Diagnostic| found.at(span.line, span.column).path(&path);
        let Some(rule) = RULES.iter().find(|rule| rule.id == id) else {
            let cure = match nearest(id, RULES.iter().map(|rule| rule.id)) {
                Some(near) => format!("did you mean {near}? `rayplat lint --rules` lists them"),
                None => "`rayplat lint --rules` lists them".to_owned(),
            };
            let found = Diagnostic::error(Code::NotOneOf, format!("there is no lint rule `{id}`"), cure);
            context.findings.push(place(found));
            continue;
        };
        if reason.trim().chars().count() < REASON {
            let message = format!("`{id}` is allowed without a reason that somebody could read");
            let cure = "write why this platform breaks the rule on purpose";
            context.findings.push(place(Diagnostic::error(Code::BadFormat, message, cure)));
        }
        unused.push((rule.id, place(needless(rule))));
    }
    unused
}

fn needless(rule: &Rule) -> Diagnostic {
    let message = format!("`{}` is allowed, and nothing breaks it", rule.id);
    let mut found = Diagnostic::warning(Code::Lint, message, "remove the line: it would hide the next finding");
    found.severity = Severity::Warning;
    found
}
