//! `rayplat preview`

use rayplat_engine::{
    event::{Event, Events},
    ops::Preview,
};
use rayplat_resources::platform::{policy::Verdict, terraform_json};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::{
    args::{Global, PreviewArgs, PreviewFormat},
    exit::{Ending, Failure},
    plan_file, policies, reach,
    report::{
        self, cost, drift, err, markdown, out,
        section::{self, Section},
        tree::{self, Place},
    },
    setup::{self, Access, World},
};

pub async fn run(global: &Global, args: &PreviewArgs) -> Result<Ending, Failure> {
    let format = format(global, args)?;
    let world = setup::open(global, Access::Look, "preview").await?.planning(&args.planning)?;
    if args.refresh_only {
        return drifted(&world, format).await;
    }
    if let Some(obstacle) = reach::obstacle(&world).await? {
        // What stands there cannot be read; what does not yet can be planned all the same.
        if reach::anything_inside(&world) {
            return Err(obstacle.into());
        }
        err(&format!("warning: {obstacle}\n  cure: {}", obstacle.hint.as_deref().unwrap_or_default()));
    }
    let policies = policies::load(global, &world)?;
    let (events, mut reader) = Events::channel();
    let preview = world.engine.preview(&world.platform.stack, events).await?;
    if let Some(path) = &args.out {
        plan_file::write(path, &world.engine.save(&preview, plan_file::PROGRAM))?;
    }
    let verdict = policies::judge(&policies, &world, &preview.plan, &preview.state)?;
    let sections = sections(&world, &preview, &verdict).await?;
    match format {
        PreviewFormat::Json => out(&json_form(&world, &preview, &sections).to_string()),
        PreviewFormat::TerraformJson => {
            out(&terraform_json::document(&preview.plan, &preview.state, &world.setting.region).to_string());
        }
        PreviewFormat::Markdown => {
            out(markdown::preview(&Place::of(&world), &preview.plan, &sections).trim_end());
        }
        PreviewFormat::Text => {
            report::warn(&world.loaded.warnings);
            recovered(&mut reader);
            out(&tree::heading(&world));
            out(&tree::render(&preview.plan, global.verbose));
            for section in sections.iter().filter(|section| section.in_text(&preview.plan)) {
                out(&format!("\n{}", section.text()));
            }
            if let Some(path) = &args.out {
                let applied = match preview.dry_run.refused.is_empty() {
                    true => "applies it",
                    false => "applies it once nothing of it is refused any more",
                };
                out(&format!("The plan is in {0}: `rayplat up --plan {0}` {applied}.", path.display()));
            }
        }
    }
    Ok(match () {
        () if !preview.dry_run.refused.is_empty() => Ending::Refused,
        () if verdict.denied() => Ending::Denied,
        () if preview.plan.is_empty() => Ending::Done,
        () => Ending::Changes,
    })
}

fn no_drift_form() -> Failure {
    Failure::Usage {
        message: "--format terraform-json has no form for --refresh-only".to_owned(),
        hint: "Use text, json or markdown.".to_owned(),
    }
}

/// `--json` is the short form of `--format json`.
fn format(global: &Global, args: &PreviewArgs) -> Result<PreviewFormat, Failure> {
    if args.refresh_only && args.format == Some(PreviewFormat::TerraformJson) {
        return Err(no_drift_form());
    }
    match (args.format, global.json) {
        (Some(format), true) if format != PreviewFormat::Json => Err(Failure::Usage {
            message: "--json asks for one form and --format for another".to_owned(),
            hint: "Leave one of them out.".to_owned(),
        }),
        (_, true) => Ok(PreviewFormat::Json),
        (format, false) => Ok(format.unwrap_or(PreviewFormat::Text)),
    }
}

/// What is said of a plan beside the plan itself, in the order in which it is shown.
async fn sections(world: &World, preview: &Preview, verdict: &Verdict) -> Result<Vec<Section>, Failure> {
    let cost = cost::compare(world, &preview.state, &world.platform.stack).await?;
    let warnings = section::manifest(&world.loaded.warnings);
    let rest = [section::policies(verdict), section::cost(&cost)];
    let said = warnings
        .into_iter()
        .chain(section::unread(&preview.unread))
        .chain(section::dry_run(&preview.dry_run))
        .chain(section::kept(&preview.plan));
    Ok(said.chain(rest).collect())
}

fn json_form(world: &World, preview: &Preview, sections: &[Section]) -> Value {
    let plan = &preview.plan;
    let (expected, _) = plan.critical_path();
    let mut form = json!({
        "stack": plan.stack,
        "account": world.setting.account,
        "region": world.setting.region,
        "summary": plan.summary(),
        "expected_seconds": expected.as_secs(),
        "steps": plan.steps,
        "edges": plan.edges,
    });
    if preview.dry_run.any() {
        form[section::DRY_RUN] = json!(preview.dry_run);
    }
    for section in sections {
        form[section.key] = section.json.clone();
    }
    form
}

async fn drifted(world: &World, format: PreviewFormat) -> Result<Ending, Failure> {
    let (events, mut reader) = Events::channel();
    let found = world.engine.drift(world.platform.stack.name(), events).await?;
    let place = Place::of(world);
    match format {
        PreviewFormat::Json => out(&drift::json(&place, &found).to_string()),
        PreviewFormat::TerraformJson => return Err(no_drift_form()),
        PreviewFormat::Markdown => out(markdown::drift(&place, &found).trim_end()),
        PreviewFormat::Text => {
            recovered(&mut reader);
            out(&tree::heading(world));
            out(&drift::text(&found));
        }
    }
    Ok(if found.any() { Ending::Changes } else { Ending::Done })
}

fn recovered(reader: &mut UnboundedReceiver<Event>) {
    while let Ok(event) = reader.try_recv() {
        if let Event::Recovered { urn, message } = event {
            out(&format!("{urn}: {message}"));
        }
    }
}
