//! A hermetic place to run the program in: a folder of its own, no environment, no
//! terminal, no network.

#![allow(dead_code, clippy::unwrap_used)]

pub mod served;

use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// As users have it.
pub const WHOLE: &str = include_str!("../../../examples/quickstart.yaml");

/// With an empty cluster: what AWS's own kinds are tested on.
pub const QUICKSTART: &str =
    concat!(include_str!("../../../examples/quickstart.yaml"), "kubernetes: {enabled: false}\n");

pub struct Place {
    folder: tempfile::TempDir,
}

/// What a run left behind.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    /// A folder with the quick start as `rayplat.yaml`.
    pub fn new() -> Self {
        let place = Self::empty();
        place.write("rayplat.yaml", QUICKSTART);
        place
    }

    pub fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).unwrap();
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rayplat"));
        command
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args).output().unwrap())
    }

    /// Runs, and insists on success.
    pub fn ok(&self, args: &[&str]) -> Ran {
        let ran = self.run(args);
        assert_eq!(ran.code, 0, "{args:?}\n{}\n{}", ran.stdout, ran.stderr);
        ran
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ran {
    /// The last line of standard output as JSON.
    pub fn last_json(&self) -> serde_json::Value {
        serde_json::from_str(self.stdout.lines().last().unwrap()).unwrap()
    }
}

/// `{"created": n, ...}` with what is named; all else 0.
pub fn summary(counts: &[(&str, u64)]) -> serde_json::Value {
    let mut all = serde_json::json!({
        "created": 0, "updated": 0, "replaced": 0, "deleted": 0, "unchanged": 0, "failed": 0, "skipped": 0,
    });
    for (name, count) in counts {
        all[*name] = (*count).into();
    }
    all
}

/// Changes the rehearsal's account as somebody else would.
pub fn edit_account(place: &Place, edit: impl FnOnce(&mut rayplat_resources::rehearsal::Account)) {
    let seed = rayplat_resources::rehearsal::Seed {
        account_id: "123456789012".to_owned(),
        region: "us-east-1".to_owned(),
        seed: 1,
    };
    let folder = place.file(".rayplat/rehearsal/rayplat/account");
    let account = rayplat_resources::rehearsal::Rehearsal::open(&folder, &seed, 0).unwrap();
    account.with_account(edit);
    account.save().unwrap();
}

/// Makes objects in the rehearsal's cluster as somebody else would, and lets half an hour pass. Each
/// with its collection's path.
pub fn apply_in_cluster(place: &Place, objects: &[(&str, serde_json::Value)]) {
    use rayplat_resources::rehearsal::{Rehearsal, Seed};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let seed = Seed { account_id: "123456789012".to_owned(), region: "us-east-1".to_owned(), seed: 1 };
        let folder = place.file(".rayplat/rehearsal/rayplat/account");
        let account = Rehearsal::open(&folder, &seed, 0).unwrap();
        let (name, host) = account.with_account(|account| {
            let cluster = account.eks.clusters.values().next().unwrap();
            (cluster.name.clone(), cluster.endpoint.url.replace("https://", ""))
        });
        let token = account.clients().kubernetes.tokens(&name).unwrap().token().await.unwrap().text;
        for (path, object) in objects {
            let parts: Vec<&str> = path.split('/').collect();
            let [group, version, namespace, plural] = parts.as_slice() else { panic!("{path}") };
            let params = serde_json::json!({
                "host": host, "token": token, "group": group, "version": version, "namespace": namespace, "plural": plural,
                "name": object["metadata"]["name"], "subresource": "", "contentType": "application/apply-patch+yaml",
                "query": {"fieldManager": "others"}, "body": object,
            });
            account.with_account(|account| account.handle("kubernetes", "Apply", &params)).unwrap();
        }
        tokio::time::sleep(std::time::Duration::from_secs(1800)).await;
        account.save().unwrap();
    });
}

/// The quick start's log group.
pub const LOG_GROUP: &str = "/aws/eks/production-ray-cluster/cluster";
