//! The rehearsal's folder: the account and its clock between two processes.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Account, RehearsalError, kubernetes::Large};

/// The form of `account.json` that this program writes.
const FORMAT: u32 = 1;

/// A call whose effect comes later than its response was lost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Late {
    pub(super) due_ms: u64,
    pub(super) service: String,
    pub(super) operation: String,
    pub(super) params: Value,
}

/// What `account.json` holds.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Saved<A = Account, L = Vec<Late>> {
    format: u32,
    pub(super) account: A,
    pub(super) late: L,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedClock {
    now_ms: u64,
}

/// A folder with `account.json`, written after every call that changes something, and
/// `clock.json`, written after every call: who waits only looks, and what became ACTIVE
/// meanwhile must not be CREATING again in the next process.
///
/// `large.json` has the large objects of clusters (definitions of kinds: a megabyte), which hardly
/// ever change, so that they are not written with every call.
#[derive(Debug)]
pub(super) struct Store {
    account: PathBuf,
    clock: PathBuf,
    large: PathBuf,
    /// Which large objects the file has.
    written: Mutex<BTreeSet<String>>,
}

impl Store {
    pub(super) fn new(folder: &Path) -> Result<Self, RehearsalError> {
        fs::create_dir_all(folder).map_err(|source| RehearsalError::Io { place: folder.to_owned(), source })?;
        let file = |name: &str| folder.join(name);
        let (account, clock, large) = (file("account.json"), file("clock.json"), file("large.json"));
        Ok(Self { account, clock, large, written: Mutex::default() })
    }

    /// The file that names the account in errors.
    pub(super) fn account_file(&self) -> &Path {
        &self.account
    }

    /// What the last process left, with its time; `None` if there was none.
    pub(super) fn load(&self) -> Result<Option<(Saved, u64)>, RehearsalError> {
        let Some(mut saved) = read::<Saved>(&self.account)? else {
            return Ok(None);
        };
        if saved.format != FORMAT {
            let reason = format!("its format is {}, this program knows {FORMAT}", saved.format);
            return Err(RehearsalError::Damaged { place: self.account.clone(), reason });
        }
        let large: Large = read(&self.large)?.unwrap_or_default();
        saved.account.kubernetes.put_back(&large).map_err(|missing| {
            let reason = format!("{missing} is in account.json and not here");
            RehearsalError::Damaged { place: self.large.clone(), reason }
        })?;
        *self.written.lock().unwrap_or_else(PoisonError::into_inner) = large.into_keys().collect();
        let clock_ms = read::<SavedClock>(&self.clock)?.map_or(0, |clock| clock.now_ms);
        let now_ms = clock_ms.max(saved.account.now_ms);
        Ok(Some((saved, now_ms)))
    }

    pub(super) fn save_account(&self, account: &Account, late: &[Late]) -> Result<(), RehearsalError> {
        let mut rest = account.clone();
        let large = rest.kubernetes.take_large();
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        // Before the account that refers to them.
        if large.keys().any(|name| !written.contains(name)) {
            replace(&self.large, &large, true)?;
            *written = large.into_keys().collect();
        }
        replace(&self.account, &Saved { format: FORMAT, account: &rest, late }, true)
    }

    pub(super) fn save_clock(&self, now_ms: u64) -> Result<(), RehearsalError> {
        replace(&self.clock, &SavedClock { now_ms }, false)
    }
}

fn read<T: DeserializeOwned>(file: &Path) -> Result<Option<T>, RehearsalError> {
    match fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|error| RehearsalError::Damaged { place: file.to_owned(), reason: error.to_string() }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(RehearsalError::Io { place: file.to_owned(), source }),
    }
}

/// Beside the file first, then in its place: a crash leaves the old one or the new.
fn replace(file: &Path, value: &impl Serialize, durable: bool) -> Result<(), RehearsalError> {
    let io = |source| RehearsalError::Io { place: file.to_owned(), source };
    let beside = file.with_extension("json.new");
    let bytes = serde_json::to_vec(value).map_err(|error| io(io::Error::other(error)))?;
    let mut new = fs::File::create(&beside).map_err(io)?;
    new.write_all(&bytes).map_err(io)?;
    if durable {
        new.sync_data().map_err(io)?;
    }
    fs::rename(&beside, file).map_err(io)
}
