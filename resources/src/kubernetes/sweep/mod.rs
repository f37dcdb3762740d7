//! What people made through the cluster and what would outlive it in the account: load balancers
//! of their Services and Ingresses, volumes of their claims.
//!
//! A resource of the graph for its place there: it stands for nothing, and goes before what its end
//! needs alive (nodes, add-ons, the operator), after what is ours and has volumes or load
//! balancers. Only a run that destroys everything sweeps: the cluster goes, and all in it. Where
//! the cluster stays, or makes room for another, nothing of other people's is touched.

mod found;
mod run;

use std::time::Duration;

use rayplat_engine::{
    context::Ctx,
    error::ProviderError,
    inputs,
    ops::Engine,
    outputs,
    plan::{Along, Planning},
    provider::{Action, Created, Current, Marks, Observed, Provider, Reading, Recovered, Refusal},
};
use serde::{Deserialize, Serialize};

use super::{ClusterAccess, Kubernetes};
use crate::aws::Clients;
use found::{Found, Look};
use run::Run;

/// The question that a plan asks where claims have volumes.
const QUESTION: &str = "volumes";

/// What becomes of volumes that go with their claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volumes {
    /// They stay in the account.
    Keep,
    /// They are destroyed, with their claims and what uses them.
    Delete,
}

impl Volumes {
    /// The engine whose [`Engine::down`] does this with them.
    #[must_use]
    pub fn decided(self, engine: Engine) -> Engine {
        engine.deciding(QUESTION, if self == Self::Keep { "keep" } else { "delete" })
    }

    fn of(answer: Option<&str>) -> Option<Self> {
        match answer {
            Some("keep") => Some(Self::Keep),
            Some("delete") => Some(Self::Delete),
            _ => None,
        }
    }

    /// What the run was told.
    pub(super) fn of_run(ctx: &Ctx) -> Option<Self> {
        Self::of(ctx.decided(QUESTION))
    }
}

inputs! {
    /// The sweep of a cluster.
    pub struct SweepInputs, SweepArgs {
        /// Its API.
        pub cluster: ClusterAccess,
    }
}

outputs! {
    /// What was found in a cluster that is to go.
    pub struct SweepOutputs, SweepRefs {
        /// Services and Ingresses with a load balancer, for people.
        pub exposed: Vec<String>,
        /// The names of these load balancers, those of earlier runs included: the network
        /// interfaces of one outlive what it was made for.
        pub balancers: Vec<String>,
        /// Volumes.
        pub volumes: Vec<Volume>,
    }
}

/// A volume of a claim that is not the platform's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Volume {
    /// What it is in the account: `vol-…`.
    pub id: String,
    /// Its claim: `NAMESPACE/NAME`.
    pub claim: String,
    /// E.g. `20Gi`.
    pub size: String,
    /// Whether it stays when its claim goes, by its reclaim policy.
    pub stays: bool,
}

impl std::fmt::Display for Volume {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({}, claim {})", self.id, self.size, self.claim)
    }
}

/// People have to say what becomes of their data.
fn ask(volumes: &[&Volume]) -> Refusal {
    let named: Vec<String> = volumes.iter().map(ToString::to_string).collect();
    let (what, are) = if named.len() == 1 { ("a volume", "is") } else { ("volumes", "are") };
    Refusal::new(
        format!(
            "{what} of claims that this platform did not make {are} in the cluster that is to go: {}",
            named.join(", ")
        ),
        "Nothing was deleted. Say what becomes of the data: `rayplat down --keep-volumes` leaves the volumes in the account, where \
         they cost as before; `rayplat down --delete-volumes` destroys them, their claims and what uses them.",
    )
}

/// The kind.
pub struct Sweep {
    kubernetes: Kubernetes,
    ec2: aws_sdk_ec2::Client,
}

impl Sweep {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { kubernetes: Kubernetes::new(clients), ec2: clients.ec2.clone() }
    }

    fn look<'a>(&'a self, ctx: &'a Ctx, cluster: &'a ClusterAccess) -> Look<'a> {
        Look { kubernetes: &self.kubernetes, ctx, cluster }
    }
}

/// What was found, with the load balancers that were known before.
fn told(found: &Found, before: &SweepOutputs) -> SweepOutputs {
    let mut balancers = found.balancers();
    balancers.extend(before.balancers.iter().cloned());
    let held = found.held.iter().map(|held| &held.volume);
    SweepOutputs {
        exposed: found.exposed.iter().map(found::exposed_as).collect(),
        balancers: balancers.into_iter().collect(),
        volumes: held.chain(&found.kept).cloned().collect(),
    }
}

impl Provider for Sweep {
    type Inputs = SweepInputs;
    type Outputs = SweepOutputs;

