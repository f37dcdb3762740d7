//! Import: objects that stood in the account before become the stack's. The account is read
//! and not changed; the next run of `up` marks the objects as ours.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::{
    apply::{Interrupt, Session},
    context::Ctx,
    error::{Error, ProviderError},
    event::{Event, Events, Summary},
    journal::Record,
    ops::Engine,
    plan::{Kept, diff::Change},
    provider::{Action, Current, DynProvider, Marks, Observed},
    stack::{Resource, Stack},
    store::{Checkpoint, ObjectKey, Phase},
    urn::Urn,
    value::{Expr, Lookup, Planned, output_field},
};

/// How an import is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImportOptions {
    /// Keep every field that differs from the stack as it stands, tags aside.
    pub pin: bool,
    /// Adopt what can be adopted; otherwise one refusal refuses all.
    pub partial: bool,
    /// Only say what would be adopted.
    pub dry_run: bool,
}

/// An object that was adopted.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The resource that it stands for.
    pub urn: Urn,
    /// Its physical id.
    pub id: String,
    /// False if it does not carry this stack's marks yet.
    pub claimed: bool,
    /// Its pinned fields, with what the stack wants.
    pub kept: Vec<Kept>,
    /// What differs and is not pinned: the next run changes it.
    pub changes: Vec<Change>,
}

/// An object that was not adopted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The resource asked for.
    pub urn: Urn,
    /// The id asked for.
    pub id: String,
    /// Why.
    pub reason: String,
    /// What to do, if that can be said.
    pub hint: Option<String>,
}

/// What an import did.
#[derive(Debug)]
pub struct ImportReport {
    /// In the stack's order.
    pub adopted: Vec<Imported>,
    /// What was refused.
    pub refused: Vec<Refused>,
    /// True if the state was changed.
    pub written: bool,
    /// The state now; after a dry run as it would be.
    pub state: Checkpoint,
}

struct Found {
    observed: Observed<Value, Value>,
    planned: Planned,
    nonce: String,
    claimed: bool,
}

type Answer<T> = Result<T, (String, Option<String>)>;

fn no<T>(reason: impl Into<String>, hint: impl Into<String>) -> Answer<T> {
    Err((reason.into(), Some(hint.into())))
}

impl Engine {
    /// Puts existing objects into the state, each as the object of a resource of the stack.
    /// The account is read, not changed.
    ///
    /// # Errors
    /// See [`Error`]. What cannot be adopted is no error: it is in the report.
    pub async fn import(
        &self,
        stack: &Stack,
        objects: &[(Urn, String)],
        options: ImportOptions,
        events: Events,
    ) -> Result<ImportReport, Error> {
        let began = Instant::now();
        let mut session = self.session(stack.name(), events, Interrupt::default(), !options.dry_run).await?;
        self.begin(&mut session, stack.name(), "import").await?;
        let mut import = Import { stack, options, session: &mut session, adopted: Vec::new(), refused: Vec::new() };
        let wanted = import.sorted(objects);
        let before = import.session.checkpoint.clone();
        for (resource, id) in wanted {
            if let Err((reason, hint)) = import.adopt(resource, &id).await {
                import.refused.push(Refused { urn: resource.urn.clone(), id, reason, hint });
            }
        }
        let Import { adopted, refused, .. } = import;
        let written = !options.dry_run && (options.partial || refused.is_empty());
        if written {
            for object in &adopted {
                let (urn, id) = (object.urn.clone(), object.id.clone());
                session.event(Event::Adopted { urn, id, pinned: object.kept.len() });
            }
        } else if !options.dry_run {
            session.unstage(before);
        }
        self.finish(&mut session, Summary::default(), began).await?;
        Ok(ImportReport { adopted, refused, written, state: session.checkpoint })
    }

