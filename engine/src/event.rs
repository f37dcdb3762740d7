//! What a run tells its reader. Reports, exit codes and summaries are folds over
//! these events; the coordinator alone emits them, after the journal write.

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::{
    error::{Leftover, ProviderError},
    plan::StepId,
    provider::Action,
    urn::Urn,
};

/// Counts of a run, or of a plan. A replacement counts once, in `replaced`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Resources made.
    pub created: u64,
    /// Resources changed in place.
    pub updated: u64,
    /// Resources replaced by a new object.
    pub replaced: u64,
    /// Resources destroyed.
    pub deleted: u64,
    /// Resources left as they are.
    pub unchanged: u64,
    /// Steps that failed.
    pub failed: u64,
    /// Steps that never ran, because one that they need failed or the run was stopped.
    pub skipped: u64,
}

impl Summary {
    /// True if there is anything to do, or was.
    pub fn changes(&self) -> bool {
        self.created + self.updated + self.replaced + self.deleted > 0
    }

    /// True if everything that was to be done was done.
    pub fn complete(&self) -> bool {
        self.failed == 0 && self.skipped == 0
    }
}

/// One event. As JSON: an object with a member `event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The steps of a plan are about to run.
    RunStarted {
        /// The run's number.
        run: u64,
        /// How many steps.
        steps: usize,
        /// Predicted from expected durations, milliseconds.
        expected_ms: u64,
    },
    /// Something an interrupted run left was looked up.
    Recovered {
        /// The resource.
        urn: Urn,
        /// What was found, and what follows.
        message: String,
    },
    /// What stands behind something that the plan opens could not be read: it is taken as
    /// recorded.
    Unread {
        /// The resources.
        urns: Vec<Urn>,
        /// Why.
        message: String,
    },
    /// An object that stood in the account before was put into the state.
    Adopted {
        /// The resource that it stands for from now on.
        urn: Urn,
        /// Its physical id.
        id: String,
        /// How many of its fields are pinned.
        pinned: usize,
    },
    /// A step runs.
    StepStarted {
        /// Which step.
        step: StepId,
        /// On which resource.
        urn: Urn,
        /// What it does.
        action: Action,
        /// How long it should take, milliseconds.
        expected_ms: u64,
    },
    /// A step waits for something.
    StepStatus {
        /// On which resource.
        urn: Urn,
        /// E.g. `cluster x: CREATING`.
        message: String,
    },
    /// A call was refused for now and will be sent again.
    StepRetry {
        /// On which resource.
        urn: Urn,
        /// Why.
        error: ProviderError,
        /// How many retries so far.
        attempt: u32,
        /// Milliseconds until the next try.
        delay_ms: u64,
    },
    /// A step has done its work.
    StepFinished {
        /// Which step.
        step: StepId,
        /// On which resource.
        urn: Urn,
        /// What it did.
        action: Action,
        /// The object's id, if one stands.
        id: Option<String>,
        /// How long it took, milliseconds.
        took_ms: u64,
        /// True if, now that all inputs are known, there was nothing to do.
        unneeded: bool,
    },
    /// A step failed.
    StepFailed {
        /// Which step.
        step: StepId,
        /// On which resource.
        urn: Urn,
        /// What it was to do.
        action: Action,
        /// Why.
        error: ProviderError,
        /// What is left behind.
        leftover: Leftover,
    },
    /// A step never ran.
    StepSkipped {
        /// Which step.
        step: StepId,
        /// On which resource.
        urn: Urn,
        /// What it was to do.
        action: Action,
        /// The resource whose failure prevents it; none if the run was stopped.
        because: Option<Urn>,
    },
    /// The last event.
    RunFinished {
        /// What was done.
        summary: Summary,
        /// How long it took, milliseconds.
        took_ms: u64,
    },
}

/// Where events go. Sending never waits and never fails: a slow or gone reader does
/// not hold up a run.
#[derive(Debug, Clone, Default)]
pub struct Events {
    sender: Option<mpsc::UnboundedSender<Event>>,
}

impl Events {
    /// Events to a reader.
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Event>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self { sender: Some(sender) }, receiver)
    }

    /// Events to nobody.
    pub fn none() -> Self {
        Self::default()
    }

    pub(crate) fn emit(&self, event: Event) {
        if let Some(sender) = &self.sender {
            // A reader that has gone does not stop a run.
            drop(sender.send(event));
        }
    }
}
