//! Every shape of replacement as text: the plans, step by step, edge by edge.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Res, STACK, kinds::registry, res, stack, urn};
use rayplat_engine::{
    error::Error,
    plan::{Plan, plan, render::render},
    provider::ReplaceOrder,
    stack::Stack,
    store::{Checkpoint, Object, ObjectKey, Phase},
    urn::Urn,
    value::Lookup,
};
use serde_json::{Value, json};

/// The state after `stack` was made, without an account: ids are `obj-NAME`.
fn made(resources: &[Res]) -> Checkpoint {
    let mut checkpoint = Checkpoint::default();
    for resource in stack(resources).resources() {
        let lookup = |urn: &Urn, field: &str| {
            checkpoint.current(urn).map_or(Lookup::Missing, |object| Lookup::Known(object.outputs[field].clone()))
        };
        let inputs = resource.inputs.eval(&lookup).unwrap().known().unwrap().clone();
        put(&mut checkpoint, &resource.urn, 0, inputs, resource.depends_on().into_iter().collect());
    }
    checkpoint
}

fn put(checkpoint: &mut Checkpoint, urn: &Urn, generation: u32, inputs: Value, depends_on: Vec<Urn>) {
    let value = if urn.kind() == "test:Moody" { inputs["value"].clone() } else { json!("") };
    let id = format!("obj-{}{}", urn.name(), if generation == 0 { String::new() } else { generation.to_string() });
    let fixed = urn.kind() == "test:Fixed";
    let object = Object {
        urn: urn.clone(),
        generation,
        phase: Phase::Live,
        deposed: false,
        data: urn.kind() == "test:Look",
        outputs: json!({"id": id, "label": inputs["key"], "value": value}),
        id: Some(id),
        nonce: "nonce".into(),
        inputs,
        depends_on,
        replace_order: if fixed { ReplaceOrder::DeleteThenCreate } else { ReplaceOrder::CreateThenDelete },
        took_ms: None,
    };
    checkpoint.objects.insert(object.key(), object);
}

fn key(name: &str, generation: u32) -> ObjectKey {
    ObjectKey { urn: urn(name), generation }
}

fn try_plan(stack: &Stack, checkpoint: &Checkpoint) -> Result<Plan, Error> {
    let cloud = common::Cloud::new(common::Log::default());
    plan(stack, checkpoint, &registry(&cloud))
}

#[track_caller]
fn golden(checkpoint: &Checkpoint, desired: &[Res], expected: &str) {
    let plan = try_plan(&stack(desired), checkpoint).unwrap();
    let text = render(&plan);
    let lines = |text: &str| text.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    let indent = expected.lines().find(|line| !line.trim().is_empty()).map_or(0, |l| l.len() - l.trim_start().len());
    let expected: Vec<String> = lines(expected.trim())
        .iter()
        .map(|l| l.get(indent..).filter(|_| l.starts_with(' ')).unwrap_or(l).into())
        .collect();
    assert_eq!(lines(&text), expected, "\n{text}");
    assert_eq!(plan.stack, STACK);
}

#[test]
fn create_then_delete_alone() {
    golden(
        &made(&[res("a")]),
        &[res("a").key("new")],
        r#"
        create test:Thing/a#1 (replaces #0, create-then-delete)
            key: "k" -> "new"
        delete test:Thing/a#0 (replaced)
            after create test:Thing/a#1
        "#,
    );
}

#[test]
fn create_then_delete_with_a_dependent_that_is_updated() {
    golden(
        &made(&[res("a"), res("b").dep("a")]),
        &[res("a").key("new"), res("b").dep("a")],
        r#"
        create test:Thing/a#1 (replaces #0, create-then-delete)
            key: "k" -> "new"
        delete test:Thing/a#0 (replaced)
            after create test:Thing/a#1, update test:Thing/b#0
        update test:Thing/b#0
            deps: ["obj-a"] -> [(known after apply)]
            after create test:Thing/a#1
        "#,
    );
}

