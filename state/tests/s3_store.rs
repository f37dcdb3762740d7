//! The store on conditional writes: lost answers, races, runners that die or have lost their
//! lock. Nothing acknowledged is lost, and nobody writes beside somebody else.

#![allow(clippy::unwrap_used)]

mod common;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use common::{Deed, Model, create, created, entries, faulty::Faulty, key, started};
use proptest::prelude::*;
use rayplat_engine::{
    context::SystemClock,
    journal::{self, Record},
    objects::ObjectStore,
    store::{Checkpoint, StateStore, StoreError},
};
use rayplat_state::{LockOptions, MemoryObjects, S3Store};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

fn options(command: &str) -> LockOptions {
    LockOptions { command: command.into(), lease: LockOptions::LEASE, clock: Arc::new(SystemClock), alone: false }
}

async fn open(objects: &Arc<Faulty>, command: &str) -> Result<S3Store, StoreError> {
    S3Store::open(objects.clone(), options(command)).await
}

fn shared() -> Arc<MemoryObjects> {
    Arc::new(MemoryObjects::default())
}

/// The state as the next run finds it.
async fn state(objects: &Arc<MemoryObjects>) -> Result<Checkpoint, StoreError> {
    let store = open(&Faulty::new(objects, 0, 0), "look").await?;
    let stored = store.load().await?;
    store.release().await?;
    journal::fold(&stored)
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
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// As for the sled store, and over a network that loses every fifth answer.
    #[test]
    fn any_history_is_read_back(deeds in prop::collection::vec(deed(), 1..40), seed in any::<u64>(), bad in any::<bool>()) {
        block_on(async {
            let objects = Faulty::new(&shared(), seed, if bad { 20 } else { 0 });
            let mut store = open(&objects, "test").await.unwrap();
            let mut model = Model::default();
            model.start(&store).await;
            for deed in &deeds {
                model.play(&store, deed).await;
                if matches!(deed, Deed::Reopen) {
                    store.release().await.unwrap();
                    store = open(&objects, "test").await.unwrap();
                }
                prop_assert_eq!(&journal::fold(&store.load().await.unwrap()).unwrap(), &model.state);
            }
            Ok(())
        })?;
    }
}

/// A state with a checkpoint and a journal.
async fn written(objects: &Arc<MemoryObjects>) -> Checkpoint {
    let store = open(&Faulty::new(objects, 0, 0), "test").await.unwrap();
    let mut model = Model::default();
    model.start(&store).await;
    for deed in [Deed::Create(1), Deed::Finish(1, true), Deed::Compact, Deed::Create(2), Deed::Finish(2, true)] {
        model.play(&store, &deed).await;
    }
    store.release().await.unwrap();
    model.state
}

#[test]
fn damage_is_never_taken_for_less_state() {
    block_on(async {
        let objects = shared();
        let truth = written(&objects).await;
        let keys = objects.keys();
        assert_eq!(keys.iter().filter(|key| key.starts_with("journal/")).count(), 3, "{keys:?}");
        for key in &keys {
            // Gone altogether. Without the lock everything else is still there.
            let objects = shared();
            written(&objects).await;
            objects.delete(key).await.unwrap();
            match state(&objects).await {
                Ok(found) => assert!(key == "lock" && found == truth, "{key}"),
                Err(error) => assert!(matches!(error, StoreError::Damaged { .. }), "{key}: {error}"),
            }
            for part in 0..8 {
                let objects = shared();
                written(&objects).await;
                objects.damage(key, |bytes| {
                    let at = bytes.len() * part / 8;
                    bytes[at] = !bytes[at];
                });
                let error = state(&objects).await.unwrap_err();
                assert!(matches!(error, StoreError::Damaged { .. } | StoreError::TooNew { .. }), "{key}: {error}");
            }
        }
    });
}

#[test]
fn what_says_nothing_by_itself_is_damage_too() {
    block_on(async {
        let objects = shared();
        let store = open(&Faulty::new(&objects, 0, 0), "test").await.unwrap();
        store.append(entries(1, 1, vec![started(1), create(0)])).await.unwrap();
        store.append(entries(1, 4, vec![created(0)])).await.unwrap();
        store.release().await.unwrap();
        let error = state(&objects).await.unwrap_err();
        assert!(matches!(&error, StoreError::Damaged { reason, .. } if reason.contains("jumps")), "{error}");
    });
}

#[test]
fn past_runs_outlive_the_journal() {
    block_on(async {
        let objects = shared();
        let all =
            entries(1, 1, vec![started(1), create(1), created(1), Record::Closed { summary: Default::default() }]);
        let runs = rayplat_engine::history::Ledger::of(&all).take();
        let store = open(&Faulty::new(&objects, 0, 0), "test").await.unwrap();
        store.append(all).await.unwrap();
        let model = journal::fold(&store.load().await.unwrap()).unwrap();
        let delta = journal::delta(&Checkpoint::default(), &model);
        store.compact(rayplat_engine::store::Delta { runs: runs.clone(), ..delta }).await.unwrap();
        store.release().await.unwrap();
        let store = open(&Faulty::new(&objects, 1, 0), "test").await.unwrap();
        store.load().await.unwrap();
        assert_eq!(store.history().await.unwrap(), runs);
    });
}

