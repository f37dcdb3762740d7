//! `rayplat up`

use std::{
    io::{BufRead, IsTerminal, Write},
    sync::mpsc::Sender,
};

use rayplat_engine::{
    apply::Interrupt, error::Error, event::Events, ops::Report, plan::Plan, saved::SavedPlan, stack::Stack,
};
use rayplat_resources::platform::{RayPlace, cost::Comparison, policy::Policies};
use serde_json::{Value, json};

use crate::{
    args::{Global, UpArgs},
    commands::output,
    exit::{Ending, Failure},
    interrupt, plan_file, policies, reach,
    report::{
        self, Message, Phase, Reporter, cost, out,
        policy::{self, Permissions},
        rehearsal::{self, Before},
        section,
        standing::Standing,
        tree,
    },
    setup::{self, Access, World},
};

pub async fn run(global: &Global, args: &UpArgs) -> Result<Ending, Failure> {
    // A saved plan was looked at when it was made: nobody is asked again.
    let saved = match &args.plan {
        Some(path) => Some(plan_file::read(path)?),
        None => {
            check_terminal(global)?;
            None
        }
    };
    let world = setup::open(global, Access::Work, "up").await?.planning(&args.planning)?;
    if !global.json {
        report::warn(&world.loaded.warnings);
        out(&tree::heading(&world));
    }
    if let Some(obstacle) = reach::obstacle(&world).await? {
        return Err(obstacle.into());
    }
    let policies = policies::load(global, &world)?;
    let deed = saved.as_ref().map_or(Deed::Up, Deed::Saved);
    apply(global, &world, deed, Some(&policies)).await
}

/// Without a terminal nobody can answer: an error, never a hang.
pub fn check_terminal(global: &Global) -> Result<(), Failure> {
    let can_read = std::io::stdout().is_terminal() || std::io::stderr().is_terminal();
    let can_ask = std::io::stdin().is_terminal() && can_read && !global.json;
    if global.yes || can_ask {
        return Ok(());
    }
    Err(Failure::Usage {
        message: "there is nobody to ask: this needs --yes without a terminal and with --json".to_owned(),
        hint: "Look at `rayplat preview` first, then run this again with --yes.".to_owned(),
    })
}

/// What is applied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Deed<'a> {
    Up,
    Saved(&'a SavedPlan),
    Down,
}

/// Who sees a plan before anything is changed: a person, and the policies.
struct Gate<'a> {
    global: &'a Global,
    world: &'a World,
    deed: Deed<'a>,
    cost: Comparison,
    policies: Option<&'a Policies>,
    messages: Sender<Message>,
}

impl Gate<'_> {
    /// Shows the plan and what is said of it. True if a policy forbids it.
    fn forbids(&self, plan: &Plan) -> Result<bool, Failure> {
        // The state stands for the account here, as for the cost: it is what the plan was made
        // from, but for what others changed since.
        let verdict = self.policies.map(|policies| policies::judge(policies, self.world, plan, &self.world.state));
        let verdict = verdict.transpose()?;
        let policies = verdict.as_ref().map(section::policies);
        // The printer ends with the reporter.
        let tell = |event: Value| drop(self.messages.send(Message::Json(event.to_string())));
        if let Some(section) = &policies {
            tell(json!({"event": "policies", "policies": section.json}));
        }
        if !plan.along.is_empty() {
            tell(json!({"event": "along", "along": plan.along}));
        }
        tell(json!({"event": "cost", "cost": self.cost.json()}));
        report::flush(&self.messages);
        if !self.global.json {
            out(&tree::render(plan, self.global.verbose));
            if let Some(section) = &policies {
                out(&format!("\n{}", section.text()));
            }
            out(&format!("\n{}", self.cost.section().text()));
        }
        Ok(verdict.is_some_and(|verdict| verdict.denied()))
    }
}

/// Applies, reports while it runs, and sums up.
pub async fn apply(
    global: &Global,
    world: &World,
    deed: Deed<'_>,
    policies: Option<&Policies>,
) -> Result<Ending, Failure> {
    let (interrupt, phase) = (Interrupt::default(), Phase::default());
    let cost = estimate(world, deed).await?;
    let before = world.rehearsal.as_ref().map(|account| Before::of(account, world.state.clone()));
    let (events, reader) = Events::channel();
    let live = report::live(global, world.rehearsal.is_some());
    let mut reporter = Reporter::start(reader, live, phase.clone())?;
    let messages = reporter.messages();
    interrupt::listen(interrupt.clone(), phase.clone(), messages.clone())?;
    let gate = Gate { global, world, deed, cost, policies, messages: messages.clone() };
    let result = work(&gate, events, &interrupt, &phase).await;
    let saved = world.rehearsal.as_ref().map_or(Ok(()), |account| account.save());
    phase.end();
    let seen = reporter.seen().await;
    let prediction = match (&result, &world.rehearsal, &before) {
        (Ok(Some(report)), Some(account), Some(before)) if report.approved && report.summary.changes() => {
            Some(rehearsal::predict(&report.plan, &seen, account, before))
        }
        _ => None,
    };
    let made = prediction.is_some() && deed != Deed::Down;
    let permissions = if saved.is_ok() { permissions(global, world, made).await } else { Ok(None) };
    let told = permissions.as_ref().ok().and_then(|learned| Some(learned.as_ref()?.event().to_string()));
    let predicted = prediction.as_ref().and_then(|prediction| serde_json::to_string(prediction).ok());
    let standing = standing(world, deed, &result);
    let stands = standing.as_ref().map(|standing| standing.event().to_string());
    // The printer ends with the reporter.
    told.into_iter().chain(predicted).chain(stands).for_each(|line| drop(messages.send(Message::Json(line))));
    reporter.finish();
    saved?;
    let permissions = permissions?;
    let report = match result {
        Ok(Some(report)) => report,
        Ok(None) => return Ok(denied(global)),
        Err(Failure::Engine(Error::Interrupted(_))) => return Ok(Ending::Interrupted),
        Err(error) => return Err(error),
    };
    if !global.json && report.approved {
        out(&tree::closing(&report, &world.state));
        if let Some(prediction) = &prediction {
            out(&rehearsal::render(prediction));
            out(&format!("Cost: {}.", gate.cost.sentence()));
        }
        if let Some(permissions) = &permissions {
            out(&permissions.text());
        }
        if deed != Deed::Down && report.summary.complete() {
            hints(world, &report);
        }
        if let Some(standing) = &standing {
            out(&format!("\n{}", standing.text()));
        }
    }
    Ok(match () {
        () if interrupt.level() > 0 => Ending::Interrupted,
        () if !report.approved => Ending::Declined,
        () if !report.summary.complete() => Ending::Incomplete,
        () => Ending::Done,
    })
}

