//! restJson1 (EKS): method and path name the operation; path labels, query and body
//! become one set of parameters.
//! <https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html>

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::{
    WireRequest, WireResponse, json, response,
    routes::{BOOLEAN_PARAMS, LIST_PARAMS, NUMBER_PARAMS, ROUTES},
};
use crate::rehearsal::ApiError;

pub(super) fn decode(request: &WireRequest) -> Result<(String, Value), ApiError> {
    let (operation, labels) = route(&request.method, &request.path).ok_or_else(|| {
        let message = format!("The rehearsal account has no operation {} {}.", request.method, request.path);
        ApiError::new(404, "UnknownOperationException", message)
    })?;
    let mut params = match json::body(&request.body)? {
        Value::Object(map) => map,
        _ => return Err(ApiError::new(400, "SerializationException", "The body is not an object.")),
    };
    query(&request.query, &mut params);
    params.extend(labels);
    Ok((operation.to_owned(), Value::Object(params)))
}

fn route(method: &str, path: &str) -> Option<(&'static str, Map<String, Value>)> {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    ROUTES.iter().find_map(|(route_method, template, operation)| {
        if *route_method != method {
            return None;
        }
        let parts: Vec<&str> = template.trim_matches('/').split('/').collect();
        if parts.len() != segments.len() {
            return None;
        }
        let mut labels = Map::new();
        for (part, segment) in parts.iter().zip(&segments) {
            match part.strip_prefix('{').and_then(|label| label.strip_suffix('}')) {
                Some(label) => {
                    let value = percent_decode_str(segment).decode_utf8().ok()?;
                    labels.insert(label.to_owned(), value.into_owned().into());
                }
                None if part == segment => {}
                None => return None,
            }
        }
        Some((*operation, labels))
    })
}

/// Lists and numbers come as texts; `include` and the like may be repeated.
fn query(text: &str, params: &mut Map<String, Value>) {
    for (key, value) in form_urlencoded::parse(text.as_bytes()) {
        let key = key.into_owned();
        let value: Value = match value.parse::<u64>() {
            Ok(number) if NUMBER_PARAMS.contains(&key.as_str()) => number.into(),
            _ if BOOLEAN_PARAMS.contains(&key.as_str()) && (value == "true" || value == "false") => {
                (value == "true").into()
            }
            _ => value.into_owned().into(),
        };
        if LIST_PARAMS.contains(&key.as_str()) {
            let list = params.entry(key).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(items) = list {
                items.push(value);
            }
        } else {
            params.insert(key, value);
        }
    }
}

pub(super) fn success(value: &Value, request_id: &str) -> WireResponse {
    let value = if value.is_null() { Value::Object(Map::new()) } else { value.clone() };
    response(200, "application/json", request_id, value.to_string().into_bytes())
}

pub(super) fn failure(error: &ApiError, request_id: &str) -> WireResponse {
    let mut body = (*error.members).clone();
    body.insert("message".to_owned(), error.message.clone().into());
    let body = Value::Object(body).to_string().into_bytes();
    let mut failed = response(error.status, "application/json", request_id, body);
    failed.headers.push(("x-amzn-errortype".to_owned(), error.code.clone()));
    failed
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn labels_query_and_body_become_one() {
        let request = WireRequest {
            method: "GET".into(),
            path: "/clusters/a%2Fb/node-groups".into(),
            query: "maxResults=5&nextToken=7".into(),
            ..WireRequest::default()
        };
        let (operation, params) = decode(&request).unwrap();
        assert_eq!(operation, "ListNodegroups");
        assert_eq!(params, json!({"clusterName": "a/b", "maxResults": 5, "nextToken": "7"}));
    }

    #[test]
    fn an_arn_in_a_path_is_one_label() {
        let arn = "arn:aws:eks:us-east-1:123456789012:cluster/x";
        let encoded = percent_encoding::utf8_percent_encode(arn, percent_encoding::NON_ALPHANUMERIC).to_string();
        let request = WireRequest {
            method: "DELETE".into(),
            path: format!("/tags/{encoded}"),
            query: "tagKeys=a&tagKeys=b".into(),
            ..WireRequest::default()
        };
        let (operation, params) = decode(&request).unwrap();
        assert_eq!(operation, "UntagResource");
        assert_eq!(params, json!({"resourceArn": arn, "tagKeys": ["a", "b"]}));
    }
}
