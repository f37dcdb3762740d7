//! `rayplat rehearse serve`, and runs against it: by endpoint override, killed at
//! twenty moments, with another account's credentials.

#![allow(clippy::unwrap_used)]

mod common;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    time::Duration,
};

use common::{Place, summary};
use rayplat_resources::aws::{self, Clients};

/// The account in a process of its own; ended with the test.
struct Served {
    process: Child,
    url: String,
}

impl Served {
    fn new(place: &Place, account: &str) -> Self {
        let mut process = place
            .command(&["rehearse", "serve", "--listen", "127.0.0.1:0", "--speed", "3000", "--account", account])
            .args(["--manifest", "rayplat.yaml"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.split(" at ").nth(1).unwrap().split(',').next().unwrap().to_owned();
        Self { process, url }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn run(place: &Place, served: &Served, args: &[&str]) -> std::process::Command {
    let mut command = place.command(args);
    command
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_ENDPOINT_URL", &served.url);
    command
}

fn clients(served: &Served) -> Clients {
    aws::with_keys("us-east-1", &served.url)
}

/// What stands in the account, by kind.
fn inventory(served: &Served) -> BTreeMap<&'static str, usize> {
    let clients = clients(served);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut found = BTreeMap::new();
        let clusters = clients.eks.list_clusters().send().await.unwrap();
        found.insert("clusters", clusters.clusters().len());
        if let Some(name) = clusters.clusters().first() {
            let groups = clients.eks.list_nodegroups().cluster_name(name).send().await.unwrap();
            found.insert("node groups", groups.nodegroups().len());
            let addons = clients.eks.list_addons().cluster_name(name).send().await.unwrap();
            found.insert("add-ons", addons.addons().len());
        }
        let roles = clients.iam.list_roles().path_prefix("/").send().await.unwrap();
        found.insert("roles", roles.roles().iter().filter(|role| role.path() == "/").count());
        let providers = clients.iam.list_open_id_connect_providers().send().await.unwrap();
        found.insert("OIDC providers", providers.open_id_connect_provider_list().len());
        let templates = clients.ec2.describe_launch_templates().send().await.unwrap();
        found.insert("launch templates", templates.launch_templates().len());
        let groups = clients.logs.describe_log_groups().send().await.unwrap();
        found.insert("log groups", groups.log_groups().len());
        let mut keys = 0;
        for key in clients.kms.list_keys().send().await.unwrap().keys() {
            let id = key.key_id().unwrap();
            let key = clients.kms.describe_key().key_id(id).send().await.unwrap();
            keys += usize::from(key.key_metadata().unwrap().enabled());
        }
        found.insert("enabled keys", keys);
        found
    })
}

fn whole() -> BTreeMap<&'static str, usize> {
    BTreeMap::from([
        ("clusters", 1),
        ("node groups", 3),
        ("add-ons", 5),
        ("roles", 5),
        ("OIDC providers", 1),
        ("launch templates", 2),
        ("log groups", 1),
        ("enabled keys", 1),
    ])
}

#[test]
fn up_and_down_by_endpoint_override() {
    let place = Place::new();
    let served = Served::new(&place, "123456789012");
    let up = run(&place, &served, &["up", "--yes", "--json"]).output().unwrap();
    assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stdout));
    assert_eq!(inventory(&served), whole());
    let preview = run(&place, &served, &["preview"]).output().unwrap();
    assert_eq!(preview.status.code(), Some(0), "{}", String::from_utf8_lossy(&preview.stdout));
    let down = common::Ran::from(run(&place, &served, &["down", "--yes", "--json"]).output().unwrap());
    assert_eq!(down.last_json()["summary"], summary(&[("deleted", 30)]));
    assert!(inventory(&served).values().all(|count| *count == 0), "{:?}", inventory(&served));
}

#[test]
fn killed_at_twenty_moments() {
    // How long an undisturbed run takes here decides where the moments are.
    let began = std::time::Instant::now();
    killed_after(None);
    let whole_run = began.elapsed();
    for moment in 0..20 {
        killed_after(Some(whole_run * moment / 20));
    }
}

fn killed_after(delay: Option<Duration>) {
    let place = Place::new();
    let served = Served::new(&place, "123456789012");
    let mut first = run(&place, &served, &["up", "--yes", "--json"]).stdout(Stdio::null()).spawn().unwrap();
    match delay {
        None => assert!(first.wait().unwrap().success()),
        Some(delay) => {
            std::thread::sleep(delay);
            // SIGKILL; it may have ended by itself already.
            first.kill().unwrap();
            first.wait().unwrap();
        }
    }
    let next = common::Ran::from(run(&place, &served, &["up", "--yes", "--json"]).output().unwrap());
    assert_eq!(next.code, 0, "killed after {delay:?}: {}\n{}", next.stdout, next.stderr);
    assert_eq!(inventory(&served), whole(), "killed after {delay:?}");
    let preview = run(&place, &served, &["preview"]).output().unwrap();
    assert_eq!(preview.status.code(), Some(0), "{}", String::from_utf8_lossy(&preview.stdout));
}

#[test]
fn another_account_is_refused_and_untouched() {
    let place = Place::new();
    let mine = Served::new(&place, "123456789012");
    let up = run(&place, &mine, &["up", "--yes", "--json"]).output().unwrap();
    assert!(up.status.success());
    let other = Served::new(&place, "999999999999");
    for args in [&["up", "--yes"][..], &["preview"], &["down", "--yes"]] {
        let ran = common::Ran::from(run(&place, &other, args).output().unwrap());
        assert_eq!(ran.code, 78, "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("account 123456789012"), "{}", ran.stderr);
        assert!(ran.stderr.contains("account 999999999999"), "{}", ran.stderr);
    }
    assert!(inventory(&other).values().all(|count| *count == 0));
    assert_eq!(inventory(&mine), whole());
}
