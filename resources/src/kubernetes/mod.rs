//! What stands in the cluster: kinds that talk to the Kubernetes API.

mod access;
mod api;
pub mod chart;
mod connect;
mod deletion;
mod drift;
mod dry_run;
pub mod entry;
mod errors;
pub mod generated_secret;
pub mod gvk;
pub mod hook;
mod immutable;
pub mod kubeconfig;
mod marks;
pub mod object;
pub mod reach;
mod ready;
pub mod release;
pub mod sanity;
pub mod sweep;
mod token;
mod trouble;
pub mod verify;

use rayplat_engine::provider::{Provider, Registry};

use crate::aws::{Clients, eks_access_entry::AccessEntry};

pub use access::ClusterAccess;
pub use api::Kubernetes;
pub use connect::{Connector, Eks};
pub use errors::classify;
pub use token::{Token, TokenSource};

/// The service's name in calls, limits, faults and reports.
pub const SERVICE: &str = "kubernetes";

/// Owns the fields that we apply.
/// Source: <https://kubernetes.io/docs/reference/using-api/server-side-apply/#managers>
pub const FIELD_MANAGER: &str = "rayplat";

/// Without its access entry the caller reads nothing there.
const LET_IN_BY: &[&str] = &[<AccessEntry as Provider>::TYPE];

/// Every kind of what stands in a cluster, on these clients.
pub fn register(registry: &mut Registry, clients: &Clients) {
    registry.add(entry::Entry::new(clients));
    registry.add(object::Object::<object::Plain>::new(clients));
    registry.add(object::Object::<object::Definition>::new(clients));
    registry.add(object::Object::<object::Workload>::new(clients));
    registry.add(object::Object::<object::Ray>::new(clients));
    registry.add(hook::Hook::new(clients));
    registry.add(release::Release);
    registry.add(sweep::Sweep::new(clients));
    registry.add(generated_secret::GeneratedSecret::new(clients));
}
