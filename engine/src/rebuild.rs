//! A lost state, rebuilt from the account: what carries the stack's tags is found by them,
//! what cannot be tagged by what the stack asks for. The account is read and not changed.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::{
    apply::{Interrupt, Session},
    edit::EditError,
    error::Error,
    event::{Event, Events, Summary},
    journal::{Intent, Outcome, Record},
    ops::Engine,
    provider::{Action, Current, Discovered, DynProvider, Observed, Recovered, ReplaceOrder},
    stack::{Resource, Stack},
    store::{Checkpoint, ObjectKey, Phase},
    urn::Urn,
    value::{Lookup, Planned, output_field},
};

/// What a rebuild found.
#[derive(Debug)]
pub struct Rebuilt {
    /// What is in the state now, with its physical id.
    pub found: Vec<(ObjectKey, String)>,
    /// Found by their tags, but the stack does not have them any more: the next run
    /// destroys them.
    pub beyond: Vec<ObjectKey>,
    /// The stack has them, the account does not: the next run makes them.
    pub missing: Vec<Urn>,
    /// Somebody else's object has the name.
    pub foreign: Vec<(Urn, String)>,
    /// The state now.
    pub state: Checkpoint,
}

impl Engine {
    /// Rebuilds the state of a stack from the account.
    ///
    /// # Errors
    /// The state is not empty; the account cannot be read; two objects claim to be the same.
    pub async fn rebuild(&self, stack: &Stack, events: Events) -> Result<Rebuilt, Error> {
        let began = Instant::now();
        let mut session = self.session(stack.name(), events, Interrupt::default(), true).await?;
        if !session.checkpoint.objects.is_empty() {
            return Err(EditError::NotEmpty(session.checkpoint.objects.len()).into());
        }
        self.begin(&mut session, stack.name(), "state rebuild").await?;
        let search = search(&mut session).await?;
        let mut rebuild = Rebuild {
            session: &mut session,
            search,
            found: Vec::new(),
            beyond: Vec::new(),
            missing: Vec::new(),
            foreign: Vec::new(),
        };
        for resource in stack.resources() {
            rebuild.desired(resource).await?;
        }
        rebuild.rest().await?;
        let Rebuild { found, beyond, missing, foreign, .. } = rebuild;
        self.finish(&mut session, Summary::default(), began).await?;
        Ok(Rebuilt { found, beyond, missing, foreign, state: session.checkpoint })
    }
}

/// What was found by tags, and the kinds that can be found so.
struct Search {
    objects: BTreeMap<Urn, Vec<Discovered>>,
    searched: BTreeSet<String>,
}

/// Asks every kind at once.
async fn search(session: &mut Session) -> Result<Search, Error> {
    let mut asks = Vec::new();
    let kinds: Vec<&'static str> = session.registry.kinds().collect();
    for kind in kinds {
        // A kind whose name cannot stand in a URN has no objects.
        let Ok(urn) = Urn::new(kind, "any") else { continue };
        let Some(provider) = session.registry.get(kind).cloned() else { continue };
        let ctx = session.ctx(&urn, 0, String::new(), None, Action::Read);
        asks.push(async move { (urn, provider.discover(&ctx).await) });
    }
    let mut search = Search { objects: BTreeMap::new(), searched: BTreeSet::new() };
    for (urn, answer) in session.gather(asks).await? {
        let Some(found) = answer.map_err(|source| Error::Read { urn: urn.clone(), source })? else { continue };
        search.searched.insert(urn.kind().to_owned());
        for object in found {
            search.objects.entry(object.urn.clone()).or_default().push(object);
        }
    }
    for (urn, objects) in &mut search.objects {
        // The newest first: it stands for the resource, the others only wait to be deleted.
        objects.sort_by(|a, b| b.generation.cmp(&a.generation).then_with(|| a.id.cmp(&b.id)));
        objects.dedup();
        if let Some([one, other]) = objects.windows(2).find(|pair| pair[0].generation == pair[1].generation) {
            let reason = format!(
                "both {} and {} carry its tags: take the rayplat:* tags off the one that is not the platform's",
                one.id, other.id
            );
            return Err(Error::Stack { urn: urn.clone(), reason });
        }
    }
    Ok(search)
}

