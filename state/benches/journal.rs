//! The journal: durable groups of entries, and reading a history back.
//!
//! `cargo bench -p rayplat-state`

use divan::{Bencher, counter::ItemsCount};
use rayplat_engine::{
    journal::{self, Entry, Intent, Outcome, Record},
    provider::ReplaceOrder,
    store::{ObjectKey, StateStore, Stored},
    urn::Urn,
};
use rayplat_state::SledStore;
use serde_json::json;

fn main() {
    divan::main();
}

fn key(index: usize) -> ObjectKey {
    let urn = Urn::new("test:Thing", &index.to_string()).unwrap_or_else(|error| panic!("{error}"));
    ObjectKey { urn, generation: 0 }
}

/// Creations, each begun and finished.
fn history(count: usize) -> Vec<Entry> {
    let records = (0..count).flat_map(|index| {
        let intent = Intent::Create {
            nonce: format!("{index:032x}"),
            inputs: json!({"index": index, "name": "a name of usual length"}),
            depends_on: vec![],
            replace_order: ReplaceOrder::CreateThenDelete,
            data: false,
        };
        let outcome = Outcome::Created {
            id: index.to_string(),
            inputs: json!({"index": index}),
            outputs: json!({"arn": "arn:aws:iam::123456789012:role/a-role"}),
            took_ms: Some(5),
        };
        [Record::Began { key: key(index), intent }, Record::Succeeded { key: key(index), outcome }]
    });
    (1..).zip(records).map(|(seq, record)| Entry { run: 1, seq, at_ms: 0, record }).collect()
}

/// One group, from the call to its return: encoded, written, synced.
#[divan::bench(args = [1, 10, 100])]
fn append(bencher: Bencher, group: usize) {
    let folder = std::env::temp_dir().join(format!("rayplat-bench-{}-{group}", std::process::id()));
    let store = SledStore::open(&folder, "bench").unwrap_or_else(|error| panic!("{error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap_or_else(|error| panic!("{error}"));
    let mut seq = 0;
    bencher
        .counter(ItemsCount::new(group))
        .with_inputs(|| {
            let mut entries = history(group.div_ceil(2));
            entries.truncate(group);
            for entry in &mut entries {
                seq += 1;
                entry.seq = seq;
            }
            entries
        })
        .bench_local_values(|entries| {
            runtime.block_on(store.append(entries)).unwrap_or_else(|error| panic!("{error}"));
        });
    drop(store);
    // A folder in the temporary directory that stays is no harm.
    drop(std::fs::remove_dir_all(&folder));
}

/// The state that a history of 10,000 entries stands for.
#[divan::bench]
fn fold(bencher: Bencher) {
    let stored = Stored { journal: history(5_000), ..Stored::default() };
    bencher
        .counter(ItemsCount::new(stored.journal.len()))
        .bench_local(|| journal::fold(&stored).unwrap_or_else(|error| panic!("{error}")));
}
