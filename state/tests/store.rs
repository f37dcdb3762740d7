//! The store: what was acknowledged survives, what is damaged is said, nobody works
//! twice at once.

#![allow(clippy::unwrap_used)]

use std::{fs, path::Path};

use proptest::prelude::*;
use rayplat_engine::{
    error::Leftover,
    event::Summary,
    journal::{self, Entry, Intent, Outcome, Record},
    provider::ReplaceOrder,
    store::{Binding, Checkpoint, Meta, ObjectKey, StateStore, StoreError, Stored},
    urn::Urn,
};
use rayplat_state::SledStore;
use serde_json::json;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn key(index: u8) -> ObjectKey {
    ObjectKey { urn: Urn::new("test:Thing", &index.to_string()).unwrap(), generation: 0 }
}

fn meta(run: u64) -> Meta {
    let binding = Binding { partition: "aws".into(), account: "1".into(), region: "here".into(), endpoint: None };
    Meta { stack: "s".into(), binding, run }
}

fn create(index: u8) -> Record {
    Record::Began {
        key: key(index),
        intent: Intent::Create {
            nonce: format!("n{index}"),
            inputs: json!({"index": index}),
            depends_on: vec![],
            replace_order: ReplaceOrder::CreateThenDelete,
            data: false,
        },
    }
}

fn created(index: u8) -> Record {
    let outcome = Outcome::Created {
        id: format!("id-{index}"),
        inputs: json!({"index": index}),
        outputs: json!({"x": index}),
        took_ms: Some(3),
    };
    Record::Succeeded { key: key(index), outcome }
}

fn entries(run: u64, from: u64, records: Vec<Record>) -> Vec<Entry> {
    let entry = |(index, record)| Entry { run, seq: from + index as u64, at_ms: 7, record };
    records.into_iter().enumerate().map(entry).collect()
}

fn started(run: u64) -> Record {
    Record::RunStarted { meta: meta(run), command: "up".into(), by: None }
}

/// The folder as it is on disk at this moment, as after a SIGKILL.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

#[test]
fn what_was_acknowledged_is_on_disk() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("state");
    let store = SledStore::open(&folder, "test").unwrap();
    for index in 0..20u8 {
        let records = if index == 0 { vec![started(1), create(0)] } else { vec![created(index - 1), create(index)] };
        let seq = if index == 0 { 1 } else { u64::from(index) * 2 + 1 };
        block_on(store.append(entries(1, seq, records))).unwrap();
        // The store is still open and has had no chance to tidy up.
        let killed = place.path().join(format!("killed-{index}"));
        copy(&folder, &killed);
        let reopened = SledStore::open(&killed, "test").unwrap();
        let stored = block_on(reopened.load()).unwrap();
        assert_eq!(stored.journal.len(), 2 + usize::from(index) * 2);
        assert_eq!(stored, block_on(store.load()).unwrap());
    }
}

#[test]
fn a_second_opening_is_refused_by_name_and_the_lock_goes_with_its_holder() {
    let place = tempfile::tempdir().unwrap();
    let store = SledStore::open(place.path(), "rayplat up").unwrap();
    let Err(StoreError::Locked { holder }) = SledStore::open(place.path(), "rayplat down") else {
        panic!("it was opened twice");
    };
    assert!(holder.contains(&format!("`rayplat up` (process {} of ", std::process::id())), "{holder}");
    drop(store);
    assert!(SledStore::open(place.path(), "rayplat down").is_ok());
}

#[test]
fn a_newer_format_is_refused() {
    let place = tempfile::tempdir().unwrap();
    drop(SledStore::open(place.path(), "test").unwrap());
    fs::write(place.path().join("FORMAT"), "99\n").unwrap();
    let refused = SledStore::open(place.path(), "test");
    assert!(matches!(refused, Err(StoreError::TooNew { found: 99, .. })), "{refused:?}");
}

#[test]
fn a_gap_in_the_journal_is_damage() {
    let place = tempfile::tempdir().unwrap();
    let store = SledStore::open(place.path(), "test").unwrap();
    block_on(store.append(entries(1, 1, vec![started(1), create(0)]))).unwrap();
    block_on(store.append(entries(1, 4, vec![created(0)]))).unwrap();
    drop(store);
    let refused = SledStore::open(place.path(), "test");
    assert!(matches!(&refused, Err(StoreError::Damaged { reason, .. }) if reason.contains("jumps")), "{refused:?}");
}

