//! The account: identity, clock, random draws, and every service's state.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ApiError, autoscaling, ec2, eks, events, iam, kms, kubernetes, logs, pricing, s3, sqs, sts};

/// What an account is made from.
#[derive(Debug, Clone)]
pub struct Seed {
    /// Twelve digits.
    pub account_id: String,
    /// E.g. `us-east-1`.
    pub region: String,
    /// Every draw (durations, ids) follows from this number.
    pub seed: u64,
}

/// The emulated account. All services share it, so that one can refuse what
/// another still uses. It is serialisable: a rehearsal outlives its process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Account {
    /// Twelve digits.
    pub account_id: String,
    /// The one region that this account serves.
    pub region: String,
    /// State of the draws: advanced by each [`Account::draw`].
    rng: u64,
    /// The time of the call being handled, milliseconds since the Unix epoch.
    /// Set by the caller (virtual in a rehearsal, real time when served).
    pub now_ms: u64,
    /// Durations drawn for life cycles, for checking a run's wall time.
    pub drawn: Vec<DrawnDuration>,
    /// Life cycles that are to fail, asked for by a test or a rehearsal.
    #[serde(default)]
    pub failures: Vec<LifecycleFailure>,
    /// IAM: global.
    pub iam: iam::State,
    /// KMS keys and aliases.
    pub kms: kms::State,
    /// CloudWatch log groups.
    pub logs: logs::State,
    /// VPCs, subnets, security groups, launch templates.
    pub ec2: ec2::State,
    /// Clusters, node groups, addons, access entries, updates.
    pub eks: eks::State,
    /// Buckets and what is in them.
    #[serde(default)]
    pub s3: s3::State,
    /// Tags of the groups behind node groups.
    #[serde(default)]
    pub autoscaling: autoscaling::State,
    /// Queues.
    #[serde(default)]
    pub sqs: sqs::State,
    /// Event rules.
    #[serde(default)]
    pub events: events::State,
    /// What stands in the clusters.
    #[serde(default)]
    pub kubernetes: kubernetes::State,
}

/// One life-cycle duration that was drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DrawnDuration {
    /// `cluster/NAME`, `nodegroup/CLUSTER/NAME`, `addon/CLUSTER/NAME`, `role/NAME`, ...
    pub what: String,
    /// `create`, `update`, `delete`, `visible`.
    pub phase: String,
    /// When it began, milliseconds since the epoch.
    pub began_ms: u64,
    /// Milliseconds.
    pub took_ms: u64,
}

/// A life cycle that is to end in failure (`CREATE_FAILED` and its kin).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleFailure {
    /// What fails, named as in [`DrawnDuration::what`]; a trailing `*` makes it a prefix.
    pub what: String,
    /// `create`, `update`, `delete`; of a node group also `detach`: its nodes leave interfaces
    /// behind.
    pub phase: String,
    /// The health issue or error code, e.g. `NodeCreationFailure`.
    pub code: String,
    /// The health issue's message.
    pub message: String,
}

impl LifecycleFailure {
    fn concerns(&self, what: &str, phase: &str) -> bool {
        self.phase == phase
            && match self.what.strip_suffix('*') {
                Some(prefix) => what.starts_with(prefix),
                None => self.what == what,
            }
    }
}

impl Account {
    /// An empty account, but for what AWS itself puts there: the administrator role
    /// of IAM Identity Center, whose session the caller is.
    pub fn new(seed: &Seed, now_ms: u64) -> Self {
        let mut account = Self {
            account_id: seed.account_id.clone(),
            region: seed.region.clone(),
            rng: seed.seed,
            now_ms,
            drawn: Vec::new(),
            failures: Vec::new(),
            iam: iam::State::default(),
            kms: kms::State::default(),
            logs: logs::State::default(),
            ec2: ec2::State::default(),
            eks: eks::State::default(),
            s3: s3::State::default(),
            autoscaling: autoscaling::State::default(),
            sqs: sqs::State::default(),
            events: events::State::default(),
            kubernetes: kubernetes::State::default(),
        };
        iam::seed_caller(&mut account);
        account
    }

    /// The partition of the region, as ARNs name it.
    pub fn partition(&self) -> &'static str {
        match self.region.split('-').next() {
            Some("cn") => "aws-cn",
            _ if self.region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    /// The failure asked for when `what` goes through `phase`, if there is one.
    pub fn failure(&self, what: &str, phase: &str) -> Option<&LifecycleFailure> {
        self.failures.iter().find(|failure| failure.concerns(what, phase))
    }

    /// Answers one API call. `service` is the SigV4 signing name (`eks`, `ec2`,
    /// `iam`, `kms`, `logs`, `s3`, `sts`, `autoscaling`, `sqs`, `events`) or `kubernetes`, `params` and the answer have the members of
    /// the operation's shapes under their wire names; lists are arrays.
    ///
    /// # Errors
    /// The service's refusal.
    pub fn handle(&mut self, service: &str, operation: &str, params: &Value) -> Result<Value, ApiError> {
        self.settle();
        match service {
            "iam" => iam::call(self, operation, params),
            "sts" => sts::call(self, operation, params),
            "kms" => kms::call(self, operation, params),
            "logs" => logs::call(self, operation, params),
            "ec2" => ec2::call(self, operation, params),
            "eks" => eks::call(self, operation, params),
            "pricing" => pricing::call(self, operation, params),
            "s3" => s3::call(self, operation, params),
            "autoscaling" => autoscaling::call(self, operation, params),
            "sqs" => sqs::call(self, operation, params),
            "events" => events::call(self, operation, params),
            crate::kubernetes::SERVICE => kubernetes::call(self, operation, params),
            other => {
                Err(ApiError::new(501, "NotImplemented", format!("The rehearsal account has no service {other}.")))
            }
        }
    }

    /// Brings every life cycle up to `now_ms` (CREATING becomes ACTIVE, what was
    /// deleted vanishes), in the order in which things fall due.
    pub fn settle(&mut self) {
        kms::settle(self);
        // Networks first: nodes that start need a way out.
        ec2::settle(self);
        eks::settle(self);
        kubernetes::settle(self);
    }

    /// Draws a number in `[0, 1)` (splitmix64: the state is one serialisable word).
    pub fn draw(&mut self) -> f64 {
        #[allow(clippy::cast_precision_loss)]
        let unit = (self.draw_u64() >> 11) as f64 / (1u64 << 53) as f64;
        unit
    }

    /// Draws 64 bits.
    pub fn draw_u64(&mut self) -> u64 {
        self.rng = self.rng.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.rng;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Draws from another stream from now on, until it is swapped back.
    pub(super) fn swap_draws(&mut self, stream: &mut u64) {
        std::mem::swap(&mut self.rng, stream);
    }

    /// Draws `digits` lower-case hex digits, as in `sg-0123456789abcdef0`.
    pub fn draw_hex(&mut self, digits: usize) -> String {
        let mut text = String::new();
        while text.len() < digits {
            text.push_str(&format!("{:016x}", self.draw_u64()));
        }
        text.truncate(digits);
        text
    }

    /// Draws a life-cycle duration between `low` and `high` seconds, notes it under
    /// `what` and `phase`, and says when it will be over (milliseconds).
    pub fn draw_due(&mut self, what: &str, phase: &str, low: f64, high: f64) -> u64 {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let took_ms = ((low + (high - low) * self.draw()) * 1000.0) as u64;
        self.drawn.push(DrawnDuration {
            what: what.to_owned(),
            phase: phase.to_owned(),
            began_ms: self.now_ms,
            took_ms,
        });
        self.now_ms + took_ms
    }
}
