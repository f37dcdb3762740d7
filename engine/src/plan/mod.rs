//! Planning: pure and synchronous. The same inputs give the same plan.
//!
//! [`decide`] says what is to become of each resource; [`replace`] turns decisions
//! into steps and is the one place that makes edges; [`render`] shows a plan as text.

pub mod decide;
pub mod diff;
mod order;
pub mod pin;
pub mod render;
pub mod replace;

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    error::Error,
    event::Summary,
    names,
    plan::diff::{Change, Effect},
    provider::{Action, Registry, ReplaceOrder},
    stack::Stack,
    store::{Checkpoint, ObjectKey},
    urn::Urn,
    value::{Expr, Planned},
};

/// A step's place in its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u32);

impl StepId {
    /// As an index into [`Plan::steps`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Why a step is in the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The resource is new.
    New,
    /// Its creation was interrupted and is taken up.
    Interrupted,
    /// Its inputs changed.
    Changed,
    /// Its inputs changed in a way that needs a new object.
    NeedsReplacing,
    /// Its creation failed and left an object that does not serve.
    Broken {
        /// What failed.
        error: String,
    },
    /// It is no longer desired.
    Removed,
    /// A newer object took its place, but it could not be deleted then.
    Deposed,
    /// A look-up whose subject is not known before this run.
    Lookup,
    /// Whoever asked for the plan insists on a new object.
    Insisted,
}

/// One half of a replacement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// The other half.
    pub partner: StepId,
    /// The object that goes.
    pub old: ObjectKey,
    /// Which half comes first.
    pub order: ReplaceOrder,
    /// False if it rests on unknowns only: it is compared again, known, before the
    /// first half runs, and may turn into an update or nothing.
    pub certain: bool,
}

/// One step: one action on one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its place in the plan.
    pub id: StepId,
    /// The resource.
    pub urn: Urn,
    /// Which object of it.
    pub generation: u32,
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// The inputs to reach; none for a deletion.
    pub inputs: Option<Expr>,
    /// The inputs as far as they are known now.
    pub planned: Option<Planned>,
    /// What the object depends on.
    pub depends_on: Vec<Urn>,
    /// Recorded with the object.
    pub replace_order: ReplaceOrder,
    /// Set on both halves of a replacement.
    pub pair: Option<Pair>,
    /// What differs.
    pub changes: Vec<Change>,
    /// How long it should take, milliseconds.
    pub expected_ms: u64,
}

impl Step {
    /// The object it works on.
    pub fn key(&self) -> ObjectKey {
        ObjectKey { urn: self.urn.clone(), generation: self.generation }
    }
}

/// A change of what an object depends on, without any change of the object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Relink {
    /// The object.
    pub key: ObjectKey,
    /// What it depends on now.
    pub depends_on: Vec<Urn>,
    /// Its order now.
    pub replace_order: ReplaceOrder,
}

/// A pinned field: it stays as it stands until it is released.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The resource.
    pub urn: Urn,
    /// The field, as in [`Change::path`].
    pub path: String,
    /// What it stays; null if it stays away.
    pub value: Value,
    /// What is wanted; `None` if it is wanted away.
    pub wanted: Option<Planned>,
    /// What releasing it would need.
    pub effect: Effect,
}

/// Something that is no resource's, and that the deletion of one decides about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Along {
    /// What it is, and whose.
    pub what: String,
    /// Whether it is left standing; else it goes along.
    pub stays: bool,
}

/// What is to be done: a graph of steps. Serialisable.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The stack's name.
    pub stack: String,
    /// The run that the state was left by when this plan was made.
    pub base_run: u64,
    /// The steps.
    pub steps: Vec<Step>,
    /// `(before, after)`.
    pub edges: Vec<(StepId, StepId)>,
    /// Resources that stay as they are.
    pub unchanged: Vec<Urn>,
    /// Bookkeeping only.
    pub relinks: Vec<Relink>,
    /// Look-ups that are no longer wanted.
    pub forget: Vec<ObjectKey>,
    /// Fields that stay as they stand although something else is wanted.
    #[serde(default)]
    pub kept: Vec<Kept>,
    /// What was asked beside the stack.
    #[serde(default)]
    pub planning: Planning,
    /// No longer wanted, and left standing for what they hold ([`Provider::keeps`]).
    ///
    /// [`Provider::keeps`]: crate::provider::Provider::keeps
    #[serde(default)]
    pub retained: Vec<ObjectKey>,
    /// What is no resource's, and goes or stays when something is destroyed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub along: Vec<Along>,
}

