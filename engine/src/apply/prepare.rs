//! The last look at a step before it runs: all inputs are known now.

use std::sync::Arc;

use serde_json::Value;

use crate::{
    apply::{Session, step::Work},
    context::Ctx,
    error::{ErrorClass, ProviderError},
    journal::{Intent, Outcome, Record},
    plan::{Plan, Step, StepId, diff::Effect, pin},
    provider::{Action, Current, DynProvider, Refusal, ReplaceOrder},
    store::{Object, ObjectKey, Phase},
    value::{Lookup, Planned, output_field},
};

/// A step that may run now.
pub(crate) enum Prepared {
    Run(Box<Start>),
    /// Now that everything is known, there is nothing to do.
    Unneeded,
    Refused(ProviderError),
}

/// All that a step's task needs.
pub(crate) struct Start {
    pub step: StepId,
    pub key: ObjectKey,
    pub action: Action,
    pub provider: Arc<dyn DynProvider>,
    pub ctx: Ctx,
    pub work: Work,
}

/// What an uncertain replacement came to.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PairVerdict {
    Replace,
    Update(Value),
    Same,
}

/// What a step did: an uncertain replacement may have become an update.
pub(super) fn action_of(outcome: &Outcome, step: &Step) -> Action {
    match outcome {
        Outcome::Created { .. } if step.action == Action::Read => Action::Read,
        Outcome::Created { .. } => Action::Create,
        Outcome::Updated { .. } => Action::Update,
        Outcome::Deleted => Action::Delete,
    }
}

fn outdated(step: &Step, what: &str) -> ProviderError {
    ProviderError::new(ErrorClass::Invalid, format!("the plan no longer fits {}: {what}", step.urn))
        .hint("Run the command again: it plans anew from what stands now.")
}

fn current(object: &Object) -> Current<Value, Value> {
    Current {
        id: object.id.clone().unwrap_or_default(),
        inputs: object.inputs.clone(),
        outputs: object.outputs.clone(),
    }
}

impl Session {
    pub(super) fn prepare(&mut self, plan: &Plan, step: &Step) -> Prepared {
        let Some(provider) = self.registry.get(step.urn.kind()).cloned() else {
            return Prepared::Refused(outdated(step, "its kind is not registered"));
        };
        match step.action {
            Action::Delete => self.prepare_delete(plan, step, provider),
            Action::Update => match self.inputs(step) {
                Ok(to) => self.prepare_update(step, &step.key(), to, provider),
                Err(error) => Prepared::Refused(error),
            },
            Action::Create | Action::Read => match self.inputs(step) {
                Ok(inputs) => self.prepare_create(step, inputs, provider),
                Err(error) => Prepared::Refused(error),
            },
        }
    }

    /// The step's inputs, all known.
    fn inputs(&self, step: &Step) -> Result<Value, ProviderError> {
        let lookup = |urn: &_, field: &str| match self.checkpoint.current(urn) {
            Some(object) if object.phase == Phase::Live => {
                output_field(&object.outputs, field).map_or(Lookup::Missing, |value| Lookup::Known(value.clone()))
            }
            _ => Lookup::Unknown,
        };
        let Some(inputs) = &step.inputs else { return Ok(Value::Null) };
        match inputs.eval(&lookup) {
            Ok(Planned::Known(value)) => Ok(value),
            Ok(_) => Err(outdated(step, "something it refers to does not stand")),
            Err(error) => Err(outdated(step, &error.to_string())),
        }
    }

    fn prepare_delete(&mut self, plan: &Plan, step: &Step, provider: Arc<dyn DynProvider>) -> Prepared {
        if let Some(pair) = &step.pair
            && !pair.certain
        {
            let create = &plan.steps[pair.partner.index()];
            if self.pair_verdict(create, &*provider) != PairVerdict::Replace {
                return Prepared::Unneeded;
            }
        }
        let key = step.key();
        let Some(object) = self.checkpoint.objects.get(&key) else { return Prepared::Unneeded };
        let work = Work::Delete { current: current(object) };
        let ctx = self.ctx(&key.urn, key.generation, object.nonce.clone(), None, Action::Delete);
        self.stage(Record::Began { key: key.clone(), intent: Intent::Delete });
        Prepared::Run(Box::new(Start { step: step.id, key, action: Action::Delete, provider, ctx, work }))
    }

