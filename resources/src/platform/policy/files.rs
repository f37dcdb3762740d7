//! A manifest's policy files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{PolicyError, PolicyFile};

/// Folders in folders at most so deep: a link to its own parent is not followed for ever.
const DEPTH: usize = 16;

/// Reads files and folders, relative to `base`. Of a folder every `.rego` file counts, in
/// folders of it too, but not `..._test.rego`: those test policies and are none.
///
/// # Errors
/// A path that cannot be read, or a folder without a policy.
pub fn load(base: &Path, paths: &[String]) -> Result<Vec<PolicyFile>, PolicyError> {
    let mut files = Vec::new();
    for path in paths {
        let place = base.join(path);
        let found = if place.is_dir() { folder(&place, DEPTH)? } else { vec![place.clone()] };
        if found.is_empty() {
            return Err(PolicyError::new(path, "the folder has no .rego file"));
        }
        for file in found {
            let name = file.strip_prefix(base).unwrap_or(&file).display().to_string();
            let text = fs::read_to_string(&file).map_err(|error| PolicyError::new(&name, format!("{error}")))?;
            if !files.iter().any(|known: &PolicyFile| known.name == name) {
                files.push(PolicyFile { name, text });
            }
        }
    }
    Ok(files)
}

fn folder(place: &Path, depth: usize) -> Result<Vec<PathBuf>, PolicyError> {
    let name = place.display().to_string();
    if depth == 0 {
        return Err(PolicyError::new(&name, "folders are nested too deeply"));
    }
    let io = |error: std::io::Error| PolicyError::new(&name, format!("{error}"));
    let mut found = Vec::new();
    for entry in fs::read_dir(place).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let text = path.to_string_lossy();
        if path.is_dir() {
            found.extend(folder(&path, depth - 1)?);
        } else if text.ends_with(".rego") && !text.ends_with("_test.rego") {
            found.push(path.clone());
        }
    }
    found.sort();
    Ok(found)
}