impl Plan {
    /// True if no step would run.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// What would be done, in numbers.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary { unchanged: self.unchanged.len() as u64, ..Summary::default() };
        for step in &self.steps {
            match (step.action, &step.pair) {
                (Action::Create, Some(_)) => summary.replaced += 1,
                (Action::Create, None) => summary.created += 1,
                (Action::Update, _) => summary.updated += 1,
                (Action::Delete, None) => summary.deleted += 1,
                (Action::Delete, Some(_)) | (Action::Read, _) => {}
            }
        }
        summary
    }

    /// For each step, the expected time from its start to the end of the plan.
    pub fn remaining_ms(&self) -> Vec<u64> {
        let mut successors = vec![Vec::new(); self.steps.len()];
        let mut predecessors = vec![0usize; self.steps.len()];
        let mut open = vec![0usize; self.steps.len()];
        let mut before = vec![Vec::new(); self.steps.len()];
        for (from, to) in &self.edges {
            successors[from.index()].push(to.index());
            before[to.index()].push(from.index());
            predecessors[to.index()] += 1;
            open[from.index()] += 1;
        }
        let mut remaining = vec![0; self.steps.len()];
        let mut ready: Vec<usize> = (0..self.steps.len()).filter(|step| open[*step] == 0).collect();
        while let Some(step) = ready.pop() {
            let after = successors[step].iter().map(|next| remaining[*next]).max().unwrap_or(0);
            remaining[step] = after + self.steps[step].expected_ms;
            for previous in &before[step] {
                open[*previous] -= 1;
                if open[*previous] == 0 {
                    ready.push(*previous);
                }
            }
        }
        remaining
    }

    /// The longest chain of steps by expected duration, and how long it takes.
    pub fn critical_path(&self) -> (Duration, Vec<StepId>) {
        let remaining = self.remaining_ms();
        let longest = |candidates: &mut dyn Iterator<Item = usize>| {
            candidates.max_by_key(|step| (remaining[*step], std::cmp::Reverse(*step)))
        };
        let mut targets = vec![Vec::new(); self.steps.len()];
        let mut first = vec![true; self.steps.len()];
        for (from, to) in &self.edges {
            targets[from.index()].push(to.index());
            first[to.index()] = false;
        }
        let mut path = Vec::new();
        let mut next = longest(&mut (0..self.steps.len()).filter(|step| first[*step]));
        let total = next.map_or(0, |step| remaining[step]);
        while let Some(step) = next {
            path.push(self.steps[step].id);
            next = longest(&mut targets[step].iter().copied());
        }
        (Duration::from_millis(total), path)
    }
}

/// What is asked of a plan beside the stack.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Planning {
    /// Resources that get a new object, as [`crate::names::resolve`] takes them: whether or
    /// not anything differs, and where a new object would be refused otherwise.
    pub replace: Vec<String>,
    /// What is no longer desired goes even where it holds what people would miss
    /// ([`crate::provider::Provider::keeps`]), and what it holds with it.
    #[serde(default)]
    pub purge: bool,
    /// What people decided where a kind leaves it to them, by its question
    /// ([`crate::provider::Provider::goes_along`]).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub decided: BTreeMap<String, String>,
    /// Everything that the stack has goes, as in [`crate::ops::Engine::down`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub everything: bool,
}

/// Makes a plan that turns `checkpoint` into `stack`.
///
/// # Errors
/// A stack that cannot be evaluated, a kind nobody registered, something protected
/// that would have to go, a change that its kind refuses.
pub fn plan(stack: &Stack, checkpoint: &Checkpoint, registry: &Registry) -> Result<Plan, Error> {
    plan_with(stack, checkpoint, registry, &Planning::default())
}

/// Makes a plan in which more is asked than the stack says.
///
/// # Errors
/// As for [`plan`]; and a name that is no resource's.
pub fn plan_with(
    stack: &Stack,
    checkpoint: &Checkpoint,
    registry: &Registry,
    planning: &Planning,
) -> Result<Plan, Error> {
    let names = || stack.resources().map(|resource| &resource.urn);
    let insisted = planning.replace.iter().map(|name| names::resolve(names(), name)).collect::<Result<_, _>>()?;
    let decisions = decide::decide(stack, checkpoint, registry, &insisted)?;
    let plan = replace::expand(stack, checkpoint, registry, decisions, planning)?;
    Ok(Plan { planning: planning.clone(), ..plan })
}
