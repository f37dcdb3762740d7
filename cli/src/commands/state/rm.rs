//! `rayplat state rm`

use crate::{
    args::Global,
    commands::up,
    exit::{Ending, Failure},
    report::out,
};

pub async fn run(global: &Global, urns: &[String]) -> Result<Ending, Failure> {
    let urns = urns.iter().map(|text| super::urn(text)).collect::<Result<Vec<_>, _>>()?;
    up::check_terminal(global)?;
    let mut editor = super::editor(global, "state rm").await?;
    // All names are looked at before anything is let go.
    let mut leaving = Vec::new();
    for urn in &urns {
        leaving.extend(editor.standing(urn)?);
    }
    if !global.json {
        out("These leave the state. They stay in the account, and rayplat will neither change nor destroy them:");
        for object in &leaving {
            out(&format!("  {}  {}", object.urn, object.id.as_deref().unwrap_or("(no id yet)")));
        }
        for dependent in editor.dependents(&urns) {
            out(&format!("  note: {dependent} depends on what leaves"));
        }
    }
    if !global.yes && !up::confirm("Let them go? [y/N] ") {
        out("Nothing was changed.");
        return Ok(Ending::Declined);
    }
    for urn in &urns {
        for key in editor.forget(urn).await? {
            out(&if global.json {
                serde_json::json!({"event": "forgotten", "key": key}).to_string()
            } else {
                format!("{key} left the state")
            });
        }
    }
    Ok(Ending::Done)
}
