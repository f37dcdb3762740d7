//! The lock: an object that says who works, written anew while they do.
//!
//! Nobody's own clock is compared with anybody else's. Whoever finds the lock asks how long
//! ago it was written, both moments by the object store's clock; whoever holds it counts on
//! its own monotonic clock from before its last renewal was sent. The holder gives up after one
//! lease, others begin after one and a quarter: clocks that run 20 % apart are still safe.

use std::{sync::Arc, time::Duration};

use rayplat_engine::{
    context::Clock,
    objects::{ETag, ObjectStore},
    store::StoreError,
};
use tokio::time::Instant;

use super::{
    records::{CHECKPOINT, CheckpointRecord, LOCK, LockRecord, decode, encode, nonce},
    write::{Written, put, store_error},
};
use crate::lock::Holder;

/// How the lock is taken.
#[derive(Clone)]
pub struct LockOptions {
    /// What the lock tells others, e.g. `rayplat up`.
    pub command: String,
    /// How long a lock lasts that nobody renews. It is renewed three times as often.
    pub lease: Duration,
    /// Says how many times faster than here the object store's clock runs.
    pub clock: Arc<dyn Clock>,
    /// Nobody else can be at work: a lock found is one that was left behind.
    pub alone: bool,
}

impl LockOptions {
    /// The usual lease: a killed run's lock is free after 75 seconds.
    pub const LEASE: Duration = Duration::from_secs(60);
}

/// A lock that stands.
#[derive(Debug, Clone)]
pub struct LockView {
    /// Whoever holds it; `None` if it was given back.
    pub holder: Option<Holder>,
    /// How long it stands if it is not renewed, by the object store's clock.
    pub left: Duration,
    pub(super) record: LockRecord,
    pub(super) etag: ETag,
}

/// Others begin so much later than the holder gives up. Times are told in whole seconds.
fn grace(lease_ms: u64) -> Duration {
    let lease = Duration::from_millis(lease_ms);
    lease + lease / 4 + Duration::from_secs(2)
}

/// The lock as it stands; `None` if there never was one.
pub(super) async fn view(objects: &dyn ObjectStore) -> Result<Option<LockView>, StoreError> {
    let found = objects.get(LOCK).await.map_err(|error| store_error(objects, error))?;
    let Some(found) = found else { return Ok(None) };
    let record: LockRecord = decode(&objects.place(), LOCK, &found.body)?;
    let left = grace(record.lease_ms).saturating_sub(found.age);
    Ok(Some(LockView { holder: record.holder.clone(), left, record, etag: found.etag }))
}

/// A lock that we hold.
#[derive(Debug)]
pub(super) struct Held {
    pub record: LockRecord,
    pub etag: ETag,
    /// Until when it surely is ours.
    pub until: Instant,
}

/// Two runs that begin at once meet a few times at most.
const MEETINGS: u32 = 5;

/// Takes the lock.
pub(super) async fn take(objects: &dyn ObjectStore, options: &LockOptions) -> Result<Held, StoreError> {
    for _ in 0..MEETINGS {
        let standing = view(objects).await?;
        let (last, etag) = match standing {
            None => (before_any_lock(objects).await?, None),
            Some(LockView { holder: Some(holder), left, .. }) if !left.is_zero() && !options.alone => {
                return Err(locked(&holder, left / options.clock.time_scale().max(1)));
            }
            Some(LockView { record, etag, .. }) => (record, Some(etag)),
        };
        let record = LockRecord {
            token: last.token + 1,
            holder: Some(Holder::this(&options.command)),
            lease_ms: lease_ms(options),
            nonce: nonce(),
            ..last
        };
        let began = Instant::now();
        let body = encode(&objects.place(), &record)?;
        match put(objects, LOCK, &body, etag.as_ref(), || Ok(())).await? {
            Written::Done(etag) => return Ok(Held { record, etag, until: began + options.lease }),
            Written::Conflict => {}
        }
    }
    Err(StoreError::Locked { holder: "other runs, which begin again and again".to_owned() })
}

fn lease_ms(options: &LockOptions) -> u64 {
    let lease = options.lease * options.clock.time_scale().max(1);
    u64::try_from(lease.as_millis()).unwrap_or(u64::MAX)
}

/// Tokens only grow, even where somebody deleted the lock.
async fn before_any_lock(objects: &dyn ObjectStore) -> Result<LockRecord, StoreError> {
    let found = objects.get(CHECKPOINT).await.map_err(|error| store_error(objects, error))?;
    let checkpoint =
        found.map(|found| decode::<CheckpointRecord>(&objects.place(), CHECKPOINT, &found.body)).transpose()?;
    Ok(LockRecord {
        token: checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.token),
        holder: None,
        lease_ms: 0,
        begun: checkpoint.is_some(),
        written: checkpoint.map_or(0, |checkpoint| checkpoint.covers),
        nonce: String::new(),
    })
}

fn locked(holder: &Holder, left: Duration) -> StoreError {
    let until = jiff::Timestamp::now() + jiff::SignedDuration::try_from(left).unwrap_or_default();
    let until = until.strftime("%Y-%m-%dT%H:%M:%SZ");
    StoreError::Locked { holder: format!("{holder}, until {until} if it does not renew its lease") }
}

/// Writes the lock anew. `None`: it is not ours any more.
pub(super) async fn renew(
    objects: &dyn ObjectStore,
    options: &LockOptions,
    held: &Held,
    free: bool,
    begun: bool,
    written: u64,
) -> Result<Option<Held>, StoreError> {
    let record = LockRecord {
        holder: if free { None } else { held.record.holder.clone() },
        lease_ms: lease_ms(options),
        begun: held.record.begun || begun,
        written: held.record.written.max(written),
        nonce: nonce(),
        ..held.record.clone()
    };
    let began = Instant::now();
    let body = encode(&objects.place(), &record)?;
    match put(objects, LOCK, &body, Some(&held.etag), || Ok(())).await? {
        Written::Done(etag) => Ok(Some(Held { record, etag, until: began + options.lease })),
        Written::Conflict => Ok(None),
    }
}

/// Frees a lock that somebody else holds. False: it has changed since it was looked at.
pub(super) async fn break_lock(objects: &dyn ObjectStore, view: &LockView) -> Result<bool, StoreError> {
    let record = LockRecord { token: view.record.token + 1, holder: None, nonce: nonce(), ..view.record.clone() };
    let body = encode(&objects.place(), &record)?;
    Ok(matches!(put(objects, LOCK, &body, Some(&view.etag), || Ok(())).await?, Written::Done(_)))
}
