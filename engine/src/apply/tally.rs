//! How each step of a run ended, and the sum of it.

use crate::{
    event::Summary,
    plan::{Plan, StepId},
    provider::Action,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Done(Action),
    Unneeded,
    Failed,
    Skipped,
}

/// The endings of all steps.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tally {
    endings: Vec<Option<Ending>>,
}

impl Tally {
    pub fn new(plan: &Plan) -> Self {
        Self { endings: vec![None; plan.steps.len()] }
    }

    pub fn set(&mut self, step: StepId, ending: Ending) {
        self.endings[step.index()] = Some(ending);
    }

    pub fn summary(&self, plan: &Plan) -> Summary {
        let mut summary = Summary { unchanged: plan.unchanged.len() as u64, ..Summary::default() };
        for (step, ending) in plan.steps.iter().zip(&self.endings) {
            match (ending, step.action, &step.pair) {
                (Some(Ending::Done(Action::Create)), _, Some(_)) => summary.replaced += 1,
                (Some(Ending::Done(Action::Create)), _, None) => summary.created += 1,
                (Some(Ending::Done(Action::Update)), _, _) => summary.updated += 1,
                (Some(Ending::Done(Action::Delete)), _, None) => summary.deleted += 1,
                (Some(Ending::Unneeded), Action::Create | Action::Update, _) => summary.unchanged += 1,
                (Some(Ending::Failed), _, _) => summary.failed += 1,
                (Some(Ending::Skipped) | None, _, _) => summary.skipped += 1,
                (Some(Ending::Done(Action::Delete)), _, Some(_))
                | (Some(Ending::Done(Action::Read)), _, _)
                | (Some(Ending::Unneeded), Action::Delete | Action::Read, _) => {}
            }
        }
        summary
    }
}
