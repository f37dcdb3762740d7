//! `rayplat state import`: puts back what `state export` wrote.

use std::path::Path;

use super::export::{Export, FORMAT, checksum};
use crate::{args::Global, exit::Failure, report::out, setup};

pub async fn run(global: &Global, file: &Path, replace: bool) -> Result<(), Failure> {
    let export = read(file)?;
    let store = setup::open_store(global, setup::Access::Work, "state import").await?;
    let clock = std::sync::Arc::new(rayplat_engine::context::SystemClock);
    let mut editor = rayplat_engine::edit::Editor::open(store, clock, Some(setup::who())).await?;
    let stack = |checkpoint: &rayplat_engine::store::Checkpoint| {
        checkpoint.meta.as_ref().map(|meta| format!("{} in {}", meta.stack, meta.binding))
    };
    let (saved, present) = (stack(&export.checkpoint), stack(editor.checkpoint()));
    if let (Some(saved), Some(present)) = (&saved, &present)
        && saved != present
    {
        return Err(Failure::Usage {
            message: format!("{} holds the state of {saved}, but here is that of {present}", file.display()),
            hint: "Import it into a folder or prefix of its own: --state.".to_owned(),
        });
    }
    let count = export.checkpoint.objects.len();
    editor.restore(export.checkpoint, replace).await?;
    out(&if global.json {
        serde_json::json!({"event": "imported", "objects": count}).to_string()
    } else {
        format!(
            "{count} objects of {} are in the state. `rayplat preview` compares them with the account.",
            saved.unwrap_or_default()
        )
    });
    Ok(())
}

fn read(file: &Path) -> Result<Export, Failure> {
    let damaged = |reason: String| Failure::Usage {
        message: format!("{} is no state that `rayplat state export` wrote: {reason}", file.display()),
        hint: "Nothing was changed. Take another copy.".to_owned(),
    };
    let bytes = std::fs::read(file)
        .map_err(|source| Failure::Io { what: format!("{} cannot be read", file.display()), source })?;
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    match value.get("rayplat_state").and_then(serde_json::Value::as_u64) {
        Some(format) if format > u64::from(FORMAT) => {
            return Err(damaged(format!("it has format {format}, and this version reads up to {FORMAT}")));
        }
        Some(_) => {}
        None => return Err(damaged("it has no member `rayplat_state`".to_owned())),
    }
    let export: Export = serde_json::from_value(value).map_err(|error| damaged(error.to_string()))?;
    if checksum(&export.checkpoint)? != export.sha256 {
        return Err(damaged("its checksum does not fit: it was changed or cut".to_owned()));
    }
    Ok(export)
}
