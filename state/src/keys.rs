//! Keys in the store's one tree. One tree, because a batch is atomic within a tree.

use rayplat_engine::store::ObjectKey;

/// The stack's meta.
pub(crate) const META: &[u8] = b"m";
/// All objects begin with this.
pub(crate) const OBJECTS: &[u8] = b"o/";
/// All past runs begin with this.
pub(crate) const HISTORY: &[u8] = b"h/";
/// All journal entries begin with this.
pub(crate) const JOURNAL: &[u8] = b"j/";

pub(crate) fn object(key: &ObjectKey) -> Vec<u8> {
    let mut bytes = OBJECTS.to_vec();
    bytes.extend_from_slice(key.to_string().as_bytes());
    bytes
}

pub(crate) fn past(run: u64) -> Vec<u8> {
    let mut bytes = HISTORY.to_vec();
    bytes.extend_from_slice(&run.to_be_bytes());
    bytes
}

/// Big-endian, so that the order of keys is the order of entries.
pub(crate) fn entry(run: u64, seq: u64) -> Vec<u8> {
    let mut bytes = JOURNAL.to_vec();
    bytes.extend_from_slice(&run.to_be_bytes());
    bytes.extend_from_slice(&seq.to_be_bytes());
    bytes
}
