//! The port to the world: what a kind of resource must be able to do.
//!
//! A kind implements [`Provider`] with its own types; [`DynProvider`] is the one
//! erased form, implemented for every `Provider`, so that registering a kind is
//! one line: `registry.add(MyKind::new(client))`.

use std::{collections::BTreeMap, future::Future, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    context::Ctx,
    dry_run::Tried,
    error::{ErrorClass, ProviderError},
    plan::{
        Along, Plan, Planning,
        diff::{Change, structural},
    },
    stack::OutputSet,
    urn::Urn,
    value::Planned,
};

/// A future that can be boxed and sent.
pub type BoxFuture<'a, T> = futures_util::future::BoxFuture<'a, T>;

/// Which comes first when an object is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplaceOrder {
    /// The new one stands before the old one goes. For kinds whose names are chosen.
    CreateThenDelete,
    /// The old one must go first: there can be only one of that name.
    DeleteThenCreate,
}

/// What is done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Make it.
    Create,
    /// Change it in place.
    Update,
    /// Destroy it.
    Delete,
    /// Look something up that cannot be known earlier.
    Read,
}

impl Action {
    /// Lower-case verb, e.g. `create`.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Read => "read",
        }
    }
}

/// A created object.
#[derive(Debug, Clone, PartialEq)]
pub struct Created<O> {
    /// The physical id: whatever the kind needs to find it again.
    pub id: String,
    /// What other resources may refer to.
    pub outputs: O,
}

/// An object as it stands in the account.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed<I, O> {
    /// The inputs that would make it what it is. Fields that somebody else owns
    /// (a desired size, a thumbprint list left to AWS) repeat the prior value.
    pub inputs: I,
    /// Its outputs.
    pub outputs: O,
}

/// What a read of an object gives; `None` if it is gone.
pub type Reading<I, O> = Result<Option<Observed<I, O>>, ProviderError>;

/// An object as the state knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Current<I, O> {
    /// The physical id.
    pub id: String,
    /// Its inputs, as last applied or observed.
    pub inputs: I,
    /// Its outputs; empty for the deletion of an object whose creation failed. The id must
    /// be enough for that.
    pub outputs: O,
}

/// What a look into the account found of an object whose creation was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovered {
    /// No such object.
    Absent,
    /// The object that this very intent made: its nonce stands on it.
    Mine(String),
    /// An object of this stack and resource, but of another run (the state was
    /// lost): it may be adopted.
    OfThisStack(String),
    /// Somebody else's object has the name.
    Foreign(String),
}

/// What stands on an object to say whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Marks {
    /// The kind cannot tell: objects that stood before are not imported.
    Unreadable,
    /// Objects of this kind carry no marks: they belong to whoever has what they are part of.
    Bare,
    /// As read; `None` for each that is not there.
    Read {
        /// The stack's name.
        stack: Option<String>,
        /// The resource.
        urn: Option<String>,
        /// The nonce of the intent that made it.
        nonce: Option<String>,
    },
}

/// Why a kind will not do what a plan would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reason, to be read after the resource's name.
    pub reason: String,
    /// What to do.
    pub hint: String,
}

impl Refusal {
    /// A reason and its cure.
    pub fn new(reason: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { reason: reason.into(), hint: hint.into() }
    }
}

/// An object that says by its tags which stack and resource it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// The resource.
    pub urn: Urn,
    /// Which object of it.
    pub generation: u32,
    /// The nonce of the intent that made it.
    pub nonce: String,
    /// The physical id.
    pub id: String,
}

/// What a search by tags gives; `None` from a kind whose objects carry no tags.
pub type Discovery = Result<Option<Vec<Discovered>>, ProviderError>;

