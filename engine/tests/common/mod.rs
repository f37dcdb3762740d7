//! What the engine's tests share: an account and a store in memory, and kinds on them.
#![allow(clippy::unwrap_used, clippy::print_stderr, dead_code, unused_imports, missing_docs)]

pub mod cloud;
pub mod golden;
pub mod kinds;
pub mod log;
pub mod random;
pub mod store;
pub mod world;

pub use cloud::{Cloud, Fault, Faults, Obj, Stop};
pub use log::{Item, Log};
pub use store::{LossyStore, MemoryStore, Moment};
pub use world::{Res, STACK, World, block, res, stack, urn};
