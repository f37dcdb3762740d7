//! PodDisruptionBudgets: how many pods may be missing.

use serde_json::{Value, json};

use super::super::{
    selectors::label_selector,
    world::{World, condition, meta},
};

pub(super) fn reconcile(world: &mut World) {
    let keys: Vec<String> = world.keyed("policy", "poddisruptionbudgets", None).map(|(key, _)| key.clone()).collect();
    for key in keys {
        let Some(budget) = world.at(&key) else { continue };
        let pods = world.list("", "pods", Some(meta(&budget, "namespace")));
        let covered = pods.iter().filter(|pod| label_selector(&budget["spec"]["selector"], &pod["metadata"]["labels"]));
        let covered: Vec<bool> = covered.map(|pod| condition(pod, "Ready")).collect();
        let expected = i64::try_from(covered.len()).unwrap_or(i64::MAX);
        let healthy = covered.iter().filter(|ready| **ready).count();
        let healthy = i64::try_from(healthy).unwrap_or(i64::MAX);
        let desired = match (&budget["spec"]["minAvailable"], &budget["spec"]["maxUnavailable"]) {
            (Value::Null, Value::Null) => expected,
            (Value::Null, most) => (expected - share(most, expected)).max(0),
            (least, _) => share(least, expected),
        };
        let allowed = (healthy - desired).max(0);
        let status = json!({
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "disruptionsAllowed": allowed,
            "expectedPods": expected,
            "observedGeneration": budget["metadata"]["generation"],
            "conditions": [{
                "type": "DisruptionAllowed",
                "status": if allowed > 0 { "True" } else { "False" },
                "reason": if allowed > 0 { "SufficientPods" } else { "InsufficientPods" },
            }],
        });
        world.set_status(&key, status);
    }
}

/// A number, or a share of all, rounded up.
fn share(value: &Value, all: i64) -> i64 {
    let percent = value.as_str().and_then(|text| text.strip_suffix('%')).and_then(|text| text.parse::<i64>().ok());
    percent.map_or_else(|| value.as_i64().unwrap_or(0), |percent| (percent * all + 99) / 100)
}
