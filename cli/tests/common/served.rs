//! The emulated account over HTTP, and runs against it.

#![allow(dead_code, clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};

use rayplat_resources::aws::{self, Clients};

use super::Place;

/// The account in a process of its own; ended with the test.
pub struct Served {
    process: Child,
    pub url: String,
}

impl Served {
    pub fn new(place: &Place, account: &str) -> Self {
        Self::at(place, account, 3000)
    }

    /// So many times faster than real time.
    pub fn at(place: &Place, account: &str, speed: u32) -> Self {
        let mut process = place
            .command(&["rehearse", "serve", "--listen", "127.0.0.1:0", "--account", account])
            .args(["--manifest", "rayplat.yaml", "--speed", &speed.to_string()])
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

pub fn run(place: &Place, served: &Served, args: &[&str]) -> std::process::Command {
    let mut command = place.command(args);
    command
        .env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_ENDPOINT_URL", &served.url);
    command
}

pub fn clients(served: &Served) -> Clients {
    aws::with_keys("us-east-1", &served.url)
}

/// What stands in the account, by kind.
pub fn inventory(served: &Served) -> BTreeMap<&'static str, usize> {
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

pub fn whole() -> BTreeMap<&'static str, usize> {
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
