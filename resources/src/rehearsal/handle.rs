//! A handle on the account: its clock, its file, its faults, and the way every request
//! goes through them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    Account, Seed,
    faults::{FaultKind, Faults, Passage, refusal},
    kubernetes,
    permissions::{self, Need, Policy},
    store::{Late, Store},
    wire::{self, Call, Protocol, WireRequest, WireResponse},
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
    /// The names of what it is about, e.g. `cluster/pool`; may be empty.
    pub resource: String,
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
    late: Vec<Late>,
    requests: u64,
    /// What the calls needed so far.
    needed: BTreeSet<Need>,
    /// What the caller may do; without it, everything.
    policy: Option<Policy>,
    store: Option<Store>,
    /// Why the folder could not be written: until it can, calls are refused.
    unsaved: Option<String>,
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
    /// Nothing, and the connection stays open until the caller's patience is over.
    Silence,
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
        let store = Store::new(folder)?;
        let Some((saved, now_ms)) = store.load()? else {
            let account = Account::new(seed, base_ms);
            store.save_account(&account, &[])?;
            return Ok(Self::of(account, base_ms, Some(store)));
        };
        let account = saved.account;
        if account.account_id != seed.account_id || account.region != seed.region {
            return Err(RehearsalError::Other {
                place: store.account_file().to_owned(),
                found: format!("account {} in {}", account.account_id, account.region),
                wanted: format!("account {} in {}", seed.account_id, seed.region),
            });
        }
        let rehearsal = Self::of(account, now_ms, Some(store));
        rehearsal.lock().late = saved.late;
        Ok(rehearsal)
    }

    fn of(account: Account, base_ms: u64, store: Option<Store>) -> Self {
        let inside = Inside {
            account,
            faults: Faults::default(),
            calls: BTreeMap::new(),
            log: Vec::new(),
            late: Vec::new(),
            requests: 0,
            needed: BTreeSet::new(),
            policy: None,
            store,
            unsaved: None,
        };
        Self { inside: Arc::new(Mutex::new(inside)), base_ms, started: Instant::now(), scale: 1 }
    }

    /// From now on this handle's clock runs so many times faster than tokio's. Handles
    /// cloned before keep their own speed.
    #[must_use]
    pub fn scaled(mut self, scale: u32) -> Self {
        (self.base_ms, self.started) = (self.now_ms(), Instant::now());
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
    /// What it changes is kept in the folder; if that fails, [`Rehearsal::save`] and every
    /// later call say so.
    pub fn with_account<T>(&self, work: impl FnOnce(&mut Account) -> T) -> T {
        let now = self.now_ms();
        let mut inside = self.lock();
        inside.catch_up(now);
        let result = work(&mut inside.account);
        inside.keep(now, true);
        result
    }

    /// Puts faults in force in place of the present ones.
    pub fn set_faults(&self, faults: Faults) {
        self.lock().faults = faults;
    }

    /// From now on the caller may do what this policy allows, and nothing else.
    pub fn enforce(&self, policy: Policy) {
        self.lock().policy = Some(policy);
    }

    /// The permissions that the calls of this process needed, of those that were let through.
    pub fn needed(&self) -> BTreeSet<Need> {
        self.lock().needed.clone()
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
        inside.save(now, true)?;
        inside.unsaved = None;
        Ok(())
    }

    /// Answers one request, with its latency and its faults.
    pub async fn respond(&self, request: &WireRequest) -> Reply {
        let (before, after) = self.lock().latencies();
        tokio::time::sleep(before / self.scale).await;
        let mut call = match wire::decode(request) {
            Ok(call) => call,
            Err(response) => return Reply::Response(response),
        };
        if self.scale > 1 && call.service == crate::kubernetes::SERVICE {
            call.params["fast"] = true.into();
        }
        let now = self.now_ms();
        let (passage, reply) = self.lock().pass(call, now);
        if let Passage::Stop(reached) = passage {
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
        self.late.sort_by_key(|late| late.due_ms);
        let due = self.late.partition_point(|late| late.due_ms <= now);
        for late in self.late.drain(..due) {
            self.account.now_ms = self.account.now_ms.max(late.due_ms);
            // Nobody waits for this answer: it was lost before it was given.
            drop(self.account.handle(&late.service, &late.operation, &late.params));
        }
        self.account.now_ms = self.account.now_ms.max(now);
        self.account.settle();
    }

    /// Lets a call through to the account, unless the caller is stopped: then nobody
    /// hears of it, and before its effect nothing happens.
    fn pass(&mut self, call: Call, now: u64) -> (Passage, Reply) {
        let passage = self.faults.count();
        match passage {
            Passage::Stop(reached) => (Passage::Stop(reached), Reply::Lost),
            Passage::StopAfter(reached) => {
                drop(self.answer(call, now));
                (Passage::Stop(reached), Reply::Lost)
            }
            Passage::Free => (Passage::Free, self.answer(call, now)),
        }
    }

    fn answer(&mut self, call: Call, now: u64) -> Reply {
        let late_due = self.late.iter().any(|late| late.due_ms <= now);
        self.catch_up(now);
        *self.calls.entry((call.service.clone(), call.operation.clone())).or_default() += 1;
        let request_id = format!("{:08x}-0000-4000-8000-{:012x}", self.requests, now);
        if call.protocol == Protocol::Kubernetes && !kubernetes::resolves(&self.account, &call.params) {
            self.keep(now, late_due);
            self.note(&call, now, Some("lost".to_owned()));
            return Reply::Lost;
        }
        if let Some(reason) = &self.unsaved {
            let error = super::ApiError::new(500, "InternalFailure", reason.clone());
            return Reply::Response(wire::encode(&call, Err(error), &request_id));
        }
        if let Some(error) = self.unauthorized(&call) {
            self.keep(now, late_due);
            self.note(&call, now, Some(error.code.clone()));
            return Reply::Response(wire::encode(&call, Err(error), &request_id));
        }
        let fault = self.faults.strike(&call);
        let takes_effect = fault.is_none_or(|kind| self.faults.takes_effect(kind));
        let answer = takes_effect.then(|| self.account.handle(&call.service, &call.operation, &call.params));
        if let Some(FaultKind::Late(delay)) = fault {
            let due_ms = now + u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            let Call { service, operation, params, .. } = call.clone();
            self.late.push(Late { due_ms, service, operation, params });
        }
        let changed = takes_effect && !is_read(&call.operation) || matches!(fault, Some(FaultKind::Late(_)));
        self.keep(now, changed || late_due);
        let refused = fault.and_then(|kind| refusal(kind, &call.service));
        let lost = refused.is_none() && fault.is_some();
        let answer = match (refused, answer) {
            (Some(error), _) => Err(error),
            (None, Some(answer)) => answer,
            (None, None) => Ok(Value::Null),
        };
        let code = if lost { Some("lost".to_owned()) } else { answer.as_ref().err().map(|error| error.code.clone()) };
        self.note(&call, now, code);
        match fault {
            _ if self.unsaved.is_some() && !lost => {
                let reason = self.unsaved.clone().unwrap_or_default();
                let error = super::ApiError::new(500, "InternalFailure", reason);
                Reply::Response(wire::encode(&call, Err(error), &request_id))
            }
            Some(FaultKind::Timeout) => Reply::Silence,
            _ if lost => Reply::Lost,
            _ => Reply::Response(wire::encode(&call, answer, &request_id)),
        }
    }

    /// The refusal of a call that the policy does not allow; notes what the others need.
    fn unauthorized(&mut self, call: &Call) -> Option<super::ApiError> {
        if let Some(policy) = &self.policy
            && let Some(error) = permissions::check(policy, &self.account, &call.service, &call.operation, &call.params)
        {
            return Some(error);
        }
        let needs = permissions::needs(&self.account, &call.service, &call.operation, &call.params);
        self.needed.extend(needs);
        None
    }

    fn note(&mut self, call: &Call, at_ms: u64, error: Option<String>) {
        if self.log.len() >= LOG_LINES {
            self.log.drain(..LOG_LINES / 2);
        }
        let (service, operation) = (call.service.clone(), call.operation.clone());
        self.log.push(Access { at_ms, service, operation, resource: resource_hint(&call.params), error });
    }

    fn save(&self, now: u64, changed: bool) -> Result<(), RehearsalError> {
        let Some(store) = &self.store else { return Ok(()) };
        if changed {
            store.save_account(&self.account, &self.late)?;
        }
        store.save_clock(now)
    }

    /// Saves; remembers that it failed.
    fn keep(&mut self, now: u64, changed: bool) {
        if let Err(error) = self.save(now, changed) {
            self.unsaved = Some(format!("{error} {}", error.hint()));
        }
    }
}

/// The names in a call's parameters, outermost first.
fn resource_hint(params: &Value) -> String {
    // KIND/NAMESPACE/NAME of the Kubernetes API.
    if let Some(object) = params.get("object").and_then(Value::as_str) {
        return object.to_owned();
    }
    const NAMES: &[&str] = &[
        "clusterName",
        "name",
        "nodegroupName",
        "addonName",
        "principalArn",
        "resourceArn",
        "RoleName",
        "PolicyName",
        "PolicyArn",
        "OpenIDConnectProviderArn",
        "Url",
        "AliasName",
        "KeyId",
        "TargetKeyId",
        "logGroupName",
        "logGroupNamePrefix",
        "GroupId",
        "GroupName",
        "LaunchTemplateId",
        "LaunchTemplateName",
        "VpcId",
        "Bucket",
        "Key",
        "QueueName",
        "QueueUrl",
        "Name",
        "Rule",
    ];
    let found = NAMES.iter().filter_map(|name| params.get(*name).and_then(Value::as_str));
    found.collect::<Vec<_>>().join("/")
}

fn is_read(operation: &str) -> bool {
    ["Describe", "Discover", "Get", "Head", "List", "Watch"].iter().any(|verb| operation.starts_with(verb))
}
