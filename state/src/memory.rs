//! A store that lives as long as its process: for tests and for embedders who keep
//! state elsewhere.

use std::sync::{Mutex, PoisonError};

use rayplat_engine::{
    history::PastRun,
    journal::Entry,
    provider::BoxFuture,
    store::{Delta, StateStore, StoreError, Stored},
};

/// State in memory.
#[derive(Debug, Default)]
pub struct MemoryStore {
    stored: Mutex<Stored>,
    history: Mutex<Vec<PastRun>>,
}

impl MemoryStore {
    /// A store that holds this.
    pub fn with(stored: Stored) -> Self {
        Self { stored: Mutex::new(stored), history: Mutex::default() }
    }

    /// What it holds.
    pub fn stored(&self) -> Stored {
        self.stored.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl StateStore for MemoryStore {
    fn load(&self) -> BoxFuture<'_, Result<Stored, StoreError>> {
        Box::pin(async { Ok(self.stored()) })
    }

    fn append(&self, entries: Vec<Entry>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async {
            self.stored.lock().unwrap_or_else(PoisonError::into_inner).journal.extend(entries);
            Ok(())
        })
    }

    fn compact(&self, delta: Delta) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async {
            self.history.lock().unwrap_or_else(PoisonError::into_inner).extend(delta.runs);
            let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
            stored.journal.clear();
            stored.checkpoint.meta = delta.meta;
            for key in delta.remove {
                stored.checkpoint.objects.remove(&key);
            }
            stored.checkpoint.objects.extend(delta.put.into_iter().map(|object| (object.key(), object)));
            Ok(())
        })
    }

    fn history(&self) -> BoxFuture<'_, Result<Vec<PastRun>, StoreError>> {
        Box::pin(async { Ok(self.history.lock().unwrap_or_else(PoisonError::into_inner).clone()) })
    }
}
