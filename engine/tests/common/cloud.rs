//! An account in memory: objects, what refers to what, faults on demand, virtual time.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use rayplat_engine::{
    context::Clock,
    error::{ErrorClass, ProviderError},
    urn::Urn,
};
use tokio::{sync::watch, time::Instant};

use super::{
    kinds::ThingInputs,
    log::{Item, Log},
};

/// One object in the account.
#[derive(Debug, Clone)]
pub struct Obj {
    pub id: String,
    pub urn: Urn,
    /// There can be only one of a name.
    pub name: Option<String>,
    /// Tags.
    pub stack: String,
    pub nonce: String,
    pub inputs: ThingInputs,
    /// Reads do not show it before.
    visible_at: Duration,
    /// It serves from then on.
    pub ready_at: Duration,
    /// Its life cycle ended badly.
    pub failed: bool,
}

impl Obj {
    /// The objects it refers to.
    fn refers_to(&self, id: &str) -> bool {
        self.inputs.refs().any(|other| other == id)
    }
}

/// What may go wrong with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Refused for its rate.
    Throttle,
    /// A 500 before it took effect.
    Before,
    /// It took effect, the response is lost.
    Lost,
    /// It took effect, the response is lost, and reads show it only 10 s later.
    LostAndLate,
    /// Reads show it only 10 s later.
    Late,
    /// Nobody answers for a minute; no effect.
    Timeout,
    /// Refused for good.
    Denied,
    /// The request is wrong.
    Invalid,
    /// The object is made and then reaches a failed state.
    Failed,
}

/// Probabilities of faults, from a seed.
#[derive(Debug, Clone)]
pub struct Faults {
    pub rng: fastrand::Rng,
    /// Of any fault, for one call.
    pub rate: f64,
    pub kinds: Vec<Fault>,
}

/// Where to stop: at the n-th call, before or after its effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    pub call: usize,
    pub after: bool,
}

struct Scripted {
    operation: &'static str,
    urn: &'static str,
    fault: Fault,
    times: usize,
}

#[derive(Default)]
struct Account {
    objects: BTreeMap<String, Obj>,
    made: usize,
    calls: usize,
    faults: Option<Faults>,
    script: Vec<Scripted>,
    stop: Option<Stop>,
    working: usize,
    most_working: usize,
    fact: String,
}

struct Time {
    /// Of earlier runtimes.
    passed: Duration,
    began: Option<Instant>,
    /// The latest that was told; outside of a runtime there is no virtual time to ask.
    last: Duration,
}

/// A handle to the account; clones share it.
#[derive(Clone)]
pub struct Cloud {
    account: Arc<Mutex<Account>>,
    time: Arc<Mutex<Time>>,
    pub log: Log,
    pub stopped: watch::Sender<bool>,
}

/// What every call takes.
const LATENCY: Duration = Duration::from_millis(20);

