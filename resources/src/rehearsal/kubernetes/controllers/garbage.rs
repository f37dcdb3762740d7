//! Garbage collection: what is owned goes with its last owner.
//! Source: <https://kubernetes.io/docs/concepts/architecture/garbage-collection/>

use std::collections::HashSet;

use super::super::{
    super::Account,
    delete::{mark, owned, release},
    world::{World, is_deleted, meta},
};

const FOREGROUND: &str = "foregroundDeletion";

pub(super) fn reconcile(account: &mut Account, world: &mut World) {
    let mut uids: HashSet<String> = HashSet::new();
    let mut leaving: Vec<(String, String)> = Vec::new();
    let mut going: HashSet<String> = HashSet::new();
    for (key, object) in world.everything() {
        uids.insert(meta(object, "uid").to_owned());
        let finalizers = object["metadata"]["finalizers"].as_array().into_iter().flatten();
        if is_deleted(object) && finalizers.into_iter().any(|one| one == FOREGROUND) {
            leaving.push((key.clone(), meta(object, "uid").to_owned()));
            going.insert(meta(object, "uid").to_owned());
        }
    }
    let mut orphans = Vec::new();
    for (key, object) in world.everything().filter(|(_, object)| !is_deleted(object)) {
        let owners = object["metadata"]["ownerReferences"].as_array().map(Vec::as_slice).unwrap_or_default();
        let stays = |uid: &str| uids.contains(uid) && !going.contains(uid);
        if !owners.is_empty() && !owners.iter().any(|owner| owner["uid"].as_str().is_some_and(stays)) {
            orphans.push(key.clone());
        }
    }
    for key in orphans {
        mark(account, world, &key, None);
    }
    for (key, uid) in leaving {
        if owned(world, &uid).is_empty() {
            release(world, &key, FOREGROUND);
        }
    }
}
