//! The state in an object store with conditional writes, S3 above all: for several runners
//! that share a state.
//!
//! - `lock`: who works. It keeps people and runners from working at the same time.
//! - `checkpoint`: the state up to a journal segment, written in place of exactly the one that
//!   was read.
//! - `journal/N`: the entries since, one object a group, written where nothing is. `N` counts
//!   up without a gap and is never used twice.
//!
//! Safety does not rest on the lock or on any clock, but on the conditions of these writes. A
//! run's first write takes checkpoint and journal over: it writes the checkpoint anew, with
//! its own token, and then the next segment. From then on whoever held the lock before can
//! write neither: its checkpoint is not the one it read, and its next segment exists, or did
//! until a later checkpoint covered it (so a segment counts only when the checkpoint has been
//! seen unchanged after it). It learns so, and stops. See ARCHITECTURE.md.

mod lease;
mod read;
mod records;
mod write;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use futures_util::stream::{self, StreamExt};
pub use lease::{LockOptions, LockView};
use rayplat_engine::{
    history::PastRun,
    journal::Entry,
    objects::{ETag, ObjectStore},
    provider::BoxFuture,
    store::{Delta, StateStore, StoreError, Stored},
};
use tokio::{
    sync::{Mutex as AsyncMutex, watch},
    task::AbortHandle,
    time::Instant,
};

use lease::Held;
use read::Snapshot;
use records::{CHECKPOINT, CheckpointRecord, JOURNAL, Segment, encode, nonce, segment_index, segment_key};
use write::{Written, put, store_error};

/// The state of one stack in an object store.
pub struct S3Store {
    inner: Arc<Inner>,
    renewal: AbortHandle,
}

struct Inner {
    objects: Arc<dyn ObjectStore>,
    options: LockOptions,
    token: u64,
    lock: AsyncMutex<Held>,
    /// Until when the lock is surely ours.
    until: Mutex<Instant>,
    /// Why the lock is not ours any more.
    lost: watch::Sender<Option<String>>,
    released: AtomicBool,
    /// The last segment acknowledged, for the lock to witness.
    written: AtomicU64,
    begun: AtomicBool,
    journal: AsyncMutex<Journal>,
}

/// Where the next writes go.
struct Journal {
    /// As in the store; `None` before the first run.
    checkpoint: Option<(CheckpointRecord, ETag)>,
    /// The next segment's index.
    next: u64,
    /// This run has taken checkpoint and journal over.
    claimed: bool,
}

impl Journal {
    /// What the checkpoint holds.
    fn content(&self) -> CheckpointRecord {
        self.checkpoint.as_ref().map(|(record, _)| record.clone()).unwrap_or_default()
    }
}

impl std::fmt::Debug for S3Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Store").field("place", &self.inner.objects.place()).finish_non_exhaustive()
    }
}

impl S3Store {
    /// True if a state was ever kept here.
    ///
    /// # Errors
    /// The objects cannot be read.
    pub async fn exists(objects: &dyn ObjectStore) -> Result<bool, StoreError> {
        if let Some(view) = lease::view(objects).await?
            && view.record.begun
        {
            return Ok(true);
        }
        let error = |error| store_error(objects, error);
        Ok(objects.get(CHECKPOINT).await.map_err(error)?.is_some()
            || !objects.list(JOURNAL).await.map_err(error)?.is_empty())
    }

    /// Opens the state, or begins one, and takes its lock. Within a runtime, which renews the
    /// lock; dropping the store gives it back, [`StateStore::release`] does so for sure.
    ///
    /// # Errors
    /// [`StoreError::Locked`], [`StoreError::Damaged`] (left as it is), [`StoreError::TooNew`],
    /// [`StoreError::Remote`], [`StoreError::Denied`].
    pub async fn open(objects: Arc<dyn ObjectStore>, options: LockOptions) -> Result<Self, StoreError> {
        let held = lease::take(&*objects, &options).await?;
        let inner = Arc::new(Inner {
            token: held.record.token,
            until: Mutex::new(held.until),
            written: AtomicU64::new(held.record.written),
            begun: AtomicBool::new(held.record.begun),
            lock: AsyncMutex::new(held),
            lost: watch::Sender::new(None),
            released: AtomicBool::new(false),
            journal: AsyncMutex::new(Journal { checkpoint: None, next: 1, claimed: false }),
            objects,
            options,
        });
        // Damage is found now, not in the middle of a run.
        if let Err(error) = inner.load().await {
            // The lock says who left it, if even this fails; it ends by itself.
            drop(inner.release().await);
            return Err(error);
        }
        let renewal = tokio::spawn(renewing(inner.clone())).abort_handle();
        Ok(Self { inner, renewal })
    }

    /// The lock as it stands; `None` if there never was one.
    ///
    /// # Errors
    /// The lock cannot be read.
    pub async fn lock(objects: &dyn ObjectStore) -> Result<Option<LockView>, StoreError> {
        lease::view(objects).await
    }