/// A kind of resource.
pub trait Provider: Send + Sync + 'static {
    /// Inputs, wholly known.
    type Inputs: Serialize + DeserializeOwned + Send + Sync;
    /// Outputs.
    type Outputs: Serialize + DeserializeOwned + OutputSet + Default + Send + Sync;

    /// The kind's name, e.g. `aws:iam:Role`.
    const TYPE: &'static str;
    /// Input fields (dots go into objects) whose change needs a new object.
    const REPLACE_ON: &'static [&'static str] = &[];
    /// Which comes first in a replacement.
    const REPLACE_ORDER: ReplaceOrder = ReplaceOrder::CreateThenDelete;
    /// Outputs that an update in place may change.
    const CHANGES_ON_UPDATE: &'static [&'static str] = &[];
    /// True for a look-up that makes nothing: `create` reads, `delete` does nothing.
    const DATA: bool = false;
    /// True where replacing would destroy what people keep there: the plan is refused.
    const REFUSE_REPLACE: bool = false;
    /// How long a fresh object may stay invisible to reads.
    const CONSISTENCY_WINDOW: Duration = Duration::from_secs(10);
    /// Input fields that only label the object: their change changes no output, and an import
    /// leaves them to the next run.
    const LABELS: &'static [&'static str] = &["tags"];

    /// Kinds of which an object lets us in to where objects of this kind stand. A read that is
    /// denied is done without while the plan makes or changes such a one that the object was
    /// made from.
    const LET_IN_BY: &'static [&'static str] = &[];

    /// How long an action usually takes; orders the work and is shown.
    fn expected(&self, action: Action) -> Duration {
        let _ = action;
        Duration::from_secs(1)
    }

    /// True for an object that holds what people would miss. No longer desired, it is left
    /// standing and stays in the state, with everything it was made from, until a run is asked
    /// to purge ([`crate::ops::Engine::purging`]); a replacement is refused.
    fn keeps(&self, inputs: &Self::Inputs) -> bool {
        let _ = inputs;
        false
    }

    /// The differences between the inputs as they stand and as desired. The default
    /// compares member by member.
    fn diff(&self, old: &Value, new: &Planned) -> Vec<Change> {
        structural(old, new, Self::REPLACE_ON)
    }

    /// Why an object cannot be brought from `old` to `new`, neither in place nor sensibly by
    /// a new object. The plan is refused with it; a new object that was insisted on is not.
    /// Pure, as [`Provider::diff`] is; asked again when all of `new` is known.
    fn refuse_update(&self, old: &Value, new: &Planned) -> Option<Refusal> {
        let _ = (old, new);
        None
    }

    /// Why an object with these inputs must not be destroyed as it stands, e.g. for a
    /// protection of the cloud's own that would stop the run half-way. Pure.
    fn refuse_delete(&self, old: &Value) -> Option<Refusal> {
        let _ = old;
        None
    }

    /// What is no resource's and is met when an object with these outputs is destroyed: people
    /// see it before they approve. Where it is for people to decide what becomes of it and they
    /// have not ([`Planning::decided`]), the plan is refused. Pure.
    ///
    /// # Errors
    /// What is to be decided, and how.
    fn goes_along(&self, outputs: &Self::Outputs, planning: &Planning) -> Result<Vec<Along>, Refusal> {
        let _ = (outputs, planning);
        Ok(Vec::new())
    }

    /// How long this very change in place usually takes.
    fn expected_change(&self, old: &Value, new: &Planned) -> Duration {
        let _ = (old, new);
        self.expected(Action::Update)
    }

    /// Makes the object and waits until it serves. When [`Ctx::resume`] has an id, the
    /// object was made before: do only what is left. Call [`Ctx::progress`] as soon
    /// as the id is known.
    fn create(
        &self,
        ctx: &Ctx,
        inputs: &Self::Inputs,
    ) -> impl Future<Output = Result<Created<Self::Outputs>, ProviderError>> + Send;

    /// Reads the object; `None` if it is gone.
    fn read(
        &self,
        ctx: &Ctx,
        current: &Current<Self::Inputs, Self::Outputs>,
    ) -> impl Future<Output = Reading<Self::Inputs, Self::Outputs>> + Send;

    /// Changes the object in place, as far as `to` differs. The default refuses:
    /// then every field must be in [`Provider::REPLACE_ON`].
    fn update(
        &self,
        ctx: &Ctx,
        current: &Current<Self::Inputs, Self::Outputs>,
        to: &Self::Inputs,
    ) -> impl Future<Output = Result<Self::Outputs, ProviderError>> + Send {
        let _ = (ctx, current, to);
        async { Err(ProviderError::new(ErrorClass::Invalid, format!("{} cannot be updated", Self::TYPE))) }
    }

    /// Destroys the object and waits until it is gone. Already gone is success.
    fn delete(
        &self,
        ctx: &Ctx,
        current: &Current<Self::Inputs, Self::Outputs>,
    ) -> impl Future<Output = Result<(), ProviderError>> + Send;

    /// Looks for the object that a create with this context's nonce and these inputs
    /// may have made. Changes nothing.
    fn recover(
        &self,
        ctx: &Ctx,
        inputs: &Self::Inputs,
    ) -> impl Future<Output = Result<Recovered, ProviderError>> + Send;

    /// Asks the account whether it would take the object as it is to be, and changes nothing.
    /// `prior` is the object that stands, `plan` what the step is part of: what other steps make
    /// first is not missed. An error is a refusal, and stops the run before it begins; so it must
    /// be one that [`Provider::create`] or [`Provider::update`] would meet too. The default is for
    /// kinds that cannot ask.
    fn dry_run(
        &self,
        ctx: &Ctx,
        prior: Option<&Current<Self::Inputs, Self::Outputs>>,
        inputs: &Self::Inputs,
        plan: &Plan,
    ) -> impl Future<Output = Result<Tried, ProviderError>> + Send {
        let _ = (ctx, prior, inputs, plan);
        async { Ok(Tried::Nothing) }
    }

    /// Reads what stands on an existing object to say whose it is. A kind without this
    /// cannot be imported.
    fn marks(
        &self,
        ctx: &Ctx,
        current: &Current<Self::Inputs, Self::Outputs>,
    ) -> impl Future<Output = Result<Marks, ProviderError>> + Send {
        let _ = (ctx, current);
        async { Ok(Marks::Unreadable) }
    }

    /// Puts our marks on an existing object, [`Ctx::resume`], and changes nothing else; done
    /// again it does no harm. The default takes the object up as one that was made before:
    /// what is left to do then is to mark it. Never called for kinds whose marks are
    /// [`Marks::Bare`] or [`Marks::Unreadable`].
    fn claim(
        &self,
        ctx: &Ctx,
        current: &Current<Self::Inputs, Self::Outputs>,
    ) -> impl Future<Output = Result<(), ProviderError>> + Send {
        async move { self.create(ctx, &current.inputs).await.map(drop) }
    }

    /// Lists every object of this kind that carries the tags of the context's stack, so
    /// that a lost state can be rebuilt. The default is for kinds that cannot be tagged:
    /// those are looked for by what the stack asks for, with [`Provider::recover`].
    fn discover(&self, ctx: &Ctx) -> impl Future<Output = Discovery> + Send {
        let _ = ctx;
        async { Ok(None) }
    }
}

