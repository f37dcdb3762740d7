//! awsJson 1.1, and 1.0 for SQS: the operation in a header, JSON in and out.
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

fn content_type(service: &str) -> &'static str {
    if service == "sqs" { "application/x-amz-json-1.0" } else { "application/x-amz-json-1.1" }
}

pub(super) fn success(service: &str, value: &Value, request_id: &str) -> WireResponse {
    let value = if value.is_null() { json!({}) } else { value.clone() };
    response(200, content_type(service), request_id, value.to_string().into_bytes())
}

pub(super) fn failure(service: &str, error: &ApiError, request_id: &str) -> WireResponse {
    let mut body = (*error.members).clone();
    let kind = if service == "sqs" { format!("com.amazonaws.sqs#{}", error.code) } else { error.code.clone() };
    body.insert("__type".to_owned(), kind.into());
    body.insert("message".to_owned(), error.message.clone().into());
    let body = Value::Object(body).to_string().into_bytes();
    let mut failed = response(error.status, content_type(service), request_id, body);
    if service == "sqs" {
        let party = if error.status < 500 { "Sender" } else { "Receiver" };
        let value = format!("{};{party}", query_code(&error.code));
        failed.headers.push(("x-amzn-query-error".to_owned(), value));
    }
    failed
}

/// SQS was a query service: clients still go by its codes of that time, where they differ.
/// Source: the `awsQueryError` traits of SQS's Smithy model;
/// <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html#aws-protocols-awsquerycompatible-trait>
fn query_code(code: &str) -> &str {
    match code {
        "QueueDoesNotExist" => "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDeletedRecently" => "AWS.SimpleQueueService.QueueDeletedRecently",
        "QueueNameExists" => "QueueAlreadyExists",
        "UnsupportedOperation" => "AWS.SimpleQueueService.UnsupportedOperation",
        other => other,
    }
}
