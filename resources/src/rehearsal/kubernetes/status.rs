//! Refusals in the API server's words.
//! Source: k8s.io/apimachinery, `pkg/api/errors/errors.go` and `pkg/util/validation/field/errors.go`.

use serde_json::{Map, Value, json};

use super::{super::ApiError, fields::Conflict, kinds::Resource};

/// What a server says that has no such path. It is no `Status` but a line of text.
pub(in crate::rehearsal) const PAGE_NOT_FOUND: &str = "404 page not found\n";

pub(super) fn page_not_found() -> ApiError {
    ApiError::new(404, "", PAGE_NOT_FOUND)
}

fn details(error: ApiError, name: &str, group: &str, kind: &str) -> ApiError {
    let mut details = Map::new();
    for (key, value) in [("name", name), ("group", group), ("kind", kind)] {
        if !value.is_empty() {
            details.insert(key.to_owned(), value.into());
        }
    }
    ApiError { members: Box::new(details), ..error }
}

fn about(status: u16, reason: &str, resource: &Resource, name: &str, message: String) -> ApiError {
    details(ApiError::new(status, reason, message), name, &resource.group, &resource.plural)
}

pub(super) fn not_found(resource: &Resource, name: &str) -> ApiError {
    about(404, "NotFound", resource, name, format!("{} \"{name}\" not found", resource.qualified()))
}

pub(super) fn no_namespace(name: &str) -> ApiError {
    details(ApiError::new(404, "NotFound", format!("namespaces \"{name}\" not found")), name, "", "namespaces")
}

pub(super) fn already_exists(resource: &Resource, name: &str) -> ApiError {
    about(409, "AlreadyExists", resource, name, format!("{} \"{name}\" already exists", resource.qualified()))
}

pub(super) fn modified(resource: &Resource, name: &str) -> ApiError {
    let why = "the object has been modified; please apply your changes to the latest version and try again";
    conflict(resource, name, why)
}

pub(super) fn conflict(resource: &Resource, name: &str, why: &str) -> ApiError {
    let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.qualified());
    about(409, "Conflict", resource, name, message)
}

pub(super) fn bad_request(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "BadRequest", message)
}

pub(super) fn unauthorized() -> ApiError {
    ApiError::new(401, "Unauthorized", "Unauthorized")
}

pub(super) fn forbidden(resource: &Resource, name: &str, why: &str) -> ApiError {
    let what = if name.is_empty() { resource.qualified() } else { format!("{} \"{name}\"", resource.qualified()) };
    about(403, "Forbidden", resource, name, format!("{what} is forbidden: {why}"))
}

/// Nothing new in a namespace that is going away.
pub(super) fn terminating(resource: &Resource, name: &str, namespace: &str) -> ApiError {
    let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
    forbidden(resource, name, &why).with(
        "causes",
        json!([{
            "reason": "NamespaceTerminating",
            "message": format!("namespace {namespace} is being terminated"),
            "field": "metadata.namespace",
        }]),
    )
}

pub(super) fn method_not_allowed(message: &str) -> ApiError {
    ApiError::new(405, "MethodNotAllowed", message)
}

/// A field that is wrong.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wrong {
    reason: &'static str,
    message: String,
    field: String,
}

impl Wrong {
    fn new(reason: &'static str, field: &str, message: String) -> Self {
        Self { reason, message, field: field.to_owned() }
    }

    pub fn invalid(field: &str, value: &Value, why: &str) -> Self {
        Self::new("FieldValueInvalid", field, format!("Invalid value: {value}: {why}"))
    }

    pub fn required(field: &str, why: &str) -> Self {
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        Self::new("FieldValueRequired", field, format!("Required value{why}"))
    }

    pub fn forbidden(field: &str, why: &str) -> Self {
        Self::new("FieldValueForbidden", field, format!("Forbidden: {why}"))
    }

    pub fn too_long(field: &str, bytes: usize) -> Self {
        Self::new("FieldValueTooLong", field, format!("Too long: may not be more than {bytes} bytes"))
    }

    pub fn not_found(field: &str, value: &Value) -> Self {
        Self::new("FieldValueNotFound", field, format!("Not found: {value}"))
    }

    pub fn unsupported(field: &str, value: &Value, supported: &[String]) -> Self {
        let supported: Vec<String> = supported.iter().map(|one| format!("\"{one}\"")).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", supported.join(", "));
        Self::new("FieldValueNotSupported", field, message)
    }

    pub fn immutable(field: &str, value: &Value) -> Self {
        Self::invalid(field, value, "field is immutable")
    }
}

/// 422, with every field that is wrong.
pub(super) fn invalid(resource: &Resource, name: &str, wrong: &[Wrong]) -> ApiError {
    let kind =
        if resource.group.is_empty() { resource.kind.clone() } else { format!("{}.{}", resource.kind, resource.group) };
    let said: Vec<String> = wrong.iter().map(|one| format!("{}: {}", one.field, one.message)).collect();
    let said = if said.len() == 1 { said.concat() } else { format!("[{}]", said.join(", ")) };
    let error = ApiError::new(422, "Invalid", format!("{kind} \"{name}\" is invalid: {said}"));
    let causes: Vec<Value> =
        wrong.iter().map(|one| json!({"reason": one.reason, "message": one.message, "field": one.field})).collect();
    details(error, name, &resource.group, &resource.kind).with("causes", causes)
}

/// 500: what is applied does not fit its type. The server has no reason for it.
pub(super) fn untyped(resource: &Resource, config: &Value, why: &str) -> ApiError {
    let text = |name: &str| config["metadata"][name].as_str().unwrap_or_default();
    let place = format!("{}/{}; {}, Kind={}", text("namespace"), text("name"), resource.api_version(), resource.kind);
    ApiError::new(500, "", format!("failed to create typed patch object ({place}): {why}"))
}

/// 409: other managers own fields that are to be set.
/// Source: k8s.io/apimachinery, `pkg/util/managedfields/internal/conflict.go`.
pub(super) fn apply_conflict(conflicts: &[Conflict]) -> ApiError {
    let message = match conflicts {
        [one] => format!("Apply failed with 1 conflict: conflict with {}: {}", one.manager, one.field),
        many => {
            let mut lines: Vec<String> = Vec::new();
            let mut last = "";
            for conflict in many {
                if conflict.manager != last {
                    lines.push(format!("conflicts with {}:", conflict.manager));
                    last = &conflict.manager;
                }
                lines.push(format!("- {}", conflict.field));
            }
            format!("Apply failed with {} conflicts: {}", many.len(), lines.join("\n"))
        }
    };
    let causes: Vec<Value> = conflicts
        .iter()
        .map(|conflict| {
            json!({
                "reason": "FieldManagerConflict",
                "message": format!("conflict with {}", conflict.manager),
                "field": conflict.field,
            })
        })
        .collect();
    ApiError::new(409, "Conflict", message).with("causes", causes)
}
