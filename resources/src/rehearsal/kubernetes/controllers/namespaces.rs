//! Namespaces: what is in each from the start, and their end, which comes after all that is in them.

use serde_json::json;

use super::super::{
    super::{Account, params::iso_time},
    base::system,
    delete::mark,
    world::{World, is_deleted, meta},
};

/// From an empty namespace to its end, in seconds.
const END: (f64, f64) = (0.5, 3.0);

pub(super) fn reconcile(account: &mut Account, world: &mut World) {
    for namespace in world.list("", "namespaces", None) {
        let name = meta(&namespace, "name").to_owned();
        let key = format!("/namespaces//{name}");
        if !is_deleted(&namespace) {
            if world.get("", "serviceaccounts", &name, "default").is_none() {
                system(account, world, "ServiceAccount", &name, json!({"metadata": {"name": "default"}}));
            }
            if world.get("", "configmaps", &name, "kube-root-ca.crt").is_none() {
                let authority = json!({"metadata": {"name": "kube-root-ca.crt"}, "data": {"ca.crt": ""}});
                system(account, world, "ConfigMap", &name, authority);
            }
            continue;
        }
        let part = format!("/{name}/");
        let content: Vec<String> = world
            .everything()
            .filter(|(key, object)| key.contains(&part) && meta(object, "namespace") == name)
            .map(|(key, _)| key.clone())
            .collect();
        for key in &content {
            if world.at(key).is_some_and(|object| !is_deleted(&object)) {
                mark(account, world, key, None);
            }
        }
        let left: Vec<String> = content.into_iter().filter(|key| world.at(key).is_some()).collect();
        if !left.is_empty() {
            let message = format!("Some resources are remaining: {}", counted(world, &left));
            let at = iso_time(account.now_ms);
            world.change(&key, |namespace| {
                let known = namespace["status"]["conditions"][0]["message"] == message.as_str();
                if !known {
                    namespace["status"]["conditions"] = json!([{
                        "type": "NamespaceContentRemaining",
                        "status": "True",
                        "reason": "SomeResourcesRemain",
                        "message": message,
                        "lastTransitionTime": at,
                    }]);
                }
            });
        } else if world.over(account, &key, "end", END, Some((&format!("kubernetes/Namespace/{name}"), "delete"))) {
            world.remove(&key);
        }
    }
}

/// `pods. has 2 resource instances, ...`, as the server counts them.
fn counted(world: &World, keys: &[String]) -> String {
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for key in keys.iter().filter(|key| world.at(key).is_some()) {
        let mut parts = key.split('/');
        let (group, plural) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let kind = format!("{plural}.{group}");
        match kinds.iter_mut().find(|(name, _)| *name == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let shown: Vec<String> =
        kinds.iter().map(|(kind, count)| format!("{kind} has {count} resource instances")).collect();
    shown.join(", ")
}
