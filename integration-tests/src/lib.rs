//! A platform on an emulated account, for tests: up, down, preview, and questions to
//! the account.

pub mod helm;
pub mod kubernetes;
pub mod moto;
pub mod operations;
pub mod others;
pub mod python;
pub mod ray;

use std::sync::Arc;

use rayplat_engine::{
    apply::Interrupt,
    error::Error,
    event::{Event, Events},
    ops::{Engine, Options, Preview, Report},
    provider::Registry,
    retry::RetryPolicy,
    store::StateStore,
};
use rayplat_resources::{
    aws::{
        Clients,
        tls_certificate::{FixedChain, IssuerCertificate},
    },
    platform::{self, Platform, Setting, manifest},
    rehearsal::{Rehearsal, Seed, ec2},
};
use rayplat_state::MemoryStore;
use serde_json::{Value, json};

/// The quick start, as users have it.
pub const WHOLE: &str = include_str!("../../examples/quickstart.yaml");

/// The quick start with an empty cluster: what AWS's own kinds are tested on.
pub const QUICKSTART: &str = concat!(include_str!("../../examples/quickstart.yaml"), "kubernetes: {enabled: false}\n");

/// A platform with a network of its own and an empty cluster.
pub const NETWORK_CREATE: &str =
    concat!(include_str!("../../examples/network-create.yaml"), "kubernetes: {enabled: false}\n");

/// The account's time when a test begins: 2026-11-24T00:00:00Z.
pub const START_MS: u64 = 1_795_478_400_000;

/// An account, a state and a way to run.
#[derive(Clone)]
pub struct World {
    /// The account.
    pub account: Rehearsal,
    /// The state.
    pub store: Arc<dyn StateStore>,
    /// Random draws.
    pub seed: u64,
}

impl World {
    /// A fresh account with the quick start's network, and an empty state.
    pub fn new(seed: u64) -> Self {
        Self::with_store(seed, Arc::new(MemoryStore::default()))
    }

    /// The same with a state of the caller's.
    pub fn with_store(seed: u64, store: Arc<dyn StateStore>) -> Self {
        let account = Rehearsal::in_memory(
            &Seed { account_id: "123456789012".into(), region: "us-east-1".into(), seed },
            START_MS,
        );
        let loaded = load(QUICKSTART).manifest;
        let manifest::ResolvedNetwork::Existing { vpc_id, subnet_ids } = &loaded.network else {
            panic!("the quick start names a network that exists");
        };
        let subnets: Vec<&str> = subnet_ids.iter().map(String::as_str).collect();
        let seeded = account.with_account(|account| ec2::seed_network(account, Some(vpc_id), &subnets, "10.0.0.0/16"));
        assert_eq!(seeded.as_ref(), Ok(vpc_id));
        Self { account, store, seed }
    }

    /// An engine on this account and state.
    pub async fn engine(&self) -> (Engine, Clients) {
        let clients = self.account.clients();
        let mut registry = Registry::new();
        rayplat_resources::register(&mut registry, &clients);
        let chain = FixedChain(self.account.issuer_chain());
        registry.add(IssuerCertificate::new(chain));
        let binding = rayplat_engine::store::Binding {
            partition: "aws".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            endpoint: None,
        };
        let options = Options {
            parallelism: 32,
            retry: RetryPolicy::default(),
            clock: Arc::new(self.account.clone()),
            binding,
            seed: self.seed,
        };
        (Engine::new(registry, self.store.clone(), options), clients)
    }

    /// `up` with this manifest; gives the events too.
    ///
    /// # Errors
    /// The engine's.
    pub async fn up(&self, text: &str) -> Result<(Report, Vec<Event>), Error> {
        let (engine, _) = self.engine().await;
        let (events, mut reader) = Events::channel();
        let report = engine.up(&self.platform(text).stack, events, Interrupt::default(), |_| true).await?;
        let mut seen = Vec::new();
        while let Ok(event) = reader.try_recv() {
            seen.push(event);
        }
        Ok((report, seen))
    }

    /// What `up` would do.
    ///
    /// # Errors
    /// The engine's.
    pub async fn preview(&self, text: &str) -> Result<Preview, Error> {
        self.engine().await.0.preview(&self.platform(text).stack, Events::none()).await
    }

    /// `down`.
    ///
    /// # Errors
    /// The engine's.
    pub async fn down(&self) -> Result<(Report, Vec<Event>), Error> {
        self.down_of("production-ray-cluster").await
    }

