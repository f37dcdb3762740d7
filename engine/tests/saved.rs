//! Saved plans: applied as they are, or refused with what has moved.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Fault, Stop, World, block, kinds::registry, random, res, stack, urn, world::id};
use rayplat_engine::{
    error::Error,
    event::{Events, Summary},
    ops::{Engine, Report},
    plan::{Planning, render::render},
    saved::{Basis, SavedPlan},
    stack::Stack,
    store::{Binding, StateStore},
};
use std::sync::Arc;

/// Plans, writes the plan down and reads it again.
async fn save(world: &World, stack: &Stack) -> SavedPlan {
    let preview = world.preview(stack).await;
    let saved = world.engine().save(&preview, "test 1");
    SavedPlan::decode(&saved.encode().unwrap()).unwrap()
}

async fn apply(world: &World, stack: &Stack, saved: &SavedPlan) -> Result<Report, Error> {
    let result = world.engine().up_saved(stack, saved, Events::none(), world.interrupt.clone()).await;
    world.store.drain();
    result
}

fn outdated(result: Result<Report, Error>) -> String {
    match result {
        Err(Error::PlanOutdated(why)) => why,
        other => panic!("not outdated: {other:?}"),
    }
}

#[test]
fn it_is_applied_as_it_is() {
    block(async {
        let world = World::default();
        let first = stack(&[res("Look/look"), res("a").value_of("Look/look", "value"), res("b").parent("a", "id")]);
        let saved = save(&world, &first).await;
        let report = apply(&world, &first, &saved).await.unwrap();
        assert_eq!(report.summary, Summary { created: 2, ..Summary::default() });
        assert_eq!(report.plan, saved.plan);
        world.assert_settled(&first).await;

        let second = stack(&[res("Look/look"), res("a").value("new"), res("b").parent("a", "id").key("new"), res("c")]);
        let saved = save(&world, &second).await;
        let report = apply(&world, &second, &saved).await.unwrap();
        assert_eq!(report.summary, Summary { created: 1, updated: 1, replaced: 1, unchanged: 1, ..Summary::default() });
        world.assert_settled(&second).await;
    });
}

#[test]
fn what_was_insisted_on_is_insisted_on_when_it_is_applied() {
    block(async {
        let world = World::default();
        let things = stack(&[res("a"), res("b").dep("a")]);
        world.up(&things).await;
        let planning = Planning { replace: vec!["thing/a".to_owned()], ..Planning::default() };
        let preview = world.engine().planning(planning).preview(&things, Events::none()).await.unwrap();
        let saved = SavedPlan::decode(&world.engine().save(&preview, "test 1").encode().unwrap()).unwrap();
        let report = apply(&world, &things, &saved).await.unwrap();
        assert_eq!(report.summary, Summary { updated: 1, replaced: 1, ..Summary::default() });
        world.assert_settled(&things).await;
    });
}

#[test]
fn an_empty_plan_is_applied_too() {
    block(async {
        let world = World::default();
        let wanted = stack(&[res("a")]);
        world.up(&wanted).await;
        let saved = save(&world, &wanted).await;
        let report = apply(&world, &wanted, &saved).await.unwrap();
        assert_eq!(report.summary, Summary { unchanged: 1, ..Summary::default() });
    });
}

#[test]
fn a_run_in_between_outdates_it() {
    block(async {
        let world = World::default();
        let wanted = stack(&[res("a"), res("b")]);
        let saved = save(&world, &wanted).await;
        world.up(&stack(&[res("a")])).await;
        let calls = world.cloud.calls();
        let why = outdated(apply(&world, &wanted, &saved).await);
        assert_eq!(why, "the state has moved on: it was made after run 0, the last run is 1 now");
        assert_eq!(world.cloud.calls(), calls, "nothing was read or changed");
        assert_eq!(world.state().meta.unwrap().run, 1);
    });
}

