//! From decisions to steps. The one file that makes edges.
//!
//! For a resource r: F(r) is its forward step (create, update, read), D(o) the
//! deletion of an object o.
//!
//! | edge | why |
//! |---|---|
//! | F(d) -> F(r) | r depends on d |
//! | F(r) -> D(old) | create-then-delete |
//! | D(old) -> F(r) | delete-then-create |
//! | D(p) -> D(o) | the object p was made from o's resource |
//! | F(p) -> D(o) | p lets go of o by being changed (not if o's successor waits for D(o)) |
//! | F(d) -> D(old) | an uncertain delete-then-create is compared again before it begins |

use std::collections::{HashMap, HashSet};

use petgraph::{algo::tarjan_scc, graph::DiGraph};

use crate::{
    error::Error,
    plan::{
        Pair, Plan, Reason, Relink, Step, StepId,
        decide::{Decision, Verdict, provider},
    },
    provider::{Action, Registry, ReplaceOrder},
    stack::Stack,
    store::{Checkpoint, Object, ObjectKey},
    urn::Urn,
    value::Planned,
};

struct Expansion<'a> {
    checkpoint: &'a Checkpoint,
    registry: &'a Registry,
    plan: Plan,
    forward: HashMap<Urn, StepId>,
    deletes: HashMap<ObjectKey, StepId>,
}

/// Turns decisions into a plan.
///
/// # Errors
/// A kind nobody registered; steps that wait for each other in a circle (which only
/// a damaged state can cause).
pub fn expand(
    stack: &Stack,
    checkpoint: &Checkpoint,
    registry: &Registry,
    decisions: Vec<Decision<'_>>,
) -> Result<Plan, Error> {
    let mut expansion = Expansion {
        checkpoint,
        registry,
        plan: Plan {
            stack: stack.name().to_owned(),
            base_run: checkpoint.meta.as_ref().map_or(0, |meta| meta.run),
            ..Plan::default()
        },
        forward: HashMap::new(),
        deletes: HashMap::new(),
    };
    for decision in &decisions {
        expansion.forward_steps(decision)?;
    }
    expansion.deletions(stack)?;
    expansion.edges(&decisions)?;
    Ok(expansion.plan)
}

