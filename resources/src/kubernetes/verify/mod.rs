//! Checks of a platform that lives. Each has thresholds; one that could not run has not passed.
//!
//! The Terraform module's suite had the same four, of which two could not fail: its "head
//! failover" sent no traffic, its "scale event" merged the list of worker groups away.

mod density;
mod failover;
mod outcome;
mod probe;
mod scale;
mod spill;

use std::{sync::Arc, time::Duration};

use rayplat_engine::{
    context::{Clock, Ctx, Job},
    urn::Urn,
};
use serde_json::Value;

pub use failover::Failover;
pub use outcome::{Measure, Outcome, Threshold, Verdict};
pub use scale::Scale;
pub use spill::Spill;

use super::{ClusterAccess, Kubernetes, gvk::Reference, ready};
use crate::{
    aws::Clients,
    platform::{RaySubject, Subject},
};
use outcome::{Found, Stop};

/// The label of what checks put into the cluster, with the check's name.
pub const LABEL: &str = "rayplat.io/verify";

/// What to look at.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    /// Requests go on being answered while the Ray head is deleted.
    HeadFailover(Failover),
    /// Workers come in numbers, and names are resolved meanwhile.
    Scale(Scale),
    /// GPU nodes take as many pods as their instance types can.
    GpuDensity,
    /// An object store that overflows goes to the disk, and nothing dies of it.
    MemorySpill(Spill),
}

impl Check {
    /// Its name on the command line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::HeadFailover(_) => "head-failover",
            Self::Scale(_) => "scale",
            Self::GpuDensity => "gpu-density",
            Self::MemorySpill(_) => "memory-spill",
        }
    }
}

/// What the checks are run with.
pub struct Verifier<'a> {
    kubernetes: Kubernetes,
    ctx: Ctx,
    cluster: ClusterAccess,
    subject: Subject,
    programs: bool,
    /// The Ray object as it was applied last; scaling goes back to it.
    applied: Option<Value>,
    say: &'a (dyn Fn(&str) + Send + Sync),
}

/// The platform to be verified.
pub struct Platform {
    /// The way into its cluster.
    pub access: ClusterAccess,
    /// What its manifest says.
    pub subject: Subject,
    /// The RayCluster or RayService as the state has recorded it, if it stands.
    pub applied: Option<Value>,
    /// Whether its pods run programs: those of an emulated account do not.
    pub programs: bool,
}

impl<'a> Verifier<'a> {
    /// For a platform; `say` is told what is waited for.
    pub fn new(
        clients: &Clients,
        clock: Arc<dyn Clock>,
        platform: Platform,
        say: &'a (dyn Fn(&str) + Send + Sync),
    ) -> Self {
        let job = Job {
            stack: platform.subject.stack.clone(),
            urn: urn(),
            generation: 0,
            nonce: String::new(),
            resume: None,
            expected: Duration::ZERO,
        };
        Self {
            kubernetes: Kubernetes::new(clients),
            ctx: Ctx::standalone(job, clock, u64::from(std::process::id())),
            cluster: platform.access,
            subject: platform.subject,
            applied: platform.applied,
            programs: platform.programs,
            say,
        }
    }

    /// Runs a check. What goes wrong on the way is its outcome.
    pub async fn run(&self, check: &Check) -> Outcome {
        let result = match check {
            Check::HeadFailover(asked) => failover::run(self, asked).await,
            Check::Scale(asked) => scale::run(self, asked).await,
            Check::GpuDensity => density::run(self).await,
            Check::MemorySpill(asked) => spill::run(self, asked).await,
        };
        Outcome::of(check.name(), result)
    }

    fn ray(&self) -> Result<&RaySubject, Stop> {
        self.subject.ray.as_ref().ok_or_else(|| {
            Stop::not_run(
                "the platform has no Ray",
                "Take `ray: {enabled: false}` out of the manifest and run `rayplat up`.",
            )
        })
    }

    /// The name of the RayCluster that serves: a RayService makes its own.
    async fn ray_cluster(&self) -> Result<String, Stop> {
        let ray = self.ray()?;
        let of = ray_object(ray);
        let Some(live) = self.kubernetes.get(&self.ctx, &self.cluster, &of).await? else {
            return Err(Stop::not_run(format!("{of} is not there"), "Run `rayplat up` first."));
        };
        if ray.place.kind == "RayCluster" {
            return Ok(ray.place.name.to_owned());
        }
        let active = live.pointer("/status/activeServiceStatus/rayClusterName").and_then(Value::as_str);
        active.filter(|name| !name.is_empty()).map(str::to_owned).ok_or_else(|| {
            Stop::not_run(
                format!("{of} has no Ray cluster that serves yet"),
                "Wait until `kubectl get rayservice` says so.",
            )
        })
    }

    /// Pods of the Ray cluster: `head` or `worker`.
    async fn ray_pods(&self, cluster: &str, node_type: &str) -> Result<Vec<Value>, Stop> {
        let labels = format!("ray.io/cluster={cluster},ray.io/node-type={node_type}");
        let namespace = Some(self.ray()?.place.namespace.as_str());
        Ok(self.kubernetes.list(&self.ctx, &self.cluster, ("v1", "Pod"), namespace, &labels).await?)
    }

    /// The head that is ready.
    async fn head(&self, cluster: &str) -> Result<Value, Stop> {
        let pods = self.ray_pods(cluster, "head").await?;
        pods.into_iter().find(serves).ok_or_else(|| {
            let why = format!("the Ray cluster {cluster} has no head that is ready");
            Stop::not_run(why, "Look at it with `kubectl describe raycluster`, mend it, and run the check again.")
        })
    }
}

/// The object that the platform's Ray is.
fn ray_object(ray: &RaySubject) -> Reference {
    Reference {
        api_version: "ray.io/v1".to_owned(),
        kind: ray.place.kind.to_owned(),
        namespace: Some(ray.place.namespace.clone()),
        name: ray.place.name.to_owned(),
    }
}

/// What the checks do is not a step of a run; their marks and reports need a name all the same.
fn urn() -> Urn {
    // Both parts are words.
    #[allow(clippy::expect_used, reason = "a constant that a test makes")]
    Urn::new("kubernetes:Verify", "checks").expect("a kind and a name")
}

/// Whether a pod is ready and stays.
fn serves(pod: &Value) -> bool {
    !super::deletion::is_going(pod) && ready::holds(pod, "Ready")
}

fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
