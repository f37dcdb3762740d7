//! The port to durable state, and what is stored.
//!
//! A store keeps two things: a checkpoint (every object the stack has) and the
//! journal entries written since. The truth is always [`crate::journal::fold`] of
//! the two.

use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::{
    history::PastRun,
    journal::Entry,
    provider::{BoxFuture, ReplaceOrder},
    urn::Urn,
};

/// One physical object of a resource: `URN#GENERATION`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectKey {
    /// The resource.
    pub urn: Urn,
    /// 0 for the first object, one more for each replacement.
    pub generation: u32,
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.urn, self.generation)
    }
}

impl FromStr for ObjectKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (urn, generation) =
            text.rsplit_once('#').ok_or_else(|| format!("`{text}` is no object key: it has no `#`"))?;
        Ok(Self {
            urn: urn.parse().map_err(|error| format!("{error}"))?,
            generation: generation
                .parse()
                .map_err(|_| format!("`{text}` is no object key: `{generation}` is no generation"))?,
        })
    }
}

impl Serialize for ObjectKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Where an object stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its creation was begun; the outcome is not known.
    Creating,
    /// It stands.
    Live,
    /// A change was begun; the outcome is not known.
    Updating {
        /// The inputs it is being changed to.
        to: Value,
    },
    /// Its deletion was begun; the outcome is not known.
    Deleting {
        /// Why it was [`Phase::Broken`] before; if the deletion fails it is so again.
        broken: Option<String>,
    },
    /// Its creation failed and left it in the account: it will be replaced.
    Broken {
        /// Why.
        error: String,
    },
}

impl Phase {
    /// True if an intent has no outcome.
    pub fn pending(&self) -> bool {
        matches!(self, Self::Creating | Self::Updating { .. } | Self::Deleting { .. })
    }
}

/// One physical object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// The resource.
    pub urn: Urn,
    /// Which object of it.
    pub generation: u32,
    /// Where it stands.
    pub phase: Phase,
    /// True if a newer generation has taken its place: it only waits to be deleted.
    #[serde(default)]
    pub deposed: bool,
    /// True for a look-up: nothing stands in the account.
    #[serde(default)]
    pub data: bool,
    /// The physical id, once known.
    pub id: Option<String>,
    /// Names the intent that made it; stands on it as a tag.
    pub nonce: String,
    /// Inputs as last applied or observed.
    pub inputs: Value,
    /// Outputs as last seen.
    pub outputs: Value,
    /// What it was made from.
    pub depends_on: Vec<Urn>,
    /// Decided for its chain when it was last planned.
    pub replace_order: ReplaceOrder,
    /// Milliseconds its creation took, if it was seen to its end.
    pub took_ms: Option<u64>,
    /// False for an imported object that does not carry our marks yet: it is never deleted.
    /// The next change claims it.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub claimed: bool,
    /// Input fields (dots go into objects) that stay as they stand whatever is desired, until
    /// they are released; null for one that stays away. See [`crate::plan::pin`].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pinned: BTreeMap<String, Value>,
}

fn yes() -> bool {
    true
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
fn is_true(value: &bool) -> bool {
    *value
}

impl Object {
    /// Its key.
    pub fn key(&self) -> ObjectKey {
        ObjectKey { urn: self.urn.clone(), generation: self.generation }
    }
}

/// The one place a state belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// `aws`, `aws-cn`, ...; `rehearsal` is no partition: see `endpoint`.
    pub partition: String,
    /// The account's twelve digits.
    pub account: String,
    /// E.g. `us-east-1`.
    pub region: String,
    /// An endpoint other than AWS's own.
    pub endpoint: Option<String>,
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "account {} in {} ({})", self.account, self.region, self.partition)?;
        match &self.endpoint {
            Some(endpoint) => write!(f, " at {endpoint}"),
            None => Ok(()),
        }
    }
}

/// What the state as a whole is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The stack's name.
    pub stack: String,
    /// Where it lives.
    pub binding: Binding,
    /// The number of the last run.
    pub run: u64,
}

/// Every object of the stack.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// `None` before the first run.
    pub meta: Option<Meta>,
    /// By key.
    pub objects: BTreeMap<ObjectKey, Object>,
}

impl Checkpoint {
    /// The object that stands for the resource now: its newest generation that is
    /// not deposed.
    pub fn current(&self, urn: &Urn) -> Option<&Object> {
        self.generations(urn).rev().find(|object| !object.deposed)
    }

    /// All objects of a resource, oldest first.
    pub fn generations(&self, urn: &Urn) -> impl DoubleEndedIterator<Item = &Object> {
        let from = ObjectKey { urn: urn.clone(), generation: 0 };
        let to = ObjectKey { urn: urn.clone(), generation: u32::MAX };
        self.objects.range(from..=to).map(|(_, object)| object)
    }

