//! Objects that live as long as their process: for tests of what rests on them.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use rayplat_engine::{
    objects::{ETag, Fetched, ObjectError, ObjectStore},
    provider::BoxFuture,
};
use tokio::time::Instant;

#[derive(Debug, Clone)]
struct Stored {
    body: Vec<u8>,
    etag: u64,
    written: Instant,
}

#[derive(Debug, Default)]
struct Inside {
    objects: BTreeMap<String, Stored>,
    writes: u64,
}

/// Objects in memory.
#[derive(Debug, Default)]
pub struct MemoryObjects {
    inside: Mutex<Inside>,
}

impl MemoryObjects {
    fn with<T>(&self, work: impl FnOnce(&mut Inside) -> T) -> T {
        work(&mut self.inside.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Every key, in order.
    pub fn keys(&self) -> Vec<String> {
        self.with(|inside| inside.objects.keys().cloned().collect())
    }

    /// Changes an object's bytes behind everybody's back.
    pub fn damage(&self, key: &str, change: impl FnOnce(&mut Vec<u8>)) {
        self.with(|inside| {
            if let Some(stored) = inside.objects.get_mut(key) {
                change(&mut stored.body);
            }
        });
    }
}

impl Inside {
    fn put(&mut self, key: &str, body: &[u8]) -> ETag {
        self.writes += 1;
        let etag = self.writes;
        self.objects.insert(key.to_owned(), Stored { body: body.to_vec(), etag, written: Instant::now() });
        ETag(etag.to_string())
    }
}

impl ObjectStore for MemoryObjects {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Fetched>, ObjectError>> {
        Box::pin(async move {
            Ok(self.with(|inside| {
                inside.objects.get(key).map(|stored| Fetched {
                    body: stored.body.clone(),
                    etag: ETag(stored.etag.to_string()),
                    age: stored.written.elapsed(),
                })
            }))
        })
    }

    fn put_if_absent<'a>(&'a self, key: &'a str, body: &'a [u8]) -> BoxFuture<'a, Result<ETag, ObjectError>> {
        Box::pin(async move {
            self.with(|inside| match inside.objects.contains_key(key) {
                true => Err(ObjectError::Conflict),
                false => Ok(inside.put(key, body)),
            })
        })
    }

    fn put_if_match<'a>(
        &'a self,
        key: &'a str,
        body: &'a [u8],
        etag: &'a ETag,
    ) -> BoxFuture<'a, Result<ETag, ObjectError>> {
        Box::pin(async move {
            self.with(|inside| match inside.objects.get(key) {
                Some(stored) if stored.etag.to_string() == etag.0 => Ok(inside.put(key, body)),
                _ => Err(ObjectError::Conflict),
            })
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), ObjectError>> {
        Box::pin(async move {
            self.with(|inside| inside.objects.remove(key));
            Ok(())
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, ObjectError>> {
        Box::pin(async move { Ok(self.keys().into_iter().filter(|key| key.starts_with(prefix)).collect()) })
    }
}