#[test]
fn create_then_delete_with_a_dependent_that_is_replaced() {
    let before = [res("a"), res("b").parent("a", "id")];
    golden(
        &made(&before),
        &[res("a").key("new"), res("b").parent("a", "id")],
        r#"
        create test:Thing/a#1 (replaces #0, create-then-delete)
            key: "k" -> "new"
        delete test:Thing/a#0 (replaced)
            after create test:Thing/a#1, delete test:Thing/b#0
        create test:Thing/b#1 (replaces #0, create-then-delete, if still needed)
            parents: ["obj-a"] -> [(known after apply)]
            after create test:Thing/a#1
        delete test:Thing/b#0 (replaced, if still needed)
            after create test:Thing/b#1
        "#,
    );
}

#[test]
fn create_then_delete_with_a_dependent_that_goes_first() {
    let before = [res("a"), res("Fixed/b").parent("a", "id")];
    golden(
        &made(&before),
        &[res("a").key("new"), res("Fixed/b").parent("a", "id")],
        r#"
        create test:Thing/a#1 (replaces #0, create-then-delete)
            key: "k" -> "new"
        delete test:Thing/a#0 (replaced)
            after create test:Fixed/b#1, create test:Thing/a#1, delete test:Fixed/b#0
        create test:Fixed/b#1 (replaces #0, delete-then-create, if still needed)
            parents: ["obj-a"] -> [(known after apply)]
            after create test:Thing/a#1, delete test:Fixed/b#0
        delete test:Fixed/b#0 (replaced, if still needed)
            after create test:Thing/a#1
        "#,
    );
}

#[test]
fn delete_then_create_alone() {
    golden(
        &made(&[res("Fixed/a")]),
        &[res("Fixed/a").key("new")],
        r#"
        create test:Fixed/a#1 (replaces #0, delete-then-create)
            key: "k" -> "new"
            after delete test:Fixed/a#0
        delete test:Fixed/a#0 (replaced)
        "#,
    );
}

#[test]
fn what_depends_on_something_that_goes_first_goes_before_it() {
    let before = [res("Fixed/a"), res("b").parent("Fixed/a", "id"), res("c").parent("b", "id")];
    let after = [res("Fixed/a").key("new"), res("b").parent("Fixed/a", "id"), res("c").parent("b", "id")];
    golden(
        &made(&before),
        &after,
        r#"
        create test:Fixed/a#1 (replaces #0, delete-then-create)
            key: "k" -> "new"
            after delete test:Fixed/a#0
        delete test:Fixed/a#0 (replaced)
            after delete test:Thing/b#0
        create test:Thing/b#1 (replaces #0, delete-then-create)
            parents: ["obj-a"] -> [(known after apply)]
            after create test:Fixed/a#1, delete test:Thing/b#0
        delete test:Thing/b#0 (replaced)
            after delete test:Thing/c#0
        create test:Thing/c#1 (replaces #0, delete-then-create)
            parents: ["obj-b"] -> [(known after apply)]
            after create test:Thing/b#1, delete test:Thing/c#0
        delete test:Thing/c#0 (replaced)
        "#,
    );
}

#[test]
fn an_update_cannot_let_go_of_what_goes_first_if_it_refers_to_the_successor() {
    let before = [res("Fixed/a"), res("b").dep("Fixed/a")];
    golden(
        &made(&before),
        &[res("Fixed/a").key("new"), res("b").dep("Fixed/a")],
        r#"
        create test:Fixed/a#1 (replaces #0, delete-then-create)
            key: "k" -> "new"
            after delete test:Fixed/a#0
        delete test:Fixed/a#0 (replaced)
        update test:Thing/b#0
            deps: ["obj-a"] -> [(known after apply)]
            after create test:Fixed/a#1
        "#,
    );
}

#[test]
fn an_update_lets_go_of_what_goes_first() {
    let before = [res("Fixed/a"), res("x"), res("b").dep("Fixed/a")];
    golden(
        &made(&before),
        &[res("Fixed/a").key("new"), res("x"), res("b").dep("x")],
        r#"
        create test:Fixed/a#1 (replaces #0, delete-then-create)
            key: "k" -> "new"
            after delete test:Fixed/a#0
        delete test:Fixed/a#0 (replaced)
            after update test:Thing/b#0
        update test:Thing/b#0
            deps: ["obj-a"] -> ["obj-x"]
        unchanged: 1
        "#,
    );
}

