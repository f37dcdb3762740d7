//! From decisions to steps. The one file that makes edges.
//!
//! For a resource r: F(r) is its forward step (create, update, read), D(o) the
//! deletion of an object o.
//!
//! | edge | why |
//! |---|---|
//! | F(d) -> F(r) | r depends on d (not if F(r) takes up what was begun when d stood; not if F(r) is an update and r waits for d only to be made) |
//! | F(r) -> D(old) | create-then-delete |
//! | D(old) -> F(r) | delete-then-create |
//! | D(p) -> D(o) | the object p was made from o's resource, or goes before it |
//! | F(p) -> D(o) | p lets go of o by being changed (not if p waits for o's successor, which waits for D(o)) |
//! | F(d) -> D(old) | an uncertain delete-then-create is compared again before it begins |
//! | F(u) -> F(r) | F(u) is an update, r stands and is changed after u where both are |
//!
//! Where edges would close a circle, three kinds give way: F(u) -> F(r) first, which is order
//! alone; then F(p) -> D(o); then D(p) -> D(o), which circles only if the state remembers two eras
//! in which resources depended on each other the other way round.

use std::collections::{BTreeSet, HashMap, HashSet};

use petgraph::{
    algo::tarjan_scc,
    graph::{DiGraph, NodeIndex},
};

use crate::{
    error::Error,
    plan::{
        Pair, Plan, Planning, Reason, Relink, Step, StepId,
        decide::{Decision, Verdict, provider},
    },
    provider::{Action, Refusal, Registry, ReplaceOrder},
    stack::{Resource, Stack},
    store::{Checkpoint, Object, ObjectKey, Phase},
    urn::Urn,
    value::Planned,
};

