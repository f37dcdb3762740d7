//! One run's hold on the state: the checkpoint in memory, and the journal behind it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::{
    apply::{Interrupt, prepare::PairVerdict},
    context::{Ctx, Job, Note, Shared},
    error::Error,
    event::{Event, Events},
    history::Ledger,
    journal::{self, Entry, Record},
    limits::Limits,
    ops::Options,
    plan::StepId,
    provider::{Action, Registry},
    store::{Checkpoint, Delta, ObjectKey, StateStore, StoreError},
    urn::Urn,
};

pub(crate) struct Session {
    pub registry: Registry,
    pub options: Options,
    pub interrupt: Interrupt,
    pub shared: Arc<Shared>,
    pub notes: mpsc::UnboundedReceiver<Note>,
    /// The state as of all staged records.
    pub checkpoint: Checkpoint,
    /// Objects of ours that another run made, to be compared when they are taken up.
    pub adopted: HashSet<ObjectKey>,
    /// What comparing again, known, has made of uncertain replacements.
    pub pairs: HashMap<StepId, PairVerdict>,
    pub run: u64,
    stack: String,
    store: Arc<dyn StateStore>,
    /// The state as the store's checkpoint has it.
    base: Checkpoint,
    /// Sets this run's nonces apart from those of a run whose state was lost.
    opened_ms: u64,
    seq: u64,
    /// The runs whose entries are in the journal.
    ledger: Ledger,
    staged: Vec<Entry>,
    waiting: Vec<Event>,
    events: Events,
    /// False for a preview: nothing is written.
    writes: bool,
    broken: Option<StoreError>,
}

impl Session {
    /// Reads the state and checks that it belongs here. Nothing else is read before.
    pub async fn open(
        registry: &Registry,
        store: &Arc<dyn StateStore>,
        options: &Options,
        stack: &str,
        events: Events,
        interrupt: Interrupt,
        writes: bool,
    ) -> Result<Self, Error> {
        let stored = store.load().await?;
        let checkpoint = journal::fold(&stored)?;
        if let Some(meta) = &checkpoint.meta {
            let place = |stack: &str, binding: &dyn std::fmt::Display| format!("stack `{stack}` in {binding}");
            if meta.binding != options.binding || meta.stack != stack {
                return Err(Error::Binding {
                    bound: place(&meta.stack, &meta.binding),
                    found: place(stack, &options.binding),
                });
            }
        }
        let (sender, notes) = mpsc::unbounded_channel();
        let shared = Shared {
            limits: Limits::default(),
            clock: options.clock.clone(),
            retry: options.retry.clone(),
            notes: sender,
            seed: options.seed,
            asked: OnceLock::new(),
        };
        Ok(Self {
            registry: registry.clone(),
            options: options.clone(),
            interrupt,
            shared: Arc::new(shared),
            notes,
            run: checkpoint.meta.as_ref().map_or(0, |meta| meta.run) + 1,
            checkpoint,
            adopted: HashSet::new(),
            pairs: HashMap::new(),
            stack: stack.to_owned(),
            store: store.clone(),
            ledger: Ledger::of(&stored.journal),
            base: stored.checkpoint,
            opened_ms: options.clock.now_ms(),
            seq: 0,
            staged: Vec::new(),
            waiting: Vec::new(),
            events,
            writes,
            broken: None,
        })
    }

    /// Applies a record to the state in memory; [`Session::commit`] makes it durable.
    pub fn stage(&mut self, record: Record) {
        if self.broken.is_some() {
            return;
        }
        match journal::apply(&mut self.checkpoint, &record) {
            Ok(()) => {
                self.seq += 1;
                let at_ms = self.shared.clock.now_ms();
                self.staged.push(Entry { run: self.run, seq: self.seq, at_ms, record });
            }
            Err(error) => self.broken = Some(error),
        }
    }

    /// Takes back everything staged since the last commit, where the state was this.
    pub fn unstage(&mut self, before: Checkpoint) {
        self.checkpoint = before;
        self.staged.clear();
    }

    /// Notes an event; it is emitted after the next commit.
    pub fn event(&mut self, event: Event) {
        self.waiting.push(event);
    }

    /// Writes the staged records in one group, then emits the events that wait for it.
    pub async fn commit(&mut self) -> Result<(), Error> {
        if let Some(error) = self.broken.take() {
            return Err(error.into());
        }
        let entries = std::mem::take(&mut self.staged);
        if self.writes && !entries.is_empty() {
            entries.iter().for_each(|entry| self.ledger.note(entry));
            self.store.append(entries).await?;
        }
        for event in self.waiting.drain(..) {
            self.events.emit(event);
        }
        Ok(())
    }

    /// Moves the store's checkpoint to the present state.
    pub async fn compact(&mut self) -> Result<(), Error> {
        if self.writes {
            let runs = self.ledger.take();
            self.store.compact(Delta { runs, ..journal::delta(&self.base, &self.checkpoint) }).await?;
            self.base = self.checkpoint.clone();
        }
        Ok(())
    }

    /// The store.
    pub fn store(&self) -> Arc<dyn StateStore> {
        self.store.clone()
    }

    /// A context for work on an object.
    pub fn ctx(&self, urn: &Urn, generation: u32, nonce: String, resume: Option<String>, action: Action) -> Ctx {
        let usual = self.registry.get(urn.kind()).map_or_else(Default::default, |p| p.expected(action));
        let learned = self.checkpoint.generations(urn).rev().find_map(|object| object.took_ms);
        let expected = learned.filter(|_| action == Action::Create).map_or(usual, Duration::from_millis);
        let others = self.checkpoint.generations(urn).filter(|object| object.generation != generation);
        let beside = others.filter_map(|object| object.id.clone()).collect();
        let job = Job { stack: self.stack.clone(), urn: urn.clone(), generation, nonce, resume, expected };
        Ctx::new(self.shared.clone(), job, beside)
    }

    /// A fresh nonce for an object: never the same for two runs, even with the same seed and
    /// a lost state, so that no client token is replayed for another intent and no object of
    /// another run passes for this one's.
    pub fn nonce(&self, key: &ObjectKey) -> String {
        let Self { options, stack, run, opened_ms, .. } = self;
        let digest = Sha256::digest(format!("{}\n{stack}\n{key}\n{run}\n{opened_ms}", options.seed));
        hex::encode(&digest[..16])
    }
}
