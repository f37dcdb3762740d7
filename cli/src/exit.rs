//! From errors to exit codes: one kind of error, one code.

use std::{panic::PanicHookInfo, path::PathBuf, process::ExitCode};

use rayplat_engine::{
    error::{Error, ErrorClass, ProviderError},
    stack::StackError,
    store::StoreError,
};
use rayplat_resources::{
    adopt::FileError,
    platform::{manifest::Diagnostics, policy::PolicyError},
    rehearsal::RehearsalError,
};
use serde_json::json;

use crate::report::{err, out, style};

/// The exit code of a bug.
pub const BUG: u8 = 70;

/// How a command ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Done, or nothing to do.
    Done,
    /// A preview with changes.
    Changes,
    /// A run in which a step failed, or a check; it has been reported.
    Incomplete,
    /// A run that was stopped; it has been reported.
    Interrupted,
    /// The plan was shown and the answer was no.
    Declined,
    /// A lint with errors; they have been shown.
    Faulty,
    /// A policy forbids the plan; it has been reported.
    Denied,
    /// A check of the live platform did not pass or could not run; it has been reported.
    Unverified,
    /// A preview of what would be refused; it has been shown.
    Refused,
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The engine's.
    #[error(transparent)]
    Engine(#[from] Error),
    /// A call outside a run.
    #[error(transparent)]
    Aws(#[from] ProviderError),
    /// The manifest is wrong. Its text is a report by itself.
    #[error("{0}")]
    Manifest(Diagnostics),
    /// The manifest cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    NoManifest {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of Terraform's cannot be used.
    #[error("{}: {error}", path.display())]
    Terraform {
        /// The file.
        path: PathBuf,
        /// Why.
        error: FileError,
    },
    /// The emulated account.
    #[error(transparent)]
    Rehearsal(#[from] RehearsalError),
    /// The platform cannot be built of a manifest that passed its checks.
    #[error("the platform cannot be built: {0}")]
    Platform(#[from] StackError),
    /// A policy that cannot be asked.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The command line asks for something that cannot be.
    #[error("{message}")]
    Usage {
        /// What.
        message: String,
        /// What to do.
        hint: String,
    },
    /// The machine refuses.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why.
        source: std::io::Error,
    },
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Engine(Error::Store(error))
    }
}

impl Failure {
    /// What to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Engine(error) => error.hint(),
            Self::Aws(error) => error.hint.clone(),
            Self::NoManifest { .. } => Some("Name it with -f FILE, or write one with `rayplat init`.".to_owned()),
            Self::Rehearsal(error) => Some(error.hint()),
            Self::Platform(_) => Some("This is a bug: the manifest passed its checks.".to_owned()),
            Self::Usage { hint, .. } => Some(hint.clone()),
            Self::Policy(_) => Some(
                "Mend the policy, or take it out of the manifest: what cannot be asked has not said yes.".to_owned(),
            ),
            Self::Terraform { error, .. } => Some(error.cure.clone()),
            Self::Manifest(_) | Self::Io { .. } => None,
        }
    }

    /// The code of each kind of error; the table is in `rayplat --help`.
    fn code(&self) -> u8 {
        match self {
            Self::Usage { .. } => 64,
            Self::Manifest(_) | Self::Policy(_) | Self::Terraform { .. } => 65,
            Self::NoManifest { .. } => 66,
            Self::Aws(error) => aws(error),
            Self::Io { .. } | Self::Rehearsal(RehearsalError::Io { .. }) => 73,
            Self::Rehearsal(RehearsalError::Damaged { .. }) => 74,
            Self::Rehearsal(RehearsalError::Other { .. }) => 78,
            Self::Platform(_) => BUG,
            Self::Engine(error) => match error {
                Error::Store(StoreError::Locked { .. } | StoreError::Lost { .. }) => 75,
                Error::Store(StoreError::Damaged { .. } | StoreError::TooNew { .. }) => 74,
                Error::Store(StoreError::Io { .. } | StoreError::Remote { .. }) => 73,
                Error::Store(StoreError::Denied { .. }) => 77,
                Error::Binding { .. } | Error::PlanBinding { .. } => 78,
                Error::PlanFile(_) => 74,
                Error::Read { source, .. } | Error::Recovery { source, .. } => aws(source),
                Error::Name(_) | Error::Edit(_) => 64,
                Error::Protected { .. } | Error::Refused { .. } | Error::DryRun(_) | Error::Unclaimed { .. } => 65,
                Error::PlanOutdated(_) => 76,
                Error::Interrupted(_) => 130,
                Error::Store(StoreError::Illegal(_))
                | Error::Stack { .. }
                | Error::Eval { .. }
                | Error::Cycle(_)
                | Error::UnknownKind { .. } => BUG,
            },
        }
    }
}

fn aws(error: &ProviderError) -> u8 {
    if error.class == ErrorClass::Denied { 77 } else { 69 }
}

/// Reports a failure and gives the process's exit code.
pub fn code(result: Result<Ending, Failure>, json: bool) -> ExitCode {
    match result {
        Ok(Ending::Done) => ExitCode::SUCCESS,
        Ok(Ending::Incomplete | Ending::Declined) => ExitCode::from(1),
        Ok(Ending::Faulty | Ending::Refused) => ExitCode::from(65),
        Ok(Ending::Changes) => ExitCode::from(2),
        Ok(Ending::Denied) => ExitCode::from(3),
        Ok(Ending::Unverified) => ExitCode::from(4),
        Ok(Ending::Interrupted) => ExitCode::from(130),
        Err(failure) => {
            report(&failure, json);
            ExitCode::from(failure.code())
        }
    }
}

