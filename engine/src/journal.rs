//! The journal: every intent before its call, every outcome before its dependents.
//!
//! [`apply`] is the one list of legal transitions. It is used live, before an entry
//! is written, and on replay.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    error::Leftover,
    event::Summary,
    provider::ReplaceOrder,
    store::{Checkpoint, Delta, Meta, Object, ObjectKey, Phase, StoreError, Stored},
    urn::Urn,
};

/// One journal entry. Its key is (`run`, `seq`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The run's number.
    pub run: u64,
    /// Counts up within the run.
    pub seq: u64,
    /// When, milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// What.
    pub record: Record,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// A run begins.
    RunStarted {
        /// The state it works on.
        meta: Meta,
        /// `up`, `down` or `refresh`.
        command: String,
        /// Who runs it, as far as the program was told.
        #[serde(default)]
        by: Option<String>,
    },
    /// A call is about to be made.
    Began {
        /// On which object.
        key: ObjectKey,
        /// What for.
        intent: Intent,
    },
    /// The object being created has an id.
    Progress {
        /// Which object.
        key: ObjectKey,
        /// Its physical id.
        id: String,
    },
    /// The intent was carried out.
    Succeeded {
        /// On which object.
        key: ObjectKey,
        /// The result.
        outcome: Outcome,
    },
    /// The intent failed, or a look into the account showed that it came to nothing.
    Failed {
        /// On which object.
        key: ObjectKey,
        /// What it left.
        leftover: Leftover,
        /// Why.
        error: String,
    },
    /// A read found the object like this.
    Observed {
        /// Which object.
        key: ObjectKey,
        /// Its inputs.
        inputs: Value,
        /// Its outputs.
        outputs: Value,
    },
    /// A read found the object gone; or a look-up is no longer wanted.
    Gone {
        /// Which object.
        key: ObjectKey,
    },
    /// An object that stood in the account before the state knew it.
    Adopted {
        /// Which object it is from now on.
        key: ObjectKey,
        /// Its physical id.
        id: String,
        /// Stands on it as a tag, or will when it is claimed.
        nonce: String,
        /// Its inputs, as read.
        inputs: Value,
        /// Its outputs, as read.
        outputs: Value,
        /// What it depends on.
        depends_on: Vec<Urn>,
        /// Its order.
        replace_order: ReplaceOrder,
        /// See [`Object::claimed`].
        claimed: bool,
        /// See [`Object::pinned`].
        #[serde(default)]
        pinned: BTreeMap<String, Value>,
    },
    /// The object's pins are these from now on.
    Pinned {
        /// Which object.
        key: ObjectKey,
        /// See [`Object::pinned`].
        pinned: BTreeMap<String, Value>,
    },
    /// The object is let go: it stays in the account and is nobody's here.
    Forgotten {
        /// Which object.
        key: ObjectKey,
    },
    /// A resource has another name from here on.
    Moved {
        /// Its name so far.
        from: Urn,
        /// Its name now.
        to: Urn,
    },
    /// Only what the object depends on, or its order, has changed.
    Relinked {
        /// Which object.
        key: ObjectKey,
        /// What it depends on now.
        depends_on: Vec<Urn>,
        /// Its order now.
        replace_order: ReplaceOrder,
    },
    /// The run has ended.
    Closed {
        /// What it did.
        summary: Summary,
    },
}

/// What a call is for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Make the object.
    Create {
        /// Names the intent.
        nonce: String,
        /// What to make.
        inputs: Value,
        /// What it is made from.
        depends_on: Vec<Urn>,
        /// Decided for its chain.
        replace_order: ReplaceOrder,
        /// True for a look-up.
        data: bool,
    },
    /// Change it.
    Update {
        /// The inputs to reach.
        to: Value,
        /// What it is made from.
        depends_on: Vec<Urn>,
    },
    /// Destroy it.
    Delete,
}

/// What a call achieved.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It stands.
    Created {
        /// The physical id.
        id: String,
        /// As made; differs from the intent's where an object was adopted.
        inputs: Value,
        /// What others may refer to.
        outputs: Value,
        /// Milliseconds, if seen from beginning to end.
        took_ms: Option<u64>,
    },
    /// It is changed.
    Updated {
        /// Its outputs now.
        outputs: Value,
    },
    /// It is gone.
    Deleted,
}

