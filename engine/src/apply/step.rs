//! Carrying out one step: the provider's call, and looking instead of guessing when
//! its outcome is not known.

use std::{sync::Arc, time::Duration};

use serde_json::Value;

use crate::{
    context::Ctx,
    error::{ErrorClass, Leftover, ProviderError},
    journal::Outcome,
    plan::diff::Effect,
    provider::{Created, Current, DynProvider, Marks, Observed, Reading, Recovered},
    value::Planned,
};

/// What a step is to do, all inputs known.
#[derive(Debug, Clone)]
pub(crate) enum Work {
    /// Make it, or take up an interrupted creation.
    Create { inputs: Value, adopted: bool },
    /// Look it up.
    Read { inputs: Value },
    /// Change it; mark it as ours first if it is not yet.
    Update { current: Current<Value, Value>, to: Value, claim: bool },
    /// Destroy it.
    Delete { current: Current<Value, Value> },
}

/// How a step failed.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub error: ProviderError,
    pub leftover: Leftover,
}

/// Runs a step to its end.
pub(crate) async fn run(provider: Arc<dyn DynProvider>, ctx: Ctx, work: Work) -> Result<Outcome, Failure> {
    match work {
        Work::Create { inputs, adopted } => Creation { provider: &*provider, ctx, adopted }.run(inputs).await,
        Work::Read { inputs } => match provider.create(&ctx, &inputs).await {
            Ok(Created { id, outputs }) => Ok(Outcome::Created { id, inputs, outputs, took_ms: None }),
            Err(error) => Err(Failure { error, leftover: Leftover::None }),
        },
        Work::Update { current, to, claim } => match update(&*provider, &ctx, &current, &to, claim).await {
            Ok(outputs) => Ok(Outcome::Updated { outputs }),
            Err(error) => Err(Failure { error, leftover: Leftover::Known(current.id) }),
        },
        Work::Delete { current } => match provider.delete(&ctx, &current).await {
            Ok(()) => Ok(Outcome::Deleted),
            Err(error) => Err(Failure { error, leftover: Leftover::Known(current.id) }),
        },
    }
}

/// Claims first: an object is not changed before it says that it is ours.
async fn update(
    provider: &dyn DynProvider,
    ctx: &Ctx,
    current: &Current<Value, Value>,
    to: &Value,
    claim: bool,
) -> Result<Value, ProviderError> {
    if claim && matches!(provider.marks(ctx, current).await?, Marks::Read { .. }) {
        provider.claim(ctx, current).await?;
    }
    if provider.diff(&current.inputs, &Planned::Known(to.clone())).is_empty() {
        return Ok(current.outputs.clone());
    }
    provider.update(ctx, current, to).await
}

/// How often one intent may be found absent after an unknown outcome and sent again.
const ATTEMPTS: u32 = 8;

/// Between two looks at something that is not there.
const PAUSE: Duration = Duration::from_secs(2);

struct Creation<'a> {
    provider: &'a dyn DynProvider,
    ctx: Ctx,
    adopted: bool,
}

