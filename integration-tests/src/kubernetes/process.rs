//! A program that does not outlive the test that started it.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use super::Tools;

/// Ended with this value. Where the test itself is killed, `control-plane leash` ends the program.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    // The leash: its end is the program's.
    stdin: Option<ChildStdin>,
    log: PathBuf,
}

impl Process {
    /// Starts one of the tools, which writes into a log. `prepare` gives it its arguments.
    ///
    /// # Panics
    /// It cannot be started.
    pub fn start(tools: &Tools, name: &str, log: &Path, prepare: impl FnOnce(&mut Command)) -> Self {
        let file = File::create(log).unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        let other = file.try_clone().unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        let mut command = Command::new(tools.program("control-plane"));
        command.arg("leash").arg(tools.program(name));
        prepare(&mut command);
        command.stdin(Stdio::piped()).stdout(file).stderr(other);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdin = child.stdin.take();
        Self { child, stdin, log: log.to_owned() }
    }

    /// That it still runs.
    ///
    /// # Panics
    /// It does not; with what it said last.
    pub fn must_run(&mut self) {
        let ended = self.child.try_wait().unwrap_or_else(|error| panic!("{}: {error}", self.log.display()));
        if let Some(status) = ended {
            let log = fs::read_to_string(&self.log).unwrap_or_else(|error| error.to_string());
            let last: Vec<&str> = log.lines().rev().take(20).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            panic!("{} ended ({status}):\n{}", self.log.display(), last.join("\n"));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It may have ended by itself; then there is nothing to wait for.
        drop(self.child.wait());
    }
}
