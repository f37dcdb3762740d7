//! The end of an object: what must be spared, and what holds on to it.

use std::time::Duration;

use rayplat_engine::{
    context::{Ctx, Poll},
    error::{ErrorClass, ProviderError},
};
use serde_json::Value;

use super::{ClusterAccess, Kubernetes, gvk::Reference, marks, sweep::Volumes};

/// Finalizers run as long as their controllers need: a volume is detached in minutes.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// Kinds whose objects in a namespace people would miss, with what is not theirs left out.
const MISSED: [(&str, &str); 5] = [
    ("v1", "PersistentVolumeClaim"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("batch/v1", "Job"),
    ("ray.io/v1", "RayCluster"),
];

/// Whether somebody has begun to delete a live object.
pub(super) fn is_going(live: &Value) -> bool {
    live["metadata"].get("deletionTimestamp").is_some_and(|time| !time.is_null())
}

/// Waits until an object is gone, and says what holds it.
pub(super) async fn wait(
    kubernetes: &Kubernetes,
    ctx: &Ctx,
    cluster: &ClusterAccess,
    of: &Reference,
    expected: Duration,
) -> Result<(), ProviderError> {
    let what = format!("the end of {of}");
    let waited = ctx.wait(&what, expected, LIMIT, || async {
        let live = kubernetes.get(ctx, cluster, of).await?;
        Ok(live.map_or(Poll::Ready(()), |live| Poll::Pending(holds(&live))))
    });
    match waited.await {
        Err(error) if error.class == ErrorClass::TimedOut => {
            let live = kubernetes.get(ctx, cluster, of).await?;
            Err(live.map_or(error.clone(), |live| held(of, &live, error)))
        }
        waited => waited,
    }
}

/// Waits until the Ray clusters of a RayService or RayJob are gone too: they go by themselves,
/// but only while the operator and Redis are there.
pub(super) async fn wait_for_clusters(
    kubernetes: &Kubernetes,
    ctx: &Ctx,
    cluster: &ClusterAccess,
    of: &Reference,
    uid: &str,
) -> Result<(), ProviderError> {
    if of.group() != "ray.io" || of.kind == "RayCluster" || uid.is_empty() {
        return Ok(());
    }
    let owned = |object: &Value| {
        let owners = object.pointer("/metadata/ownerReferences").and_then(Value::as_array).into_iter().flatten();
        owners.into_iter().any(|owner| owner["uid"] == uid)
    };
    ctx.wait(&format!("the end of the Ray clusters of {of}"), Duration::from_secs(30), LIMIT, || async {
        let kind = (of.api_version.as_str(), "RayCluster");
        let clusters = kubernetes.list(ctx, cluster, kind, of.namespace.as_deref(), "").await?;
        let left = clusters.iter().find(|object| owned(object));
        Ok(left.map_or(Poll::Ready(()), |left| Poll::Pending(format!("{}: {}", named(left), holds(left)))))
    })
    .await
}

fn finalizers(live: &Value) -> Vec<&str> {
    live.pointer("/metadata/finalizers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// What keeps an object that is being deleted.
pub(super) fn holds(live: &Value) -> String {
    // A namespace says itself what is left in it.
    let conditions = live.pointer("/status/conditions").and_then(Value::as_array).into_iter().flatten();
    let left = conditions
        .filter(|condition| condition["status"] == "True" && live["kind"] == "Namespace")
        .filter(|condition| {
            matches!(condition["type"].as_str(), Some("NamespaceContentRemaining" | "NamespaceFinalizersRemaining"))
        })
        .filter_map(|condition| condition["message"].as_str());
    let left: Vec<&str> = left.collect();
    match (left.is_empty(), finalizers(live)) {
        (false, _) => left.join("; "),
        (true, finalizers) if finalizers.is_empty() => "being deleted".to_owned(),
        (true, finalizers) => format!("held by {}", finalizers.join(", ")),
    }
}

fn held(of: &Reference, live: &Value, error: ProviderError) -> ProviderError {
    let hint = match finalizers(live).first() {
        Some(finalizer) => format!(
            "Whoever put the finalizer {finalizer} there must take it off: is that controller running? Nothing was given up: the \
             next run waits on. If the controller is gone for good: kubectl patch {} {}{} --type=merge -p \
             '{{\"metadata\":{{\"finalizers\":null}}}}'",
            of.kind.to_lowercase(),
            of.name,
            of.namespace.as_ref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default(),
        ),
        None => "Nothing was given up: run the command again and it goes on waiting.".to_owned(),
    };
    let message = format!("{of} is still there after {} minutes: {}", LIMIT.as_secs() / 60, holds(live));
    ProviderError { message, ..error }.hint(hint)
}

/// Refuses to delete what holds other people's things: a kind with instances that are not
/// ours, a namespace with workloads and volumes that are not.
pub(super) async fn spare_others(
    kubernetes: &Kubernetes,
    ctx: &Ctx,
    cluster: &ClusterAccess,
    live: &Value,
) -> Result<(), ProviderError> {
    let text = |pointer: &str| live.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let name = text("/metadata/name");
    let others = match live["kind"].as_str() {
        Some("CustomResourceDefinition") => {
            let versions = live.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
            let served = versions
                .filter(|version| version["served"] == true)
                .filter_map(|version| version["name"].as_str())
                .next();
            let api_version = format!("{}/{}", text("/spec/group"), served.unwrap_or_default());
            kubernetes.list(ctx, cluster, (&api_version, text("/spec/names/kind")), None, "").await?
        }
        Some("Namespace") => {
            let mut found = Vec::new();
            // What becomes of claims was decided, and the sweep has done it before this.
            let swept = ctx.everything_goes() && Volumes::of_run(ctx).is_some();
            for kind in MISSED.into_iter().filter(|(_, kind)| !(swept && *kind == "PersistentVolumeClaim")) {
                found.extend(kubernetes.list(ctx, cluster, kind, Some(name), "").await?);
            }
            found
        }
        _ => return Ok(()),
    };
    let others: Vec<String> =
        others.iter().filter(|object| !derived(object) && !marks::of_stack(ctx, object)).map(named).collect();
    let Some(first) = others.first() else { return Ok(()) };
    let more = if others.len() > 1 { format!(" and {} more", others.len() - 1) } else { String::new() };
    let kind = text("/kind");
    Err(ProviderError::new(
        ErrorClass::Invalid,
        format!("deleting {kind} {name} would destroy what this platform did not make: {first}{more}"),
    )
    .hint("Delete or move them first, then run the same command again; nothing of theirs was touched."))
}

/// What another object owns, or what runs for one, goes with it.
fn derived(object: &Value) -> bool {
    let owned =
        object.pointer("/metadata/ownerReferences").and_then(Value::as_array).is_some_and(|owners| !owners.is_empty());
    // A claim of a StatefulSet has no owner.
    owned || object.pointer("/metadata/deletionTimestamp").is_some()
}

fn named(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let kind = object["kind"].as_str().unwrap_or("object");
    match text("/metadata/namespace") {
        "" => format!("{kind} {}", text("/metadata/name")),
        namespace => format!("{kind} {namespace}/{}", text("/metadata/name")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_holds_an_object_is_said() {
        assert_eq!(holds(&json!({"kind": "RayCluster", "metadata": {"finalizers": ["ray.io/x"]}})), "held by ray.io/x");
        assert_eq!(holds(&json!({"kind": "Secret", "metadata": {}})), "being deleted");
        let namespace = json!({"kind": "Namespace", "status": {"conditions": [
            {"type": "NamespaceContentRemaining", "status": "True", "message": "Some resources are remaining: pods. has 1 resource instances"},
            {"type": "NamespaceDeletionContentFailure", "status": "False", "message": "All content successfully deleted"},
        ]}});
        assert_eq!(holds(&namespace), "Some resources are remaining: pods. has 1 resource instances");
    }
}