    /// The generation that a new object of the resource gets.
    pub fn next_generation(&self, urn: &Urn) -> u32 {
        self.generations(urn).next_back().map_or(0, |object| object.generation + 1)
    }
}

/// What a store holds when it is opened.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stored {
    /// The last checkpoint.
    pub checkpoint: Checkpoint,
    /// The entries written since, in order.
    pub journal: Vec<Entry>,
}

/// The difference between two checkpoints.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Delta {
    /// The new meta.
    pub meta: Option<Meta>,
    /// Objects that are new or changed.
    pub put: Vec<Object>,
    /// Objects that are no more.
    pub remove: Vec<ObjectKey>,
    /// Runs whose entries are forgotten with the journal.
    pub runs: Vec<PastRun>,
}

/// Durable storage of one stack's state. Opening a store takes its exclusive lock;
/// dropping it releases the lock.
pub trait StateStore: Send + Sync + 'static {
    /// Reads everything. What cannot be read is an error, never an empty state.
    fn load(&self) -> BoxFuture<'_, Result<Stored, StoreError>>;

    /// Appends to the journal. When it returns, the entries survive a power failure.
    fn append(&self, entries: Vec<Entry>) -> BoxFuture<'_, Result<(), StoreError>>;

    /// Moves the checkpoint on and forgets the journal, at once or not at all. When it
    /// returns, the change survives a power failure.
    fn compact(&self, delta: Delta) -> BoxFuture<'_, Result<(), StoreError>>;

    /// The runs that [`StateStore::compact`] was given, oldest first.
    fn history(&self) -> BoxFuture<'_, Result<Vec<PastRun>, StoreError>>;

    /// Ready when the lock is no longer held, with the reason: whoever works must stop at
    /// once, because somebody else may begin. A lock that cannot be lost never is.
    fn lost(&self) -> BoxFuture<'_, StoreError> {
        Box::pin(std::future::pending())
    }

    /// Gives the lock back, where dropping the store is not enough. Nothing may be written
    /// afterwards.
    fn release(&self) -> BoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async { Ok(()) })
    }
}

/// Why a store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else is at work.
    #[error("the state is locked by {holder}")]
    Locked {
        /// Who: process, host, user, since when.
        holder: String,
    },
    /// It is damaged.
    #[error("the state in {place} is damaged: {reason}")]
    Damaged {
        /// Where.
        place: String,
        /// What is wrong, and what is still readable.
        reason: String,
        /// Where the damaged store was kept, if it was moved or copied.
        kept: Option<PathBuf>,
    },
    /// It was written by a newer version.
    #[error("the state in {place} has format {found}; this version reads up to {supported}")]
    TooNew {
        /// Where.
        place: String,
        /// Its format.
        found: u32,
        /// The newest format known here.
        supported: u32,
    },
    /// The disk or network refused.
    #[error("the state in {place}: {reason}")]
    Io {
        /// Where.
        place: String,
        /// Why.
        reason: String,
    },
    /// The lock was lost while this run worked: nothing more was written.
    #[error("the lock on the state in {place} was lost: {reason}")]
    Lost {
        /// Where.
        place: String,
        /// To whom, or why.
        reason: String,
    },
    /// A store on the network refuses.
    #[error("the state in {place}: {reason}")]
    Remote {
        /// Where.
        place: String,
        /// Why.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// The caller may not use it.
    #[error("the state in {place}: {reason}")]
    Denied {
        /// Where.
        place: String,
        /// What was refused.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// An entry that does not follow from what is stored: a mistake in the program.
    #[error("the journal is not a legal history: {0}")]
    Illegal(String),
}

impl StoreError {
    /// What to do.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Locked { .. } => {
                "Wait until that run has ended. If its process is gone, the lock comes free by itself: at once in a folder, in S3 \
                 when its lease is over (`rayplat state unlock` frees it sooner). Then run again."
                    .into()
            }
            Self::Damaged { kept, .. } => match kept {
                Some(path) => format!(
                    "Nothing was thrown away: the damaged state is kept at {}. Restore a copy of the folder, or look at what \
                     is still readable before making anything new.",
                    path.display()
                ),
                None => "Nothing was changed. Restore a copy of the folder before making anything new.".into(),
            },
            Self::TooNew { .. } => "Use the version that wrote it, or a newer one.".into(),
            Self::Io { .. } => "Check that the folder exists, is writable and has room, then run again.".into(),
            Self::Lost { .. } => {
                "What was done is in the journal up to that moment; what was begun, the next run looks for. Run the same \
                 command again."
                    .into()
            }
            Self::Remote { hint, .. } | Self::Denied { hint, .. } => hint.clone(),
            Self::Illegal(_) => "This is a bug. Nothing more was written; keep the state folder for a report.".into(),
        })
    }
}
