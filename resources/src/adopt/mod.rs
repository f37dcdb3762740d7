//! Coming from the Terraform module: its variables become a manifest, what its state names
//! becomes ids for an import. The module is `ambicuity/Terraform-Driven-Ray-on-Kubernetes-Platform`.
//!
//! Files are read here, nothing else: the account is looked at by the import itself.

mod hcl;
mod manifest;
mod roles;
mod tfstate;
mod yaml;

use std::fmt;

pub use hcl::parse as parse_tfvars;
pub use manifest::{Written, write};
pub use roles::{Adoption, Fate, adoptions};
pub use tfstate::{TfObject, TfState};

/// Why a file of Terraform's cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileError {
    /// Line and column, counted from 1, where it is at one place.
    pub at: Option<(usize, usize)>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub cure: String,
}

impl FileError {
    fn new(message: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { at: None, message: message.into(), cure: cure.into() }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some((line, column)) => write!(f, "line {line}, column {column}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for FileError {}

/// Reads a file of variables: `.tfvars.json`, or else `.tfvars`.
///
/// # Errors
/// It is not of that form, or holds something that only Terraform can evaluate.
pub fn variables(name: &str, text: &str) -> Result<serde_json::Map<String, serde_json::Value>, FileError> {
    if !std::path::Path::new(name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
        return hcl::parse(text);
    }
    let cure = "Give the file that `terraform apply -var-file` takes: one JSON object, a member for each variable.";
    match serde_json::from_str(text) {
        Ok(serde_json::Value::Object(map)) => Ok(map),
        Ok(_) => Err(FileError::new("it is JSON, but no object", cure)),
        Err(error) => Err(FileError {
            at: Some((error.line(), error.column())),
            message: format!("it is not JSON: {error}"),
            cure: cure.to_owned(),
        }),
    }
}
