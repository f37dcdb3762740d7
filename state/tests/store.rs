//! The store: what was acknowledged survives, what is damaged is said, nobody works
//! twice at once.

#![allow(clippy::unwrap_used)]

mod common;

use std::{fs, path::Path};

use common::{Deed, Model, create, created, entries, started};
use proptest::prelude::*;
use rayplat_engine::{
    event::Summary,
    journal::{self, Record},
    store::{Checkpoint, StateStore, StoreError, Stored},
};
use rayplat_state::SledStore;

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
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
        let mut model = Model::default();
        block_on(model.start(&store));
        for deed in &deeds {
            block_on(model.play(&store, deed));
            if matches!(deed, Deed::Reopen) {
                drop(store);
                store = SledStore::open(place.path(), "test").unwrap();
            }
            let stored: Stored = block_on(store.load()).unwrap();
            prop_assert_eq!(&journal::fold(&stored).unwrap(), &model.state);
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