/// Applies one record to a checkpoint.
///
/// # Errors
/// [`StoreError::Illegal`] if the record does not follow from the checkpoint; the
/// checkpoint is unchanged then.
pub fn apply(checkpoint: &mut Checkpoint, record: &Record) -> Result<(), StoreError> {
    match record {
        Record::RunStarted { meta, .. } => {
            checkpoint.meta = Some(meta.clone());
            Ok(())
        }
        Record::Closed { .. } => Ok(()),
        Record::Began { key, intent: intent @ Intent::Create { .. } } => begin_create(checkpoint, key, intent),
        Record::Began { key, intent } => {
            let object = find(checkpoint, key)?;
            match (&object.phase, intent) {
                (Phase::Live, Intent::Update { to, .. }) => {
                    object.phase = Phase::Updating { to: to.clone() };
                    Ok(())
                }
                (Phase::Live, Intent::Delete) => {
                    object.phase = Phase::Deleting { broken: None };
                    Ok(())
                }
                (Phase::Broken { error }, Intent::Delete) => {
                    object.phase = Phase::Deleting { broken: Some(error.clone()) };
                    Ok(())
                }
                (phase, intent) => Err(illegal(key, &format!("{intent:?} cannot begin while it is {phase:?}"))),
            }
        }
        Record::Progress { key, id } => {
            let object = find(checkpoint, key)?;
            object.id = Some(id.clone());
            Ok(())
        }
        Record::Succeeded { key, outcome } => succeed(checkpoint, key, outcome),
        Record::Failed { key, leftover, error } => fail(checkpoint, key, leftover, error),
        Record::Observed { key, inputs, outputs } => {
            let object = find(checkpoint, key)?;
            match object.phase {
                Phase::Live | Phase::Broken { .. } => {
                    object.inputs = inputs.clone();
                    object.outputs = outputs.clone();
                    Ok(())
                }
                ref phase => Err(illegal(key, &format!("it was read while it is {phase:?}"))),
            }
        }
        Record::Moved { from, to } => rename(checkpoint, from, to),
        Record::Gone { key } | Record::Forgotten { key } => {
            find(checkpoint, key)?;
            checkpoint.objects.remove(key);
            Ok(())
        }
        Record::Adopted { key, .. } => adopt(checkpoint, key, record),
        Record::Pinned { key, pinned } => {
            find(checkpoint, key)?.pinned.clone_from(pinned);
            Ok(())
        }
        Record::Relinked { key, depends_on, replace_order } => {
            let object = find(checkpoint, key)?;
            object.depends_on.clone_from(depends_on);
            object.replace_order = *replace_order;
            Ok(())
        }
    }
}

fn illegal(key: &ObjectKey, reason: &str) -> StoreError {
    StoreError::Illegal(format!("{key}: {reason}"))
}

fn find<'a>(checkpoint: &'a mut Checkpoint, key: &ObjectKey) -> Result<&'a mut Object, StoreError> {
    checkpoint.objects.get_mut(key).ok_or_else(|| illegal(key, "there is no such object"))
}

fn rename(checkpoint: &mut Checkpoint, from: &Urn, to: &Urn) -> Result<(), StoreError> {
    let taken = ObjectKey { urn: to.clone(), generation: 0 };
    if checkpoint.generations(to).next().is_some() {
        return Err(illegal(&taken, "the name is taken"));
    }
    let moved: Vec<ObjectKey> = checkpoint.generations(from).map(Object::key).collect();
    if moved.is_empty() || from.kind() != to.kind() {
        return Err(illegal(&taken, &format!("{from} cannot take this name")));
    }
    for key in moved {
        if let Some(mut object) = checkpoint.objects.remove(&key) {
            object.urn = to.clone();
            // Its tags have the old name until the next change.
            object.claimed = object.data;
            checkpoint.objects.insert(object.key(), object);
        }
    }
    for object in checkpoint.objects.values_mut() {
        for on in object.depends_on.iter_mut().filter(|on| *on == from) {
            *on = to.clone();
        }
        object.depends_on.sort();
    }
    Ok(())
}