    /// Releases pinned fields of a resource: one, or all. The next plan changes them.
    /// Gives the paths that were released.
    ///
    /// # Errors
    /// The resource has no object, or the field is not pinned.
    pub async fn release(&self, stack: &str, urn: &Urn, path: Option<&str>) -> Result<Vec<String>, Error> {
        let mut session = self.session(stack, Events::none(), Interrupt::default(), true).await?;
        let Some(object) = session.checkpoint.current(urn) else {
            return Err(Error::Stack { urn: urn.clone(), reason: "the state has no object of that name".to_owned() });
        };
        let (key, mut pinned) = (object.key(), object.pinned.clone());
        let released: Vec<String> =
            pinned.keys().filter(|found| path.is_none_or(|path| path == found.as_str())).cloned().collect();
        if released.is_empty() {
            let names: Vec<&str> = pinned.keys().map(String::as_str).collect();
            let names = if names.is_empty() { "none is".to_owned() } else { names.join(", ") };
            let reason = match path {
                Some(path) => format!("`{path}` is not pinned (pinned: {names})"),
                None => "no field of it is pinned".to_owned(),
            };
            return Err(Error::Stack { urn: urn.clone(), reason });
        }
        pinned.retain(|found, _| !released.contains(found));
        self.begin(&mut session, stack, "release").await?;
        session.stage(Record::Pinned { key, pinned });
        self.finish(&mut session, Summary::default(), Instant::now()).await?;
        Ok(released)
    }
}

struct Import<'a> {
    stack: &'a Stack,
    options: ImportOptions,
    session: &'a mut Session,
    adopted: Vec<Imported>,
    refused: Vec<Refused>,
}

impl<'a> Import<'a> {
    /// In the stack's order, so that outputs are known where inputs refer to them.
    fn sorted(&mut self, objects: &[(Urn, String)]) -> Vec<(&'a Resource, String)> {
        let mut ids: BTreeMap<&Urn, &String> = BTreeMap::new();
        for (urn, id) in objects {
            let refusal = if self.stack.get(urn).is_none() {
                let near = nearest(self.stack, urn);
                let hint = near.map(|near| format!("The nearest name that it has is {near}."));
                Some(("the manifest's platform has no resource of that name", hint))
            } else if ids.insert(urn, id).is_some_and(|other| other != id) {
                Some(("two ids are given for it", Some("Give one.".to_owned())))
            } else {
                None
            };
            if let Some((reason, hint)) = refusal {
                self.refused.push(Refused { urn: urn.clone(), id: id.clone(), reason: reason.to_owned(), hint });
            }
        }
        let given = |resource: &'a Resource| ids.get(&resource.urn).map(|id| (resource, (*id).clone()));
        let twice: BTreeSet<Urn> = self.refused.iter().map(|refused| refused.urn.clone()).collect();
        self.stack.resources().filter(|resource| !twice.contains(&resource.urn)).filter_map(given).collect()
    }

    async fn adopt(&mut self, resource: &Resource, id: &str) -> Answer<()> {
        let urn = &resource.urn;
        let provider = self.session.registry.get(urn.kind()).cloned();
        let Some(provider) = provider else { return no("its kind is not registered", "Register the kind's provider.") };
        self.free(urn, id)?;
        if provider.info().data {
            return no("it is a look-up: nothing stands in the account", "Leave it out: the next run looks it up.");
        }
        let key = ObjectKey { urn: urn.clone(), generation: self.session.checkpoint.next_generation(urn) };
        let found = self.read(resource, &key, &*provider, id).await?;
        let (kept, pinned, changes) = self.pins(urn, &*provider, &found);
        self.session.stage(Record::Adopted {
            key,
            id: id.to_owned(),
            nonce: found.nonce,
            inputs: found.observed.inputs,
            outputs: found.observed.outputs,
            depends_on: resource.outlived_by().into_iter().collect(),
            replace_order: provider.info().replace_order,
            claimed: found.claimed,
            pinned,
        });
        self.adopted.push(Imported { urn: urn.clone(), id: id.to_owned(), claimed: found.claimed, kept, changes });
        Ok(())
    }