#[test]
fn another_state_with_the_same_number_outdates_it() {
    block(async {
        let (world, other) = (World::default(), World::default());
        let wanted = stack(&[res("a"), res("b")]);
        world.up(&stack(&[res("a")])).await;
        other.up(&stack(&[res("b")])).await;
        let saved = save(&other, &wanted).await;
        assert_eq!(outdated(apply(&world, &wanted, &saved).await), "the state has changed since it was made");
    });
}

#[test]
fn other_wishes_outdate_it() {
    block(async {
        let world = World::default();
        let saved = save(&world, &stack(&[res("a")])).await;
        for other in [stack(&[res("a").value("x")]), stack(&[res("a").protect()]), stack(&[])] {
            assert_eq!(outdated(apply(&world, &other, &saved).await), "what is desired has changed since it was made");
        }
        assert_eq!(world.cloud.calls(), 0);
        assert!(world.state().meta.is_none());
    });
}

#[test]
fn drift_outdates_it_and_is_named() {
    block(async {
        let world = World::default();
        world.up(&stack(&[res("a"), res("b"), res("c")])).await;
        let wanted = stack(&[res("a").value("new"), res("b"), res("c")]);
        let saved = save(&world, &wanted).await;
        world.cloud.edit(&id(&world, "b"), |object| object.inputs.value = "edited".to_owned());
        world.cloud.vanish(&id(&world, "c"));
        let before = format!("{:?}", world.cloud.objects());
        let why = outdated(apply(&world, &wanted, &saved).await);
        assert_eq!(
            why,
            "the account has changed since it was made: create test:Thing/c#0 is needed now too; update test:Thing/b#0 is \
             needed now too (value)"
        );
        assert_eq!(format!("{:?}", world.cloud.objects()), before, "nothing of it was applied");
        // A plan made now says all of it.
        let saved = save(&world, &wanted).await;
        let report = apply(&world, &wanted, &saved).await.unwrap();
        assert_eq!(report.summary, Summary { created: 1, updated: 2, ..Summary::default() });
        world.assert_settled(&wanted).await;
    });
}

#[test]
fn drift_that_does_what_was_planned_outdates_it() {
    block(async {
        let world = World::default();
        world.up(&stack(&[res("a")])).await;
        let wanted = stack(&[res("a").value("new")]);
        let saved = save(&world, &wanted).await;
        world.cloud.edit(&id(&world, "a"), |object| object.inputs.value = "new".to_owned());
        let why = outdated(apply(&world, &wanted, &saved).await);
        assert!(why.ends_with("update test:Thing/a#0 is no longer needed"), "{why}");
    });
}

#[test]
fn drift_of_the_same_field_outdates_it() {
    block(async {
        let world = World::default();
        world.up(&stack(&[res("a")])).await;
        let wanted = stack(&[res("a").value("new")]);
        let saved = save(&world, &wanted).await;
        world.cloud.edit(&id(&world, "a"), |object| object.inputs.value = "edited".to_owned());
        let why = outdated(apply(&world, &wanted, &saved).await);
        assert!(why.ends_with("update test:Thing/a#0 would now change other things (value)"), "{why}");
    });
}

#[test]
fn an_interrupted_run_is_taken_up_first() {
    block(async {
        let world = World::default();
        let wanted = stack(&[res("a"), res("Slow/b")]);
        world.cloud.script("Create", "b", Fault::Timeout, 1);
        world.cloud.stop_at(Some(Stop { call: 2, after: true }));
        assert!(world.or_stopped(world.try_up(&wanted)).await.is_none());
        world.cloud.restart();
        let saved = save(&world, &wanted).await;
        assert!(world.state().objects.values().any(|object| object.phase.pending()));
        let why = outdated(apply(&world, &wanted, &saved).await);
        assert_eq!(why, "what an interrupted run had begun was taken up first");
        assert!(world.state().objects.values().all(|object| !object.phase.pending()));
        world.check_integrity().unwrap();
        let saved = save(&world, &wanted).await;
        assert!(apply(&world, &wanted, &saved).await.unwrap().summary.complete());
        world.assert_settled(&wanted).await;
    });
}

