//! Kinds of resources on the account. They differ in their constants only.

use std::{marker::PhantomData, time::Duration};

use rayplat_engine::{
    context::{Ctx, Poll, Repeat},
    dry_run::Tried,
    error::{ErrorClass, ProviderError},
    inputs, outputs,
    plan::{Along, Plan, Planning},
    provider::{
        Action, Created, Current, Marks, Observed, Provider, Reading, Recovered, Refusal, Registry, ReplaceOrder,
    },
    value::Planned,
};
use serde_json::Value;

use super::cloud::{Cloud, Obj, Wanted};

inputs! {
    /// A thing.
    pub struct ThingInputs, ThingArgs {
        /// Can be changed in place.
        pub value: String,
        /// Needs a new object.
        pub key: String,
        /// Ids of other objects; can be changed in place.
        pub deps: Vec<String>,
        /// Ids of other objects, or any text; needs a new object.
        pub parents: Vec<String>,
    }
}

outputs! {
    /// What a thing tells.
    pub struct ThingOutputs, ThingRefs {
        /// Its id.
        pub id: String,
        /// Its `key`.
        pub label: String,
        /// Its `value`, for kinds that say that it changes; else empty.
        pub value: String,
    }
}

impl ThingInputs {
    /// The ids among its inputs.
    pub fn refs(&self) -> impl Iterator<Item = &str> {
        self.deps.iter().chain(&self.parents).map(String::as_str).filter(|text| text.starts_with("obj-"))
    }
}

/// The constants of a kind.
pub trait Mark: Send + Sync + 'static {
    const TYPE: &'static str;
    const ORDER: ReplaceOrder = ReplaceOrder::CreateThenDelete;
    const CHANGES: &'static [&'static str] = &[];
    const DATA: bool = false;
    const PRECIOUS: bool = false;
    const STUBBORN: bool = false;
    const KEEPS: bool = false;
    const ASKS: bool = false;
    const LET_IN_BY: &'static [&'static str] = &[];
    const NAME: Naming = Naming::Unique;
    const TAKES: Duration = Duration::ZERO;
    const BARE: bool = false;
}

pub enum Naming {
    /// Another one for each generation.
    Unique,
    /// The same for every generation.
    Fixed,
    /// Objects have no names: they are found by their tags.
    None,
}