/// The constants of a kind.
#[derive(Debug, Clone, Copy)]
pub struct KindInfo {
    /// [`Provider::TYPE`].
    pub name: &'static str,
    /// [`Provider::REPLACE_ORDER`].
    pub replace_order: ReplaceOrder,
    /// [`Provider::CHANGES_ON_UPDATE`].
    pub changes_on_update: &'static [&'static str],
    /// [`Provider::DATA`].
    pub data: bool,
    /// [`Provider::REFUSE_REPLACE`].
    pub refuse_replace: bool,
    /// [`Provider::CONSISTENCY_WINDOW`].
    pub consistency_window: Duration,
    /// [`Provider::LABELS`].
    pub labels: &'static [&'static str],
    /// [`Provider::LET_IN_BY`].
    pub let_in_by: &'static [&'static str],
}

impl KindInfo {
    /// True if a change at this path changes a label only.
    pub fn labels_only(&self, path: &str) -> bool {
        self.labels
            .iter()
            .any(|label| path.strip_prefix(label).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    }
}

/// The erased form of a [`Provider`], in JSON values.
pub trait DynProvider: Send + Sync + 'static {
    /// The kind's constants.
    fn info(&self) -> KindInfo;
    /// [`Provider::expected`].
    fn expected(&self, action: Action) -> Duration;
    /// [`Provider::keeps`]. Inputs that are not the kind's are kept by nobody: deleting the
    /// object is refused all the same.
    fn keeps(&self, inputs: &Value) -> bool;
    /// [`Provider::diff`].
    fn diff(&self, old: &Value, new: &Planned) -> Vec<Change>;
    /// [`Provider::refuse_update`].
    fn refuse_update(&self, old: &Value, new: &Planned) -> Option<Refusal>;
    /// [`Provider::refuse_delete`].
    fn refuse_delete(&self, old: &Value) -> Option<Refusal>;
    /// [`Provider::goes_along`]. Nothing is known of what goes along with outputs that are not the
    /// kind's: deleting the object is refused all the same.
    ///
    /// # Errors
    /// As there.
    fn goes_along(&self, outputs: &Value, planning: &Planning) -> Result<Vec<Along>, Refusal>;
    /// [`Provider::expected_change`].
    fn expected_change(&self, old: &Value, new: &Planned) -> Duration;
    /// Checks that a value has the inputs' shape.
    ///
    /// # Errors
    /// What is wrong with it.
    fn check(&self, inputs: &Value) -> Result<(), ProviderError>;
    /// [`Provider::create`].
    fn create<'a>(&'a self, ctx: &'a Ctx, inputs: &'a Value) -> BoxFuture<'a, Result<Created<Value>, ProviderError>>;
    /// [`Provider::read`].
    fn read<'a>(&'a self, ctx: &'a Ctx, current: &'a Current<Value, Value>) -> BoxFuture<'a, Reading<Value, Value>>;
    /// [`Provider::update`].
    fn update<'a>(
        &'a self,
        ctx: &'a Ctx,
        current: &'a Current<Value, Value>,
        to: &'a Value,
    ) -> BoxFuture<'a, Result<Value, ProviderError>>;
    /// [`Provider::delete`].
    fn delete<'a>(
        &'a self,
        ctx: &'a Ctx,
        current: &'a Current<Value, Value>,
    ) -> BoxFuture<'a, Result<(), ProviderError>>;
    /// [`Provider::recover`].
    fn recover<'a>(&'a self, ctx: &'a Ctx, inputs: &'a Value) -> BoxFuture<'a, Result<Recovered, ProviderError>>;
    /// [`Provider::dry_run`].
    fn dry_run<'a>(
        &'a self,
        ctx: &'a Ctx,
        prior: Option<&'a Current<Value, Value>>,
        inputs: &'a Value,
        plan: &'a Plan,
    ) -> BoxFuture<'a, Result<Tried, ProviderError>>;
    /// [`Provider::marks`].
    fn marks<'a>(
        &'a self,
        ctx: &'a Ctx,
        current: &'a Current<Value, Value>,
    ) -> BoxFuture<'a, Result<Marks, ProviderError>>;
    /// [`Provider::claim`].
    fn claim<'a>(
        &'a self,
        ctx: &'a Ctx,
        current: &'a Current<Value, Value>,
    ) -> BoxFuture<'a, Result<(), ProviderError>>;
    /// [`Provider::discover`].
    fn discover<'a>(&'a self, ctx: &'a Ctx) -> BoxFuture<'a, Discovery>;
}

