//! The API of a cluster: the Host header names the cluster, method and path name the
//! operation, JSON in (or YAML, where something is applied) and out.
//! <https://kubernetes.io/docs/reference/using-api/api-concepts/>

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use super::{Call, Protocol, WireRequest, WireResponse};
use crate::{
    kubernetes::SERVICE,
    rehearsal::{ApiError, kubernetes::PAGE_NOT_FOUND},
};

/// The host of a cluster's endpoint, if the request is for one.
pub(super) fn host(request: &WireRequest) -> Option<&str> {
    let host = request.header("host")?;
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    (host.ends_with(".eks.amazonaws.com") || host.ends_with(".eks.amazonaws.com.cn")).then_some(host)
}

/// Decodes a request to a cluster.
pub(super) fn decode(host: &str, request: &WireRequest) -> Result<Call, WireResponse> {
    let call = |operation: &str, params: Map<String, Value>| Call {
        service: SERVICE.to_owned(),
        operation: operation.to_owned(),
        params: Value::Object(params),
        protocol: Protocol::Kubernetes,
    };
    let mut params = Map::new();
    params.insert("host".to_owned(), host.into());
    let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    params.extend(bearer.map(|token| ("token".to_owned(), token.into())));
    let agent = request.header("user-agent").unwrap_or("unknown");
    params.insert("userAgent".to_owned(), agent.into());
    if request.header("accept").is_some_and(|accept| accept.contains("as=PartialObjectMetadata")) {
        params.insert("metadataOnly".to_owned(), true.into());
    }
    let query: Map<String, Value> = form_urlencoded::parse(request.query.as_bytes())
        .map(|(key, value)| (key.into_owned(), value.into_owned().into()))
        .collect();
    let watch = matches!(query.get("watch").and_then(Value::as_str), Some("true" | "1"));
    params.insert("query".to_owned(), Value::Object(query));
    let segments: Vec<String> = request
        .path
        .split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect();
    let Some(target) = Target::of(&segments) else {
        params.insert("path".to_owned(), format!("/{}", segments.join("/")).into());
        return match request.method.as_str() {
            "GET" | "HEAD" => Ok(call("Discover", params)),
            _ => Err(failure(&ApiError::new(404, "NotFound", "the server could not find the requested resource"))),
        };
    };
    let content = request.header("content-type").unwrap_or("application/json").to_ascii_lowercase();
    let named = !target.name.is_empty();
    let operation = match (request.method.as_str(), named) {
        ("GET" | "HEAD", true) => "Get",
        ("GET" | "HEAD", false) if watch => "Watch",
        ("GET" | "HEAD", false) => "List",
        ("POST", _) => "Create",
        ("PUT", true) => "Update",
        ("PATCH", true) if content.starts_with("application/apply-patch+yaml") => "Apply",
        ("PATCH", true) => "Patch",
        ("DELETE", true) => "Delete",
        ("DELETE", false) => "DeleteCollection",
        _ => {
            let message = "the server does not allow this method on the requested resource";
            return Err(failure(&ApiError::new(405, "MethodNotAllowed", message)));
        }
    };
    let body = body(&request.body, &content).map_err(|error| failure(&error))?;
    params.insert("contentType".to_owned(), content.into());
    target.write(&mut params, &body);
    params.insert("body".to_owned(), body);
    Ok(call(operation, params))
}

/// What a path is about.
#[derive(Default)]
struct Target {
    group: String,
    version: String,
    namespace: String,
    plural: String,
    name: String,
    subresource: String,
}

impl Target {
    fn of(segments: &[String]) -> Option<Self> {
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (group, version, rest) = match segments.as_slice() {
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            // A namespace's own subresources, not what is in it.
            ["namespaces", _, "status" | "finalize"] => ("", rest),
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            _ => ("", rest),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (*plural, "", String::new()),
            [plural, name] => (*plural, *name, String::new()),
            [plural, name, subresource @ ..] => (*plural, *name, subresource.join("/")),
            [] => return None,
        };
        Some(Self {
            group: group.to_owned(),
            version: version.to_owned(),
            namespace: namespace.to_owned(),
            plural: plural.to_owned(),
            name: name.to_owned(),
            subresource,
        })
    }

    fn write(self, params: &mut Map<String, Value>, body: &Value) {
        let kind = body["kind"].as_str().filter(|kind| *kind != "DeleteOptions").unwrap_or(&self.plural);
        let name = body["metadata"]["name"].as_str().filter(|_| self.name.is_empty()).unwrap_or(&self.name);
        let object: Vec<&str> = [kind, &self.namespace, name].into_iter().filter(|part| !part.is_empty()).collect();
        params.insert("object".to_owned(), object.join("/").into());
        params.insert("group".to_owned(), self.group.into());
        params.insert("version".to_owned(), self.version.into());
        params.insert("namespace".to_owned(), self.namespace.into());
        params.insert("plural".to_owned(), self.plural.into());
        params.insert("name".to_owned(), self.name.into());
        params.insert("subresource".to_owned(), self.subresource.into());
    }
}

