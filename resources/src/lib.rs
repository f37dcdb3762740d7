//! AWS kinds, the Ray platform that is built of them, and an emulated account
//! to rehearse on.

pub mod aws;
#[cfg(feature = "rehearsal")]
pub mod rehearsal;
