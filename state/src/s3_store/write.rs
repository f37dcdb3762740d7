//! Conditional writes whose answers may be lost: look, never guess.

use std::time::Duration;

use rayplat_engine::{
    objects::{ETag, ObjectError, ObjectStore},
    store::StoreError,
};

/// What became of a conditional write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Written {
    /// It stands, and is this.
    Done(ETag),
    /// Something else stands there: it never will.
    Conflict,
}

/// So often a write is sent whose answer is lost again and again.
const ATTEMPTS: u32 = 6;
/// Before it is sent a second time; doubled each time.
const PAUSE: Duration = Duration::from_millis(200);

/// Writes in place of `expected`, or where nothing is. A lost answer is looked up: an object
/// with these very bytes is ours (they hold a nonce), also where the answer was a conflict,
/// which may be one with our own write. What still stands as it stood was not reached, and the
/// write is sent again: with the same condition, so that a straggler cannot do it twice.
pub(super) async fn put(
    objects: &dyn ObjectStore,
    key: &str,
    body: &[u8],
    expected: Option<&ETag>,
    held: impl Fn() -> Result<(), StoreError>,
) -> Result<Written, StoreError> {
    let mut pause = PAUSE;
    let mut reason = String::new();
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        held()?;
        let sent = match expected {
            Some(etag) => objects.put_if_match(key, body, etag).await,
            None => objects.put_if_absent(key, body).await,
        };
        reason = match sent {
            Ok(etag) => return Ok(Written::Done(etag)),
            Err(ObjectError::Conflict) => "its condition was refused, though it holds".to_owned(),
            Err(ObjectError::Ambiguous(reason)) => reason,
            Err(error) => return Err(store_error(objects, error)),
        };
        match objects.get(key).await.map_err(|error| store_error(objects, error))? {
            Some(found) if found.body == body => return Ok(Written::Done(found.etag)),
            Some(found) if Some(&found.etag) == expected => {}
            None if expected.is_none() => {}
            _ => return Ok(Written::Conflict),
        }
    }
    Err(StoreError::Remote {
        place: objects.place(),
        reason: format!("{key} could not be written in {ATTEMPTS} attempts: {reason}"),
        hint: "Check the network, then run the same command again: it looks what was written.".to_owned(),
    })
}

/// An object store's error as the state's.
pub(super) fn store_error(objects: &dyn ObjectStore, error: ObjectError) -> StoreError {
    let place = objects.place();
    let again = "Run the same command again.".to_owned();
    match error {
        ObjectError::Denied { reason, hint } => StoreError::Denied { place, reason, hint },
        ObjectError::NoPlace { reason, hint } | ObjectError::Failed { reason, hint } => {
            StoreError::Remote { place, reason, hint }
        }
        ObjectError::Ambiguous(reason) => StoreError::Remote { place, reason, hint: again },
        ObjectError::Conflict => StoreError::Remote { place, reason: error.to_string(), hint: again },
    }
}
