//! The state in a folder: sled, an operating-system lock, and a mark that says a state
//! was here, so that a lost database is never taken for an empty one.
//!
//! Durability: sled 1.0.0-alpha.124 writes a flush through `File::sync_all` on the heap
//! files, on the metadata log and on the folder (`heap.rs`, `metadata_store.rs`); version
//! 0.34 does not (sled#1351, sled#1452). The database's background flusher is off: only
//! [`StateStore::append`] and [`StateStore::compact`] flush, and they return after it.

use std::{
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use rayplat_engine::{
    history::PastRun,
    journal::{self, Entry},
    provider::BoxFuture,
    store::{Delta, Meta, Object, StateStore, StoreError, Stored},
};
use serde::{Serialize, de::DeserializeOwned};
use sled::{Batch, InlineArray};

use crate::{
    codec::{self, DecodeError, FORMAT},
    head::{Head, Position},
    keys,
    lock::{Holder, Lock},
};

/// Entries per leaf: sled's own suggestion for small values.
const LEAF_FANOUT: usize = 128;
/// State is small; the database must not reserve half a gigabyte for it.
const CACHE_BYTES: usize = 8 << 20;
/// Says in a damaged state what is still readable; more would not fit a screen.
const SHOWN: usize = 20;

type Db = sled::Db<LEAF_FANOUT>;

/// The state of one stack in a folder.
pub struct SledStore {
    inner: Arc<Inner>,
}

struct Inner {
    // Dropped before the lock: the database closes its files first.
    // sled's handle is one thread's at a time; one writer is all we need.
    db: Mutex<Db>,
    folder: PathBuf,
    head: Head,
    flushes: AtomicU64,
    _lock: Lock,
}

impl std::fmt::Debug for SledStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SledStore").field("folder", &self.inner.folder).finish_non_exhaustive()
    }
}

impl SledStore {
    /// True if a state was ever kept in this folder.
    pub fn exists(folder: &Path) -> bool {
        folder.join("FORMAT").exists()
    }

    /// Opens the state in a folder, or begins one, and takes its lock. `command` is
    /// what the lock tells others.
    ///
    /// # Errors
    /// [`StoreError::Locked`], [`StoreError::Damaged`] (kept as it is), [`StoreError::TooNew`],
    /// [`StoreError::Io`].
    pub fn open(folder: &Path, command: &str) -> Result<Self, StoreError> {
        let place = folder.display().to_string();
        let io = |error: io::Error| StoreError::Io { place: place.clone(), reason: error.to_string() };
        create_private(folder).map_err(io)?;
        let lock = Lock::take(&folder.join("lock"), &Holder::this(command))?;
        let mark = folder.join("FORMAT");
        let database = folder.join("db");
        match fs::read_to_string(&mark) {
            Ok(text) => check_mark(&place, &text, &database)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(io(error)),
        }
        let db = open_database(folder, &database)?;
        let head = Head::new(folder);
        if !mark.exists() {
            head.write(Position::default()).and_then(|()| head.sync()).map_err(io)?;
            db.flush().map_err(io)?;
            fs::write(&mark, format!("{FORMAT}\n")).map_err(io)?;
            fs::File::open(&mark).and_then(|file| file.sync_all()).map_err(io)?;
            fs::File::open(folder).and_then(|file| file.sync_all()).map_err(io)?;
        }
        let store = Self {
            inner: Arc::new(Inner {
                db: Mutex::new(db),
                folder: folder.to_owned(),
                head,
                flushes: AtomicU64::new(0),
                _lock: lock,
            }),
        };
        // Damage is found now, not in the middle of a run.
        let stored = store.inner.load()?;
        journal::fold(&stored).map_err(|error| store.inner.damaged(&error.to_string()))?;
        store.inner.check_head(&stored)?;
        Ok(store)
    }

    /// How many flushes were made: each makes one group of writes durable.
    pub fn flushes(&self) -> u64 {
        self.inner.flushes.load(Ordering::Relaxed)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = self.inner.clone();
        let place = inner.folder.display().to_string();
        tokio::task::spawn_blocking(move || work(&inner))
            .await
            .unwrap_or_else(|error| Err(StoreError::Io { place, reason: format!("the database gave up: {error}") }))
    }
}

#[cfg(unix)]
fn create_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn create_private(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)
}

fn check_mark(place: &str, text: &str, database: &Path) -> Result<(), StoreError> {
    let damaged = |reason: String| Err(StoreError::Damaged { place: place.to_owned(), reason, kept: None });
    match text.trim().parse::<u32>() {
        Ok(found) if found > FORMAT => {
            return Err(StoreError::TooNew { place: place.to_owned(), found, supported: FORMAT });
        }
        Ok(_) => {}
        Err(_) => return damaged("the file FORMAT does not hold a number".to_owned()),
    }
    let empty = fs::read_dir(database).map_or(true, |mut entries| entries.next().is_none());
    if empty {
        return damaged(format!("a state was kept here, but its database {} is gone", database.display()));
    }
    Ok(())
}

/// sled panics on some kinds of damage; that becomes an error here.
fn open_database(folder: &Path, database: &Path) -> Result<Db, StoreError> {
    let config = sled::Config::new().path(database).cache_capacity_bytes(CACHE_BYTES).flush_every_ms(None);
    let opened = catch_unwind(AssertUnwindSafe(|| config.open::<LEAF_FANOUT>()));
    let reason = match opened {
        Ok(Ok(db)) => return Ok(db),
        Ok(Err(error)) if matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::StorageFull) => {
            return Err(StoreError::Io { place: folder.display().to_string(), reason: error.to_string() });
        }
        Ok(Err(error)) => error.to_string(),
        Err(_) => "the database cannot be opened".to_owned(),
    };
    Err(StoreError::Damaged { place: folder.display().to_string(), reason, kept: None })
}

