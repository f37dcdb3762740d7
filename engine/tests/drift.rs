//! Drift: what the account has and the state has not.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Fault, World, block, res, stack, urn, world::id};
use rayplat_engine::{drift::Drift, error::Error, event::Events, plan::diff::Effect, value::Planned};
use serde_json::json;

async fn drift(world: &World) -> Drift {
    world.engine().drift(common::STACK, Events::none()).await.unwrap()
}

#[test]
fn it_is_named_field_by_field_and_nothing_is_written() {
    block(async {
        let world = World::default();
        world.up(&stack(&[res("Look/look"), res("a"), res("b"), res("c"), res("d")])).await;
        let none = drift(&world).await;
        assert_eq!((none.checked, none.any()), (4, false));
        world.cloud.edit(&id(&world, "a"), |object| object.inputs.value = "edited".to_owned());
        world.cloud.edit(&id(&world, "b"), |object| object.inputs.key = "other".to_owned());
        world.cloud.vanish(&id(&world, "c"));
        // What a look-up finds is nobody's change.
        world.cloud.set_fact("another fact");
        let state = world.state();
        let found = drift(&world).await;
        assert_eq!(world.state(), state);
        let names: Vec<_> = found.drifted().map(|object| object.urn.clone()).collect();
        assert_eq!(names, [urn("a"), urn("b"), urn("c")]);
        let [a, b, c] = found.objects.as_slice() else { panic!("{found:#?}") };
        assert_eq!(a.changes[0].path, "value");
        assert_eq!(a.changes[0].old, Some(json!("v")));
        assert_eq!(a.changes[0].new, Some(Planned::Known(json!("edited"))));
        assert_eq!(a.changes[0].effect, Effect::Update);
        assert_eq!((b.changes[0].path.as_str(), b.changes[0].effect), ("key", Effect::Replace));
        assert!(!b.outputs.is_empty(), "its label follows its key");
        assert!(c.gone && c.changes.is_empty());
        // Found again until a run takes it up.
        assert_eq!(drift(&world).await, found);
        world.up(&stack(&[res("Look/look"), res("a"), res("b"), res("c"), res("d")])).await;
        assert!(!drift(&world).await.any());
    });
}

#[test]
fn where_there_is_no_state_there_is_no_drift() {
    block(async {
        let world = World::default();
        assert_eq!(drift(&world).await, Drift { stack: common::STACK.to_owned(), ..Drift::default() });
        assert_eq!(world.cloud.calls(), 0);
    });
}

#[test]
fn what_cannot_be_read_is_an_error_not_a_clean_bill() {
    block(async {
        let world = World::default();
        world.up(&stack(&[res("a")])).await;
        world.cloud.script("Describe", "a", Fault::Denied, 1);
        let result = world.engine().drift(common::STACK, Events::none()).await;
        assert!(matches!(result, Err(Error::Read { .. })), "{result:?}");
    });
}
