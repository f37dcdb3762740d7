//! Creating, replacing and applying.

use serde_json::{Value, json};

use super::{
    super::{Account, ApiError, params::iso_time},
    custom, defaults, delete,
    fields::{Managers, Refusal, Set},
    kinds::Resource,
    read::shown,
    request::{Request, answered},
    status, validate,
    world::{self, World, born, is_deleted, meta},
};

/// Metadata that the server keeps.
const SYSTEM: &[&str] = &[
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
];

/// Takes what nobody owns out of a set of fields: identity, and the half of the object
/// (status or all else) that a request to the other half does not change.
fn strip<'a>(resource: &'a Resource, subresource: &'a str) -> impl Fn(&mut Set) + use<'a> {
    move |set| {
        set.remove("f:apiVersion");
        set.remove("f:kind");
        set.within("f:metadata", |metadata| {
            for name in SYSTEM.iter().chain(&["name", "namespace", "generateName"]) {
                metadata.remove(&Set::field(name));
            }
        });
        if resource.kind == "Namespace" {
            set.within("f:spec", |spec| spec.remove("f:finalizers"));
        }
        match subresource {
            "status" => set.retain("f:status"),
            _ if resource.status => set.remove("f:status"),
            _ => {}
        }
    }
}

/// The body is an object of this kind.
fn checked_body<'a>(resource: &Resource, request: Request<'a>) -> Result<&'a Value, ApiError> {
    let body = request.body();
    if !body.is_object() {
        return Err(status::bad_request("the request has no object"));
    }
    let (version, kind) = (body["apiVersion"].as_str(), body["kind"].as_str());
    if version.is_some_and(|version| version != resource.api_version()) {
        let expected = resource.api_version();
        let found = version.unwrap_or_default();
        return Err(status::bad_request(format!(
            "the API version in the data ({found}) does not match the expected API version ({expected})"
        )));
    }
    if kind.is_some_and(|kind| kind != resource.kind) {
        return Err(status::bad_request(format!(
            "the kind in the data ({}) does not match the expected kind ({})",
            kind.unwrap_or_default(),
            resource.kind
        )));
    }
    let namespace = meta(body, "namespace");
    if !namespace.is_empty() && namespace != request.namespace() {
        return Err(status::bad_request(
            "the namespace of the provided object does not match the namespace sent on the request",
        ));
    }
    let name = meta(body, "name");
    if !name.is_empty() && !request.name().is_empty() && name != request.name() {
        return Err(status::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            request.name()
        )));
    }
    Ok(body)
}

/// New objects need a namespace that stays.
fn check_namespace(world: &World, resource: &Resource, namespace: &str, name: &str) -> Result<(), ApiError> {
    if !resource.namespaced {
        return Ok(());
    }
    match world.get("", "namespaces", "", namespace) {
        None => Err(status::no_namespace(namespace)),
        Some(found) if is_deleted(&found) => Err(status::terminating(resource, name, namespace)),
        Some(_) => Ok(()),
    }
}

/// `POST`
pub(super) fn create(
    account: &mut Account,
    world: &mut World,
    resource: &Resource,
    request: Request<'_>,
) -> Result<Value, ApiError> {
    if request.subresource() == "eviction" {
        return delete::evict(account, world, resource, request);
    }
    let mut body = checked_body(resource, request)?.clone();
    let name = match (meta(&body, "name"), meta(&body, "generateName")) {
        ("", "") => {
            let wrong = status::Wrong::required("metadata.name", "name or generateName is required");
            return Err(status::invalid(resource, "", &[wrong]));
        }
        ("", prefix) => format!("{prefix}{}", account.draw_hex(5)),
        (name, _) => name.to_owned(),
    };
    check_namespace(world, resource, request.namespace(), &name)?;
    let key = world::key(&resource.group, &resource.plural, request.namespace(), &name);
    body["metadata"]["name"] = json!(name);
    let new = prepare(account, world, resource, request, None, body)?;
    if world.at(&key).is_some() {
        return Err(status::already_exists(resource, &name));
    }
    let mut managers = Managers::default();
    let writer = request.writer(resource, "Update", iso_time(account.now_ms));
    managers.update(&json!({}), &new, resource.types(), &writer, strip(resource, ""));
    store(world, resource, request, &key, None, new, &managers)
}

