//! What a provider is given beside its inputs: identity of the intent, the retry
//! policy, rate limits, and a way to report.

use std::{
    future::Future,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::{
    error::{ErrorClass, ProviderError},
    limits::Limits,
    plan::Planning,
    retry::{RetryPolicy, Schedule},
    urn::Urn,
};

/// The wall clock. Durations always come from tokio's clock, which may be virtual.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> u64;

    /// How many times faster than real time the account's life cycles run; waits
    /// are shortened by it. 1 for AWS.
    fn time_scale(&self) -> u32 {
        1
    }
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// May a call be sent again when nobody knows whether it took effect?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Yes: it reads, carries a client token, or sets something to a fixed value.
    Safe,
    /// No: sent again it could make a second object. The engine looks first.
    Once,
}

/// The result of one look at something that takes its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Poll<T> {
    /// It is there.
    Ready(T),
    /// Not yet; the text is its status, e.g. `CREATING`.
    Pending(String),
}

/// The identity of one intent.
#[derive(Debug, Clone)]
pub struct Job {
    /// The stack's name.
    pub stack: String,
    /// The resource.
    pub urn: Urn,
    /// Which physical object of the resource: 0, then one more for each replacement.
    pub generation: u32,
    /// Names this intent; stands on the object as a tag. 32 hex digits.
    pub nonce: String,
    /// The id of an object that an earlier attempt made.
    pub resume: Option<String>,
    /// How long the action should take.
    pub expected: Duration,
}

/// What a step tells the coordinator while it runs.
#[derive(Debug)]
pub(crate) enum Note {
    Progress { urn: Urn, generation: u32, id: String },
    Status { urn: Urn, text: String },
    Retry { urn: Urn, error: ProviderError, attempt: u32, delay: Duration },
}

/// Shared by all contexts of a run.
pub(crate) struct Shared {
    pub limits: Limits,
    pub clock: Arc<dyn Clock>,
    pub retry: RetryPolicy,
    pub notes: mpsc::UnboundedSender<Note>,
    pub seed: u64,
    /// What was asked of the run beside the stack.
    pub asked: OnceLock<Planning>,
}

/// A provider's view of the run.
pub struct Ctx {
    shared: Arc<Shared>,
    job: Job,
    made: AtomicBool,
    retry: RetryPolicy,
    /// The ids of other generations of the same resource.
    beside: Vec<String>,
}

impl Ctx {
    pub(crate) fn new(shared: Arc<Shared>, job: Job, beside: Vec<String>) -> Self {
        let retry = shared.retry.clone();
        Self { shared, job, made: AtomicBool::new(false), retry, beside }
    }

    /// The same, which waits for nothing that would pass in time: for questions.
    pub(crate) fn impatient(self) -> Self {
        Self { retry: self.retry.impatient(), ..self }
    }

    /// The stack's name.
    pub fn stack(&self) -> &str {
        &self.job.stack
    }

    /// The resource at work.
    pub fn urn(&self) -> &Urn {
        &self.job.urn
    }

    /// Which object of the resource: 0 for the first, one more for each successor.
    pub fn generation(&self) -> u32 {
        self.job.generation
    }

    /// Names this intent; tag the object with it. 32 hex digits.
    pub fn nonce(&self) -> &str {
        &self.job.nonce
    }

    /// The id of an object that an earlier attempt of this intent made.
    pub fn resume(&self) -> Option<&str> {
        self.job.resume.as_deref()
    }

    /// True if the run was asked to destroy what is kept otherwise, with all that it holds.
    pub fn purge(&self) -> bool {
        self.shared.asked.get().is_some_and(|asked| asked.purge)
    }

    /// True if the run destroys everything that the stack has.
    pub fn everything_goes(&self) -> bool {
        self.shared.asked.get().is_some_and(|asked| asked.everything)
    }

    /// What people decided where a kind left it to them.
    pub fn decided(&self, question: &str) -> Option<&str> {
        self.shared.asked.get()?.decided.get(question).map(String::as_str)
    }

    /// How long the action should take, learned from past runs where there are any.
    pub fn expected(&self) -> Duration {
        self.job.expected
    }

    /// The wall clock, milliseconds since the Unix epoch.
    pub fn now_ms(&self) -> u64 {
        self.shared.clock.now_ms()
    }

    /// A name for the object: `base`, cut to fit, and a short hash of stack, resource
    /// and generation, so that a replacement can stand beside its predecessor. The
    /// same for every attempt of the same intent.
    pub fn unique_name(&self, base: &str, max_length: usize) -> String {
        let hash = Sha256::digest(format!("{}\n{}\n{}", self.job.stack, self.job.urn, self.job.generation));
        let suffix = hex::encode(&hash[..4]);
        let keep = max_length.saturating_sub(suffix.len() + 1);
        let base: String = base.chars().take(keep).collect();
        format!("{}-{suffix}", base.trim_end_matches('-'))
    }

    /// A client token for one call of this intent: 64 hex digits, which every service
    /// accepts (EKS wants 33 to 126 characters). The same after a restart.
    pub fn token(&self, purpose: &str) -> String {
        hex::encode(Sha256::digest(format!("{}\n{purpose}", self.job.nonce)))
    }

