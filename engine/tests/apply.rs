//! Applying plans: life cycle, failure of parts, recovery, order of writes, calls and events.
#![allow(clippy::unwrap_used)]

mod common;

use std::{sync::Arc, time::Duration};

use common::{
    Fault, Item, MemoryStore, World, block,
    kinds::registry,
    res, stack, urn,
    world::{failure, id},
};
use rayplat_engine::{
    apply::Interrupt,
    error::{Error, ErrorClass, Leftover},
    event::{Event, Events, Summary},
    journal::{Intent, Record},
    ops::Engine,
    provider::Action,
    urn::Urn,
};
use tokio::time::Instant;

#[test]
fn a_life_cycle() {
    block(async {
        let world = World::default();
        let first = stack(&[res("a"), res("b").dep("a"), res("Fixed/c").parent("a", "id")]);
        let report = world.up(&first).await;
        assert_eq!(report.summary, Summary { created: 3, ..Summary::default() });
        world.assert_settled(&first).await;
        assert_eq!(world.up(&first).await.summary, Summary { unchanged: 3, ..Summary::default() });

        let second = stack(&[res("a").value("new"), res("b").dep("a").key("new"), res("d")]);
        let report = world.up(&second).await;
        let expected = Summary { created: 1, updated: 1, replaced: 1, deleted: 1, ..Summary::default() };
        assert_eq!(report.summary, expected);
        assert_eq!(report.plan.summary(), expected);
        world.assert_settled(&second).await;

        assert_eq!(world.down().await.summary, Summary { deleted: 3, ..Summary::default() });
        world.assert_settled(&stack(&[])).await;
        assert!(world.state().objects.is_empty());
    });
}

#[test]
fn what_is_kept_outlives_its_stack_until_it_is_purged() {
    block(async {
        let world = World::default();
        let wanted = stack(&[res("key"), res("Vault/backups").dep("key"), res("user").dep("Vault/backups")]);
        world.up(&wanted).await;
        let objects = world.state().objects;
        let report = world.down().await;
        assert_eq!((report.summary.deleted, report.plan.retained.len()), (1, 2));
        // It is in the state and in the account as it was; nothing more is to do.
        let kept = world.state().objects;
        assert!(kept.iter().all(|(key, object)| objects[key].id == object.id), "{kept:?}");
        assert_eq!(kept.len(), 2);
        assert!(world.down().await.plan.is_empty());
        let report = world.up(&wanted).await;
        assert_eq!(report.summary, Summary { created: 1, unchanged: 2, ..Summary::default() });
        // Taken out of the stack it is kept too.
        let report = world.up(&stack(&[res("key")])).await;
        assert_eq!((report.summary.deleted, report.plan.retained.len()), (1, 1));
        let engine = world.engine().purging();
        let down = engine.down(common::world::STACK, Events::none(), world.interrupt.clone(), |_| true).await.unwrap();
        assert_eq!(down.summary, Summary { deleted: 2, ..Summary::default() });
        world.assert_settled(&stack(&[])).await;
    });
}

#[test]
fn a_plan_that_is_declined_changes_nothing() {
    block(async {
        let world = World::default();
        let wanted = stack(&[res("a")]);
        let ask = |plan: &rayplat_engine::plan::Plan| plan.steps.len() != 1;
        let report = world.engine().up(&wanted, Events::none(), world.interrupt.clone(), ask).await.unwrap();
        assert!(!report.approved);
        assert_eq!(world.cloud.calls(), 0);
        world.up(&wanted).await;
    });
}

