//! An object store on a bad network: writes lose their answers, arrive late, or meet others.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rayplat_engine::{
    objects::{ETag, Fetched, ObjectError, ObjectStore},
    provider::BoxFuture,
};
use rayplat_state::MemoryObjects;

/// One runner's way to the objects that all share.
pub struct Faulty {
    pub objects: Arc<MemoryObjects>,
    draws: Mutex<u64>,
    /// How many writes of a hundred fail.
    faults: u64,
    cut: AtomicBool,
}

impl Faulty {
    pub fn new(objects: &Arc<MemoryObjects>, seed: u64, faults: u64) -> Arc<Self> {
        Arc::new(Self { objects: objects.clone(), draws: Mutex::new(seed), faults, cut: AtomicBool::new(false) })
    }

    /// The runner is dead: nothing that it sends arrives.
    pub fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    /// splitmix64.
    fn draw(&self, below: u64) -> u64 {
        let mut state = self.draws.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    async fn travel(&self) {
        if self.cut.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep(Duration::from_millis(self.draw(40))).await;
    }

    async fn write(&self, key: &str, body: &[u8], expected: Option<&ETag>) -> Result<ETag, ObjectError> {
        self.travel().await;
        let objects = self.objects.clone();
        let (key, body, expected) = (key.to_owned(), body.to_vec(), expected.cloned());
        let send = async move {
            match expected {
                Some(etag) => objects.put_if_match(&key, &body, &etag).await,
                None => objects.put_if_absent(&key, &body).await,
            }
        };
        let lost = || Err(ObjectError::Ambiguous("the connection broke".to_owned()));
        let answer = match self.draw(100) {
            drawn if drawn >= self.faults => send.await,
            drawn if drawn % 3 == 0 => return lost(),
            drawn if drawn % 3 == 1 => {
                let late = Duration::from_millis(self.draw(3_000));
                tokio::spawn(async move {
                    tokio::time::sleep(late).await;
                    drop(send.await);
                });
                return lost();
            }
            _ => {
                drop(send.await);
                return lost();
            }
        };
        self.travel().await;
        answer
    }
}

impl ObjectStore for Faulty {
    fn place(&self) -> String {
        "s3://test/state".to_owned()
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Fetched>, ObjectError>> {
        Box::pin(async move {
            self.travel().await;
            self.objects.get(key).await
        })
    }

    fn put_if_absent<'a>(&'a self, key: &'a str, body: &'a [u8]) -> BoxFuture<'a, Result<ETag, ObjectError>> {
        Box::pin(self.write(key, body, None))
    }

    fn put_if_match<'a>(
        &'a self,
        key: &'a str,
        body: &'a [u8],
        etag: &'a ETag,
    ) -> BoxFuture<'a, Result<ETag, ObjectError>> {
        Box::pin(self.write(key, body, Some(etag)))
    }

    fn delete<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), ObjectError>> {
        Box::pin(async move {
            self.travel().await;
            self.objects.delete(key).await
        })
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, ObjectError>> {
        Box::pin(async move {
            self.travel().await;
            self.objects.list(prefix).await
        })
    }
}
