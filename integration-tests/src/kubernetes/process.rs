//! A program that does not outlive the test that started it.

use std::{
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
};

/// Ended with this value.
#[derive(Debug)]
pub(super) struct Process(Child);

impl Process {
    /// Starts a program that writes into a log.
    pub fn start(command: &mut Command, log: &Path) -> Self {
        let file = File::create(log).unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        let other = file.try_clone().unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        let child = command.stdin(Stdio::null()).stdout(file).stderr(other).spawn();
        Self(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