    /// Neither the resource nor the object may be in the state already.
    fn free(&self, urn: &Urn, id: &str) -> Answer<()> {
        let state = &self.session.checkpoint;
        if let Some(current) = state.current(urn) {
            let what = current.id.as_deref().unwrap_or("an object without an id");
            return no(
                format!("the state already has {what} for it"),
                format!("`rayplat state rm {urn}` makes it forget that one and leaves it in the account."),
            );
        }
        let same = |object: &&crate::store::Object| object.urn.kind() == urn.kind() && object.id.as_deref() == Some(id);
        match state.objects.values().find(same) {
            Some(other) => no(
                format!("the state already has {id} as {}", other.key()),
                format!("`rayplat state mv {} {urn}` gives it the other name.", other.urn),
            ),
            None => Ok(()),
        }
    }

    async fn read(&self, resource: &Resource, key: &ObjectKey, provider: &dyn DynProvider, id: &str) -> Answer<Found> {
        let planned = self.planned(resource)?;
        let Some(inputs) = filled(&planned, provider) else {
            let missing: Vec<String> = self.missing(resource).iter().map(ToString::to_string).collect();
            return no(
                "what it refers to is not in the state, and its inputs cannot be told without",
                format!("Import these first: {}.", missing.join(", ")),
            );
        };
        let nonce = self.session.nonce(key);
        let ctx = self.session.ctx(&key.urn, key.generation, nonce.clone(), Some(id.to_owned()), Action::Read);
        let current = Current { id: id.to_owned(), inputs, outputs: Value::Null };
        let Some(observed) = provider.read(&ctx, &current).await.map_err(told)? else {
            return no(
                format!("there is no {} with the id `{id}` in this account and region", key.urn.kind()),
                "Look at the id, the profile and the manifest's region.",
            );
        };
        let current = Current { id: id.to_owned(), inputs: observed.inputs.clone(), outputs: observed.outputs.clone() };
        let marks = provider.marks(&ctx, &current).await.map_err(told)?;
        let (nonce, claimed) = match &marks {
            Marks::Bare => {
                self.part_of(resource, &planned, &observed)?;
                (nonce, true)
            }
            marks => whose(&ctx, marks, nonce)?,
        };
        Ok(Found { observed, planned, nonce, claimed })
    }

    /// The desired inputs, with what the state knows.
    fn planned(&self, resource: &Resource) -> Answer<Planned> {
        let lookup = |urn: &Urn, field: &str| match self.session.checkpoint.current(urn) {
            Some(object) if object.phase == Phase::Live => {
                output_field(&object.outputs, field).map_or(Lookup::Missing, |value| Lookup::Known(value.clone()))
            }
            _ => Lookup::Unknown,
        };
        resource.inputs.eval(&lookup).map_err(|error| (error.to_string(), None))
    }

    fn missing(&self, resource: &Resource) -> Vec<Urn> {
        let missing = |urn: &Urn| self.session.checkpoint.current(urn).is_none();
        resource.depends_on().into_iter().filter(missing).collect()
    }

    /// An object without marks is ours only if what it is part of is: all that its inputs
    /// refer to must be in the state, and must be what it really belongs to.
    fn part_of(&self, resource: &Resource, planned: &Planned, observed: &Observed<Value, Value>) -> Answer<()> {
        let Expr::Object(fields) = &resource.inputs else { return Ok(()) };
        for (key, expr) in fields {
            let mut refers = Vec::new();
            expr.each_ref(&mut |urn, _| refers.push(urn.clone()));
            let (Expr::Value(Value::String(field)), [owner, ..]) = (key, refers.as_slice()) else { continue };
            match planned.get(field) {
                Some(Planned::Known(wanted)) if observed.inputs.get(field) == Some(&wanted) => {}
                Some(Planned::Known(wanted)) => {
                    let found = observed.inputs.get(field).unwrap_or(&Value::Null);
                    return no(
                        format!("its `{field}` is {found}, not {wanted}, which is {owner}"),
                        "It carries no tags: it is adopted only as a part of what the state has.",
                    );
                }
                _ => {
                    return no(
                        format!("it carries no tags, and {owner}, which it is part of, is not in the state"),
                        format!("Import {owner} first, or with it."),
                    );
                }
            }
        }
        Ok(())
    }

