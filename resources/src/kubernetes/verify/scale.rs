//! `scale`: many workers come at once; how long until they are ready, and whether names are
//! resolved meanwhile.

use std::time::Duration;

use rayplat_engine::{
    context::Poll,
    error::{ErrorClass, ProviderError},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{Found, Measure, Stop, Verifier, probe, ray_object, serves};
use crate::{
    kubernetes::{api::Apply, gvk::Reference, marks},
    platform::{GroupSubject, Subject},
};

/// How long the surplus may take to go again.
const BACK: Duration = Duration::from_secs(600);

/// What is asked of scaling.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// How many workers.
    pub workers: u32,
    /// The group of workers; `None`: the first whose nodes have no GPUs.
    pub group: Option<String>,
    /// How long until they are ready.
    pub within: Duration,
    /// How slow one in a hundred answers of DNS may be.
    pub dns: Duration,
    /// How long names are asked for, from the moment at which the workers are.
    pub dns_window: Duration,
    /// Ask for more workers than the pool may have nodes.
    pub beyond: bool,
}

impl Default for Scale {
    /// 200 workers in a quarter of an hour, DNS in half a second.
    fn default() -> Self {
        Self {
            workers: 200,
            group: None,
            within: Duration::from_secs(900),
            dns: Duration::from_millis(500),
            dns_window: Duration::from_secs(120),
            beyond: false,
        }
    }
}

impl Scale {
    /// How many workers the group that is asked may have by the manifest; `None` without such a
    /// group.
    #[must_use]
    pub fn most(&self, subject: &Subject) -> Option<u32> {
        self.group(subject).map(|(_, group)| group.max)
    }

    /// The group to grow.
    fn group<'s>(&self, subject: &'s Subject) -> Option<(&'s str, &'s GroupSubject)> {
        let groups = &subject.ray.as_ref()?.groups;
        let has_gpus = |group: &GroupSubject| subject.pools.get(&group.pool).is_some_and(|pool| pool.gpus);
        let found = match &self.group {
            Some(name) => groups.get_key_value(name),
            None => groups.iter().find(|(_, group)| !has_gpus(group)).or_else(|| groups.iter().next()),
        };
        found.map(|(name, group)| (name.as_str(), group))
    }
}

pub(super) async fn run(verifier: &Verifier<'_>, asked: &Scale) -> Result<Found, Stop> {
    let (name, group) = group(verifier, asked)?;
    let cluster = verifier.ray_cluster().await?;
    let applied = verifier.applied.as_ref().ok_or_else(|| {
        Stop::not_run(
            "the state does not know the Ray object",
            "Run `rayplat up` first: the check goes back to what that applied.",
        )
    })?;
    let many = with_workers(applied, name, asked.workers)?;
    let at_first = count(&verifier.group_pods(&cluster, name).await?);
    if at_first >= asked.workers {
        return Err(Stop::not_run(
            format!("the group {name} has {at_first} workers already"),
            format!("Ask for more: --workers {}.", at_first + 1),
        ));
    }
    let names = json!([
        "kubernetes.default.svc.cluster.local",
        format!("{cluster}-head-svc.{}.svc.cluster.local", verifier.ray()?.place.namespace),
    ]);
    let question = json!({"names": names, "seconds": asked.dns_window.as_secs()});
    let probe = verifier.probe("dns", question, asked.dns_window + Duration::from_secs(60)).await?;
    let grown = grow(verifier, &probe, &many, &cluster, name, asked).await;
    // Whatever came of it, the cluster goes back to what `up` made of it.
    let back = shrink(verifier, applied, &cluster, name, at_first.max(group.min)).await;
    let grown = match grown {
        Ok(grown) => grown,
        Err(stop) => return Err(probe.drop(stop).await),
    };
    let seen = probe.seen().await?;
    judge(asked, &grown, &seen, back?)
}

/// How the workers came.
struct Grown {
    /// Seconds until all were ready; `None` if they never were.
    ready: Option<f64>,
    /// What was missing at the end.
    missing: Option<String>,
}

async fn grow(
    verifier: &Verifier<'_>,
    probe: &probe::Probe<'_, '_>,
    many: &Value,
    cluster: &str,
    group: &str,
    asked: &Scale,
) -> Result<Grown, Stop> {
    probe.ready().await?;
    (verifier.say)(&format!("asking for {} workers of the group {group}", asked.workers));
    verifier.apply_ray(many).await?;
    let began = Instant::now();
    let what = format!("{} workers of the group {group}", asked.workers);
    let waited = verifier.ctx.wait(&what, asked.within / 2, asked.within, || async {
        let pods = verifier.group_pods(cluster, group).await.map_err(as_provider_error)?;
        let ready = count(&pods);
        (verifier.say)(&format!("{ready} of {} workers are ready", asked.workers));
        Ok(if ready >= asked.workers { Poll::Ready(()) } else { Poll::Pending(format!("{ready} ready")) })
    });
    match waited.await {
        Ok(()) => {
            let seconds = began.elapsed().as_secs_f64() * f64::from(verifier.ctx.time_scale());
            Ok(Grown { ready: Some((seconds * 10.0).round() / 10.0), missing: None })
        }
        Err(error) if error.class == ErrorClass::TimedOut => Ok(Grown { ready: None, missing: Some(error.message) }),
        Err(error) => Err(error.into()),
    }
}

