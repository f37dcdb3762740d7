//! What one cluster holds: objects by kind, namespace and name, and the ends of their life cycles.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    super::{Account, params::iso_time},
    Large,
};

/// The state of one cluster's API.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct World {
    /// By `GROUP/PLURAL/NAMESPACE/NAME`; the namespace is empty where there is none.
    objects: BTreeMap<String, Arc<Value>>,
    /// The newest resource version.
    revision: u64,
    /// When something ends, milliseconds since the epoch, by object and what it is.
    timers: BTreeMap<String, u64>,
    /// Up to when life cycles have been looked at.
    pub(super) settled_ms: u64,
    /// Has something changed since?
    pub(super) dirty: bool,
    /// When the changes that controllers work on began.
    #[serde(default)]
    began: BTreeMap<String, u64>,
    /// State of the draws: a cluster's own, so that what happens in it moves nothing else.
    pub(super) draws: u64,
    /// What of the account the nodes and system pods were made from.
    pub(super) surroundings: String,
}

/// Kinds that no controller acts on while their objects stand.
const QUIET: &[&str] = &[
    "clusterrolebindings",
    "clusterroles",
    "configmaps",
    "limitranges",
    "networkpolicies",
    "rolebindings",
    "roles",
    "secrets",
    "serviceaccounts",
];

/// Where the keys of definitions begin.
const DEFINITIONS: &str = "apiextensions.k8s.io/customresourcedefinitions/";

/// The key of an object.
pub(super) fn key(group: &str, plural: &str, namespace: &str, name: &str) -> String {
    format!("{group}/{plural}/{namespace}/{name}")
}

/// Has an object this condition, and is it true?
pub(super) fn condition(object: &Value, kind: &str) -> bool {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    conditions.into_iter().any(|condition| condition["type"] == kind && condition["status"] == "True")
}

/// A text member of an object's metadata.
pub(super) fn meta<'a>(object: &'a Value, name: &str) -> &'a str {
    object["metadata"][name].as_str().unwrap_or_default()
}

/// Is it going away?
pub(super) fn is_deleted(object: &Value) -> bool {
    !meta(object, "deletionTimestamp").is_empty()
}

impl World {
    /// That of a new cluster, whose draws follow from its host, which was drawn.
    pub(super) fn new(host: &str) -> Self {
        let digest = Sha256::digest(host);
        let draws = digest.iter().take(8).fold(0, |word, byte| word << 8 | u64::from(*byte));
        Self { draws, revision: 1000, ..Self::default() }
    }

    /// Takes definitions out, which are large, and leaves their versions.
    pub(super) fn take_large(&mut self, host: &str, large: &mut Large) {
        for (key, object) in self.objects.iter_mut().filter(|(key, _)| key.starts_with(DEFINITIONS)) {
            let version = object["metadata"]["resourceVersion"].clone();
            let taken = std::mem::replace(object, Arc::new(json!({"large": version})));
            large.insert(format!("{host} {key} {version}"), taken);
        }
    }

    /// Puts them back.
    pub(super) fn put_back(&mut self, host: &str, large: &Large) -> Result<(), String> {
        for (key, object) in self.objects.iter_mut().filter(|(key, _)| key.starts_with(DEFINITIONS)) {
            let version = object["large"].clone();
            if !version.is_null() {
                let name = format!("{host} {key} {version}");
                *object = large.get(&name).ok_or(name)?.clone();
            }
        }
        Ok(())
    }

    pub(super) fn get(&self, group: &str, plural: &str, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.objects.get(&key(group, plural, namespace, name)).cloned()
    }

    pub(super) fn at(&self, key: &str) -> Option<Arc<Value>> {
        self.objects.get(key).cloned()
    }

    /// Objects of a kind, of one namespace or of all.
    pub(super) fn list(&self, group: &str, plural: &str, namespace: Option<&str>) -> Vec<Arc<Value>> {
        self.keyed(group, plural, namespace).map(|(_, object)| object.clone()).collect()
    }

