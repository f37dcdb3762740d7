//! A handle on the account: its clock, its file, its faults, and the way every request
//! goes through them.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{
    Account, Seed,
    faults::{FaultKind, Faults, Moment, refusal},
    wire::{self, Call, WireRequest, WireResponse},
};

/// Why an account cannot be opened or kept.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The file is there, but cannot be used.
    #[error("the rehearsal account in {place} is damaged: {reason}")]
    Damaged {
        /// The file.
        place: PathBuf,
        /// Why.
        reason: String,
    },
    /// It belongs to another region or account.
    #[error("the rehearsal account in {place} is {found}, not {wanted}")]
    Other {
        /// The file.
        place: PathBuf,
        /// What it is.
        found: String,
        /// What was asked for.
        wanted: String,
    },
    /// The disk refuses.
    #[error("the rehearsal account in {place}: {source}")]
    Io {
        /// The file or folder.
        place: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl RehearsalError {
    /// What to do.
    pub fn hint(&self) -> String {
        match self {
            Self::Damaged { place, .. } | Self::Other { place, .. } => {
                let folder = place.parent().unwrap_or(place);
                format!("It is only a rehearsal: delete {} with its state and start anew.", folder.display())
            }
            Self::Io { .. } => "Check that the folder is writable and has room.".to_owned(),
        }
    }
}

/// One line of the access log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Access {
    /// When, milliseconds since the epoch.
    pub at_ms: u64,
    /// The signing name.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// The error code, if it was refused; `lost` if the answer never arrived.
    pub error: Option<String>,
}

/// The newest lines are kept.
const LOG_LINES: usize = 100_000;

struct Inside {
    account: Account,
    faults: Faults,
    calls: BTreeMap<(String, String), u64>,
    log: Vec<Access>,
    /// Effects that come after their response was lost.
    late: Vec<(u64, Call)>,
    requests: u64,
    file: Option<PathBuf>,
}

/// An emulated account, shared by everything that talks to it.
#[derive(Clone)]
pub struct Rehearsal {
    inside: Arc<Mutex<Inside>>,
    base_ms: u64,
    started: Instant,
    scale: u32,
}

impl std::fmt::Debug for Rehearsal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rehearsal").field("now_ms", &self.now_ms()).finish_non_exhaustive()
    }
}

/// What the caller gets.
#[derive(Debug)]
pub enum Reply {
    /// A response.
    Response(WireResponse),
    /// Nothing: the connection broke.
    Lost,
}

impl Rehearsal {
    /// An account that lives as long as its handles.
    pub fn in_memory(seed: &Seed, base_ms: u64) -> Self {
        Self::of(Account::new(seed, base_ms), base_ms, None)
    }

    /// The account kept in a folder; made from the seed if there is none yet. Time goes
    /// on where the last process left it.
    ///
    /// # Errors
    /// See [`RehearsalError`]. What cannot be read is never replaced.
    pub fn open(folder: &Path, seed: &Seed, base_ms: u64) -> Result<Self, RehearsalError> {
        let io = |source| RehearsalError::Io { place: folder.to_owned(), source };
        fs::create_dir_all(folder).map_err(io)?;
        let file = folder.join("account.json");
        let account: Account = match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| RehearsalError::Damaged { place: file.clone(), reason: error.to_string() })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Account::new(seed, base_ms),
            Err(error) => return Err(io(error)),
        };
        if account.account_id != seed.account_id || account.region != seed.region {
            return Err(RehearsalError::Other {
                place: file,
                found: format!("account {} in {}", account.account_id, account.region),
                wanted: format!("account {} in {}", seed.account_id, seed.region),
            });
        }
        let now = account.now_ms;
        Ok(Self::of(account, now, Some(file)))
    }

    fn of(account: Account, base_ms: u64, file: Option<PathBuf>) -> Self {
        let inside = Inside {
            account,
            faults: Faults::default(),
            calls: BTreeMap::new(),
            log: Vec::new(),
            late: Vec::new(),
            requests: 0,
            file,
        };
        Self { inside: Arc::new(Mutex::new(inside)), base_ms, started: Instant::now(), scale: 1 }
    }

    /// The account's clock runs this many times faster than tokio's. Before first use.
    #[must_use]
    pub fn scaled(mut self, scale: u32) -> Self {
        self.scale = scale.max(1);
        self
    }

    /// How many times faster than tokio's clock the account's runs.
    pub fn scale(&self) -> u32 {
        self.scale
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        // A panic inside a service is reported by its caller; the state stays readable.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account's time, milliseconds since the epoch.
    pub fn now_ms(&self) -> u64 {
        let passed = self.started.elapsed() * self.scale;
        self.base_ms + u64::try_from(passed.as_millis()).unwrap_or(u64::MAX)
    }

    /// The account's time.
    pub fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.now_ms())
    }

    /// Works on the account directly, at its present time: for seeding and for questions.
    pub fn with_account<T>(&self, work: impl FnOnce(&mut Account) -> T) -> T {
        let now = self.now_ms();
        let mut inside = self.lock();
        inside.catch_up(now);
        work(&mut inside.account)
    }

    /// Puts faults in force in place of the present ones.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// How often each operation was called, by service and operation.
    pub fn calls(&self) -> BTreeMap<(String, String), u64> {
        self.lock().calls.clone()
    }

    /// The access log, oldest first.
    pub fn log(&self) -> Vec<Access> {
        self.lock().log.clone()
    }

    /// Writes the account into its folder, if it has one.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn save(&self) -> Result<(), RehearsalError> {
        let now = self.now_ms();
        let mut inside = self.lock();
        inside.catch_up(now);
        inside.save()
    }

    /// Answers one request, with its latency and its faults.
    pub async fn respond(&self, request: &WireRequest) -> Reply {
        let (before, after) = self.lock().latencies();
        tokio::time::sleep(before / self.scale).await;
        let call = match wire::decode(request) {
            Ok(call) => call,
            Err(response) => return Reply::Response(response),
        };
        let stop = self.lock().faults.count();
        if let Some((reached, Moment::BeforeEffect)) = &stop {
            reached.notify_one();
            return std::future::pending().await;
        }
        let now = self.now_ms();
        let reply = self.lock().answer(call, now);
        if let Some((reached, Moment::AfterEffect)) = &stop {
            reached.notify_one();
            return std::future::pending().await;
        }
        tokio::time::sleep(after / self.scale).await;
        reply
    }
}