fn begin_create(checkpoint: &mut Checkpoint, key: &ObjectKey, intent: &Intent) -> Result<(), StoreError> {
    let Intent::Create { nonce, inputs, depends_on, replace_order, data } = intent else {
        return Err(illegal(key, "not a creation"));
    };
    if let Some(object) = checkpoint.objects.get(key) {
        // Taking up an interrupted creation, or reading a look-up again.
        let again = object.phase == Phase::Creating && object.nonce == *nonce;
        let read_again = object.data && *data;
        if !again && !read_again {
            return Err(illegal(key, &format!("it cannot be created while it is {:?}", object.phase)));
        }
    }
    let id = checkpoint.objects.get(key).and_then(|object| object.id.clone());
    checkpoint.objects.insert(
        key.clone(),
        Object {
            urn: key.urn.clone(),
            generation: key.generation,
            phase: Phase::Creating,
            deposed: false,
            data: *data,
            id,
            nonce: nonce.clone(),
            inputs: inputs.clone(),
            outputs: Value::Null,
            depends_on: depends_on.clone(),
            replace_order: *replace_order,
            took_ms: None,
            claimed: true,
            pinned: BTreeMap::new(),
        },
    );
    Ok(())
}

/// Only where nothing stands for the resource, and never in the place of another generation.
fn adopt(checkpoint: &mut Checkpoint, key: &ObjectKey, record: &Record) -> Result<(), StoreError> {
    let Record::Adopted { id, nonce, inputs, outputs, depends_on, replace_order, claimed, pinned, .. } = record else {
        return Err(illegal(key, "not an adoption"));
    };
    let deposed = match checkpoint.current(&key.urn) {
        // An older object, whose successor stands for the resource already.
        Some(current) if key.generation < current.generation && !checkpoint.objects.contains_key(key) => true,
        Some(current) => {
            return Err(illegal(key, &format!("{} stands for the resource already", current.key())));
        }
        None if key.generation < checkpoint.next_generation(&key.urn) => {
            return Err(illegal(key, "an object of this generation or a later one is known already"));
        }
        None => false,
    };
    checkpoint.objects.insert(
        key.clone(),
        Object {
            urn: key.urn.clone(),
            generation: key.generation,
            phase: Phase::Live,
            deposed,
            data: false,
            id: Some(id.clone()),
            nonce: nonce.clone(),
            inputs: inputs.clone(),
            outputs: outputs.clone(),
            depends_on: depends_on.clone(),
            replace_order: *replace_order,
            took_ms: None,
            claimed: *claimed,
            pinned: pinned.clone(),
        },
    );
    Ok(())
}

fn succeed(checkpoint: &mut Checkpoint, key: &ObjectKey, outcome: &Outcome) -> Result<(), StoreError> {
    let object = find(checkpoint, key)?;
    match (&object.phase, outcome) {
        (Phase::Creating, Outcome::Created { id, inputs, outputs, took_ms }) => {
            object.phase = Phase::Live;
            object.id = Some(id.clone());
            object.inputs = inputs.clone();
            object.outputs = outputs.clone();
            object.took_ms = *took_ms;
            // From this moment on the new object stands for the resource.
            let oldest = ObjectKey { urn: key.urn.clone(), generation: 0 };
            for (_, older) in checkpoint.objects.range_mut(oldest..key.clone()) {
                older.deposed = true;
            }
            Ok(())
        }
        (Phase::Updating { to }, Outcome::Updated { outputs }) => {
            object.inputs = to.clone();
            object.outputs = outputs.clone();
            object.phase = Phase::Live;
            // A change of an object that is not ours yet begins with claiming it.
            object.claimed = true;
            Ok(())
        }
        (Phase::Deleting { .. }, Outcome::Deleted) => {
            checkpoint.objects.remove(key);
            Ok(())
        }
        (phase, outcome) => Err(illegal(key, &format!("{outcome:?} cannot follow while it is {phase:?}"))),
    }
}