#[test]
fn what_does_not_depend_on_a_failure_goes_on() {
    block(async {
        let world = World::default();
        let wanted = stack(&[
            res("a"),
            res("b").dep("a"),
            res("c").dep("b"),
            res("x"),
            res("y").dep("x"),
            res("z").dep("y").dep("b"),
        ]);
        world.cloud.script("Create", "b", Fault::Denied, 1);
        let report = world.try_up(&wanted).await.unwrap();
        assert_eq!(report.summary, Summary { created: 3, failed: 1, skipped: 2, ..Summary::default() });
        assert_eq!(failure(&world, "b").0, ErrorClass::Denied);
        assert_eq!(failure(&world, "b").1, Leftover::None);
        let mut skipped: Vec<_> = world
            .log
            .items()
            .into_iter()
            .filter_map(|item| match item {
                Item::Event(Event::StepSkipped { urn, because, .. }) => Some((urn, because)),
                _ => None,
            })
            .collect();
        skipped.sort();
        assert_eq!(skipped, [(urn("c"), Some(urn("b"))), (urn("z"), Some(urn("b")))]);
        // The state is exact: it has what stands and nothing else.
        let known: Vec<_> = world.state().objects.into_values().map(|object| object.urn).collect();
        assert_eq!(known, [urn("a"), urn("x"), urn("y")]);
        world.check_integrity().unwrap();

        let report = world.up(&wanted).await;
        assert_eq!(report.summary, Summary { created: 3, unchanged: 3, ..Summary::default() });
        world.assert_settled(&wanted).await;
    });
}

#[test]
fn an_update_that_fails_still_lets_go_in_the_right_order_next_time() {
    block(async {
        let world = World::default();
        world.up(&stack(&[res("a"), res("b").dep("a")])).await;
        let wanted = stack(&[res("x"), res("b").dep("x")]);
        world.cloud.script("Update", "b", Fault::Denied, 1);
        let report = world.try_up(&wanted).await.unwrap();
        assert_eq!(report.summary, Summary { created: 1, failed: 1, skipped: 1, ..Summary::default() });
        assert_eq!(world.state().current(&urn("b")).unwrap().depends_on, [urn("a"), urn("x")]);
        world.up(&wanted).await;
        assert_eq!(world.refused(), Vec::<String>::new());
        assert_eq!(world.state().current(&urn("b")).unwrap().depends_on, [urn("x")]);
        world.assert_settled(&wanted).await;
    });
}

#[test]
fn an_uncertain_replacement_becomes_what_it_needs_to_be() {
    let before =
        [res("Moody/m").value("one"), res("a").parent("Moody/m", "value"), res("Fixed/f").parent("Moody/m", "value")];
    // The output that was unknown turns out as it was: `deps` changed, `value` did not.
    let same = [res("x"), res("Moody/m").value("one").dep("x"), before[1].clone(), before[2].clone()];
    let update = [same[0].clone(), same[1].clone(), before[1].clone().value("new"), before[2].clone().value("new")];
    let replace = [same[0].clone(), res("Moody/m").value("two"), before[1].clone(), before[2].clone()];
    for (desired, expected) in [
        (&same, Summary { created: 1, updated: 1, unchanged: 2, ..Summary::default() }),
        (&update, Summary { created: 1, updated: 3, ..Summary::default() }),
        (&replace, Summary { created: 1, updated: 1, replaced: 2, ..Summary::default() }),
    ] {
        block(async {
            let world = World::default();
            world.up(&stack(&before)).await;
            let ids = [id(&world, "a"), id(&world, "Fixed/f")];
            world.log.clear();
            let report = world.up(&stack(desired)).await;
            assert_eq!(report.plan.summary().replaced, 2);
            assert_eq!(report.summary, expected);
            let kept = [id(&world, "a"), id(&world, "Fixed/f")] == ids;
            assert_eq!(kept, expected.replaced == 0);
            assert_eq!(world.log.called("Delete").len(), if kept { 0 } else { 2 });
            world.assert_settled(&stack(desired)).await;
        });
    }
}

#[test]
fn what_is_replaced_because_something_goes_first_does_not_stay_on_nothing() {
    // Compared with the outputs of what is about to go, it would seem to be as desired.
    block(async {
        let world = World::default();
        let wanted = |key| stack(&[res("Fixed/a").key(key), res("b").parent("Fixed/a", "id")]);
        world.up(&wanted("one")).await;
        world.log.clear();
        let report = world.up(&wanted("two")).await;
        assert_eq!(report.summary, Summary { replaced: 2, ..Summary::default() });
        assert_eq!(world.log.called("Delete"), ["b", "a"]);
        assert_eq!(world.log.called("Create"), ["a", "b"]);
        world.assert_settled(&wanted("two")).await;
    });
}

