//! awsJson 1.1: the operation in a header, JSON in and out.
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>

use serde_json::{Value, json};

use super::{WireRequest, WireResponse, response};
use crate::rehearsal::ApiError;

pub(super) fn decode(request: &WireRequest) -> Result<(String, Value), ApiError> {
    let target = request
        .header("x-amz-target")
        .and_then(|target| target.rsplit('.').next())
        .ok_or_else(|| ApiError::new(400, "UnknownOperationException", "The request has no X-Amz-Target."))?;
    Ok((target.to_owned(), body(&request.body)?))
}

/// A JSON body; an empty one is an empty object.
pub(super) fn body(bytes: &[u8]) -> Result<Value, ApiError> {
    if bytes.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(bytes)
        .map_err(|error| ApiError::new(400, "SerializationException", format!("The body is not JSON: {error}")))
}

pub(super) fn success(value: &Value, request_id: &str) -> WireResponse {
    let value = if value.is_null() { json!({}) } else { value.clone() };
    response(200, "application/x-amz-json-1.1", request_id, value.to_string().into_bytes())
}

pub(super) fn failure(error: &ApiError, request_id: &str) -> WireResponse {
    let mut body = (*error.members).clone();
    body.insert("__type".to_owned(), error.code.clone().into());
    body.insert("message".to_owned(), error.message.clone().into());
    response(error.status, "application/x-amz-json-1.1", request_id, Value::Object(body).to_string().into_bytes())
}
