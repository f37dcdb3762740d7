//! An account, a store and an engine between them; what must hold of them.

use std::{collections::BTreeMap, future::Future, sync::Arc};

use rayplat_engine::{
    apply::Interrupt,
    error::{Error, ErrorClass, Leftover},
    event::{Event, Events},
    journal::fold,
    ops::{Engine, Options, Preview, Report},
    retry::RetryPolicy,
    stack::{Resource, Stack},
    store::{Binding, Checkpoint, Phase, StateStore},
    urn::Urn,
    value::{Expr, Lookup},
};
use serde_json::{Value, json};

use super::{
    cloud::Cloud,
    kinds::{ThingInputs, registry},
    log::{Item, Log},
    store::LossyStore,
};

/// Runs on a runtime of its own, in virtual time; all tasks die with it.
pub fn block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(future)
}

/// A resource in the making.
#[derive(Debug, Clone)]
pub struct Res {
    pub urn: Urn,
    value: Expr,
    key: Expr,
    deps: Vec<Expr>,
    parents: Vec<Expr>,
    after: Vec<Urn>,
    after_create: Vec<Urn>,
    after_update: Vec<Urn>,
    goes_before: Vec<Urn>,
    protect: bool,
}

pub fn urn(text: &str) -> Urn {
    let text = if text.contains('/') { text.to_owned() } else { format!("Thing/{text}") };
    format!("test:{text}").parse().unwrap()
}

fn text(text: &str) -> Expr {
    Expr::Value(json!(text))
}

fn output(of: &str, field: &str) -> Expr {
    Expr::Ref { urn: urn(of), field: field.to_owned() }
}

/// `Kind/name`, or the name of a `Thing`.
pub fn res(name: &str) -> Res {
    let (urn, empty) = (urn(name), Vec::new());
    Res {
        urn,
        value: text("v"),
        key: text("k"),
        deps: empty.clone(),
        parents: empty,
        after: Vec::new(),
        after_create: Vec::new(),
        after_update: Vec::new(),
        goes_before: Vec::new(),
        protect: false,
    }
}

impl Res {
    pub fn value(mut self, value: &str) -> Self {
        self.value = text(value);
        self
    }
    pub fn value_of(mut self, of: &str, field: &str) -> Self {
        self.value = output(of, field);
        self
    }
    pub fn key(mut self, key: &str) -> Self {
        self.key = text(key);
        self
    }
    /// Refers to `of` by its id in a field that can be changed.
    pub fn dep(mut self, of: &str) -> Self {
        self.deps.push(output(of, "id"));
        self
    }
    /// Refers to an output of `of` in a field whose change needs a new object.
    pub fn parent(mut self, of: &str, field: &str) -> Self {
        self.parents.push(output(of, field));
        self
    }
    pub fn after(mut self, of: &str) -> Self {
        self.after.push(urn(of));
        self
    }
    pub fn after_create(mut self, of: &str) -> Self {
        self.after_create.push(urn(of));
        self
    }
    pub fn after_update(mut self, of: &str) -> Self {
        self.after_update.push(urn(of));
        self
    }
    pub fn goes_before(mut self, of: &str) -> Self {
        self.goes_before.push(urn(of));
        self
    }
    pub fn protect(mut self) -> Self {
        self.protect = true;
        self
    }

    pub fn resource(&self) -> Resource {
        let field = |name: &str, expr: &Expr| (text(name), expr.clone());
        let inputs = Expr::Object(vec![
            field("value", &self.value),
            field("key", &self.key),
            field("deps", &Expr::List(self.deps.clone())),
            field("parents", &Expr::List(self.parents.clone())),
        ]);
        Resource {
            after: self.after.iter().cloned().collect(),
            after_create: self.after_create.iter().cloned().collect(),
            after_update: self.after_update.iter().cloned().collect(),
            goes_before: self.goes_before.iter().cloned().collect(),
            protect: self.protect,
            ..Resource::new(self.urn.clone(), inputs)
        }
    }
}

pub const STACK: &str = "stack";

pub fn stack(resources: &[Res]) -> Stack {
    let mut stack = Stack::new(STACK);
    for res in resources {
        stack.insert(res.resource()).unwrap();
    }
    stack
}

pub fn binding() -> Binding {
    Binding { partition: "test".into(), account: "000000000000".into(), region: "nowhere".into(), endpoint: None }
}

pub struct World {
    pub cloud: Cloud,
    pub store: LossyStore,
    pub log: Log,
    pub options: Options,
    pub interrupt: Interrupt,
}

impl Default for World {
    fn default() -> Self {
        let log = Log::default();
        let cloud = Cloud::new(log.clone());
        let store = LossyStore::new(log.clone(), cloud.stopped.clone());
        let options = Options {
            parallelism: 8,
            retry: RetryPolicy::default(),
            clock: Arc::new(cloud.clone()),
            binding: binding(),
            seed: 1,
        };
        Self { cloud, store, log, options, interrupt: Interrupt::default() }
    }
}

impl World {
    pub fn engine(&self) -> Engine {
        let store: Arc<dyn StateStore> = Arc::new(self.store.clone());
        Engine::new(registry(&self.cloud), store, self.options.clone())
    }

    fn events(&self) -> Events {
        let (events, receiver) = Events::channel();
        self.store.watch(receiver);
        events
    }

