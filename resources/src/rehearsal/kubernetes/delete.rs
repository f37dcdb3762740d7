//! Deleting: finalizers hold an object, owners take what they own along.

use serde_json::{Value, json};

use super::{
    super::{Account, ApiError, params::iso_time},
    kinds::Resource,
    read,
    request::{Request, answered},
    selectors, status,
    world::{World, is_deleted, meta},
};

/// How long a pod takes to end that nothing holds, in seconds.
const POD_END: (f64, f64) = (1.0, 4.0);

/// Is there nothing but finalizers that an object waits for?
pub(super) fn may_go(object: &Value) -> bool {
    match object["kind"].as_str() {
        // Its content goes first.
        Some("Namespace") => object["spec"]["finalizers"].as_array().is_none_or(Vec::is_empty),
        // Its process ends first.
        Some("Pod") => object["spec"]["nodeName"].is_null(),
        _ => true,
    }
}

/// `DELETE` of one object.
pub(super) fn delete(
    account: &mut Account,
    world: &mut World,
    resource: &Resource,
    request: Request<'_>,
) -> Result<Value, ApiError> {
    let key = request.key(resource);
    let live = world.at(&key).ok_or_else(|| status::not_found(resource, request.name()))?;
    let conditions = &request.body()["preconditions"];
    for (name, shown) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
        if let Some(wanted) = conditions[name].as_str().filter(|wanted| *wanted != meta(&live, name)) {
            let why = format!(
                "Precondition failed: {shown} in precondition: {wanted}, {shown} in object meta: {}",
                meta(&live, name)
            );
            return Err(status::conflict(resource, request.name(), &why));
        }
    }
    if resource.kind == "Namespace" && ["default", "kube-system", "kube-public"].contains(&request.name()) {
        return Err(status::forbidden(resource, request.name(), "this namespace may not be deleted"));
    }
    if !request.dry_run() {
        let policy = request.body()["propagationPolicy"].as_str().or_else(|| request.option("propagationPolicy"));
        mark(account, world, &key, policy);
    }
    match world.at(&key) {
        Some(standing) if is_deleted(&standing) => {
            Ok(answered(200, read::shown(resource, &standing, request.metadata_only())))
        }
        _ => {
            let mut done = json!({
                "kind": "Status",
                "apiVersion": "v1",
                "metadata": {},
                "status": "Success",
                "details": {
                    "name": request.name(),
                    "group": resource.group,
                    "kind": resource.plural,
                    "uid": live["metadata"]["uid"],
                },
            });
            if resource.group.is_empty() {
                done["details"].as_object_mut().map(|details| details.shift_remove("group"));
            }
            Ok(answered(200, done))
        }
    }
}

/// `DELETE` of all objects that fit.
pub(super) fn collection(
    account: &mut Account,
    world: &mut World,
    resource: &Resource,
    request: Request<'_>,
) -> Result<Value, ApiError> {
    let answer = read::list(world, resource, request)?;
    if !request.dry_run() {
        let policy = request.body()["propagationPolicy"].as_str().or_else(|| request.option("propagationPolicy"));
        let mut keys = Vec::new();
        for (key, object) in world.keyed(&resource.group, &resource.plural, Some(request.namespace())) {
            if selectors::labels(object, request.option("labelSelector").unwrap_or_default())?
                && selectors::fields(object, request.option("fieldSelector").unwrap_or_default())?
            {
                keys.push(key.clone());
            }
        }
        for key in keys {
            mark(account, world, &key, policy);
        }
    }
    Ok(answer)
}

