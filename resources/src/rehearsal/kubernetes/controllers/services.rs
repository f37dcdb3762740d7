//! Services with a load balancer, which stands in the account and holds its network; and which
//! aggregated APIs answer.
//! Source: <https://docs.aws.amazon.com/eks/latest/userguide/network-load-balancing.html>;
//! names: cloud-provider-aws, `pkg/providers/v1/aws.go`.

use serde_json::{Value, json};

use super::{
    super::{
        super::{Account, ec2},
        delete::release,
        world::{World, condition, is_deleted, meta},
    },
    ray::since,
};

/// From a Service to the name of its load balancer, from its deletion to its end, and from there to the
/// end of the balancer's interfaces, in seconds.
const MAKE: (f64, f64) = (60.0, 180.0);
const DROP: (f64, f64) = (10.0, 30.0);
const LINGER: (f64, f64) = (20.0, 60.0);
const FINALIZER: &str = "service.kubernetes.io/load-balancer-cleanup";

pub(super) fn reconcile(account: &mut Account, world: &mut World, cluster: &str) {
    let keys: Vec<String> = world.keyed("", "services", None).map(|(key, _)| key.clone()).collect();
    for key in keys {
        let Some(service) = world.at(&key) else { continue };
        let held =
            service["metadata"]["finalizers"].as_array().is_some_and(|all| all.iter().any(|one| one == FINALIZER));
        let wanted = service["spec"]["type"] == "LoadBalancer" && !is_deleted(&service);
        match (wanted, held) {
            (true, false) => world.change(&key, |service| match service["metadata"]["finalizers"].as_array_mut() {
                Some(finalizers) => finalizers.push(json!(FINALIZER)),
                None => service["metadata"]["finalizers"] = json!([FINALIZER]),
            }),
            (true, true) => balance(account, world, cluster, &key, &service),
            (false, true) => {
                if world.over(account, &key, "drop", DROP, None) {
                    world.over(account, &leaving(&name_of(&service)), "gone", LINGER, None);
                    world.set_status(&key, json!({"loadBalancer": {}}));
                    release(world, &key, FINALIZER);
                }
            }
            (false, false) => {}
        }
    }
    drop_left(account, world);
    let apis: Vec<String> =
        world.keyed("apiregistration.k8s.io", "apiservices", None).map(|(key, _)| key.clone()).collect();
    for key in apis {
        answers(account, world, &key);
    }
}

/// `a` and the Service's id without dashes, at most 32 characters.
fn name_of(service: &Value) -> String {
    let mut name = format!("a{}", meta(service, "uid").replace('-', ""));
    name.truncate(32);
    name
}

fn group_of(name: &str) -> String {
    format!("k8s-elb-{name}")
}

fn balance(account: &mut Account, world: &mut World, cluster: &str, key: &str, service: &Value) {
    let name = name_of(service);
    let group = group_of(&name);
    if account.ec2.security_groups.values().all(|standing| standing.name != group) {
        make(account, cluster, &name);
    }
    let what = format!("kubernetes/Service/{}/{}", meta(service, "namespace"), meta(service, "name"));
    let shown = !service["status"]["loadBalancer"]["ingress"].is_null();
    if !shown && world.over(account, key, "make", MAKE, Some((&what, "create"))) {
        let host = format!("{name}-1234567890.{}.elb.amazonaws.com", account.region);
        world.set_status(key, json!({"loadBalancer": {"ingress": [{"hostname": host}]}}));
    }
}

/// Its group and its interfaces, one in each subnet of the cluster.
fn make(account: &mut Account, cluster: &str, name: &str) {
    let Some(standing) = account.eks.clusters.get(cluster) else { return };
    let (vpc, subnets) = (standing.network.vpc_id.clone(), standing.network.subnet_ids.clone());
    let tags = ec2::Tags::from([(format!("kubernetes.io/cluster/{cluster}"), "owned".to_owned())]);
    let words = format!("Security group for Kubernetes ELB {name}");
    let group = ec2::create_owned_group(account, &vpc, &group_of(name), &words, tags);
    for subnet_id in &subnets {
        let interface = ec2::NewInterface {
            subnet_id,
            group_ids: std::slice::from_ref(&group),
            description: format!("ELB {name}"),
            owner: Some(leaving(name)),
            instance_id: None,
            tags: ec2::Tags::new(),
        };
        // It fails only for a missing subnet, and the cluster's are held by the cluster.
        let _ = ec2::attach_interface(account, interface);
    }
}

/// What stands for a load balancer that is leaving.
fn leaving(name: &str) -> String {
    format!("elb/{name}")
}

/// Ends the balancers whose time has come.
fn drop_left(account: &mut Account, world: &mut World) {
    let owners = account.ec2.network_interfaces.values().filter_map(|interface| interface.owner.clone());
    let over = |owner: &String| owner.starts_with("elb/") && world.has_ended(account, owner, "gone");
    let over: Vec<String> = owners.filter(over).collect();
    for owner in over {
        drop_balancer(account, owner.trim_start_matches("elb/"));
        world.remove(&owner);
    }
}

fn drop_balancer(account: &mut Account, name: &str) {
    let owner = leaving(name);
    ec2::remove_interfaces(account, |interface| interface.owner.as_ref() == Some(&owner));
    let group = group_of(name);
    let groups = account.ec2.security_groups.values();
    let found: Vec<String> =
        groups.filter(|standing| standing.name == group).map(|standing| standing.id.clone()).collect();
    for id in found {
        ec2::remove_group(account, &id);
    }
}

/// An aggregated API answers when a pod of its service is ready.
fn answers(account: &Account, world: &mut World, key: &str) {
    let Some(api) = world.at(key) else { return };
    let of = &api["spec"]["service"];
    let text = |field: &str| of[field].as_str().unwrap_or_default();
    let service = world.get("", "services", text("namespace"), text("name"));
    let ready = service.as_ref().is_some_and(|service| {
        let selector = json!({"matchLabels": service["spec"]["selector"]});
        let pods = world.list("", "pods", Some(text("namespace")));
        pods.iter().any(|pod| {
            super::super::selectors::label_selector(&selector, &pod["metadata"]["labels"]) && condition(pod, "Ready")
        })
    });
    let (holds, reason) = match (of.is_null(), service.is_some(), ready) {
        (true, ..) => (true, "Local"),
        (_, false, _) => (false, "ServiceNotFound"),
        (_, _, false) => (false, "MissingEndpoints"),
        _ => (true, "Passed"),
    };
    let status = json!({"conditions": [since(&api, "Available", holds, reason, account.now_ms)]});
    world.set_status(key, status);
}
