//! The wire formats: an HTTP request becomes an operation with its parameters, the
//! answer becomes an HTTP response, as the real service would write it.

mod json;
mod kubernetes;
mod query;
mod rest_json;
mod rest_xml;
mod routes;
mod sigv4;
mod xml;

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
    /// IAM, STS, Auto Scaling: form in, XML out.
    AwsQuery,
    /// EC2: form in, XML out, other list and error shapes.
    Ec2Query,
    /// KMS, CloudWatch Logs, EventBridge, SQS, the price list.
    AwsJson,
    /// EKS.
    RestJson,
    /// S3.
    RestXml,
    /// The API of a cluster.
    Kubernetes,
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
    if let Some(host) = kubernetes::host(request) {
        return kubernetes::decode(host, request);
    }
    let guessed = guessed_protocol(request);
    let refuse = |service: &str, protocol, error: &ApiError| encode_error(service, protocol, error, "refused");
    let service = match sigv4::signing_name(request) {
        Ok(Some(service)) => service,
        Ok(None) => return Err(refuse("", guessed, &unsigned(guessed))),
        Err(error) => return Err(refuse("", guessed, &error)),
    };
    let protocol = match service.as_str() {
        "iam" | "sts" | "autoscaling" => Protocol::AwsQuery,
        "ec2" => Protocol::Ec2Query,
        "kms" | "logs" | "events" | "sqs" | "pricing" => Protocol::AwsJson,
        "eks" => Protocol::RestJson,
        "s3" => Protocol::RestXml,
        other => {
            let message = format!("The rehearsal account has no service {other}.");
            return Err(refuse(other, guessed, &ApiError::new(501, "NotImplemented", message)));
        }
    };
    let decoded = match protocol {
        Protocol::AwsQuery | Protocol::Ec2Query => query::decode(request),
        Protocol::AwsJson => json::decode(request),
        Protocol::RestJson => rest_json::decode(request),
        Protocol::RestXml => rest_xml::decode(request),
        // Its requests are known by their host.
        Protocol::Kubernetes => Err(ApiError::new(404, "NotFound", "the server could not find the requested resource")),
    };
    match decoded {
        Ok((operation, params)) => Ok(Call { service, operation, params, protocol }),
        Err(error) => Err(refuse(&service, protocol, &error)),
    }
}

/// The protocol that a request looks like while its service is not known: whoever sent
/// it reads the refusal with the parser of that protocol.
fn guessed_protocol(request: &WireRequest) -> Protocol {
    let form = |kind: &str| kind.starts_with("application/x-www-form-urlencoded");
    if request.header("x-amz-target").is_some() {
        Protocol::AwsJson
    } else if request.header("content-type").is_some_and(form) || request.query.contains("Action=") {
        Protocol::AwsQuery
    } else {
        Protocol::RestJson
    }
}

/// "Common errors" of each service's reference.
fn unsigned(protocol: Protocol) -> ApiError {
    match protocol {
        Protocol::AwsQuery | Protocol::Ec2Query => {
            ApiError::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
        }
        Protocol::AwsJson => ApiError::new(400, "MissingAuthenticationTokenException", "Missing Authentication Token"),
        Protocol::RestJson => ApiError::new(403, "MissingAuthenticationTokenException", "Missing Authentication Token"),
        Protocol::RestXml => ApiError::new(403, "AccessDenied", "Access Denied"),
        Protocol::Kubernetes => ApiError::new(401, "Unauthorized", "Unauthorized"),
    }
}

/// Encodes an answer. `request_id` names the call in the answer.
pub fn encode(call: &Call, answer: Result<Value, ApiError>, request_id: &str) -> WireResponse {
    let mut response = match answer {
        Ok(value) => match call.protocol {
            Protocol::AwsQuery => query::success(&call.service, &call.operation, &value, request_id),
            Protocol::Ec2Query => query::ec2_success(&call.operation, &value, request_id),
            Protocol::AwsJson => json::success(&call.service, &value, request_id),
            Protocol::RestJson => rest_json::success(&value, request_id),
            Protocol::RestXml => rest_xml::success(&call.operation, &value, request_id),
            Protocol::Kubernetes => kubernetes::success(&value, request_id),
        },
        Err(error) => encode_error(&call.service, call.protocol, &error, request_id),
    };
    // The answer to HEAD has no body, not even a refusal's: only the status tells.
    if call.protocol == Protocol::RestXml && call.operation.starts_with("Head") {
        response.body.clear();
    }
    response
}

