//! AWS kinds: one file a kind, one registration line a kind.

mod call;
mod clients;
mod errors;
pub mod iam_role;
mod ownership;
mod types;

pub use call::{call, unexpected};
pub use clients::{Clients, Identity};
pub use errors::classify;
pub use ownership::{NONCE_TAG, Ownership, STACK_TAG, Tags, URN_TAG, all_tags, ownership, users_tags};
use rayplat_engine::provider::Registry;
pub use types::*;

/// Every AWS kind, on these clients.
pub fn register(registry: &mut Registry, clients: &Clients) {
    registry.add(iam_role::Role::new(clients));
}
