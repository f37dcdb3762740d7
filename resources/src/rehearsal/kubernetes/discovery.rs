//! What the API has: groups, versions, kinds; its own version and health.

use serde_json::{Value, json};

use super::{super::ApiError, kinds::Resource, request::answered, status, world::World};

const VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update"];

/// Answers a path that names no object.
pub(super) fn discover(world: &World, version: &str, path: &str) -> Result<Value, ApiError> {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let all = Resource::all(world);
    let body = match segments.as_slice() {
        ["readyz" | "livez" | "healthz", ..] => json!("ok"),
        ["version"] => {
            let minor = version.strip_prefix("1.").unwrap_or(version);
            json!({
                "major": "1",
                "minor": minor,
                "gitVersion": format!("v{version}.0-eks-0000000"),
                "platform": "linux/amd64",
            })
        }
        ["api"] => json!({"kind": "APIVersions", "versions": ["v1"]}),
        ["apis"] => json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups(&all)}),
        ["api", version] => resources(&all, "", version)?,
        ["apis", group] => {
            let mut found = groups(&all).into_iter().find(|one| one["name"] == *group);
            let found = found.as_mut().ok_or_else(status::page_not_found)?;
            found["kind"] = json!("APIGroup");
            found["apiVersion"] = json!("v1");
            found.take()
        }
        ["apis", group, version] => resources(&all, group, version)?,
        _ => return Err(status::page_not_found()),
    };
    Ok(answered(200, body))
}

fn groups(all: &[Resource]) -> Vec<Value> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for resource in all.iter().filter(|resource| !resource.group.is_empty()) {
        match groups.iter_mut().find(|(name, _)| *name == resource.group) {
            Some((_, versions)) if versions.contains(&resource.version) => {}
            Some((_, versions)) => versions.push(resource.version.clone()),
            None => groups.push((resource.group.clone(), vec![resource.version.clone()])),
        }
    }
    let shown = |(name, mut versions): (String, Vec<String>)| {
        // Stable ones first, the newest of them before.
        versions.sort_by_key(|version| {
            (version.contains("alpha") || version.contains("beta"), std::cmp::Reverse(version.clone()))
        });
        let versions: Vec<Value> = versions
            .iter()
            .map(|version| json!({"groupVersion": format!("{name}/{version}"), "version": version}))
            .collect();
        json!({"name": name, "versions": versions, "preferredVersion": versions[0]})
    };
    groups.into_iter().map(shown).collect()
}

fn resources(all: &[Resource], group: &str, version: &str) -> Result<Value, ApiError> {
    let of_version = all.iter().filter(|resource| resource.group == group && resource.version == version);
    let mut listed = Vec::new();
    for resource in of_version {
        let entry = |name: String, kind: &str, verbs: &[&str]| json!({"name": name, "singularName": "", "namespaced": resource.namespaced, "kind": kind, "verbs": verbs});
        let mut main = entry(resource.plural.clone(), &resource.kind, VERBS);
        main["singularName"] = json!(resource.kind.to_lowercase());
        if !resource.short.is_empty() {
            main["shortNames"] = json!(resource.short);
        }
        listed.push(main);
        if resource.status {
            listed.push(entry(format!("{}/status", resource.plural), &resource.kind, &["get", "patch", "update"]));
        }
        if resource.scale {
            let mut scale = entry(format!("{}/scale", resource.plural), "Scale", &["get", "patch", "update"]);
            scale["group"] = json!("autoscaling");
            scale["version"] = json!("v1");
            listed.push(scale);
        }
    }
    if listed.is_empty() {
        return Err(status::page_not_found());
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Ok(json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": listed}))
}
