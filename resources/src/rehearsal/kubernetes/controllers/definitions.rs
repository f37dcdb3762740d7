//! CustomResourceDefinitions: established soon after they are made, gone after their objects.

use serde_json::json;

use super::super::{
    super::{Account, params::iso_time},
    delete::{mark, release},
    world::{World, condition, is_deleted, meta},
};

const GROUP: &str = "apiextensions.k8s.io";
/// From creation to the first request that is served, in seconds.
const ESTABLISHED: (f64, f64) = (0.2, 1.0);
/// Holds a definition until its objects are gone.
const FINALIZER: &str = "customresourcecleanup.apiextensions.k8s.io";

pub(super) fn reconcile(account: &mut Account, world: &mut World) {
    for definition in world.list(GROUP, "customresourcedefinitions", None) {
        let name = meta(&definition, "name").to_owned();
        let key = format!("{GROUP}/customresourcedefinitions//{name}");
        let spec = &definition["spec"];
        if is_deleted(&definition) {
            let (group, plural) =
                (spec["group"].as_str().unwrap_or_default(), spec["names"]["plural"].as_str().unwrap_or_default());
            let objects: Vec<String> = world.keyed(group, plural, None).map(|(key, _)| key.clone()).collect();
            for object in &objects {
                if world.at(object).is_some_and(|object| !is_deleted(&object)) {
                    mark(account, world, object, None);
                }
            }
            if objects.iter().all(|object| world.at(object).is_none()) {
                release(world, &key, FINALIZER);
            }
            continue;
        }
        let what = format!("kubernetes/CustomResourceDefinition/{name}");
        if condition(&definition, "Established")
            || !world.over(account, &key, "established", ESTABLISHED, Some((&what, "create")))
        {
            continue;
        }
        let at = iso_time(account.now_ms);
        let stored: Vec<_> = spec["versions"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|version| version["storage"] == true)
            .map(|version| version["name"].clone())
            .collect();
        let met = |kind: &str, reason: &str, message: &str| json!({"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": at});
        let status = json!({
            "conditions": [
                met("NamesAccepted", "NoConflicts", "no conflicts found"),
                met("Established", "InitialNamesAccepted", "the initial names have been accepted"),
            ],
            "acceptedNames": spec["names"],
            "storedVersions": stored,
        });
        world.change(&key, |definition| {
            definition["status"] = status;
            definition["metadata"]["finalizers"] = json!([FINALIZER]);
        });
    }
}
