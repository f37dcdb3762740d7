//! `rayplat history`

use rayplat_engine::{event::Summary, history::PastRun, ops};

use crate::{
    args::Global,
    exit::{Ending, Failure},
    report::{self, out},
    setup,
};

pub async fn run(global: &Global, number: Option<u64>, limit: usize) -> Result<Ending, Failure> {
    let store = setup::existing_store(global, "history").await?;
    let mut runs = ops::history(&*store).await?;
    runs.reverse();
    match number {
        Some(number) => {
            let Some(run) = runs.iter().find(|run| run.run == number) else {
                let (first, last) = (runs.last().map_or(0, |run| run.run), runs.first().map_or(0, |run| run.run));
                return Err(Failure::Usage {
                    message: format!("the history has no run {number}"),
                    hint: format!("It has the runs {first} to {last}: `rayplat history` lists them."),
                });
            };
            one(global, run);
        }
        None => {
            runs.truncate(limit);
            list(global, &runs);
        }
    }
    Ok(Ending::Done)
}

fn list(global: &Global, runs: &[PastRun]) {
    if global.json {
        runs.iter().for_each(|run| out(&serde_json::json!(run).to_string()));
        return;
    }
    for run in runs {
        let by = run.by.as_deref().unwrap_or("-");
        out(&format!(
            "{:>5}  {}  {:12}  {:9}  {}  {by}",
            run.run,
            when(run.began_ms),
            run.command,
            took(run),
            ending(run)
        ));
    }
    if runs.is_empty() {
        out("no run yet");
    }
}

fn one(global: &Global, run: &PastRun) {
    if global.json {
        out(&serde_json::json!(run).to_string());
        return;
    }
    let by = run.by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
    out(&format!("run {}: {}{by}, {}, {}: {}", run.run, run.command, when(run.began_ms), took(run), ending(run)));
    for deed in &run.deeds {
        let failed = deed.error.as_deref().map(|error| format!(" FAILED: {error}")).unwrap_or_default();
        out(&format!("  {:10} {}{failed}", deed.what.past(), deed.key));
    }
}

fn when(at_ms: u64) -> String {
    let at = i64::try_from(at_ms).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    at.map_or_else(|| "?".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

fn took(run: &PastRun) -> String {
    run.ended_ms.map_or_else(|| "-".to_owned(), |ended| report::duration(ended.saturating_sub(run.began_ms)))
}

/// `2 created, 1 failed`.
fn ending(run: &PastRun) -> String {
    let Some(summary) = &run.summary else { return "cut off".to_owned() };
    let Summary { created, updated, replaced, deleted, failed, skipped, .. } = *summary;
    let counts = [
        (created, "created"),
        (updated, "updated"),
        (replaced, "replaced"),
        (deleted, "deleted"),
        (failed, "failed"),
        (skipped, "skipped"),
    ];
    let named: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, name)| format!("{count} {name}")).collect();
    match named.is_empty() {
        true => {
            let edits = run.deeds.iter().map(|deed| deed.what.past()).collect::<std::collections::BTreeSet<_>>();
            let edits: Vec<_> = edits.into_iter().collect();
            if edits.is_empty() { "nothing to do".to_owned() } else { edits.join(", ") }
        }
        false => named.join(", "),
    }
}