    /// Reports the object's id as soon as it is known, so that a crash from here on
    /// can find it without searching.
    pub fn progress(&self, id: &str) {
        self.made.store(true, Ordering::Relaxed);
        self.note(Note::Progress { urn: self.job.urn.clone(), generation: self.job.generation, id: id.to_owned() });
    }

    /// True once [`Ctx::progress`] was called: something stands in the account.
    pub(crate) fn made(&self) -> bool {
        self.made.load(Ordering::Relaxed)
    }

    /// True if `id` is another generation's object.
    pub(crate) fn beside(&self, id: &str) -> bool {
        self.beside.iter().any(|other| other == id)
    }

    pub(crate) fn set_resume(&mut self, id: String) {
        self.job.resume = Some(id);
    }

    /// A context outside a run, for testing a kind by itself. Its reports go nowhere.
    pub fn standalone(job: Job, clock: Arc<dyn Clock>, seed: u64) -> Self {
        let (notes, _) = mpsc::unbounded_channel();
        let asked = OnceLock::new();
        let shared = Shared { limits: Limits::default(), clock, retry: RetryPolicy::default(), notes, seed, asked };
        Self::new(Arc::new(shared), job, Vec::new())
    }

    /// Reports what the object is waiting for.
    pub fn status(&self, text: &str) {
        self.note(Note::Status { urn: self.job.urn.clone(), text: text.to_owned() });
    }

    fn note(&self, note: Note) {
        // The receiver is gone only when the run is being torn down: nobody is left to tell.
        drop(self.shared.notes.send(note));
    }

    /// Sends one API call under the run's retry policy and the service's rate limit.
    ///
    /// # Errors
    /// The last error. [`ErrorClass::Ambiguous`] of a [`Repeat::Once`] call comes back
    /// at once, so that the engine can look what it did.
    pub async fn call<T, F, Fut>(
        &self,
        service: &'static str,
        operation: &'static str,
        repeat: Repeat,
        mut send: F,
    ) -> Result<T, ProviderError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T, ProviderError>>,
    {
        let seed = self.shared.seed ^ hash64(self.job.urn.as_str()) ^ hash64(operation);
        let mut schedule = Schedule::new(self.retry.clone(), seed);
        loop {
            self.shared.limits.acquire(service, self.time_scale()).await;
            let error = match send().await {
                Ok(value) => {
                    self.shared.limits.succeeded(service);
                    return Ok(value);
                }
                Err(error) => error.during(service, operation),
            };
            if error.class == ErrorClass::Throttled {
                self.shared.limits.throttled(service);
            }
            if error.class == ErrorClass::Ambiguous && repeat == Repeat::Once {
                return Err(error);
            }
            let Some(delay) = schedule.next(error.class) else {
                return Err(error);
            };
            self.note(Note::Retry { urn: self.job.urn.clone(), error, attempt: schedule.attempts(), delay });
            self.sleep(delay).await;
        }
    }

    /// Looks again and again until something is there. Looks seldom at first, tightly
    /// around the time when it is expected.
    ///
    /// # Errors
    /// An error of a look; [`ErrorClass::TimedOut`] when `limit` is over (the object
    /// is not written off: the next run takes it up).
    pub async fn wait<T, F, Fut>(
        &self,
        what: &str,
        expected: Duration,
        limit: Duration,
        mut look: F,
    ) -> Result<T, ProviderError>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<Poll<T>, ProviderError>>,
    {
        let began = tokio::time::Instant::now();
        let mut status = String::new();
        loop {
            match look().await? {
                Poll::Ready(value) => return Ok(value),
                Poll::Pending(now) if now != status => {
                    self.status(&format!("{what}: {now}"));
                    status = now;
                }
                Poll::Pending(_) => {}
            }
            let elapsed = began.elapsed() * self.time_scale();
            if elapsed >= limit {
                return Err(ProviderError::new(
                    ErrorClass::TimedOut,
                    format!("{what} is still {status} after {} minutes", limit.as_secs() / 60),
                )
                .hint("Nothing was given up: run the command again and it goes on waiting for the same object."));
            }
            self.sleep(poll_interval(elapsed, expected)).await;
        }
    }

    /// Sleeps in the account's time.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration / self.time_scale()).await;
    }

    /// See [`Clock::time_scale`].
    pub fn time_scale(&self) -> u32 {
        self.shared.clock.time_scale().max(1)
    }
}

/// Polls every 15 s at most while the end is far (a failure can come early), and from
/// 60 % of the expected time on every 1 % of what has passed.
fn poll_interval(elapsed: Duration, expected: Duration) -> Duration {
    let dense_from = expected.mul_f64(0.6);
    if elapsed < dense_from {
        return (dense_from - elapsed).clamp(Duration::from_millis(500), Duration::from_secs(15));
    }
    elapsed.mul_f64(0.01).clamp(Duration::from_millis(500), Duration::from_secs(5))
}

fn hash64(text: &str) -> u64 {
    let digest = Sha256::digest(text);
    digest.iter().take(8).fold(0, |acc, byte| (acc << 8) | u64::from(*byte))
}