fn encode_error(service: &str, protocol: Protocol, error: &ApiError, request_id: &str) -> WireResponse {
    match protocol {
        Protocol::AwsQuery => query::failure(service, error, request_id),
        Protocol::Ec2Query => query::ec2_failure(error, request_id),
        Protocol::AwsJson => json::failure(service, error, request_id),
        Protocol::RestJson => rest_json::failure(error, request_id),
        Protocol::RestXml => rest_xml::failure(error, request_id),
        Protocol::Kubernetes => kubernetes::failure(error),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn request(authorization: Option<&str>, headers: &[(&str, &str)], body: &str) -> WireRequest {
        let mut all: Vec<(String, String)> = vec![("x-amz-date".to_owned(), "20261124T120000Z".to_owned())];
        all.extend(authorization.map(|value| ("authorization".to_owned(), value.to_owned())));
        all.extend(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        WireRequest {
            method: "POST".into(),
            path: "/".into(),
            headers: all,
            body: body.into(),
            ..WireRequest::default()
        }
    }

    fn signed(service: &str) -> String {
        let scope = format!("AKID/20261124/us-east-1/{service}/aws4_request");
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host;x-amz-date, Signature={}", "0".repeat(64))
    }

    #[test]
    fn the_credential_scope_names_the_service() {
        let call = decode(&request(Some(&signed("sts")), &[], "Action=GetCallerIdentity")).unwrap();
        assert_eq!((call.service.as_str(), call.operation.as_str()), ("sts", "GetCallerIdentity"));
        let target = [("x-amz-target", "TrentService.CreateKey")];
        let call = decode(&request(Some(&signed("kms")), &target, "{}")).unwrap();
        assert_eq!((call.protocol, call.operation.as_str()), (Protocol::AwsJson, "CreateKey"));
        assert_eq!(decode(&request(Some(&signed("glue")), &[], "")).unwrap_err().status, 501);
    }

    #[test]
    fn a_refusal_speaks_the_callers_protocol() {
        let text = |response: &WireResponse| String::from_utf8(response.body.clone()).unwrap();
        let form = [("content-type", "application/x-www-form-urlencoded; charset=utf-8")];
        let xml = decode(&request(None, &form, "Action=X")).unwrap_err();
        assert_eq!(xml.status, 403);
        assert!(text(&xml).contains("<Code>MissingAuthenticationToken</Code>"));
        let json = decode(&request(None, &[("x-amz-target", "TrentService.X")], "")).unwrap_err();
        assert!(text(&json).contains("\"__type\":\"MissingAuthenticationTokenException\""));
        let rest = decode(&request(None, &[], "")).unwrap_err();
        assert!(rest.headers.contains(&("x-amzn-errortype".into(), "MissingAuthenticationTokenException".into())));
    }

    #[test]
    fn a_malformed_signature_is_refused() {
        let whole = signed("sts");
        for broken in [
            "Bearer x".to_owned(),
            whole.replace("Signature=", "Other="),
            whole.replace(&"0".repeat(64), "00"),
            whole.replace("/us-east-1", ""),
            whole.replace("aws4_request", "aws5_request"),
        ] {
            let refused = decode(&request(Some(&broken), &[], "Action=X")).unwrap_err();
            assert_eq!(refused.status, 400, "{broken}");
            assert!(refused.headers.contains(&("x-amzn-errortype".into(), "IncompleteSignature".into())), "{broken}");
        }
        let mut undated = request(Some(&whole), &[], "Action=X");
        undated.headers.retain(|(name, _)| name != "x-amz-date");
        assert_eq!(decode(&undated).unwrap_err().status, 400);
    }
}
