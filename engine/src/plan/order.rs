//! Which comes first in a replacement. Decided for the whole chain: what was made from
//! something that goes before its successor comes must itself go before.

use std::collections::{HashMap, HashSet};

use crate::{
    plan::decide::{Decision, Verdict},
    provider::ReplaceOrder,
    store::{Checkpoint, Object},
    urn::Urn,
};

/// The resources decided so far.
pub struct Decided<'d, 'a> {
    /// The state.
    pub checkpoint: &'a Checkpoint,
    /// In the stack's order.
    pub decisions: &'d [Decision<'a>],
    /// Their places.
    pub index: &'d HashMap<&'a Urn, usize>,
}

impl Decided<'_, '_> {
    fn get(&self, urn: &Urn) -> Option<&Decision<'_>> {
        self.index.get(urn).map(|at| &self.decisions[*at])
    }

    /// True if the object must go before a successor that depends on `depends_on` comes: its
    /// deletion comes before that of something which goes first, and its successor comes
    /// after one. They need not be the same: two resources may change places.
    pub fn goes_first(&self, object: &Object, depends_on: &[Urn]) -> bool {
        self.holds_up(object) && self.everything_behind(depends_on).into_iter().any(|on| self.gone_first(on))
    }

    fn gone_first(&self, urn: &Urn) -> bool {
        self.get(urn).is_some_and(|decision| {
            matches!(decision.verdict, Verdict::Replace { order: ReplaceOrder::DeleteThenCreate, .. })
        })
    }

    /// True if something that goes first must wait until the object is deleted.
    fn holds_up(&self, object: &Object) -> bool {
        let mut seen = HashSet::new();
        let mut open: Vec<&Urn> = object.depends_on.iter().collect();
        while let Some(on) = open.pop() {
            if !seen.insert(on) {
                continue;
            }
            if self.gone_first(on) {
                return true;
            }
            // What stays holds nothing up; what is deleted passes the order on.
            let stays = self.get(on).is_some_and(|decision| !matches!(decision.verdict, Verdict::Replace { .. }));
            let leftovers = self.checkpoint.generations(on).nth(1).is_some();
            if !stays || leftovers {
                open.extend(self.checkpoint.generations(on).flat_map(|object| &object.depends_on));
            }
        }
        false
    }

    /// What these depend on, directly or not, in the stack.
    fn everything_behind<'s>(&'s self, depends_on: &'s [Urn]) -> HashSet<&'s Urn> {
        let mut seen = HashSet::new();
        let mut open: Vec<&Urn> = depends_on.iter().collect();
        while let Some(on) = open.pop() {
            if seen.insert(on) {
                open.extend(self.get(on).into_iter().flat_map(|decision| &decision.depends_on));
            }
        }
        seen
    }
}