    /// The same with their keys.
    pub(super) fn keyed(
        &self,
        group: &str,
        plural: &str,
        namespace: Option<&str>,
    ) -> impl Iterator<Item = (&String, &Arc<Value>)> {
        let prefix = match namespace {
            Some(namespace) => format!("{group}/{plural}/{namespace}/"),
            None => format!("{group}/{plural}/"),
        };
        self.objects.range(prefix.clone()..).take_while(move |(key, _)| key.starts_with(&prefix))
    }

    /// Everything.
    pub(super) fn everything(&self) -> impl Iterator<Item = (&String, &Arc<Value>)> {
        self.objects.iter()
    }

    /// Puts an object in its place under a new resource version.
    pub(super) fn put(&mut self, key: &str, mut object: Value) -> Arc<Value> {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        let quiet = key.split('/').nth(1).is_some_and(|plural| QUIET.contains(&plural));
        self.dirty |= !quiet || is_deleted(&object) || object["metadata"]["ownerReferences"].is_array();
        let object = Arc::new(object);
        self.objects.insert(key.to_owned(), object.clone());
        object
    }

    /// Changes an object, if that makes a difference.
    pub(super) fn change(&mut self, key: &str, change: impl FnOnce(&mut Value)) {
        let Some(standing) = self.objects.get(key) else { return };
        let mut changed = (**standing).clone();
        change(&mut changed);
        if changed != **standing {
            self.put(key, changed);
        }
    }

    /// Replaces the status, if that makes a difference.
    pub(super) fn set_status(&mut self, key: &str, status: Value) {
        if self.objects.get(key).is_some_and(|standing| standing["status"] != status) {
            self.change(key, |object| object["status"] = status);
        }
    }

    pub(super) fn remove(&mut self, key: &str) -> Option<Arc<Value>> {
        self.revision += 1;
        self.dirty = true;
        let prefix = format!("{key}\n");
        self.timers.retain(|timer, _| !timer.starts_with(&prefix));
        self.began.retain(|began, _| !began.starts_with(&prefix));
        self.objects.remove(key)
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// The next end of something after what has been looked at.
    pub(super) fn next_due(&self) -> Option<u64> {
        self.timers.values().copied().filter(|due| *due > self.settled_ms).min()
    }

    /// Is it over? It begins when it is asked for the first time; `named` is what it is called
    /// in the account's list of durations (its name and its phase), if it stands there.
    pub(super) fn over(
        &mut self,
        account: &mut Account,
        key: &str,
        what: &str,
        (low, high): (f64, f64),
        named: Option<(&str, &str)>,
    ) -> bool {
        let timer = format!("{key}\n{what}");
        if let Some(due) = self.timers.get(&timer) {
            return *due <= account.now_ms;
        }
        let due = match named {
            Some((name, phase)) => account.draw_due(name, phase, low, high),
            None => {
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let took = ((low + (high - low) * account.draw()) * 1000.0) as u64;
                account.now_ms + took
            }
        };
        self.timers.insert(timer, due);
        false
    }

    /// Is it over? Not if nobody has asked for it before.
    pub(super) fn has_ended(&self, account: &Account, key: &str, what: &str) -> bool {
        self.timers.get(&format!("{key}\n{what}")).is_some_and(|due| *due <= account.now_ms)
    }

    /// When it began, which is now if it is asked for the first time; `None` once it has ended.
    pub(super) fn since(&mut self, key: &str, what: &str, now_ms: u64) -> Option<u64> {
        Some(*self.began.entry(format!("{key}\n{what}")).or_insert(now_ms)).filter(|began| *began > 0)
    }

    /// It is over, and is not asked for again.
    pub(super) fn ended(&mut self, key: &str, what: &str) {
        self.began.insert(format!("{key}\n{what}"), 0);
    }
}

/// Gives an object the fields that every new one has.
pub(super) fn born(account: &mut Account, mut object: Value) -> Value {
    object["metadata"]["uid"] = json!(uid(account));
    object["metadata"]["creationTimestamp"] = json!(iso_time(account.now_ms));
    object
}

/// A random UUID, version 4.
pub(super) fn uid(account: &mut Account) -> String {
    let hex = account.draw_hex(30);
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[12..15], &hex[15..18], &hex[18..30])
}
