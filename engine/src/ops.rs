//! What the command line and embedders call: preview, up, down, refresh.

use std::sync::Arc;

use tokio::time::Instant;

use crate::{
    apply::{Interrupt, Session},
    context::Clock,
    error::Error,
    event::{Event, Events, Summary},
    journal::Record,
    plan::{self, Plan},
    provider::Registry,
    retry::RetryPolicy,
    stack::Stack,
    store::{Binding, Checkpoint, Meta, StateStore},
};

/// How runs are made.
#[derive(Clone)]
pub struct Options {
    /// How many steps may run at once.
    pub parallelism: usize,
    /// The one retry policy.
    pub retry: RetryPolicy,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// Where the run works; a state of another place is refused.
    pub binding: Binding,
    /// Nonces and retry delays follow from it: random for a real account, given for a
    /// reproducible rehearsal.
    pub seed: u64,
}

/// The engine: kinds, a store, and options.
#[derive(Clone)]
pub struct Engine {
    registry: Registry,
    store: Arc<dyn StateStore>,
    options: Options,
}

/// What a preview found.
#[derive(Debug)]
pub struct Preview {
    /// What would be done.
    pub plan: Plan,
    /// The state as read from the account just now.
    pub state: Checkpoint,
}

/// How a run ended.
#[derive(Debug)]
pub struct Report {
    /// What was done.
    pub summary: Summary,
    /// The plan that was applied; empty if it was declined.
    pub plan: Plan,
    /// The state now.
    pub state: Checkpoint,
    /// False if whoever was asked said no.
    pub approved: bool,
}

impl Engine {
    /// An engine on these ports.
    pub fn new(registry: Registry, store: Arc<dyn StateStore>, options: Options) -> Self {
        Self { registry, store, options }
    }

    /// The state as stored, without reading the account.
    ///
    /// # Errors
    /// The store cannot be read, or belongs elsewhere.
    pub async fn state(&self, stack: &str) -> Result<Checkpoint, Error> {
        let session = self.session(stack, Events::none(), Interrupt::default(), false).await?;
        Ok(session.checkpoint)
    }

    /// Says what [`Engine::up`] would do. Reads the account, changes nothing, writes
    /// nothing.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn preview(&self, stack: &Stack, events: Events) -> Result<Preview, Error> {
        let mut session = self.session(stack.name(), events, Interrupt::default(), false).await?;
        session.recover().await?;
        session.refresh().await?;
        let plan = plan::plan(stack, &session.checkpoint, &self.registry)?;
        Ok(Preview { plan, state: session.checkpoint })
    }

    /// Brings the account to what the stack says. `approve` sees the plan before
    /// anything is changed.
    ///
    /// # Errors
    /// See [`Error`]. Failed steps are no error: they are in the report's summary.
    pub async fn up(
        &self,
        stack: &Stack,
        events: Events,
        interrupt: Interrupt,
        approve: impl FnOnce(&Plan) -> bool,
    ) -> Result<Report, Error> {
        self.apply("up", stack, events, interrupt, approve).await
    }

    /// Destroys everything the stack of that name has.
    ///
    /// # Errors
    /// As for [`Engine::up`].
    pub async fn down(
        &self,
        stack: &str,
        events: Events,
        interrupt: Interrupt,
        approve: impl FnOnce(&Plan) -> bool,
    ) -> Result<Report, Error> {
        self.apply("down", &Stack::new(stack), events, interrupt, approve).await
    }

    /// Reads the account into the state and changes nothing in the account.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn refresh(&self, stack: &str, events: Events) -> Result<Checkpoint, Error> {
        let mut session = self.session(stack, events, Interrupt::default(), true).await?;
        self.begin(&mut session, stack, "refresh").await?;
        session.recover().await?;
        session.refresh().await?;
        session.compact().await?;
        Ok(session.checkpoint)
    }

    async fn session(&self, stack: &str, events: Events, interrupt: Interrupt, writes: bool) -> Result<Session, Error> {
        Session::open(&self.registry, &self.store, &self.options, stack, events, interrupt, writes).await
    }

    async fn begin(&self, session: &mut Session, stack: &str, command: &str) -> Result<(), Error> {
        let meta = Meta { stack: stack.to_owned(), binding: self.options.binding.clone(), run: session.run };
        session.stage(Record::RunStarted { meta, command: command.to_owned() });
        session.commit().await
    }

    async fn apply(
        &self,
        command: &str,
        stack: &Stack,
        events: Events,
        interrupt: Interrupt,
        approve: impl FnOnce(&Plan) -> bool,
    ) -> Result<Report, Error> {
        let began = Instant::now();
        let mut session = self.session(stack.name(), events, interrupt, true).await?;
        self.begin(&mut session, stack.name(), command).await?;
        let mut summary = Summary::default();

        // First what an interrupted run left: the plan must be made from facts.
        let interrupted = session.recover().await?;
        if !interrupted.is_empty() {
            summary = session.execute(&interrupted).await?.summary(&interrupted);
        }
        let (plan, approved) = if summary.complete() {
            session.refresh().await?;
            let plan = plan::plan(stack, &session.checkpoint, &self.registry)?;
            let approved = plan.is_empty() || approve(&plan);
            if approved {
                let done = self.execute(&mut session, &plan).await?;
                summary = joined(summary, done);
            }
            (plan, approved)
        } else {
            (Plan::default(), true)
        };
        self.finish(&mut session, summary, began).await?;
        Ok(Report { summary, plan, state: session.checkpoint, approved })
    }

    async fn execute(&self, session: &mut Session, plan: &Plan) -> Result<Summary, Error> {
        for relink in &plan.relinks {
            session.stage(Record::Relinked {
                key: relink.key.clone(),
                depends_on: relink.depends_on.clone(),
                replace_order: relink.replace_order,
            });
        }
        for key in &plan.forget {
            session.stage(Record::Gone { key: key.clone() });
        }
        let (expected, _) = plan.critical_path();
        session.event(Event::RunStarted {
            run: session.run,
            steps: plan.steps.len(),
            expected_ms: u64::try_from(expected.as_millis()).unwrap_or(u64::MAX),
        });
        let tally = session.execute(plan).await?;
        Ok(tally.summary(plan))
    }

    async fn finish(&self, session: &mut Session, summary: Summary, began: Instant) -> Result<(), Error> {
        session.stage(Record::Closed { summary });
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        session.event(Event::RunFinished { summary, took_ms });
        session.commit().await?;
        session.compact().await
    }
}

/// The sum of taking up what was interrupted and of the plan after it. What was taken
/// up and then left alone counts as created, not as unchanged too.
fn joined(first: Summary, second: Summary) -> Summary {
    Summary {
        created: first.created + second.created,
        unchanged: second.unchanged.saturating_sub(first.created),
        failed: first.failed + second.failed,
        skipped: first.skipped + second.skipped,
        ..second
    }
}