macro_rules! kinds {
    ($( $(#[$meta:meta])* $name:ident = $type:literal { $($consts:tt)* } )*) => {
        $(
            $(#[$meta])*
            pub struct $name;
            impl Mark for $name {
                const TYPE: &'static str = $type;
                $($consts)*
            }
        )*

        /// All kinds, on this account.
        pub fn registry(cloud: &Cloud) -> Registry {
            let mut registry = Registry::new();
            $( registry.add(Kind::<$name>(cloud.clone(), PhantomData)); )*
            registry
        }
    };
}

kinds! {
    /// Unique names, create-then-delete.
    Thing = "test:Thing" {}
    /// A fixed name, delete-then-create.
    Fixed = "test:Fixed" {
        const ORDER: ReplaceOrder = ReplaceOrder::DeleteThenCreate;
        const NAME: Naming = Naming::Fixed;
    }
    /// Takes a minute.
    Slow = "test:Slow" { const TAKES: Duration = Duration::from_secs(60); }
    /// No names: another create is another object.
    Key = "test:Key" { const NAME: Naming = Naming::None; }
    /// A look-up.
    Look = "test:Look" { const DATA: bool = true; }
    /// An update changes the output `value`.
    Moody = "test:Moody" { const CHANGES: &'static [&'static str] = &["value"]; }
    /// Carries no tags.
    Bare = "test:Bare" { const BARE: bool = true; }
    /// May not be replaced.
    Precious = "test:Precious" { const PRECIOUS: bool = true; }
    /// Its `value` only grows; it is not destroyed while that is `locked`.
    Stubborn = "test:Stubborn" { const STUBBORN: bool = true; }
    /// Holds what people would miss, while its `value` is not `empty`.
    Vault = "test:Vault" { const KEEPS: bool = true; }
    /// The account says before what it would take.
    Asked = "test:Asked" { const ASKS: bool = true; }
    /// Lets in.
    Door = "test:Door" {}
    /// Read by those alone whom its door lets in.
    Room = "test:Room" { const LET_IN_BY: &'static [&'static str] = &["test:Door"]; }
}

pub struct Kind<M>(Cloud, PhantomData<fn() -> M>);

impl<M: Mark> Kind<M> {
    fn name(ctx: &Ctx) -> Option<String> {
        match M::NAME {
            Naming::Unique => Some(ctx.unique_name(ctx.urn().name(), 32)),
            Naming::Fixed => Some(format!("fixed-{}", ctx.urn().name())),
            Naming::None => None,
        }
    }

    fn outputs(id: &str, inputs: &ThingInputs) -> ThingOutputs {
        let value = if M::CHANGES.contains(&"value") { inputs.value.clone() } else { String::new() };
        ThingOutputs { id: id.to_owned(), label: inputs.key.clone(), value }
    }

    fn looked_up(&self, inputs: &ThingInputs) -> ThingOutputs {
        ThingOutputs { id: "looked-up".to_owned(), label: inputs.key.clone(), value: self.0.fact() }
    }

    /// Makes the object, or takes up one that was made.
    async fn made(&self, ctx: &Ctx, inputs: &ThingInputs) -> Result<String, ProviderError> {
        if let Some(id) = ctx.resume() {
            ctx.call("test", "Tag", Repeat::Safe, || self.0.tag(ctx.urn(), id, ctx.stack(), ctx.nonce())).await?;
            return Ok(id.to_owned());
        }
        let wanted = || Wanted {
            urn: ctx.urn().clone(),
            name: Self::name(ctx),
            stack: ctx.stack().to_owned(),
            nonce: ctx.nonce().to_owned(),
            inputs: inputs.clone(),
            takes: M::TAKES,
        };
        let object = ctx.call("test", "Create", Repeat::Once, || self.0.create(wanted())).await?;
        ctx.progress(&object.id);
        Ok(object.id)
    }

    async fn describe(&self, ctx: &Ctx, id: &str) -> Result<Option<Obj>, ProviderError> {
        ctx.call("test", "Describe", Repeat::Safe, || self.0.describe(ctx.urn(), id)).await
    }

    async fn wait(&self, ctx: &Ctx, id: &str) -> Result<(), ProviderError> {
        let look = || async {
            Ok(match self.describe(ctx, id).await? {
                Some(object) if object.failed => {
                    return Err(ProviderError::new(ErrorClass::Failed, "it is FAILED").code("CREATE_FAILED"));
                }
                Some(object) if object.ready_at <= self.0.now() => Poll::Ready(()),
                Some(_) => Poll::Pending("CREATING".to_owned()),
                None => Poll::Pending("not visible".to_owned()),
            })
        };
        ctx.wait(id, M::TAKES, M::TAKES * 3, look).await
    }
}

impl<M: Mark> Provider for Kind<M> {
    type Inputs = ThingInputs;
    type Outputs = ThingOutputs;

    const TYPE: &'static str = M::TYPE;
    const REPLACE_ON: &'static [&'static str] = &["key", "parents"];
    const REPLACE_ORDER: ReplaceOrder = M::ORDER;
    const CHANGES_ON_UPDATE: &'static [&'static str] = M::CHANGES;
    const DATA: bool = M::DATA;
    const REFUSE_REPLACE: bool = M::PRECIOUS;
    const LET_IN_BY: &'static [&'static str] = M::LET_IN_BY;

    fn refuse_update(&self, old: &Value, new: &Planned) -> Option<Refusal> {
        let (old, new) = (old["value"].as_str()?, new.known()?["value"].as_str()?);
        (M::STUBBORN && new < old).then(|| Refusal::new(format!("{new} is less than {old}"), "Give it time."))
    }

    fn refuse_delete(&self, old: &Value) -> Option<Refusal> {
        (M::STUBBORN && old["value"] == "locked").then(|| Refusal::new("it is locked", "Unlock it first."))
    }

    /// What has people in it asks what becomes of them.
    fn goes_along(&self, outputs: &ThingOutputs, planning: &Planning) -> Result<Vec<Along>, Refusal> {
        match (outputs.label.as_str(), planning.decided.get("people")) {
            ("crowded", None) => Err(Refusal::new("people are in it", "Say what becomes of them.")),
            ("crowded", Some(answer)) => Ok(vec![Along { what: "people".to_owned(), stays: answer == "stay" }]),
            _ => Ok(Vec::new()),
        }
    }

    fn keeps(&self, inputs: &ThingInputs) -> bool {
        M::KEEPS && inputs.value != "empty"
    }

    fn expected(&self, action: Action) -> Duration {
        if action == Action::Create { M::TAKES.max(Duration::from_secs(1)) } else { Duration::from_secs(1) }
    }

    async fn create(&self, ctx: &Ctx, inputs: &ThingInputs) -> Result<Created<ThingOutputs>, ProviderError> {
        if M::DATA {
            return Ok(Created { id: "looked-up".to_owned(), outputs: self.looked_up(inputs) });
        }
        let _working = self.0.work();
        let id = self.made(ctx, inputs).await?;
        if !M::TAKES.is_zero() {
            self.wait(ctx, &id).await?;
        }
        Ok(Created { outputs: Self::outputs(&id, inputs), id })
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<ThingInputs, ThingOutputs>,
    ) -> Reading<ThingInputs, ThingOutputs> {
        if M::DATA {
            let inputs = current.inputs.clone();
            return Ok(Some(Observed { outputs: self.looked_up(&inputs), inputs }));
        }
        let found = self.describe(ctx, &current.id).await?;
        Ok(found.map(|object| Observed { outputs: Self::outputs(&object.id, &object.inputs), inputs: object.inputs }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<ThingInputs, ThingOutputs>,
        to: &ThingInputs,
    ) -> Result<ThingOutputs, ProviderError> {
        let _working = self.0.work();
        ctx.call("test", "Update", Repeat::Safe, || self.0.update(ctx.urn(), &current.id, to)).await?;
        Ok(Self::outputs(&current.id, to))
    }

    async fn delete(&self, ctx: &Ctx, current: &Current<ThingInputs, ThingOutputs>) -> Result<(), ProviderError> {
        let _working = self.0.work();
        match ctx.call("test", "Delete", Repeat::Safe, || self.0.delete(ctx.urn(), &current.id)).await {
            Err(error) if error.class == ErrorClass::NotFound => Ok(()),
            result => result,
        }
    }

    async fn dry_run(
        &self,
        ctx: &Ctx,
        prior: Option<&Current<ThingInputs, ThingOutputs>>,
        inputs: &ThingInputs,
        plan: &Plan,
    ) -> Result<Tried, ProviderError> {
        if !M::ASKS {
            return Ok(Tried::Nothing);
        }
        let step = plan.steps.iter().find(|step| step.urn == *ctx.urn()).unwrap();
        assert_eq!(step.action == Action::Update, prior.is_some());
        let _working = self.0.work();
        ctx.call("test", "DryRun", Repeat::Safe, || self.0.try_out(ctx.urn(), inputs)).await?;
        Ok(if inputs.value == "later" { Tried::Unasked("it is too early".to_owned()) } else { Tried::Accepted })
    }

    async fn marks(&self, ctx: &Ctx, current: &Current<ThingInputs, ThingOutputs>) -> Result<Marks, ProviderError> {
        if M::BARE {
            return Ok(Marks::Bare);
        }
        let found = self.describe(ctx, &current.id).await?.filter(|object| !object.stack.is_empty());
        Ok(match found {
            Some(Obj { stack, urn, nonce, .. }) => {
                Marks::Read { stack: Some(stack), urn: Some(urn.to_string()), nonce: Some(nonce) }
            }
            None => Marks::Read { stack: None, urn: None, nonce: None },
        })
    }

    async fn recover(&self, ctx: &Ctx, _: &ThingInputs) -> Result<Recovered, ProviderError> {
        let ours = |object: &Obj| object.stack == ctx.stack() && object.urn == *ctx.urn();
        let Some(name) = Self::name(ctx) else {
            let objects = ctx.call("test", "List", Repeat::Safe, || self.0.list(ctx.urn())).await?;
            let mine = objects.iter().find(|object| object.nonce == ctx.nonce());
            return Ok(match (mine, objects.iter().find(|object| ours(object))) {
                (Some(object), _) => Recovered::Mine(object.id.clone()),
                (None, Some(object)) => Recovered::OfThisStack(object.id.clone()),
                (None, None) => Recovered::Absent,
            });
        };
        Ok(match ctx.call("test", "Find", Repeat::Safe, || self.0.find(ctx.urn(), &name)).await? {
            Some(object) if object.nonce == ctx.nonce() => Recovered::Mine(object.id),
            Some(object) if ours(&object) => Recovered::OfThisStack(object.id),
            Some(object) => Recovered::Foreign(object.id),
            None => Recovered::Absent,
        })
    }
}