impl Cloud {
    pub fn new(log: Log) -> Self {
        Self {
            account: Arc::default(),
            time: Arc::new(Mutex::new(Time { passed: Duration::ZERO, began: None, last: Duration::ZERO })),
            log,
            stopped: watch::Sender::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Account> {
        self.account.lock().unwrap()
    }

    /// Time in the account. It goes on through restarts of the runtime.
    pub fn now(&self) -> Duration {
        let mut time = self.time.lock().unwrap();
        let passed = time.passed;
        time.last = passed + time.began.get_or_insert_with(Instant::now).elapsed();
        time.last
    }

    /// A new runtime, whose clock knows nothing of the last one's.
    pub fn restart(&self) {
        let mut time = self.time.lock().unwrap();
        *time = Time { passed: time.last, began: None, last: time.last };
        drop(time);
        self.stopped.send_replace(false);
        let mut account = self.lock();
        account.stop = None;
        account.working = 0;
    }

    pub fn faults(&self, faults: Option<Faults>) {
        self.lock().faults = faults;
    }

    /// Lets the next `times` calls of `operation` on a resource whose urn contains `urn` fail.
    pub fn script(&self, operation: &'static str, urn: &'static str, fault: Fault, times: usize) {
        self.lock().script.push(Scripted { operation, urn, fault, times });
    }

    pub fn stop_at(&self, stop: Option<Stop>) {
        let mut account = self.lock();
        account.calls = 0;
        account.stop = stop;
    }

    pub fn calls(&self) -> usize {
        self.lock().calls
    }

    pub fn objects(&self) -> Vec<Obj> {
        self.lock().objects.values().cloned().collect()
    }

    pub fn of(&self, urn: &Urn) -> Vec<Obj> {
        self.objects().into_iter().filter(|object| object.urn == *urn).collect()
    }

    pub fn edit(&self, id: &str, edit: impl FnOnce(&mut Obj)) {
        edit(self.lock().objects.get_mut(id).unwrap());
    }

    /// Somebody else destroys an object.
    pub fn vanish(&self, id: &str) {
        self.lock().objects.remove(id).unwrap();
    }

    /// Somebody else makes an object.
    pub fn plant(&self, object: Obj) {
        self.lock().objects.insert(object.id.clone(), object);
    }

    pub fn planted(urn: &Urn, name: &str, stack: &str, inputs: ThingInputs) -> Obj {
        Obj {
            id: format!("obj-planted-{}", urn.name()),
            urn: urn.clone(),
            name: Some(name.to_owned()),
            stack: stack.to_owned(),
            nonce: "another".to_owned(),
            inputs,
            visible_at: Duration::ZERO,
            ready_at: Duration::ZERO,
            failed: false,
        }
    }

    /// What the data kind reads.
    pub fn fact(&self) -> String {
        self.lock().fact.clone()
    }

    pub fn set_fact(&self, fact: &str) {
        self.lock().fact = fact.to_owned();
    }

    /// The most provider actions that were ever at work at once.
    pub fn most_working(&self) -> usize {
        self.lock().most_working
    }

    /// Counts an action as at work until the guard is dropped.
    pub fn work(&self) -> Working {
        let mut account = self.lock();
        account.working += 1;
        account.most_working = account.most_working.max(account.working);
        Working(self.clone())
    }

    /// One call: latency, faults, the stop, the effect.
    async fn call<T>(
        &self,
        operation: &'static str,
        urn: &Urn,
        effect: impl FnOnce(&mut Account, Duration, Option<Fault>) -> Result<T, ProviderError>,
    ) -> Result<T, ProviderError> {
        tokio::time::sleep(LATENCY).await;
        let (fault, stop) = self.arrive(operation, urn);
        if stop == Some(false) {
            self.halt().await;
        }
        match fault {
            Some(Fault::Throttle) => return Err(error(ErrorClass::Throttled, "ThrottlingException")),
            Some(Fault::Before) => return Err(error(ErrorClass::Ambiguous, "InternalFailure")),
            Some(Fault::Denied) => return Err(error(ErrorClass::Denied, "AccessDenied")),
            Some(Fault::Invalid) => return Err(error(ErrorClass::Invalid, "ValidationError")),
            Some(Fault::Timeout) => {
                tokio::time::sleep(Duration::from_secs(60)).await;
                return Err(error(ErrorClass::Ambiguous, "timeout"));
            }
            _ => {}
        }
        let now = self.now();
        let result = effect(&mut self.lock(), now, fault);
        if stop == Some(true) {
            self.halt().await;
        }
        match fault {
            Some(Fault::Lost | Fault::LostAndLate) => Err(error(ErrorClass::Ambiguous, "connection reset")),
            _ => result,
        }
    }

    /// Logs the call and says what will happen to it.
    fn arrive(&self, operation: &'static str, urn: &Urn) -> (Option<Fault>, Option<bool>) {
        self.log.push(Item::Call { operation, urn: urn.clone() });
        let mut account = self.lock();
        account.calls += 1;
        let number = account.calls;
        let stop = account.stop.filter(|stop| stop.call == number).map(|stop| stop.after);
        let matching = |s: &&mut Scripted| s.times > 0 && s.operation == operation && urn.as_str().contains(s.urn);
        let scripted = account.script.iter_mut().find(matching).map(|scripted| {
            scripted.times -= 1;
            scripted.fault
        });
        let random = account.faults.as_mut().and_then(|faults| {
            let struck = faults.rng.f64() < faults.rate;
            let fault = struck.then(|| faults.kinds[faults.rng.usize(..faults.kinds.len())]);
            // A refused read ends a run before it does anything: that is tested by itself.
            let read = matches!(operation, "Describe" | "List" | "Find");
            fault.filter(|fault| !read || !matches!(fault, Fault::Denied | Fault::Invalid))
        });
        (scripted.or(random), stop)
    }

    async fn halt(&self) {
        self.stopped.send_replace(true);
        pending::<()>().await;
    }

    pub async fn create(&self, wanted: Wanted) -> Result<Obj, ProviderError> {
        let urn = wanted.urn.clone();
        self.call("Create", &urn, move |account, now, fault| account.create(wanted, now, fault)).await
    }

    pub async fn describe(&self, urn: &Urn, id: &str) -> Result<Option<Obj>, ProviderError> {
        self.call("Describe", urn, |account, now, _| {
            Ok(account.objects.get(id).filter(|object| object.visible_at <= now).cloned())
        })
        .await
    }

    /// Looks for objects by their tags.
    pub async fn list(&self, urn: &Urn) -> Result<Vec<Obj>, ProviderError> {
        self.call("List", urn, |account, now, _| {
            Ok(account.objects.values().filter(|o| o.visible_at <= now && o.urn == *urn).cloned().collect())
        })
        .await
    }

    pub async fn find(&self, urn: &Urn, name: &str) -> Result<Option<Obj>, ProviderError> {
        self.call("Find", urn, |account, now, _| {
            let named = |o: &&Obj| o.visible_at <= now && o.name.as_deref() == Some(name);
            Ok(account.objects.values().find(named).cloned())
        })
        .await
    }

    pub async fn tag(&self, urn: &Urn, id: &str, stack: &str, nonce: &str) -> Result<(), ProviderError> {
        self.call("Tag", urn, |account, _, _| {
            let object = account.get(id)?;
            (object.stack, object.urn, object.nonce) = (stack.to_owned(), urn.clone(), nonce.to_owned());
            Ok(())
        })
        .await
    }

    pub async fn update(&self, urn: &Urn, id: &str, to: &ThingInputs) -> Result<(), ProviderError> {
        self.call("Update", urn, |account, _, _| {
            account.check_refs(to)?;
            account.get(id)?.inputs = to.clone();
            Ok(())
        })
        .await
    }

    /// Says whether it would take an object with these inputs.
    pub async fn try_out(&self, urn: &Urn, to: &ThingInputs) -> Result<(), ProviderError> {
        self.call("DryRun", urn, |account, _, _| account.check_refs(to)).await
    }

    pub async fn delete(&self, urn: &Urn, id: &str) -> Result<(), ProviderError> {
        self.call("Delete", urn, |account, _, _| {
            account.get(id)?;
            if let Some(user) = account.objects.values().find(|object| object.refers_to(id)) {
                let message = format!("{} uses {id} of {urn}", user.urn);
                return Err(ProviderError::new(ErrorClass::InUse, message).code("DependencyViolation"));
            }
            account.objects.remove(id);
            Ok(())
        })
        .await
    }
}

/// An object to be made.
pub struct Wanted {
    pub urn: Urn,
    pub name: Option<String>,
    pub stack: String,
    pub nonce: String,
    pub inputs: ThingInputs,
    pub takes: Duration,
}

impl Account {
    fn create(&mut self, wanted: Wanted, now: Duration, fault: Option<Fault>) -> Result<Obj, ProviderError> {
        self.check_refs(&wanted.inputs)?;
        if let Some(name) = &wanted.name
            && self.objects.values().any(|object| object.name.as_ref() == Some(name))
        {
            return Err(error(ErrorClass::AlreadyExists, "EntityAlreadyExists"));
        }
        self.made += 1;
        let late = matches!(fault, Some(Fault::Late | Fault::LostAndLate));
        let object = Obj {
            id: format!("obj-{:06}", self.made),
            urn: wanted.urn,
            name: wanted.name,
            stack: wanted.stack,
            nonce: wanted.nonce,
            inputs: wanted.inputs,
            visible_at: if late { now + Duration::from_secs(10) } else { now },
            ready_at: now + wanted.takes,
            failed: fault == Some(Fault::Failed) && !wanted.takes.is_zero(),
        };
        self.objects.insert(object.id.clone(), object.clone());
        Ok(object)
    }

    fn check_refs(&self, inputs: &ThingInputs) -> Result<(), ProviderError> {
        match inputs.refs().find(|id| !self.objects.contains_key(*id)) {
            Some(id) => {
                Err(ProviderError::new(ErrorClass::Invalid, format!("{id} does not exist")).code("InvalidReference"))
            }
            None => Ok(()),
        }
    }

    fn get(&mut self, id: &str) -> Result<&mut Obj, ProviderError> {
        self.objects.get_mut(id).ok_or_else(|| error(ErrorClass::NotFound, "NotFound"))
    }
}

fn error(class: ErrorClass, code: &str) -> ProviderError {
    ProviderError::new(class, "the account says no").code(code)
}

/// See [`Cloud::work`].
pub struct Working(Cloud);

impl Drop for Working {
    fn drop(&mut self) {
        let mut account = self.0.lock();
        account.working = account.working.saturating_sub(1);
    }
}

impl Clock for Cloud {
    fn now_ms(&self) -> u64 {
        1_700_000_000_000 + u64::try_from(self.now().as_millis()).unwrap()
    }
}