impl Inner {
    fn db(&self) -> MutexGuard<'_, Db> {
        // A panic while the lock was held left nothing half done: batches are atomic.
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn io(&self, error: &io::Error) -> StoreError {
        StoreError::Io { place: self.folder.display().to_string(), reason: error.to_string() }
    }

    /// Says what is damaged and what is still readable. Nothing is moved or changed.
    fn damaged(&self, reason: &str) -> StoreError {
        let mut readable = Vec::new();
        for (_, value) in self.db().scan_prefix(keys::OBJECTS).flatten() {
            if let Ok(object) = codec::decode::<Object>(&value) {
                readable.push(format!("{} ({})", object.key(), object.id.as_deref().unwrap_or("no id yet")));
            }
        }
        let count = readable.len();
        readable.truncate(SHOWN);
        let more = if count > SHOWN { ", ..." } else { "" };
        let list = if count == 0 { String::new() } else { format!(": {}{more}", readable.join(", ")) };
        StoreError::Damaged {
            place: self.folder.display().to_string(),
            reason: format!("{reason}; {count} objects are still readable{list}"),
            kept: None,
        }
    }

    fn decode<T: DeserializeOwned>(&self, what: &str, bytes: &[u8]) -> Result<T, StoreError> {
        codec::decode(bytes).map_err(|error| match error {
            DecodeError::TooNew(found) => {
                StoreError::TooNew { place: self.folder.display().to_string(), found, supported: FORMAT }
            }
            DecodeError::Damaged(reason) => self.damaged(&format!("{what}: {reason}")),
        })
    }

    fn load(&self) -> Result<Stored, StoreError> {
        let mut stored = Stored::default();
        if let Some(bytes) = self.db().get(keys::META).map_err(|error| self.io(&error))? {
            stored.checkpoint.meta = Some(self.decode::<Meta>("the meta record", &bytes)?);
        }
        for (key, value) in self.scan(keys::OBJECTS)? {
            let object: Object = self.decode(&format!("object {}", String::from_utf8_lossy(&key[2..])), &value)?;
            stored.checkpoint.objects.insert(object.key(), object);
        }
        for (_, value) in self.scan(keys::JOURNAL)? {
            let entry: Entry = self.decode("a journal entry", &value)?;
            if let Some(last) = stored.journal.last()
                && entry.run == last.run
                && entry.seq != last.seq + 1
            {
                let gap = format!("run {}: the journal jumps from entry {} to {}", entry.run, last.seq, entry.seq);
                return Err(self.damaged(&gap));
            }
            stored.journal.push(entry);
        }
        Ok(stored)
    }

    fn history(&self) -> Result<Vec<PastRun>, StoreError> {
        self.scan(keys::HISTORY)?.iter().map(|(_, value)| self.decode("a past run", value)).collect()
    }

    fn scan(&self, prefix: &[u8]) -> Result<Vec<(InlineArray, InlineArray)>, StoreError> {
        self.db().scan_prefix(prefix).collect::<io::Result<_>>().map_err(|error| self.io(&error))
    }

    fn encode<T: Serialize>(&self, value: &T) -> Result<Vec<u8>, StoreError> {
        codec::encode(value).map_err(|error| self.io(&io::Error::other(error)))
    }

    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        self.db().apply_batch(batch).map_err(|error| self.io(&error))?;
        self.db().flush().map_err(|error| self.io(&error))?;
        self.flushes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn append(&self, entries: &[Entry]) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for entry in entries {
            batch.insert(keys::entry(entry.run, entry.seq), self.encode(entry)?);
        }
        self.write(batch)?;
        match entries.last() {
            Some(last) => self.head.write(Position { run: last.run, seq: last.seq }).map_err(|error| self.io(&error)),
            None => Ok(()),
        }
    }

    /// The database must be at least as far as the head says: sled takes a damaged log
    /// for a torn one and goes on without it.
    fn check_head(&self, stored: &Stored) -> Result<(), StoreError> {
        let head = self.head.read().map_err(|reason| self.damaged(&reason))?;
        let found = Position::of(stored);
        if found < head {
            let lost = format!("what was written up to {head} is not there any more; the database ends at {found}");
            return Err(self.damaged(&lost));
        }
        Ok(())
    }

    /// One batch in one tree: all of it or nothing survives a crash.
    fn compact(&self, delta: &Delta) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        match &delta.meta {
            Some(meta) => batch.insert(keys::META, self.encode(meta)?),
            None => batch.remove(keys::META),
        }
        for object in &delta.put {
            batch.insert(keys::object(&object.key()), self.encode(object)?);
        }
        for key in &delta.remove {
            batch.remove(keys::object(key));
        }
        for run in &delta.runs {
            batch.insert(keys::past(run.run), self.encode(run)?);
        }
        for (key, _) in self.scan(keys::JOURNAL)? {
            batch.remove(key);
        }
        self.write(batch)?;
        let run = delta.meta.as_ref().map_or(0, |meta| meta.run);
        self.head.write(Position { run, seq: u64::MAX }).map_err(|error| self.io(&error))
    }
}

impl StateStore for SledStore {
    fn load(&self) -> BoxFuture<'_, Result<Stored, StoreError>> {
        Box::pin(self.blocking(Inner::load))
    }

    fn append(&self, entries: Vec<Entry>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.blocking(move |inner| inner.append(&entries)))
    }

    fn compact(&self, delta: Delta) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.blocking(move |inner| inner.compact(&delta)))
    }

    fn history(&self) -> BoxFuture<'_, Result<Vec<PastRun>, StoreError>> {
        Box::pin(self.blocking(Inner::history))
    }
}
