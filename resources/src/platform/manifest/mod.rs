//! The manifest: `rayplat.yaml`, from its bytes to a description of the
//! platform with every default filled in, or to everything that is wrong with
//! it, each with its line, its column, a reason and a cure.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let text = "
//! name: demo
//! region: us-east-1
//! network:
//!   vpc_id: vpc-0abcd1234ef567890
//!   subnet_ids: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]
//! ";
//! let today = jiff::civil::date(2026, 11, 24);
//! let loaded = rayplat_resources::platform::manifest::load("demo.yaml", text.as_bytes(), today)?;
//! assert_eq!(loaded.manifest.node_pools["cpu"].desired, 3);
//! # Ok(())
//! # }
//! ```

pub mod check;
pub mod defaults;
pub mod diagnostic;
pub mod formats;
pub mod markdown;
pub mod network;
mod pool_extras;
pub mod pool_update;
pub mod ray;
pub mod schema;
mod semantic;
mod services;
pub mod spans;
pub mod types;
pub mod versions;
pub mod yaml;

use jiff::civil::Date;

pub use defaults::{Resolved, ResolvedAddon, ResolvedDisk, ResolvedFallback, ResolvedPool};
pub use diagnostic::{Code, Diagnostic, Diagnostics, Severity};
pub use markdown::markdown;
pub use network::{ResolvedCreate, ResolvedNetwork};
pub use ray::{ResolvedPods, ResolvedRay, ResolvedWorkers};
pub use schema::schema;
pub use spans::Spans;
pub use types::Manifest;

/// A manifest that can be used.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The manifest with every default filled in.
    pub manifest: Resolved,
    /// The manifest as it is written.
    pub raw: Manifest,
    /// What a person should look at first.
    pub warnings: Diagnostics,
    /// Where every value stands, for findings of later checks.
    pub spans: Spans,
    /// The text, which those findings quote ([`Diagnostics::new`]).
    pub source: String,
}

/// Reads and checks a manifest. `file_name` is for messages only; `today`
/// decides which Kubernetes versions can be had, and is the caller's to give.
///
/// # Errors
/// Everything that is wrong with the manifest, warnings included, when at
/// least one finding is an error.
pub fn load(file_name: &str, bytes: &[u8], today: Date) -> Result<Loaded, Diagnostics> {
    let text = match yaml::decode(bytes) {
        Ok(text) => text,
        Err(found) => {
            // A file too large to read is too large to quote.
            let quotable = bytes.get(..bytes.len().min(yaml::MAX_BYTES)).unwrap_or_default();
            let source = String::from_utf8_lossy(quotable);
            return Err(Diagnostics::new(file_name, &source, vec![found]));
        }
    };
    let mut findings = Vec::new();
    let root = match yaml::parse(text, &mut findings) {
        Ok(root) => root,
        Err(found) => {
            findings.push(found);
            return Err(Diagnostics::new(file_name, text, findings));
        }
    };
    let spans = Spans::of(&root);
    let json = check::check(&root, schema(), &mut findings);
    semantic::check(&json, &spans, today, &mut findings);
    let found = Diagnostics::new(file_name, text, findings);
    if found.has_errors() {
        return Err(found);
    }
    let raw: Manifest = serde_json::from_value(json).map_err(|error| {
        // The types and the schema have one source: this is a defect of ours,
        // and still no reason to panic on somebody's file.
        let found = Diagnostic::error(
            Code::WrongType,
            format!("the manifest passes its schema and yet cannot be read: {error}"),
            "report this, with the manifest, as a defect of rayplat",
        );
        Diagnostics::new(file_name, text, vec![found])
    })?;
    Ok(Loaded { manifest: raw.resolve(), raw, warnings: found, spans, source: text.to_owned() })
}
#[cfg(test)]
mod bad_tests;
#[cfg(test)]
mod extras_tests;
#[cfg(test)]
mod good_tests;