struct Expansion<'a> {
    checkpoint: &'a Checkpoint,
    registry: &'a Registry,
    planning: &'a Planning,
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
    planning: &Planning,
) -> Result<Plan, Error> {
    let mut expansion = Expansion {
        checkpoint,
        registry,
        planning,
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
        expansion.plan.kept.extend(decision.kept.iter().cloned());
    }
    if !planning.purge {
        expansion.plan.retained = expansion.retained(stack).into_iter().collect();
    }
    expansion.deletions(stack)?;
    expansion.edges(stack, &decisions)?;
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

    /// How long a decided step should take, milliseconds.
    fn expected_of(&self, decision: &Decision<'_>, action: Action) -> Result<u64, Error> {
        let urn = &decision.resource.urn;
        match decision.current {
            Some(object) if action == Action::Update => {
                let usual = provider(self.registry, urn)?.expected_change(&object.inputs, &decision.planned);
                Ok(u64::try_from(usual.as_millis()).unwrap_or(u64::MAX))
            }
            current => self.expected(urn, action, current),
        }
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
            expected_ms: self.expected_of(decision, action)?,
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
        // The order was decided for the chain of its time and says nothing about this one's.
        if object.depends_on != decision.depends_on {
            self.plan.relinks.push(Relink {
                key: object.key(),
                depends_on: decision.depends_on.clone(),
                replace_order: object.replace_order,
            });
        }
    }

    fn deletion(&mut self, object: &Object, reason: Reason) -> Result<StepId, Error> {
        if !object.claimed {
            // What cannot be proved to be ours is never deleted.
            return Err(Error::Unclaimed { urn: object.urn.clone(), id: object.id.clone().unwrap_or_default() });
        }
        if object.phase == Phase::Live {
            let provider = provider(self.registry, &object.urn)?;
            let refused = |Refusal { reason, hint }| Error::Refused { urn: object.urn.clone(), reason, hint };
            provider.refuse_delete(&object.inputs).map_or(Ok(()), |refusal| Err(refused(refusal)))?;
            self.plan.along.extend(provider.goes_along(&object.outputs, self.planning).map_err(refused)?);
        }
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

    /// What is no longer desired and is kept for what it holds, and all that it was made from:
    /// a bucket is of no use without the key of its objects.
    fn retained(&self, stack: &Stack) -> BTreeSet<ObjectKey> {
        let removed = |urn: &Urn| self.checkpoint.current(urn).filter(|_| stack.get(urn).is_none());
        let holds = |object: &&Object| {
            let whole = matches!(object.phase, Phase::Live | Phase::Updating { .. });
            whole && self.registry.get(object.urn.kind()).is_some_and(|provider| provider.keeps(&object.inputs))
        };
        let holding = self.checkpoint.objects.values().filter_map(|object| removed(&object.urn)).filter(holds);
        let mut open: Vec<&Object> = holding.collect();
        let mut kept = BTreeSet::new();
        while let Some(object) = open.pop() {
            if kept.insert(object.key()) {
                open.extend(object.depends_on.iter().filter_map(removed));
            }
        }
        kept
    }

    /// Deletions of what is no longer desired, newest first.
    fn deletions(&mut self, stack: &Stack) -> Result<(), Error> {
        let checkpoint = self.checkpoint;
        for object in checkpoint.objects.values().rev() {
            let desired = stack.get(&object.urn).is_some();
            let current = checkpoint.current(&object.urn).is_some_and(|current| current.key() == object.key());
            let retained = self.plan.retained.contains(&object.key());
            if (desired && current) || retained || self.deletes.contains_key(&object.key()) {
                continue;
            }
            if object.data {
                self.plan.forget.push(object.key());
            } else {
                let reason = match &object.phase {
                    Phase::Broken { error } => Reason::Broken { error: error.clone() },
                    _ if desired => Reason::Deposed,
                    _ => Reason::Removed,
                };
                self.deletion(object, reason)?;
            }
        }
        Ok(())
    }

    /// The step that takes up an interrupted creation of the object's successor.
    fn taken_up(&self, object: &Object) -> Option<StepId> {
        let step = *self.forward.get(&object.urn)?;
        let forward = &self.plan.steps[step.index()];
        (forward.reason == Reason::Interrupted && forward.generation > object.generation).then_some(step)
    }

    fn edges(&mut self, stack: &Stack, decisions: &[Decision<'_>]) -> Result<(), Error> {
        let (mut hard, mut soft) = (HashSet::new(), [HashSet::new(), HashSet::new(), HashSet::new()]);
        for decision in decisions {
            let Some(step) = self.forward.get(&decision.resource.urn).copied() else { continue };
            // What was interrupted is taken up as it began, before all else.
            let taken_up = self.plan.steps[step.index()].reason == Reason::Interrupted;
            if !taken_up {
                let waits_for = self.waits_for(decision.resource);
                hard.extend(waits_for.iter().filter_map(|on| self.forward.get(on)).map(|before| (*before, step)));
            }
            self.pair_edges(decision, step, &mut hard);
        }
        for (key, delete) in &self.deletes {
            let take_up = self.checkpoint.objects.get(key).and_then(|object| self.taken_up(object));
            hard.extend(take_up.map(|create| (create, *delete)));
        }
        let [between, letting_go, in_order] = &mut soft;
        self.deletion_edges(stack, between, letting_go);
        self.order_edges(decisions, in_order);
        self.plan.edges = acyclic(&self.plan, hard, soft)?;
        Ok(())
    }

    /// What a resource's forward step waits for.
    fn waits_for(&self, resource: &Resource) -> BTreeSet<Urn> {
        if self.action(&resource.urn) == Some(Action::Update) {
            resource.changes_after()
        } else {
            resource.depends_on()
        }
    }

    /// What a resource's forward step does.
    fn action(&self, urn: &Urn) -> Option<Action> {
        self.forward.get(urn).map(|step| self.plan.steps[step.index()].action)
    }

    /// Changes of what stands, in the order that the stack gives them.
    fn order_edges(&self, decisions: &[Decision<'_>], in_order: &mut Edges) {
        for decision in decisions {
            let Some(then) = self.forward.get(&decision.resource.urn).copied() else { continue };
            let step = &self.plan.steps[then.index()];
            if step.action != Action::Update && step.pair.is_none() {
                continue;
            }
            let changed = |urn: &&Urn| self.action(urn) == Some(Action::Update);
            let first = decision.resource.after_update.iter().filter(changed);
            in_order.extend(first.filter_map(|urn| self.forward.get(urn)).map(|first| (*first, then)));
        }
    }

    fn pair_edges(&self, decision: &Decision<'_>, create: StepId, hard: &mut HashSet<(StepId, StepId)>) {
        let Some(pair) = &self.plan.steps[create.index()].pair else { return };
        match pair.order {
            ReplaceOrder::CreateThenDelete => {
                hard.insert((create, pair.partner));
            }
            ReplaceOrder::DeleteThenCreate => {
                hard.insert((pair.partner, create));
                if !pair.certain {
                    for on in &decision.depends_on {
                        if let Some(before) = self.forward.get(on) {
                            hard.insert((*before, pair.partner));
                        }
                    }
                }
            }
        }
    }

    /// `between` deletions, and from changes that are `letting_go` of an object.
    fn deletion_edges(&self, stack: &Stack, between: &mut Edges, letting_go: &mut Edges) {
        let mut by_urn: HashMap<&Urn, Vec<StepId>> = HashMap::new();
        for (key, step) in &self.deletes {
            by_urn.entry(&key.urn).or_default().push(*step);
        }
        for object in self.checkpoint.objects.values() {
            let own = self.deletes.get(&object.key()).copied();
            let change = self.letting_go(object, own);
            for on in &object.depends_on {
                for delete in by_urn.get(on).into_iter().flatten().copied() {
                    between.extend(own.map(|own| (own, delete)));
                    if let Some(change) = change
                        && !self.waits(stack, &object.urn, delete)
                    {
                        letting_go.insert((change, delete));
                    }
                }
            }
        }
    }

    /// The step by which an object may let go of what it was made from other than by its
    /// own deletion.
    fn letting_go(&self, object: &Object, own: Option<StepId>) -> Option<StepId> {
        let Some(own) = own else { return self.forward.get(&object.urn).copied() };
        // An uncertain replacement may turn into an update: its second half.
        let pair = self.plan.steps[own.index()].pair.as_ref()?;
        (!pair.certain && pair.order == ReplaceOrder::DeleteThenCreate).then_some(pair.partner)
    }

    /// True if `urn` depends on what comes in the place of what `delete` destroys.
    fn waits(&self, stack: &Stack, urn: &Urn, delete: StepId) -> bool {
        let delete = &self.plan.steps[delete.index()];
        let goes_first = delete.pair.as_ref().is_some_and(|pair| pair.order == ReplaceOrder::DeleteThenCreate);
        goes_first && stack.get(urn).is_some_and(|resource| self.waits_for(resource).contains(&delete.urn))
    }
}

type Edges = HashSet<(StepId, StepId)>;

/// Drops soft edges that would close a circle, those of the last set first: letting go of
/// an object by a change is impossible when that change itself waits for the deletion.
fn acyclic(plan: &Plan, hard: Edges, soft: [Edges; 3]) -> Result<Vec<(StepId, StepId)>, Error> {
    let mut edges = hard;
    for soft in soft {
        let firm = edges.clone();
        edges.extend(soft);
        for circle in circles(&edges) {
            let within = |edge: &(StepId, StepId)| circle.contains(&edge.0) && circle.contains(&edge.1);
            let behind = behind(&firm, &edges, within);
            edges.retain(|edge| firm.contains(edge) || !within(edge) || !behind[&edge.1].contains(&edge.0));
        }
        // What is left closes circles only together: none of it can be relied on.
        for circle in circles(&edges) {
            edges.retain(|edge| firm.contains(edge) || !(circle.contains(&edge.0) && circle.contains(&edge.1)));
        }
    }
    if let Some(circle) = circles(&edges).first() {
        return Err(Error::Cycle(circle.iter().map(|step| plan.steps[step.index()].urn.clone()).collect()));
    }
    let mut edges: Vec<_> = edges.into_iter().collect();
    edges.sort_unstable();
    Ok(edges)
}

/// The groups of steps that wait for each other.
fn circles(edges: &Edges) -> Vec<BTreeSet<StepId>> {
    let graph = DiGraph::<(), (), u32>::from_edges(edges.iter().map(|(from, to)| (from.0, to.0)));
    let circles = tarjan_scc(&graph).into_iter().filter(|component| component.len() > 1);
    let step = |node: NodeIndex<u32>| StepId(u32::try_from(node.index()).unwrap_or(u32::MAX));
    circles.map(|component| component.into_iter().map(step).collect()).collect()
}

/// For the end of each edge of `edges` within a circle that is not firm: the steps that
/// wait for it by firm edges.
fn behind(firm: &Edges, edges: &Edges, within: impl Fn(&(StepId, StepId)) -> bool) -> HashMap<StepId, HashSet<StepId>> {
    let mut next: HashMap<StepId, Vec<StepId>> = HashMap::new();
    for (from, to) in firm.iter().filter(|edge| within(edge)) {
        next.entry(*from).or_default().push(*to);
    }
    let reach = |from: StepId| {
        let mut seen = HashSet::from([from]);
        let mut open = vec![from];
        while let Some(at) = open.pop() {
            open.extend(next.get(&at).into_iter().flatten().filter(|next| seen.insert(**next)));
        }
        seen
    };
    let mut behind = HashMap::new();
    for (_, to) in edges.iter().filter(|edge| within(edge) && !firm.contains(edge)) {
        behind.entry(*to).or_insert_with(|| reach(*to));
    }
    behind
}