#[test]
fn an_uncertain_replacement_create_then_delete() {
    // `m` is updated, its output `value` changes: whether `b` must be replaced is not known.
    let before = [res("Moody/m"), res("b").parent("Moody/m", "value"), res("c").dep("b")];
    let after = [res("Moody/m").value("new"), res("b").parent("Moody/m", "value"), res("c").dep("b")];
    golden(
        &made(&before),
        &after,
        r#"
        update test:Moody/m#0
            value: "v" -> "new"
        create test:Thing/b#1 (replaces #0, create-then-delete, if still needed)
            parents: ["v"] -> [(known after apply)]
            after update test:Moody/m#0
        delete test:Thing/b#0 (replaced, if still needed)
            after create test:Thing/b#1, update test:Thing/c#0
        update test:Thing/c#0
            deps: ["obj-b"] -> [(known after apply)]
            after create test:Thing/b#1
        "#,
    );
}

#[test]
fn an_uncertain_replacement_delete_then_create() {
    let before = [res("Moody/m"), res("x"), res("Fixed/b").parent("Moody/m", "value").dep("x")];
    let after = [res("Moody/m").value("new"), res("x").key("new"), res("Fixed/b").parent("Moody/m", "value").dep("x")];
    golden(
        &made(&before),
        &after,
        r#"
        update test:Moody/m#0
            value: "v" -> "new"
        create test:Thing/x#1 (replaces #0, create-then-delete)
            key: "k" -> "new"
        delete test:Thing/x#0 (replaced)
            after create test:Fixed/b#1, create test:Thing/x#1, delete test:Fixed/b#0
        create test:Fixed/b#1 (replaces #0, delete-then-create, if still needed)
            deps: ["obj-x"] -> [(known after apply)]
            parents: ["v"] -> [(known after apply)]
            after create test:Thing/x#1, delete test:Fixed/b#0, update test:Moody/m#0
        delete test:Fixed/b#0 (replaced, if still needed)
            after create test:Thing/x#1, update test:Moody/m#0
        "#,
    );
}

#[test]
fn removed() {
    golden(
        &made(&[res("a"), res("b").dep("a"), res("c").parent("b", "id")]),
        &[res("a")],
        "
        delete test:Thing/c#0 (removed)
        delete test:Thing/b#0 (removed)
            after delete test:Thing/c#0
        unchanged: 1
        ",
    );
}

#[test]
fn all_removed() {
    golden(
        &made(&[res("a"), res("Fixed/b").dep("a"), res("Look/d"), res("c").after("Fixed/b")]),
        &[],
        "
        delete test:Thing/c#0 (removed)
        delete test:Thing/a#0 (removed)
            after delete test:Fixed/b#0
        delete test:Fixed/b#0 (removed)
            after delete test:Thing/c#0
        ",
    );
}

#[test]
fn removed_while_a_dependent_lets_go_by_an_update() {
    golden(
        &made(&[res("a"), res("b").dep("a")]),
        &[res("b").value("new")],
        r#"
        update test:Thing/b#0
            value: "v" -> "new"
            deps: ["obj-a"] -> []
        delete test:Thing/a#0 (removed)
            after update test:Thing/b#0
        "#,
    );
}

#[test]
fn removed_while_a_dependent_is_replaced() {
    golden(
        &made(&[res("a"), res("b").parent("a", "id")]),
        &[res("b")],
        r#"
        create test:Thing/b#1 (replaces #0, create-then-delete)
            parents: ["obj-a"] -> []
        delete test:Thing/b#0 (replaced)
            after create test:Thing/b#1
        delete test:Thing/a#0 (removed)
            after delete test:Thing/b#0
        "#,
    );
}

#[test]
fn a_soft_circle_is_cut_where_it_must_be_and_nowhere_else() {
    // `b` lets go of `x` (possible) and of `Fixed/a` (impossible: it waits for `m`, which waits
    // for the successor).
    let before = [res("x"), res("Fixed/a"), res("b").dep("Fixed/a").dep("x")];
    let after = [res("Fixed/a").key("new"), res("m").dep("Fixed/a"), res("b").dep("m")];
    golden(
        &made(&before),
        &after,
        r#"
        create test:Fixed/a#1 (replaces #0, delete-then-create)
            key: "k" -> "new"
            after delete test:Fixed/a#0
        delete test:Fixed/a#0 (replaced)
        create test:Thing/m#0
            after create test:Fixed/a#1
        update test:Thing/b#0
            deps: ["obj-a","obj-x"] -> [(known after apply)]
            after create test:Thing/m#0
        delete test:Thing/x#0 (removed)
            after update test:Thing/b#0
        "#,
    );
}

