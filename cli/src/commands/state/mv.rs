//! `rayplat state mv`

use crate::{args::Global, exit::Failure, report::out};

pub async fn run(global: &Global, from: &str, to: &str) -> Result<(), Failure> {
    let (from, to) = (super::urn(from)?, super::urn(to)?);
    let mut editor = super::editor(global, "state mv").await?;
    let moved = editor.rename(&from, &to).await?.len();
    out(&if global.json {
        serde_json::json!({"event": "moved", "from": from, "to": to, "objects": moved}).to_string()
    } else {
        format!("{from} is {to} now ({moved} object{})", if moved == 1 { "" } else { "s" })
    });
    Ok(())
}
