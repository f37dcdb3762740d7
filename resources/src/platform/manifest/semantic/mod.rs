//! What a schema cannot say: rules that join several keys, the syntax of
//! Kubernetes and of networks, and what AWS is known to refuse.
//!
//! Every rule works on the part of the manifest that has the right shape, so
//! that one wrong value does not hide the findings elsewhere.

mod capacity;
mod cluster;
mod labels;
mod monitoring;
mod network;
mod policy;
mod pools;
mod ray;
mod skew;

use jiff::civil::Date;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::diagnostic::Diagnostic;
use super::spans::Spans;

/// Checks what the schema cannot; adds to the findings.
///
/// `json` is the manifest without the values that the schema refused.
pub fn check(json: &Value, spans: &Spans, today: Date, findings: &mut Vec<Diagnostic>) {
    let mut context = Context { json, spans, today, findings };
    cluster::check(&mut context);
    network::check(&mut context);
    labels::check_tags(&mut context);
    pools::check(&mut context);
    policy::check(&mut context);
    ray::check(&mut context);
    monitoring::check(&mut context);
    skew::check(&mut context);
}

struct Context<'a> {
    json: &'a Value,
    spans: &'a Spans,
    today: Date,
    findings: &'a mut Vec<Diagnostic>,
}

impl Context<'_> {
    /// A section as its type; `None` when it is absent or has not its shape,
    /// which the schema's check has reported.
    fn section<T: DeserializeOwned>(&self, pointer: &str) -> Option<T> {
        let value = self.json.pointer(pointer)?;
        T::deserialize(value).ok()
    }

    /// Reports at a value, or at what stands around it when it is a default.
    fn at(&mut self, path: &str, found: Diagnostic) {
        let span = self.spans.nearest(path);
        self.findings.push(found.at(span.line, span.column).path(path));
    }

    /// Reports at a key.
    fn at_key(&mut self, path: &str, found: Diagnostic) {
        let span = self.spans.key(path).unwrap_or_else(|| self.spans.nearest(path));
        self.findings.push(found.at(span.line, span.column).path(path));
    }

    fn written(&self, path: &str) -> bool {
        self.spans.at(path).is_some()
    }
}
