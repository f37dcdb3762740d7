//! The emulated kms service.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Account, ApiError};

/// What the service holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {}

/// Answers one call.
///
/// # Errors
/// The service's refusal.
pub fn call(_account: &mut Account, operation: &str, _params: &Value) -> Result<Value, ApiError> {
    Err(ApiError::new(400, "InvalidAction", format!("kms has no {operation} here.")))
}
