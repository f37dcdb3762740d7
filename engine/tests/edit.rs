//! Changes to the state alone.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::Arc;

use common::store::MemoryStore;
use rayplat_engine::{
    context::SystemClock,
    edit::{EditError, Editor},
    history::What,
    journal, ops,
    provider::ReplaceOrder,
    store::{Binding, Checkpoint, Meta, Object, Phase, StateStore, Stored},
    urn::Urn,
};
use serde_json::json;

fn urn(text: &str) -> Urn {
    text.parse().unwrap()
}

fn object(name: &str, generation: u32, depends_on: &[&str]) -> Object {
    Object {
        urn: urn(name),
        generation,
        phase: Phase::Live,
        deposed: generation == 0 && name == "k/twice",
        data: false,
        id: Some(format!("id-of-{name}")),
        nonce: "n".into(),
        inputs: json!({"a": 1}),
        outputs: json!({}),
        depends_on: depends_on.iter().map(|on| urn(on)).collect(),
        replace_order: ReplaceOrder::CreateThenDelete,
        took_ms: None,
        claimed: true,
        pinned: std::collections::BTreeMap::new(),
    }
}

fn state(objects: Vec<Object>) -> Checkpoint {
    let binding = Binding { partition: "p".into(), account: "1".into(), region: "r".into(), endpoint: None };
    Checkpoint {
        meta: Some(Meta { stack: "s".into(), binding, run: 7 }),
        objects: objects.into_iter().map(|object| (object.key(), object)).collect(),
    }
}

async fn editor(checkpoint: Checkpoint) -> (Arc<MemoryStore>, Editor) {
    let store = Arc::new(MemoryStore::default());
    *store.stored.lock().unwrap() = Stored { checkpoint, journal: vec![] };
    let editor = Editor::open(store.clone(), Arc::new(SystemClock), Some("ann@host".into())).await.unwrap();
    (store, editor)
}

async fn kept(store: &MemoryStore) -> Checkpoint {
    journal::fold(&store.load().await.unwrap()).unwrap()
}

#[tokio::test]
async fn what_is_let_go_leaves_every_generation_and_is_remembered() {
    let objects = vec![object("k/twice", 0, &[]), object("k/twice", 1, &[]), object("k/on", 0, &["k/twice"])];
    let (store, mut editor) = editor(state(objects)).await;
    assert_eq!(editor.dependents(&[urn("k/twice")]), [urn("k/on")]);
    editor.forget(&urn("k/twice")).await.unwrap();
    let kept = kept(&store).await;
    assert_eq!(kept.objects.keys().map(ToString::to_string).collect::<Vec<_>>(), ["k/on#0"]);
    assert_eq!(kept.meta.unwrap().run, 8);
    let runs = ops::history(&*store).await.unwrap();
    assert_eq!((runs[0].run, runs[0].command.as_str(), runs[0].by.as_deref()), (8, "state rm", Some("ann@host")));
    assert_eq!(runs[0].deeds.iter().map(|deed| deed.what).collect::<Vec<_>>(), [What::Forget, What::Forget]);
}

#[tokio::test]
async fn a_new_name_is_known_to_what_depends_on_it() {
    let (store, mut editor) = editor(state(vec![object("k/a", 0, &[]), object("k/b", 0, &["k/a"])])).await;
    editor.rename(&urn("k/a"), &urn("k/c")).await.unwrap();
    let kept = kept(&store).await;
    assert_eq!(kept.objects.keys().map(ToString::to_string).collect::<Vec<_>>(), ["k/b#0", "k/c#0"]);
    assert_eq!(kept.current(&urn("k/b")).unwrap().depends_on, [urn("k/c")]);
    assert_eq!(kept.current(&urn("k/c")).unwrap().id.as_deref(), Some("id-of-k/a"));
}

#[tokio::test]
async fn what_cannot_be_edited_is_refused_and_nothing_changes() {
    let mut half = object("k/half", 0, &[]);
    half.phase = Phase::Creating;
    let before = state(vec![object("k/a", 0, &[]), object("k/b", 0, &[]), half]);
    let (store, mut editor) = editor(before.clone()).await;
    assert!(matches!(editor.forget(&urn("k/half")).await, Err(EditError::Pending(_))));
    assert!(matches!(editor.rename(&urn("k/a"), &urn("k/b")).await, Err(EditError::Taken(_))));
    assert!(matches!(editor.rename(&urn("k/a"), &urn("other/a")).await, Err(EditError::Kind { .. })));
    let Err(EditError::Missing { near, .. }) = editor.forget(&urn("other/a")).await else { panic!() };
    assert_eq!(near, Some(urn("k/a")));
    assert!(matches!(editor.restore(before.clone(), false).await, Err(EditError::NotEmpty(3))));
    assert_eq!(kept(&store).await, before);
}

#[tokio::test]
async fn a_saved_state_is_put_back_and_runs_are_counted_on() {
    let saved = state(vec![object("k/a", 0, &[])]);
    let (store, mut editor) = editor(Checkpoint::default()).await;
    editor.restore(saved.clone(), false).await.unwrap();
    let first = kept(&store).await;
    assert_eq!((first.meta.unwrap().run, first.objects), (8, saved.objects.clone()));
    editor.restore(state(vec![object("k/b", 0, &[])]), true).await.unwrap();
    let second = kept(&store).await;
    assert_eq!(second.meta.unwrap().run, 9);
    assert_eq!(second.objects.keys().map(ToString::to_string).collect::<Vec<_>>(), ["k/b#0"]);
    assert_eq!(ops::history(&*store).await.unwrap().len(), 2);
}
