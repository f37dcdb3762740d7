//! Objects that stood before: into the state, claimed, changed a step at a time.
#![allow(clippy::unwrap_used)]

mod common;

use common::{
    Cloud, Fault, Res, STACK, World, block,
    golden::{golden, key, made},
    kinds::ThingInputs,
    res, stack, urn,
};
use rayplat_engine::{
    error::Error,
    event::Events,
    import::{ImportOptions, ImportReport},
    plan::{diff::Effect, render::render},
    stack::Stack,
};
use serde_json::json;

const PINNED: ImportOptions = ImportOptions { pin: true, partial: false, dry_run: false };
const FREE: ImportOptions = ImportOptions { pin: false, ..PINNED };

fn inputs(value: &str, key: &str, deps: &[&str]) -> ThingInputs {
    let deps = deps.iter().map(|dep| (*dep).to_owned()).collect();
    ThingInputs { value: value.to_owned(), key: key.to_owned(), deps, parents: vec![] }
}

/// An object that another program made: `obj-planted-NAME`.
fn plant(world: &World, of: &str, stack: &str, inputs: ThingInputs) -> String {
    let object = Cloud::planted(&urn(of), &format!("theirs-{of}"), stack, inputs);
    let id = object.id.clone();
    world.cloud.plant(object);
    id
}

async fn import(world: &World, stack: &Stack, pairs: &[(&str, &str)], options: ImportOptions) -> ImportReport {
    let pairs: Vec<_> = pairs.iter().map(|(of, id)| (urn(of), (*id).to_owned())).collect();
    world.engine().import(stack, &pairs, options, Events::none()).await.unwrap()
}

async fn adopted(world: &World, stack: &Stack, pairs: &[(&str, &str)], options: ImportOptions) -> ImportReport {
    let report = import(world, stack, pairs, options).await;
    assert_eq!(report.refused, []);
    assert!(report.written);
    report
}

async fn planned(world: &World, stack: &Stack) -> String {
    render(&world.preview(stack).await.plan)
}

#[test]
fn what_is_adopted_with_pins_is_only_claimed() {
    block(async {
        let world = World::default();
        let (a, b) = (plant(&world, "a", "", inputs("old", "old", &[])), "obj-planted-b");
        plant(&world, "b", "", inputs("v", "k", &[&a]));
        let wanted = stack(&[res("a").value("new").key("new"), res("b").dep("a")]);
        let report = adopted(&world, &wanted, &[("b", b), ("a", &a)], PINNED).await;
        let order: Vec<_> = report.adopted.iter().map(|object| (object.urn.name(), object.claimed)).collect();
        assert_eq!(order, [("a", false), ("b", false)]);
        let kept: Vec<_> = report.adopted[0].kept.iter().map(|kept| (kept.path.as_str(), kept.effect)).collect();
        assert_eq!(kept, [("value", Effect::Update), ("key", Effect::Replace)]);
        assert_eq!(world.cloud.of(&urn("a"))[0].stack, "", "an import changes nothing in the account");

        let kept = "kept test:Thing/a key: \"old\", not \"new\"\nkept test:Thing/a value: \"old\", not \"new\"\n";
        let claim = |name: &str| format!("update test:Thing/{name}#0\n    ownership: none -> \"this stack's\"\n");
        let after = "    after update test:Thing/a#0\n";
        assert_eq!(planned(&world, &wanted).await, format!("{}{}{after}{kept}", claim("a"), claim("b")));

        assert_eq!(world.up(&wanted).await.summary.updated, 2);
        world.check_integrity().unwrap();
        let object = &world.cloud.of(&urn("a"))[0];
        assert_eq!((object.stack.as_str(), object.inputs.clone()), (STACK, inputs("old", "old", &[])));
        assert_eq!(object.nonce, world.state().current(&urn("a")).unwrap().nonce);
        assert_eq!(planned(&world, &wanted).await, format!("{kept}unchanged: 2\n"));

        // A step at a time.
        let released = world.engine().release(STACK, &urn("a"), Some("value")).await.unwrap();
        assert_eq!(released, ["value"]);
        assert_eq!(world.up(&wanted).await.summary.updated, 1);
        assert_eq!(world.cloud.of(&urn("a"))[0].inputs, inputs("new", "old", &[]));
        world.engine().release(STACK, &urn("a"), None).await.unwrap();
        assert_eq!(world.up(&wanted).await.summary.replaced, 1);
        world.assert_settled(&wanted).await;
        world.down().await;
        assert_eq!(world.cloud.objects().len(), 0);
    });
}

#[test]
fn without_pins_it_is_claimed_and_then_changed() {
    block(async {
        let world = World::default();
        let a = plant(&world, "a", "", inputs("old", "k", &[]));
        let wanted = stack(&[res("a")]);
        let report = adopted(&world, &wanted, &[("a", &a)], FREE).await;
        assert!(report.adopted[0].kept.is_empty());
        assert_eq!(report.adopted[0].changes.len(), 1);
        world.up(&wanted).await;
        assert_eq!(world.cloud.of(&urn("a"))[0].stack, STACK);
        world.assert_settled(&wanted).await;
    });
}