#[test]
fn a_second_run_is_refused_by_name_until_the_first_has_ended() {
    block_on(async {
        let objects = shared();
        let store = open(&Faulty::new(&objects, 0, 0), "rayplat up").await.unwrap();
        // Renewed again and again: a long wait is no death.
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        let Err(StoreError::Locked { holder }) = open(&Faulty::new(&objects, 1, 0), "rayplat down").await else {
            panic!("it was opened twice");
        };
        assert!(holder.starts_with(&format!("`rayplat up` (process {} of ", std::process::id())), "{holder}");
        assert!(holder.contains(", until 2"), "{holder}");
        drop(store);
        // Dropping gives it back, a moment later.
        tokio::time::sleep(Duration::from_secs(1)).await;
        open(&Faulty::new(&objects, 2, 0), "rayplat down").await.unwrap();
    });
}

#[test]
fn a_dead_runs_lock_ends_by_itself_and_what_it_wrote_stays() {
    block_on(async {
        let objects = shared();
        let line = Faulty::new(&objects, 0, 0);
        let store = open(&line, "rayplat up").await.unwrap();
        let began = tokio::time::Instant::now();
        store.append(entries(1, 1, vec![started(1), create(0)])).await.unwrap();
        line.cut();
        drop(store);
        let next = loop {
            match open(&Faulty::new(&objects, 1, 0), "rayplat up").await {
                Ok(store) => break store,
                Err(StoreError::Locked { .. }) => tokio::time::sleep(Duration::from_secs(1)).await,
                Err(other) => panic!("{other}"),
            }
        };
        assert!((75..80).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        let stored = next.load().await.unwrap();
        assert!(journal::fold(&stored).unwrap().objects.contains_key(&key(0)));
        next.append(entries(2, 1, vec![started(2), created(0)])).await.unwrap();
    });
}

#[test]
fn a_run_that_cannot_renew_its_lock_stops_by_itself() {
    block_on(async {
        let objects = shared();
        let line = Faulty::new(&objects, 0, 0);
        let store = open(&line, "rayplat up").await.unwrap();
        let began = tokio::time::Instant::now();
        line.cut();
        let error = store.lost().await;
        assert!(matches!(&error, StoreError::Lost { reason, .. } if reason.contains("lease ran out")), "{error}");
        // Before anybody else may begin.
        assert!(began.elapsed() <= LockOptions::LEASE, "{:?}", began.elapsed());
        let error = store.append(entries(1, 1, vec![started(1)])).await.unwrap_err();
        assert!(matches!(error, StoreError::Lost { .. }), "{error}");
    });
}

/// The lock is broken under a run that goes on: the next one takes over at its first write,
/// and the first can write neither journal nor checkpoint from then on.
#[test]
fn whoever_lost_the_lock_cannot_write() {
    for (compacts, ended) in [(false, false), (true, false), (false, true), (true, true)] {
        block_on(async {
            let objects = shared();
            let first = open(&Faulty::new(&objects, 0, 0), "first").await.unwrap();
            first.append(entries(1, 1, vec![started(1), create(0)])).await.unwrap();
            let view = S3Store::lock(&*objects).await.unwrap().unwrap();
            assert_eq!(view.holder.as_ref().unwrap().command, "first");
            assert!(S3Store::break_lock(&*objects, &view).await.unwrap());
            assert!(!S3Store::break_lock(&*objects, &view).await.unwrap(), "it has changed");
            let second = open(&Faulty::new(&objects, 1, 0), "second").await.unwrap();
            second.append(entries(2, 1, vec![started(2), created(0)])).await.unwrap();
            let mut model = journal::fold(&second.load().await.unwrap()).unwrap();
            if ended {
                // Its segments are gone: the places are free again.
                second.compact(journal::delta(&Checkpoint::default(), &model)).await.unwrap();
                assert!(objects.keys().iter().all(|key| !key.starts_with("journal/")), "{:?}", objects.keys());
            }
            let error = if compacts {
                let delta = journal::delta(&Checkpoint::default(), &Checkpoint::default());
                first.compact(delta).await.unwrap_err()
            } else {
                first.append(entries(1, 3, vec![created(0)])).await.unwrap_err()
            };
            assert!(matches!(&error, StoreError::Lost { reason, .. } if reason.contains("`second`")), "{error}");
            assert!(matches!(first.lost().await, StoreError::Lost { .. }));
            first.release().await.unwrap();
            second.append(entries(2, 3, vec![create(1)])).await.unwrap();
            journal::apply(&mut model, &create(1)).unwrap();
            second.release().await.unwrap();
            let found = state(&objects).await.unwrap();
            assert_eq!(found, model);
            assert!(!found.objects[&key(0)].phase.pending());
        });
    }
}

/// What was written between another's look and its first write is not overlooked.
#[test]
fn a_state_that_moved_on_is_not_written_over() {
    block_on(async {
        let objects = shared();
        let first = open(&Faulty::new(&objects, 0, 0), "first").await.unwrap();
        first.append(entries(1, 1, vec![started(1), create(0)])).await.unwrap();
        let view = S3Store::lock(&*objects).await.unwrap().unwrap();
        S3Store::break_lock(&*objects, &view).await.unwrap();
        let second = open(&Faulty::new(&objects, 1, 0), "second").await.unwrap();
        first.append(entries(1, 3, vec![created(0)])).await.unwrap();
        let error = second.append(entries(2, 1, vec![started(2)])).await.unwrap_err();
        assert!(matches!(error, StoreError::Lost { .. }), "{error}");
        second.release().await.unwrap();
        assert!(!state(&objects).await.unwrap().objects[&key(0)].phase.pending());
    });
}

/// One run: begins, makes things in several groups, compacts, ends. Gives what was acknowledged.
async fn runner(line: Arc<Faulty>, index: u8, acknowledged: &std::sync::Mutex<BTreeSet<u8>>) -> Result<(), StoreError> {
    let store = open(&line, &format!("runner {index}")).await?;
    let stored = store.load().await?;
    let base = stored.checkpoint.clone();
    let mut model = journal::fold(&stored)?;
    let run = model.meta.as_ref().map_or(0, |meta| meta.run) + 1;
    let mut seq = 0;
    let groups = [vec![started(run), create(index)], vec![created(index)], vec![create(index + 100)]];
    for (number, group) in groups.into_iter().enumerate() {
        for record in &group {
            journal::apply(&mut model, record)?;
        }
        let count = group.len() as u64;
        store.append(entries(run, seq + 1, group)).await?;
        seq += count;
        acknowledged.lock().unwrap().insert(if number == 2 { index + 100 } else { index });
    }
    store.append(entries(run, seq + 1, vec![Record::Closed { summary: Default::default() }])).await?;
    store.compact(journal::delta(&base, &model)).await?;
    store.release().await
}

/// Many runners at once, on a bad network, and somebody who breaks their locks now and then:
/// everything that was acknowledged is in the end state, whoever wrote it.
async fn crowd(seed: u64) -> (usize, usize) {
    let objects = shared();
    let acknowledged = Arc::new(std::sync::Mutex::new(BTreeSet::new()));
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..6u8 {
        let line = Faulty::new(&objects, seed * 100 + u64::from(index), 15);
        let acknowledged = acknowledged.clone();
        tasks.spawn(async move {
            let mut lost = 0;
            for _ in 0..4_000 {
                match runner(line.clone(), index, &acknowledged).await {
                    Ok(()) => return (1, lost),
                    Err(StoreError::Locked { .. }) => tokio::time::sleep(Duration::from_millis(250)).await,
                    Err(StoreError::Lost { .. } | StoreError::Remote { .. }) => {
                        lost += 1;
                        // Its work is done as far as it goes: it would make the same things again.
                        return (0, lost);
                    }
                    Err(other) => panic!("seed {seed}, runner {index}: {other}"),
                }
            }
            panic!("seed {seed}: runner {index} never began");
        });
    }
    let breaker = objects.clone();
    let breaking = async move {
        loop {
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            if let Some(view) = S3Store::lock(&*breaker).await.unwrap().filter(|view| view.holder.is_some()) {
                S3Store::break_lock(&*breaker, &view).await.unwrap();
            }
        }
    };
    let admin = seed.is_multiple_of(2).then(|| tokio::spawn(breaking));
    let (mut whole, mut lost) = (0, 0);
    while let Some(ended) = tasks.join_next().await {
        let (did, failed) = ended.unwrap();
        whole += did;
        lost += failed;
    }
    if let Some(admin) = admin {
        admin.abort();
    }
    // Stragglers, and locks that nobody gave back.
    tokio::time::sleep(Duration::from_secs(120)).await;
    let found = state(&objects).await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    for index in acknowledged.lock().unwrap().iter() {
        assert!(found.objects.contains_key(&key(*index)), "seed {seed}: {index} was acknowledged and is not there");
    }
    (whole, lost)
}

#[test]
fn what_was_acknowledged_is_there_whoever_wrote_at_the_same_time() {
    let (mut whole, mut lost) = (0, 0);
    for seed in 0..150 {
        let (did, failed) = block_on(crowd(seed));
        (whole, lost) = (whole + did, lost + failed);
    }
    assert!(whole > 400 && lost > 50, "{whole} whole runs, {lost} lost their lock");
}

#[test]
fn of_two_that_begin_at_once_exactly_one_proceeds() {
    for seed in 0..200 {
        block_on(async {
            let objects = shared();
            let (one, two) = (Faulty::new(&objects, seed, 10), Faulty::new(&objects, seed + 1_000, 10));
            let (one, two) = tokio::join!(open(&one, "one"), open(&two, "two"));
            let refused = match (one, two) {
                (Ok(_held), Err(error)) | (Err(error), Ok(_held)) => error,
                (one, two) => panic!("seed {seed}: {one:?} {two:?}"),
            };
            assert!(matches!(refused, StoreError::Locked { .. }), "seed {seed}: {refused}");
        });
    }
}
