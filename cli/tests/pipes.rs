//! Readers that are slow or gone: they change nothing about a run.

#![allow(clippy::unwrap_used)]

mod common;

use std::{
    io::Write,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use common::{
    Place, Ran,
    served::{Served, inventory, run, whole},
};

/// A pipe that nobody reads any more.
fn closed() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

fn ran(command: &mut Command) -> Ran {
    Ran::from(command.output().unwrap())
}

#[test]
fn without_a_reader_errors_keep_their_codes() {
    let place = Place::empty();
    for (args, code) in [(&["preview", "-f", "nope.yaml"][..], 66), (&["bogus"], 64), (&["up", "--rehearse"], 64)] {
        assert_eq!(ran(place.command(args).stderr(closed())).code, code, "{args:?}");
        assert_eq!(ran(place.command(args).stdout(closed()).stderr(closed())).code, code, "{args:?}");
    }
    place.write("rayplat.yaml", "name: [");
    assert_eq!(ran(place.command(&["validate"]).stderr(closed())).code, 65);
}

#[test]
fn without_a_reader_the_run_is_done() {
    let place = Place::new();
    for args in
        [&["up", "--rehearse", "--yes"][..], &["down", "--rehearse", "--yes"], &["up", "--rehearse", "--yes", "--json"]]
    {
        assert_eq!(ran(place.command(args).stdout(closed()).stderr(closed())).code, 0, "{args:?}");
    }
    place.ok(&["preview", "--rehearse"]);
}

#[test]
fn a_reader_who_does_not_read_stalls_nothing() {
    let place = Place::new();
    let served = Served::new(&place, "123456789012");
    let (reader, writer) = std::io::pipe().unwrap();
    let mut filler = writer.try_clone().unwrap();
    // Keeps the pipe full for as long as there is one.
    let full = std::thread::spawn(move || while filler.write_all(&[b'x'; 4096]).is_ok() {});
    std::thread::sleep(Duration::from_millis(200));
    let mut command = run(&place, &served, &["up", "--yes", "--json"]);
    let mut child = command.stdout(writer).spawn().unwrap();
    drop(command);
    let began = Instant::now();
    while inventory(&served) != whole() {
        assert!(began.elapsed() < Duration::from_secs(60), "stalled at {:?}", inventory(&served));
        assert_eq!(child.try_wait().unwrap(), None);
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(reader);
    full.join().unwrap();
    assert!(child.wait().unwrap().success());
    let preview = run(&place, &served, &["preview"]).output().unwrap();
    assert_eq!(preview.status.code(), Some(0), "{}", String::from_utf8_lossy(&preview.stdout));
}
