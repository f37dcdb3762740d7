//! Locked out: what is denied is done without only while the plan opens the door to it.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Fault, Item, Res, STACK, World, block, res, stack, urn, world::id};
use rayplat_engine::{
    error::{Error, ErrorClass},
    event::{Event, Events},
    plan::render::render,
};

/// A room behind a hall behind a door, another door, and what needs none.
fn house() -> Vec<Res> {
    vec![
        res("Door/d"),
        res("hall").after("Door/d"),
        res("Room/r").after("hall"),
        res("Room/s").after("hall"),
        res("Door/other"),
        res("a"),
    ]
}

#[test]
fn a_door_that_is_gone_is_made_anew_without_the_room() {
    block_on_house(async |world, wanted| {
        world.cloud.vanish(&id(world, "Door/d"));
        world.cloud.script("Describe", "Room/", Fault::Denied, 4);
        let preview = world.preview(wanted).await;
        assert_eq!(preview.plan.steps.len(), 1, "{}", render(&preview.plan));
        let names: Vec<_> = preview.unread.iter().map(|unread| unread.urn.clone()).collect();
        assert_eq!(names, [urn("Room/r"), urn("Room/s")]);
        assert_eq!(preview.unread[0].error.class, ErrorClass::Denied);
        let report = world.up(wanted).await;
        assert_eq!((report.summary.created, report.summary.unchanged), (1, 5));
        let told = |item: &Item| matches!(item, Item::Event(Event::Unread { urns, .. }) if *urns == names);
        assert!(world.log.items().iter().any(told));
        world.assert_settled(wanted).await;
    });
}

#[test]
fn a_door_that_is_changed_opens_too() {
    block_on_house(async |world, wanted| {
        world.cloud.edit(&id(world, "Door/d"), |door| door.inputs.value = "locked".to_owned());
        world.cloud.script("Describe", "Room/r", Fault::Denied, 1);
        assert_eq!(world.up(wanted).await.summary.updated, 1);
        world.assert_settled(wanted).await;
    });
}

#[test]
fn whatever_else_is_denied_ends_the_run() {
    block_on_house(async |world, wanted| {
        // Nothing is mended; another door; something that no door leads to.
        for (gone, denied) in [(None, "Room/r"), (Some("Door/other"), "Room/r"), (Some("Door/d"), "Thing/a")] {
            if let Some(gone) = gone {
                world.cloud.vanish(&id(world, gone));
            }
            world.cloud.script("Describe", denied, Fault::Denied, 1);
            match world.try_up(wanted).await {
                Err(Error::Read { urn: unread, .. }) => assert_eq!(unread, urn(denied), "{gone:?}"),
                other => panic!("{gone:?}: {other:?}"),
            }
            world.up(wanted).await;
        }
        // Who asks what has drifted is not content with what is recorded.
        world.cloud.vanish(&id(world, "Door/d"));
        world.cloud.script("Describe", "Room/r", Fault::Denied, 1);
        let result = world.engine().drift(STACK, Events::none()).await;
        assert!(matches!(result, Err(Error::Read { .. })), "{result:?}");
    });
}

fn block_on_house(test: impl AsyncFnOnce(&World, &rayplat_engine::stack::Stack)) {
    block(async {
        let world = World::default();
        let wanted = stack(&house());
        world.up(&wanted).await;
        test(&world, &wanted).await;
    });
}
