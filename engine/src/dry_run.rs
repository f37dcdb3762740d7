//! Before anything is begun: whether the account would take what a plan makes and changes.
//!
//! The planner stays pure: it is asked when the plan is made. What it is asked for must be
//! wholly known. A refusal stops the run, so that nothing counts as one that might pass once the
//! steps before it have run.

use std::{fmt, future::Future};

use serde::Serialize;

use crate::{
    apply::Session,
    error::{Error, ErrorClass, ProviderError},
    plan::{Plan, Reason, Step},
    provider::{Action, Current},
    urn::Urn,
};

/// What a kind says of one step, where the account refuses nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// There is nothing to be asked: the kind cannot, or the step asks the account for nothing.
    Nothing,
    /// The account would take it.
    Accepted,
    /// It cannot be told before the step runs; why.
    Unasked(String),
}

/// What the account would not take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The resource.
    pub urn: Urn,
    /// What is to be done to it.
    pub action: Action,
    /// Why it would not be, and what to do.
    pub error: ProviderError,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.action.verb(), self.urn, self.error)
    }
}

/// What will be told only by the step itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unasked {
    /// The resource.
    pub urn: Urn,
    /// What is to be done to it.
    pub action: Action,
    /// Why that is so.
    pub reason: String,
}

/// What a dry run of a plan found, in the plan's order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DryRun {
    /// How many steps the account would take.
    pub accepted: usize,
    /// What it would not take.
    pub refused: Vec<Refused>,
    /// What it could not be asked about.
    pub unasked: Vec<Unasked>,
}

impl DryRun {
    /// True if it was asked, or was to be.
    pub fn any(&self) -> bool {
        self.accepted > 0 || !self.refused.is_empty() || !self.unasked.is_empty()
    }

    fn note(&mut self, plan: &Plan, step: &Step, tried: Result<Tried, ProviderError>) {
        let (urn, action) = (step.urn.clone(), step.action);
        match tried {
            Ok(Tried::Nothing) => {}
            Ok(Tried::Accepted) => self.accepted += 1,
            Ok(Tried::Unasked(reason)) => self.unasked.push(Unasked { urn, action, reason }),
            Err(error) if refuses(plan, step, &error) => self.refused.push(Refused { urn, action, error }),
            Err(error) => self.unasked.push(Unasked { urn, action, reason: error.to_string() }),
        }
    }
}

/// Whether the step would meet this error too.
fn refuses(plan: &Plan, step: &Step, error: &ProviderError) -> bool {
    match error.class {
        ErrorClass::Invalid | ErrorClass::AlreadyExists | ErrorClass::Quota | ErrorClass::Failed => true,
        // What comes before it may make what is missed, or allow what is denied.
        ErrorClass::NotFound | ErrorClass::Denied | ErrorClass::InUse => {
            !plan.edges.iter().any(|(_, after)| *after == step.id)
        }
        // The account has not said no.
        ErrorClass::Throttled
        | ErrorClass::Busy
        | ErrorClass::Propagation
        | ErrorClass::Ambiguous
        | ErrorClass::TimedOut
        | ErrorClass::Interrupted => false,
    }
}

type Answer<'p> = (&'p Step, Result<Tried, ProviderError>);

impl Session {
    /// Asks about every step that makes or changes an object and whose inputs are known.
    pub(crate) async fn dry_run(&mut self, plan: &Plan) -> Result<DryRun, Error> {
        let asked: Vec<_> = plan.steps.iter().filter_map(|step| self.ask(plan, step)).collect();
        let mut answers = self.gather(asked).await?;
        answers.sort_by_key(|(step, _)| step.id);
        let mut found = DryRun::default();
        for (step, tried) in answers {
            found.note(plan, step, tried);
        }
        Ok(found)
    }

    fn ask<'p>(&self, plan: &'p Plan, step: &'p Step) -> Option<impl Future<Output = Answer<'p>> + use<'p>> {
        // The new half of a replacement would be taken for a change of the old one; what was begun
        // before is only finished.
        let asked = matches!(step.action, Action::Create | Action::Update);
        if !asked || step.pair.is_some() || step.reason == Reason::Interrupted {
            return None;
        }
        let inputs = step.planned.as_ref()?.known()?;
        let provider = self.registry.get(step.urn.kind())?.clone();
        let key = step.key();
        let object = self.checkpoint.objects.get(&key).filter(|_| step.action == Action::Update);
        let nonce = object.map_or_else(|| self.nonce(&key), |object| object.nonce.clone());
        let ctx = self.ctx(&step.urn, step.generation, nonce, None, step.action).impatient();
        let prior = object.map(|object| Current {
            id: object.id.clone().unwrap_or_default(),
            inputs: object.inputs.clone(),
            outputs: object.outputs.clone(),
        });
        Some(async move { (step, provider.dry_run(&ctx, prior.as_ref(), inputs, plan).await) })
    }
}
