//! Applying a plan: one coordinator, steps running concurrently.
//!
//! Each turn of the coordinator's loop gathers what has finished and what may start,
//! writes all of it to the journal in one group, emits the events, and only then
//! starts the new calls. So an intent is durable before its call, and an outcome
//! before anything that depends on it.

mod prepare;
pub mod queue;
pub(crate) mod recover;
mod session;
pub(crate) mod step;
mod tally;

use std::collections::HashMap;

pub(crate) use session::Session;
pub(crate) use tally::Tally;
use tokio::{
    sync::watch,
    task::{Id, JoinError, JoinSet},
    time::Instant,
};

use crate::{
    context::Note,
    error::{Error, ErrorClass, Leftover, ProviderError},
    event::Event,
    journal::{Outcome, Record},
    plan::{Plan, Step, StepId},
    provider::Action,
    store::ObjectKey,
};
use prepare::{Prepared, Start};
use queue::Queue;
use step::Failure;
use tally::Ending;

/// Stops a run: the first level starts nothing new, the second stops at once and
/// leaves the rest to the journal.
#[derive(Debug, Clone)]
pub struct Interrupt {
    level: watch::Sender<u8>,
}

impl Default for Interrupt {
    fn default() -> Self {
        Self { level: watch::Sender::new(0) }
    }
}

impl Interrupt {
    /// Raises the level by one: call it for each Ctrl-C.
    pub fn raise(&self) {
        self.level.send_modify(|level| *level = level.saturating_add(1));
    }

    /// 0: go on; 1: finish what runs; 2 and more: stop now.
    pub fn level(&self) -> u8 {
        *self.level.borrow()
    }
}

type StepResult = Result<Outcome, Failure>;

struct Execution<'a> {
    plan: &'a Plan,
    queue: Queue,
    tasks: JoinSet<StepResult>,
    running: HashMap<Id, Running>,
    tally: Tally,
}

struct Running {
    step: StepId,
    key: ObjectKey,
    began: Instant,
}

impl Session {
    /// Runs the plan's steps.
    ///
    /// # Errors
    /// The store failed. What ran then is in the journal as begun, and the next run
    /// looks at it.
    pub(crate) async fn execute(&mut self, plan: &Plan) -> Result<Tally, Error> {
        let mut execution = Execution {
            plan,
            queue: Queue::new(plan),
            tasks: JoinSet::new(),
            running: HashMap::new(),
            tally: Tally::new(plan),
        };
        let mut interrupts = self.interrupt.level.subscribe();
        let store = self.store();
        let mut lost = store.lost();
        loop {
            let starts = self.starts(&mut execution);
            self.commit().await?;
            for start in starts {
                execution.spawn(start);
            }
            if execution.tasks.is_empty() {
                break;
            }
            tokio::select! {
                Some(joined) = execution.tasks.join_next_with_id() => {
                    self.ended(&mut execution, joined);
                    while let Some(joined) = execution.tasks.try_join_next_with_id() {
                        self.ended(&mut execution, joined);
                    }
                }
                Some(note) = self.notes.recv() => self.note(note),
                // Somebody else may be at work from now on. Leaving drops the calls that run.
                error = &mut lost => return Err(error.into()),
                Ok(()) = interrupts.changed() => {
                    if *interrupts.borrow_and_update() >= 2 {
                        execution.tasks.shutdown().await;
                        // The ids that steps reported last spare the next run a search.
                        while let Ok(note) = self.notes.try_recv() {
                            self.note(note);
                        }
                        break;
                    }
                }
            }
        }
        self.stopped(&mut execution);
        self.commit().await?;
        Ok(execution.tally)
    }

    /// Prepares ready steps, as many as the bound allows.
    fn starts(&mut self, execution: &mut Execution<'_>) -> Vec<Start> {
        let mut starts = Vec::new();
        while self.interrupt.level() == 0 && execution.tasks.len() + starts.len() < self.options.parallelism.max(1) {
            let Some(id) = execution.queue.pop() else { break };
            let plan = execution.plan;
            let step = &plan.steps[id.index()];
            match self.prepare(plan, step) {
                Prepared::Run(start) => {
                    self.event(Event::StepStarted {
                        step: id,
                        urn: step.urn.clone(),
                        action: start.action,
                        expected_ms: step.expected_ms,
                    });
                    starts.push(*start);
                }
                Prepared::Unneeded => {
                    execution.queue.done(id);
                    execution.tally.set(id, Ending::Unneeded);
                    self.event(Event::StepFinished {
                        step: id,
                        urn: step.urn.clone(),
                        action: step.action,
                        id: None,
                        took_ms: 0,
                        unneeded: true,
                    });
                }
                Prepared::Refused(error) => self.lose(execution, step, error, Leftover::None),
            }
        }
        starts
    }