fn body(bytes: &[u8], content: &str) -> Result<Value, ApiError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    if content.contains("protobuf") {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, got {content}"
        );
        return Err(ApiError::new(415, "UnsupportedMediaType", message));
    }
    let unreadable = |error: &dyn std::fmt::Display| {
        ApiError::new(
            400,
            "BadRequest",
            format!("the object provided is unrecognized (must be of type json or yaml): {error}"),
        )
    };
    // JSON is YAML too, and most clients send it; it is read much faster as such.
    match serde_json::from_slice(bytes) {
        Ok(value) => Ok(value),
        Err(_) if content.contains("yaml") => {
            let text = std::str::from_utf8(bytes).map_err(|error| unreadable(&error))?;
            serde_saphyr::from_str(text).map_err(|error| unreadable(&error))
        }
        Err(error) => Err(unreadable(&error)),
    }
}

/// An answer: `{"code": ..., "body": ...}`; a text is written as it is.
pub(super) fn success(answer: &Value, request_id: &str) -> WireResponse {
    let status = answer["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(200);
    let (content, body) = match &answer["body"] {
        Value::String(text) => ("text/plain; charset=utf-8", text.clone().into_bytes()),
        body => ("application/json", body.to_string().into_bytes()),
    };
    WireResponse { status, headers: headers(content, request_id), body }
}

/// A refusal: a `Status`. The error's code is the reason, its members are the details.
pub(super) fn failure(error: &ApiError) -> WireResponse {
    if error.message == PAGE_NOT_FOUND {
        let body = error.message.clone().into_bytes();
        return WireResponse { status: error.status, headers: headers("text/plain; charset=utf-8", "refused"), body };
    }
    let mut status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": error.message,
        "reason": error.code,
        "details": Value::Object((*error.members).clone()),
        "code": error.status,
    });
    if let Some(status) = status.as_object_mut() {
        if error.members.is_empty() {
            status.shift_remove("details");
        }
        if error.code.is_empty() {
            status.shift_remove("reason");
        }
    }
    WireResponse {
        status: error.status,
        headers: headers("application/json", "refused"),
        body: status.to_string().into_bytes(),
    }
}

fn headers(content: &str, request_id: &str) -> Vec<(String, String)> {
    vec![("content-type".to_owned(), content.to_owned()), ("audit-id".to_owned(), request_id.to_owned())]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn request(method: &str, path: &str, query: &str, content: &str, body: &str) -> WireRequest {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        WireRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            headers: vec![
                header("host", "ABC.gr7.us-east-1.eks.amazonaws.com:443"),
                header("authorization", "Bearer t"),
                header("content-type", content),
            ],
            body: body.into(),
        }
    }

    #[test]
    fn method_and_path_name_the_operation() {
        let json = "application/json";
        let apply = "application/apply-patch+yaml";
        for (method, path, query, content, operation, object) in [
            ("GET", "/api/v1/namespaces", "", json, "List", "namespaces"),
            ("GET", "/api/v1/namespaces/a", "", json, "Get", "namespaces/a"),
            ("GET", "/api/v1/namespaces/a/status", "", json, "Get", "namespaces/a"),
            ("GET", "/api/v1/namespaces/a/pods", "watch=true", json, "Watch", "pods/a"),
            ("GET", "/api/v1/pods", "labelSelector=a%3Db", json, "List", "pods"),
            ("POST", "/apis/apps/v1/namespaces/a/deployments", "", json, "Create", "Deployment/a/x"),
            ("PATCH", "/apis/apps/v1/namespaces/a/deployments/x", "", apply, "Apply", "Deployment/a/x"),
            ("PATCH", "/apis/apps/v1/namespaces/a/deployments/x/scale", "", json, "Patch", "Deployment/a/x"),
            ("PUT", "/apis/apps/v1/namespaces/a/deployments/x/status", "", json, "Update", "Deployment/a/x"),
            ("DELETE", "/apis/ray.io/v1/namespaces/a/rayclusters/x", "", json, "Delete", "Deployment/a/x"),
            ("DELETE", "/apis/ray.io/v1/namespaces/a/rayclusters", "", json, "DeleteCollection", "Deployment/a/x"),
        ] {
            let body = if method == "GET" { "" } else { r#"{"kind": "Deployment", "metadata": {"name": "x"}}"# };
            let request = request(method, path, query, content, body);
            let call = super::super::decode(&request).unwrap();
            assert_eq!((call.service.as_str(), call.operation.as_str()), ("kubernetes", operation), "{path}");
            assert_eq!(call.params["object"], object, "{path}");
            assert_eq!(call.params["token"], "t");
            assert_eq!(call.params["host"], "ABC.gr7.us-east-1.eks.amazonaws.com");
        }
        let call = super::super::decode(&request("GET", "/apis/apps/v1", "", json, "")).unwrap();
        assert_eq!((call.operation.as_str(), &call.params["path"]), ("Discover", &json!("/apis/apps/v1")));
    }

    #[test]
    fn what_is_applied_may_be_yaml() {
        let path = "/api/v1/namespaces/a/configmaps/x";
        let yaml = request("PATCH", path, "", "application/apply-patch+yaml", "kind: ConfigMap\ndata: {a: 'b'}\n");
        let call = super::super::decode(&yaml).unwrap();
        assert_eq!(call.params["body"], json!({"kind": "ConfigMap", "data": {"a": "b"}}));
        let broken = request("POST", "/api/v1/namespaces", "", "application/json", "kind: x");
        let refused = super::super::decode(&broken).unwrap_err();
        let status: Value = serde_json::from_slice(&refused.body).unwrap();
        assert_eq!(
            (&status["kind"], &status["reason"], &status["code"]),
            (&json!("Status"), &json!("BadRequest"), &json!(400))
        );
    }
}