/// `PUT`
pub(super) fn update(
    account: &mut Account,
    world: &mut World,
    resource: &Resource,
    request: Request<'_>,
) -> Result<Value, ApiError> {
    if request.subresource() == "scale" {
        return super::patch::set_scale(account, world, resource, request, request.body());
    }
    let body = checked_body(resource, request)?;
    let key = request.key(resource);
    let live = world.at(&key).ok_or_else(|| status::not_found(resource, request.name()))?;
    if request.subresource() == "finalize" {
        world.change(&key, |object| object["spec"]["finalizers"] = body["spec"]["finalizers"].clone());
        return Ok(answered(200, shown(resource, body, false)));
    }
    if resource.is_custom() && meta(body, "resourceVersion").is_empty() {
        let wrong = status::Wrong::invalid("metadata.resourceVersion", &json!(0), "must be specified for an update");
        // The kind is not known where this is found out.
        let mut resource = resource.clone();
        resource.kind.clone_from(&resource.plural);
        return Err(status::invalid(&resource, request.name(), &[wrong]));
    }
    replace(account, world, resource, request, &live, body.clone())
}

/// Puts `new` in place of `live`: the writer owns what it changes.
pub(super) fn replace(
    account: &mut Account,
    world: &mut World,
    resource: &Resource,
    request: Request<'_>,
    live: &Value,
    new: Value,
) -> Result<Value, ApiError> {
    check_versions(resource, request, live, &new)?;
    let new = prepare(account, world, resource, request, Some(live), new)?;
    let mut managers = Managers::of(live);
    let writer = request.writer(resource, "Update", iso_time(account.now_ms));
    managers.update(live, &new, resource.types(), &writer, strip(resource, request.subresource()));
    store(world, resource, request, &request.key(resource), Some(live), new, &managers)
}

/// What a request says of the object that it means must be so.
fn check_versions(resource: &Resource, request: Request<'_>, live: &Value, new: &Value) -> Result<(), ApiError> {
    let version = meta(new, "resourceVersion");
    if !version.is_empty() && version != meta(live, "resourceVersion") {
        return Err(status::modified(resource, request.name()));
    }
    let uid = meta(new, "uid");
    if !uid.is_empty() && uid != meta(live, "uid") {
        let why = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {}", meta(live, "uid"));
        return Err(status::conflict(resource, request.name(), &why));
    }
    Ok(())
}

/// `PATCH` with `application/apply-patch+yaml`
pub(super) fn apply(
    account: &mut Account,
    world: &mut World,
    resource: &Resource,
    request: Request<'_>,
) -> Result<Value, ApiError> {
    if request.option("fieldManager").is_none_or(str::is_empty) {
        let wrong = status::Wrong::required("fieldManager", "is required for apply patch");
        let mut options = resource.clone();
        options.group = "meta.k8s.io".to_owned();
        options.kind = "PatchOptions".to_owned();
        return Err(status::invalid(&options, "", &[wrong]));
    }
    let scales = request.subresource() == "scale";
    let mut config =
        if scales { super::patch::of_scale(resource, request)? } else { checked_body(resource, request)?.clone() };
    if config["apiVersion"].is_null() || config["kind"].is_null() {
        return Err(status::bad_request("apiVersion and kind must be set in what is applied"));
    }
    if config["metadata"]["managedFields"].as_array().is_some_and(|entries| !entries.is_empty()) {
        return Err(status::bad_request("metadata.managedFields must be nil"));
    }
    defaults::strip_nulls(&mut config);
    config["metadata"]["name"] = json!(request.name());
    custom::check_known(resource, &config)?;
    let key = request.key(resource);
    let live = world.at(&key);
    match &live {
        Some(live) => check_versions(resource, request, live, &config)?,
        None if request.subresource() != "" => return Err(status::not_found(resource, request.name())),
        None if !meta(&config, "resourceVersion").is_empty() || !meta(&config, "uid").is_empty() => {
            return Err(status::not_found(resource, request.name()));
        }
        None => check_namespace(world, resource, request.namespace(), request.name())?,
    }
    for name in SYSTEM {
        config["metadata"].as_object_mut().map(|metadata| metadata.shift_remove(*name));
    }
    let nothing = json!({});
    let standing = live.as_deref().unwrap_or(&nothing);
    let mut managers = Managers::of(standing);
    let writer = request.writer(resource, "Apply", iso_time(account.now_ms));
    let strip = strip(resource, request.subresource());
    let applied = managers.apply(standing, &config, resource.types(), &writer, strip, request.flag("force")).map_err(
        |refusal| match refusal {
            Refusal::Conflicts(conflicts) => status::apply_conflict(&conflicts),
            Refusal::Untyped(why) => status::untyped(resource, &config, &why.0),
        },
    )?;
    let new = prepare(account, world, resource, request, live.as_deref(), applied)?;
    let mut answer = store(world, resource, request, &key, live.as_deref(), new, &managers)?;
    if scales {
        answer["body"] = super::patch::scale_of(resource, &answer["body"]);
    }
    Ok(answer)
}

