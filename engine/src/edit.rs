//! Changes to the state alone: the account is neither read nor changed.

use std::sync::Arc;

use crate::{
    context::Clock,
    error::Error,
    event::Summary,
    history::{Ledger, PastRun},
    journal::{self, Entry, Record},
    store::{Checkpoint, Delta, Meta, Object, ObjectKey, StateStore, StoreError},
    urn::Urn,
};

/// Why a state cannot be edited as asked.
#[derive(Debug, thiserror::Error)]
pub enum EditError {
    /// There is no such resource, or no such generation of it.
    #[error("the state has no {what}")]
    Missing {
        /// What was asked for.
        what: String,
        /// The nearest that there is.
        near: Option<Urn>,
    },
    /// The name is taken.
    #[error("the state has {0} already")]
    Taken(Urn),
    /// The kinds differ.
    #[error("{from} cannot become {to}: a resource keeps its kind")]
    Kind {
        /// The resource.
        from: Urn,
        /// What it was to become.
        to: Urn,
    },
    /// An interrupted run has left work.
    #[error("{0} is in the middle of a change that an interrupted run began")]
    Pending(ObjectKey),
    /// A state that holds objects is not overwritten.
    #[error("the state holds {0} objects already")]
    NotEmpty(usize),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EditError {
    /// What to do.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing { near: Some(near), .. } => {
                format!("Did you mean {near}? `rayplat state list` shows what there is.")
            }
            Self::Missing { near: None, .. } => "`rayplat state list` shows what there is.".to_owned(),
            Self::Taken(_) => "Choose another name, or let that one go first: `rayplat state rm`.".to_owned(),
            Self::Kind { .. } => "Give it a name of the same kind: KIND/NEW-NAME.".to_owned(),
            Self::Pending(_) => "Run `rayplat up` first: it looks at what was left and finishes it.".to_owned(),
            Self::NotEmpty(_) => {
                "Nothing was changed. Export it first (`rayplat state export`), then import into a folder or prefix of \
                 its own (--state), or replace what is there with --replace."
                    .to_owned()
            }
            Self::Store(error) => return error.hint(),
        })
    }
}

/// A state under edit. It holds the store's lock.
pub struct Editor {
    store: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
    checkpoint: Checkpoint,
    base: Checkpoint,
    ledger: Ledger,
    by: Option<String>,
}

