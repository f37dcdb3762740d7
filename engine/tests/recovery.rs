//! What a run does about failures, lost responses, other people's objects and interrupts.
#![allow(clippy::unwrap_used)]

mod common;

use std::time::Duration;

use common::{
    Cloud, Fault, Item, Moment, World, block,
    kinds::ThingInputs,
    res, stack, urn,
    world::{failure, id},
};
use rayplat_engine::{
    error::{Error, ErrorClass, Leftover},
    event::{Event, Summary},
    store::Phase,
};
use tokio::time::Instant;

#[test]
fn a_broken_object_is_replaced_even_if_its_deletion_fails_first() {
    block(async {
        let world = World::default();
        let wanted = stack(&[res("Slow/a"), res("b").dep("Slow/a")]);
        world.cloud.script("Create", "Slow/a", Fault::Failed, 1);
        let report = world.try_up(&wanted).await.unwrap();
        assert_eq!(report.summary, Summary { failed: 1, skipped: 1, ..Summary::default() });
        let broken = id(&world, "Slow/a");
        assert_eq!(failure(&world, "Slow/a").1, Leftover::Known(broken.clone()));
        assert!(matches!(world.state().current(&urn("Slow/a")).unwrap().phase, Phase::Broken { .. }));

        world.cloud.script("Delete", "Slow/a", Fault::Denied, 1);
        let report = world.try_up(&wanted).await.unwrap();
        assert_eq!((report.summary.replaced, report.summary.failed), (1, 1));
        world.up(&wanted).await;
        assert_ne!(id(&world, "Slow/a"), broken);
        world.assert_settled(&wanted).await;
    });
}

#[test]
fn a_creation_that_can_never_be_finished_gives_way_to_other_inputs() {
    block(async {
        let world = World::default();
        let wanted = |key| stack(&[res("Slow/a").key(key)]);
        world.cloud.script("Describe", "Slow/a", Fault::Invalid, 1);
        assert_eq!(world.try_up(&wanted("bad")).await.unwrap().summary.failed, 1);
        assert!(matches!(failure(&world, "Slow/a").1, Leftover::Known(_)));
        world.up(&wanted("good")).await;
        world.assert_settled(&wanted("good")).await;
    });
}

#[test]
fn a_creation_that_can_never_be_finished_is_known_even_if_it_is_not_visible_yet() {
    block(async {
        let world = World::default();
        world.cloud.script("Create", "Slow/a", Fault::Late, 1);
        world.cloud.script("Describe", "Slow/a", Fault::Invalid, 1);
        assert_eq!(world.try_up(&stack(&[res("Slow/a")])).await.unwrap().summary.failed, 1);
        assert_eq!(failure(&world, "Slow/a").1, Leftover::Known(id(&world, "Slow/a")));
        world.down().await;
        world.assert_settled(&stack(&[])).await;
    });
}

#[test]
fn a_creation_without_permission_to_watch_it_is_taken_up_later() {
    block(async {
        let world = World::default();
        let wanted = stack(&[res("Slow/a")]);
        world.cloud.script("Describe", "Slow/a", Fault::Denied, 1);
        assert_eq!(world.try_up(&wanted).await.unwrap().summary.failed, 1);
        assert_eq!(failure(&world, "Slow/a").1, Leftover::Unknown);
        let made = id(&world, "Slow/a");
        let report = world.up(&wanted).await;
        assert_eq!(report.summary, Summary { created: 1, ..Summary::default() });
        assert_eq!(id(&world, "Slow/a"), made);
    });
}

#[test]
fn lost_responses_and_late_objects_are_looked_for() {
    for kind in ["Thing", "Fixed", "Key", "Slow"] {
        for fault in [Fault::Lost, Fault::LostAndLate, Fault::Late, Fault::Before, Fault::Timeout] {
            block(async {
                let world = World::default();
                let name = format!("{kind}/a");
                let wanted = stack(&[res(&name), res("b").dep(&name)]);
                world.cloud.script("Create", kind, fault, 1);
                let report = world.up(&wanted).await;
                assert_eq!(report.summary.created, 2, "{kind} {fault:?}");
                world.assert_settled(&wanted).await;
            });
        }
    }
}

