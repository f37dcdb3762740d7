//! What the objects hold, each in the same envelope as the sled store's values.

use std::hash::{BuildHasher, Hasher, RandomState};

use rayplat_engine::{
    history::PastRun,
    journal::Entry,
    store::{Checkpoint, StoreError},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    codec::{self, DecodeError, FORMAT},
    lock::Holder,
};

/// The lock's key.
pub(super) const LOCK: &str = "lock";
/// The checkpoint's key.
pub(super) const CHECKPOINT: &str = "checkpoint";
/// All journal segments begin with this.
pub(super) const JOURNAL: &str = "journal/";

/// The key of a segment; the order of keys is the order of segments.
pub(super) fn segment_key(index: u64) -> String {
    format!("{JOURNAL}{index:020}")
}

/// The index of a segment's key.
pub(super) fn segment_index(key: &str) -> Option<u64> {
    key.strip_prefix(JOURNAL)?.parse().ok()
}

/// Who may write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LockRecord {
    /// The fencing token: one more with every holder.
    pub token: u64,
    /// `None`: nobody, it was given back.
    pub holder: Option<Holder>,
    /// How long after this was written it may be thought forgotten: milliseconds of the
    /// object store's clock.
    pub lease_ms: u64,
    /// A checkpoint was written: from then on none is damage.
    pub begun: bool,
    /// The last segment that was acknowledged when this was written: less is damage.
    pub written: u64,
    /// Names this write.
    pub nonce: String,
}

/// The state up to a segment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct CheckpointRecord {
    /// Whoever wrote it.
    pub token: u64,
    /// Names this write.
    pub nonce: String,
    /// The last segment that is folded into it; 0 for none.
    pub covers: u64,
    /// The state.
    pub checkpoint: Checkpoint,
    /// What was done so far: a few hundred bytes a run.
    #[serde(default)]
    pub history: Vec<PastRun>,
}

/// One group of journal entries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Segment {
    /// Whoever wrote it.
    pub token: u64,
    /// Names this write.
    pub nonce: String,
    /// Counts up from 1, without a gap.
    pub index: u64,
    /// In order.
    pub entries: Vec<Entry>,
}

/// A name that no other write has: a lost answer's write is told from another's by it.
pub(super) fn nonce() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}

pub(super) fn encode<T: Serialize>(place: &str, value: &T) -> Result<Vec<u8>, StoreError> {
    codec::encode(value).map_err(|error| StoreError::Io { place: place.to_owned(), reason: error.to_string() })
}

pub(super) fn decode<T: DeserializeOwned>(place: &str, key: &str, bytes: &[u8]) -> Result<T, StoreError> {
    codec::decode(bytes).map_err(|error| match error {
        DecodeError::TooNew(found) => StoreError::TooNew { place: place.to_owned(), found, supported: FORMAT },
        DecodeError::Damaged(reason) => damaged(place, format!("the object {key}: {reason}")),
    })
}

pub(super) fn damaged(place: &str, reason: impl Into<String>) -> StoreError {
    StoreError::Damaged { place: place.to_owned(), reason: reason.into(), kept: None }
}
