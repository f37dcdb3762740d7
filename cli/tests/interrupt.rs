//! Ctrl-C once and twice, and SIGTERM.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, ChildStdout, Command, Stdio},
};

use common::{
    Place, Ran,
    served::{Served, inventory, run, whole},
};

/// An `up` whose cluster is being made.
struct Busy {
    child: Child,
    stdout: BufReader<ChildStdout>,
}

impl Busy {
    fn new(place: &Place, served: &Served) -> Self {
        let mut command = run(place, served, &["up", "--yes"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains("creating aws:eks:Cluster/main") {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "the run ended early");
        }
        Self { child, stdout }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("sh").arg("-c").arg(format!("kill -{name} {}", self.child.id())).status().unwrap();
        assert!(sent.success());
    }

    /// The line in which the program says that it has heard.
    fn heard(&mut self) -> String {
        let stderr = self.child.stderr.as_mut().unwrap();
        let mut text = String::new();
        let mut letter = [0];
        // Letter by letter: what comes later stays in the pipe.
        while !(text.contains("stopping") && text.ends_with('\n')) {
            assert_eq!(stderr.read(&mut letter).unwrap(), 1, "{text}");
            text.push(char::from(letter[0]));
        }
        text
    }

    fn end(mut self) -> Ran {
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.stdout.read_to_string(&mut stdout).unwrap();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let code = self.child.wait().unwrap().code().unwrap_or(-1);
        Ran { code, stdout, stderr }
    }
}

/// The next run goes on, and makes nothing twice.
fn goes_on(place: &Place, served: &Served) {
    let next = Ran::from(run(place, served, &["up", "--yes"]).output().unwrap());
    assert_eq!(next.code, 0, "{}\n{}", next.stdout, next.stderr);
    assert_eq!(inventory(served), whole());
}

#[test]
fn once_finishes_what_runs_and_starts_nothing_new() {
    for signal in ["INT", "TERM"] {
        let place = Place::new();
        let served = Served::at(&place, "123456789012", 120);
        let mut busy = Busy::new(&place, &served);
        busy.signal(signal);
        let heard = busy.heard();
        assert!(heard.contains("nothing new is started, what runs is finished and saved"), "{heard}");
        let ran = busy.end();
        assert_eq!(ran.code, 130, "{}", ran.stderr);
        assert!(ran.stdout.contains("created aws:eks:Cluster/main in "), "{}", ran.stdout);
        assert!(ran.stdout.contains("skipped: create aws:eks:NodeGroup/cpu (the run was stopped)"), "{}", ran.stdout);
        goes_on(&place, &served);
    }
}

#[test]
fn twice_stops_at_once() {
    let place = Place::new();
    // Slow enough that the cluster cannot be there by chance.
    let served = Served::at(&place, "123456789012", 60);
    let mut busy = Busy::new(&place, &served);
    busy.signal("INT");
    busy.heard();
    busy.signal("INT");
    let ran = busy.end();
    assert_eq!(ran.code, 130, "{}", ran.stderr);
    assert!(ran.stderr.contains("the next run looks at it and goes on"), "{}", ran.stderr);
    assert!(!ran.stdout.contains("created aws:eks:Cluster/main"), "{}", ran.stdout);
    assert!(ran.stdout.contains("Not complete:"), "{}", ran.stdout);
    goes_on(&place, &served);
}
