//! Stores: one that keeps everything, and one that loses what was not acknowledged.

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use rayplat_engine::{
    event::Event,
    history::PastRun,
    journal::Entry,
    provider::BoxFuture,
    store::{Delta, StateStore, StoreError, Stored},
};
use tokio::sync::{mpsc, watch};

use super::log::{Item, Log};

fn compacted(stored: &mut Stored, delta: Delta) {
    if delta.meta.is_some() {
        stored.checkpoint.meta = delta.meta;
    }
    for object in delta.put {
        stored.checkpoint.objects.insert(object.key(), object);
    }
    for key in delta.remove {
        stored.checkpoint.objects.remove(&key);
    }
    stored.journal.clear();
}

/// Keeps everything at once.
#[derive(Default)]
pub struct MemoryStore {
    pub stored: Mutex<Stored>,
    pub history: Mutex<Vec<PastRun>>,
}

impl StateStore for MemoryStore {
    fn load(&self) -> BoxFuture<'_, Result<Stored, StoreError>> {
        Box::pin(async { Ok(self.stored.lock().unwrap().clone()) })
    }

    fn append(&self, entries: Vec<Entry>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async {
            self.stored.lock().unwrap().journal.extend(entries);
            Ok(())
        })
    }

    fn compact(&self, delta: Delta) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async {
            self.history.lock().unwrap().extend(delta.runs.clone());
            compacted(&mut self.stored.lock().unwrap(), delta);
            Ok(())
        })
    }

    fn history(&self) -> BoxFuture<'_, Result<Vec<PastRun>, StoreError>> {
        Box::pin(async { Ok(self.history.lock().unwrap().clone()) })
    }
}

/// When the process stops at a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing of it is durable.
    Before,
    /// The first half of its entries is durable; a checkpoint is moved at once or not at all.
    Torn,
    /// It is durable, but nobody was told.
    After,
    /// It fails with an error, and nothing of it is durable.
    Refused,
}

#[derive(Default)]
struct Disk {
    durable: Stored,
    history: Vec<PastRun>,
    writes: usize,
    stop: Option<(usize, Moment)>,
    events: Option<mpsc::UnboundedReceiver<Event>>,
}

/// Holds nothing but what was synced; can stop the process at its n-th write. Logs every
/// write when it is durable, and the events that were sent before it.
#[derive(Clone)]
pub struct LossyStore {
    disk: Arc<Mutex<Disk>>,
    log: Log,
    stopped: watch::Sender<bool>,
}

/// What a sync takes.
const SYNC: Duration = Duration::from_millis(1);

impl LossyStore {
    pub fn new(log: Log, stopped: watch::Sender<bool>) -> Self {
        Self { disk: Arc::default(), log, stopped }
    }

    pub fn durable(&self) -> Stored {
        self.disk.lock().unwrap().durable.clone()
    }

    pub fn lose_everything(&self) {
        self.disk.lock().unwrap().durable = Stored::default();
    }

    pub fn stop_at(&self, stop: Option<(usize, Moment)>) {
        let mut disk = self.disk.lock().unwrap();
        disk.writes = 0;
        disk.stop = stop;
    }

    pub fn writes(&self) -> usize {
        self.disk.lock().unwrap().writes
    }

    /// Logs these events in their order with writes.
    pub fn watch(&self, events: mpsc::UnboundedReceiver<Event>) {
        self.disk.lock().unwrap().events = Some(events);
    }

    /// Logs the events sent so far.
    pub fn drain(&self) {
        let mut disk = self.disk.lock().unwrap();
        while let Some(Ok(event)) = disk.events.as_mut().map(mpsc::UnboundedReceiver::try_recv) {
            self.log.push(Item::Event(event));
        }
    }

    async fn write(&self, apply: impl FnOnce(&mut Disk, bool)) -> Result<(), StoreError> {
        self.drain();
        let moment = {
            let mut disk = self.disk.lock().unwrap();
            disk.writes += 1;
            let number = disk.writes;
            disk.stop.filter(|(n, _)| *n == number).map(|(_, moment)| moment)
        };
        tokio::time::sleep(SYNC).await;
        match moment {
            Some(Moment::Before) => {}
            Some(Moment::Refused) => {
                return Err(StoreError::Io { place: "memory".into(), reason: "no space left".into() });
            }
            _ => apply(&mut self.disk.lock().unwrap(), moment == Some(Moment::Torn)),
        }
        if moment.is_some() {
            self.stopped.send_replace(true);
            pending::<()>().await;
        }
        Ok(())
    }
}

impl StateStore for LossyStore {
    fn load(&self) -> BoxFuture<'_, Result<Stored, StoreError>> {
        Box::pin(async { Ok(self.durable()) })
    }

    fn append(&self, mut entries: Vec<Entry>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.write(move |disk, torn| {
            if torn {
                entries.truncate(entries.len() / 2);
            }
            for entry in &entries {
                self.log.push(Item::Written(entry.record.clone()));
            }
            disk.durable.journal.append(&mut entries);
        }))
    }

    fn compact(&self, delta: Delta) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.write(move |disk, torn| {
            if !torn {
                disk.history.extend(delta.runs.clone());
                compacted(&mut disk.durable, delta);
            }
        }))
    }

    fn history(&self) -> BoxFuture<'_, Result<Vec<PastRun>, StoreError>> {
        Box::pin(async { Ok(self.disk.lock().unwrap().history.clone()) })
    }
}
