//! Every shape of replacement as text: the plans, step by step, edge by edge.
#![allow(clippy::unwrap_used)]

mod common;

use common::{
    golden::{golden, made},
    res,
};

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
