//! Policies: rules in Rego over a plan's [`super::terraform_json`] document.
//!
//! A file is written as for OPA and conftest: `deny`, `violation` and `warn` (and `deny_...`, and
//! so on) are sets or rules of messages, in any package, in the syntax of Rego v1 or v0. What
//! cannot be read or evaluated is an error and never a pass. Builtins that reach out of the
//! document (`http.send`, `opa.runtime`) do not exist here.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use rayplat_resources::platform::policy::{PolicyFile, Policies};
//! let file = PolicyFile { name: "p.rego".into(), text: r#"
//!     package main
//!     import rego.v1
//!     deny contains msg if {
//!         some change in input.resource_changes
//!         change.type == "aws_nat_gateway"
//!         msg := sprintf("%s: no NAT gateways", [change.address])
//!     }
//! "#.into() };
//! let policies = Policies { files: vec![file], ..Policies::default() };
//! let verdict = policies.judge(&serde_json::json!({"resource_changes": []}))?;
//! assert!(!verdict.denied());
//! # Ok(())
//! # }
//! ```

mod error;
mod files;
mod rego;

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;
use serde_json::Value;

pub use error::PolicyError;
pub use files::load;

/// How long all files of one kind may take. The longest sensible policy takes milliseconds.
const LIMIT: Duration = Duration::from_secs(10);

/// The built-in policies by name.
const BUILT_IN: [(&str, &str); 6] = [
    ("encrypted-root-volume", include_str!("encrypted_root_volume.rego")),
    ("expensive-gpu", include_str!("expensive_gpu.rego")),
    ("imdsv2-required", include_str!("imdsv2_required.rego")),
    ("node-budget", include_str!("node_budget.rego")),
    ("private-endpoint-kept", include_str!("private_endpoint_kept.rego")),
    ("spot-gpu-fallback", include_str!("spot_gpu_fallback.rego")),
];

/// The names of the built-in policies, sorted.
pub fn built_in() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// One file of rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFile {
    /// For messages: its path.
    pub name: String,
    /// Rego.
    pub text: String,
}

/// The policies of a platform.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policies {
    /// Its own files, beside the built-in ones.
    pub files: Vec<PolicyFile>,
    /// Built-in policies that do not hold here, each with the reason.
    pub allow: BTreeMap<String, String>,
}

/// What a finding means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ruling {
    /// The plan must not be applied.
    Deny,
    /// Look at it.
    Warn,
    /// It would be denied, but the manifest allows it.
    Allowed,
}

/// One thing that a policy says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What it means.
    pub ruling: Ruling,
    /// A built-in policy's name, or a package and rule, e.g. `main.deny`.
    pub policy: String,
    /// What it says.
    pub message: String,
    /// Why the manifest allows it.
    pub reason: Option<String>,
}

/// What all policies say of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// How many policies were asked: the built-in ones and files.
    pub policies: usize,
    /// What they say, the gravest first.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// True if the plan must not be applied.
    pub fn denied(&self) -> bool {
        self.count(Ruling::Deny) > 0
    }

    /// How many findings are so.
    pub fn count(&self, ruling: Ruling) -> usize {
        self.findings.iter().filter(|finding| finding.ruling == ruling).count()
    }
}

impl Policies {
    /// Asks every policy about a plan's document.
    ///
    /// # Errors
    /// [`PolicyError`]: a file that cannot be read as Rego, cannot be evaluated, or says nothing
    /// that could be a verdict.
    pub fn judge(&self, document: &Value) -> Result<Verdict, PolicyError> {
        self.judge_within(document, LIMIT)
    }

    fn judge_within(&self, document: &Value, limit: Duration) -> Result<Verdict, PolicyError> {
        let mut findings = Vec::new();
        for (name, text) in BUILT_IN {
            let file = PolicyFile { name: format!("built-in {name}"), text: text.to_owned() };
            for finding in rego::evaluate(&[file], document, limit)? {
                findings.push(self.built_in(name, finding));
            }
        }
        if !self.files.is_empty() {
            findings.extend(rego::evaluate(&self.files, document, limit)?);
        }
        findings.sort();
        findings.dedup();
        Ok(Verdict { policies: BUILT_IN.len() + self.files.len(), findings })
    }

    fn built_in(&self, name: &str, finding: Finding) -> Finding {
        let reason = self.allow.get(name).cloned();
        let ruling = if reason.is_some() { Ruling::Allowed } else { finding.ruling };
        Finding { ruling, policy: name.to_owned(), message: finding.message, reason }
    }
}

#[cfg(test)]
mod tests;