#[test]
fn dependence_the_other_way_round() {
    let before = [res("a"), res("b").parent("a", "id")];
    golden(
        &made(&before),
        &[res("b"), res("a").parent("b", "id")],
        r#"
        create test:Thing/b#1 (replaces #0, create-then-delete)
            parents: ["obj-a"] -> []
        delete test:Thing/b#0 (replaced)
            after create test:Thing/b#1
        create test:Thing/a#1 (replaces #0, create-then-delete, if still needed)
            parents: [] -> [(known after apply)]
            after create test:Thing/b#1
        delete test:Thing/a#0 (replaced, if still needed)
            after create test:Thing/a#1, delete test:Thing/b#0
        "#,
    );
}

#[test]
fn two_eras_in_one_state_do_not_lock_each_other() {
    // An object that is left of `a` was made from `b`, which later came to depend on `a`.
    let mut state = made(&[res("a"), res("b").dep("a")]);
    put(&mut state, &urn("a"), 1, json!({}), vec![]);
    let old = state.objects.get_mut(&key("a", 0)).unwrap();
    (old.deposed, old.depends_on) = (true, vec![urn("b")]);
    golden(
        &state,
        &[],
        "
        delete test:Thing/b#0 (removed)
        delete test:Thing/a#1 (removed)
            after delete test:Thing/b#0
        delete test:Thing/a#0 (removed)
        ",
    );
}

#[test]
fn a_deposed_object_is_deleted_when_its_users_have_gone() {
    let after = [res("a").key("new"), res("b").dep("a")];
    let mut state = made(&after);
    state.objects.get_mut(&key("a", 0)).unwrap().deposed = true;
    let inputs = state.objects[&key("a", 0)].inputs.clone();
    put(&mut state, &urn("a"), 1, inputs, vec![]);
    golden(
        &state,
        &after,
        r#"
        update test:Thing/b#0
            deps: ["obj-a"] -> ["obj-a1"]
        delete test:Thing/a#0 (deposed)
            after update test:Thing/b#0
        unchanged: 1
        "#,
    );
}

#[test]
fn a_broken_object_is_replaced() {
    let mut state = made(&[res("a")]);
    state.objects.get_mut(&key("a", 0)).unwrap().phase = Phase::Broken { error: "CREATE_FAILED".into() };
    golden(
        &state,
        &[res("a"), res("b").dep("a")],
        "
        create test:Thing/a#1 (broken: CREATE_FAILED; replaces #0, create-then-delete)
        delete test:Thing/a#0 (broken: CREATE_FAILED; replaced)
            after create test:Thing/a#1
        create test:Thing/b#0
            after create test:Thing/a#1
        ",
    );
}

#[test]
fn a_broken_successor_is_deleted_and_its_predecessor_replaced() {
    let mut state = made(&[res("a")]);
    put(&mut state, &urn("a"), 1, json!({"value": "v", "key": "new", "deps": [], "parents": []}), vec![]);
    let broken = state.objects.get_mut(&key("a", 1)).unwrap();
    (broken.phase, broken.deposed) = (Phase::Broken { error: "CREATE_FAILED".into() }, true);
    golden(
        &state,
        &[res("a").key("new")],
        r#"
        create test:Thing/a#2 (replaces #0, create-then-delete)
            key: "k" -> "new"
        delete test:Thing/a#0 (replaced)
            after create test:Thing/a#2
        delete test:Thing/a#1 (broken: CREATE_FAILED)
        "#,
    );
    golden(
        &state,
        &[res("a")],
        "
        delete test:Thing/a#1 (broken: CREATE_FAILED)
        unchanged: 1
        ",
    );
}

