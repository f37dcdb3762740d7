//! What holds of every plan, for random graphs, random states and random wishes.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{
    World, block,
    kinds::registry,
    random::{Spec, Version, build},
    stack,
};
use petgraph::{algo::is_cyclic_directed, graph::DiGraph};
use proptest::{prelude::*, test_runner::RngSeed};
use rayplat_engine::{
    plan::{Plan, Reason, StepId, plan, render::render},
    provider::{Action, ReplaceOrder},
    stack::Stack,
    store::{Checkpoint, Object, ObjectKey, Phase},
};
use serde_json::Value;

fn version() -> impl Strategy<Value = Version> {
    let links = prop::collection::vec((any::<u8>(), any::<u8>()), 0..3);
    (prop::bool::weighted(0.85), 0..3u8, 0..3u8, links).prop_map(|(present, value, key, links)| Version {
        present,
        value,
        key,
        links,
    })
}

/// Half of the resources change in any way, half in one small way or none.
fn spec() -> impl Strategy<Value = Spec> {
    (any::<u8>(), version(), version(), 0..8u8).prop_map(|(kind, first, other, how)| {
        let mut second = first.clone();
        match how {
            0..4 => second = other,
            4 => second.value += 1,
            5 => second.key += 1,
            _ => {}
        }
        Spec { kind, versions: [first, second] }
    })
}

fn specs() -> impl Strategy<Value = Vec<Spec>> {
    prop::collection::vec(spec(), 1..14)
}

/// What else a state may hold: leftovers of runs that ended badly.
#[derive(Debug, Clone)]
enum Scar {
    None,
    /// Its creation failed.
    Broken,
    /// Its successor's creation failed.
    BrokenSuccessor,
    /// A predecessor could not be deleted.
    Deposed,
    /// Its creation was interrupted.
    Creating,
    /// The replacement's creation was interrupted.
    CreatingSuccessor,
}

fn scars() -> impl Strategy<Value = Vec<Scar>> {
    let scar = prop_oneof![
        6 => Just(Scar::None),
        1 => Just(Scar::Broken),
        1 => Just(Scar::BrokenSuccessor),
        1 => Just(Scar::Deposed),
        1 => Just(Scar::Creating),
        1 => Just(Scar::CreatingSuccessor),
    ];
    prop::collection::vec(scar, 14)
}

fn scarred(mut state: Checkpoint, scars: &[Scar]) -> Checkpoint {
    let objects: Vec<Object> = state.objects.values().filter(|object| !object.data).cloned().collect();
    for (mut object, scar) in objects.into_iter().zip(scars) {
        let broken = Phase::Broken { error: "CREATE_FAILED".into() };
        let mut successor = Object { generation: object.generation + 1, ..object.clone() };
        match scar {
            Scar::None => continue,
            Scar::Broken => (object.phase, object.outputs) = (broken, Value::Null),
            Scar::Creating => (object.phase, object.outputs) = (Phase::Creating, Value::Null),
            Scar::Deposed => object.deposed = true,
            Scar::BrokenSuccessor => {
                (successor.phase, successor.deposed, successor.outputs) = (broken, true, Value::Null);
            }
            Scar::CreatingSuccessor => (successor.phase, successor.outputs) = (Phase::Creating, Value::Null),
        }
        if matches!(scar, Scar::Deposed | Scar::BrokenSuccessor | Scar::CreatingSuccessor) {
            state.objects.insert(successor.key(), successor);
        }
        state.objects.insert(object.key(), object);
    }
    state
}

/// The state that an account without faults leaves.
fn state_of(specs: &[Spec]) -> Checkpoint {
    block(async {
        let world = World::default();
        world.up(&stack(&build(specs, 0))).await.state
    })
}

fn planned(desired: &Stack, state: &Checkpoint) -> Plan {
    plan(desired, state, &registry(&World::default().cloud)).unwrap()
}

/// Everything that must be done before each step.
fn before(plan: &Plan) -> BTreeMap<StepId, BTreeSet<StepId>> {
    let mut before: BTreeMap<StepId, BTreeSet<StepId>> = BTreeMap::new();
    loop {
        let mut changed = false;
        for (from, to) in &plan.edges {
            let mut reached = before.get(from).cloned().unwrap_or_default();
            reached.insert(*from);
            let known = before.entry(*to).or_default();
            let count = known.len();
            known.extend(reached);
            changed |= known.len() > count;
        }
        if !changed {
            return before;
        }
    }
}