/// What a look gave in place of pods; a wait knows the engine's errors only.
fn as_provider_error(stop: Stop) -> ProviderError {
    let (Stop::NotRun { why, hint } | Stop::Failed { why, hint }) = stop;
    ProviderError::new(ErrorClass::Failed, why).hint(hint)
}

/// Back to what was applied before; a note, if the surplus goes later.
async fn shrink(
    verifier: &Verifier<'_>,
    applied: &Value,
    cluster: &str,
    group: &str,
    to: u32,
) -> Result<Option<String>, Stop> {
    let not_back = |why: String| Stop::Failed {
        why: format!("the Ray cluster could not be put back: {why}"),
        hint: "`rayplat up` puts it back to what the manifest says.".to_owned(),
    };
    let told = |stop: Stop| match stop {
        Stop::NotRun { why, .. } | Stop::Failed { why, .. } => not_back(why),
    };
    verifier.apply_ray(applied).await.map_err(told)?;
    if verifier.ray()?.autoscaling {
        return Ok(Some(
            "Ray's autoscaler takes the surplus workers away once they were idle for five minutes.".to_owned(),
        ));
    }
    let what = format!("the group {group} is back at {to} workers");
    let waited = verifier.ctx.wait(&what, Duration::from_secs(30), BACK, || async {
        let left = verifier.group_pods(cluster, group).await.map_err(as_provider_error)?.len();
        (verifier.say)(&format!("going back to {to} workers of the group {group}: {left} are left"));
        Ok(if left <= to as usize { Poll::Ready(()) } else { Poll::Pending(format!("{left} left")) })
    });
    waited.await.map_err(|error| not_back(error.to_string()))?;
    Ok(None)
}

fn judge(asked: &Scale, grown: &Grown, seen: &Value, note: Option<String>) -> Result<Found, Stop> {
    let figure = |name: &str| probe::figure(seen, name);
    let Some(lookups) = figure("lookups").filter(|lookups| *lookups > 0.0) else {
        return Err(Stop::not_run("no name was asked for", "Run the check again."));
    };
    let share = figure("failed").map(|failed| failed * 100.0 / lookups);
    let slowest = asked.dns.as_secs_f64() * 1000.0;
    let measures = vec![
        Measure::told("workers asked for", Some(asked.workers.into()), ""),
        Measure::at_most("all ready after", grown.ready, "s", asked.within.as_secs_f64()),
        Measure::told("names asked for", Some(lookups), ""),
        Measure::at_most("names not resolved", share, "%", 0.0),
        Measure::told("DNS answer, median", figure("p50_ms"), "ms"),
        Measure::at_most("DNS answer, 99th percentile", figure("p99_ms"), "ms", slowest),
    ];
    let mut found = Found {
        measures,
        hint: "Workers: `kubectl get pods -n NAMESPACE` and their events say what they wait for (quotas, free addresses, Spot \
               capacity). DNS: raise addons.coredns.configuration.autoScaling.maxReplicas.",
        ..Found::default()
    };
    found.notes.extend(grown.missing.clone());
    found.notes.extend(note);
    probe::errors(seen, &mut found);
    Ok(found)
}

/// The group to grow: there must be nodes for its workers.
fn group<'v>(verifier: &'v Verifier<'_>, asked: &Scale) -> Result<(&'v str, &'v GroupSubject), Stop> {
    let names: Vec<&str> = verifier.ray()?.groups.keys().map(String::as_str).collect();
    let (name, group) = asked.group(&verifier.subject).ok_or_else(|| match &asked.group {
        Some(name) => {
            Stop::not_run(format!("there is no group of workers `{name}`"), format!("There are: {}.", names.join(", ")))
        }
        None => Stop::not_run("Ray has no group of workers", "Name one in `ray.workers`."),
    })?;
    let most = verifier.subject.pools.get(&group.pool).map_or(0, |pool| pool.max);
    if let Some(per_node) = group.per_node.filter(|_| !asked.beyond) {
        let needed = asked.workers.div_ceil(per_node.max(1));
        if needed > most {
            return Err(Stop::not_run(
                format!(
                    "{} workers at {} a node need {needed} nodes of the pool {}, which may have {most}",
                    asked.workers,
                    per_node.max(1),
                    group.pool
                ),
                format!(
                    "Raise node_pools.{}.max and run `rayplat up`, ask for fewer with --workers, or see how far it gets with --beyond.",
                    group.pool
                ),
            ));
        }
    }
    Ok((name, group))
}

/// Workers of the group that are ready.
fn count(pods: &[Value]) -> u32 {
    u32::try_from(pods.iter().filter(|pod| serves(pod)).count()).unwrap_or(u32::MAX)
}

