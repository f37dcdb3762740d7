//! `rayplat preview`

use rayplat_engine::event::{Event, Events};
use serde_json::json;

use crate::{
    args::Global,
    exit::{Ending, Failure},
    report::{self, cost, out, tree},
    setup::{self, Access},
};

pub async fn run(global: &Global) -> Result<Ending, Failure> {
    let world = setup::open(global, Access::Look, "preview").await?;
    let (events, mut reader) = Events::channel();
    let preview = world.engine.preview(&world.platform.stack, events).await?;
    let plan = &preview.plan;
    let summary = plan.summary();
    let changes = !plan.is_empty();
    let cost = cost::compare(&world, &preview.state, &world.platform.stack).await?;
    if global.json {
        let (expected, _) = plan.critical_path();
        out(&json!({
            "stack": plan.stack,
            "account": world.setting.account,
            "region": world.setting.region,
            "summary": summary,
            "expected_seconds": expected.as_secs(),
            "steps": plan.steps,
            "edges": plan.edges,
            "cost": cost.json(),
        })
        .to_string());
    } else {
        report::warn(&world.loaded.warnings);
        while let Ok(event) = reader.try_recv() {
            if let Event::Recovered { urn, message } = event {
                out(&format!("{urn}: {message}"));
            }
        }
        out(&tree::heading(&world));
        out(&tree::render(plan, global.verbose));
        if changes {
            out(&format!("\n{}", cost.section().text()));
        }
    }
    Ok(if changes { Ending::Changes } else { Ending::Done })
}
