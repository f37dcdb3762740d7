//! The moment from which a cluster lets us in: what stands in it waits for this one node.

use std::time::Duration;

use rayplat_engine::{
    context::{Ctx, Poll},
    error::{ErrorClass, ProviderError},
    inputs, outputs,
    provider::{Action, Created, Current, Marks, Observed, Provider, Reading, Recovered},
};

use super::{ClusterAccess, Kubernetes};
use crate::aws::Clients;

/// An access entry is known to the API server within seconds, its policy a little later.
const LIMIT: Duration = Duration::from_secs(180);

inputs! {
    /// The way into a cluster.
    pub struct EntryInputs, EntryArgs {
        /// Its API.
        pub cluster: ClusterAccess,
    }
}

outputs! {
    /// The way into a cluster that lets us in.
    pub struct EntryOutputs, EntryRefs {
        /// Its API.
        pub access: ClusterAccess,
    }
}

/// The kind. It makes nothing: it only waits.
pub struct Entry {
    kubernetes: Kubernetes,
}

impl Entry {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { kubernetes: Kubernetes::new(clients) }
    }
}

impl Provider for Entry {
    type Inputs = EntryInputs;
    type Outputs = EntryOutputs;

    const TYPE: &'static str = "kubernetes:Entry";
    const REPLACE_ON: &'static [&'static str] = &["cluster.name", "cluster.endpoint"];
    const CHANGES_ON_UPDATE: &'static [&'static str] = &["access"];

    fn expected(&self, action: Action) -> Duration {
        if action == Action::Create { Duration::from_secs(10) } else { Duration::from_millis(100) }
    }

    async fn create(&self, ctx: &Ctx, inputs: &EntryInputs) -> Result<Created<EntryOutputs>, ProviderError> {
        let expected = Provider::expected(self, Action::Create);
        ctx.wait("the cluster's API", expected, LIMIT, || async {
            match self.kubernetes.may_do_everything(ctx, &inputs.cluster).await {
                Ok(true) => Ok(Poll::Ready(())),
                Ok(false) => Ok(Poll::Pending("the access policy is not in force yet".to_owned())),
                Err(error) if error.class == ErrorClass::Denied => Ok(Poll::Pending(error.to_string())),
                Err(error) => Err(error),
            }
        })
        .await
        .map_err(|error| match error.class {
            ErrorClass::TimedOut => error.hint(
                "The caller needs an access entry with the policy AmazonEKSClusterAdminPolicy: add its role to cluster.admins and \
                 let someone who is in run `rayplat up`.",
            ),
            _ => error,
        })?;
        ctx.progress(&inputs.cluster.name);
        Ok(Created { id: inputs.cluster.name.clone(), outputs: EntryOutputs { access: inputs.cluster.clone() } })
    }

    /// Nothing of it stands anywhere: the cluster's own node tells whether that is gone.
    async fn read(&self, _: &Ctx, current: &Current<EntryInputs, EntryOutputs>) -> Reading<EntryInputs, EntryOutputs> {
        Ok(Some(Observed { inputs: current.inputs.clone(), outputs: current.outputs.clone() }))
    }

    async fn update(
        &self,
        _: &Ctx,
        _: &Current<EntryInputs, EntryOutputs>,
        to: &EntryInputs,
    ) -> Result<EntryOutputs, ProviderError> {
        Ok(EntryOutputs { access: to.cluster.clone() })
    }

    async fn delete(&self, _: &Ctx, _: &Current<EntryInputs, EntryOutputs>) -> Result<(), ProviderError> {
        Ok(())
    }

    /// It can only be gone through again.
    async fn recover(&self, _: &Ctx, _: &EntryInputs) -> Result<Recovered, ProviderError> {
        Ok(Recovered::Absent)
    }

    async fn marks(&self, _: &Ctx, _: &Current<EntryInputs, EntryOutputs>) -> Result<Marks, ProviderError> {
        Ok(Marks::Bare)
    }
}
