//! How far the state was written, kept beside the database as a witness.
//!
//! It is written after each flush and not synced: after a power failure it may be behind
//! the database, never ahead of it. So a database that is behind the head has lost what
//! was acknowledged.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use rayplat_engine::store::Stored;

/// A place in the history. A compacted run ends at the largest `seq`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub run: u64,
    pub seq: u64,
}

impl Position {
    pub fn of(stored: &Stored) -> Self {
        let compacted = stored.checkpoint.meta.as_ref().map(|meta| Self { run: meta.run, seq: u64::MAX });
        let journal = stored.journal.last().map(|entry| Self { run: entry.run, seq: entry.seq });
        journal.max(compacted).unwrap_or_default()
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seq {
            0 if self.run == 0 => f.write_str("its beginning"),
            u64::MAX => write!(f, "the end of run {}", self.run),
            seq => write!(f, "entry {seq} of run {}", self.run),
        }
    }
}

/// The file.
#[derive(Debug)]
pub(crate) struct Head {
    path: PathBuf,
}

impl Head {
    pub fn new(folder: &Path) -> Self {
        Self { path: folder.join("HEAD") }
    }

    /// One write of fixed length: it is there whole or not at all.
    pub fn write(&self, position: Position) -> io::Result<()> {
        use io::Write as _;
        let mut file = fs::File::options().write(true).create(true).truncate(false).open(&self.path)?;
        file.write_all(format!("{:020} {:020}\n", position.run, position.seq).as_bytes())
    }

    pub fn sync(&self) -> io::Result<()> {
        fs::File::open(&self.path)?.sync_all()
    }

    pub fn read(&self) -> Result<Position, String> {
        let text = fs::read_to_string(&self.path).map_err(|error| format!("the file HEAD cannot be read: {error}"))?;
        let numbers =
            text.trim_end().split_once(' ').and_then(|(run, seq)| Some((run.parse().ok()?, seq.parse().ok()?)));
        let (run, seq) = numbers.ok_or_else(|| "the file HEAD does not hold two numbers".to_owned())?;
        Ok(Position { run, seq })
    }
}