#[test]
fn an_object_that_appears_late_is_not_made_again_by_the_next_run() {
    // The look fails too, so that the run ends without knowing; the next one comes at once.
    for kind in ["Thing", "Fixed", "Key"] {
        block(async {
            let world = World::default();
            let name = format!("{kind}/a");
            let wanted = stack(&[res(&name)]);
            world.cloud.script("Create", kind, Fault::LostAndLate, 1);
            world.cloud.script(if kind == "Key" { "List" } else { "Find" }, kind, Fault::Denied, 1);
            assert_eq!(world.try_up(&wanted).await.unwrap().summary.failed, 1);
            assert_eq!(failure(&world, &name).1, Leftover::Unknown);
            world.up(&wanted).await;
            assert_eq!(world.log.called("Create"), ["a"], "{kind}");
            world.assert_settled(&wanted).await;
        });
    }
}

#[test]
fn an_object_that_reads_do_not_show_yet_is_not_given_up() {
    block(async {
        let world = World::default();
        let wanted = stack(&[res("Key/a")]);
        world.cloud.script("Create", "Key", Fault::Late, 1);
        world.up(&wanted).await;
        assert_eq!(world.up(&wanted).await.summary, Summary { unchanged: 1, ..Summary::default() });
        assert_eq!(world.log.called("Create"), ["a"]);
    });
}

#[test]
fn a_successor_without_a_name_is_not_mistaken_for_its_predecessor() {
    block(async {
        let world = World::default();
        let wanted = |key| stack(&[res("Key/a").key(key)]);
        world.up(&wanted("one")).await;
        let old = id(&world, "Key/a");
        world.cloud.script("Create", "Key", Fault::LostAndLate, 1);
        world.up(&wanted("two")).await;
        assert_ne!(id(&world, "Key/a"), old);
        world.assert_settled(&wanted("two")).await;
    });
}

#[test]
fn ours_is_adopted_when_the_state_is_lost() {
    block(async {
        let world = World::default();
        let first = stack(&[res("a"), res("Fixed/b").dep("a"), res("Key/c").dep("a")]);
        world.up(&first).await;
        let ids: Vec<_> = world.cloud.objects().into_iter().map(|object| object.id).collect();
        world.store.lose_everything();
        // A key has no name: nothing in the account refuses a second one.
        let wanted = stack(&[res("a").value("new"), res("Fixed/b").dep("a")]);
        world.cloud.vanish(&id(&world, "Key/c"));
        world.up(&wanted).await;
        world.assert_settled(&wanted).await;
        assert_eq!(world.cloud.objects().into_iter().map(|object| object.id).collect::<Vec<_>>(), ids[..2]);
    });
}

#[test]
fn ours_that_cannot_be_made_fit_is_refused_and_left_alone() {
    block(async {
        let world = World::default();
        world.up(&stack(&[res("a")])).await;
        world.store.lose_everything();
        let report = world.try_up(&stack(&[res("a").key("other")])).await.unwrap();
        assert_eq!(report.summary.failed, 1);
        let (class, _, text) = failure(&world, "a");
        assert_eq!(class, ErrorClass::AlreadyExists);
        assert!(text.contains("its `key` cannot be changed"), "{text}");
        assert_eq!(world.cloud.objects()[0].inputs.key, "k");
    });
}

