//! Drift: how the account differs from what the state has recorded.

use serde::{Deserialize, Serialize};

use crate::{
    plan::diff::{Change, structural},
    provider::Registry,
    store::{Checkpoint, Object, Phase},
    urn::Urn,
    value::Planned,
};

/// An object that is not as recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drifted {
    /// The resource.
    pub urn: Urn,
    /// Which object of it.
    pub generation: u32,
    /// Its physical id.
    pub id: Option<String>,
    /// True if it is not in the account any more.
    pub gone: bool,
    /// Inputs that differ: `old` as recorded, `new` as it stands. `effect` says what
    /// taking the change over into what is desired would have needed.
    pub changes: Vec<Change>,
    /// Outputs that differ. By themselves they are no drift: AWS patches a cluster's platform
    /// version, a node group's status moves.
    pub outputs: Vec<Change>,
}

impl Drifted {
    /// True if somebody changed or removed it, rather than AWS moving an output.
    pub fn is_drift(&self) -> bool {
        self.gone || !self.changes.is_empty()
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// The stack's name.
    pub stack: String,
    /// How many objects were read.
    pub checked: usize,
    /// Those that are not as recorded, by name.
    pub objects: Vec<Drifted>,
}

impl Drift {
    /// Those that somebody changed or removed.
    pub fn drifted(&self) -> impl Iterator<Item = &Drifted> {
        self.objects.iter().filter(|object| object.is_drift())
    }

    /// True if there is any drift.
    pub fn any(&self) -> bool {
        self.drifted().next().is_some()
    }
}

/// Compares the state as recorded with the same state after reading the account.
pub(crate) fn compare(stack: &str, recorded: &Checkpoint, read: &Checkpoint, registry: &Registry) -> Drift {
    let standing = recorded.objects.values().filter(|object| object.phase == Phase::Live && !object.data);
    let mut drift = Drift { stack: stack.to_owned(), ..Drift::default() };
    for object in standing {
        drift.checked += 1;
        let found = read.objects.get(&object.key());
        let changes = found.map_or_else(Vec::new, |found| inputs(object, found, registry));
        let outputs = found
            .map_or_else(Vec::new, |found| structural(&object.outputs, &Planned::Known(found.outputs.clone()), &[]));
        if found.is_none() || !changes.is_empty() || !outputs.is_empty() {
            drift.objects.push(Drifted {
                urn: object.urn.clone(),
                generation: object.generation,
                id: object.id.clone(),
                gone: found.is_none(),
                changes,
                outputs,
            });
        }
    }
    drift
}

/// The kind's own comparison: it knows what counts as the same.
fn inputs(recorded: &Object, read: &Object, registry: &Registry) -> Vec<Change> {
    let read = Planned::Known(read.inputs.clone());
    match registry.get(recorded.urn.kind()) {
        Some(provider) => provider.diff(&recorded.inputs, &read),
        None => structural(&recorded.inputs, &read, &[]),
    }
}