    fn ended(&mut self, execution: &mut Execution<'_>, joined: Result<(Id, StepResult), JoinError>) {
        let (task, result) = match joined {
            Ok((task, result)) => (task, result),
            Err(error) => {
                let failure = Failure {
                    error: ProviderError::new(ErrorClass::Failed, format!("the step ended abnormally: {error}"))
                        .hint("This is a bug in the kind's code. The next run looks at what it left."),
                    leftover: Leftover::Unknown,
                };
                (error.id(), Err(failure))
            }
        };
        let Some(Running { step: id, key, began }) = execution.running.remove(&task) else { return };
        // What the step reported before it ended belongs before its outcome.
        while let Ok(note) = self.notes.try_recv() {
            self.note(note);
        }
        let step = &execution.plan.steps[id.index()];
        match result {
            Ok(outcome) => {
                let action = prepare::action_of(&outcome, step);
                self.stage(Record::Succeeded { key: key.clone(), outcome });
                if action == Action::Update {
                    self.relink(step, &key);
                }
                self.event(Event::StepFinished {
                    step: id,
                    urn: step.urn.clone(),
                    action,
                    id: self.checkpoint.objects.get(&key).and_then(|object| object.id.clone()),
                    took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                    unneeded: false,
                });
                execution.queue.done(id);
                execution.tally.set(id, Ending::Done(action));
            }
            Err(Failure { error, leftover }) => {
                self.stage(Record::Failed { key, leftover: leftover.clone(), error: error.to_string() });
                self.lose(execution, step, error, leftover);
            }
        }
    }

    /// A step failed: what is behind it is skipped, all else goes on.
    fn lose(&mut self, execution: &mut Execution<'_>, step: &Step, error: ProviderError, leftover: Leftover) {
        execution.tally.set(step.id, Ending::Failed);
        self.event(Event::StepFailed { step: step.id, urn: step.urn.clone(), action: step.action, error, leftover });
        for lost in execution.queue.failed(step.id) {
            execution.tally.set(lost, Ending::Skipped);
            let skipped = &execution.plan.steps[lost.index()];
            self.event(Event::StepSkipped {
                step: lost,
                urn: skipped.urn.clone(),
                action: skipped.action,
                because: Some(step.urn.clone()),
            });
        }
    }

    fn note(&mut self, note: Note) {
        match note {
            Note::Progress { urn, generation, id } => {
                let key = ObjectKey { urn, generation };
                let known = self.checkpoint.objects.get(&key).is_none_or(|object| object.id.as_ref() == Some(&id));
                if !known {
                    self.stage(Record::Progress { key, id });
                }
            }
            Note::Status { urn, text } => self.event(Event::StepStatus { urn, message: text }),
            Note::Retry { urn, error, attempt, delay } => self.event(Event::StepRetry {
                urn,
                error,
                attempt,
                delay_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
            }),
        }
    }

    /// The run was interrupted: what never ran, or was stopped, is skipped.
    fn stopped(&mut self, execution: &mut Execution<'_>) {
        let mut rest = execution.queue.unstarted();
        rest.extend(execution.running.drain().map(|(_, running)| running.step));
        rest.sort_unstable();
        for id in rest {
            execution.tally.set(id, Ending::Skipped);
            let step = &execution.plan.steps[id.index()];
            self.event(Event::StepSkipped { step: id, urn: step.urn.clone(), action: step.action, because: None });
        }
    }
}

impl Execution<'_> {
    fn spawn(&mut self, start: Start) {
        let task = self.tasks.spawn(step::run(start.provider, start.ctx, start.work));
        let running = Running { step: start.step, key: start.key, began: Instant::now() };
        self.running.insert(task.id(), running);
    }
}
