//! Hooks of charts: objects that live for a moment before or after a chart's own.
//!
//! A hook that runs at installation is run when the resource is made, one that runs at an
//! upgrade whenever the chart or its values change. Source: <https://helm.sh/docs/topics/charts_hooks/>

use std::time::Duration;

use rayplat_engine::{
    context::{Ctx, Poll},
    dry_run::Tried,
    error::{ErrorClass, ProviderError},
    inputs,
    plan::Plan,
    provider::{Action, Created, Current, Marks, Observed, Provider, Reading, Recovered},
};
use serde_json::Value;

use super::{
    ClusterAccess, Kubernetes,
    api::Apply,
    deletion,
    dry_run::Trial,
    gvk::Reference,
    marks,
    ready::{Readiness, readiness},
};
use crate::aws::Clients;

/// How long a hook may take.
const LIMIT: Duration = Duration::from_secs(20 * 60);

inputs! {
    /// A hook of a chart.
    pub struct HookInputs, HookArgs {
        /// Where.
        pub cluster: ClusterAccess,
        /// What is made.
        pub manifest: Value,
        /// Whether it runs when the chart is installed.
        pub at_install: bool,
        /// Whether it runs when the chart changes.
        pub at_upgrade: bool,
        /// Whether its object goes when it has succeeded.
        pub delete_when_done: bool,
        /// What the chart is made from: another one is an upgrade.
        pub release: String,
    }
}

/// The kind.
pub struct Hook {
    kubernetes: Kubernetes,
}

impl Hook {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { kubernetes: Kubernetes::new(clients) }
    }

    /// Runs it to its end. An object of an earlier run goes first.
    async fn run(&self, ctx: &Ctx, inputs: &HookInputs) -> Result<(), ProviderError> {
        let (cluster, of) = (&inputs.cluster, Reference::of(&inputs.manifest)?);
        self.clear(ctx, inputs).await?;
        let marked = marks::put(&inputs.manifest, &marks::ours(ctx));
        self.kubernetes.apply(ctx, cluster, &marked, Apply::default()).await??;
        ctx.wait(&format!("hook {of}"), Provider::expected(self, Action::Create), LIMIT, || async {
            let Some(live) = self.kubernetes.get(ctx, cluster, &of).await? else {
                // Jobs may have a time to live.
                return Ok(Poll::Ready(()));
            };
            match readiness(&live) {
                Readiness::Ready => Ok(Poll::Ready(())),
                Readiness::Pending(why) => Ok(Poll::Pending(why)),
                Readiness::Failed(why) => {
                    Err(ProviderError::new(ErrorClass::Failed, format!("the hook {of} failed: {why}"))
                        .hint("Its pods' logs say why; its object is left for looking at. The next run tries again."))
                }
            }
        })
        .await?;
        if inputs.delete_when_done { self.clear(ctx, inputs).await } else { Ok(()) }
    }

    /// Deletes the object of an earlier run, if it is ours.
    async fn clear(&self, ctx: &Ctx, inputs: &HookInputs) -> Result<(), ProviderError> {
        let (cluster, of) = (&inputs.cluster, Reference::of(&inputs.manifest)?);
        let Some(live) = self.kubernetes.get(ctx, cluster, &of).await? else { return Ok(()) };
        if !marks::is_ours(ctx, &live) {
            return Err(ProviderError::new(ErrorClass::AlreadyExists, format!("{of} exists already")));
        }
        let uid = live["metadata"]["uid"].as_str().unwrap_or_default();
        self.kubernetes.delete(ctx, cluster, &of, uid).await?;
        deletion::wait(&self.kubernetes, ctx, cluster, &of, Duration::from_secs(5)).await
    }
}

/// Whether a change of the resource is an upgrade that the hook runs at.
fn upgrades(from: &HookInputs, to: &HookInputs) -> bool {
    to.at_upgrade && from.release != to.release
}

impl Provider for Hook {
    type Inputs = HookInputs;
    type Outputs = ();

    const TYPE: &'static str = "kubernetes:Hook";
    const REPLACE_ON: &'static [&'static str] = &["cluster.name", "cluster.endpoint"];

    fn expected(&self, action: Action) -> Duration {
        if action == Action::Delete { Duration::from_secs(1) } else { Duration::from_secs(20) }
    }

    async fn create(&self, ctx: &Ctx, inputs: &HookInputs) -> Result<Created<()>, ProviderError> {
        let of = Reference::of(&inputs.manifest)?;
        if inputs.at_install {
            self.run(ctx, inputs).await?;
        }
        ctx.progress(&of.id());
        Ok(Created { id: of.id(), outputs: () })
    }

    /// What a hook made is nobody's concern once it has run.
    async fn read(&self, _: &Ctx, current: &Current<HookInputs, ()>) -> Reading<HookInputs, ()> {
        Ok(Some(Observed { inputs: current.inputs.clone(), outputs: () }))
    }

    async fn update(&self, ctx: &Ctx, current: &Current<HookInputs, ()>, to: &HookInputs) -> Result<(), ProviderError> {
        if upgrades(&current.inputs, to) { self.run(ctx, to).await } else { Ok(()) }
    }

    async fn dry_run(
        &self,
        ctx: &Ctx,
        prior: Option<&Current<HookInputs, ()>>,
        inputs: &HookInputs,
        plan: &Plan,
    ) -> Result<Tried, ProviderError> {
        if !prior.map_or(inputs.at_install, |prior| upgrades(&prior.inputs, inputs)) {
            return Ok(Tried::Nothing);
        }
        let (cluster, of) = (&inputs.cluster, Reference::of(&inputs.manifest)?);
        let live = self.kubernetes.get(ctx, cluster, &of).await?;
        if live.is_some_and(|live| marks::is_ours(ctx, &live)) {
            return Ok(Tried::Unasked(format!("{of} of an earlier run goes first")));
        }
        Trial { kubernetes: &self.kubernetes, ctx, cluster, plan }.object(&inputs.manifest, None).await
    }

    async fn delete(&self, ctx: &Ctx, current: &Current<HookInputs, ()>) -> Result<(), ProviderError> {
        self.clear(ctx, &current.inputs).await
    }

    /// It can only be run again, and clears what an earlier run left.
    async fn recover(&self, _: &Ctx, _: &HookInputs) -> Result<Recovered, ProviderError> {
        Ok(Recovered::Absent)
    }

    async fn marks(&self, _: &Ctx, _: &Current<HookInputs, ()>) -> Result<Marks, ProviderError> {
        Ok(Marks::Bare)
    }
}
