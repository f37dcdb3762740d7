//! Faults on demand, drawn from a seed: what a real account and network do now and then.

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;

use super::{ApiError, wire::Call};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// Refused for its rate, in the service's own words; no effect.
    Throttled,
    /// HTTP 500; no effect.
    ServerError,
    /// HTTP 503; no effect.
    Unavailable,
    /// The request never arrives; the caller sees a broken connection.
    LostBefore,
    /// It takes effect; the response never arrives.
    LostAfter,
    /// The response never arrives, and the effect comes this much later.
    Late(Duration),
}

/// One rule: which calls it concerns and how often it strikes.
#[derive(Debug, Clone, PartialEq)]
pub struct FaultRule {
    /// The signing name, e.g. `kms`; `None` for every service.
    pub service: Option<String>,
    /// E.g. `CreateKey`; `None` for every operation. A trailing `*` makes it a prefix.
    pub operation: Option<String>,
    /// Between 0 and 1.
    pub probability: f64,
    /// Strikes so many times at most.
    pub at_most: u32,
    /// What goes wrong.
    pub kind: FaultKind,
}

impl FaultRule {
    /// A rule for every call of one operation, striking once.
    pub fn once(service: &str, operation: &str, kind: FaultKind) -> Self {
        Self {
            service: Some(service.to_owned()),
            operation: Some(operation.to_owned()),
            probability: 1.0,
            at_most: 1,
            kind,
        }
    }

    /// A rule for every call of every service.
    pub fn anywhere(probability: f64, kind: FaultKind) -> Self {
        Self { service: None, operation: None, probability, at_most: u32::MAX, kind }
    }

    fn concerns(&self, call: &Call) -> bool {
        let operation = self.operation.as_deref().is_none_or(|wanted| match wanted.strip_suffix('*') {
            Some(prefix) => call.operation.starts_with(prefix),
            None => call.operation == wanted,
        });
        operation && self.service.as_deref().is_none_or(|service| service == call.service)
    }
}

/// Where a stopped call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Nothing has happened.
    BeforeEffect,
    /// The account has changed; the caller does not know.
    AfterEffect,
}

/// One call never answers: the process "dies" there.
#[derive(Debug, Clone)]
struct Stop {
    left: u64,
    moment: Moment,
    reached: Arc<Notify>,
}

/// The rules in force.
#[derive(Debug, Clone)]
pub struct Faults {
    rules: Vec<FaultRule>,
    rng: fastrand::Rng,
    stop: Option<Stop>,
}

impl Default for Faults {
    fn default() -> Self {
        Self::new(0, Vec::new())
    }
}

impl Faults {
    /// These rules, drawn from this seed.
    pub fn new(seed: u64, rules: Vec<FaultRule>) -> Self {
        Self { rules, rng: fastrand::Rng::with_seed(seed), stop: None }
    }

    /// The `n`-th call from now (1 is the next) never answers. The notification is
    /// given when it is reached.
    #[must_use]
    pub fn stop_at(mut self, n: u64, moment: Moment) -> (Self, Arc<Notify>) {
        let reached = Arc::new(Notify::new());
        self.stop = Some(Stop { left: n, moment, reached: reached.clone() });
        (self, reached)
    }

    /// What happens to this call.
    pub(super) fn strike(&mut self, call: &Call) -> Option<FaultKind> {
        let rng = &mut self.rng;
        let rule = self
            .rules
            .iter_mut()
            .find(|rule| rule.at_most > 0 && rule.concerns(call) && rng.f64() < rule.probability)?;
        rule.at_most -= 1;
        Some(rule.kind)
    }

    /// Counts a call; gives the notification and the moment if it is the one to stop at.
    pub(super) fn count(&mut self) -> Option<(Arc<Notify>, Moment)> {
        let stop = self.stop.as_mut()?;
        stop.left = stop.left.checked_sub(1)?;
        (stop.left == 0).then(|| (stop.reached.clone(), stop.moment))
    }
}

/// The refusal that a fault shows as, for those that the service answers.
pub(super) fn refusal(kind: FaultKind, service: &str) -> Option<ApiError> {
    match kind {
        FaultKind::Throttled => {
            let (code, message) = match service {
                "ec2" => ("RequestLimitExceeded", "Request limit exceeded."),
                "iam" | "sts" => ("Throttling", "Rate exceeded"),
                _ => ("ThrottlingException", "Rate exceeded"),
            };
            let status = if service == "ec2" { 503 } else { 400 };
            Some(ApiError::new(status, code, message))
        }
        FaultKind::ServerError => {
            let code = match service {
                "eks" => "ServerException",
                "ec2" => "InternalError",
                "kms" => "KMSInternalException",
                _ => "InternalFailure",
            };
            Some(ApiError::new(500, code, "An internal error occurred."))
        }
        FaultKind::Unavailable => {
            let code = if service == "ec2" { "Unavailable" } else { "ServiceUnavailableException" };
            Some(ApiError::new(503, code, "The service is temporarily unavailable."))
        }
        FaultKind::LostBefore | FaultKind::LostAfter | FaultKind::Late(_) => None,
    }
}