/// A wanted object as it will stand: system fields, the half that is not asked for, defaults;
/// and whether it may.
fn prepare(
    account: &mut Account,
    world: &mut World,
    resource: &Resource,
    request: Request<'_>,
    live: Option<&Value>,
    wanted: Value,
) -> Result<Value, ApiError> {
    let mut new = match (request.subresource(), live) {
        ("status", Some(live)) => {
            let mut new = live.clone();
            new["status"] = wanted["status"].clone();
            new
        }
        _ => wanted,
    };
    new["apiVersion"] = json!(resource.api_version());
    new["kind"] = json!(resource.kind);
    if resource.namespaced {
        new["metadata"]["namespace"] = json!(request.namespace());
    }
    keep_system_fields(account, &mut new, live);
    if resource.status && request.subresource() != "status" {
        let standing = live.map_or(&Value::Null, |live| &live["status"]);
        match (standing, new.as_object_mut()) {
            (Value::Null, Some(fields)) => drop(fields.shift_remove("status")),
            (standing, _) => new["status"] = standing.clone(),
        }
    }
    defaults::strip_nulls(&mut new);
    match resource.schema() {
        Some(schema) => custom::normalise(&mut new, schema),
        None => defaults::normalise(account, world, resource, &mut new, live),
    }
    let name = meta(&new, "name").to_owned();
    let mut wrong = validate::metadata(resource, &new);
    match resource.schema() {
        Some(schema) => wrong.extend(custom::validate(&new, schema)),
        None => wrong.extend(validate::built_in(resource, &new, live)),
    }
    if wrong.is_empty() { Ok(new) } else { Err(status::invalid(resource, &name, &wrong)) }
}

fn keep_system_fields(account: &mut Account, new: &mut Value, live: Option<&Value>) {
    let Some(live) = live else {
        for name in SYSTEM {
            new["metadata"].as_object_mut().map(|metadata| metadata.shift_remove(*name));
        }
        *new = born(account, new.take());
        return;
    };
    for name in SYSTEM {
        let standing = &live["metadata"][*name];
        if !standing.is_null() {
            new["metadata"][*name] = standing.clone();
        } else if let Some(metadata) = new["metadata"].as_object_mut() {
            metadata.shift_remove(*name);
        }
    }
}

/// Has changed what is asked for?
fn asks_otherwise(live: &Value, new: &Value) -> bool {
    let asked = |object: &Value| {
        let mut asked = object.clone();
        if let Some(fields) = asked.as_object_mut() {
            for name in ["metadata", "status", "apiVersion"] {
                fields.shift_remove(name);
            }
        }
        asked
    };
    asked(live) != asked(new)
}

/// The same but for times in `managedFields`? Those alone are no change.
fn same(live: &Value, new: &Value) -> bool {
    let timeless = |object: &Value| {
        let mut object = object.clone();
        for entry in object["metadata"]["managedFields"].as_array_mut().into_iter().flatten() {
            entry["time"] = Value::Null;
        }
        object["apiVersion"] = Value::Null;
        object
    };
    timeless(live) == timeless(new)
}

/// Keeps what was asked for, unless it is there already or only to be tried.
fn store(
    world: &mut World,
    resource: &Resource,
    request: Request<'_>,
    key: &str,
    live: Option<&Value>,
    mut new: Value,
    managers: &Managers,
) -> Result<Value, ApiError> {
    let code = if live.is_none() { 201 } else { 200 };
    new["metadata"]["managedFields"] = managers.to_json();
    if resource.counts_generations() {
        match live {
            None => new["metadata"]["generation"] = json!(1),
            Some(live) if asks_otherwise(live, &new) => {
                new["metadata"]["generation"] = json!(live["metadata"]["generation"].as_u64().unwrap_or(0) + 1);
            }
            Some(_) => {}
        }
    }
    if let Some(live) = live
        && same(live, &new)
    {
        return Ok(answered(200, shown(resource, live, request.metadata_only())));
    }
    if request.dry_run() {
        return Ok(answered(code, shown(resource, &new, request.metadata_only())));
    }
    if is_deleted(&new) && new["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty) && delete::may_go(&new) {
        world.remove(key);
        return Ok(answered(code, shown(resource, &new, request.metadata_only())));
    }
    let kept = world.put(key, new);
    Ok(answered(code, shown(resource, &kept, request.metadata_only())))
}
