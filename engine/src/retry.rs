//! The one retry policy. The SDKs' own retries are off: they would repeat a call
//! whose response was lost, and make a second KMS key.

use std::time::Duration;

use crate::error::ErrorClass;

/// How one class of error is tried again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// The first delay.
    pub base: Duration,
    /// The longest delay.
    pub cap: Duration,
    /// Give up when the delays add up to this.
    pub budget: Duration,
}

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Delays by class of error. The defaults follow what the services need: IAM is
/// usually visible within 10 s, a cluster update takes minutes, a security group is
/// held by a leaving network interface for up to 10 minutes.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// [`ErrorClass::Throttled`].
    pub throttled: Backoff,
    /// [`ErrorClass::Busy`].
    pub busy: Backoff,
    /// [`ErrorClass::Propagation`].
    pub propagation: Backoff,
    /// [`ErrorClass::InUse`].
    pub in_use: Backoff,
    /// [`ErrorClass::Ambiguous`], for calls that may be repeated.
    pub ambiguous: Backoff,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        let backoff = |base_ms, cap, budget| Backoff {
            base: Duration::from_millis(base_ms),
            cap: secs(cap),
            budget: secs(budget),
        };
        Self {
            throttled: backoff(500, 20, 600),
            busy: backoff(2_000, 10, 1_800),
            propagation: backoff(1_000, 2, 180),
            in_use: backoff(2_000, 10, 600),
            ambiguous: backoff(500, 8, 120),
        }
    }
}

impl RetryPolicy {
    /// For questions on which nothing depends yet: what is busy or not there yet is an answer.
    pub(crate) fn impatient(&self) -> Self {
        let never = |of: Backoff| Backoff { budget: Duration::ZERO, ..of };
        Self {
            throttled: self.throttled,
            busy: never(self.busy),
            propagation: never(self.propagation),
            in_use: never(self.in_use),
            ambiguous: Backoff { budget: self.ambiguous.budget.min(secs(10)), ..self.ambiguous },
        }
    }

    fn backoff(&self, class: ErrorClass) -> Option<Backoff> {
        match class {
            ErrorClass::Throttled => Some(self.throttled),
            ErrorClass::Busy => Some(self.busy),
            ErrorClass::Propagation => Some(self.propagation),
            ErrorClass::InUse => Some(self.in_use),
            ErrorClass::Ambiguous => Some(self.ambiguous),
            ErrorClass::AlreadyExists
            | ErrorClass::NotFound
            | ErrorClass::Denied
            | ErrorClass::Invalid
            | ErrorClass::Quota
            | ErrorClass::Failed
            | ErrorClass::TimedOut
            | ErrorClass::Interrupted => None,
        }
    }
}

/// The delays of one call; the same for the same seed.
#[derive(Debug)]
pub struct Schedule {
    policy: RetryPolicy,
    rng: fastrand::Rng,
    attempts: u32,
    /// By class: how many delays, and their sum. A long wait for something busy must not use
    /// up the patience with throttling.
    spent: Vec<(ErrorClass, u32, Duration)>,
}

impl Schedule {
    /// A fresh schedule.
    pub fn new(policy: RetryPolicy, seed: u64) -> Self {
        Self { policy, rng: fastrand::Rng::with_seed(seed), attempts: 0, spent: Vec::new() }
    }

    /// How long to wait before the next attempt; `None` to give up.
    pub fn next(&mut self, class: ErrorClass) -> Option<Duration> {
        let backoff = self.policy.backoff(class)?;
        let at = self.spent.iter().position(|(of, ..)| *of == class).unwrap_or_else(|| {
            self.spent.push((class, 0, Duration::ZERO));
            self.spent.len() - 1
        });
        let (_, attempts, spent) = &mut self.spent[at];
        if *spent >= backoff.budget {
            return None;
        }
        let full = backoff.base.saturating_mul(2u32.saturating_pow((*attempts).min(16))).min(backoff.cap);
        // Between half and the whole: spread out, yet never a hammering zero.
        let delay = full.mul_f64(0.5 + 0.5 * self.rng.f64());
        self.attempts += 1;
        *attempts += 1;
        *spent += delay;
        Some(delay)
    }

    /// How many delays were given out.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_cap_and_end() {
        let mut schedule = Schedule::new(RetryPolicy::default(), 7);
        let mut delays = Vec::new();
        while let Some(delay) = schedule.next(ErrorClass::Throttled) {
            delays.push(delay);
        }
        assert!(delays[0] <= Duration::from_millis(500));
        assert!(delays.iter().all(|delay| *delay <= secs(20)));
        let total: Duration = delays.iter().sum();
        assert!(total >= secs(600) && total <= secs(620), "{total:?}");
    }

    #[test]
    fn a_long_wait_for_one_thing_leaves_patience_for_another() {
        let mut schedule = Schedule::new(RetryPolicy::default(), 7);
        while schedule.next(ErrorClass::Busy).is_some() {}
        assert!(schedule.next(ErrorClass::Throttled).is_some_and(|delay| delay <= Duration::from_millis(500)));
    }

    #[test]
    fn a_plain_refusal_is_final() {
        assert_eq!(Schedule::new(RetryPolicy::default(), 0).next(ErrorClass::Invalid), None);
    }

    #[test]
    fn same_seed_same_delays() {
        let delays = |seed| {
            let mut schedule = Schedule::new(RetryPolicy::default(), seed);
            (0..5).filter_map(|_| schedule.next(ErrorClass::Busy)).collect::<Vec<_>>()
        };
        assert_eq!(delays(3), delays(3));
        assert_ne!(delays(3), delays(4));
    }
}