#[test]
fn a_plan_is_outdated_rather_than_escalated() {
    block(async {
        let world = World::default();
        let wanted = |value| stack(&[res("Moody/m").value(value), res("Precious/p").parent("Moody/m", "value")]);
        world.up(&wanted("one")).await;
        let kept = id(&world, "Precious/p");
        let report = world.try_up(&wanted("two")).await.unwrap();
        assert_eq!(report.summary, Summary { updated: 1, failed: 1, ..Summary::default() });
        let (class, leftover, text) = failure(&world, "Precious/p");
        assert_eq!((class, leftover), (ErrorClass::Invalid, Leftover::None));
        assert!(text.contains("the plan no longer fits") && text.contains("`parents` turned out to need"), "{text}");
        assert_eq!(id(&world, "Precious/p"), kept);
        // Now that it is known, it is refused before anything is done.
        assert!(matches!(world.try_up(&wanted("two")).await, Err(Error::Protected { .. })));
    });
}

#[test]
fn throttling_is_waited_for_and_refusals_are_not() {
    block(async {
        let world = World::default();
        world.cloud.script("Create", "a", Fault::Throttle, 5);
        let began = Instant::now();
        world.up(&stack(&[res("a")])).await;
        // Delays of at least half of 0.5, 1, 2, 4 and 8 s.
        assert!(began.elapsed() >= Duration::from_millis(7_750), "{:?}", began.elapsed());
        assert_eq!(world.refused().len(), 5);
        assert_eq!(world.log.called("Create").len(), 6);

        world.cloud.script("Create", "b", Fault::Throttle, 10_000);
        world.log.clear();
        let began = Instant::now();
        assert_eq!(world.try_up(&stack(&[res("a"), res("b")])).await.unwrap().summary.failed, 1);
        let took = began.elapsed().as_secs();
        assert!((600..=700).contains(&took), "{took}");
        assert_eq!(failure(&world, "b").0, ErrorClass::Throttled);

        world.cloud.script("Create", "c", Fault::Invalid, 10_000);
        let began = Instant::now();
        assert_eq!(world.try_up(&stack(&[res("a"), res("c")])).await.unwrap().summary.failed, 1);
        assert!(began.elapsed() < Duration::from_secs(2));
    });
}

#[test]
fn the_rate_limit_spreads_calls_out() {
    block(async {
        let mut world = World::default();
        world.options.parallelism = 500;
        let resources: Vec<_> = (0..200).map(|n| res(&format!("n{n}"))).collect();
        let began = Instant::now();
        world.up(&stack(&resources)).await;
        // 20 calls a second, rising by 0.2 with each that went through, up to 50.
        let took = began.elapsed().as_secs_f64();
        assert!((4.0..10.0).contains(&took), "{took}");
    });
}

#[test]
fn never_more_at_work_than_allowed() {
    for parallelism in [1, 3, 10] {
        block(async {
            let mut world = World::default();
            world.options.parallelism = parallelism;
            let resources: Vec<_> = (0..20).map(|n| res(&format!("Slow/n{n}"))).collect();
            let began = Instant::now();
            world.up(&stack(&resources)).await;
            assert_eq!(world.cloud.most_working(), parallelism);
            let rounds = 20usize.div_ceil(parallelism) as u64;
            let took = began.elapsed().as_secs();
            assert!((rounds * 60..rounds * 60 + 15).contains(&took), "{parallelism}: {took}");
        });
    }
}

#[test]
fn the_longest_chain_goes_first() {
    block(async {
        let mut world = World::default();
        world.options.parallelism = 1;
        world
            .up(&stack(&[
                res("alone"),
                res("head"),
                res("Slow/tail").dep("head"),
                res("Slow/long"),
                res("last").dep("Slow/long"),
            ]))
            .await;
        assert_eq!(world.log.called("Create"), ["head", "long", "tail", "alone", "last"]);
    });
}

#[test]
fn durations_are_learned() {
    block(async {
        let world = World::default();
        let wanted = |key| stack(&[res("Slow/a").key(key)]);
        world.up(&wanted("one")).await;
        let took = world.state().current(&urn("Slow/a")).unwrap().took_ms.unwrap();
        assert!((60_000..65_000).contains(&took), "{took}");
        let create = |plan: &rayplat_engine::plan::Plan| {
            plan.steps.iter().find(|step| step.action == Action::Create).unwrap().expected_ms
        };
        assert_eq!(create(&world.preview(&wanted("two")).await.plan), took);
        assert_ne!(took, 60_000);
    });
}