struct Rebuild<'a> {
    session: &'a mut Session,
    search: Search,
    found: Vec<(ObjectKey, String)>,
    beyond: Vec<ObjectKey>,
    missing: Vec<Urn>,
    foreign: Vec<(Urn, String)>,
}

impl Rebuild<'_> {
    /// A resource of the stack.
    async fn desired(&mut self, resource: &Resource) -> Result<(), Error> {
        let urn = &resource.urn;
        let provider = self.provider(urn)?;
        let planned = self.planned(resource)?;
        let objects = self.search.objects.remove(urn).unwrap_or_default();
        let depends_on: Vec<Urn> = resource.outlived_by().into_iter().collect();
        let order = provider.info().replace_order;
        let mut stands = false;
        for object in objects {
            stands |= self.adopt(object, partial(&planned), Some(&depends_on), order, true).await?;
        }
        if stands {
            return Ok(());
        }
        match planned.known() {
            Some(inputs) if provider.info().data => self.look_up(resource, inputs.clone(), depends_on).await,
            Some(inputs) => self.by_name(urn, inputs.clone(), &depends_on, order).await,
            // What it is part of does not stand either.
            None => {
                self.missing.push(urn.clone());
                Ok(())
            }
        }
    }

    /// Objects of ours that the stack does not have.
    async fn rest(&mut self) -> Result<(), Error> {
        let rest = std::mem::take(&mut self.search.objects);
        for object in rest.into_values().flatten() {
            let key = ObjectKey { urn: object.urn.clone(), generation: object.generation };
            let order = crate::plan::decide::provider(&self.session.registry, &object.urn)?.info().replace_order;
            if self.adopt(object, Value::Object(Map::new()), None, order, true).await? {
                self.beyond.push(key);
            }
        }
        // Only now is everything known that they may be made from.
        for key in self.beyond.clone() {
            let state = &self.session.checkpoint;
            let Some(object) = state.objects.get(&key) else { continue };
            let record = Record::Relinked {
                key: key.clone(),
                depends_on: made_from(state, &key.urn, &object.inputs),
                replace_order: object.replace_order,
            };
            self.session.stage(record);
        }
        self.session.commit().await
    }

    /// The desired inputs, as far as what stands lets them be known.
    fn planned(&self, resource: &Resource) -> Result<Planned, Error> {
        let lookup = |urn: &Urn, field: &str| match self.session.checkpoint.current(urn) {
            Some(object) if object.phase == Phase::Live => {
                output_field(&object.outputs, field).map_or(Lookup::Missing, |value| Lookup::Known(value.clone()))
            }
            _ => Lookup::Unknown,
        };
        resource.inputs.eval(&lookup).map_err(|source| Error::Eval { urn: resource.urn.clone(), source })
    }

    /// Reads an object that was found by its tags and books it. False if it has gone since.
    async fn adopt(
        &mut self,
        object: Discovered,
        inputs: Value,
        depends_on: Option<&[Urn]>,
        order: ReplaceOrder,
        claimed: bool,
    ) -> Result<bool, Error> {
        let Discovered { urn, generation, nonce, id } = object;
        let provider = self.provider(&urn)?;
        let ctx = self.session.ctx(&urn, generation, nonce.clone(), Some(id.clone()), Action::Read);
        let current = Current { id: id.clone(), inputs, outputs: Value::Null };
        let read = provider.read(&ctx, &current).await;
        let Some(Observed { inputs, outputs }) = read.map_err(|source| Error::Read { urn: urn.clone(), source })?
        else {
            return Ok(false);
        };
        let key = ObjectKey { urn, generation };
        self.session.stage(Record::Adopted {
            key: key.clone(),
            id: id.clone(),
            nonce,
            inputs,
            outputs,
            depends_on: depends_on.unwrap_or_default().to_vec(),
            replace_order: order,
            claimed,
            pinned: BTreeMap::new(),
        });
        self.session.event(Event::Recovered { urn: key.urn.clone(), message: format!("{id} was found") });
        self.found.push((key, id));
        self.session.commit().await?;
        Ok(true)
    }

    /// What the search did not find is looked for by what the stack asks for. An object that
    /// cannot carry tags is ours if it is just that, on something that is ours; one that can
    /// says so by its tags, though its kind's lists left it out, and is claimed anew, because
    /// its nonce is not known.
    async fn by_name(
        &mut self,
        urn: &Urn,
        inputs: Value,
        depends_on: &[Urn],
        order: ReplaceOrder,
    ) -> Result<(), Error> {
        let provider = self.provider(urn)?;
        let key = ObjectKey { urn: urn.clone(), generation: 0 };
        let nonce = self.session.nonce(&key);
        let ctx = self.session.ctx(urn, 0, nonce.clone(), None, Action::Read);
        let recovered = provider.recover(&ctx, &inputs).await;
        match recovered.map_err(|source| Error::Recovery { urn: urn.clone(), source })? {
            Recovered::Mine(id) | Recovered::OfThisStack(id) => {
                let object = Discovered { urn: urn.clone(), generation: 0, nonce, id };
                let claimed = !self.search.searched.contains(urn.kind());
                if !self.adopt(object, inputs, Some(depends_on), order, claimed).await? {
                    self.missing.push(urn.clone());
                }
            }
            Recovered::Absent => self.missing.push(urn.clone()),
            Recovered::Foreign(what) => self.foreign.push((urn.clone(), what)),
        }
        Ok(())
    }

    /// A look-up makes nothing: it is read again.
    async fn look_up(&mut self, resource: &Resource, inputs: Value, depends_on: Vec<Urn>) -> Result<(), Error> {
        let urn = &resource.urn;
        let provider = self.provider(urn)?;
        let key = ObjectKey { urn: urn.clone(), generation: 0 };
        let nonce = self.session.nonce(&key);
        let ctx = self.session.ctx(urn, 0, nonce.clone(), None, Action::Read);
        let created = provider.create(&ctx, &inputs).await;
        let created = created.map_err(|source| Error::Read { urn: urn.clone(), source })?;
        let replace_order = provider.info().replace_order;
        let intent = Intent::Create { nonce, inputs: inputs.clone(), depends_on, replace_order, data: true };
        self.session.stage(Record::Began { key: key.clone(), intent });
        let outcome = Outcome::Created { id: created.id, inputs, outputs: created.outputs, took_ms: None };
        self.session.stage(Record::Succeeded { key, outcome });
        self.session.commit().await
    }

    fn provider(&self, urn: &Urn) -> Result<std::sync::Arc<dyn DynProvider>, Error> {
        let found = self.session.registry.get(urn.kind()).cloned();
        found.ok_or_else(|| Error::UnknownKind { kind: urn.kind().to_owned(), urn: urn.clone() })
    }
}

