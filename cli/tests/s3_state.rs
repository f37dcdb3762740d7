//! A state in S3: on the served account's own buckets and on the rehearsal's.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
    time::Duration,
};

use common::{
    Place, Ran,
    served::{Served, clients, inventory, run, whole},
};

/// Seconds; the usual lease would make the test wait a minute.
const LEASE: u64 = 2;

fn make_bucket(served: &Served) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(clients(served).s3.create_bucket().bucket("state").send()).unwrap();
}

fn address(prefix: &str) -> String {
    format!("s3://state/{prefix}?lease={LEASE}")
}

fn ended(place: &Place, served: &Served, args: &[&str]) -> Ran {
    Ran::from(run(place, served, args).output().unwrap())
}

/// Runs until nobody else has the lock any more.
fn patiently(place: &Place, served: &Served, args: &[&str]) -> (Ran, bool) {
    let mut waited = false;
    for _ in 0..200 {
        let ran = ended(place, served, args);
        if ran.code != 75 {
            return (ran, waited);
        }
        assert!(ran.stdout.contains("the state is locked by `rayplat up`"), "{}", ran.stdout);
        waited = true;
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the lock never came free");
}

/// A runner killed in the middle of a run; another, elsewhere, with nothing but the address of
/// the state, takes over after the lease and finishes.
#[test]
fn a_killed_runner_is_followed_by_another() {
    for sign in ["creating aws:eks:Cluster/main", "created aws:iam:Role", "created aws:eks:Cluster/main"] {
        let (mine, theirs) = (Place::new(), Place::new());
        let served = Served::at(&mine, "123456789012", 600);
        make_bucket(&served);
        let state = address("killed");
        let mut first = run(&mine, &served, &["up", "--yes", "--state", &state])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(first.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains(sign) {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "the run ended early");
        }
        first.kill().unwrap();
        first.wait().unwrap();
        let (next, waited) = patiently(&theirs, &served, &["up", "--yes", "--json", "--state", &state]);
        assert_eq!(next.code, 0, "{}\n{}", next.stdout, next.stderr);
        assert!(waited, "the dead runner's lock was not respected");
        assert_eq!(inventory(&served), whole(), "{sign}");
        let preview = ended(&mine, &served, &["preview", "--state", &state]);
        assert_eq!(preview.code, 0, "{}", preview.stdout);
        assert!(!mine.file(".rayplat").exists() && !theirs.file(".rayplat").exists());
        let list = ended(&mine, &served, &["state", "list", "--state", &state]);
        assert!(list.stdout.contains("aws:eks:NodeGroup/gpu"), "{}\n{}", list.stdout, list.stderr);
    }
}

#[test]
fn a_lock_names_its_holder_and_can_be_freed() {
    let place = Place::new();
    let served = Served::at(&place, "123456789012", 60);
    make_bucket(&served);
    let state = "s3://state/locked";
    let mut first = run(&place, &served, &["up", "--yes", "--state", state])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(first.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("creating aws:eks:Cluster/main") {
        line.clear();
        assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "the run ended early");
    }
    let refused = ended(&place, &served, &["up", "--yes", "--state", state]);
    assert_eq!(refused.code, 75, "{}", refused.stderr);
    let holder = format!("the state is locked by `rayplat up` (process {} of ", first.id());
    assert!(refused.stderr.contains(&holder), "{}", refused.stderr);
    assert!(refused.stderr.contains("if it does not renew its lease"), "{}", refused.stderr);
    let asked = ended(&place, &served, &["state", "unlock", "--state", state]);
    assert_eq!(asked.code, 64, "{}", asked.stderr);
    let freed = ended(&place, &served, &["state", "unlock", "--yes", "--state", state]);
    assert_eq!(freed.code, 0, "{}", freed.stderr);
    assert!(freed.stdout.contains("The lock is free."), "{}", freed.stdout);
    // The first run learns of it when it renews its lock or writes; the next one goes on.
    let next = ended(&place, &served, &["up", "--yes", "--state", state]);
    assert_eq!(next.code, 0, "{}\n{}", next.stdout, next.stderr);
    assert_eq!(first.wait().unwrap().code(), Some(75));
    assert_eq!(inventory(&served), whole());
    let again = ended(&place, &served, &["state", "unlock", "--state", state]);
    assert_eq!((again.code, again.stdout.as_str()), (0, "The state is not locked.\n"));
}

#[test]
fn what_is_wrong_with_the_place_is_said() {
    let place = Place::new();
    let served = Served::new(&place, "123456789012");
    let missing = ended(&place, &served, &["up", "--yes", "--state", "s3://nowhere/x"]);
    assert_eq!(missing.code, 73, "{}", missing.stderr);
    assert!(missing.stderr.contains("there is no bucket nowhere"), "{}", missing.stderr);
    assert!(missing.stderr.contains("aws s3api create-bucket --bucket nowhere"), "{}", missing.stderr);
    let wrong = ended(&place, &served, &["up", "--yes", "--state", "s3://b/x?kms=1"]);
    assert_eq!(wrong.code, 64, "{}", wrong.stderr);
    assert!(wrong.stderr.contains("`kms` is none of region, kms_key_id, lease"), "{}", wrong.stderr);
    make_bucket(&served);
    let none = ended(&place, &served, &["state", "list", "--state", "s3://state/none"]);
    assert_eq!(none.code, 64, "{}", none.stderr);
    assert!(none.stderr.contains("there is no state in s3://state/none"), "{}", none.stderr);
    // Looking makes nothing.
    let preview = ended(&place, &served, &["preview", "--state", "s3://state/none"]);
    assert_eq!(preview.code, 2, "{}", preview.stderr);
    let none = ended(&place, &served, &["state", "list", "--state", "s3://state/none"]);
    assert_eq!(none.code, 64, "{}", none.stderr);
    let folder = place.run(&["state", "unlock"]);
    assert_eq!(folder.code, 0, "{}", folder.stderr);
    assert!(folder.stdout.contains("operating system's"), "{}", folder.stdout);
}

#[test]
fn a_rehearsal_keeps_it_in_the_accounts_own_bucket() {
    let place = Place::new();
    let state = ["--rehearse", "--state", "s3://state/ray"];
    let with = |args: &[&str]| [args, &state].concat().iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
    let ran = |args: &[&str]| {
        let all = with(args);
        place.run(&all.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let missing = ran(&["up", "--yes"]);
    assert_eq!(missing.code, 73, "{}", missing.stderr);
    assert!(missing.stderr.contains("rayplat rehearse make-bucket state"), "{}", missing.stderr);
    place.ok(&["rehearse", "make-bucket", "state"]);
    let up = ran(&["up", "--yes"]);
    assert_eq!(up.code, 0, "{}\n{}", up.stdout, up.stderr);
    assert_eq!(ran(&["preview"]).code, 0);
    assert!(ran(&["state", "list"]).stdout.contains("aws:eks:NodeGroup/gpu"));
    assert!(!place.file(".rayplat/rehearsal/rayplat/state").exists());
    let history = ran(&["history", "--json"]);
    assert_eq!(history.code, 0, "{}", history.stderr);
    assert!(history.stdout.contains("\"up\""), "{}", history.stdout);
    let down = ran(&["down", "--yes"]);
    assert_eq!(down.code, 0, "{}\n{}", down.stdout, down.stderr);
    // By the environment, too.
    let mut command = place.command(&["state", "list", "--rehearse"]);
    let list = Ran::from(command.env("RAYPLAT_STATE", "s3://state/ray").output().unwrap());
    assert!(list.stdout.ends_with("0 objects\n"), "{}\n{}", list.stdout, list.stderr);
}