fn fail(checkpoint: &mut Checkpoint, key: &ObjectKey, leftover: &Leftover, error: &str) -> Result<(), StoreError> {
    let older = ObjectKey { urn: key.urn.clone(), generation: 0 }..key.clone();
    let stands = checkpoint.objects.range(older).any(|(_, older)| !older.deposed && older.phase == Phase::Live);
    let object = find(checkpoint, key)?;
    match (&object.phase, leftover) {
        (Phase::Creating, Leftover::None) => {
            checkpoint.objects.remove(key);
        }
        (Phase::Creating, Leftover::Known(id)) => {
            object.id = Some(id.clone());
            object.phase = Phase::Broken { error: error.to_owned() };
            // Where an older object still stands for the resource, it goes on doing so.
            object.deposed = stands;
        }
        // Stays pending: the next run looks.
        (Phase::Creating, Leftover::Unknown) => {}
        (Phase::Deleting { broken: Some(error) }, _) => object.phase = Phase::Broken { error: error.clone() },
        (Phase::Updating { .. } | Phase::Deleting { broken: None }, _) => object.phase = Phase::Live,
        (Phase::Live | Phase::Broken { .. }, _) => {
            return Err(illegal(key, &format!("it failed while it is {:?}", object.phase)));
        }
    }
    Ok(())
}

/// The state that a store's content stands for.
///
/// # Errors
/// [`StoreError::Illegal`] if the journal is not a legal history.
pub fn fold(stored: &Stored) -> Result<Checkpoint, StoreError> {
    let mut checkpoint = stored.checkpoint.clone();
    for entry in &stored.journal {
        apply(&mut checkpoint, &entry.record)?;
    }
    Ok(checkpoint)
}