fn report(failure: &Failure, json: bool) {
    if json {
        let diagnostics = match failure {
            Failure::Manifest(found) => serde_json::to_value(found).unwrap_or_default(),
            _ => serde_json::Value::Null,
        };
        let mut line = json!({"event": "error", "message": failure.to_string(), "exit_code": failure.code()});
        if let Some(hint) = failure.hint() {
            line["hint"] = hint.into();
        }
        if !diagnostics.is_null() {
            line["diagnostics"] = diagnostics;
        }
        if let Failure::Engine(Error::DryRun(refused)) = failure {
            line["refused"] = json!(refused);
        }
        out(&line.to_string());
        return;
    }
    if let Failure::Manifest(found) = failure {
        err(found.to_string().trim_end());
        return;
    }
    let style = style::stderr();
    err(&format!("{}error:{} {failure}", style.error, style.reset));
    let mut source = std::error::Error::source(failure);
    let mut last = failure.to_string();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !last.contains(&text) {
            err(&format!("  caused by: {text}"));
        }
        last = text;
        source = cause.source();
    }
    if let Some(hint) = failure.hint() {
        err(&format!("{}hint:{} {hint}", style.hint, style.reset));
    }
}

/// Reports a panic as what it is. The run's journal is whole: it is written before
/// each call.
pub fn bug(panic: &PanicHookInfo<'_>) {
    let style = style::stderr();
    let what = panic.payload_as_str().unwrap_or("no message");
    let place = panic.location().map_or_else(String::new, |place| format!(" ({}:{})", place.file(), place.line()));
    err(&format!("{}error:{} a bug: {what}{place}", style.error, style.reset));
    err(&format!(
        "{}hint:{} The state is exact: run the same command again. Please report this.",
        style.hint, style.reset
    ));
}

/// Help and version are no errors; everything else is wrong usage. 2 would mean
/// "changes pending".
pub fn usage(error: &clap::Error) -> ExitCode {
    // A closed pipe is the only way in which this fails: nobody is left to tell.
    drop(error.print());
    if error.use_stderr() { ExitCode::from(64) } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rayplat_engine::names::NameError;

    use super::*;

    #[test]
    fn every_kind_of_error_has_its_code() {
        let urn: rayplat_engine::urn::Urn = "k/a".parse().unwrap();
        let text = || "x".to_owned();
        let io = || std::io::Error::other("x");
        let denied = || ProviderError::new(ErrorClass::Denied, "x");
        let ambiguous = || ProviderError::new(ErrorClass::Ambiguous, "x");
        let damaged = StoreError::Damaged { place: text(), reason: text(), kept: None };
        let newer = StoreError::TooNew { place: text(), found: 2, supported: 1 };
        let table: Vec<(Failure, u8)> = vec![
            (Failure::Usage { message: text(), hint: text() }, 64),
            (Error::Name(NameError::Unknown { name: text(), nearest: None }).into(), 64),
            (Error::Protected { urn: urn.clone(), reason: text() }.into(), 65),
            (Error::Refused { urn: urn.clone(), reason: text(), hint: text() }.into(), 65),
            (Error::DryRun(Vec::new()).into(), 65),
            (PolicyError { file: text(), place: None, message: text() }.into(), 65),
            (Failure::NoManifest { path: "x".into(), source: io() }, 66),
            (ambiguous().into(), 69),
            (Error::Read { urn: urn.clone(), source: ambiguous() }.into(), 69),
            (Error::Stack { urn: urn.clone(), reason: text() }.into(), 70),
            (Error::Cycle(vec![urn.clone()]).into(), 70),
            (StoreError::Illegal(text()).into(), 70),
            (Failure::Io { what: text(), source: io() }, 73),
            (StoreError::Io { place: text(), reason: text() }.into(), 73),
            (RehearsalError::Io { place: "x".into(), source: io() }.into(), 73),
            (damaged.into(), 74),
            (newer.into(), 74),
            (RehearsalError::Damaged { place: "x".into(), reason: text() }.into(), 74),
            (Error::PlanFile(text()).into(), 74),
            (StoreError::Remote { place: text(), reason: text(), hint: text() }.into(), 73),
            (StoreError::Locked { holder: text() }.into(), 75),
            (StoreError::Lost { place: text(), reason: text() }.into(), 75),
            (Error::PlanOutdated(text()).into(), 76),
            (StoreError::Denied { place: text(), reason: text(), hint: text() }.into(), 77),
            (denied().into(), 77),
            (Error::Recovery { urn, source: denied() }.into(), 77),
            (Error::Binding { bound: text(), found: text() }.into(), 78),
            (Error::PlanBinding { bound: text(), found: text() }.into(), 78),
            (RehearsalError::Other { place: "x".into(), found: text(), wanted: text() }.into(), 78),
            (Error::Interrupted(text()).into(), 130),
        ];
        for (failure, code) in table {
            assert_eq!(failure.code(), code, "{failure:?}");
        }
    }
}
