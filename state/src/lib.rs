//! Durable state stores behind the engine's port.

mod codec;
mod head;
mod keys;
mod lock;
mod memory;
mod memory_objects;
mod s3_store;
mod sled_store;

pub use lock::{FolderLock, Holder};
pub use memory::MemoryStore;
pub use memory_objects::MemoryObjects;
pub use s3_store::{LockOptions, LockView, S3Store};
pub use sled_store::SledStore;
