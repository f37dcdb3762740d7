//! Ownership of fields: server-side apply as the API server does it.
//! Sources: <https://kubernetes.io/docs/reference/using-api/server-side-apply/> and
//! sigs.k8s.io/structured-merge-diff (`merge/update.go` has the algorithm, `typed` the walks).

mod compare;
mod managers;
mod merge;
mod prune;
mod set;
mod strategic;
#[cfg(test)]
mod tests;
mod types;

use compare::{compare, field_set};
pub(super) use managers::{Conflict, Managers, Refusal, Writer};
pub(super) use merge::Untyped;
use merge::merge;
use prune::prune;
pub(super) use set::Set;
pub(super) use strategic::strategic;
use types::Shape;
pub(super) use types::Types;
