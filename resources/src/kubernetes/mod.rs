//! What stands in the cluster: kinds that talk to the Kubernetes API.

mod access;
mod connect;
mod errors;
mod token;

pub use access::ClusterAccess;
pub use connect::{Connector, Eks};
pub use errors::classify;
pub use token::{Token, TokenSource};

/// The service's name in calls, limits, faults and reports.
pub const SERVICE: &str = "kubernetes";

/// Owns the fields that we apply.
/// Source: <https://kubernetes.io/docs/reference/using-api/server-side-apply/#managers>
pub const FIELD_MANAGER: &str = "rayplat";