#[test]
fn look_ups() {
    // Known and unchanged: nothing. Changed: read again, and what uses it is uncertain.
    let before = [res("Look/d"), res("a").value_of("Look/d", "label"), res("b").parent("Look/d", "label")];
    golden(
        &made(&before),
        &before,
        "
        unchanged: 3
        ",
    );
    let after = [res("Look/d").key("new"), res("a").value_of("Look/d", "label"), res("b").parent("Look/d", "label")];
    golden(
        &made(&before),
        &after,
        r#"
        read test:Look/d#0
        update test:Thing/a#0
            value: "k" -> (known after apply)
            after read test:Look/d#0
        create test:Thing/b#1 (replaces #0, create-then-delete, if still needed)
            parents: ["k"] -> [(known after apply)]
            after read test:Look/d#0
        delete test:Thing/b#0 (replaced, if still needed)
            after create test:Thing/b#1
        "#,
    );
    // No longer wanted: forgotten without a step.
    let plan = try_plan(&stack(&[]), &made(&[res("Look/d")])).unwrap();
    assert!(plan.is_empty());
    assert_eq!(plan.forget, [key("Look/d", 0)]);
}

#[test]
fn an_update_keeps_its_outputs_known_unless_the_kind_says_that_they_change() {
    let before = [res("a"), res("Moody/m"), res("b").dep("a").dep("Moody/m"), res("c").value_of("Moody/m", "value")];
    let after = [
        res("a").value("new"),
        res("Moody/m").value("new"),
        res("b").dep("a").dep("Moody/m"),
        res("c").value_of("Moody/m", "value"),
    ];
    golden(
        &made(&before),
        &after,
        r#"
        update test:Thing/a#0
            value: "v" -> "new"
        update test:Moody/m#0
            value: "v" -> "new"
        update test:Thing/c#0
            value: "v" -> (known after apply)
            after update test:Moody/m#0
        unchanged: 1
        "#,
    );
}

#[test]
fn protected_resources_are_not_replaced() {
    let refused = |before: &[Res], after: &[Res]| match try_plan(&stack(after), &made(before)) {
        Err(Error::Protected { urn, reason }) => format!("{urn}: {reason}"),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused(&[res("Precious/a")], &[res("Precious/a").key("new")]),
        "test:Precious/a: changing key would destroy it and make a new one"
    );
    assert_eq!(
        refused(&[res("a")], &[res("a").key("new").protect()]),
        "test:Thing/a: changing key would destroy it and make a new one"
    );
    // What goes first would take it along.
    assert_eq!(
        refused(
            &[res("Fixed/x"), res("Precious/a").parent("Fixed/x", "id")],
            &[res("Fixed/x").key("new"), res("Precious/a").parent("Fixed/x", "id")],
        ),
        "test:Precious/a: changing parents would destroy it and make a new one"
    );
}

#[test]
fn a_protected_resource_may_turn_out_to_need_an_update_only() {
    let before = [res("Moody/m"), res("Precious/a").parent("Moody/m", "value")];
    golden(
        &made(&before),
        &[res("Moody/m").value("new"), res("Precious/a").parent("Moody/m", "value")],
        r#"
        update test:Moody/m#0
            value: "v" -> "new"
        update test:Precious/a#0
            parents: ["v"] -> [(known after apply)]
            after update test:Moody/m#0
        "#,
    );
}

#[test]
fn an_interrupted_creation_is_taken_up() {
    let mut state = made(&[res("a")]);
    state.objects.get_mut(&key("a", 0)).unwrap().phase = Phase::Creating;
    golden(
        &state,
        &[res("a"), res("b").dep("a")],
        "
        create test:Thing/a#0 (taken up)
        create test:Thing/b#0
            after create test:Thing/a#0
        ",
    );
}

#[test]
fn an_interrupted_replacement_is_taken_up_and_ends_the_old_object() {
    let mut state = made(&[res("a"), res("b").dep("a")]);
    put(&mut state, &urn("a"), 1, json!({"value": "v", "key": "new", "deps": [], "parents": []}), vec![]);
    state.objects.get_mut(&key("a", 1)).unwrap().phase = Phase::Creating;
    golden(
        &state,
        &[res("a").key("new"), res("b").dep("a")],
        r#"
        create test:Thing/a#1 (taken up)
        update test:Thing/b#0
            deps: ["obj-a"] -> [(known after apply)]
            after create test:Thing/a#1
        delete test:Thing/a#0 (deposed)
            after create test:Thing/a#1, update test:Thing/b#0
        "#,
    );
}

#[test]
fn links_that_changed_are_booked_without_a_step() {
    let before = [res("a"), res("x"), res("b").after("a")];
    let plan = try_plan(&stack(&[res("a"), res("x"), res("b").after("x")]), &made(&before)).unwrap();
    assert!(plan.is_empty());
    assert_eq!(plan.relinks.len(), 1);
    assert_eq!((&plan.relinks[0].key, &plan.relinks[0].depends_on), (&key("b", 0), &vec![urn("x")]));
}