/// The Ray object with so many workers in a group, and everything else as it is.
fn with_workers(applied: &Value, group: &str, workers: u32) -> Result<Value, Stop> {
    let mut many = applied.clone();
    let spec = if applied["kind"] == "RayService" { "/spec/rayClusterConfig" } else { "/spec" };
    let groups = many.pointer_mut(&format!("{spec}/workerGroupSpecs")).and_then(Value::as_array_mut);
    let found = groups.and_then(|groups| groups.iter_mut().find(|one| one["groupName"] == group));
    let Some(found) = found else {
        return Err(Stop::not_run(
            format!("the Ray object that stands has no group `{group}`"),
            "The manifest has changed since: run `rayplat up`, then the check.",
        ));
    };
    found["minReplicas"] = json!(workers);
    if found.get("replicas").is_some() {
        found["replicas"] = json!(workers);
    }
    let most = found["maxReplicas"].as_u64().unwrap_or_default().max(workers.into());
    found["maxReplicas"] = json!(most);
    Ok(many)
}

impl Verifier<'_> {
    async fn group_pods(&self, cluster: &str, group: &str) -> Result<Vec<Value>, Stop> {
        let labels = format!("ray.io/cluster={cluster},ray.io/group={group}");
        let namespace = Some(self.ray()?.place.namespace.as_str());
        Ok(self.kubernetes.list(&self.ctx, &self.cluster, ("v1", "Pod"), namespace, &labels).await?)
    }

    /// Applies the Ray object as `up` does. KubeRay itself writes into the list of groups, so that
    /// it is taken back.
    async fn apply_ray(&self, manifest: &Value) -> Result<(), Stop> {
        let of: Reference = ray_object(self.ray()?);
        let live = self.kubernetes.get(&self.ctx, &self.cluster, &of).await?;
        let live = live.ok_or_else(|| Stop::not_run(format!("{of} is not there"), "Run `rayplat up` first."))?;
        if !marks::of_stack(&self.ctx, &live) {
            return Err(Stop::not_run(format!("{of} is not this platform's"), "Nothing was touched."));
        }
        let marked = marks::put(manifest, &marks::on(&live));
        let how = Apply { force: true, dry_run: false };
        let applied = self.kubernetes.apply(&self.ctx, &self.cluster, &marked, how).await?;
        applied.map(drop).map_err(|conflict| Stop::from(ProviderError::from(conflict)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_can_fail_in_each_way() {
        use crate::kubernetes::verify::{Outcome, Verdict};
        let good = json!({"lookups": 1200, "failed": 0, "p50_ms": 0.4, "p99_ms": 3.0});
        let verdict = |ready: Option<f64>, seen: &Value| {
            let grown = Grown { ready, missing: None };
            Outcome::of("scale", judge(&Scale::default(), &grown, seen, None)).verdict
        };
        let with = |key: &str, value: Value| {
            let mut seen = good.clone();
            seen[key] = value;
            seen
        };
        assert_eq!(verdict(Some(300.0), &good), Verdict::Passed);
        assert_eq!(verdict(None, &good), Verdict::Failed, "they never were ready");
        assert_eq!(verdict(Some(300.0), &with("failed", json!(1))), Verdict::Failed);
        assert_eq!(verdict(Some(300.0), &with("p99_ms", json!(501))), Verdict::Failed);
        assert_eq!(verdict(Some(300.0), &with("lookups", json!(0))), Verdict::NotRun);
    }

    #[test]
    fn one_group_grows_and_nothing_else_changes() {
        let groups = json!([
            {"groupName": "cpu", "minReplicas": 1, "maxReplicas": 9, "template": {"a": 1}},
            {"groupName": "gpu", "minReplicas": 0, "maxReplicas": 3, "replicas": 0},
        ]);
        let cluster = json!({"kind": "RayCluster", "spec": {"rayVersion": "2.60.0", "workerGroupSpecs": groups}});
        let many = with_workers(&cluster, "cpu", 200).unwrap();
        let mut expected = cluster.clone();
        expected["spec"]["workerGroupSpecs"][0]["minReplicas"] = json!(200);
        expected["spec"]["workerGroupSpecs"][0]["maxReplicas"] = json!(200);
        assert_eq!(many, expected);
        let many = with_workers(&cluster, "gpu", 2).unwrap();
        assert_eq!(
            many["spec"]["workerGroupSpecs"][1],
            json!({"groupName": "gpu", "minReplicas": 2, "maxReplicas": 3, "replicas": 2})
        );
        let service = json!({"kind": "RayService", "spec": {"rayClusterConfig": {"workerGroupSpecs": groups}}});
        let many = with_workers(&service, "cpu", 5).unwrap();
        assert_eq!(many["spec"]["rayClusterConfig"]["workerGroupSpecs"][0]["minReplicas"], 5);
        assert!(with_workers(&cluster, "none", 5).is_err());
    }
}