/// Where in the log something is.
fn position(items: &[Item], what: &str, matches: impl Fn(&Item) -> bool) -> usize {
    items.iter().position(matches).unwrap_or_else(|| panic!("no {what} in {items:#?}"))
}

fn began(item: &Item, of: &Urn, action: Action) -> bool {
    matches!(item, Item::Written(Record::Began { key, intent }) if key.urn == *of && match intent {
        Intent::Create { .. } => action == Action::Create,
        Intent::Update { .. } => action == Action::Update,
        Intent::Delete => action == Action::Delete,
    })
}

#[test]
fn intents_before_calls_outcomes_before_dependents_events_after_writes() {
    block(async {
        let world = World::default();
        let chain =
            |value| [res("a").value(value), res("b").dep("a").value(value), res("c").parent("b", "id").value(value)];
        let order = |action: Action, operation: &str, names: &[&str]| {
            let items = world.log.items();
            let mut outcome_before = None;
            for name in names {
                let of = urn(name);
                let intent = position(&items, "intent", |item| began(item, &of, action));
                let call = position(
                    &items,
                    "call",
                    |item| matches!(item, Item::Call { operation: op, urn } if *op == operation && *urn == of),
                );
                let outcome = position(
                    &items,
                    "outcome",
                    |item| matches!(item, Item::Written(Record::Succeeded { key, .. }) if key.urn == of),
                );
                let started = position(
                    &items,
                    "start",
                    |item| matches!(item, Item::Event(Event::StepStarted { urn, .. }) if *urn == of),
                );
                let finished = position(
                    &items,
                    "end",
                    |item| matches!(item, Item::Event(Event::StepFinished { urn, .. }) if *urn == of),
                );
                assert!(intent < call && call < outcome, "{name}: {intent} {call} {outcome}");
                assert!(intent < started && outcome < finished, "{name}: {started} {finished}");
                if let Some(before) = outcome_before.replace(outcome) {
                    assert!(before < intent, "{name} began before what it depends on was written");
                }
            }
            world.log.clear();
        };
        world.up(&stack(&chain("one"))).await;
        order(Action::Create, "Create", &["a", "b", "c"]);
        world.up(&stack(&[res("a").value("two")])).await;
        order(Action::Delete, "Delete", &["c", "b"]);
        world.up(&stack(&[res("a").value("three")])).await;
        order(Action::Update, "Update", &["a"]);
    });
}

#[test]
fn the_last_event_comes_after_everything_is_kept() {
    block(async {
        let world = World::default();
        let report = world.up(&stack(&[res("a")])).await;
        let items = world.log.items();
        let closed = position(&items, "end", |item| matches!(item, Item::Written(Record::Closed { .. })));
        let summary = report.summary;
        assert!(
            matches!(items.last(), Some(Item::Event(Event::RunFinished { summary: told, .. })) if *told == summary)
        );
        assert!(closed < items.len() - 1);
        assert!(world.store.durable().journal.is_empty());
    });
}

#[test]
fn another_place_is_refused_before_anything_is_read() {
    block(async {
        let mut world = World::default();
        let wanted = stack(&[res("a")]);
        world.up(&wanted).await;
        world.cloud.stop_at(None);
        let kept = world.store.durable();
        world.options.binding.account = "111111111111".into();
        let refused = |result: Option<Error>| match result {
            Some(Error::Binding { bound, found }) => {
                assert!(bound.contains("000000000000") && found.contains("111111111111"), "{bound} {found}");
            }
            other => panic!("{other:?}"),
        };
        refused(world.try_up(&wanted).await.err());
        refused(world.try_down().await.err());
        refused(world.engine().preview(&wanted, Events::none()).await.err());
        refused(world.engine().refresh(common::STACK, Events::none()).await.err());
        refused(world.engine().state(common::STACK).await.err());
        assert_eq!(world.cloud.calls(), 0);
        assert_eq!(world.store.durable(), kept);
    });
}

