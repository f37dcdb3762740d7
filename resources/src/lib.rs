//! AWS kinds, the Ray platform that is built of them, and an emulated account
//! to rehearse on.

pub mod adopt;
pub mod aws;
pub mod kubernetes;
pub mod platform;
#[cfg(feature = "rehearsal")]
pub mod rehearsal;
