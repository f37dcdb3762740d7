//! What the Kubernetes API's errors mean, and what to do about them.
//! Source: <https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#response-status-kind>

use kube::core::Status;
use rayplat_engine::error::{ErrorClass, ProviderError};

/// The cause by which server-side apply names a field that another manager owns.
const CONFLICT: &str = "FieldManagerConflict";

/// Turns an error of the client into the engine's.
pub fn classify(error: kube::Error) -> ProviderError {
    match error {
        kube::Error::Api(status) => refused(&status),
        kube::Error::Service(error) => match error.downcast::<ProviderError>() {
            // From what made the token.
            Ok(ours) => *ours,
            Err(error) => unreachable(&chain(error.as_ref())),
        },
        kube::Error::HyperError(error) => unreachable(&chain(&error)),
        kube::Error::ReadEvents(error) => unreachable(&error.to_string()),
        other => ProviderError::new(ErrorClass::Invalid, other.to_string()),
    }
}

/// The connection was not made or broke: nobody knows what took effect.
fn unreachable(why: &str) -> ProviderError {
    ProviderError::new(ErrorClass::Ambiguous, format!("the Kubernetes API cannot be reached: {why}")).hint(
        "A private endpoint answers only inside its VPC: run from there or over a VPN, or let your address in \
         (cluster.endpoint: {public: true, public_cidrs: [YOUR_ADDRESS/32]}). Behind a proxy set HTTPS_PROXY.",
    )
}

/// The innermost cause says most.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

fn refused(status: &Status) -> ProviderError {
    let class = class_of(status);
    let mut error = ProviderError::new(class, message(status)).code(code(status));
    error.hint = hint(class, status);
    error
}

fn code(status: &Status) -> String {
    if status.reason.is_empty() { format!("HTTP {}", status.code) } else { status.reason.clone() }
}

/// The fields that other managers own, each with its manager, as the server names them.
pub(super) fn conflicts(status: &Status) -> Vec<(String, String)> {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    let of_fields = causes.filter(|cause| cause.reason == CONFLICT);
    of_fields
        .map(|cause| {
            // `conflict with "kubectl-edit" using apps/v1`
            let manager = cause.message.split('"').nth(1).unwrap_or("another manager");
            (cause.field.trim_start_matches('.').to_owned(), manager.to_owned())
        })
        .collect()
}

fn message(status: &Status) -> String {
    let conflicts = conflicts(status);
    if conflicts.is_empty() {
        return status.message.clone();
    }
    let fields: Vec<String> =
        conflicts.iter().map(|(field, manager)| format!("{field} belongs to {manager}")).collect();
    format!("others own fields that are to be set: {}", fields.join("; "))
}

fn class_of(status: &Status) -> ErrorClass {
    match (status.code, status.reason.as_str()) {
        (409, "AlreadyExists") => ErrorClass::AlreadyExists,
        (409, _) if !conflicts(status).is_empty() => ErrorClass::Invalid,
        // The object that was meant is gone; another one has its name.
        (409, _) if status.message.contains("Precondition failed: UID") => ErrorClass::NotFound,
        // A change came between, or a namespace is going away.
        (409, _) => ErrorClass::Busy,
        (403, _) if status.message.contains("because it is being terminated") => ErrorClass::Busy,
        (401 | 403, _) => ErrorClass::Denied,
        (404, _) => ErrorClass::NotFound,
        (429, _) => ErrorClass::Throttled,
        // A webhook whose pods are not up yet: its service has no endpoints.
        (500, _) if status.message.contains("failed calling webhook") => ErrorClass::Propagation,
        // What is applied does not fit its kind's fields. The server has no reason for it.
        (500, _) if status.message.starts_with("failed to create typed patch object") => ErrorClass::Invalid,
        (500.., _) => ErrorClass::Ambiguous,
        _ => ErrorClass::Invalid,
    }
}

fn hint(class: ErrorClass, status: &Status) -> Option<String> {
    let conflicts = conflicts(status);
    if let Some((_, manager)) = conflicts.first() {
        return Some(format!(
            "Leave these fields to {manager}: take them out of what rayplat applies. Or take them back: undo the change there, or \
             run `kubectl apply --server-side --force-conflicts --field-manager=rayplat` once."
        ));
    }
    match class {
        ErrorClass::Denied if status.code == 401 => Some(
            "The cluster does not know the caller. Only those with an access entry get in: add the role to cluster.admins in \
             the manifest and let someone who is in run `rayplat up`."
                .to_owned(),
        ),
        ErrorClass::Denied => Some(
            "The caller is known to the cluster but may not do this: its access entry needs the policy \
             AmazonEKSClusterAdminPolicy (cluster.admins in the manifest)."
                .to_owned(),
        ),
        ErrorClass::NotFound if status.message.starts_with("namespaces ") => Some(
            "The namespace must stand before what goes into it: install what it is for, or name another in the manifest."
                .to_owned(),
        ),
        ErrorClass::Propagation => Some(
            "An admission webhook does not answer. Look at the pods of its service; a webhook left by an uninstalled chart is \
             deleted with kubectl delete validatingwebhookconfiguration NAME."
                .to_owned(),
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn error(status: serde_json::Value) -> ProviderError {
        classify(kube::Error::Api(Box::new(serde_json::from_value(status).unwrap())))
    }

    #[test]
    fn classes() {
        for (code, reason, message, class) in [
            (409, "AlreadyExists", "", ErrorClass::AlreadyExists),
            (409, "Conflict", "the object has been modified", ErrorClass::Busy),
            (
                409,
                "Conflict",
                "Precondition failed: UID in precondition: a, UID in object meta: b",
                ErrorClass::NotFound,
            ),
            (401, "Unauthorized", "Unauthorized", ErrorClass::Denied),
            (403, "Forbidden", "User cannot create", ErrorClass::Denied),
            (403, "Forbidden", "in namespace x because it is being terminated", ErrorClass::Busy),
            (404, "NotFound", "", ErrorClass::NotFound),
            (422, "Invalid", "", ErrorClass::Invalid),
            (429, "TooManyRequests", "", ErrorClass::Throttled),
            (500, "InternalError", "failed calling webhook \"x\"", ErrorClass::Propagation),
            (
                500,
                "",
                "failed to create typed patch object (/w; v1, Kind=W): .a: field not declared in schema",
                ErrorClass::Invalid,
            ),
            (503, "ServiceUnavailable", "", ErrorClass::Ambiguous),
        ] {
            let status = json!({"status": "Failure", "code": code, "reason": reason, "message": message});
            assert_eq!(error(status).class, class, "{code} {reason} {message}");
        }
    }

    /// As kube-apiserver 1.36 answers.
    #[test]
    fn a_conflict_names_the_other_manager_and_the_fields() {
        let error = error(json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Conflict", "code": 409,
            "message": "Apply failed with 1 conflict: conflict with \"kubectl-edit\" using apps/v1: .spec.replicas",
            "details": {"causes": [{
                "reason": "FieldManagerConflict", "message": "conflict with \"kubectl-edit\" using apps/v1", "field": ".spec.replicas",
            }]},
        }));
        assert_eq!(error.class, ErrorClass::Invalid);
        assert_eq!(
            error.to_string(),
            "Conflict: others own fields that are to be set: spec.replicas belongs to kubectl-edit"
        );
        assert!(error.hint.unwrap().starts_with("Leave these fields to kubectl-edit"));
    }
}