/// The run itself; `None` if a policy forbids the plan.
async fn work(
    gate: &Gate<'_>,
    events: Events,
    interrupt: &Interrupt,
    phase: &Phase,
) -> Result<Option<Report>, Failure> {
    let (engine, stack) = (&gate.world.engine, &gate.world.platform.stack);
    let mut forbidden = Ok(false);
    let approve = |plan: &Plan| {
        forbidden = gate.forbids(plan);
        let open = matches!(forbidden, Ok(false));
        let approved = open && interrupt.level() == 0 && ask(gate.global, gate.deed);
        if approved {
            phase.work();
        }
        approved
    };
    let report = match gate.deed {
        Deed::Up => engine.up(stack, events, interrupt.clone(), approve).await?,
        Deed::Saved(saved) if gate.forbids(&saved.plan)? => return Ok(None),
        Deed::Saved(saved) => engine.up_saved(stack, saved, events, interrupt.clone()).await?,
        Deed::Down => engine.down(stack.name(), events, interrupt.clone(), approve).await?,
    };
    Ok(if forbidden? { None } else { Some(report) })
}

/// What stands at the end of a run that was to make something.
fn standing(world: &World, deed: Deed<'_>, result: &Result<Option<Report>, Failure>) -> Option<Standing> {
    let report = result.as_ref().ok()?.as_ref().filter(|_| deed != Deed::Down)?;
    Standing::of(RayPlace::of(&world.loaded.manifest), report, world.rehearsal.is_some())
}

fn denied(global: &Global) -> Ending {
    if !global.json {
        out("A policy forbids this plan: nothing was changed.");
    }
    Ending::Denied
}

/// What the change costs. The state stands for the account: what others changed since is
/// seen by the plan only.
async fn estimate(world: &World, deed: Deed<'_>) -> Result<Comparison, Failure> {
    match deed {
        Deed::Up | Deed::Saved(_) => cost::compare(world, &world.state, &world.platform.stack).await,
        Deed::Down => cost::compare(world, &world.state, &Stack::new(world.platform.stack.name())).await,
    }
}

/// What whoever runs this needs to be allowed: told after a rehearsal that made something,
/// written whenever that was asked for.
async fn permissions(global: &Global, world: &World, made: bool) -> Result<Option<Permissions>, Failure> {
    if world.rehearsal.is_none() || !(made || global.policy_out.is_some()) {
        return Ok(None);
    }
    let learned = policy::learn(global, world).await?;
    if let Some(file) = &global.policy_out {
        learned.write(file)?;
    }
    Ok(Some(learned))
}

fn hints(world: &World, report: &Report) {
    let outputs = output::evaluate(&world.platform.outputs, &report.state);
    for name in ["cluster_name", "cluster_endpoint", "kubeconfig_command"] {
        if let Some(value) = outputs.get(name).and_then(|value| value.as_str()) {
            out(&format!("{name}: {value}"));
        }
    }
}

/// Asks, unless told not to.
fn ask(global: &Global, deed: Deed<'_>) -> bool {
    if global.yes {
        return true;
    }
    let approved = match deed {
        Deed::Up | Deed::Saved(_) => confirm("Apply? [y/N] "),
        // Nothing brings back what is destroyed: one key is not enough.
        Deed::Down => answer("Destroy all this? Only `yes` is accepted: ") == "yes",
    };
    if !approved {
        out("Nothing was changed.");
    }
    approved
}

/// A question that `y` agrees to.
pub fn confirm(question: &str) -> bool {
    matches!(answer(question).as_str(), "y" | "Y" | "yes")
}

/// Asks where it is seen, and reads a line; no answer is an empty one.
fn answer(question: &str) -> String {
    let asked = if std::io::stdout().is_terminal() {
        write!(std::io::stdout(), "{question}").and_then(|()| std::io::stdout().flush())
    } else {
        write!(std::io::stderr(), "{question}")
    };
    let mut line = String::new();
    let read = asked.and_then(|()| std::io::stdin().lock().read_line(&mut line));
    if read.is_ok() { line.trim().to_owned() } else { String::new() }
}