#[test]
fn what_no_longer_depends_on_something_that_goes_first_keeps_its_own_order() {
    // `b` may come before it goes, so that `c` can let go of it.
    let before = [res("Fixed/a"), res("b").parent("Fixed/a", "id"), res("c").dep("b")];
    golden(
        &made(&before),
        &[res("Fixed/a").key("new"), res("b"), res("c").dep("b")],
        r#"
        create test:Fixed/a#1 (replaces #0, delete-then-create)
            key: "k" -> "new"
            after delete test:Fixed/a#0
        delete test:Fixed/a#0 (replaced)
            after delete test:Thing/b#0
        create test:Thing/b#1 (replaces #0, create-then-delete)
            parents: ["obj-a"] -> []
        delete test:Thing/b#0 (replaced)
            after create test:Thing/b#1, update test:Thing/c#0
        update test:Thing/c#0
            deps: ["obj-b"] -> [(known after apply)]
            after create test:Thing/b#1
        "#,
    );
}

#[test]
fn what_goes_first_is_found_behind_what_is_removed() {
    let before = [res("Fixed/a"), res("p").parent("Fixed/a", "id"), res("b").parent("p", "id")];
    golden(
        &made(&before),
        &[res("Fixed/a").key("new"), res("b").parent("Fixed/a", "id")],
        r#"
        create test:Fixed/a#1 (replaces #0, delete-then-create)
            key: "k" -> "new"
            after delete test:Fixed/a#0
        delete test:Fixed/a#0 (replaced)
            after delete test:Thing/p#0
        create test:Thing/b#1 (replaces #0, delete-then-create)
            parents: ["obj-p"] -> [(known after apply)]
            after create test:Fixed/a#1, delete test:Thing/b#0
        delete test:Thing/b#0 (replaced)
        delete test:Thing/p#0 (removed)
            after delete test:Thing/b#0
        "#,
    );
}

#[test]
fn every_broken_object_is_deleted() {
    // Two attempts, both failed: only the newer one has a partner.
    let mut state = made(&[res("a")]);
    put(&mut state, &urn("a"), 1, json!({"value": "v", "key": "k", "deps": [], "parents": []}), vec![]);
    for object in state.objects.values_mut() {
        object.phase = Phase::Broken { error: "CREATE_FAILED".into() };
    }
    golden(
        &state,
        &[res("a")],
        "
        create test:Thing/a#2 (broken: CREATE_FAILED; replaces #1, create-then-delete)
        delete test:Thing/a#1 (broken: CREATE_FAILED; replaced)
            after create test:Thing/a#2
        delete test:Thing/a#0 (broken: CREATE_FAILED)
        ",
    );
}

#[test]
fn two_that_change_places_between_things_that_go_first() {
    let things = |key| [res("Fixed/x").key(key), res("Fixed/y").key(key)];
    let [x, y] = things("k");
    let before = [x, y, res("a").parent("Fixed/x", "id"), res("b").parent("Fixed/y", "id")];
    let [x, y] = things("new");
    let after = [x, y, res("a").parent("Fixed/y", "id"), res("b").parent("Fixed/x", "id")];
    golden(
        &made(&before),
        &after,
        r#"
        create test:Fixed/x#1 (replaces #0, delete-then-create)
            key: "k" -> "new"
            after delete test:Fixed/x#0
        delete test:Fixed/x#0 (replaced)
            after delete test:Thing/a#0
        create test:Fixed/y#1 (replaces #0, delete-then-create)
            key: "k" -> "new"
            after delete test:Fixed/y#0
        delete test:Fixed/y#0 (replaced)
            after delete test:Thing/b#0
        create test:Thing/a#1 (replaces #0, delete-then-create)
            parents: ["obj-x"] -> [(known after apply)]
            after create test:Fixed/y#1, delete test:Thing/a#0
        delete test:Thing/a#0 (replaced)
        create test:Thing/b#1 (replaces #0, delete-then-create)
            parents: ["obj-y"] -> [(known after apply)]
            after create test:Fixed/x#1, delete test:Thing/b#0
        delete test:Thing/b#0 (replaced)
        "#,
    );
}
