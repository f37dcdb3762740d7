//! The Ray platform: what a manifest asks for, and the graph of resources
//! that answers it.

pub mod instance_types;
pub mod manifest;