    const TYPE: &'static str = "kubernetes:Sweep";
    const REPLACE_ON: &'static [&'static str] = &["cluster.name", "cluster.endpoint"];

    fn expected(&self, action: Action) -> Duration {
        if action == Action::Delete { Duration::from_secs(2) } else { Duration::from_millis(100) }
    }

    fn goes_along(&self, outputs: &SweepOutputs, planning: &Planning) -> Result<Vec<Along>, Refusal> {
        if !planning.everything {
            return Ok(Vec::new());
        }
        let decided = Volumes::of(planning.decided.get(QUESTION).map(String::as_str));
        let open: Vec<&Volume> = outputs.volumes.iter().filter(|volume| !volume.stays).collect();
        if decided.is_none() && !open.is_empty() {
            return Err(ask(&open));
        }
        let exposed = outputs.exposed.iter().map(|what| Along { what: what.clone(), stays: false });
        let keeps = |volume: &Volume| volume.stays || decided == Some(Volumes::Keep);
        let volumes = outputs.volumes.iter().map(|it| Along { what: format!("volume {it}"), stays: keeps(it) });
        Ok(exposed.chain(volumes).collect())
    }

    async fn create(&self, ctx: &Ctx, inputs: &SweepInputs) -> Result<Created<SweepOutputs>, ProviderError> {
        ctx.progress(&inputs.cluster.name);
        Ok(Created { id: inputs.cluster.name.clone(), outputs: SweepOutputs::default() })
    }

    /// Nothing of it stands anywhere. What there is to sweep is looked for when that matters.
    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<SweepInputs, SweepOutputs>,
    ) -> Reading<SweepInputs, SweepOutputs> {
        let outputs = if ctx.everything_goes() {
            told(&self.look(ctx, &current.inputs.cluster).everything().await?, &current.outputs)
        } else {
            current.outputs.clone()
        };
        Ok(Some(Observed { inputs: current.inputs.clone(), outputs }))
    }

    async fn update(
        &self,
        _: &Ctx,
        current: &Current<SweepInputs, SweepOutputs>,
        _: &SweepInputs,
    ) -> Result<SweepOutputs, ProviderError> {
        Ok(current.outputs.clone())
    }

    async fn delete(&self, ctx: &Ctx, current: &Current<SweepInputs, SweepOutputs>) -> Result<(), ProviderError> {
        if !ctx.everything_goes() {
            return Ok(());
        }
        let look = self.look(ctx, &current.inputs.cluster);
        Run::new(look, &self.ec2, &current.outputs.balancers).to_the_end().await
    }

    /// It can only be made again.
    async fn recover(&self, _: &Ctx, _: &SweepInputs) -> Result<Recovered, ProviderError> {
        Ok(Recovered::Absent)
    }

    async fn marks(&self, _: &Ctx, _: &Current<SweepInputs, SweepOutputs>) -> Result<Marks, ProviderError> {
        Ok(Marks::Bare)
    }
}

#[cfg(all(test, feature = "rehearsal"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use rayplat_engine::provider::DynProvider;
    use serde_json::json;

    use super::*;
    use crate::rehearsal::{Rehearsal, Seed};

    fn planning(everything: bool, answer: Option<&str>) -> Planning {
        let decided = answer.map(|answer| (QUESTION.to_owned(), answer.to_owned())).into_iter().collect();
        Planning { everything, decided, ..Planning::default() }
    }

    #[test]
    fn people_decide_about_their_data_and_see_what_goes() {
        let seed = Seed { account_id: "123456789012".to_owned(), region: "us-east-1".to_owned(), seed: 1 };
        let kind = Sweep::new(&Rehearsal::in_memory(&seed, 0).clients());
        let volume = |id: &str, stays: bool| json!({"id": id, "claim": "team/data", "size": "20Gi", "stays": stays});
        let outputs = json!({
            "exposed": ["Service team/web with the load balancer a1"],
            "volumes": [volume("vol-1", false), volume("vol-2", true)],
        });
        let along = |asked: &Planning| {
            let along = DynProvider::goes_along(&kind, &outputs, asked);
            along.map(|all| all.into_iter().map(|one| (one.what, one.stays)).collect::<Vec<_>>())
        };
        let refusal = along(&planning(true, None)).unwrap_err();
        assert!(refusal.reason.ends_with("vol-1 (20Gi, claim team/data)"), "{}", refusal.reason);
        assert!(refusal.hint.contains("--keep-volumes") && refusal.hint.contains("--delete-volumes"));
        for (answer, stays) in [("keep", true), ("delete", false)] {
            let expected = [
                ("Service team/web with the load balancer a1".to_owned(), false),
                ("volume vol-1 (20Gi, claim team/data)".to_owned(), stays),
                ("volume vol-2 (20Gi, claim team/data)".to_owned(), true),
            ];
            assert_eq!(along(&planning(true, Some(answer))).unwrap(), expected);
        }
        // The cluster stays.
        assert_eq!(along(&planning(false, None)).unwrap(), []);
    }
}