/// What turns one checkpoint into another.
pub fn delta(from: &Checkpoint, to: &Checkpoint) -> Delta {
    Delta {
        runs: Vec::new(),
        meta: to.meta.clone(),
        put: to
            .objects
            .iter()
            .filter(|(key, object)| from.objects.get(key) != Some(object))
            .map(|(_, object)| object.clone())
            .collect(),
        remove: from.objects.keys().filter(|key| !to.objects.contains_key(key)).cloned().collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn key(generation: u32) -> ObjectKey {
        ObjectKey { urn: Urn::new("k", "a").unwrap(), generation }
    }

    fn create(generation: u32, nonce: &str) -> Record {
        Record::Began {
            key: key(generation),
            intent: Intent::Create {
                nonce: nonce.into(),
                inputs: json!({"n": generation}),
                depends_on: vec![],
                replace_order: ReplaceOrder::CreateThenDelete,
                data: false,
            },
        }
    }

    fn created(generation: u32) -> Record {
        Record::Succeeded {
            key: key(generation),
            outcome: Outcome::Created {
                id: format!("id-{generation}"),
                inputs: json!({"n": generation}),
                outputs: json!({}),
                took_ms: Some(5),
            },
        }
    }

    fn run(records: &[Record]) -> Result<Checkpoint, StoreError> {
        let mut checkpoint = Checkpoint::default();
        for record in records {
            apply(&mut checkpoint, record)?;
        }
        Ok(checkpoint)
    }

    #[test]
    fn a_new_generation_deposes_the_old_one_only_when_it_stands() {
        let begun = run(&[create(0, "x"), created(0), create(1, "y")]).unwrap();
        assert!(!begun.objects[&key(0)].deposed);
        let done = run(&[create(0, "x"), created(0), create(1, "y"), created(1)]).unwrap();
        assert!(done.objects[&key(0)].deposed);
        assert_eq!(done.current(&key(0).urn).unwrap().key(), key(1));
    }

    #[test]
    fn a_creation_is_taken_up_only_under_its_own_nonce() {
        assert!(run(&[create(0, "x"), create(0, "x")]).is_ok());
        assert!(matches!(run(&[create(0, "x"), create(0, "z")]), Err(StoreError::Illegal(_))));
        assert!(run(&[create(0, "x"), created(0), create(0, "x")]).is_err());
    }

    #[test]
    fn a_failed_creation_leaves_what_it_says() {
        let failed =
            |leftover| run(&[create(0, "x"), Record::Failed { key: key(0), leftover, error: "no".into() }]).unwrap();
        assert!(failed(Leftover::None).objects.is_empty());
        assert_eq!(failed(Leftover::Unknown).objects[&key(0)].phase, Phase::Creating);
        let broken = failed(Leftover::Known("id".into()));
        assert!(matches!(broken.objects[&key(0)].phase, Phase::Broken { .. }));
    }

    fn failed(generation: u32, leftover: Leftover) -> Record {
        Record::Failed { key: key(generation), leftover, error: "no".into() }
    }

    #[test]
    fn a_broken_object_whose_deletion_fails_is_broken_still() {
        let known = || Leftover::Known("id".into());
        let delete = Record::Began { key: key(0), intent: Intent::Delete };
        let state = run(&[create(0, "x"), failed(0, known()), delete, failed(0, known())]).unwrap();
        assert!(matches!(state.objects[&key(0)].phase, Phase::Broken { .. }));
    }

    #[test]
    fn a_broken_successor_does_not_take_its_predecessors_place() {
        let known = Leftover::Known("id".into());
        let state = run(&[create(0, "x"), created(0), create(1, "y"), failed(1, known)]).unwrap();
        assert_eq!(state.current(&key(0).urn).unwrap().key(), key(0));
        assert!(state.objects[&key(1)].deposed);
    }

    fn adopted(generation: u32) -> Record {
        Record::Adopted {
            key: key(generation),
            id: "old".into(),
            nonce: "x".into(),
            inputs: json!({}),
            outputs: json!({}),
            depends_on: vec![],
            replace_order: ReplaceOrder::CreateThenDelete,
            claimed: false,
            pinned: BTreeMap::new(),
        }
    }

    #[test]
    fn an_object_is_adopted_only_where_none_stands() {
        let state = run(&[adopted(0)]).unwrap();
        assert!(!state.objects[&key(0)].claimed);
        assert!(run(&[create(0, "x"), adopted(0)]).is_err());
        assert!(run(&[create(0, "x"), created(0), adopted(1)]).is_err());
        assert!(run(&[adopted(0), adopted(0)]).is_err());
        // A deposed object is no hindrance, but its generation is taken.
        let mut state = run(&[create(3, "x"), created(3)]).unwrap();
        state.objects.get_mut(&key(3)).unwrap().deposed = true;
        assert!(apply(&mut state.clone(), &adopted(2)).is_err());
        assert!(apply(&mut state, &adopted(4)).is_ok());
    }

    #[test]
    fn a_change_claims_and_a_failed_one_does_not() {
        let update = Record::Began { key: key(0), intent: Intent::Update { to: json!({}), depends_on: vec![] } };
        let done = Record::Succeeded { key: key(0), outcome: Outcome::Updated { outputs: json!({}) } };
        assert!(run(&[adopted(0), update.clone(), done]).unwrap().objects[&key(0)].claimed);
        let state = run(&[adopted(0), update, failed(0, Leftover::Known("old".into()))]).unwrap();
        assert!(!state.objects[&key(0)].claimed);
    }

    #[test]
    fn an_outcome_needs_its_intent() {
        let deleted = Record::Succeeded { key: key(0), outcome: Outcome::Deleted };
        assert!(run(std::slice::from_ref(&deleted)).is_err());
        assert!(run(&[create(0, "x"), created(0), deleted.clone()]).is_err());
        let delete = Record::Began { key: key(0), intent: Intent::Delete };
        assert!(run(&[create(0, "x"), created(0), delete, deleted]).unwrap().objects.is_empty());
    }

    #[test]
    fn delta_turns_one_into_the_other() {
        let from = run(&[create(0, "x"), created(0)]).unwrap();
        let to = run(&[create(0, "x"), created(0), create(1, "y"), created(1)]).unwrap();
        let delta = delta(&from, &to);
        assert_eq!(delta.put.len(), 2);
        assert!(delta.remove.is_empty());
    }
}
