//! What can go wrong, what is left behind, and what to do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{dry_run::Refused, edit::EditError, names::NameError, store::StoreError, urn::Urn, value::EvalError};

/// What a failed call means; decides whether and how it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Refused for its rate; had no effect.
    Throttled,
    /// Refused because the object is being changed; had no effect.
    Busy,
    /// Something made a moment ago is not visible yet; had no effect.
    Propagation,
    /// Refused because something still uses the object; had no effect.
    InUse,
    /// Nobody knows whether it took effect: a timeout, a lost response, a 5xx.
    Ambiguous,
    /// An object of that name exists already.
    AlreadyExists,
    /// The object does not exist.
    NotFound,
    /// The caller may not do this, or has no valid credentials.
    Denied,
    /// The request itself is wrong.
    Invalid,
    /// A limit of the account is reached.
    Quota,
    /// The object reached a failed state.
    Failed,
    /// A wait ran past its limit; the object may still get there.
    TimedOut,
    /// The run was stopped.
    Interrupted,
}

/// A failed call or life cycle, in the provider's words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderError {
    /// What it means.
    pub class: ErrorClass,
    /// The service's error code, e.g. `ResourceInUseException`.
    pub code: Option<String>,
    /// The service's message.
    pub message: String,
    /// `service:Operation`, e.g. `eks:CreateCluster`.
    pub operation: Option<String>,
    /// What to do, in one or two sentences.
    pub hint: Option<String>,
}

impl ProviderError {
    /// An error without a code.
    pub fn new(class: ErrorClass, message: impl Into<String>) -> Self {
        Self { class, code: None, message: message.into(), operation: None, hint: None }
    }

    /// Adds the service's error code.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Adds what to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the operation, unless one is set.
    #[must_use]
    pub fn during(mut self, service: &str, operation: &str) -> Self {
        self.operation.get_or_insert_with(|| format!("{service}:{operation}"));
        self
    }
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operation) = &self.operation {
            write!(f, "{operation}: ")?;
        }
        if let Some(code) = &self.code {
            write!(f, "{code}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ProviderError {}

/// What a failed step leaves in the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leftover {
    /// Nothing new.
    None,
    /// The object with this id.
    Known(String),
    /// Possibly an object; the next run looks for it.
    Unknown,
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("nothing is left behind"),
            Self::Known(id) => {
                write!(f, "{id} is left in the account; the state knows it and the next run takes it up")
            }
            Self::Unknown => f.write_str("an object may be left in the account; the next run looks for it first"),
        }
    }
}