    /// `down` of the platform of this name.
    ///
    /// # Errors
    /// The engine's.
    pub async fn down_of(&self, name: &str) -> Result<(Report, Vec<Event>), Error> {
        let (events, mut reader) = Events::channel();
        let (engine, _) = self.engine().await;
        let report = engine.down(name, events, Interrupt::default(), |_| true).await?;
        let mut seen = Vec::new();
        while let Ok(event) = reader.try_recv() {
            seen.push(event);
        }
        Ok((report, seen))
    }

    /// The platform of a manifest in this account.
    pub fn platform(&self, text: &str) -> Platform {
        let setting = Setting {
            partition: "aws".into(),
            account: "123456789012".into(),
            region: "us-east-1".into(),
            caller_arn: CALLER.into(),
            zones: ["us-east-1a", "us-east-1b", "us-east-1c"].map(str::to_owned).into(),
        };
        platform::build(&load(text).manifest, &setting)
            .unwrap_or_else(|error| panic!("the platform cannot be built: {error}"))
    }
}

/// The caller's role, as IAM knows it.
pub const CALLER: &str = "arn:aws:iam::123456789012:role/aws-reserved/sso.amazonaws.com/us-east-1/\
                          AWSReservedSSO_AdministratorAccess_0123456789abcdef";

/// Reads a manifest on the day when tests begin.
pub fn load(text: &str) -> manifest::Loaded {
    let today = "2026-11-24".parse().unwrap_or_else(|error| panic!("{error}"));
    manifest::load("quickstart.yaml", text.as_bytes(), today).unwrap_or_else(|found| panic!("{found}"))
}

/// What went wrong in a run, for messages.
pub fn failures(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::StepFailed { urn, error, leftover, .. } => Some(format!("{urn}: {error} ({leftover})")),
            Event::StepSkipped { urn, because, .. } => Some(format!("{urn} skipped because of {because:?}")),
            _ => None,
        })
        .collect()
}

/// What a platform has put into its cluster: kinds and names, without what controllers made.
pub fn inside(world: &World) -> Vec<String> {
    world.account.with_account(|account| {
        let hosts: Vec<String> =
            account.eks.clusters.values().map(|cluster| cluster.endpoint.url.replace("https://", "")).collect();
        let marked = |host: &str, key: &str| {
            let parts: Vec<&str> = key.split('/').collect();
            let [group, plural, namespace, name] = parts.as_slice() else { return false };
            let object = account.kubernetes.object(host, group, plural, namespace, name).unwrap_or_default();
            !object["metadata"]["annotations"]["rayplat/urn"].is_null()
        };
        let of = |host: &String| {
            let all = account.kubernetes.objects(host);
            all.into_iter().filter(|key| marked(host, key)).collect::<Vec<_>>()
        };
        hosts.iter().flat_map(of).collect()
    })
}