impl Editor {
    /// Reads the state. `by` says who edits, for the history.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn open(
        store: Arc<dyn StateStore>,
        clock: Arc<dyn Clock>,
        by: Option<String>,
    ) -> Result<Self, StoreError> {
        let stored = store.load().await?;
        let checkpoint = journal::fold(&stored)?;
        Ok(Self { store, clock, checkpoint, base: stored.checkpoint, ledger: Ledger::of(&stored.journal), by })
    }

    /// The state as it stands.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The objects of a resource.
    ///
    /// # Errors
    /// There is no such resource, or a run has left it half done.
    pub fn standing(&self, urn: &Urn) -> Result<Vec<Object>, EditError> {
        let keys = self.keys(urn)?;
        Ok(keys.iter().filter_map(|key| self.checkpoint.objects.get(key)).cloned().collect())
    }

    /// The resources that depend on any of these and are none of them.
    pub fn dependents(&self, urns: &[Urn]) -> Vec<Urn> {
        let objects = self.checkpoint.objects.values();
        let behind = objects.filter(|object| object.depends_on.iter().any(|on| urns.contains(on)));
        let mut names: Vec<Urn> = behind.map(|object| object.urn.clone()).filter(|urn| !urns.contains(urn)).collect();
        names.dedup();
        names
    }

    /// Lets a resource go: what stands in the account stays there and belongs to nobody
    /// here any more. Gives the objects that were let go.
    ///
    /// # Errors
    /// There is no such resource, or a run has left it half done.
    pub async fn forget(&mut self, urn: &Urn) -> Result<Vec<ObjectKey>, EditError> {
        let keys = self.keys(urn)?;
        let records = keys.iter().map(|key| Record::Forgotten { key: key.clone() }).collect();
        self.run("state rm", records).await?;
        Ok(keys)
    }

    /// Gives a resource another name, here and wherever something depends on it.
    ///
    /// # Errors
    /// There is no such resource, the name is taken or of another kind, or a run has left
    /// it half done.
    pub async fn rename(&mut self, from: &Urn, to: &Urn) -> Result<Vec<ObjectKey>, EditError> {
        let keys = self.keys(from)?;
        if from.kind() != to.kind() {
            return Err(EditError::Kind { from: from.clone(), to: to.clone() });
        }
        if self.checkpoint.generations(to).next().is_some() {
            return Err(EditError::Taken(to.clone()));
        }
        self.run("state mv", vec![Record::Moved { from: from.clone(), to: to.clone() }]).await?;
        Ok(keys)
    }

    /// Puts a saved state in place of an empty one; with `replace`, of any.
    ///
    /// # Errors
    /// The state holds objects and `replace` is false.
    pub async fn restore(&mut self, saved: Checkpoint, replace: bool) -> Result<(), EditError> {
        if !replace && !self.checkpoint.objects.is_empty() {
            return Err(EditError::NotEmpty(self.checkpoint.objects.len()));
        }
        let Some(mut meta) = saved.meta.clone() else {
            return Err(StoreError::Illegal("a state without its meta cannot be put back".to_owned()).into());
        };
        // Runs are counted on: no number is given twice.
        meta.run = meta.run.max(self.checkpoint.meta.as_ref().map_or(0, |meta| meta.run)) + 1;
        let to = Checkpoint { meta: Some(meta.clone()), objects: saved.objects };
        let now = self.clock.now_ms();
        let past = PastRun {
            run: meta.run,
            command: "state import".to_owned(),
            by: self.by.clone(),
            began_ms: now,
            ended_ms: Some(now),
            summary: Some(Summary::default()),
            deeds: Vec::new(),
        };
        let mut runs = self.ledger.take();
        runs.push(past);
        self.store.compact(Delta { runs, ..journal::delta(&self.base, &to) }).await?;
        self.base = to.clone();
        self.checkpoint = to;
        Ok(())
    }

    fn keys(&self, urn: &Urn) -> Result<Vec<ObjectKey>, EditError> {
        let objects: Vec<_> = self.checkpoint.generations(urn).collect();
        if objects.is_empty() {
            let near = self.checkpoint.objects.keys().map(|key| &key.urn).find(|other| other.name() == urn.name());
            return Err(EditError::Missing { what: urn.to_string(), near: near.cloned() });
        }
        if let Some(object) = objects.iter().find(|object| object.phase.pending()) {
            return Err(EditError::Pending(object.key()));
        }
        Ok(objects.into_iter().map(Object::key).collect())
    }

    /// A run of its own in journal and history.
    async fn run(&mut self, command: &str, records: Vec<Record>) -> Result<(), StoreError> {
        let Some(Meta { stack, binding, run }) = self.checkpoint.meta.clone() else {
            return Err(StoreError::Illegal("a state that holds objects has no meta".to_owned()));
        };
        let run = run + 1;
        let started =
            Record::RunStarted { meta: Meta { stack, binding, run }, command: command.to_owned(), by: self.by.clone() };
        let closed = Record::Closed { summary: Summary::default() };
        let mut entries = Vec::new();
        for record in std::iter::once(started).chain(records).chain([closed]) {
            journal::apply(&mut self.checkpoint, &record)?;
            let seq = entries.len() as u64 + 1;
            entries.push(Entry { run, seq, at_ms: self.clock.now_ms(), record });
        }
        entries.iter().for_each(|entry| self.ledger.note(entry));
        self.store.append(entries).await?;
        let runs = self.ledger.take();
        self.store.compact(Delta { runs, ..journal::delta(&self.base, &self.checkpoint) }).await?;
        self.base = self.checkpoint.clone();
        Ok(())
    }
}

impl From<EditError> for Error {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Store(error) => Self::Store(error),
            other => Self::Edit(other),
        }
    }
}
