//! Getting and listing.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{
    super::ApiError,
    kinds::Resource,
    request::{Request, answered},
    selectors, status,
    world::World,
};

/// An object as this version of its kind shows it.
pub(super) fn shown(resource: &Resource, object: &Value, metadata_only: bool) -> Value {
    if metadata_only {
        return json!({
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": object["metadata"],
        });
    }
    let mut shown = object.clone();
    shown["apiVersion"] = json!(resource.api_version());
    shown["kind"] = json!(resource.kind);
    shown
}

/// One object, or its scale.
pub(super) fn get(world: &World, resource: &Resource, request: Request<'_>) -> Result<Value, ApiError> {
    let object = world.at(&request.key(resource)).ok_or_else(|| status::not_found(resource, request.name()))?;
    let body = match request.subresource() {
        "scale" => super::patch::scale_of(resource, &object),
        _ => shown(resource, &object, request.metadata_only()),
    };
    Ok(answered(200, body))
}

/// Objects that fit the selectors, a page of them if so asked.
pub(super) fn list(world: &World, resource: &Resource, request: Request<'_>) -> Result<Value, ApiError> {
    let namespace = Some(request.namespace()).filter(|namespace| !namespace.is_empty());
    let limit = request.option("limit").and_then(|limit| limit.parse::<usize>().ok()).filter(|limit| *limit > 0);
    let after = match request.option("continue").filter(|token| !token.is_empty()) {
        Some(token) => {
            let key = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            Some(key.ok_or_else(|| status::bad_request("continue key is not valid"))?)
        }
        None => None,
    };
    let mut items = Vec::new();
    let mut next = None;
    let mut last = String::new();
    for (key, object) in world.keyed(&resource.group, &resource.plural, namespace) {
        if after.as_ref().is_some_and(|after| key <= after)
            || !selectors::labels(object, request.option("labelSelector").unwrap_or_default())?
            || !selectors::fields(object, request.option("fieldSelector").unwrap_or_default())?
        {
            continue;
        }
        if limit.is_some_and(|limit| items.len() == limit) {
            next = Some(URL_SAFE_NO_PAD.encode(&last));
            break;
        }
        last.clone_from(key);
        items.push(shown(resource, object, request.metadata_only()));
    }
    let mut metadata = json!({"resourceVersion": world.revision().to_string()});
    if let Some(next) = next {
        metadata["continue"] = json!(next);
    }
    let (kind, api_version) = if request.metadata_only() {
        ("PartialObjectMetadataList".to_owned(), "meta.k8s.io/v1".to_owned())
    } else {
        (format!("{}List", resource.kind), resource.api_version())
    };
    Ok(answered(200, json!({"kind": kind, "apiVersion": api_version, "metadata": metadata, "items": items})))
}
