//! What past runs did: a fold over their journal entries, kept when the journal is
//! forgotten.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::{
    event::Summary,
    journal::{Entry, Intent, Outcome, Record},
    store::ObjectKey,
};

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PastRun {
    /// Its number.
    pub run: u64,
    /// `up`, `down`, `refresh`, ...
    pub command: String,
    /// Who ran it, as far as the program was told.
    #[serde(default)]
    pub by: Option<String>,
    /// When it began, milliseconds since the Unix epoch.
    pub began_ms: u64,
    /// When it ended; `None` if it was cut off.
    #[serde(default)]
    pub ended_ms: Option<u64>,
    /// What it did in all; `None` if it was cut off.
    #[serde(default)]
    pub summary: Option<Summary>,
    /// What it did to each object, in order.
    #[serde(default)]
    pub deeds: Vec<Deed>,
}

/// What a run did to one object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deed {
    /// The object.
    pub key: ObjectKey,
    /// What was done.
    pub what: What,
    /// Why it failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What can be done to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It was made.
    Create,
    /// It was changed in place.
    Update,
    /// It was destroyed.
    Delete,
    /// It was found gone.
    Vanish,
    /// It stood in the account and came into the state.
    Adopt,
    /// It was let go and stays in the account.
    Forget,
    /// It got the name that the key has.
    Rename,
}

impl What {
    /// In words, e.g. `created`.
    pub fn past(self) -> &'static str {
        match self {
            Self::Create => "created",
            Self::Update => "updated",
            Self::Delete => "deleted",
            Self::Vanish => "found gone",
            Self::Adopt => "adopted",
            Self::Forget => "let go",
            Self::Rename => "renamed",
        }
    }
}

/// Reads entries one by one and keeps the runs.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    runs: Vec<PastRun>,
    /// Begun and without an outcome; `None` for a look-up.
    begun: HashMap<ObjectKey, Option<What>>,
}

impl Ledger {
    /// The runs of these entries.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut ledger = Self::default();
        entries.into_iter().for_each(|entry| ledger.note(entry));
        ledger
    }

    /// Reads one entry.
    pub fn note(&mut self, entry: &Entry) {
        match &entry.record {
            Record::RunStarted { command, by, .. } => {
                self.begun.clear();
                self.runs.push(PastRun {
                    run: entry.run,
                    command: command.clone(),
                    by: by.clone(),
                    began_ms: entry.at_ms,
                    ended_ms: None,
                    summary: None,
                    deeds: Vec::new(),
                });
            }
            Record::Closed { summary } => {
                if let Some(run) = self.runs.last_mut() {
                    run.ended_ms = Some(entry.at_ms);
                    run.summary = Some(*summary);
                }
            }
            Record::Began { key, intent } => {
                let what = match intent {
                    Intent::Create { data: true, .. } => None,
                    Intent::Create { .. } => Some(What::Create),
                    Intent::Update { .. } => Some(What::Update),
                    Intent::Delete => Some(What::Delete),
                };
                self.begun.insert(key.clone(), what);
            }
            Record::Succeeded { key, outcome } => {
                // What an earlier run began has its outcome here.
                let usual = match outcome {
                    Outcome::Created { .. } => What::Create,
                    Outcome::Updated { .. } => What::Update,
                    Outcome::Deleted => What::Delete,
                };
                if let Some(what) = self.begun.remove(key).unwrap_or(Some(usual)) {
                    self.deed(key, what, None);
                }
            }
            Record::Failed { key, error, .. } => {
                if let Some(what) = self.begun.remove(key).flatten() {
                    self.deed(key, what, Some(error.clone()));
                }
            }
            Record::Gone { key } => self.deed(key, What::Vanish, None),
            Record::Adopted { key, .. } => self.deed(key, What::Adopt, None),
            Record::Forgotten { key } => self.deed(key, What::Forget, None),
            Record::Moved { to, .. } => {
                self.deed(&ObjectKey { urn: to.clone(), generation: 0 }, What::Rename, None);
            }
            Record::Progress { .. } | Record::Observed { .. } | Record::Relinked { .. } | Record::Pinned { .. } => {}
        }
    }

    fn deed(&mut self, key: &ObjectKey, what: What, error: Option<String>) {
        if let Some(run) = self.runs.last_mut() {
            run.deeds.push(Deed { key: key.clone(), what, error });
        }
    }

    /// The runs so far, oldest first.
    pub fn runs(&self) -> &[PastRun] {
        &self.runs
    }

    /// Takes the runs out.
    pub fn take(&mut self) -> Vec<PastRun> {
        std::mem::take(&mut self.runs)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::{
        error::Leftover,
        provider::ReplaceOrder,
        store::{Binding, Meta},
        urn::Urn,
    };

    fn key(name: &str) -> ObjectKey {
        ObjectKey { urn: Urn::new("k", name).unwrap(), generation: 0 }
    }

    fn started(command: &str) -> Record {
        let binding = Binding { partition: "p".into(), account: "1".into(), region: "r".into(), endpoint: None };
        let meta = Meta { stack: "s".into(), binding, run: 1 };
        Record::RunStarted { meta, command: command.into(), by: Some("ann@host".into()) }
    }

    fn began(name: &str, data: bool) -> Record {
        let intent = Intent::Create {
            nonce: "n".into(),
            inputs: json!({}),
            depends_on: vec![],
            replace_order: ReplaceOrder::CreateThenDelete,
            data,
        };
        Record::Began { key: key(name), intent }
    }

    fn created(name: &str) -> Record {
        let outcome = Outcome::Created { id: "i".into(), inputs: json!({}), outputs: json!({}), took_ms: None };
        Record::Succeeded { key: key(name), outcome }
    }

    fn entries(run: u64, records: Vec<Record>) -> Vec<Entry> {
        let entry = |(seq, record)| Entry { run, seq: seq as u64 + 1, at_ms: run * 100 + seq as u64, record };
        records.into_iter().enumerate().map(entry).collect()
    }

    #[test]
    fn a_run_is_what_it_did() {
        let failed = Record::Failed { key: key("b"), leftover: Leftover::None, error: "no".into() };
        let summary = Summary { created: 1, failed: 1, ..Summary::default() };
        let mut all = entries(
            1,
            vec![
                started("up"),
                began("a", false),
                began("b", false),
                began("look", true),
                created("a"),
                created("look"),
                failed,
                Record::Closed { summary },
            ],
        );
        all.extend(entries(2, vec![started("down"), Record::Began { key: key("a"), intent: Intent::Delete }]));
        let ledger = Ledger::of(&all);
        let [up, down] = ledger.runs() else { panic!("{ledger:?}") };
        assert_eq!((up.began_ms, up.ended_ms, up.summary), (100, Some(107), Some(summary)));
        assert_eq!(up.by.as_deref(), Some("ann@host"));
        let deeds: Vec<_> =
            up.deeds.iter().map(|deed| (deed.key.urn.name(), deed.what, deed.error.as_deref())).collect();
        assert_eq!(deeds, [("a", What::Create, None), ("b", What::Create, Some("no"))]);
        // Cut off: nothing is known of what it did in all.
        assert_eq!((down.ended_ms, down.summary, down.deeds.len()), (None, None, 0));
    }

    #[test]
    fn an_interrupted_creation_counts_where_it_ends() {
        let mut all = entries(1, vec![started("up"), began("a", false)]);
        all.extend(entries(2, vec![started("up"), created("a")]));
        let ledger = Ledger::of(&all);
        assert_eq!(ledger.runs()[0].deeds, []);
        assert_eq!(ledger.runs()[1].deeds[0].what, What::Create);
    }
}
