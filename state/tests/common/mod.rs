//! Histories for stores, and object stores that fail.

#![allow(dead_code, clippy::unwrap_used)]

pub mod faulty;

use rayplat_engine::{
    error::Leftover,
    event::Summary,
    journal::{self, Entry, Intent, Outcome, Record},
    provider::ReplaceOrder,
    store::{Binding, Checkpoint, Meta, ObjectKey, StateStore},
    urn::Urn,
};
use serde_json::json;

pub fn key(index: u8) -> ObjectKey {
    ObjectKey { urn: Urn::new("test:Thing", &index.to_string()).unwrap(), generation: 0 }
}

pub fn meta(run: u64) -> Meta {
    let binding = Binding { partition: "aws".into(), account: "1".into(), region: "here".into(), endpoint: None };
    Meta { stack: "s".into(), binding, run }
}

pub fn create(index: u8) -> Record {
    Record::Began {
        key: key(index),
        intent: Intent::Create {
            nonce: format!("n{index}"),
            inputs: json!({"index": index}),
            depends_on: vec![],
            replace_order: ReplaceOrder::CreateThenDelete,
            data: false,
        },
    }
}

pub fn created(index: u8) -> Record {
    let outcome = Outcome::Created {
        id: format!("id-{index}"),
        inputs: json!({"index": index}),
        outputs: json!({"x": index}),
        took_ms: Some(3),
    };
    Record::Succeeded { key: key(index), outcome }
}

pub fn entries(run: u64, from: u64, records: Vec<Record>) -> Vec<Entry> {
    let entry = |(index, record)| Entry { run, seq: from + index as u64, at_ms: 7, record };
    records.into_iter().enumerate().map(entry).collect()
}

pub fn started(run: u64) -> Record {
    Record::RunStarted { meta: meta(run), command: "up".into(), by: None }
}

/// What a legal history may go on with.
#[derive(Debug, Clone)]
pub enum Deed {
    Create(u8),
    Finish(u8, bool),
    Delete(u8),
    Compact,
    Reopen,
}

/// A store's history beside the one that it should have.
pub struct Model {
    pub state: Checkpoint,
    base: Checkpoint,
    run: u64,
    seq: u64,
}

impl Default for Model {
    fn default() -> Self {
        Self { state: Checkpoint::default(), base: Checkpoint::default(), run: 1, seq: 0 }
    }
}

impl Model {
    /// Writes a record, if it is a legal one: others never are.
    pub async fn append(&mut self, store: &dyn StateStore, record: Record) {
        if journal::apply(&mut self.state, &record).is_ok() {
            self.seq += 1;
            store.append(vec![Entry { run: self.run, seq: self.seq, at_ms: 1, record }]).await.unwrap();
        }
    }

    /// The run begins.
    pub async fn start(&mut self, store: &dyn StateStore) {
        self.append(store, started(self.run)).await;
    }

    /// Does it; reopening is the caller's.
    pub async fn play(&mut self, store: &dyn StateStore, deed: &Deed) {
        match deed {
            Deed::Create(index) => self.append(store, create(*index)).await,
            Deed::Finish(index, true) => self.append(store, created(*index)).await,
            Deed::Finish(index, false) => {
                let failed = Record::Failed { key: key(*index), leftover: Leftover::None, error: "no".into() };
                self.append(store, failed).await;
            }
            Deed::Delete(index) => {
                self.append(store, Record::Began { key: key(*index), intent: Intent::Delete }).await;
                self.append(store, Record::Succeeded { key: key(*index), outcome: Outcome::Deleted }).await;
            }
            Deed::Compact => {
                self.append(store, Record::Closed { summary: Summary::default() }).await;
                store.compact(journal::delta(&self.base, &self.state)).await.unwrap();
                self.base = self.state.clone();
                (self.run, self.seq) = (self.run + 1, 0);
                self.start(store).await;
            }
            Deed::Reopen => {}
        }
    }
}