/// Why an operation of the engine failed as a whole. A failed step is no such
/// error: it is reported in the events and the [`crate::event::Summary`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The state store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state belongs to another account, region, partition, endpoint or stack.
    #[error("the state is bound to {bound}, but this run would work in {found}")]
    Binding {
        /// What the state says.
        bound: String,
        /// What the credentials and configuration say.
        found: String,
    },
    /// A stack that cannot be planned.
    #[error("{urn}: {reason}")]
    Stack {
        /// The resource at fault.
        urn: Urn,
        /// Why.
        reason: String,
    },
    /// An expression that cannot be evaluated.
    #[error("{urn}: {source}")]
    Eval {
        /// The resource whose inputs hold the expression.
        urn: Urn,
        /// Why.
        source: EvalError,
    },
    /// Resources that depend on each other in a circle.
    #[error("these resources depend on each other in a circle: {}", join(.0))]
    Cycle(Vec<Urn>),
    /// A resource of a kind that nobody registered.
    #[error("no provider is registered for the kind `{kind}` ({urn})")]
    UnknownKind {
        /// The kind.
        kind: String,
        /// The resource.
        urn: Urn,
    },
    /// Reading the account failed before anything was changed.
    #[error("reading {urn} failed: {source}")]
    Read {
        /// The resource read.
        urn: Urn,
        /// Why.
        source: ProviderError,
    },
    /// What an interrupted run left could not be cleared up.
    #[error("recovering {urn} failed: {source}")]
    Recovery {
        /// The resource.
        urn: Urn,
        /// Why.
        source: ProviderError,
    },
    /// Something that must not be destroyed would have to be.
    #[error("{urn} is protected: {reason}")]
    Protected {
        /// The resource.
        urn: Urn,
        /// Which change asks for it.
        reason: String,
    },
    /// An imported object would have to be deleted before it carries this stack's marks.
    #[error("{urn} ({id}) was imported and does not carry this platform's tags yet: it is not deleted")]
    Unclaimed {
        /// The resource.
        urn: Urn,
        /// The object.
        id: String,
    },
    /// A change or deletion that the resource's kind refuses.
    #[error("{urn}: {reason}")]
    Refused {
        /// The resource.
        urn: Urn,
        /// Why.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// What the plan makes or changes would be refused by the account: a dry run said so.
    #[error("nothing was begun, because of what would be refused (by a dry run):{}", lines(.0))]
    DryRun(Vec<Refused>),
    /// Something is to be replaced that the stack does not have.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The state cannot be edited as asked.
    #[error(transparent)]
    Edit(EditError),
    /// The plan no longer fits the account or the state.
    #[error("the plan is outdated: {0}")]
    PlanOutdated(String),
    /// A saved plan that cannot be read: no plan, of another format, or damaged.
    #[error("the saved plan cannot be used: {0}")]
    PlanFile(String),
    /// A saved plan of another stack, account, region, partition or endpoint.
    #[error("the saved plan is for {bound}, but this run would work on {found}")]
    PlanBinding {
        /// What the plan says.
        bound: String,
        /// What the stack, credentials and configuration say.
        found: String,
    },
    /// The run was interrupted.
    #[error("interrupted: {0}")]
    Interrupted(String),
}

fn join(urns: &[Urn]) -> String {
    urns.iter().map(Urn::as_str).collect::<Vec<_>>().join(" -> ")
}

fn lines(refused: &[Refused]) -> String {
    let line = |refused: &Refused| {
        let cure = refused.error.hint.as_ref().map_or_else(String::new, |hint| format!("\n    cure: {hint}"));
        format!("\n  {refused}{cure}")
    };
    refused.iter().map(line).collect()
}

impl Error {
    /// What to do, if that can be said in general.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => error.hint(),
            Self::Edit(error) => error.hint(),
            Self::Binding { .. } => Some(
                "Use the credentials, profile, region and endpoint that made this platform, or give the new one a state \
                 of its own. Nothing was read or changed."
                    .into(),
            ),
            Self::Read { source, .. } | Self::Recovery { source, .. } => source.hint.clone(),
            Self::Unclaimed { urn, .. } => Some(format!(
                "Nothing was changed. To make it this platform's, keep it in the manifest and run `rayplat up` once, which tags \
                 it; to let it go, `rayplat state rm {urn}` forgets it and leaves it in the account. A field that an import \
                 with --no-pin left different may ask for a new object: import it with its fields pinned first."
            )),
            Self::PlanOutdated(_) => {
                Some("Nothing of the plan was applied. Run `preview` again and apply the new plan.".into())
            }
            Self::PlanFile(_) => Some("Nothing was changed. Make the plan again with `preview`.".into()),
            Self::PlanBinding { .. } => Some(
                "Use the manifest, credentials, profile, region and endpoint that the plan was made with. Nothing was read \
                 or changed."
                    .into(),
            ),
            Self::Refused { hint, .. } => Some(hint.clone()),
            Self::DryRun(_) => Some("Mend each of these, then run the same command again.".into()),
            Self::Name(error) => error.hint(),
            Self::Protected { urn, .. } => Some(format!(
                "Take the change back; or insist with `--replace {urn}`: it is destroyed with all that is in it, and a new \
                 one is made."
            )),
            Self::UnknownKind { .. } => Some("Register the kind's provider before planning.".into()),
            _ => None,
        }
    }
}