/// The eviction of a pod, unless a budget forbids it.
pub(super) fn evict(
    account: &mut Account,
    world: &mut World,
    resource: &Resource,
    request: Request<'_>,
) -> Result<Value, ApiError> {
    let key = request.key(resource);
    let pod = world.at(&key).ok_or_else(|| status::not_found(resource, request.name()))?;
    for budget in world.list("policy", "poddisruptionbudgets", Some(request.namespace())) {
        let covers = selectors::label_selector(&budget["spec"]["selector"], &pod["metadata"]["labels"]);
        if covers && budget["status"]["disruptionsAllowed"].as_i64().unwrap_or(0) <= 0 {
            let message = "Cannot evict pod as it would violate the pod's disruption budget.";
            return Err(ApiError::new(429, "TooManyRequests", message).with(
                "causes",
                json!([{
                    "reason": "DisruptionBudget",
                    "message": format!(
                        "The disruption budget {} needs {} healthy pods and has {} currently",
                        meta(&budget, "name"),
                        budget["status"]["desiredHealthy"].as_i64().unwrap_or(0),
                        budget["status"]["currentHealthy"].as_i64().unwrap_or(0)
                    ),
                }]),
            ));
        }
    }
    if !request.dry_run() {
        mark(account, world, &key, None);
    }
    Ok(answered(201, json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"})))
}

/// Begins the deletion of an object; it is over at once where nothing holds it.
pub(super) fn mark(account: &mut Account, world: &mut World, key: &str, policy: Option<&str>) {
    let Some(live) = world.at(key) else { return };
    let mut marked = (*live).clone();
    let mut finalizers = marked["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
    match policy {
        Some("Foreground") if !finalizers.iter().any(|one| one == "foregroundDeletion") => {
            finalizers.push(json!("foregroundDeletion"));
        }
        Some("Orphan") => orphan(world, &live),
        _ => {}
    }
    if !finalizers.is_empty() {
        marked["metadata"]["finalizers"] = json!(finalizers);
    }
    if finalizers.is_empty() && may_go(&live) {
        world.remove(key);
        return;
    }
    if !is_deleted(&live) {
        marked["metadata"]["deletionTimestamp"] = json!(iso_time(account.now_ms));
        marked["metadata"]["deletionGracePeriodSeconds"] = json!(match live["kind"].as_str() {
            Some("Pod") => live["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap_or(30),
            _ => 0,
        });
        if let Some(generation) = live["metadata"]["generation"].as_u64() {
            marked["metadata"]["generation"] = json!(generation + 1);
        }
        if live["kind"] == "Namespace" {
            marked["status"]["phase"] = json!("Terminating");
        }
    }
    if marked != *live {
        world.put(key, marked);
    }
    if live["kind"] == "Pod" {
        world.over(account, key, "end", POD_END, None);
    }
}

/// What an object owns is nobody's from now on.
fn orphan(world: &mut World, owner: &Value) {
    for key in owned(world, meta(owner, "uid")) {
        world.change(&key, |object| {
            if let Some(owners) = object["metadata"]["ownerReferences"].as_array_mut() {
                owners.retain(|one| one["uid"] != owner["metadata"]["uid"]);
            }
        });
    }
}

/// What the object of this uid owns.
pub(super) fn owned(world: &World, uid: &str) -> Vec<String> {
    let owns = |object: &Value| {
        object["metadata"]["ownerReferences"]
            .as_array()
            .is_some_and(|owners| owners.iter().any(|one| one["uid"] == uid))
    };
    world.everything().filter(|(_, object)| owns(object)).map(|(key, _)| key.clone()).collect()
}

/// Takes a finalizer off; what it was the last to hold goes.
pub(super) fn release(world: &mut World, key: &str, finalizer: &str) {
    world.change(key, |object| {
        if let Some(finalizers) = object["metadata"]["finalizers"].as_array_mut() {
            finalizers.retain(|one| one != finalizer);
            if finalizers.is_empty() {
                object["metadata"].as_object_mut().map(|metadata| metadata.shift_remove("finalizers"));
            }
        }
    });
    if world
        .at(key)
        .is_some_and(|object| is_deleted(&object) && object["metadata"]["finalizers"].is_null() && may_go(&object))
    {
        world.remove(key);
    }
}