#[test]
fn a_plan_for_another_place_is_refused_before_anything_is_read() {
    block(async {
        let world = World::default();
        let wanted = stack(&[res("a")]);
        let saved = save(&world, &wanted).await;
        let elsewhere = Binding { account: "999999999999".into(), ..saved.binding.clone() };
        let refused = apply(&world, &wanted, &SavedPlan { binding: elsewhere, ..saved.clone() }).await;
        let Err(Error::PlanBinding { bound, found }) = refused else { panic!("{refused:?}") };
        assert!(bound.contains("999999999999") && found.contains("000000000000"), "{bound} {found}");
        let other = apply(&world, &Stack::new("other"), &saved).await;
        assert!(matches!(other, Err(Error::PlanBinding { .. })), "{other:?}");
        assert_eq!(world.cloud.calls(), 0);
    });
}

#[test]
fn damage_is_found_wherever_it_is() {
    block(async {
        let world = World::default();
        let preview = world.preview(&stack(&[res("a"), res("b").dep("a")])).await;
        let bytes = world.engine().save(&preview, "test 1").encode().unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(matches!(SavedPlan::decode(&damaged), Err(Error::PlanFile(_))), "byte {at}");
            assert!(matches!(SavedPlan::decode(&bytes[..at]), Err(Error::PlanFile(_))), "cut at {at}");
        }
        let text = String::from_utf8(bytes).unwrap();
        let newer = SavedPlan::decode(text.replacen(r#""format":1"#, r#""format":2"#, 1).as_bytes());
        assert_eq!(
            newer.unwrap_err().to_string(),
            "the saved plan cannot be used: its format is 2; this version reads 1"
        );
    });
}

#[test]
fn a_failed_step_is_in_the_report() {
    block(async {
        let world = World::default();
        let wanted = stack(&[res("a"), res("b").dep("a")]);
        let saved = save(&world, &wanted).await;
        world.cloud.script("Create", "a", Fault::Denied, 1);
        let report = apply(&world, &wanted, &saved).await.unwrap();
        assert_eq!(report.summary, Summary { failed: 1, skipped: 1, ..Summary::default() });
    });
}

/// A plan that went through a file does the same as one that did not.
#[test]
fn the_file_changes_nothing_of_a_plan() {
    for seed in 0..200 {
        block(async {
            let mut rng = fastrand::Rng::with_seed(seed);
            let specs = random::specs(&mut rng, 12);
            let versions = [0, 1].map(|version| stack(&random::build(&specs, version)));
            let (direct, filed) = (World::default(), World::default());
            for wanted in &versions {
                let expected = direct.try_up(wanted).await.unwrap();
                let saved = save(&filed, wanted).await;
                let report = apply(&filed, wanted, &saved).await.unwrap();
                assert_eq!(report.summary, expected.summary, "seed {seed}");
                assert_eq!(render(&report.plan), render(&expected.plan), "seed {seed}");
                filed.assert_settled(wanted).await;
            }
        });
    }
}

#[test]
fn the_basis_tells_stacks_and_states_apart() {
    block(async {
        let world = World::default();
        let (one, two) = (stack(&[res("a")]), stack(&[res("a")]));
        assert_eq!(Basis::of(&one, &world.state()).unwrap(), Basis::of(&two, &world.state()).unwrap());
        let linked = [stack(&[res("a"), res("b")]), stack(&[res("a"), res("b").after("a")])];
        let [plain, after] = linked.map(|stack| Basis::of(&stack, &world.state()).unwrap());
        assert_ne!(plain.desired, after.desired);
        // The engine that previews need not be the one that applies.
        let store: Arc<dyn StateStore> = Arc::new(world.store.clone());
        let other = Engine::new(registry(&world.cloud), store, world.options.clone());
        let saved = save(&world, &one).await;
        let report = other.up_saved(&one, &saved, Events::none(), world.interrupt.clone()).await.unwrap();
        assert_eq!(report.summary.created, 1);
        assert_eq!(world.cloud.of(&urn("a")).len(), 1);
    });
}
