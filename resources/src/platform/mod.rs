//! The Ray platform: what a manifest asks for, and the graph of resources
//! that answers it.

mod addons;
mod backup;
mod build;
mod cluster;
mod components;
pub mod cost;
mod identity;
mod in_cluster;
pub mod instance_types;
pub mod lint;
pub mod manifest;
mod network;
mod outputs;
mod policies;
pub mod policy;
mod pools;
pub mod room;
mod scale_from_zero;
mod source;
mod subject;
pub mod termination;
pub mod terraform_json;
mod user_data;
mod zones;

pub use build::{Platform, Setting, build, build_from};
pub use in_cluster::{Charts, RayPlace, TOKEN_KEY, charts};
pub use source::Source;
pub use subject::{GroupSubject, PoolSubject, RaySubject, Subject};
pub(crate) use user_data::uses_instance_stores;
pub use zones::{Standing, ZoneError, usual_zones};
