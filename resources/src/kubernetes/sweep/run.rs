//! The sweep itself: it begins again at every look, so that one that was cut off goes on.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rayplat_engine::{
    context::Poll,
    error::{ErrorClass, ProviderError},
    provider::Refusal,
};
use serde_json::json;

use super::{
    super::{
        api::Apply,
        deletion::{holds, is_going},
        gvk::Reference,
        marks,
    },
    Volumes, ask,
    found::{Held, Look, Thing, uses},
};
use crate::aws::balancers_left;

/// A load balancer goes within half a minute, its interfaces some time later; a volume when
/// its pod is gone and it is detached.
const EXPECTED: Duration = Duration::from_secs(60);

/// Finalizers run as long as their controllers need.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// One sweep.
pub(super) struct Run<'a> {
    look: Look<'a>,
    ec2: &'a aws_sdk_ec2::Client,
    volumes: Option<Volumes>,
    /// The names of load balancers that were seen.
    balancers: Mutex<BTreeSet<String>>,
}

impl<'a> Run<'a> {
    /// With load balancers that were seen before.
    pub fn new(look: Look<'a>, ec2: &'a aws_sdk_ec2::Client, balancers: &[String]) -> Self {
        let balancers = Mutex::new(balancers.iter().cloned().collect());
        Self { volumes: Volumes::of_run(look.ctx), look, ec2, balancers }
    }

    /// Until nothing of it is left.
    pub async fn to_the_end(&self) -> Result<(), ProviderError> {
        let what = "what others made through the cluster";
        let waited = self.look.ctx.wait(what, EXPECTED, LIMIT, || async {
            let left = self.once().await?;
            Ok(match left.split_first() {
                None => Poll::Ready(()),
                Some((first, [])) => Poll::Pending(first.clone()),
                Some((first, more)) => Poll::Pending(format!("{first}; and {} more", more.len())),
            })
        });
        waited.await.map_err(|error| match error.class {
            ErrorClass::TimedOut => error.hint(
                "Whoever put a finalizer on an object must take it off: is that controller running? A load balancer that its \
                 controller has left is deleted in the EC2 console or with `aws elbv2 delete-load-balancer`; a volume that its driver \
                 cannot delete is left with `kubectl patch pv NAME -p '{\"spec\":{\"persistentVolumeReclaimPolicy\":\"Retain\"}}'`. \
                 Nothing was given up: the next run sweeps on.",
            ),
            _ => error,
        })
    }

    /// Begins every end that has not begun; what is still there, and why.
    async fn once(&self) -> Result<Vec<String>, ProviderError> {
        let found = self.look.everything().await?;
        self.balancers.lock().unwrap_or_else(PoisonError::into_inner).extend(found.balancers());
        let mut left = Vec::new();
        for (of, live) in &found.exposed {
            self.end(of, live).await?;
            left.push(format!("{of} is {}", holds(live)));
        }
        left.extend(self.decide(&found.held).await?);
        left.extend(found.going);
        if left.is_empty() {
            // Those who made them have let go of them; AWS shows when they are gone.
            let names = self.balancers.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let interfaces = balancers_left(self.look.ctx, self.ec2, &names).await?;
            left.extend(interfaces.into_iter().map(|it| format!("{it} of a load balancer is still there")));
        }
        Ok(left)
    }

    /// This very object and no other of its name.
    async fn end(&self, of: &Reference, live: &serde_json::Value) -> Result<(), ProviderError> {
        if is_going(live) {
            return Ok(());
        }
        let uid = live["metadata"]["uid"].as_str().unwrap_or_default();
        self.look.kubernetes.delete(self.look.ctx, self.look.cluster, of, uid).await.map(drop)
    }

    /// Does what people decided about volumes; what is still there.
    async fn decide(&self, held: &[Held]) -> Result<Vec<String>, ProviderError> {
        match self.volumes {
            _ if held.is_empty() => Ok(Vec::new()),
            // Made since the plan was: nobody was asked.
            None => {
                let Refusal { reason, hint } = ask(&held.iter().map(|held| &held.volume).collect::<Vec<_>>());
                Err(ProviderError::new(ErrorClass::Invalid, reason).hint(hint.replace("Nothing was deleted. ", "")))
            }
            Some(Volumes::Keep) => {
                for held in held {
                    self.retain(&held.standing).await?;
                }
                Ok(Vec::new())
            }
            Some(Volumes::Delete) => {
                let pods = self.look.list("v1", "Pod").await?;
                let mut left = Vec::new();
                for held in held {
                    let (of, live) = &held.claim;
                    self.end(of, live).await?;
                    let users: Vec<&Thing> = pods.iter().filter(|(_, pod)| uses(pod, of)).collect();
                    for user in &users {
                        self.end_user(user).await?;
                    }
                    let why = users.first().map_or_else(|| holds(live), |(pod, _)| format!("used by {pod}"));
                    left.push(format!("{of} ({}) is {why}", held.volume.id));
                }
                Ok(left)
            }
        }
    }

    /// The volume outlives its claim.
    /// Source: <https://kubernetes.io/docs/tasks/administer-cluster/change-pv-reclaim-policy/>
    async fn retain(&self, (of, live): &Thing) -> Result<(), ProviderError> {
        let wanted = json!({
            "apiVersion": of.api_version, "kind": of.kind,
            "metadata": {"name": of.name, "uid": live["metadata"]["uid"]},
            "spec": {"persistentVolumeReclaimPolicy": "Retain"},
        });
        let Look { kubernetes, ctx, cluster } = self.look;
        kubernetes.apply(ctx, cluster, &wanted, Apply { force: true, dry_run: false }).await??;
        ctx.status(&format!("{of} stays in the account"));
        Ok(())
    }

    /// Ends what would make a pod again, or the pod itself.
    async fn end_user(&self, pod: &Thing) -> Result<(), ProviderError> {
        let (of, live) = self.look.topmost(pod.clone()).await?;
        // A resource of ours goes in its own turn.
        if marks::of_stack(self.look.ctx, &live) {
            return Ok(());
        }
        self.end(&of, &live).await?;
        // Its controller may leave it.
        if is_going(&live) { self.end(&pod.0, &pod.1).await } else { Ok(()) }
    }
}