/// The members that are known: a read needs the others only to repeat them.
fn partial(planned: &Planned) -> Value {
    match planned {
        Planned::Known(value) => value.clone(),
        Planned::Object(entries) => {
            let known = entries.iter().filter_map(|(key, value)| Some((key.clone(), value.known()?.clone())));
            Value::Object(known.collect())
        }
        Planned::List(_) | Planned::Unknown => Value::Object(Map::new()),
    }
}

/// What an object was made from, as its inputs tell: they hold ids, names or ARNs of others.
fn made_from(state: &Checkpoint, urn: &Urn, inputs: &Value) -> Vec<Urn> {
    let mut texts = BTreeSet::new();
    each_text(inputs, &mut |text| {
        texts.insert(text.to_owned());
    });
    let mut from = BTreeSet::new();
    for object in state.objects.values().filter(|object| object.urn != *urn) {
        let mut named = object.id.as_ref().is_some_and(|id| texts.contains(id));
        each_text(&object.outputs, &mut |text| named |= text.len() >= SHORTEST_NAME && texts.contains(text));
        if named {
            from.insert(object.urn.clone());
        }
    }
    from.into_iter().collect()
}

/// Shorter outputs (a version, a status) name nothing.
const SHORTEST_NAME: usize = 8;

fn each_text(value: &Value, visit: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, visit)),
        Value::Object(members) => members.values().for_each(|member| each_text(member, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