#[test]
fn what_is_not_claimed_is_not_deleted() {
    block(async {
        let world = World::default();
        let a = plant(&world, "a", "", inputs("v", "old", &[]));
        let wanted = stack(&[res("a").key("new")]);
        adopted(&world, &wanted, &[("a", &a)], FREE).await;
        let refused = |result: Result<_, Error>| match result {
            Err(error @ Error::Unclaimed { .. }) => error.hint().unwrap(),
            other => panic!("{other:?}"),
        };
        let hint = refused(world.try_down().await);
        assert!(hint.contains("rayplat up") && hint.contains("rayplat state rm test:Thing/a"), "{hint}");
        // Nor replaced, nor dropped from the manifest.
        refused(world.try_up(&wanted).await);
        refused(world.try_up(&stack(&[res("b")])).await);
        assert_eq!(world.cloud.objects().len(), 1);

        world.up(&stack(&[res("a").key("old")])).await;
        world.down().await;
        assert_eq!(world.cloud.objects().len(), 0);
    });
}

#[test]
fn a_claim_that_fails_is_made_again() {
    for (operation, fault) in [("Tag", Fault::Denied), ("Tag", Fault::Lost), ("Update", Fault::Denied)] {
        block(async {
            let world = World::default();
            let a = plant(&world, "a", "", inputs("old", "k", &[]));
            let wanted = stack(&[res("a")]);
            adopted(&world, &wanted, &[("a", &a)], FREE).await;
            world.cloud.script(operation, "a", fault, 1);
            let failed = world.try_up(&wanted).await.unwrap().summary.failed;
            assert_eq!(failed, u64::from(fault == Fault::Denied), "{operation} {fault:?}");
            assert_eq!(world.state().current(&urn("a")).unwrap().claimed, failed == 0);
            world.up(&wanted).await;
            world.assert_settled(&wanted).await;
        });
    }
}

#[test]
fn refusals_say_why() {
    block(async {
        let world = World::default();
        let wanted: Vec<Res> = vec![res("a"), res("b"), res("Look/l"), res("Bare/part").dep("a")];
        let wanted = stack(&wanted);
        let a = plant(&world, "a", "", inputs("v", "k", &[]));
        let theirs = plant(&world, "b", "another stack", inputs("v", "k", &[]));
        let part = plant(&world, "Bare/part", "", inputs("v", "k", &[&theirs]));
        let cases = [
            (vec![("b", "no-such")], "there is no test:Thing with the id `no-such`"),
            (vec![("aa", "x")], "no resource of that name (The nearest name that it has is test:Thing/a.)"),
            (vec![("b", &theirs)], "belongs to the rayplat platform `another stack`"),
            (vec![("Look/l", "x")], "it is a look-up"),
            (vec![("a", "x"), ("a", "y")], "two ids are given for it"),
            (vec![("Bare/part", &part)], "and test:Thing/a, which it is part of, is not in the state"),
            (vec![("a", &a), ("Bare/part", &part)], "its `deps` is [\"obj-planted-b\"], not [\"obj-planted-a\"]"),
            (vec![("a", &a), ("b", &a)], "the state already has obj-planted-a as test:Thing/a#0"),
        ];
        for (pairs, reason) in cases {
            let report = import(&world, &wanted, &pairs, PINNED).await;
            let [refused] = report.refused.as_slice() else { panic!("{:?}", report.refused) };
            let text = format!("{} ({})", refused.reason, refused.hint.as_deref().unwrap_or_default());
            assert!(text.contains(reason), "{text}");
            // One refusal refuses all.
            assert!(!report.written && world.state().objects.is_empty(), "{pairs:?}");
        }
        adopted(&world, &wanted, &[("a", &a)], PINNED).await;
        let report = import(&world, &wanted, &[("a", "other")], PINNED).await;
        assert!(report.refused[0].reason.contains("the state already has obj-planted-a for it"));
    });
}

#[test]
fn a_dry_run_writes_nothing_and_a_partial_one_what_it_can() {
    block(async {
        let world = World::default();
        let wanted = stack(&[res("a"), res("b")]);
        let a = plant(&world, "a", "", inputs("v", "k", &[]));
        let pairs: [(&str, &str); 2] = [("a", &a), ("b", "no-such")];
        let dry = import(&world, &wanted, &pairs, ImportOptions { dry_run: true, ..PINNED }).await;
        assert_eq!((dry.adopted.len(), dry.refused.len(), dry.written), (1, 1, false));
        assert!(world.state().meta.is_none());
        let partial = import(&world, &wanted, &pairs, ImportOptions { partial: true, ..PINNED }).await;
        assert_eq!((partial.adopted.len(), partial.refused.len(), partial.written), (1, 1, true));
        let text = "update test:Thing/a#0\n    ownership: none -> \"this stack's\"\ncreate test:Thing/b#0\n";
        assert_eq!(planned(&world, &wanted).await, text);
        world.up(&wanted).await;
        world.assert_settled(&wanted).await;
    });
}