fn check(desired: &Stack, state: &Checkpoint, plan: &Plan) -> Result<(), TestCaseError> {
    let graph = DiGraph::<(), (), u32>::from_edges(plan.edges.iter().map(|(from, to)| (from.0, to.0)));
    prop_assert!(!is_cyclic_directed(&graph));
    let before = before(plan);
    let waits = |step: StepId, on: StepId| before.get(&step).is_some_and(|before| before.contains(&on));
    let forward: BTreeMap<_, _> =
        plan.steps.iter().filter(|step| step.action != Action::Delete).map(|step| (&step.urn, step)).collect();
    let deletes: BTreeMap<ObjectKey, _> =
        plan.steps.iter().filter(|step| step.action == Action::Delete).map(|step| (step.key(), step)).collect();

    for (place, step) in plan.steps.iter().enumerate() {
        prop_assert_eq!(step.id.index(), place);
        if let Some(pair) = &step.pair {
            let partner = &plan.steps[pair.partner.index()];
            prop_assert_eq!(partner.pair.as_ref().map(|pair| pair.partner), Some(step.id));
            prop_assert_eq!(&partner.urn, &step.urn);
            let (create, delete) = if step.action == Action::Create { (step, partner) } else { (partner, step) };
            prop_assert_eq!((create.action, delete.action), (Action::Create, Action::Delete));
            prop_assert_eq!(&delete.key(), &pair.old);
            prop_assert!(create.generation > delete.generation);
            match pair.order {
                ReplaceOrder::CreateThenDelete => prop_assert!(waits(delete.id, create.id)),
                ReplaceOrder::DeleteThenCreate => prop_assert!(waits(create.id, delete.id)),
            }
        }
    }
    // Every resource: made if it is not there, with a partner if it stands and must be another.
    for resource in desired.resources() {
        let step = forward.get(&resource.urn);
        let Some(current) = state.current(&resource.urn) else {
            prop_assert!(step.is_some_and(|step| step.pair.is_none()), "{} is not made", resource.urn);
            continue;
        };
        let Some(step) = step else {
            prop_assert!(plan.unchanged.contains(&resource.urn));
            continue;
        };
        if step.action == Action::Create && current.phase != Phase::Creating {
            prop_assert!(step.pair.is_some(), "{} gets a second object", resource.urn);
        }
        if step.reason == Reason::Interrupted {
            continue;
        }
        let changed = step.action == Action::Update;
        for on in if changed { resource.changes_after() } else { resource.depends_on() } {
            if let Some(needed) = forward.get(&on) {
                prop_assert!(waits(step.id, needed.id), "{} does not wait for {on}", resource.urn);
            }
        }
        // The order of changes gives way only where something else says the opposite.
        let first = resource.after_update.iter().filter_map(|urn| forward.get(urn));
        for first in first.filter(|first| first.action == Action::Update && (changed || step.pair.is_some())) {
            prop_assert!(waits(step.id, first.id) || waits(first.id, step.id), "{} and {}", step.urn, first.urn);
        }
    }
    // Every object: stands for its resource or goes; goes after what was made from it.
    for (key, object) in &state.objects {
        let current = state.current(&key.urn).is_some_and(|current| current.key() == *key);
        let kept = desired.get(&key.urn).is_some() && current;
        if object.data {
            prop_assert_eq!(plan.forget.contains(key), !kept);
            continue;
        }
        prop_assert!(kept || deletes.contains_key(key), "{key} is left over");
        let Some(own) = deletes.get(key) else { continue };
        for on in &object.depends_on {
            for delete in deletes.values().filter(|delete| delete.urn == *on) {
                prop_assert!(waits(delete.id, own.id), "{} goes before {key}, which was made from it", delete.urn);
            }
        }
    }
    // What is changed lets go before, unless it needs the successor of what goes.
    for (key, object) in &state.objects {
        let Some(step) = forward.get(&key.urn).filter(|step| step.action == Action::Update) else { continue };
        if step.generation != key.generation {
            continue;
        }
        for delete in deletes.values().filter(|delete| object.depends_on.contains(&delete.urn)) {
            prop_assert!(
                waits(delete.id, step.id) || waits(step.id, delete.id),
                "{} goes while {key} still refers to it",
                delete.key()
            );
        }
    }
    Ok(())
}

/// Four times the usual, unless PROPTEST_CASES says otherwise.
fn cases() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: usual.cases * 4, ..usual }
}

proptest! {
    // The same cases each time: a failure must not come and go with the weather. Look for new ones
    // with PROPTEST_CASES and another seed.
    #![proptest_config(ProptestConfig { rng_seed: RngSeed::Fixed(7), failure_persistence: None, ..cases() })]

    #[test]
    fn plans_are_sound(specs in specs()) {
        let desired = stack(&build(&specs, 1));
        let state = state_of(&specs);
        let plan = planned(&desired, &state);
        check(&desired, &state, &plan)?;
        check(&stack(&[]), &state, &planned(&stack(&[]), &state))?;
    }

    #[test]
    fn plans_are_sound_whatever_bad_runs_left(specs in specs(), scars in scars()) {
        let desired = stack(&build(&specs, 1));
        let state = scarred(state_of(&specs), &scars);
        let plan = planned(&desired, &state);
        let text = |error| TestCaseError::fail(format!("{error}\n{}", render(&plan)));
        check(&desired, &state, &plan).map_err(text)?;
    }

    #[test]
    fn the_same_plan_each_time_and_after_being_saved(specs in specs(), scars in scars()) {
        let desired = stack(&build(&specs, 1));
        let state = scarred(state_of(&specs), &scars);
        let plan = planned(&desired, &state);
        prop_assert_eq!(&plan, &planned(&desired, &state));
        let saved = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(&plan, &serde_json::from_str::<Plan>(&saved).unwrap());
        let kept: Checkpoint = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
        prop_assert_eq!(&plan, &planned(&desired, &kept));
    }

    #[test]
    fn a_plan_does_what_it_says_and_then_nothing_is_left_to_do(specs in specs(), parallelism in 1..9usize) {
        block(async {
            let mut world = World::default();
            world.options.parallelism = parallelism;
            for version in [0, 1] {
                let desired = stack(&build(&specs, version));
                let plan = world.preview(&desired).await.plan;
                let report = world.try_up(&desired).await.unwrap();
                let failures = world.log.failures();
                prop_assert!(report.summary.complete(), "{failures:?}\n{}", render(&plan));
                prop_assert_eq!(&report.plan.steps, &plan.steps);
                prop_assert_eq!(&report.plan.edges, &plan.edges);
                world.assert_settled(&desired).await;
                // Nothing had to wait for something that the plan should have put before it.
                prop_assert_eq!(world.refused(), Vec::<String>::new());
            }
            world.down().await;
            world.assert_settled(&stack(&[])).await;
            prop_assert_eq!(world.refused(), Vec::<String>::new());
            Ok(())
        })?;
    }
}
