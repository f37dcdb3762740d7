//! Saved plans on disk.

use std::{
    fs::{self, File, OpenOptions},
    io::{Error, Write},
    path::{Path, PathBuf},
};

use rayplat_engine::saved::SavedPlan;

use crate::exit::Failure;

/// What makes plans: recorded in them.
pub const PROGRAM: &str = concat!("rayplat ", env!("CARGO_PKG_VERSION"));

/// Writes a plan for the owner's eyes only, whole or not at all: readers see the old file
/// or the new one.
pub fn write(path: &Path, plan: &SavedPlan) -> Result<(), Failure> {
    let bytes = plan.encode()?;
    let temporary = beside(path);
    let written = create(&temporary)
        .and_then(|mut file| file.write_all(&bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| File::open(folder(path)).and_then(|folder| folder.sync_all()));
    written.map_err(|source| {
        // What was begun is of no use to anybody.
        drop(fs::remove_file(&temporary));
        Failure::Io { what: format!("the plan cannot be written to {}", path.display()), source }
    })
}

/// Reads a plan.
pub fn read(path: &Path) -> Result<SavedPlan, Failure> {
    let bytes = fs::read(path)
        .map_err(|source| Failure::Io { what: format!("the plan {} cannot be read", path.display()), source })?;
    Ok(SavedPlan::decode(&bytes)?)
}

fn folder(path: &Path) -> PathBuf {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    folder(path).join(format!(".{name}.{}.tmp", std::process::id()))
}

fn create(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
