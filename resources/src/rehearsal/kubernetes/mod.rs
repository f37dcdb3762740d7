//! The emulated API of clusters: objects of built-in and custom kinds with their ownership of
//! fields, and the controllers that bring them to life on the account's clock.

mod auth;
mod base;
mod connect;
mod controllers;
mod custom;
mod defaults;
mod delete;
mod discovery;
mod fields;
mod kinds;
mod patch;
mod pod_defaults;
mod quantity;
mod read;
mod request;
mod selectors;
mod status;
#[cfg(test)]
mod tests;
mod validate;
mod world;
mod write;

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Account, ApiError, eks};

pub use connect::Clusters;
pub(in crate::rehearsal) use status::PAGE_NOT_FOUND;
pub use world::World;

/// What stands in the account's clusters.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// By the host of the cluster's endpoint: another cluster of the same name is another one.
    clusters: BTreeMap<String, World>,
}

impl State {
    /// An object of a cluster, by the host of its endpoint; core kinds have an empty group, and
    /// kinds outside namespaces an empty namespace.
    pub fn object(&self, host: &str, group: &str, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        self.clusters.get(host)?.get(group, plural, namespace, name).map(|object| (*object).clone())
    }

    /// Every object of a cluster, as `GROUP/PLURAL/NAMESPACE/NAME`.
    pub fn objects(&self, host: &str) -> Vec<String> {
        let world = self.clusters.get(host);
        world.into_iter().flat_map(World::everything).map(|(key, _)| key.clone()).collect()
    }
}

/// Large objects by cluster, object and version.
pub(super) type Large = BTreeMap<String, Arc<Value>>;

impl State {
    /// Takes large objects out; their versions stay in their places.
    pub(super) fn take_large(&mut self) -> Large {
        let mut large = Large::new();
        for (host, world) in &mut self.clusters {
            world.take_large(host, &mut large);
        }
        large
    }

    /// Puts large objects back in their places; or says which is missing.
    pub(super) fn put_back(&mut self, large: &Large) -> Result<(), String> {
        self.clusters.iter_mut().try_for_each(|(host, world)| world.put_back(host, large))
    }
}

/// The host of a cluster's endpoint.
fn host(cluster: &eks::Cluster) -> &str {
    cluster.endpoint.url.trim_start_matches("https://")
}

fn cluster_at<'a>(account: &'a Account, host: &str) -> Option<&'a eks::Cluster> {
    let stands = |cluster: &&eks::Cluster| cluster.stands && self::host(cluster).eq_ignore_ascii_case(host);
    account.eks.clusters.values().find(stands)
}

/// Is there a cluster at the host of this request?
pub(super) fn resolves(account: &Account, params: &Value) -> bool {
    params["host"].as_str().is_some_and(|host| cluster_at(account, host).is_some())
}

/// Answers one call, as `{"code": HTTP_STATUS, "body": ...}`.
///
/// # Errors
/// The server's refusal; its code is the reason of the `Status`, its members are the details.
pub fn call(account: &mut Account, operation: &str, params: &Value) -> Result<Value, ApiError> {
    let cluster = params["host"].as_str().and_then(|host| cluster_at(account, host));
    let cluster = cluster.ok_or_else(|| ApiError::new(503, "ServiceUnavailable", "There is no such cluster."))?;
    let mut asked = params.clone();
    asked["verb"] = json!(auth::verb(operation));
    let checked = auth::check(account, cluster, &asked);
    if params["plural"] == "selfsubjectaccessreviews" {
        return review(params, checked);
    }
    checked?;
    let (host, version) = (host(cluster).to_owned(), cluster.version.clone());
    let mut world = account.kubernetes.clusters.remove(&host).unwrap_or_else(|| World::new(&host));
    account.swap_draws(&mut world.draws);
    let request = request::Request::new(params);
    let answer = match operation {
        "Discover" => discovery::discover(&world, &version, params["path"].as_str().unwrap_or_default()),
        _ => request.answer(account, &mut world, operation),
    };
    account.swap_draws(&mut world.draws);
    account.kubernetes.clusters.insert(host, world);
    settle(account);
    answer
}

/// Whether the caller may do what it asks about: everything or nothing, here. Who is known may ask.
/// Source: <https://kubernetes.io/docs/reference/kubernetes-api/authorization-resources/self-subject-access-review-v1/>
fn review(params: &Value, checked: Result<(), ApiError>) -> Result<Value, ApiError> {
    let allowed = match checked {
        Err(error) if error.status == 401 => return Err(error),
        checked => checked.is_ok(),
    };
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "metadata": {}, "spec": params["body"]["spec"], "status": {"allowed": allowed},
    });
    Ok(json!({"code": 201, "body": body}))
}

/// Brings what stands in the clusters up to the account's time.
pub fn settle(account: &mut Account) {
    let standing: Vec<(String, String)> = account
        .eks
        .clusters
        .values()
        .filter(|cluster| cluster.stands)
        .map(|cluster| (host(cluster).to_owned(), cluster.name.clone()))
        .collect();
    if account.kubernetes.clusters.len() > standing.len()
        || account.kubernetes.clusters.keys().any(|host| standing.iter().all(|(standing, _)| standing != host))
    {
        account.kubernetes.clusters.retain(|host, _| standing.iter().any(|(standing, _)| standing == host));
    }
    for (host, name) in standing {
        let mut world = account.kubernetes.clusters.remove(&host).unwrap_or_else(|| World::new(&host));
        controllers::settle(account, &mut world, &name);
        account.kubernetes.clusters.insert(host, world);
    }
}
