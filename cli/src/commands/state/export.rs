//! `rayplat state export`: the state as one JSON document, for safekeeping.

use std::path::Path;

use rayplat_engine::{history::PastRun, ops, store::Checkpoint};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{args::Global, exit::Failure, report::out, setup};

/// The format of the document.
pub const FORMAT: u32 = 1;

/// The document.
#[derive(Debug, Serialize, Deserialize)]
pub struct Export {
    /// [`FORMAT`].
    pub rayplat_state: u32,
    /// The version that wrote it.
    pub version: String,
    /// SHA-256 of the checkpoint as compact JSON.
    pub sha256: String,
    /// Every object, interrupted work included.
    pub checkpoint: Checkpoint,
    /// What was done so far.
    pub history: Vec<PastRun>,
}

/// The checksum of a checkpoint.
pub fn checksum(checkpoint: &Checkpoint) -> Result<String, Failure> {
    let text = serde_json::to_vec(checkpoint).map_err(|error| Failure::Io {
        what: "the state cannot be written as JSON".to_owned(),
        source: error.into(),
    })?;
    Ok(hex::encode(Sha256::digest(text)))
}

pub async fn run(global: &Global, file: Option<&Path>) -> Result<(), Failure> {
    let store = setup::existing_store(global, "state export").await?;
    let checkpoint = rayplat_engine::journal::fold(&store.load().await?)?;
    let history = ops::history(&*store).await?;
    let export = Export {
        rayplat_state: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        sha256: checksum(&checkpoint)?,
        checkpoint,
        history,
    };
    let text = serde_json::to_string_pretty(&export).map_err(|error| Failure::Io {
        what: "the state cannot be written as JSON".to_owned(),
        source: error.into(),
    })?;
    match file {
        None => out(&text),
        Some(path) => {
            setup::write_new(path, format!("{text}\n").as_bytes())?;
            if !global.json {
                out(&format!("{} objects written to {}", export.checkpoint.objects.len(), path.display()));
            }
        }
    }
    Ok(())
}
