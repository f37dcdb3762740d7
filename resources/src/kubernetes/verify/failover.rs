//! `head-failover`: the Ray head is deleted while requests come in.
//! Source: <https://docs.ray.io/en/latest/serve/production-guide/fault-tolerance.html>

use std::time::Duration;

use serde_json::{Value, json};

use super::{Found, Measure, Stop, Verifier, probe, serves, text};
use crate::kubernetes::gvk::Reference;

/// How long the probe goes on looking once the head is back.
const SETTLE: Duration = Duration::from_secs(10);

/// How long an application of the probe's own may take to stand.
const DEPLOY: Duration = Duration::from_secs(180);

/// What is asked of a failover.
#[derive(Debug, Clone, PartialEq)]
pub struct Failover {
    /// Requests a second.
    pub rate: u16,
    /// The path of an application to ask; `None`: the check deploys one of its own, and takes it
    /// away again.
    pub path: Option<String>,
    /// The most requests that may fail, in percent.
    pub error_rate: f64,
    /// How long the head may be away.
    pub recovery: Duration,
}

impl Default for Failover {
    /// No request fails, and the head is back within two minutes.
    fn default() -> Self {
        Self { rate: 20, path: None, error_rate: 0.0, recovery: Duration::from_secs(120) }
    }
}

pub(super) async fn run(verifier: &Verifier<'_>, asked: &Failover) -> Result<Found, Stop> {
    let cluster = verifier.ray_cluster().await?;
    let head = verifier.head(&cluster).await?;
    let workers = verifier.ray_pods(&cluster, "worker").await?;
    let ready = workers.iter().filter(|pod| serves(pod)).map(|pod| text(pod, "/status/podIP"));
    let targets: Vec<String> = ready.filter(|ip| !ip.is_empty()).map(|ip| format!("http://{ip}:8000")).collect();
    if targets.is_empty() {
        return Err(Stop::not_run(
            format!(
                "the Ray cluster {cluster} has no worker that is ready: without one, nothing can serve while the head is away"
            ),
            "Give a group of `ray.workers` a `min` of 1 or more.",
        ));
    }
    // It goes on looking a while after the last moment at which the head may be back, so that
    // how late it was is seen.
    let looks = asked.recovery + asked.recovery / 2 + SETTLE;
    let limit = 2 * DEPLOY + looks + Duration::from_secs(90);
    let probe = verifier
        .probe(
            "failover",
            json!({
                "dashboard": dashboard(verifier, &head)?, "targets": targets, "path": asked.path, "rate": asked.rate,
                "start_seconds": DEPLOY.as_secs(), "limit_seconds": looks.as_secs(), "settle_seconds": SETTLE.as_secs(),
            }),
            limit,
        )
        .await?;
    if let Err(stop) = delete_head(verifier, &probe, &head).await {
        return Err(probe.drop(stop).await);
    }
    let seen = probe.seen().await?;
    judge(asked, &seen)
}

/// Deletes the head once requests are answered.
async fn delete_head(verifier: &Verifier<'_>, probe: &probe::Probe<'_, '_>, head: &Value) -> Result<(), Stop> {
    probe.ready().await?;
    let of = Reference::of(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": head["metadata"]}))?;
    (verifier.say)(&format!("requests are answered; deleting {of}"));
    verifier.kubernetes.delete(&verifier.ctx, &verifier.cluster, &of, text(head, "/metadata/uid")).await?;
    Ok(())
}

/// Where the head answers: KubeRay's Service for it.
/// Source: KubeRay `ray-operator/controllers/ray/utils/util.go` (`GenerateHeadServiceName`)
pub(super) fn dashboard(verifier: &Verifier<'_>, head: &Value) -> Result<String, Stop> {
    let ray = verifier.ray()?;
    let cluster = text(head, "/metadata/labels/ray.io~1cluster");
    Ok(format!("http://{cluster}-head-svc.{}.svc.cluster.local:8265", ray.place.namespace))
}

fn judge(asked: &Failover, seen: &Value) -> Result<Found, Stop> {
    let requests = probe::figure(seen, "requests").filter(|requests| *requests > 0.0);
    let Some(requests) = requests.filter(|_| seen["went_away"] == true) else {
        return Err(Stop::not_run(
            "the head was deleted, but for the probe it never went away: nothing was put to the test",
            "Run the check again; if it happens again, look whether the Service of the head has more than one pod.",
        ));
    };
    let share = probe::figure(seen, "failed").map(|failed| failed * 100.0 / requests);
    let measures = vec![
        Measure::told("requests", Some(requests), ""),
        Measure::at_most("failed requests", share, "%", asked.error_rate),
        Measure::at_most("head back after", probe::figure(seen, "recovery_s"), "s", asked.recovery.as_secs_f64()),
        Measure::told("answer, median", probe::figure(seen, "p50_ms"), "ms"),
        Measure::told("answer, 99th percentile", probe::figure(seen, "p99_ms"), "ms"),
    ];
    let mut found = Found {
        measures,
        hint: "With ray.fault_tolerance on (the default) workers go on serving without a head; look at Redis (kubectl get pods \
               -n NAMESPACE) and at the new head's events.",
        ..Found::default()
    };
    probe::errors(seen, &mut found);
    if seen["left_behind"] == true {
        found.notes.push(
            "The check's own application `rayplat-verify` could not be taken away: `serve.delete(\"rayplat-verify\")` does it."
                .to_owned(),
        );
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::verify::{Outcome, Verdict};

    fn verdict(seen: &Value) -> Verdict {
        Outcome::of("head-failover", judge(&Failover::default(), seen)).verdict
    }

    #[test]
    fn it_can_fail_in_each_way() {
        let good =
            json!({"requests": 900, "failed": 0, "went_away": true, "recovery_s": 14.0, "p50_ms": 9.0, "p99_ms": 20.0});
        let with = |key: &str, value: Value| {
            let mut seen = good.clone();
            seen[key] = value;
            seen
        };
        assert_eq!(verdict(&good), Verdict::Passed);
        assert_eq!(verdict(&with("failed", json!(1))), Verdict::Failed);
        assert_eq!(verdict(&with("failed", Value::Null)), Verdict::Failed);
        assert_eq!(verdict(&with("recovery_s", json!(120.1))), Verdict::Failed);
        assert_eq!(verdict(&with("recovery_s", Value::Null)), Verdict::Failed, "it never came back");
        assert_eq!(verdict(&with("went_away", json!(false))), Verdict::NotRun);
        assert_eq!(verdict(&with("requests", json!(0))), Verdict::NotRun);
    }
}