fn decode<T: DeserializeOwned>(kind: &str, what: &str, value: &Value) -> Result<T, ProviderError> {
    T::deserialize(value).map_err(|error| {
        ProviderError::new(ErrorClass::Invalid, format!("{kind}: the {what} do not fit the kind: {error}"))
            .hint("The stack gave a value of the wrong type, or the state was written by a newer version.")
    })
}

fn encode<T: Serialize>(kind: &str, value: &T) -> Result<Value, ProviderError> {
    serde_json::to_value(value)
        .map_err(|error| ProviderError::new(ErrorClass::Invalid, format!("{kind}: not expressible as JSON: {error}")))
}

fn decode_current<P: Provider>(
    current: &Current<Value, Value>,
) -> Result<Current<P::Inputs, P::Outputs>, ProviderError> {
    Ok(Current {
        id: current.id.clone(),
        inputs: decode(P::TYPE, "inputs", &current.inputs)?,
        outputs: match &current.outputs {
            Value::Null => P::Outputs::default(),
            outputs => decode(P::TYPE, "outputs", outputs)?,
        },
    })
}

impl<P: Provider> DynProvider for P {
    fn info(&self) -> KindInfo {
        KindInfo {
            name: P::TYPE,
            replace_order: P::REPLACE_ORDER,
            changes_on_update: P::CHANGES_ON_UPDATE,
            data: P::DATA,
            refuse_replace: P::REFUSE_REPLACE,
            consistency_window: P::CONSISTENCY_WINDOW,
            labels: P::LABELS,
            let_in_by: P::LET_IN_BY,
        }
    }

    fn expected(&self, action: Action) -> Duration {
        Provider::expected(self, action)
    }

    fn keeps(&self, inputs: &Value) -> bool {
        decode(P::TYPE, "inputs", inputs).is_ok_and(|inputs| Provider::keeps(self, &inputs))
    }

    fn diff(&self, old: &Value, new: &Planned) -> Vec<Change> {
        Provider::diff(self, old, new)
    }

    fn refuse_update(&self, old: &Value, new: &Planned) -> Option<Refusal> {
        Provider::refuse_update(self, old, new)
    }

    fn refuse_delete(&self, old: &Value) -> Option<Refusal> {
        Provider::refuse_delete(self, old)
    }

    fn goes_along(&self, outputs: &Value, planning: &Planning) -> Result<Vec<Along>, Refusal> {
        match decode(P::TYPE, "outputs", outputs) {
            Ok(outputs) => Provider::goes_along(self, &outputs, planning),
            Err(_) => Ok(Vec::new()),
        }
    }

