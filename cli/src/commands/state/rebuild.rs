//! `rayplat state rebuild`

use rayplat_engine::{event::Events, rebuild::Rebuilt};
use serde_json::json;

use crate::{
    args::Global,
    exit::{Ending, Failure},
    report::{out, tree},
    setup::{self, Access},
};

pub async fn run(global: &Global) -> Result<Ending, Failure> {
    let world = setup::open(global, Access::Work, "state rebuild").await?;
    let stack = &world.platform.stack;
    let rebuilt = world.engine.rebuild(stack, Events::none()).await?;
    // What it was all for: the next run is to find everything in its place.
    let preview = world.engine.preview(stack, Events::none()).await?;
    if let Some(account) = &world.rehearsal {
        account.save()?;
    }
    let changes = !preview.plan.is_empty();
    if global.json {
        out(&json!({
            "event": "rebuilt",
            "found": rebuilt.found.iter().map(|(key, id)| json!({"object": key, "id": id})).collect::<Vec<_>>(),
            "beyond": rebuilt.beyond,
            "missing": rebuilt.missing,
            "foreign": rebuilt.foreign.iter().map(|(urn, what)| json!({"urn": urn, "what": what})).collect::<Vec<_>>(),
            "summary": preview.plan.summary(),
        })
        .to_string());
    } else {
        out(&tree::heading(&world));
        show(&rebuilt);
        out(&tree::render(&preview.plan, global.verbose));
    }
    Ok(if changes { Ending::Changes } else { Ending::Done })
}

fn show(rebuilt: &Rebuilt) {
    let width = rebuilt.found.iter().map(|(key, _)| key.urn.as_str().len()).max().unwrap_or_default();
    for (key, id) in &rebuilt.found {
        out(&format!("  {:width$}  {id}", key.urn.as_str()));
    }
    out(&format!("{} objects found and in the state", rebuilt.found.len()));
    for key in &rebuilt.beyond {
        out(&format!("  {key} carries the platform's tags, but the manifest does not have it: `up` would destroy it"));
    }
    for urn in &rebuilt.missing {
        out(&format!("  {urn} was not found: `up` would make it"));
    }
    for (urn, what) in &rebuilt.foreign {
        out(&format!("  {urn}: {what} is somebody else's and was left alone"));
    }
}