#[test]
fn somebody_elses_is_refused_and_not_touched() {
    block(async {
        let world = World::default();
        let inputs = ThingInputs { value: "theirs".into(), ..ThingInputs::default() };
        let theirs = Cloud::planted(&urn("Fixed/a"), "fixed-a", "another stack", inputs.clone());
        world.cloud.plant(theirs);
        let report = world.try_up(&stack(&[res("Fixed/a"), res("b").dep("Fixed/a"), res("c")])).await.unwrap();
        assert_eq!(report.summary, Summary { created: 1, failed: 1, skipped: 1, ..Summary::default() });
        let (class, leftover, text) = failure(&world, "Fixed/a");
        assert_eq!((class, leftover), (ErrorClass::AlreadyExists, Leftover::None));
        assert!(text.contains("somebody else's and was not touched"), "{text}");
        let [object] = world.cloud.of(&urn("Fixed/a")).try_into().unwrap();
        assert_eq!((object.inputs, object.nonce.as_str()), (inputs, "another"));
        assert!(world.state().current(&urn("Fixed/a")).is_none());
    });
}

#[test]
fn the_first_interrupt_finishes_what_runs() {
    block(async {
        let world = World::default();
        let wanted = stack(&[res("Slow/a"), res("Slow/b"), res("c").dep("Slow/a")]);
        let interrupt = async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            world.interrupt.raise();
        };
        let (report, ()) = tokio::join!(world.try_up(&wanted), interrupt);
        let report = report.unwrap();
        assert_eq!(report.summary, Summary { created: 2, skipped: 1, ..Summary::default() });
        assert!(world.state().objects.values().all(|object| object.phase == Phase::Live));
        let skipped = |item: &Item| matches!(item, Item::Event(Event::StepSkipped { because: None, .. }));
        assert_eq!(world.log.items().iter().filter(|item| skipped(item)).count(), 1);

        let again = World { interrupt: Default::default(), ..world };
        again.up(&wanted).await;
        again.assert_settled(&wanted).await;
    });
}

#[test]
fn the_second_interrupt_stops_at_once_and_nothing_is_lost() {
    block(async {
        let world = World::default();
        let wanted = stack(&[res("Slow/a"), res("Slow/b"), res("c").dep("Slow/a")]);
        let interrupt = async {
            tokio::time::sleep(Duration::from_secs(30)).await;
            world.interrupt.raise();
            world.interrupt.raise();
        };
        let began = Instant::now();
        let (report, ()) = tokio::join!(world.try_up(&wanted), interrupt);
        assert_eq!(report.unwrap().summary, Summary { skipped: 3, ..Summary::default() });
        assert!(began.elapsed() < Duration::from_secs(31));
        let state = world.state();
        assert_eq!(state.objects.len(), 2);
        assert!(state.objects.values().all(|object| object.phase == Phase::Creating && object.id.is_some()));
        world.check_integrity().unwrap();

        let again = World { interrupt: Default::default(), ..world };
        again.up(&wanted).await;
        assert_eq!(again.log.called("Create").iter().filter(|name| *name != "c").count(), 2);
        again.assert_settled(&wanted).await;
    });
}

#[test]
fn an_interrupt_while_reading_ends_the_run() {
    block(async {
        let world = World::default();
        let wanted = stack(&[res("a")]);
        world.up(&wanted).await;
        world.cloud.script("Describe", "a", Fault::Timeout, 100);
        let interrupt = async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            world.interrupt.raise();
        };
        let began = Instant::now();
        let nothing = stack(&[]);
        let (report, ()) = tokio::join!(world.try_up(&nothing), interrupt);
        assert!(matches!(report, Err(Error::Interrupted(_))), "{report:?}");
        assert!(began.elapsed() < Duration::from_secs(11));
        assert_eq!(world.log.called("Delete"), Vec::<String>::new());
    });
}

#[test]
fn a_store_that_fails_stops_the_run_before_the_next_call() {
    for write in 2..6 {
        block(async {
            let world = World::default();
            let wanted = stack(&[res("a"), res("b").dep("a"), res("c").dep("b")]);
            world.store.stop_at(Some((write, Moment::Refused)));
            assert!(matches!(world.try_up(&wanted).await, Err(Error::Store(_))), "write {write}");
            world.check_integrity().unwrap();
            let calls = world.cloud.calls();
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert_eq!(world.cloud.calls(), calls, "write {write}");
            world.store.stop_at(None);
            world.up(&wanted).await;
            world.assert_settled(&wanted).await;
        });
    }
}