    /// Frees a lock that somebody else holds. Whoever holds it can write nothing more once the
    /// next run has begun. False: it has changed hands or was renewed since it was looked at.
    ///
    /// # Errors
    /// The lock cannot be written.
    pub async fn break_lock(objects: &dyn ObjectStore, view: &LockView) -> Result<bool, StoreError> {
        lease::break_lock(objects, view).await
    }
}

impl Drop for S3Store {
    fn drop(&mut self) {
        self.renewal.abort();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let inner = self.inner.clone();
            // Nobody is left to tell: a lock that is not given back ends by itself.
            runtime.spawn(async move { drop(inner.release().await) });
        }
    }
}

/// Renews the lock until it is lost or given back.
async fn renewing(inner: Arc<Inner>) {
    let pause = inner.options.lease / 3;
    loop {
        tokio::time::sleep(pause).await;
        let until = inner.until();
        tokio::select! {
            () = inner.renew() => {}
            () = tokio::time::sleep_until(until) => {
                inner.lose("its lease ran out, because it could not be renewed in time".to_owned());
            }
        }
        if inner.lost.borrow().is_some() {
            return;
        }
    }
}

impl Inner {
    fn until(&self) -> Instant {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lose(&self, reason: String) {
        self.lost.send_if_modified(|lost| lost.is_none().then(|| *lost = Some(reason)).is_some());
    }

    fn lost_error(&self, reason: &str) -> StoreError {
        StoreError::Lost { place: self.objects.place(), reason: reason.to_owned() }
    }

    /// May we still write?
    fn check_held(&self) -> Result<(), StoreError> {
        if Instant::now() >= self.until() {
            self.lose("its lease ran out, because it could not be renewed in time".to_owned());
        }
        match &*self.lost.borrow() {
            Some(reason) => Err(self.lost_error(reason)),
            None => Ok(()),
        }
    }

    async fn renew(&self) {
        let mut held = self.lock.lock().await;
        if self.released.load(Ordering::Relaxed) {
            return;
        }
        let (begun, written) = (self.begun.load(Ordering::Relaxed), self.written.load(Ordering::Relaxed));
        match lease::renew(&*self.objects, &self.options, &held, false, begun, written).await {
            Ok(Some(renewed)) => {
                *self.until.lock().unwrap_or_else(PoisonError::into_inner) = renewed.until;
                *held = renewed;
            }
            Ok(None) => {
                let reason = self.taken_by().await;
                self.lose(reason);
            }
            // Tried again until the lease is over.
            Err(_) => {}
        }
    }

    /// Who has the lock now.
    async fn taken_by(&self) -> String {
        match lease::view(&*self.objects).await {
            Ok(Some(LockView { holder: Some(holder), .. })) => format!("{holder} has taken it over"),
            Ok(_) => "somebody has freed it".to_owned(),
            Err(error) => format!("it was written by somebody else ({error})"),
        }
    }

    async fn release(&self) -> Result<(), StoreError> {
        let held = self.lock.lock().await;
        if self.released.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        self.lose("this run has given it back".to_owned());
        let (begun, written) = (self.begun.load(Ordering::Relaxed), self.written.load(Ordering::Relaxed));
        // Not ours any more: then there is nothing to give back.
        lease::renew(&*self.objects, &self.options, &held, true, begun, written).await.map(drop)
    }

    async fn load(&self) -> Result<Stored, StoreError> {
        let mut journal = self.journal.lock().await;
        let snapshot = read::snapshot(&*self.objects).await?;
        self.check_witness(&snapshot)?;
        if journal.claimed
            && (snapshot.last() + 1 != journal.next || etag(&snapshot.checkpoint) != etag(&journal.checkpoint))
        {
            return Err(self.fenced().await);
        }
        if snapshot.checkpoint.as_ref().is_some_and(|(record, _)| record.token > self.token) {
            return Err(self.fenced().await);
        }
        journal.next = snapshot.last() + 1;
        let stored = snapshot.stored();
        journal.checkpoint = snapshot.checkpoint;
        Ok(stored)
    }

    /// The lock says how far the state was written: less is damage, never a younger state.
    fn check_witness(&self, snapshot: &Snapshot) -> Result<(), StoreError> {
        let place = self.objects.place();
        if snapshot.checkpoint.is_none() && self.begun.load(Ordering::Relaxed) {
            return Err(records::damaged(&place, "a state was kept here, but its checkpoint is gone"));
        }
        let (written, last) = (self.written.load(Ordering::Relaxed), snapshot.last());
        if last < written {
            let lost = format!("the journal was written up to segment {written}, but it ends at {last}");
            return Err(records::damaged(&place, read::readable(&lost, snapshot)));
        }
        Ok(())
    }

    /// Somebody else has written where only we may.
    async fn fenced(&self) -> StoreError {
        let reason = self.taken_by().await;
        self.lose(reason.clone());
        self.lost_error(&reason)
    }

    /// Writes; a conflict means that the lock was lost, whatever the lock itself says.
    async fn write(&self, key: &str, body: &[u8], expected: Option<&ETag>) -> Result<ETag, StoreError> {
        match put(&*self.objects, key, body, expected, || self.check_held()).await {
            Ok(Written::Done(etag)) => Ok(etag),
            Ok(Written::Conflict) => Err(self.fenced().await),
            Err(error) => {
                // Nobody knows whether it stands: whatever came after it might come before it.
                self.lose(format!("a write failed: {error}"));
                Err(error)
            }
        }
    }

    /// Moves the checkpoint to this content, which gets our token and a nonce.
    async fn write_checkpoint(&self, journal: &mut Journal, content: CheckpointRecord) -> Result<(), StoreError> {
        let record = CheckpointRecord { token: self.token, nonce: nonce(), ..content };
        let body = encode(&self.objects.place(), &record)?;
        let etag = self.write(CHECKPOINT, &body, etag(&journal.checkpoint)).await?;
        journal.checkpoint = Some((record, etag));
        journal.claimed = true;
        self.begun.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Takes the checkpoint over, so that no earlier holder of the lock can move it.
    async fn claim(&self, journal: &mut Journal) -> Result<(), StoreError> {
        if journal.claimed {
            return Ok(());
        }
        let content = journal.content();
        self.write_checkpoint(journal, content).await
    }

    /// Is the checkpoint still the one that we took over? A segment's place may be free because a
    /// later run has written there, compacted and swept it: then ours is covered, and nobody
    /// would ever read it.
    async fn check_claim(&self, journal: &Journal) -> Result<(), StoreError> {
        let found = self.objects.get(CHECKPOINT).await.map_err(|error| store_error(&*self.objects, error));
        match found {
            Ok(found) if found.as_ref().map(|found| &found.etag) == etag(&journal.checkpoint) => Ok(()),
            Ok(_) => Err(self.fenced().await),
            Err(error) => {
                self.lose(format!("a write could not be confirmed: {error}"));
                Err(error)
            }
        }
    }

    async fn append(&self, entries: Vec<Entry>) -> Result<(), StoreError> {
        let mut journal = self.journal.lock().await;
        self.claim(&mut journal).await?;
        let index = journal.next;
        let segment = Segment { token: self.token, nonce: nonce(), index, entries };
        let body = encode(&self.objects.place(), &segment)?;
        self.write(&segment_key(index), &body, None).await?;
        self.check_claim(&journal).await?;
        journal.next = index + 1;
        self.written.store(index, Ordering::Relaxed);
        Ok(())
    }

    async fn compact(&self, delta: Delta) -> Result<(), StoreError> {
        let mut journal = self.journal.lock().await;
        let mut content = journal.content();
        content.checkpoint.meta = delta.meta;
        for key in delta.remove {
            content.checkpoint.objects.remove(&key);
        }
        content.checkpoint.objects.extend(delta.put.into_iter().map(|object| (object.key(), object)));
        content.history.extend(delta.runs);
        content.covers = journal.next - 1;
        let covers = content.covers;
        self.write_checkpoint(&mut journal, content).await?;
        self.sweep(covers).await;
        Ok(())
    }

    /// Deletes what the checkpoint covers. What stays for now, or comes back by a straggler, is
    /// covered all the same: it is never read, and the next sweep takes it. So no condition is
    /// needed.
    async fn sweep(&self, covers: u64) {
        let keys = self.objects.list(JOURNAL).await.unwrap_or_default();
        let covered = keys.into_iter().filter(|key| segment_index(key).is_some_and(|index| index <= covers));
        let deletions = stream::iter(covered.map(|key| async move { drop(self.objects.delete(&key).await) }));
        deletions.buffer_unordered(8).collect::<()>().await;
    }
}

fn etag(checkpoint: &Option<(CheckpointRecord, ETag)>) -> Option<&ETag> {
    checkpoint.as_ref().map(|(_, etag)| etag)
}

impl StateStore for S3Store {
    fn load(&self) -> BoxFuture<'_, Result<Stored, StoreError>> {
        Box::pin(self.inner.load())
    }

    fn append(&self, entries: Vec<Entry>) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.inner.append(entries))
    }

    fn compact(&self, delta: Delta) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.inner.compact(delta))
    }

    fn history(&self) -> BoxFuture<'_, Result<Vec<PastRun>, StoreError>> {
        Box::pin(async { Ok(self.inner.journal.lock().await.content().history) })
    }

    fn lost(&self) -> BoxFuture<'_, StoreError> {
        Box::pin(async {
            let mut lost = self.inner.lost.subscribe();
            let reason = match lost.wait_for(Option::is_some).await {
                Ok(reason) => reason.clone().unwrap_or_default(),
                Err(_) => String::new(),
            };
            self.inner.lost_error(&reason)
        })
    }

    fn release(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.inner.release())
    }
}
