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
    /// HTTP 500, but it took effect: a 500 promises nothing.
    ServerErrorAfter,
    /// No answer until the caller's own timeout; half of these calls took effect.
    Timeout,
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

/// What the stop point says of a call.
#[derive(Debug)]
pub(super) enum Passage {
    /// It goes through.
    Free,
    /// It never answers, and has no effect.
    Stop(Arc<Notify>),
    /// It never answers after its effect.
    StopAfter(Arc<Notify>),
}

/// From one call on nothing answers: the process "dies" there.
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

    /// The `n`-th call from now (1 is the next) and all later ones never answer, and the
    /// later ones have no effect: the caller is as good as dead. The notification is given
    /// when it is reached.
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

    /// Does a call that this strikes take effect at once?
    pub(super) fn takes_effect(&mut self, kind: FaultKind) -> bool {
        match kind {
            FaultKind::LostAfter | FaultKind::ServerErrorAfter => true,
            FaultKind::Timeout => self.rng.bool(),
            _ => false,
        }
    }

    /// Counts a call that is about to take effect.
    pub(super) fn count(&mut self) -> Passage {
        let Some(stop) = &mut self.stop else { return Passage::Free };
        let reached = stop.reached.clone();
        match (stop.left, stop.moment) {
            (0, _) => return Passage::Stop(reached),
            (1, Moment::BeforeEffect) => stop.left = 0,
            (1, Moment::AfterEffect) => {
                stop.left = 0;
                return Passage::StopAfter(reached);
            }
            _ => {
                stop.left -= 1;
                return Passage::Free;
            }
        }
        Passage::Stop(reached)
    }
}

/// The refusal that a fault shows as, for those that the service answers.
pub(super) fn refusal(kind: FaultKind, service: &str) -> Option<ApiError> {
    match kind {
        FaultKind::Throttled => {
            let (code, message) = match service {
                "ec2" => ("RequestLimitExceeded", "Request limit exceeded."),
                "iam" | "sts" | "autoscaling" => ("Throttling", "Rate exceeded"),
                "s3" => ("SlowDown", "Please reduce your request rate."),
                "sqs" => ("RequestThrottled", "Request is throttled."),
                "kubernetes" => ("TooManyRequests", "Too many requests, please try again later."),
                _ => ("ThrottlingException", "Rate exceeded"),
            };
            let status = match service {
                "ec2" | "s3" => 503,
                "eks" | "kubernetes" => 429,
                _ => 400,
            };
            Some(ApiError::new(status, code, message))
        }
        FaultKind::ServerError | FaultKind::ServerErrorAfter => {
            let code = match service {
                "eks" => "ServerException",
                "ec2" | "s3" | "kubernetes" => "InternalError",
                "kms" => "KMSInternalException",
                "iam" => "ServiceFailure",
                _ => "InternalFailure",
            };
            Some(ApiError::new(500, code, "An internal error occurred."))
        }
        FaultKind::Unavailable => {
            let code = match service {
                "ec2" => "Unavailable",
                "iam" | "s3" | "sts" | "autoscaling" | "kubernetes" => "ServiceUnavailable",
                _ => "ServiceUnavailableException",
            };
            Some(ApiError::new(503, code, "The service is temporarily unavailable."))
        }
        FaultKind::LostBefore | FaultKind::LostAfter | FaultKind::Late(_) | FaultKind::Timeout => None,
    }
}
