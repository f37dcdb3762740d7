//! AWS kinds, the Ray platform that is built of them, and an emulated account
//! to rehearse on.

pub mod adopt;
pub mod aws;
pub mod kubernetes;
pub mod platform;
#[cfg(feature = "rehearsal")]
pub mod rehearsal;

/// Every kind there is, on these clients.
pub fn register(registry: &mut rayplat_engine::provider::Registry, clients: &aws::Clients) {
    aws::register(registry, clients);
    kubernetes::register(registry, clients);
}