impl Inside {
    /// 40 to 160 ms in all, most of it before the effect.
    fn latencies(&mut self) -> (Duration, Duration) {
        // Not drawn from the account: a look at it must not change later draws.
        self.requests += 1;
        let spread = (self.requests.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 57) % 90;
        (Duration::from_millis(35 + spread), Duration::from_millis(10))
    }

    fn catch_up(&mut self, now: u64) {
        let mut due: Vec<_> = self.late.extract_if(.., |(at, _)| *at <= now).collect();
        due.sort_by_key(|(at, _)| *at);
        for (at, call) in due {
            self.account.now_ms = self.account.now_ms.max(at);
            // Nobody waits for this answer: it was lost before it was given.
            drop(self.account.handle(&call.service, &call.operation, &call.params));
        }
        self.account.now_ms = self.account.now_ms.max(now);
        self.account.settle();
    }

    fn answer(&mut self, call: Call, now: u64) -> Reply {
        self.catch_up(now);
        *self.calls.entry((call.service.clone(), call.operation.clone())).or_default() += 1;
        let fault = self.faults.strike(&call);
        let request_id = format!("{:08x}-0000-4000-8000-{:012x}", self.requests, now);
        if let Some(error) = fault.and_then(|kind| refusal(kind, &call.service)) {
            self.note(&call, now, Some(error.code.clone()));
            return Reply::Response(wire::encode(&call, Err(error), &request_id));
        }
        match fault {
            Some(FaultKind::LostBefore) => {
                self.note(&call, now, Some("lost".to_owned()));
                return Reply::Lost;
            }
            Some(FaultKind::Late(delay)) => {
                self.note(&call, now, Some("lost".to_owned()));
                self.late.push((now + u64::try_from(delay.as_millis()).unwrap_or(u64::MAX), call));
                return Reply::Lost;
            }
            _ => {}
        }
        let answer = self.account.handle(&call.service, &call.operation, &call.params);
        let lost = fault == Some(FaultKind::LostAfter);
        let error = answer.as_ref().err().map(|error| error.code.clone());
        self.note(&call, now, if lost { Some("lost".to_owned()) } else { error });
        if !is_read(&call.operation)
            && let Err(error) = self.save()
        {
            let error = super::ApiError::new(500, "InternalFailure", format!("{error} {}", error.hint()));
            return Reply::Response(wire::encode(&call, Err(error), &request_id));
        }
        if lost { Reply::Lost } else { Reply::Response(wire::encode(&call, answer, &request_id)) }
    }

    fn note(&mut self, call: &Call, at_ms: u64, error: Option<String>) {
        if self.log.len() >= LOG_LINES {
            self.log.drain(..LOG_LINES / 2);
        }
        let (service, operation) = (call.service.clone(), call.operation.clone());
        self.log.push(Access { at_ms, service, operation, error });
    }

    /// Beside the file first, then in its place: a crash leaves the old or the new.
    fn save(&self) -> Result<(), RehearsalError> {
        let Some(file) = &self.file else { return Ok(()) };
        let io = |source| RehearsalError::Io { place: file.clone(), source };
        let bytes = serde_json::to_vec(&self.account).map_err(|error| io(io::Error::other(error)))?;
        let beside = file.with_extension("json.new");
        fs::write(&beside, bytes).map_err(io)?;
        fs::rename(&beside, file).map_err(io)
    }
}

fn is_read(operation: &str) -> bool {
    ["Describe", "Get", "List"].iter().any(|verb| operation.starts_with(verb))
}