/// What stands in the account that a platform could have put there, one line each.
/// Keys that wait for their end, and what AWS made by itself, do not count.
pub fn leftovers(world: &World) -> Vec<String> {
    world.account.with_account(|account| {
        let volumes = account.ec2.volumes.len();
        let mut ask = |service: &str, operation: &str, params: Value| {
            account.handle(service, operation, &params).unwrap_or_else(|error| panic!("{operation}: {error:?}"))
        };
        let mut left: Vec<String> = vec!["ec2 volume".to_owned(); volumes];
        for (service, operation, list) in [
            ("iam", "ListOpenIDConnectProviders", "OpenIDConnectProviderList"),
            ("logs", "DescribeLogGroups", "logGroups"),
            ("ec2", "DescribeLaunchTemplates", "launchTemplates"),
            ("kms", "ListAliases", "Aliases"),
            ("autoscaling", "DescribeTags", "Tags"),
            ("sqs", "ListQueues", "QueueUrls"),
            ("events", "ListRules", "Rules"),
        ] {
            let answer = ask(service, operation, json!({}));
            left.extend(list_of(&answer[list]).map(|_| format!("{service} {operation}")));
        }
        let own = ask("iam", "ListPolicies", json!({"Scope": "Local"}));
        left.extend(list_of(&own["Policies"]).map(|_| "iam policy".to_owned()));
        for name in list_of(&ask("eks", "ListClusters", json!({}))["clusters"]) {
            left.push("eks cluster".to_owned());
            for (operation, list) in [
                ("ListNodegroups", "nodegroups"),
                ("ListAddons", "addons"),
                ("ListAccessEntries", "accessEntries"),
                ("ListPodIdentityAssociations", "associations"),
            ] {
                let answer = ask("eks", operation, json!({"clusterName": name}));
                left.extend(list_of(&answer[list]).map(|_| format!("eks {operation}")));
            }
        }
        for role in list_of(&ask("iam", "ListRoles", json!({}))["Roles"]) {
            let path = role["Path"].as_str().unwrap_or_default();
            if path.starts_with("/aws-reserved/") || path.starts_with("/aws-service-role/") {
                continue;
            }
            left.push("iam role".to_owned());
            let name = json!({"RoleName": role["RoleName"]});
            let attached = ask("iam", "ListAttachedRolePolicies", name.clone());
            left.extend(
                list_of(&attached["AttachedPolicies"]).map(|policy| format!("iam attached {}", policy["PolicyArn"])),
            );
            let inline = ask("iam", "ListRolePolicies", name);
            left.extend(list_of(&inline["PolicyNames"]).map(|policy| format!("iam inline {policy}")));
        }
        for group in list_of(&ask("ec2", "DescribeSecurityGroups", json!({}))["securityGroupInfo"]) {
            if group["groupName"] != "default" {
                left.push("ec2 security group".to_owned());
                let of_it = json!({"Filter": [{"Name": "group-id", "Value": [group["groupId"]]}]});
                let rules = ask("ec2", "DescribeSecurityGroupRules", of_it);
                left.extend(list_of(&rules["securityGroupRuleSet"]).map(|_| "ec2 rule".to_owned()));
            }
        }
        left.extend(networks(&mut ask));
        for key in list_of(&ask("kms", "ListKeys", json!({}))["Keys"]) {
            let about = ask("kms", "DescribeKey", json!({"KeyId": key["KeyId"]}));
            if about["KeyMetadata"]["KeyState"] != "PendingDeletion" {
                left.push("kms key".to_owned());
            }
        }
        for bucket in list_of(&ask("s3", "ListBuckets", json!({}))["Buckets"]["Bucket"]) {
            left.push("s3 bucket".to_owned());
            let versions = ask("s3", "ListObjectVersions", json!({"Bucket": bucket["Name"]}));
            left.extend(list_of(&versions["Version"]).map(|version| format!("s3 object {}", version["Key"])));
        }
        left.sort();
        left
    })
}

/// What is left of networks that a platform made: all but the seeded ones.
fn networks(ask: &mut impl FnMut(&str, &str, Value) -> Value) -> Vec<String> {
    let mut left = Vec::new();
    let seeded = |thing: &Value| list_of(&thing["tagSet"]).any(|tag| tag["value"] == "rehearsal");
    for vpc in list_of(&ask("ec2", "DescribeVpcs", json!({}))["vpcSet"]).filter(|vpc| !seeded(vpc)) {
        left.push("ec2 vpc".to_owned());
        let of_it = json!({"Filter": [{"Name": "vpc-id", "Value": [vpc["vpcId"]]}]});
        left.extend(list_of(&ask("ec2", "DescribeSubnets", of_it)["subnetSet"]).map(|_| "ec2 subnet".to_owned()));
    }
    let is_main = |table: &Value| list_of(&table["associationSet"]).any(|it| it["main"] == true);
    for table in list_of(&ask("ec2", "DescribeRouteTables", json!({}))["routeTableSet"]).filter(|it| !is_main(it)) {
        left.push("ec2 route table".to_owned());
        left.extend(list_of(&table["routeSet"]).map(|route| format!("ec2 route to {}", destination(&route))));
        left.extend(list_of(&table["associationSet"]).map(|_| "ec2 association".to_owned()));
    }
    for (operation, list) in [
        ("DescribeInternetGateways", "internetGatewaySet"),
        ("DescribeAddresses", "addressesSet"),
        ("DescribeNatGateways", "natGatewaySet"),
        ("DescribeVpcEndpoints", "vpcEndpointSet"),
    ] {
        let standing = list_of(&ask("ec2", operation, json!({}))[list]).filter(|it| it["state"] != "deleted");
        left.extend(standing.map(|_| format!("ec2 {operation}")));
    }
    left
}

fn destination(route: &Value) -> String {
    let destination = route["destinationCidrBlock"].as_str().or(route["destinationPrefixListId"].as_str());
    destination.unwrap_or_default().to_owned()
}

fn list_of(value: &Value) -> impl Iterator<Item = Value> + use<> {
    value.as_array().cloned().unwrap_or_default().into_iter()
}