/// Every file of a state, each with some bytes turned: the answer is an error that says so
/// or the whole truth, never less than was acknowledged and never a panic.
#[test]
fn turned_bytes_are_never_taken_for_less_state() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("state");
    let store = SledStore::open(&folder, "test").unwrap();
    let mut records = vec![started(1)];
    records.extend((0..40).flat_map(|index| [create(index), created(index)]));
    block_on(store.append(entries(1, 1, records))).unwrap();
    let truth = block_on(store.load()).unwrap();
    let before = Checkpoint::default();
    block_on(store.compact(journal::delta(&before, &journal::fold(&truth).unwrap()))).unwrap();
    let truth = block_on(store.load()).unwrap();
    drop(store);

    let mut files = Vec::new();
    list(&folder, &mut files);
    let (mut refused, mut whole) = (0, 0);
    for (number, file) in files.iter().enumerate() {
        let length = fs::metadata(file).unwrap().len();
        for part in 0..4 {
            let damaged = place.path().join(format!("damaged-{number}-{part}"));
            copy(&folder, &damaged);
            let target = damaged.join(file.strip_prefix(&folder).unwrap());
            let mut bytes = fs::read(&target).unwrap();
            let at = usize::try_from(length).unwrap() * part / 4;
            for byte in bytes.iter_mut().skip(at).take(16) {
                *byte = !*byte;
            }
            fs::write(&target, bytes).unwrap();
            match SledStore::open(&damaged, "test") {
                Err(StoreError::Damaged { .. } | StoreError::TooNew { .. } | StoreError::Io { .. }) => refused += 1,
                Err(other) => panic!("{other}"),
                Ok(store) => {
                    assert_eq!(block_on(store.load()).unwrap(), truth, "{}", target.display());
                    whole += 1;
                }
            }
            fs::remove_dir_all(&damaged).unwrap();
        }
    }
    assert!(refused > 0 && whole > 0, "refused {refused}, whole {whole}");
}

fn list(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            list(&path, files);
        } else {
            files.push(path);
        }
    }
}

/// What a legal history may go on with.
#[derive(Debug, Clone)]
enum Deed {
    Create(u8),
    Finish(u8, bool),
    Delete(u8),
    Compact,
    Reopen,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (0..6u8).prop_map(Deed::Create),
        6 => (0..6u8, any::<bool>()).prop_map(|(index, well)| Deed::Finish(index, well)),
        2 => (0..6u8).prop_map(Deed::Delete),
        1 => Just(Deed::Compact),
        1 => Just(Deed::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_history_is_read_back(deeds in prop::collection::vec(deed(), 1..40)) {
        let place = tempfile::tempdir().unwrap();
        let mut store = SledStore::open(place.path(), "test").unwrap();
        let mut model = Checkpoint::default();
        let mut base = Checkpoint::default();
        let (mut run, mut seq) = (1, 0);
        let append = |store: &SledStore, model: &mut Checkpoint, run: u64, seq: &mut u64, record: Record| {
            // Only legal records are ever written.
            if journal::apply(model, &record).is_ok() {
                *seq += 1;
                block_on(store.append(vec![Entry { run, seq: *seq, at_ms: 1, record }])).unwrap();
            }
        };
        append(&store, &mut model, run, &mut seq, started(run));
        for deed in deeds {
            match deed {
                Deed::Create(index) => append(&store, &mut model, run, &mut seq, create(index)),
                Deed::Finish(index, true) => append(&store, &mut model, run, &mut seq, created(index)),
                Deed::Finish(index, false) => append(&store, &mut model, run, &mut seq, Record::Failed {
                    key: key(index), leftover: Leftover::None, error: "no".into(),
                }),
                Deed::Delete(index) => {
                    append(&store, &mut model, run, &mut seq, Record::Began { key: key(index), intent: Intent::Delete });
                    append(&store, &mut model, run, &mut seq, Record::Succeeded { key: key(index), outcome: Outcome::Deleted });
                }
                Deed::Compact => {
                    append(&store, &mut model, run, &mut seq, Record::Closed { summary: Summary::default() });
                    block_on(store.compact(journal::delta(&base, &model))).unwrap();
                    base = model.clone();
                    (run, seq) = (run + 1, 0);
                    append(&store, &mut model, run, &mut seq, started(run));
                }
                Deed::Reopen => {
                    drop(store);
                    store = SledStore::open(place.path(), "test").unwrap();
                }
            }
            let stored: Stored = block_on(store.load()).unwrap();
            prop_assert_eq!(journal::fold(&stored).unwrap(), model.clone());
        }
    }
}

#[test]
fn past_runs_outlive_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let all = entries(1, 1, vec![started(1), create(1), created(1), Record::Closed { summary: Summary::default() }]);
    let runs = rayplat_engine::history::Ledger::of(&all).take();
    {
        let store = SledStore::open(folder.path(), "test").unwrap();
        block_on(store.append(all.clone())).unwrap();
        let truth = Stored { checkpoint: Checkpoint::default(), journal: all };
        let delta = journal::delta(&Checkpoint::default(), &journal::fold(&truth).unwrap());
        block_on(store.compact(rayplat_engine::store::Delta { runs: runs.clone(), ..delta })).unwrap();
    }
    let store = SledStore::open(folder.path(), "test").unwrap();
    assert_eq!(block_on(store.history()).unwrap(), runs);
    assert_eq!(runs[0].deeds.len(), 1);
}