    fn expected_change(&self, old: &Value, new: &Planned) -> Duration {
        Provider::expected_change(self, old, new)
    }

    fn check(&self, inputs: &Value) -> Result<(), ProviderError> {
        decode::<P::Inputs>(P::TYPE, "inputs", inputs).map(drop)
    }

    fn create<'a>(&'a self, ctx: &'a Ctx, inputs: &'a Value) -> BoxFuture<'a, Result<Created<Value>, ProviderError>> {
        Box::pin(async move {
            let inputs = decode(P::TYPE, "inputs", inputs)?;
            let created = Provider::create(self, ctx, &inputs).await?;
            Ok(Created { id: created.id, outputs: encode(P::TYPE, &created.outputs)? })
        })
    }

    fn read<'a>(&'a self, ctx: &'a Ctx, current: &'a Current<Value, Value>) -> BoxFuture<'a, Reading<Value, Value>> {
        Box::pin(async move {
            let current = decode_current::<P>(current)?;
            let Some(observed) = Provider::read(self, ctx, &current).await? else {
                return Ok(None);
            };
            Ok(Some(Observed {
                inputs: encode(P::TYPE, &observed.inputs)?,
                outputs: encode(P::TYPE, &observed.outputs)?,
            }))
        })
    }

    fn update<'a>(
        &'a self,
        ctx: &'a Ctx,
        current: &'a Current<Value, Value>,
        to: &'a Value,
    ) -> BoxFuture<'a, Result<Value, ProviderError>> {
        Box::pin(async move {
            let current = decode_current::<P>(current)?;
            let to = decode(P::TYPE, "inputs", to)?;
            let outputs = Provider::update(self, ctx, &current, &to).await?;
            encode(P::TYPE, &outputs)
        })
    }

    fn delete<'a>(
        &'a self,
        ctx: &'a Ctx,
        current: &'a Current<Value, Value>,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let current = decode_current::<P>(current)?;
            Provider::delete(self, ctx, &current).await
        })
    }

    fn recover<'a>(&'a self, ctx: &'a Ctx, inputs: &'a Value) -> BoxFuture<'a, Result<Recovered, ProviderError>> {
        Box::pin(async move {
            let inputs = decode(P::TYPE, "inputs", inputs)?;
            Provider::recover(self, ctx, &inputs).await
        })
    }

    fn dry_run<'a>(
        &'a self,
        ctx: &'a Ctx,
        prior: Option<&'a Current<Value, Value>>,
        inputs: &'a Value,
        plan: &'a Plan,
    ) -> BoxFuture<'a, Result<Tried, ProviderError>> {
        Box::pin(async move {
            let prior = prior.map(decode_current::<P>).transpose()?;
            let inputs = decode(P::TYPE, "inputs", inputs)?;
            Provider::dry_run(self, ctx, prior.as_ref(), &inputs, plan).await
        })
    }

    fn marks<'a>(
        &'a self,
        ctx: &'a Ctx,
        current: &'a Current<Value, Value>,
    ) -> BoxFuture<'a, Result<Marks, ProviderError>> {
        Box::pin(async move {
            let current = decode_current::<P>(current)?;
            Provider::marks(self, ctx, &current).await
        })
    }

    fn claim<'a>(
        &'a self,
        ctx: &'a Ctx,
        current: &'a Current<Value, Value>,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let current = decode_current::<P>(current)?;
            Provider::claim(self, ctx, &current).await
        })
    }

    fn discover<'a>(&'a self, ctx: &'a Ctx) -> BoxFuture<'a, Discovery> {
        Box::pin(Provider::discover(self, ctx))
    }
}

/// The kinds that a run knows.
#[derive(Clone, Default)]
pub struct Registry {
    kinds: BTreeMap<&'static str, Arc<dyn DynProvider>>,
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a kind; a kind of the same name is superseded.
    #[must_use]
    pub fn with(mut self, provider: impl Provider) -> Self {
        self.add(provider);
        self
    }

    /// Registers a kind; a kind of the same name is superseded.
    pub fn add<P: Provider>(&mut self, provider: P) {
        self.kinds.insert(P::TYPE, Arc::new(provider));
    }

    /// The provider of a kind.
    pub fn get(&self, kind: &str) -> Option<&Arc<dyn DynProvider>> {
        self.kinds.get(kind)
    }

    /// The names of all kinds, sorted.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.kinds.keys().copied()
    }
}