impl Expansion<'_> {
    fn push(&mut self, mut step: Step) -> StepId {
        // A plan of 2^32 steps does not fit into memory.
        let id = StepId(u32::try_from(self.plan.steps.len()).unwrap_or(u32::MAX));
        step.id = id;
        if step.action == Action::Delete {
            self.deletes.insert(step.key(), id);
        } else {
            self.forward.insert(step.urn.clone(), id);
        }
        self.plan.steps.push(step);
        id
    }

    fn expected(&self, urn: &Urn, action: Action, last: Option<&Object>) -> Result<u64, Error> {
        let learned = last.and_then(|object| object.took_ms).filter(|_| action == Action::Create);
        let usual = provider(self.registry, urn)?.expected(action).as_millis();
        Ok(learned.unwrap_or_else(|| u64::try_from(usual).unwrap_or(u64::MAX)))
    }

    fn forward_steps(&mut self, decision: &Decision<'_>) -> Result<(), Error> {
        let urn = &decision.resource.urn;
        let current_generation = decision.current.map_or(0, |object| object.generation);
        let fresh = self.checkpoint.next_generation(urn);
        let (action, generation, reason) = match &decision.verdict {
            Verdict::Same => {
                self.keep(decision);
                return Ok(());
            }
            Verdict::Create { resumed: false } => (Action::Create, fresh, Reason::New),
            Verdict::Create { resumed: true } => (Action::Create, current_generation, Reason::Interrupted),
            Verdict::Read => (Action::Read, current_generation, Reason::Lookup),
            Verdict::Update => (Action::Update, current_generation, Reason::Changed),
            Verdict::Replace { reason, .. } => (Action::Create, fresh, reason.clone()),
        };
        let id = self.push(Step {
            id: StepId(0),
            urn: urn.clone(),
            generation,
            action,
            reason: reason.clone(),
            inputs: Some(decision.resource.inputs.clone()),
            planned: Some(decision.planned.clone()),
            depends_on: decision.depends_on.clone(),
            replace_order: decision.order,
            pair: None,
            changes: decision.changes.clone(),
            expected_ms: self.expected(urn, action, decision.current)?,
        });
        if let (Verdict::Replace { order, certain, .. }, Some(old)) = (&decision.verdict, decision.current) {
            let delete = self.deletion(old, reason)?;
            let pair = |partner| Pair { partner, old: old.key(), order: *order, certain: *certain };
            self.plan.steps[id.index()].pair = Some(pair(delete));
            self.plan.steps[delete.index()].pair = Some(pair(id));
        }
        Ok(())
    }

    fn keep(&mut self, decision: &Decision<'_>) {
        self.plan.unchanged.push(decision.resource.urn.clone());
        let Some(object) = decision.current else { return };
        if object.depends_on != decision.depends_on || object.replace_order != decision.order {
            self.plan.relinks.push(Relink {
                key: object.key(),
                depends_on: decision.depends_on.clone(),
                replace_order: decision.order,
            });
        }
    }

    fn deletion(&mut self, object: &Object, reason: Reason) -> Result<StepId, Error> {
        let expected_ms = self.expected(&object.urn, Action::Delete, Some(object))?;
        Ok(self.push(Step {
            id: StepId(0),
            urn: object.urn.clone(),
            generation: object.generation,
            action: Action::Delete,
            reason,
            inputs: None,
            planned: Some(Planned::Known(object.inputs.clone())),
            depends_on: object.depends_on.clone(),
            replace_order: object.replace_order,
            pair: None,
            changes: Vec::new(),
            expected_ms,
        }))
    }

    /// Deletions of what is no longer desired, newest first.
    fn deletions(&mut self, stack: &Stack) -> Result<(), Error> {
        let checkpoint = self.checkpoint;
        for object in checkpoint.objects.values().rev() {
            let desired = stack.get(&object.urn).is_some();
            if (desired && !object.deposed) || self.deletes.contains_key(&object.key()) {
                continue;
            }
            if object.data {
                self.plan.forget.push(object.key());
            } else {
                let reason = if object.deposed { Reason::Deposed } else { Reason::Removed };
                self.deletion(object, reason)?;
            }
        }
        Ok(())
    }

    fn edges(&mut self, decisions: &[Decision<'_>]) -> Result<(), Error> {
        let mut hard = HashSet::new();
        let mut soft = HashSet::new();
        for decision in decisions {
            let Some(step) = self.forward.get(&decision.resource.urn).copied() else { continue };
            for on in &decision.depends_on {
                if let Some(before) = self.forward.get(on) {
                    hard.insert((*before, step));
                }
            }
            self.pair_edges(decision, step, &mut hard);
        }
        self.deletion_edges(&mut hard, &mut soft);
        self.plan.edges = acyclic(&self.plan, hard, soft)?;
        Ok(())
    }

    fn pair_edges(&self, decision: &Decision<'_>, create: StepId, hard: &mut HashSet<(StepId, StepId)>) {
        let Some(pair) = &self.plan.steps[create.index()].pair else { return };
        match pair.order {
            ReplaceOrder::CreateThenDelete => {
                hard.insert((create, pair.partner));
            }
            ReplaceOrder::DeleteThenCreate => {
                hard.insert((pair.partner, create));
                if !pair.certain && !self.forced(decision) {
                    for on in &decision.depends_on {
                        if let Some(before) = self.forward.get(on) {
                            hard.insert((*before, pair.partner));
                        }
                    }
                }
            }
        }
    }

    /// True if the object must go because something it was made from goes first.
    fn forced(&self, decision: &Decision<'_>) -> bool {
        let recorded = decision.current.map_or(&[][..], |object| &object.depends_on);
        decision.depends_on.iter().chain(recorded).any(|on| self.goes_first(on))
    }

    fn goes_first(&self, urn: &Urn) -> bool {
        self.forward
            .get(urn)
            .and_then(|step| self.plan.steps[step.index()].pair.as_ref())
            .is_some_and(|pair| pair.order == ReplaceOrder::DeleteThenCreate)
    }

    fn deletion_edges(&self, hard: &mut HashSet<(StepId, StepId)>, soft: &mut HashSet<(StepId, StepId)>) {
        let mut by_urn: HashMap<&Urn, Vec<StepId>> = HashMap::new();
        for (key, step) in &self.deletes {
            by_urn.entry(&key.urn).or_default().push(*step);
        }
        for object in self.checkpoint.objects.values() {
            for on in &object.depends_on {
                for delete in by_urn.get(on).into_iter().flatten().copied() {
                    if let Some(own) = self.deletes.get(&object.key()) {
                        hard.insert((*own, delete));
                    } else if let Some(change) = self.forward.get(&object.urn) {
                        let pair = self.plan.steps[delete.index()].pair.as_ref();
                        let goes_first = pair.is_some_and(|pair| pair.order == ReplaceOrder::DeleteThenCreate);
                        if !goes_first {
                            soft.insert((*change, delete));
                        }
                    }
                }
            }
        }
    }
}

/// Drops the soft edges that would close a circle: letting go of an object by a change
/// is impossible when that change itself waits for the deletion.
fn acyclic(
    plan: &Plan,
    hard: HashSet<(StepId, StepId)>,
    soft: HashSet<(StepId, StepId)>,
) -> Result<Vec<(StepId, StepId)>, Error> {
    let circles = |edges: &HashSet<(StepId, StepId)>| -> Vec<Vec<u32>> {
        let graph = DiGraph::<(), (), u32>::from_edges(edges.iter().map(|(from, to)| (from.0, to.0)));
        let circles = tarjan_scc(&graph).into_iter().filter(|component| component.len() > 1);
        circles.map(|component| component.into_iter().map(|node| node.index() as u32).collect()).collect()
    };
    let mut edges: HashSet<_> = hard.union(&soft).copied().collect();
    for circle in circles(&edges) {
        let members: HashSet<u32> = circle.into_iter().collect();
        edges.retain(|edge| hard.contains(edge) || !(members.contains(&edge.0.0) && members.contains(&edge.1.0)));
    }
    if let Some(circle) = circles(&edges).first() {
        return Err(Error::Cycle(circle.iter().map(|step| plan.steps[*step as usize].urn.clone()).collect()));
    }
    let mut edges: Vec<_> = edges.into_iter().collect();
    edges.sort_unstable();
    Ok(edges)
}
