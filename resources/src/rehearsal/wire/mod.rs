//! The wire formats: an HTTP request becomes an operation with its parameters, the
//! answer becomes an HTTP response, as the real service would write it.

mod json;
mod query;
mod rest_json;
mod routes;

use serde_json::Value;

use super::ApiError;

/// An HTTP request, wherever it came from.
#[derive(Debug, Clone, Default)]
pub struct WireRequest {
    /// `GET`, `POST`, ...
    pub method: String,
    /// The path, percent-encoded, without the query.
    pub path: String,
    /// The query, without the `?`.
    pub query: String,
    /// Header names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl WireRequest {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// An HTTP response.
#[derive(Debug, Clone, PartialEq)]
pub struct WireResponse {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// How a service speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// IAM, STS: form in, XML out.
    AwsQuery,
    /// EC2: form in, XML out, other list and error shapes.
    Ec2Query,
    /// KMS, CloudWatch Logs.
    AwsJson,
    /// EKS.
    RestJson,
}

/// One API call, decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The SigV4 signing name, e.g. `eks`.
    pub service: String,
    /// E.g. `CreateCluster`.
    pub operation: String,
    /// Its parameters under their wire names.
    pub params: Value,
    /// How to answer.
    pub protocol: Protocol,
}

/// Decodes a request.
///
/// # Errors
/// An unsigned request, an unknown service, a malformed body, a path that no operation has: as a
/// response that says so.
pub fn decode(request: &WireRequest) -> Result<Call, WireResponse> {
    let service = signing_name(request).ok_or_else(|| {
        let error = ApiError::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token");
        json::failure(&error)
    })?;
    let protocol = match service.as_str() {
        "iam" | "sts" => Protocol::AwsQuery,
        "ec2" => Protocol::Ec2Query,
        "kms" | "logs" => Protocol::AwsJson,
        "eks" => Protocol::RestJson,
        other => {
            let message = format!("The rehearsal account has no service {other}.");
            return Err(json::failure(&ApiError::new(501, "NotImplemented", message)));
        }
    };
    let decoded = match protocol {
        Protocol::AwsQuery | Protocol::Ec2Query => query::decode(request),
        Protocol::AwsJson => json::decode(request),
        Protocol::RestJson => rest_json::decode(request),
    };
    match decoded {
        Ok((operation, params)) => Ok(Call { service, operation, params, protocol }),
        Err(error) => Err(encode_error(protocol, &error, "decode")),
    }
}

/// The service of the credential scope:
/// `Credential=AKID/20261124/us-east-1/eks/aws4_request`.
fn signing_name(request: &WireRequest) -> Option<String> {
    let header = request.header("authorization")?;
    let scope = header.split("Credential=").nth(1)?.split(',').next()?;
    let parts: Vec<&str> = scope.trim().split('/').collect();
    (parts.len() == 5 && parts[4] == "aws4_request").then(|| parts[3].to_owned())
}

/// Encodes an answer. `request_id` names the call in the answer.
pub fn encode(call: &Call, answer: Result<Value, ApiError>, request_id: &str) -> WireResponse {
    match answer {
        Ok(value) => match call.protocol {
            Protocol::AwsQuery => query::success(&call.service, &call.operation, &value, request_id),
            Protocol::Ec2Query => query::ec2_success(&call.operation, &value, request_id),
            Protocol::AwsJson => json::success(&value, request_id),
            Protocol::RestJson => rest_json::success(&value, request_id),
        },
        Err(error) => encode_error(call.protocol, &error, request_id),
    }
}

fn encode_error(protocol: Protocol, error: &ApiError, request_id: &str) -> WireResponse {
    match protocol {
        Protocol::AwsQuery => query::failure(error, request_id),
        Protocol::Ec2Query => query::ec2_failure(error, request_id),
        Protocol::AwsJson => json::failure(error),
        Protocol::RestJson => rest_json::failure(error, request_id),
    }
}

fn response(status: u16, content_type: &str, request_id: &str, body: Vec<u8>) -> WireResponse {
    WireResponse {
        status,
        headers: vec![
            ("content-type".to_owned(), content_type.to_owned()),
            ("x-amzn-requestid".to_owned(), request_id.to_owned()),
        ],
        body,
    }
}