    pub async fn try_up(&self, stack: &Stack) -> Result<Report, Error> {
        let result = self.engine().up(stack, self.events(), self.interrupt.clone(), |_| true).await;
        self.store.drain();
        result
    }

    pub async fn try_down(&self) -> Result<Report, Error> {
        let result = self.engine().down(STACK, self.events(), self.interrupt.clone(), |_| true).await;
        self.store.drain();
        result
    }

    /// An `up` that must do everything.
    pub async fn up(&self, stack: &Stack) -> Report {
        let report = self.try_up(stack).await.unwrap();
        assert!(report.summary.complete(), "{:?}\n{:#?}", report.summary, self.log.failures());
        report
    }

    pub async fn down(&self) -> Report {
        let report = self.try_down().await.unwrap();
        assert!(report.summary.complete(), "{:?}\n{:#?}", report.summary, self.log.failures());
        report
    }

    pub async fn preview(&self, stack: &Stack) -> Preview {
        self.engine().preview(stack, Events::none()).await.unwrap()
    }

    /// Runs until it ends (`Some`) or the process is stopped (`None`).
    pub async fn or_stopped<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        let mut stopped = self.cloud.stopped.subscribe();
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => None,
            result = future => Some(result),
        }
    }

    /// What is durable.
    pub fn state(&self) -> Checkpoint {
        fold(&self.store.durable()).unwrap()
    }

    /// Calls that were refused and tried again.
    pub fn refused(&self) -> Vec<String> {
        let refused = |item| match item {
            Item::Event(Event::StepRetry { urn, error, .. }) => Some(format!("{urn}: {error}")),
            _ => None,
        };
        self.log.items().into_iter().filter_map(refused).collect()
    }

    /// Every object in the account is known to the state, or its creation is pending there;
    /// nothing is there twice.
    pub fn check_integrity(&self) -> Result<(), String> {
        let state = self.state();
        let mut nonces = BTreeMap::new();
        for object in self.cloud.objects() {
            let mut known = state.generations(&object.urn).filter(|stored| {
                let pending = stored.phase == Phase::Creating && stored.nonce == object.nonce;
                pending || stored.id.as_ref() == Some(&object.id)
            });
            if known.next().is_none() {
                return Err(format!("nobody knows {object:?}\n{state:#?}"));
            }
            if let Some(twin) = nonces.insert(object.nonce.clone(), object.clone()) {
                return Err(format!("twice: {object:?} and {twin:?}"));
            }
        }
        Ok(())
    }

    /// The account holds exactly the desired objects, with exactly the desired inputs.
    pub fn check_exact(&self, stack: &Stack) -> Result<(), String> {
        let fact = self.cloud.fact();
        let mut outputs: BTreeMap<Urn, Value> = BTreeMap::new();
        let mut wanted = 0;
        for resource in stack.resources() {
            let lookup = |urn: &Urn, field: &str| {
                outputs.get(urn).map_or(Lookup::Missing, |outputs| Lookup::Known(outputs[field].clone()))
            };
            let inputs = resource.inputs.eval(&lookup).map_err(|error| error.to_string())?;
            let inputs: ThingInputs = serde_json::from_value(inputs.known().unwrap().clone()).unwrap();
            let (id, value) = match resource.urn.kind() {
                "test:Look" => ("looked-up".to_owned(), fact.clone()),
                kind => {
                    let objects = self.cloud.of(&resource.urn);
                    let [object] = objects.as_slice() else {
                        return Err(format!("{} has {} objects: {objects:?}", resource.urn, objects.len()));
                    };
                    if object.inputs != inputs || object.failed {
                        return Err(format!("{object:?} is not as desired: {inputs:?}"));
                    }
                    wanted += 1;
                    (object.id.clone(), if kind == "test:Moody" { inputs.value.clone() } else { String::new() })
                }
            };
            outputs.insert(resource.urn.clone(), json!({"id": id, "label": inputs.key, "value": value}));
        }
        let objects = self.cloud.objects();
        if objects.len() != wanted {
            return Err(format!("{} objects are too many: {objects:#?}", objects.len() - wanted));
        }
        Ok(())
    }

    /// The account is as desired and the engine knows it.
    pub async fn assert_settled(&self, stack: &Stack) {
        self.check_integrity().unwrap();
        self.check_exact(stack).unwrap();
        let again = self.preview(stack).await;
        assert!(again.plan.is_empty(), "{}", rayplat_engine::plan::render::render(&again.plan));
        assert!(again.plan.forget.is_empty() && again.plan.relinks.is_empty(), "{:?}", again.plan);
    }
}

/// How a resource's step failed: class, leftover, text and hint.
pub fn failure(world: &World, of: &str) -> (ErrorClass, Leftover, String) {
    let found = world.log.items().into_iter().find_map(|item| match item {
        Item::Event(Event::StepFailed { urn: failed, error, leftover, .. }) if failed == urn(of) => {
            Some((error.class, leftover, format!("{error} {}", error.hint.as_deref().unwrap_or_default())))
        }
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{of} has not failed: {:#?}", world.log.items()))
}

/// The id of a resource's only object.
pub fn id(world: &World, of: &str) -> String {
    let [object] = world.cloud.of(&urn(of)).try_into().unwrap();
    object.id
}
