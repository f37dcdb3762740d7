//! What the command line and embedders call: preview, up, down, refresh, drift.

use std::sync::Arc;

use tokio::time::Instant;

use crate::{
    apply::{Interrupt, Session},
    context::Clock,
    drift::{self, Drift},
    dry_run::DryRun,
    error::Error,
    event::{Event, Events, Summary},
    history::{Ledger, PastRun},
    journal::Record,
    plan::{self, Plan, Planning},
    provider::Registry,
    retry::RetryPolicy,
    saved::{self, Basis, SavedPlan},
    stack::Stack,
    store::{Binding, Checkpoint, Meta, StateStore},
    unread::Unread,
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
    planning: Planning,
    by: Option<String>,
}

/// What a preview found.
#[derive(Debug)]
pub struct Preview {
    /// What would be done.
    pub plan: Plan,
    /// The state as read from the account just now.
    pub state: Checkpoint,
    /// What the plan was made from.
    pub basis: Basis,
    /// What could not be read and is taken as recorded: the plan lets us in again.
    pub unread: Vec<Unread>,
    /// What the account says to the plan. Where it refuses something, `up` begins nothing.
    pub dry_run: DryRun,
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
        Self { registry, store, options, planning: Planning::default(), by: None }
    }

    /// The same, with more asked of the plans of [`Engine::preview`] and [`Engine::up`] than
    /// the stack says.
    #[must_use]
    pub fn planning(self, planning: Planning) -> Self {
        Self { planning, ..self }
    }

    /// The same engine, which also destroys what it would retain otherwise, with all that it
    /// holds ([`crate::provider::Provider::keeps`]).
    #[must_use]
    pub fn purging(mut self) -> Self {
        self.planning.purge = true;
        self
    }

    /// The same engine with an answer to what a kind leaves to people
    /// ([`crate::provider::Provider::goes_along`]).
    #[must_use]
    pub fn deciding(mut self, question: impl Into<String>, answer: impl Into<String>) -> Self {
        self.planning.decided.insert(question.into(), answer.into());
        self
    }

    /// Says who runs it; stands in the history, e.g. `ann@laptop`.
    #[must_use]
    pub fn by(mut self, who: impl Into<String>) -> Self {
        self.by = Some(who.into());
        self
    }

    /// What was done so far, oldest first, runs that were cut off included.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn history(&self) -> Result<Vec<PastRun>, Error> {
        history(&*self.store).await
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
        let basis = Basis::of(stack, &session.checkpoint)?;
        session.recover().await?;
        let (plan, unread) = self.plan(&mut session, stack, &self.planning).await?;
        let dry_run = session.dry_run(&plan).await?;
        Ok(Preview { plan, state: session.checkpoint, basis, unread, dry_run })
    }

    /// A preview's plan, to be kept and applied later by [`Engine::up_saved`]. `program`
    /// names the program and its version.
    pub fn save(&self, preview: &Preview, program: &str) -> SavedPlan {
        SavedPlan {
            format: saved::FORMAT,
            checksum: String::new(),
            program: program.to_owned(),
            made_ms: self.options.clock.now_ms(),
            stack: preview.plan.stack.clone(),
            binding: self.options.binding.clone(),
            basis: preview.basis.clone(),
            plan: preview.plan.clone(),
        }
    }

    /// Brings the account to what the stack says. `approve` sees the plan before
    /// anything is changed.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::DryRun`] if the account would refuse what the plan makes or
    /// changes: then nothing of it is begun. Failed steps are no error: they are in the report's
    /// summary.
    pub async fn up(
        &self,
        stack: &Stack,
        events: Events,
        interrupt: Interrupt,
        approve: impl FnOnce(&Plan) -> bool,
    ) -> Result<Report, Error> {
        self.apply("up", stack, events, interrupt, approve).await
    }

    /// Applies a saved plan, and nothing else.
    ///
    /// What an interrupted run left is taken up first, as in every run; the plan is
    /// outdated then.
    ///
    /// # Errors
    /// [`Error::PlanOutdated`] if the stack, the state or the account has moved on since it
    /// was made: nothing of it is applied. [`Error::PlanBinding`] if it belongs elsewhere.
    /// Else as for [`Engine::up`].
    pub async fn up_saved(
        &self,
        stack: &Stack,
        saved: &SavedPlan,
        events: Events,
        interrupt: Interrupt,
    ) -> Result<Report, Error> {
        let began = Instant::now();
        saved.check_place(stack.name(), &self.options.binding)?;
        let mut session = self.session(stack.name(), events, interrupt, true).await?;
        let now = Basis::of(stack, &session.checkpoint)?;
        if saved.basis.desired != now.desired {
            return Err(outdated(saved.basis.moved(&now)));
        }
        if session.checkpoint.objects.values().any(|object| object.phase.pending()) {
            return self.only_take_up(stack, session, began).await;
        }
        if let Some(moved) = saved.basis.moved(&now) {
            return Err(Error::PlanOutdated(moved));
        }
        self.begin(&mut session, stack.name(), "up").await?;
        let (plan, _) = self.plan(&mut session, stack, &saved.plan.planning).await?;
        let refusal = match saved.differs(&plan)? {
            None => refusal(session.dry_run(&plan).await?),
            differs => Some(outdated(differs)),
        };
        let summary = match &refusal {
            None => self.execute(&mut session, &saved.plan).await?,
            Some(_) => Summary::default(),
        };
        self.finish(&mut session, summary, began).await?;
        if let Some(error) = refusal {
            return Err(error);
        }
        Ok(Report { summary, plan: saved.plan.clone(), state: session.checkpoint, approved: true })
    }

    /// What an interrupted run left stands in a saved plan's way: it is taken up, and the
    /// plan is outdated by that.
    async fn only_take_up(&self, stack: &Stack, mut session: Session, began: Instant) -> Result<Report, Error> {
        self.begin(&mut session, stack.name(), "up").await?;
        let summary = Self::take_up(&mut session).await?;
        self.finish(&mut session, summary, began).await?;
        if summary.complete() {
            return Err(Error::PlanOutdated("what an interrupted run had begun was taken up first".to_owned()));
        }
        Ok(Report { summary, plan: Plan::default(), state: session.checkpoint, approved: true })
    }

    /// Says how the account differs from what the state has recorded. Changes nothing,
    /// writes nothing.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn drift(&self, stack: &str, events: Events) -> Result<Drift, Error> {
        let mut session = self.session(stack, events, Interrupt::default(), false).await?;
        session.recover().await?;
        let recorded = session.checkpoint.clone();
        session.refresh().await?;
        Ok(drift::compare(stack, &recorded, &session.checkpoint, &self.registry))
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
        let planning = Planning { replace: Vec::new(), everything: true, ..self.planning.clone() };
        self.clone().planning(planning).apply("down", &Stack::new(stack), events, interrupt, approve).await
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

    pub(crate) async fn session(
        &self,
        stack: &str,
        events: Events,
        interrupt: Interrupt,
        writes: bool,
    ) -> Result<Session, Error> {
        let session =
            Session::open(&self.registry, &self.store, &self.options, stack, events, interrupt, writes).await?;
        // It was opened a moment ago, and nobody has asked it anything.
        let _ = session.shared.asked.set(self.planning.clone());
        Ok(session)
    }

    pub(crate) async fn begin(&self, session: &mut Session, stack: &str, command: &str) -> Result<(), Error> {
        let meta = Meta { stack: stack.to_owned(), binding: self.options.binding.clone(), run: session.run };
        session.stage(Record::RunStarted { meta, command: command.to_owned(), by: self.by.clone() });
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
        let mut summary = Self::take_up(&mut session).await?;
        let (plan, approved) = if summary.complete() {
            let (plan, _) = self.plan(&mut session, stack, &self.planning).await?;
            if let Some(error) = refusal(session.dry_run(&plan).await?) {
                self.finish(&mut session, summary, began).await?;
                return Err(error);
            }
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

    /// Reads what stands, and plans from there.
    async fn plan(
        &self,
        session: &mut Session,
        stack: &Stack,
        planning: &Planning,
    ) -> Result<(Plan, Vec<Unread>), Error> {
        let unread = session.read_open().await?;
        let plan = plan::plan_with(stack, &session.checkpoint, &self.registry, planning)?;
        session.pass_over(&unread, &plan).await?;
        Ok((plan, unread))
    }

    /// First what an interrupted run left: a plan must be made from facts.
    async fn take_up(session: &mut Session) -> Result<Summary, Error> {
        let interrupted = session.recover().await?;
        if interrupted.is_empty() {
            return Ok(Summary::default());
        }
        Ok(session.execute(&interrupted).await?.summary(&interrupted))
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

    pub(crate) async fn finish(&self, session: &mut Session, summary: Summary, began: Instant) -> Result<(), Error> {
        session.stage(Record::Closed { summary });
        let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        session.event(Event::RunFinished { summary, took_ms });
        session.commit().await?;
        session.compact().await
    }
}

/// What the account would refuse, as an error.
fn refusal(found: DryRun) -> Option<Error> {
    (!found.refused.is_empty()).then_some(Error::DryRun(found.refused))
}

fn outdated(why: Option<String>) -> Error {
    Error::PlanOutdated(why.unwrap_or_default())
}

/// What was done to a state so far, oldest first, runs that were cut off included.
///
/// # Errors
/// The store cannot be read.
pub async fn history(store: &dyn StateStore) -> Result<Vec<PastRun>, Error> {
    let mut runs = store.history().await?;
    runs.extend(Ledger::of(&store.load().await?.journal).take());
    Ok(runs)
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