    fn pins(
        &self,
        urn: &Urn,
        provider: &dyn DynProvider,
        found: &Found,
    ) -> (Vec<Kept>, BTreeMap<String, Value>, Vec<Change>) {
        let info = provider.info();
        let changes = provider.diff(&found.observed.inputs, &found.planned);
        let (pinned, free): (Vec<_>, Vec<_>) =
            changes.into_iter().partition(|change| self.options.pin && !info.labels_only(&change.path));
        let kept = |change: &Change| Kept {
            urn: urn.clone(),
            path: change.path.clone(),
            value: change.old.clone().unwrap_or(Value::Null),
            wanted: change.new.clone(),
            effect: change.effect,
        };
        let kept: Vec<Kept> = pinned.iter().map(kept).collect();
        let pins = kept.iter().map(|kept| (kept.path.clone(), kept.value.clone())).collect();
        (kept, pins, free)
    }
}

fn told(error: ProviderError) -> (String, Option<String>) {
    let hint = error.hint.clone();
    (error.to_string(), hint)
}

/// The nonce that the object has or gets, and whether it is marked as ours.
fn whose(ctx: &Ctx, marks: &Marks, fresh: String) -> Answer<(String, bool)> {
    let Marks::Read { stack, urn, nonce } = marks else {
        return no("objects of this kind cannot be imported", "Let `rayplat up` make a new one beside it.");
    };
    match stack.as_deref() {
        None => Ok((fresh, false)),
        Some(stack) if stack != ctx.stack() => no(
            format!("it belongs to the rayplat platform `{stack}`"),
            "Let that platform go of it first (`rayplat state rm` there), and take its rayplat:* tags off.",
        ),
        Some(_) => match nonce {
            // Ours, from a state that was lost or edited.
            Some(nonce) if urn.as_deref() == Some(ctx.urn().as_str()) => Ok((nonce.clone(), true)),
            _ => Ok((fresh, false)),
        },
    }
}

/// The inputs with something of the right shape for what is not known: a read repeats only
/// what somebody else owns.
fn filled(planned: &Planned, provider: &dyn DynProvider) -> Option<Value> {
    if let Some(known) = planned.known() {
        return Some(known.clone());
    }
    let shapes = [Value::String(String::new()), Value::Null, Value::Array(Vec::new()), Value::Object(Map::new())];
    shapes.iter().map(|shape| fill(planned, shape)).find(|filled| provider.check(filled).is_ok())
}

fn fill(planned: &Planned, shape: &Value) -> Value {
    match planned {
        Planned::Known(value) => value.clone(),
        Planned::Unknown => shape.clone(),
        Planned::List(items) => items.iter().map(|item| fill(item, shape)).collect(),
        Planned::Object(entries) => entries.iter().map(|(key, value)| (key.clone(), fill(value, shape))).collect(),
    }
}

/// The resource of the stack whose name is most like it: of the same kind if there is one.
fn nearest<'s>(stack: &'s Stack, urn: &Urn) -> Option<&'s Urn> {
    let like = |other: &&Urn| {
        let common = |a: &str, b: &str| a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count();
        let tail = |a: &str, b: &str| a.chars().rev().zip(b.chars().rev()).take_while(|(a, b)| a == b).count();
        let alike = common(other.as_str(), urn.as_str()) + tail(other.as_str(), urn.as_str());
        (other.kind() == urn.kind(), alike)
    };
    let urns = stack.resources().map(|resource| &resource.urn);
    urns.max_by_key(like).filter(|near| like(near).0 || near.name() == urn.name())
}
