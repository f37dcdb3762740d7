//! The emulated account judged by boto3 and the AWS CLI, which were written by others.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::Path,
    process::{Command, Output},
    sync::mpsc,
};

use rayplat_integration_tests::{QUICKSTART, World, operations::used, python};
use rayplat_resources::rehearsal::{Rehearsal, ServeOptions, serve};

/// Serves an account on a thread of its own, in real time times `speed`, until dropped.
struct Served {
    address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Served {
    fn new(account: Rehearsal, speed: u32) -> Self {
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                let end = async { drop(stopped.await) };
                serve(listener, account, ServeOptions { speed }, end).await.unwrap();
            });
        });
        Self { address: told.recv().unwrap(), stop: Some(stop), thread: Some(thread) }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn botocore_accepts_every_answer() {
    let Some(bin) = python::environment("botocore_accepts_every_answer") else { return };
    let served = Served::new(world_in_real_time(), 3000);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/judge.py");
    let output = Command::new(bin.join("python"))
        .arg(script)
        .arg(served.url())
        .args(["subnet-0123456789abcdef0", "subnet-0123456789abcdef1"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let stdout = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(lines[1].ends_with(" checks passed"), "{stdout}");
    let judged: BTreeSet<String> = lines[0].split(' ').map(str::to_owned).collect();
    let used = used();
    let missing: Vec<&String> = used.difference(&judged).collect();
    assert!(missing.is_empty(), "nobody judges {missing:?}");
}

/// A seeded account; made inside a runtime, as its clock is tokio's.
fn world_in_real_time() -> Rehearsal {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { World::new(41).account })
}

#[test]
fn the_aws_cli_shows_what_was_made() {
    let Some(bin) = python::environment("the_aws_cli_shows_what_was_made") else { return };
    let account = {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let world = World::new(42);
            world.up(QUICKSTART).await.unwrap();
            world.account.with_account(|account| account.clone())
        })
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let rehearsal = runtime.block_on(async {
        let fresh = World::new(42).account;
        fresh.with_account(|inside| *inside = account);
        fresh
    });
    let served = Served::new(rehearsal, 1);
    let aws = |args: &[&str]| {
        let output = Command::new(bin.join("aws"))
            .args(["--endpoint-url", &served.url(), "--region", "us-east-1", "--output", "json"])
            .args(args)
            .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {}", text(&output));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    assert_eq!(aws(&["eks", "list-clusters"])["clusters"], serde_json::json!(["production-ray-cluster"]));
    let cluster = ["--cluster-name", "production-ray-cluster"];
    let groups = aws(&[&["eks", "list-nodegroups"][..], &cluster].concat());
    assert_eq!(groups["nodegroups"].as_array().unwrap().len(), 3);
    let addons = aws(&[&["eks", "list-addons"][..], &cluster].concat());
    assert_eq!(addons["addons"].as_array().unwrap().len(), 5);
    assert_eq!(aws(&["kms", "list-keys"])["Keys"].as_array().unwrap().len(), 1);
    assert_eq!(aws(&["ec2", "describe-launch-templates"])["LaunchTemplates"].as_array().unwrap().len(), 2);
}
