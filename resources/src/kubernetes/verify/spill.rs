//! `memory-spill`: a worker's object store is filled beyond its size.
//! Source: <https://docs.ray.io/en/latest/ray-core/objects/object-spilling.html>

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};

use super::{Found, Measure, Stop, Verifier, failover::dashboard, probe, text};

/// What is asked of spilling.
#[derive(Debug, Clone, PartialEq)]
pub struct Spill {
    /// How much is made, in sizes of the worker's object store; more than 1.
    pub factor: f64,
    /// How long it may take.
    pub within: Duration,
}

impl Default for Spill {
    /// One and a half times the store.
    fn default() -> Self {
        Self { factor: 1.5, within: Duration::from_secs(900) }
    }
}

pub(super) async fn run(verifier: &Verifier<'_>, asked: &Spill) -> Result<Found, Stop> {
    let cluster = verifier.ray_cluster().await?;
    let head = verifier.head(&cluster).await?;
    let before = lives(verifier, &cluster).await?;
    let question = json!({
        "dashboard": dashboard(verifier, &head)?, "factor": asked.factor, "limit_seconds": asked.within.as_secs(),
    });
    let probe = verifier.probe("spill", question, asked.within + Duration::from_secs(60)).await?;
    let seen = probe.seen().await;
    // What died on the way is said, however the job ended.
    let after = lives(verifier, &cluster).await?;
    let dead = died(&before, &after, verifier.ray()?.autoscaling);
    match seen {
        Err(Stop::Failed { why, hint }) if !dead.is_empty() => {
            Err(Stop::Failed { why: format!("{}; {why}", dead.join("; ")), hint })
        }
        seen => judge(&seen?, dead),
    }
}

fn judge(seen: &Value, dead: Vec<String>) -> Result<Found, Stop> {
    let figure = |name: &str| probe::figure(seen, name);
    let (Some(store), Some(made)) = (figure("store_mib"), figure("made_mib")) else {
        return Err(Stop::not_run("the job did not say what it made", "Run the check again."));
    };
    let measures = vec![
        Measure::told("object store", Some(store), "MiB"),
        Measure::told("objects made", Some(made), "MiB"),
        // What does not fit must have gone somewhere.
        Measure::at_least("spilled", figure("spilled_mib"), "MiB", (made - store).max(1.0)),
        Measure::at_most("objects that came back wrong", figure("wrong"), "", 0.0),
        #[allow(clippy::cast_precision_loss, reason = "a count of pods")]
        Measure::at_most("pods evicted, killed or restarted", Some(dead.len() as f64), "", 0.0),
    ];
    let hint = "Give the workers more disk (ray.workers.GROUP.spill_gb, node_pools.POOL.disk) or more memory; spilled objects \
                need about as much disk as they have bytes.";
    Ok(Found { measures, notes: dead, hint })
}

/// A pod's life so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Life {
    restarts: u64,
    /// `Evicted`, `OOMKilled`.
    ended_by: Option<String>,
}

/// Of every pod of the Ray cluster, by name.
async fn lives(verifier: &Verifier<'_>, cluster: &str) -> Result<BTreeMap<String, Life>, Stop> {
    let mut pods = verifier.ray_pods(cluster, "head").await?;
    pods.extend(verifier.ray_pods(cluster, "worker").await?);
    Ok(pods.iter().map(|pod| (text(pod, "/metadata/name").to_owned(), life(pod))).collect())
}

fn life(pod: &Value) -> Life {
    let containers = pod.pointer("/status/containerStatuses").and_then(Value::as_array);
    let containers = || containers.into_iter().flatten();
    let killed = containers().find_map(|one| {
        ["/state/terminated/reason", "/lastState/terminated/reason"]
            .iter()
            .map(|pointer| text(one, pointer))
            .find(|reason| *reason == "OOMKilled")
    });
    let evicted = text(pod, "/status/reason");
    Life {
        restarts: containers().filter_map(|one| one["restartCount"].as_u64()).sum(),
        ended_by: killed.or(Some(evicted).filter(|reason| !reason.is_empty())).map(str::to_owned),
    }
}

/// What happened to the pods meanwhile. Ray's autoscaler takes idle ones away.
fn died(before: &BTreeMap<String, Life>, after: &BTreeMap<String, Life>, autoscaling: bool) -> Vec<String> {
    let change = |(name, was): (&String, &Life)| match after.get(name) {
        None if autoscaling => None,
        None => Some(format!("pod {name} is gone")),
        Some(now) if now.ended_by != was.ended_by => {
            Some(format!("pod {name}: {}", now.ended_by.as_deref().unwrap_or("ended")))
        }
        Some(now) if now.restarts > was.restarts => Some(format!("pod {name} was restarted")),
        Some(_) => None,
    };
    before.iter().filter_map(change).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::verify::{Outcome, Verdict};

    #[test]
    fn it_can_fail_in_each_way() {
        let good = json!({"store_mib": 95, "made_mib": 144, "spilled_mib": 77, "wrong": 0});
        let verdict = |seen: &Value, dead: Vec<String>| Outcome::of("memory-spill", judge(seen, dead)).verdict;
        let with = |key: &str, value: Value| {
            let mut seen = good.clone();
            seen[key] = value;
            seen
        };
        assert_eq!(verdict(&good, vec![]), Verdict::Passed);
        assert_eq!(verdict(&with("spilled_mib", json!(0)), vec![]), Verdict::Failed, "nothing was spilled");
        assert_eq!(verdict(&with("spilled_mib", Value::Null), vec![]), Verdict::Failed);
        assert_eq!(verdict(&with("wrong", json!(1)), vec![]), Verdict::Failed);
        assert_eq!(verdict(&good, vec!["pod a: OOMKilled".to_owned()]), Verdict::Failed);
        assert_eq!(verdict(&with("store_mib", Value::Null), vec![]), Verdict::NotRun);
    }

    #[test]
    fn what_dies_is_seen() {
        let pod = |status: Value| life(&json!({"status": status}));
        let well = pod(json!({"containerStatuses": [{"restartCount": 1, "state": {"running": {}}}]}));
        let killed = pod(json!({"containerStatuses": [
            {"restartCount": 1, "state": {"running": {}}, "lastState": {"terminated": {"reason": "OOMKilled"}}},
        ]}));
        let again = pod(json!({"containerStatuses": [{"restartCount": 2}]}));
        let evicted = pod(json!({"reason": "Evicted"}));
        let of = |life: &Life| BTreeMap::from([("w".to_owned(), life.clone())]);
        assert_eq!(died(&of(&well), &of(&well), true), Vec::<String>::new());
        assert_eq!(died(&of(&well), &of(&killed), true), ["pod w: OOMKilled"]);
        assert_eq!(died(&of(&killed), &of(&killed), true), Vec::<String>::new(), "that was before");
        assert_eq!(died(&of(&well), &of(&again), true), ["pod w was restarted"]);
        assert_eq!(died(&of(&well), &of(&evicted), true), ["pod w: Evicted"]);
        assert_eq!(died(&of(&well), &BTreeMap::new(), false), ["pod w is gone"]);
        assert_eq!(died(&of(&well), &BTreeMap::new(), true), Vec::<String>::new(), "it was idle");
    }
}