#[test]
fn refresh_books_what_others_changed_and_changes_nothing() {
    block(async {
        let world = World::default();
        let wanted = stack(&[res("a"), res("b"), res("c").dep("a")]);
        world.up(&wanted).await;
        world.cloud.edit(&id(&world, "a"), |object| object.inputs.value = "theirs".into());
        world.cloud.vanish(&id(&world, "b"));
        let before = world.cloud.objects().len();
        let state = world.engine().refresh(common::STACK, Events::none()).await.unwrap();
        assert_eq!(state, world.state());
        assert_eq!(state.current(&urn("a")).unwrap().inputs["value"], "theirs");
        assert!(state.current(&urn("b")).is_none());
        assert_eq!(world.cloud.objects().len(), before);
        let report = world.up(&wanted).await;
        assert_eq!(report.summary, Summary { created: 1, updated: 1, unchanged: 1, ..Summary::default() });
        world.assert_settled(&wanted).await;
    });
}

#[test]
fn a_preview_writes_nothing_and_changes_nothing() {
    block(async {
        let world = World::default();
        world.up(&stack(&[res("a")])).await;
        let (kept, objects) = (world.store.durable(), world.cloud.objects().len());
        world.cloud.edit(&id(&world, "a"), |object| object.inputs.value = "theirs".into());
        let preview = world.preview(&stack(&[res("a"), res("b")])).await;
        assert_eq!(preview.plan.summary(), Summary { created: 1, updated: 1, ..Summary::default() });
        assert_eq!(world.store.durable(), kept);
        assert_eq!(world.cloud.objects().len(), objects);
    });
}

#[test]
fn a_store_and_an_engine_are_all_an_embedder_needs() {
    block(async {
        let world = World::default();
        let store = Arc::new(MemoryStore::default());
        let engine = Engine::new(registry(&world.cloud), store.clone(), world.options.clone());
        let wanted = stack(&[res("a"), res("b").dep("a")]);
        let (events, mut reader) = Events::channel();
        let report = engine.up(&wanted, events, Interrupt::default(), |plan| plan.steps.len() == 2).await.unwrap();
        assert_eq!(report.summary, Summary { created: 2, ..Summary::default() });
        assert_eq!(store.stored.lock().unwrap().checkpoint, report.state);
        assert_eq!(engine.state(common::STACK).await.unwrap(), report.state);
        let mut told = Vec::new();
        while let Ok(event) = reader.try_recv() {
            let event = serde_json::to_value(event).unwrap();
            told.push(format!("{} {}", event["event"].as_str().unwrap(), event["urn"].as_str().unwrap_or_default()));
        }
        let expected = [
            "run_started ",
            "step_started test:Thing/a",
            "step_finished test:Thing/a",
            "step_started test:Thing/b",
            "step_finished test:Thing/b",
            "run_finished ",
        ];
        assert_eq!(told, expected);
        let report = engine.down(common::STACK, Events::none(), Interrupt::default(), |_| true).await.unwrap();
        assert_eq!(report.summary, Summary { deleted: 2, ..Summary::default() });
    });
}

#[test]
fn a_reader_that_is_gone_does_not_stop_a_run() {
    block(async {
        let world = World::default();
        let (events, reader) = Events::channel();
        drop(reader);
        let wanted = stack(&[res("a")]);
        let report = world.engine().up(&wanted, events, world.interrupt.clone(), |_| true).await.unwrap();
        assert_eq!(report.summary.created, 1);
    });
}

#[test]
fn a_look_up_follows_the_account() {
    block(async {
        let world = World::default();
        world.cloud.set_fact("one");
        let wanted = stack(&[res("Look/d"), res("a").value_of("Look/d", "value"), res("b").parent("Look/d", "value")]);
        world.up(&wanted).await;
        world.cloud.set_fact("two");
        let report = world.up(&wanted).await;
        assert_eq!(report.summary, Summary { updated: 1, replaced: 1, unchanged: 1, ..Summary::default() });
        world.assert_settled(&wanted).await;
        assert_eq!(world.down().await.summary, Summary { deleted: 2, ..Summary::default() });
    });
}