impl Creation<'_> {
    async fn run(mut self, inputs: Value) -> Result<Outcome, Failure> {
        let began = tokio::time::Instant::now();
        let resumed = self.ctx.resume().is_some();
        let mut attempts = 0;
        loop {
            let error = match self.provider.create(&self.ctx, &inputs).await {
                Ok(created) => {
                    let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
                    return self.finish(created, inputs, (!resumed).then_some(took)).await;
                }
                Err(error) => error,
            };
            attempts += 1;
            match error.class {
                ErrorClass::Ambiguous | ErrorClass::AlreadyExists if attempts < ATTEMPTS => {
                    self.look(&inputs, error).await?;
                }
                ErrorClass::Failed => return Err(self.broken(&inputs, error).await),
                // Not written off: what there is, the next run looks for and takes up.
                ErrorClass::TimedOut | ErrorClass::Interrupted | ErrorClass::Ambiguous | ErrorClass::AlreadyExists => {
                    return Err(Failure { error, leftover: Leftover::Unknown });
                }
                _ if !self.made() => return Err(Failure { error, leftover: Leftover::None }),
                // With these inputs it will never be finished: it must be replaced, with others.
                ErrorClass::Invalid | ErrorClass::Quota | ErrorClass::NotFound => {
                    return Err(self.broken(&inputs, error).await);
                }
                // The rest may have passed when the next run takes it up.
                ErrorClass::Throttled
                | ErrorClass::Busy
                | ErrorClass::Propagation
                | ErrorClass::InUse
                | ErrorClass::Denied => {
                    return Err(Failure { error, leftover: Leftover::Unknown });
                }
            }
        }
    }

    /// True if an object is known to have been made.
    fn made(&self) -> bool {
        self.ctx.resume().is_some() || self.ctx.made()
    }

    /// The outcome is unknown, or something has the name: look. Returns when the next
    /// attempt may be made.
    async fn look(&mut self, inputs: &Value, error: ProviderError) -> Result<(), Failure> {
        let unknown = |error| Failure { error, leftover: Leftover::Unknown };
        match settle(self.provider, &self.ctx, inputs).await {
            Ok(Recovered::Mine(id)) => self.ctx.set_resume(id),
            Ok(Recovered::OfThisStack(id)) => {
                self.adopted = true;
                self.ctx.set_resume(id);
            }
            Ok(Recovered::Foreign(what)) => {
                return Err(Failure { error: foreign(&what, error), leftover: Leftover::None });
            }
            Ok(Recovered::Absent) if error.class == ErrorClass::AlreadyExists => {
                return Err(Failure { error, leftover: Leftover::None });
            }
            Ok(Recovered::Absent) => {}
            Err(look) => return Err(unknown(look)),
        }
        Ok(())
    }

    async fn broken(&self, inputs: &Value, error: ProviderError) -> Failure {
        let leftover = match settle(self.provider, &self.ctx, inputs).await {
            Ok(Recovered::Mine(id) | Recovered::OfThisStack(id)) => Leftover::Known(id),
            Ok(Recovered::Absent | Recovered::Foreign(_)) => Leftover::None,
            Err(_) => Leftover::Unknown,
        };
        Failure { error, leftover }
    }

    /// An adopted object may differ from what is desired: it is compared and changed.
    async fn finish(&self, created: Created<Value>, inputs: Value, took_ms: Option<u64>) -> Result<Outcome, Failure> {
        let Created { id, mut outputs } = created;
        if self.adopted {
            let failed = |error| Failure { error, leftover: Leftover::Unknown };
            let current = Current { id: id.clone(), inputs: inputs.clone(), outputs: outputs.clone() };
            let found = self.provider.read(&self.ctx, &current).await.map_err(failed)?;
            if let Some(Observed { inputs: observed, outputs: read }) = found {
                let changes = self.provider.diff(&observed, &Planned::Known(inputs.clone()));
                if let Some(change) = changes.iter().find(|change| change.effect == Effect::Replace) {
                    return Err(Failure { error: unlike(&id, &change.path), leftover: Leftover::None });
                }
                outputs = read;
                if !changes.is_empty() {
                    let current = Current { id: id.clone(), inputs: observed, outputs };
                    outputs = self.provider.update(&self.ctx, &current, &inputs).await.map_err(failed)?;
                }
            }
        }
        Ok(Outcome::Created { id, inputs, outputs, took_ms })
    }
}

fn foreign(what: &str, error: ProviderError) -> ProviderError {
    ProviderError { class: ErrorClass::AlreadyExists, ..error }.hint(format!(
        "{what} exists and does not carry this platform's tags: it is somebody else's and was not touched. Choose \
         another name in the manifest, or remove it if nobody needs it."
    ))
}

fn unlike(id: &str, path: &str) -> ProviderError {
    ProviderError::new(
        ErrorClass::AlreadyExists,
        format!("{id} carries this platform's tags, but its `{path}` cannot be changed to what the manifest asks"),
    )
    .hint("Make the manifest fit the object, or delete the object; nothing was changed.")
}

/// Looks until the object is found or its absence can be believed.
pub(crate) async fn settle(provider: &dyn DynProvider, ctx: &Ctx, inputs: &Value) -> Result<Recovered, ProviderError> {
    let window = provider.info().consistency_window;
    let began = tokio::time::Instant::now();
    loop {
        let found = match provider.recover(ctx, inputs).await? {
            // Another generation of the same resource, which the state knows.
            Recovered::OfThisStack(id) if ctx.beside(&id) => Recovered::Absent,
            found => found,
        };
        if found != Recovered::Absent || began.elapsed() * ctx.time_scale() >= window {
            return Ok(found);
        }
        ctx.sleep(PAUSE).await;
    }
}

/// Reads until the object is found or its absence can be believed: one that was made a
/// moment ago may not be visible yet.
pub(crate) async fn read_settled(
    provider: &dyn DynProvider,
    ctx: &Ctx,
    current: &Current<Value, Value>,
) -> Reading<Value, Value> {
    let info = provider.info();
    let window = if info.data { Duration::ZERO } else { info.consistency_window };
    let began = tokio::time::Instant::now();
    loop {
        let found = provider.read(ctx, current).await?;
        if found.is_some() || began.elapsed() * ctx.time_scale() >= window {
            return Ok(found);
        }
        ctx.sleep(PAUSE).await;
    }
}
