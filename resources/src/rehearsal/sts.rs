//! The emulated sts service.

use serde_json::Value;

use super::{Account, ApiError};

/// Answers one call.
///
/// # Errors
/// The service's refusal.
pub fn call(_account: &mut Account, operation: &str, _params: &Value) -> Result<Value, ApiError> {
    Err(ApiError::new(400, "InvalidAction", format!("sts has no {operation} here.")))
}
