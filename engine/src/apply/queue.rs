//! Which step may run next. Pure: knows no time and no tasks.

use std::collections::BinaryHeap;

use crate::plan::{Plan, StepId};

/// A step's standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// Waits for so many steps.
    Waiting(usize),
    Ready,
    Running,
    Done,
    /// It failed, or one that it needs did.
    Lost,
}

/// The ready steps of a plan, longest remaining chain first.
#[derive(Debug)]
pub struct Queue {
    standing: Vec<Standing>,
    successors: Vec<Vec<usize>>,
    remaining: Vec<u64>,
    ready: BinaryHeap<(u64, std::cmp::Reverse<usize>)>,
    open: usize,
}

impl Queue {
    /// A queue of all steps.
    pub fn new(plan: &Plan) -> Self {
        let mut waits = vec![0; plan.steps.len()];
        let mut successors = vec![Vec::new(); plan.steps.len()];
        for (from, to) in &plan.edges {
            waits[to.index()] += 1;
            successors[from.index()].push(to.index());
        }
        let mut queue = Self {
            standing: waits.iter().map(|waits| Standing::Waiting(*waits)).collect(),
            successors,
            remaining: plan.remaining_ms(),
            ready: BinaryHeap::new(),
            open: plan.steps.len(),
        };
        for step in 0..queue.standing.len() {
            queue.promote(step);
        }
        queue
    }

    fn promote(&mut self, step: usize) {
        if self.standing[step] == Standing::Waiting(0) {
            self.standing[step] = Standing::Ready;
            self.ready.push((self.remaining[step], std::cmp::Reverse(step)));
        }
    }

    /// Takes the most urgent ready step.
    pub fn pop(&mut self) -> Option<StepId> {
        let (_, std::cmp::Reverse(step)) = self.ready.pop()?;
        self.standing[step] = Standing::Running;
        u32::try_from(step).ok().map(StepId)
    }

    /// A running step has done its work: what waited only for it is ready.
    pub fn done(&mut self, step: StepId) {
        self.close(step.index(), Standing::Done);
        for next in self.successors[step.index()].clone() {
            if let Standing::Waiting(waits) = &mut self.standing[next] {
                *waits -= 1;
                self.promote(next);
            }
        }
    }

    /// A running step failed: everything behind it is lost. Gives what is lost now,
    /// without the step itself.
    pub fn failed(&mut self, step: StepId) -> Vec<StepId> {
        self.close(step.index(), Standing::Lost);
        let mut lost = Vec::new();
        let mut stack = vec![step.index()];
        while let Some(at) = stack.pop() {
            for next in self.successors[at].clone() {
                if matches!(self.standing[next], Standing::Waiting(_)) {
                    self.close(next, Standing::Lost);
                    stack.push(next);
                    lost.extend(u32::try_from(next).ok().map(StepId));
                }
            }
        }
        lost.sort_unstable();
        lost
    }

    fn close(&mut self, step: usize, standing: Standing) {
        self.standing[step] = standing;
        self.open -= 1;
    }

    /// The steps that never ran, for a run that is stopped.
    pub fn unstarted(&self) -> Vec<StepId> {
        let waiting = |s: &Standing| matches!(s, Standing::Waiting(_) | Standing::Ready);
        let steps = self.standing.iter().enumerate().filter(|(_, standing)| waiting(standing));
        steps.filter_map(|(step, _)| u32::try_from(step).ok().map(StepId)).collect()
    }

    /// True if every step is done or lost.
    pub fn finished(&self) -> bool {
        self.open == 0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        plan::{Reason, Step},
        provider::{Action, ReplaceOrder},
        urn::Urn,
    };

    fn plan(expected: &[u64], edges: &[(u32, u32)]) -> Plan {
        let step = |(index, expected_ms): (usize, &u64)| Step {
            id: StepId(index as u32),
            urn: Urn::new("k", &index.to_string()).unwrap(),
            generation: 0,
            action: Action::Create,
            reason: Reason::New,
            inputs: None,
            planned: None,
            depends_on: vec![],
            replace_order: ReplaceOrder::CreateThenDelete,
            pair: None,
            changes: vec![],
            expected_ms: *expected_ms,
        };
        Plan {
            steps: expected.iter().enumerate().map(step).collect(),
            edges: edges.iter().map(|(from, to)| (StepId(*from), StepId(*to))).collect(),
            ..Plan::default()
        }
    }

    #[test]
    fn the_longest_chain_goes_first() {
        // 0 is long by itself; 1 leads to 3, which is longer in sum.
        let mut queue = Queue::new(&plan(&[5, 2, 1, 9], &[(1, 3)]));
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, [StepId(1), StepId(0), StepId(2)]);
        queue.done(StepId(1));
        assert_eq!(queue.pop(), Some(StepId(3)));
    }

    #[test]
    fn a_failure_loses_what_is_behind_it_and_nothing_else() {
        let mut queue = Queue::new(&plan(&[1, 1, 1, 1], &[(0, 1), (1, 2)]));
        while queue.pop().is_some() {}
        assert_eq!(queue.failed(StepId(0)), [StepId(1), StepId(2)]);
        assert!(!queue.finished());
        queue.done(StepId(3));
        assert!(queue.finished());
    }

    #[test]
    fn the_critical_path_is_the_longest_chain() {
        let (total, path) = plan(&[5, 2, 1, 9], &[(1, 3), (2, 3)]).critical_path();
        assert_eq!(total.as_millis(), 11);
        assert_eq!(path, [StepId(1), StepId(3)]);
    }
}
