//! The exclusive lock: an operating-system lock, which vanishes with its process, on a
//! file that says who holds it.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
    time::Duration,
};

use rayplat_engine::store::StoreError;
use serde::{Deserialize, Serialize};

/// Who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// The machine's name.
    pub host: String,
    /// The user's name.
    pub user: String,
    /// The command, e.g. `rayplat up`.
    pub command: String,
    /// Since when, RFC 3339.
    pub since: String,
}

impl Holder {
    /// This process.
    pub fn this(command: &str) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned());
        Self {
            pid: std::process::id(),
            host: host.or_else(|_| std::env::var("HOSTNAME")).unwrap_or_else(|_| "this machine".to_owned()),
            user: std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "unknown".to_owned()),
            command: command.to_owned(),
            since: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { pid, host, user, command, since } = self;
        write!(f, "`{command}` (process {pid} of {user} on {host}, since {since})")
    }
}

/// So often, 10 ms apart, the lock is tried: a process that some thread of the last holder
/// was just starting (sled runs `sync` when it opens) has the file open for a moment more.
const PATIENCE: u32 = 20;

/// Held as long as this value lives.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    pub fn take(path: &Path, holder: &Holder) -> Result<Self, StoreError> {
        let io =
            |error: std::io::Error| StoreError::Io { place: path.display().to_string(), reason: error.to_string() };
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
        let mut tries = PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if tries > 0 => {
                    tries -= 1;
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(TryLockError::WouldBlock) => return Err(StoreError::Locked { holder: describe(&mut file) }),
                Err(TryLockError::Error(error)) => return Err(io(error)),
            }
        }
        let text = serde_json::to_string(holder).map_err(|error| io(std::io::Error::other(error)))?;
        file.set_len(0).map_err(io)?;
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        file.write_all(text.as_bytes()).map_err(io)?;
        Ok(Self { _file: file })
    }
}

fn describe(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.read_to_string(&mut text).ok().and_then(|_| serde_json::from_str::<Holder>(&text).ok());
    read.map_or_else(|| "another run, which has not said who it is".to_owned(), |holder| holder.to_string())
}

/// Keeps a folder to one process: an operating-system lock, which goes with it.
#[derive(Debug)]
pub struct FolderLock {
    _lock: Lock,
}

impl FolderLock {
    /// Takes the lock; the folder is made if it is not there. `command` is what it tells others.
    ///
    /// # Errors
    /// [`StoreError::Locked`], [`StoreError::Io`].
    pub fn take(folder: &Path, command: &str) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder)
            .map_err(|error| StoreError::Io { place: folder.display().to_string(), reason: error.to_string() })?;
        Ok(Self { _lock: Lock::take(&folder.join("lock"), &Holder::this(command))? })
    }
}
