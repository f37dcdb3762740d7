//! Plans as text for what is no replacement: leftovers, look-ups, changing outputs, refusals.
#![allow(clippy::unwrap_used)]

mod common;

use common::{
    Res,
    golden::{asked, golden, key, made, purge, put, try_plan},
    res, stack, urn,
};
use rayplat_engine::{
    error::Error,
    plan::{Planning, render::render},
    store::Phase,
};
use serde_json::json;

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

/// What holds something is kept with all that it was made from, and nothing else is.
#[test]
fn what_people_would_miss_is_kept() {
    let made_of =
        [res("root"), res("key").dep("root"), res("Vault/backups").dep("key"), res("user").dep("Vault/backups")];
    let state = made(&made_of);
    let gone = "
        delete test:Thing/user#0 (removed)
        retained: test:Thing/key#0
        retained: test:Thing/root#0
        retained: test:Vault/backups#0
        ";
    golden(&state, &[], gone);
    // Its key is still wanted by something else, and so not kept but there.
    golden(
        &state,
        &[res("root"), res("key").dep("root")],
        "
        delete test:Thing/user#0 (removed)
        retained: test:Vault/backups#0
        unchanged: 2
        ",
    );
    let purged = purge(&stack(&[]), &state).unwrap();
    assert_eq!((purged.retained.len(), purged.summary().deleted), (0, 4));
    // Holding nothing, or broken, it goes like all else.
    let mut empty = state.clone();
    empty.objects.get_mut(&key("Vault/backups", 0)).unwrap().inputs["value"] = json!("empty");
    let mut broken = state.clone();
    broken.objects.get_mut(&key("Vault/backups", 0)).unwrap().phase = Phase::Broken { error: "no".into() };
    for state in [empty, broken] {
        let plan = try_plan(&stack(&[]), &state).unwrap();
        assert_eq!((plan.retained.len(), plan.summary().deleted), (0, 4));
    }
}

#[test]
fn what_people_would_miss_is_never_replaced() {
    let error = try_plan(&stack(&[res("Vault/backups").key("new")]), &made(&[res("Vault/backups")])).unwrap_err();
    assert!(matches!(error, Error::Protected { .. }), "{error}");
}

/// `b` goes before `a` where both go; nothing that is made or changed waits for anything by it.
#[test]
fn what_goes_before_something_else_waits_for_nothing() {
    let both = [res("a"), res("b").goes_before("a").goes_before("later"), res("later")];
    golden(
        &made(&[]),
        &both,
        "
        create test:Thing/a#0
        create test:Thing/b#0
        create test:Thing/later#0
        ",
    );
    golden(
        &made(&both),
        &[],
        "
        delete test:Thing/later#0 (removed)
            after delete test:Thing/b#0
        delete test:Thing/b#0 (removed)
        delete test:Thing/a#0 (removed)
            after delete test:Thing/b#0
        ",
    );
    // A state of before the order was known learns it.
    let relinked = try_plan(&stack(&both), &made(&[res("a"), res("b"), res("later")])).unwrap();
    assert_eq!(relinked.relinks.len(), 1);
    assert_eq!(relinked.relinks[0].depends_on, [urn("a"), urn("later")]);
}

/// Nobody's things that are met by a deletion are shown, and asked about where that is needed.
#[test]
fn what_becomes_of_others_is_asked() {
    let state = made(&[res("house").key("crowded"), res("shed")]);
    let error = try_plan(&stack(&[res("shed")]), &state).unwrap_err();
    assert_eq!(error.to_string(), "test:Thing/house: people are in it");
    assert_eq!(error.hint().as_deref(), Some("Say what becomes of them."));
    // What stays has nobody to ask about.
    assert!(try_plan(&stack(&[res("house").key("crowded")]), &state).is_ok());
    let decided =
        |answer: &str| Planning { decided: [("people".to_owned(), answer.to_owned())].into(), ..Planning::default() };
    for (answer, told) in [("stay", "stays: people"), ("go", "goes along: people")] {
        let plan = asked(&stack(&[]), &state, &decided(answer)).unwrap();
        assert!(render(&plan).contains(told), "{}", render(&plan));
        assert_eq!(plan.along.len(), 1);
    }
}
