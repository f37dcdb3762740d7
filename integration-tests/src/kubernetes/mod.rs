//! A real Kubernetes to test against: API server, etcd, controllers, scheduler; nodes without
//! machines; the KubeRay operator; Helm. Built by `integration-tests/kubernetes/install.sh`.

mod control_plane;
mod host;
mod inside;
mod kuberay;
mod kwok;
mod process;
mod tools;

pub use control_plane::ControlPlane;
pub use host::{Host, Hosted};
pub use inside::Inside;
pub use kuberay::KubeRay;
pub use kwok::{Kwok, Node, add_nodes};
pub use tools::{Tools, find};
