//! Durable state stores behind the engine's port.

mod codec;
mod head;
mod keys;
mod lock;
mod memory;
mod sled_store;

pub use lock::Holder;
pub use memory::MemoryStore;
pub use sled_store::SledStore;