    fn prepare_update(&mut self, step: &Step, key: &ObjectKey, to: Value, provider: Arc<dyn DynProvider>) -> Prepared {
        let Some(object) = self.checkpoint.objects.get(key) else {
            return Prepared::Refused(outdated(step, "the object is gone"));
        };
        let to = pin::hold_known(to, &object.pinned);
        let changes = provider.diff(&object.inputs, &Planned::Known(to.clone()));
        if let Some(change) = changes.iter().find(|change| change.effect == Effect::Replace) {
            let what = format!("`{}` turned out to need a new object", change.path);
            return Prepared::Refused(outdated(step, &what));
        }
        let claim = !object.claimed;
        if changes.is_empty() && !claim {
            self.relink(step, key);
            return Prepared::Unneeded;
        }
        if let Some(Refusal { reason, hint }) = provider.refuse_update(&object.inputs, &Planned::Known(to.clone())) {
            return Prepared::Refused(ProviderError::new(ErrorClass::Invalid, reason).hint(hint));
        }
        // Until the update is done, the object may refer to both the old and the new.
        let mut both = object.depends_on.clone();
        both.extend(step.depends_on.iter().filter(|on| !object.depends_on.contains(on)).cloned());
        let linked = both.len() == object.depends_on.len();
        let replace_order = object.replace_order;
        let resume = object.id.clone().filter(|_| claim);
        let ctx = self.ctx(&key.urn, key.generation, object.nonce.clone(), resume, Action::Update);
        let work = Work::Update { current: current(object), to: to.clone(), claim };
        if !linked {
            self.stage(Record::Relinked { key: key.clone(), depends_on: both, replace_order });
        }
        let intent = Intent::Update { to, depends_on: step.depends_on.clone() };
        self.stage(Record::Began { key: key.clone(), intent });
        let key = key.clone();
        Prepared::Run(Box::new(Start { step: step.id, key, action: Action::Update, provider, ctx, work }))
    }

    /// Records what the object depends on from now on.
    pub(super) fn relink(&mut self, step: &Step, key: &ObjectKey) {
        let same =
            self.checkpoint.objects.get(key).is_none_or(|object| {
                object.depends_on == step.depends_on && object.replace_order == step.replace_order
            });
        if !same {
            self.stage(Record::Relinked {
                key: key.clone(),
                depends_on: step.depends_on.clone(),
                replace_order: step.replace_order,
            });
        }
    }

    fn prepare_create(&mut self, step: &Step, inputs: Value, provider: Arc<dyn DynProvider>) -> Prepared {
        if let Some(pair) = &step.pair
            && !pair.certain
        {
            match self.pair_verdict(step, &*provider) {
                PairVerdict::Replace => {}
                PairVerdict::Same => {
                    self.relink(step, &pair.old);
                    return Prepared::Unneeded;
                }
                PairVerdict::Update(to) => return self.prepare_update(step, &pair.old, to, provider),
            }
        }
        if let Err(error) = provider.check(&inputs) {
            return Prepared::Refused(error);
        }
        let key = step.key();
        let begun = self.checkpoint.objects.get(&key).filter(|object| object.phase == Phase::Creating);
        let nonce = begun.map_or_else(|| self.nonce(&key), |object| object.nonce.clone());
        let resume = begun.and_then(|object| object.id.clone());
        // A creation that is taken up goes on as it began; later differences are updates.
        let inputs = begun.map_or(inputs, |object| object.inputs.clone());
        let ctx = self.ctx(&key.urn, key.generation, nonce.clone(), resume, step.action);
        let data = step.action == Action::Read;
        let work = if data {
            Work::Read { inputs: inputs.clone() }
        } else {
            Work::Create { inputs: inputs.clone(), adopted: self.adopted.contains(&key) }
        };
        let intent = Intent::Create {
            nonce,
            inputs,
            depends_on: step.depends_on.clone(),
            replace_order: step.replace_order,
            data,
        };
        self.stage(Record::Began { key: key.clone(), intent });
        Prepared::Run(Box::new(Start { step: step.id, key, action: step.action, provider, ctx, work }))
    }

    /// Compares an uncertain replacement again, once, before its first half runs. It may
    /// weaken, never grow. `create` is the pair's creating half.
    fn pair_verdict(&mut self, create: &Step, provider: &dyn DynProvider) -> PairVerdict {
        if let Some(verdict) = self.pairs.get(&create.id) {
            return verdict.clone();
        }
        let verdict = self.compare_pair(create, provider);
        self.pairs.insert(create.id, verdict.clone());
        verdict
    }

    fn compare_pair(&self, create: &Step, provider: &dyn DynProvider) -> PairVerdict {
        let Some(pair) = &create.pair else { return PairVerdict::Replace };
        let Some(object) = self.checkpoint.objects.get(&pair.old) else { return PairVerdict::Replace };
        let Ok(inputs) = self.inputs(create) else {
            // Still unknown: something it is made from goes first, so it must go too.
            debug_assert_eq!(pair.order, ReplaceOrder::DeleteThenCreate);
            return PairVerdict::Replace;
        };
        let held = pin::hold_known(inputs.clone(), &object.pinned);
        let changes = provider.diff(&object.inputs, &Planned::Known(held));
        if changes.iter().any(|change| change.effect == Effect::Replace) {
            PairVerdict::Replace
        } else if changes.is_empty() {
            PairVerdict::Same
        } else {
            PairVerdict::Update(inputs)
        }
    }
}
