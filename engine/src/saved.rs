//! A plan kept for later: reviewed by people, then applied as it is.
//!
//! A saved plan says what it was made from. [`crate::ops::Engine::up_saved`] applies it
//! only while that is still so: the same stack, place, wishes and state, and an account
//! in which planning again gives the same plan.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    error::Error,
    plan::{Plan, Step},
    stack::{Resource, Stack},
    store::{Binding, Checkpoint},
};

/// The format that [`SavedPlan::encode`] writes.
pub const FORMAT: u32 = 1;

/// How many differences are named before the rest is counted.
const NAMED: usize = 5;

/// What a plan was made from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// The number of the run that had left the state; 0 before the first.
    pub run: u64,
    /// A digest of the state as stored.
    pub state: String,
    /// A digest of the desired stack.
    pub desired: String,
}

/// A plan and what it was made from. It holds what the state holds (inputs, no
/// credentials): keep it as the state is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// [`FORMAT`].
    pub format: u32,
    /// SHA-256 of the file in which these digits are zeros.
    pub checksum: String,
    /// The program that made it, e.g. `rayplat 0.1.0`.
    pub program: String,
    /// When, milliseconds since the Unix epoch.
    pub made_ms: u64,
    /// The stack's name.
    pub stack: String,
    /// Where it works.
    pub binding: Binding,
    /// What it was made from.
    pub basis: Basis,
    /// The plan.
    pub plan: Plan,
}

/// SHA-256 in hex.
fn digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn json<T: Serialize>(what: &str, value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|error| Error::PlanFile(format!("the {what} has no JSON form: {error}")))
}

impl Basis {
    /// What planning this stack from this stored state is based on.
    ///
    /// # Errors
    /// A value that JSON cannot express.
    pub fn of(stack: &Stack, stored: &Checkpoint) -> Result<Self, Error> {
        let wishes: Vec<_> = stack
            .resources()
            .map(|resource| {
                let Resource { urn, inputs, after, after_create, after_update, goes_before, protect } = resource;
                (urn, inputs, after, after_create, after_update, goes_before, protect)
            })
            .collect();
        Ok(Self {
            run: stored.meta.as_ref().map_or(0, |meta| meta.run),
            state: digest(&json("state", stored)?),
            desired: digest(&json("stack", &wishes)?),
        })
    }

    /// What has moved from this basis to the present one.
    pub(crate) fn moved(&self, now: &Self) -> Option<String> {
        if self.desired != now.desired {
            return Some("what is desired has changed since it was made".to_owned());
        }
        if self.run != now.run {
            return Some(format!(
                "the state has moved on: it was made after run {}, the last run is {} now",
                self.run, now.run
            ));
        }
        (self.state != now.state).then(|| "the state has changed since it was made".to_owned())
    }
}

impl SavedPlan {
    /// The file's bytes: one JSON object.
    ///
    /// # Errors
    /// A value that JSON cannot express.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        let unsigned = Self { format: FORMAT, checksum: "0".repeat(64), ..self.clone() };
        let text = String::from_utf8_lossy(&json("plan", &unsigned)?).into_owned();
        let checksum = digest(text.as_bytes());
        Ok(text.replacen(&unsigned.checksum, &checksum, 1).into_bytes())
    }

    /// Reads what [`SavedPlan::encode`] wrote.
    ///
    /// # Errors
    /// [`Error::PlanFile`]: no plan, of another format, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let text = std::str::from_utf8(bytes).map_err(|_| Error::PlanFile("it is not UTF-8".to_owned()))?;
        let value: Value = serde_json::from_str(text)
            .map_err(|error| Error::PlanFile(format!("it is no plan, or was cut off: {error}")))?;
        let format = value.get("format").and_then(Value::as_u64);
        let Some(checksum) = value.get("checksum").and_then(Value::as_str).filter(|text| text.len() == 64) else {
            return Err(Error::PlanFile("it is no saved plan: it has no checksum".to_owned()));
        };
        if format != Some(u64::from(FORMAT)) {
            let found = format.map_or_else(|| "none".to_owned(), |format| format.to_string());
            return Err(Error::PlanFile(format!("its format is {found}; this version reads {FORMAT}")));
        }
        if digest(text.replacen(checksum, &"0".repeat(64), 1).as_bytes()) != checksum {
            return Err(Error::PlanFile("it was changed or damaged: its checksum does not fit".to_owned()));
        }
        serde_json::from_str(text).map_err(|error| Error::PlanFile(format!("it cannot be read: {error}")))
    }

    /// Refuses a plan of another stack or place.
    pub(crate) fn check_place(&self, stack: &str, binding: &Binding) -> Result<(), Error> {
        if self.stack == stack && self.binding == *binding {
            return Ok(());
        }
        let place = |stack: &str, binding: &Binding| format!("stack `{stack}` in {binding}");
        Err(Error::PlanBinding { bound: place(&self.stack, &self.binding), found: place(stack, binding) })
    }

    /// What is different in the plan that would be made now; `None` if it is the same one.
    pub(crate) fn differs(&self, now: &Plan) -> Result<Option<String>, Error> {
        let through_file = |plan: &Plan| -> Result<Plan, Error> {
            // The run that applies it has begun, and so counts one more; how long steps may
            // take is nobody's decision.
            let mut plan = Plan { base_run: 0, ..plan.clone() };
            plan.steps.iter_mut().for_each(|step| step.expected_ms = 0);
            serde_json::from_slice(&json("plan", &plan)?)
                .map_err(|error| Error::PlanFile(format!("the plan has no JSON form: {error}")))
        };
        let (then, now) = (through_file(&self.plan)?, through_file(now)?);
        if then == now {
            return Ok(None);
        }
        let mut found = differences(&then, &now);
        let more = found.len().saturating_sub(NAMED);
        found.truncate(NAMED);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        Ok(Some(format!("the account has changed since it was made: {}{more}", found.join("; "))))
    }
}

fn differences(then: &Plan, now: &Plan) -> Vec<String> {
    let name = |step: &Step| format!("{} {}", step.action.verb(), step.key());
    let by_name = |plan: &'_ Plan| -> BTreeMap<String, Step> {
        plan.steps.iter().map(|step| (name(step), step.clone())).collect()
    };
    let (before, after) = (by_name(then), by_name(now));
    let mut found = Vec::new();
    for (name, step) in &after {
        match before.get(name) {
            None => found.push(format!("{name} is needed now too{}", fields(step))),
            Some(before) if before.changes != step.changes || before.planned != step.planned => {
                found.push(format!("{name} would now change other things{}", fields(step)));
            }
            Some(_) => {}
        }
    }
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    found.extend(gone.map(|name| format!("{name} is no longer needed")));
    if found.is_empty() {
        found.push("the steps are the same, but not what they rest on".to_owned());
    }
    found
}

fn fields(step: &Step) -> String {
    if step.changes.is_empty() {
        return String::new();
    }
    let paths: Vec<&str> = step.changes.iter().map(|change| change.path.as_str()).collect();
    format!(" ({})", paths.join(", "))
}