#[test]
fn what_carries_our_marks_is_ours_at_once() {
    block(async {
        let world = World::default();
        let wanted = stack(&[res("a"), res("Bare/part").dep("a")]);
        world.up(&wanted).await;
        let ids: Vec<String> = world.cloud.objects().into_iter().map(|object| object.id).collect();
        let before = world.state();
        let lost = World { cloud: world.cloud.clone(), ..World::default() };
        let pairs: [(&str, &str); 2] = [("a", &ids[0]), ("Bare/part", &ids[1])];
        let report = adopted(&lost, &wanted, &pairs, PINNED).await;
        assert!(report.adopted.iter().all(|object| object.claimed));
        let nonce = |state: &rayplat_engine::store::Checkpoint| state.current(&urn("a")).unwrap().nonce.clone();
        assert_eq!(nonce(&lost.state()), nonce(&before));
        lost.assert_settled(&wanted).await;
        lost.down().await;
    });
}

#[test]
fn a_claim_changes_no_output() {
    block(async {
        let world = World::default();
        let a = plant(&world, "Moody/a", "", inputs("v", "k", &[]));
        // The value of `a` may change with an update of `a`, and `b` has it in a field that
        // needs a new object.
        let wanted = stack(&[res("Moody/a"), res("b").parent("Moody/a", "value")]);
        adopted(&world, &wanted, &[("Moody/a", &a)], PINNED).await;
        let plan = world.preview(&wanted).await.plan;
        assert_eq!((plan.summary().updated, plan.summary().created), (1, 1));
        world.up(&wanted).await;
        let b = world.state().current(&urn("b")).unwrap().clone();
        assert_eq!(b.inputs["parents"], json!(["v"]));
    });
}

#[test]
fn a_field_without_a_value_yet_is_pinned_too() {
    block(async {
        let world = World::default();
        let b = plant(&world, "b", "", inputs("v", "k", &[]));
        let wanted = stack(&[res("a"), res("b").parent("a", "id")]);
        adopted(&world, &wanted, &[("b", &b)], PINNED).await;
        let plan = world.preview(&wanted).await.plan;
        assert_eq!(plan.summary().replaced, 0, "{}", render(&plan));
        world.up(&wanted).await;
        world.up(&wanted).await;
        assert_eq!(world.cloud.of(&urn("b"))[0].inputs.parents, Vec::<String>::new());
        world.engine().release(STACK, &urn("b"), None).await.unwrap();
        world.up(&wanted).await;
        world.assert_settled(&wanted).await;
    });
}

#[test]
fn a_pin_does_not_hold_up_a_new_object() {
    let mut state = made(&[res("a").value("old")]);
    state.objects.get_mut(&key("a", 0)).unwrap().pinned.insert("value".to_owned(), json!("old"));
    golden(&state, &[res("a").value("new")], "kept test:Thing/a value: \"old\", not \"new\"\nunchanged: 1");
    golden(
        &state,
        &[res("a").value("new").key("new")],
        r#"
        create test:Thing/a#1 (replaces #0, create-then-delete)
            value: "old" -> "new"
            key: "k" -> "new"
        delete test:Thing/a#0 (replaced)
            after create test:Thing/a#1
        "#,
    );
    // What somebody changed in the account goes back to what is pinned.
    state.objects.get_mut(&key("a", 0)).unwrap().inputs["value"] = json!("drifted");
    golden(
        &state,
        &[res("a").value("new")],
        r#"
        update test:Thing/a#0
            value: "drifted" -> "old"
        kept test:Thing/a value: "old", not "new"
        "#,
    );
    // What the manifest has come to want is kept by nobody.
    golden(&state, &[res("a").value("old")], "update test:Thing/a#0\n    value: \"drifted\" -> \"old\"");
}

#[test]
fn only_what_is_pinned_is_released() {
    block(async {
        let world = World::default();
        let a = plant(&world, "a", "", inputs("old", "k", &[]));
        adopted(&world, &stack(&[res("a")]), &[("a", &a)], PINNED).await;
        let engine = world.engine();
        for (of, path, says) in [
            ("a", Some("key"), "`key` is not pinned (pinned: value)"),
            ("b", None, "the state has no object of that name"),
        ] {
            let error = engine.release(STACK, &urn(of), path).await.unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert_eq!(engine.release(STACK, &urn("a"), None).await.unwrap(), ["value"]);
        assert!(engine.release(STACK, &urn("a"), None).await.is_err());
    });
}
