//! Planning: pure and synchronous. The same inputs give the same plan.

pub mod diff;

use serde::{Deserialize, Serialize};

/// A step's place in its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(pub u32);
