//! Plans in which changes have another order than creations, and plans of which more is
//! asked than the stack says.
#![allow(clippy::unwrap_used)]

mod common;

use common::{
    Res,
    cloud::Cloud,
    golden::{golden, made},
    kinds::registry,
    log::Log,
    res, stack,
};
use rayplat_engine::{
    error::Error,
    plan::{Plan, Planning, plan_with, render::render},
};

/// A control plane, nodes on it, and something that runs on the nodes but is changed before them.
fn tiers(version: &str) -> [Res; 3] {
    [
        res("plane").value(version),
        res("nodes").dep("plane").value(version).after_update("addon"),
        res("addon").dep("plane").value(version).after_create("nodes"),
    ]
}

#[test]
fn creations_and_deletions_have_one_order() {
    golden(
        &made(&[]),
        &tiers("1"),
        "
        create test:Thing/plane#0
        create test:Thing/nodes#0
            after create test:Thing/plane#0
        create test:Thing/addon#0
            after create test:Thing/nodes#0, create test:Thing/plane#0
        ",
    );
    golden(
        &made(&tiers("1")),
        &[],
        "
        delete test:Thing/plane#0 (removed)
            after delete test:Thing/addon#0, delete test:Thing/nodes#0
        delete test:Thing/nodes#0 (removed)
            after delete test:Thing/addon#0
        delete test:Thing/addon#0 (removed)
        ",
    );
}

#[test]
fn changes_have_another() {
    golden(
        &made(&tiers("1")),
        &tiers("2"),
        r#"
        update test:Thing/plane#0
            value: "1" -> "2"
        update test:Thing/nodes#0
            value: "1" -> "2"
            after update test:Thing/addon#0, update test:Thing/plane#0
        update test:Thing/addon#0
            value: "1" -> "2"
            after update test:Thing/plane#0
        "#,
    );
}

#[test]
fn a_replacement_follows_the_change_that_comes_first() {
    let [plane, nodes, addon] = tiers("2");
    golden(
        &made(&tiers("1")),
        &[plane, nodes.key("new"), addon],
        r#"
        update test:Thing/plane#0
            value: "1" -> "2"
        create test:Thing/nodes#1 (replaces #0, create-then-delete)
            value: "1" -> "2"
            key: "k" -> "new"
            after update test:Thing/addon#0, update test:Thing/plane#0
        delete test:Thing/nodes#0 (replaced)
            after create test:Thing/nodes#1, update test:Thing/addon#0
        update test:Thing/addon#0
            value: "1" -> "2"
            after update test:Thing/plane#0
        "#,
    );
}

#[test]
fn what_is_made_waits_for_what_it_runs_on_whatever_the_order_of_changes() {
    let [plane, nodes, _] = tiers("1");
    golden(
        &made(&[plane, nodes]),
        &tiers("2"),
        r#"
        update test:Thing/plane#0
            value: "1" -> "2"
        update test:Thing/nodes#0
            value: "1" -> "2"
            after update test:Thing/plane#0
        create test:Thing/addon#0
            after update test:Thing/nodes#0, update test:Thing/plane#0
        "#,
    );
}

#[test]
fn an_order_that_would_close_a_circle_gives_way() {
    // `b` must wait for `a`: that `a` is to be changed after `b` cannot be.
    golden(
        &made(&[res("a").after_update("b"), res("b").after("a")]),
        &[res("a").value("new").after_update("b"), res("b").value("new").after("a")],
        r#"
        update test:Thing/a#0
            value: "v" -> "new"
        update test:Thing/b#0
            value: "v" -> "new"
            after update test:Thing/a#0
        "#,
    );
}

fn insisting(before: &[Res], after: &[Res], replace: &[&str]) -> Result<Plan, Error> {
    let planning = Planning { replace: replace.iter().map(|name| (*name).to_owned()).collect(), ..Planning::default() };
    plan_with(&stack(after), &made(before), &registry(&Cloud::new(Log::default())), &planning)
}

#[track_caller]
fn shown(before: &[Res], after: &[Res], replace: &[&str]) -> String {
    render(&insisting(before, after, replace).unwrap())
}

#[test]
fn a_healthy_object_is_replaced_if_somebody_insists() {
    let things = [res("a"), res("b").dep("a")];
    let expected = "create test:Thing/a#1 (insisted on; replaces #0, create-then-delete)\n\
                    delete test:Thing/a#0 (insisted on; replaced)\n    \
                    after create test:Thing/a#1, update test:Thing/b#0\n\
                    update test:Thing/b#0\n    \
                    deps: [\"obj-a\"] -> [(known after apply)]\n    \
                    after create test:Thing/a#1\n";
    for name in ["test:Thing/a", "thing/a", "a"] {
        assert_eq!(shown(&things, &things, &[name]), expected);
    }
}

#[test]
fn insisting_lifts_protection_of_what_is_named_and_of_nothing_else() {
    let precious = |key: &str| [res("Precious/a").key(key), res("Precious/b").parent("Precious/a", "label")];
    let refused = |replace: &[&str]| match insisting(&precious("k"), &precious("new"), replace) {
        Err(Error::Protected { urn, .. }) => urn.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&[]), "test:Precious/a");
    assert_eq!(refused(&["precious/b"]), "test:Precious/a");
    let text = shown(&precious("k"), &precious("new"), &["precious/a", "precious/b"]);
    assert!(text.starts_with("create test:Precious/a#1 (replaces #0, create-then-delete)\n"), "{text}");
}

#[test]
fn what_is_not_there_yet_is_made_and_an_unknown_name_is_an_error() {
    assert_eq!(shown(&[], &[res("a")], &["a"]), "create test:Thing/a#0\n");
    let error = insisting(&[res("a")], &[res("a")], &["thing/aa"]).unwrap_err();
    assert_eq!(error.to_string(), "there is no resource `thing/aa`");
    assert_eq!(error.hint().as_deref(), Some("Did you mean `test:Thing/a`?"));
}

#[test]
fn a_change_that_its_kind_refuses_is_refused_unless_a_new_object_is_insisted_on() {
    let (before, after) = ([res("Stubborn/a").value("3")], [res("Stubborn/a").value("1")]);
    let error = insisting(&before, &after, &[]).unwrap_err();
    assert_eq!(error.to_string(), "test:Stubborn/a: 1 is less than 3");
    assert_eq!(error.hint().as_deref(), Some("Give it time."));
    let text = shown(&before, &after, &["a"]);
    assert!(text.contains("insisted on; replaces #0"), "{text}");
    // And so is a deletion, whatever asks for it.
    for (after, replace) in [(vec![], vec![]), (vec![res("Stubborn/a").value("locked")], vec!["a"])] {
        let error = insisting(&[res("Stubborn/a").value("locked")], &after, &replace).unwrap_err();
        assert_eq!(error.to_string(), "test:Stubborn/a: it is locked");
    }
}
