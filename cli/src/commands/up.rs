//! `rayplat up`

use std::io::{BufRead, IsTerminal, Write};

use rayplat_engine::{apply::Interrupt, error::Error, event::Events, ops::Report, plan::Plan};

use crate::{
    args::Global,
    commands::output,
    exit::{Ending, Failure},
    report::{self, out, tree},
    setup::{self, Access, World},
};

pub async fn run(global: &Global) -> Result<Ending, Failure> {
    check_terminal(global)?;
    let world = setup::open(global, Access::Work, "up").await?;
    if !global.json {
        eprint!("{}", world.loaded.warnings);
        out(&tree::heading(&world));
    }
    apply(global, &world, Deed::Up).await
}

/// Without a terminal nobody can answer: an error, never a hang.
pub fn check_terminal(global: &Global) -> Result<(), Failure> {
    let can_ask = std::io::stdin().is_terminal() && !global.json;
    if global.yes || can_ask {
        return Ok(());
    }
    Err(Failure::Usage {
        message: "there is nobody to ask: this needs --yes without a terminal and with --json".to_owned(),
        hint: "Look at `rayplat preview` first, then run this again with --yes.".to_owned(),
    })
}

/// What is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Up,
    Down,
}

/// Applies, reports while it runs, and sums up.
pub async fn apply(global: &Global, world: &World, deed: Deed) -> Result<Ending, Failure> {
    let interrupt = Interrupt::default();
    let (events, reader) = Events::channel();
    let calls_before = world.rehearsal.as_ref().map(|account| account.calls()).unwrap_or_default();
    let live = report::live(global, world.rehearsal.is_some());
    let reporter = tokio::spawn(report::follow(reader, live));
    let approve = |plan: &Plan| {
        let approved = ask(global, plan, deed);
        if approved && !plan.is_empty() {
            tokio::spawn(listen(interrupt.clone()));
        }
        approved
    };
    let stack = &world.platform.stack;
    let result = match deed {
        Deed::Up => world.engine.up(stack, events, interrupt.clone(), approve).await,
        Deed::Down => world.engine.down(stack.name(), events, interrupt.clone(), approve).await,
    };
    let finished = reporter.await.unwrap_or_default();
    if let Some(account) = &world.rehearsal {
        account.save()?;
    }
    let report = match result {
        Ok(report) => report,
        Err(Error::Interrupted(_)) => return Ok(Ending::Interrupted),
        Err(error) => return Err(error.into()),
    };
    if !global.json {
        if report.approved {
            out(&tree::closing(&report, deed == Deed::Down));
        }
        if let Some(account) = world.rehearsal.as_ref().filter(|_| report.approved && report.summary.changes()) {
            out(&report::rehearsal::render(&report.plan, &finished, account, &calls_before));
        }
        if deed == Deed::Up && report.summary.complete() && report.approved {
            hints(world, &report);
        }
    }
    Ok(match () {
        () if interrupt.level() > 0 => Ending::Interrupted,
        () if !report.summary.complete() || !report.approved => Ending::Incomplete,
        () => Ending::Done,
    })
}

fn hints(world: &World, report: &Report) {
    let outputs = output::evaluate(&world.platform.outputs, &report.state);
    for name in ["cluster_endpoint", "kubeconfig_command"] {
        if let Some(value) = outputs.get(name).and_then(|value| value.as_str()) {
            out(&format!("{name}: {value}"));
        }
    }
}

/// Shows the plan and asks, unless told not to.
fn ask(global: &Global, plan: &Plan, deed: Deed) -> bool {
    if !global.json {
        out(&tree::render(plan, global.verbose));
    }
    if global.yes {
        return true;
    }
    let question = if deed == Deed::Up { "Apply this?" } else { "Destroy all this?" };
    print!("{question} Only `yes` is accepted: ");
    let mut answer = String::new();
    let asked = std::io::stdout().flush().and_then(|()| std::io::stdin().lock().read_line(&mut answer));
    let approved = asked.is_ok() && answer.trim() == "yes";
    if !approved {
        out("Nothing was changed.");
    }
    approved
}

/// Ctrl-C once: finish what runs. Twice: stop now.
async fn listen(interrupt: Interrupt) {
    while tokio::signal::ctrl_c().await.is_ok() {
        interrupt.raise();
        eprintln!(
            "{}",
            match interrupt.level() {
                1 => "\nstopping: nothing new is started, what runs is finished and saved. Ctrl-C again stops at once.",
                _ => "\nstopped: what was begun is written down; the next run looks at it and goes on.",
            }
        );
    }
}
