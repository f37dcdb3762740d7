//! A private endpoint that cannot be reached from here is said before anything is made.

use rayplat_engine::{
    error::{ErrorClass, ProviderError},
    urn::Urn,
};
use rayplat_resources::{
    aws::Clients,
    kubernetes::reach::{self, Reach},
    platform::manifest::{Resolved, ResolvedNetwork},
};

use crate::{exit::Failure, setup::World};

const WAYS: &str = "Run rayplat inside the VPC (CI runners, an instance, CloudShell in the VPC); or let your address in: \
                    cluster.endpoint: {public: true, public_cidrs: [YOUR_ADDRESS/32]}; or, where a VPN, peering or Direct Connect leads \
                    there, say so: cluster.endpoint: {routed: true}. An empty cluster needs none of it: kubernetes: {enabled: false}.";

/// Why what stands or will stand in the cluster cannot be reached from here; `None` if it can,
/// or nothing is there to reach.
pub async fn obstacle(world: &World) -> Result<Option<ProviderError>, Failure> {
    let manifest = &world.loaded.manifest;
    // An emulated account answers for its clusters.
    let emulated = world.rehearsal.is_some() || world.clients.endpoint.is_some();
    if emulated || !manifest.kubernetes.enabled {
        return Ok(None);
    }
    find(manifest, &world.clients, endpoint(world).as_deref()).await
}

/// The same of a cluster on AWS that stands at this endpoint, or is to be made.
pub async fn find(
    manifest: &Resolved,
    clients: &Clients,
    standing: Option<&str>,
) -> Result<Option<ProviderError>, Failure> {
    let found = match standing {
        Some(endpoint) => reach::standing(endpoint).await,
        None if manifest.cluster.endpoint.public || manifest.cluster.endpoint.routed => Reach::Yes,
        None => match &manifest.network {
            ResolvedNetwork::Existing { vpc_id, .. } => reach::in_vpc(clients, vpc_id).await?,
            ResolvedNetwork::Create { .. } => {
                Reach::No("the platform's own VPC does not stand yet, so this machine is not in it".to_owned())
            }
        },
    };
    Ok(match found {
        Reach::Yes => None,
        Reach::No(why) => Some(
            ProviderError::new(
                ErrorClass::Ambiguous,
                format!("the Kubernetes API of {} cannot be reached from here: {why}", manifest.name),
            )
            .hint(WAYS),
        ),
    })
}

/// Whether the state has anything that stands in the cluster.
pub fn anything_inside(world: &World) -> bool {
    world.state.objects.values().any(|object| object.urn.kind().starts_with("kubernetes:"))
}

/// The endpoint of the cluster that the state knows.
fn endpoint(world: &World) -> Option<String> {
    let urn = Urn::new("aws:eks:Cluster", "main").ok()?;
    Some(world.state.current(&urn)?.outputs.get("endpoint")?.as_str()?.to_owned())
}
