//! The names of what EKS has, page by page: for finding a stack's objects by their tags.

use aws_sdk_eks::Client;
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::ProviderError,
};

use super::{STACK_TAG, call, eks::from_tag_map, found};

/// Every page of a list; `$request` is the request without its token.
macro_rules! pages {
    ($ctx:expr, $operation:literal, $request:expr, $list:ident) => {{
        let mut names = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let page = call($ctx, "eks", $operation, Repeat::Safe, || $request.set_next_token(token.clone()).send());
            // What stood in a cluster that has just gone is gone too.
            let Some(page) = found(page.await)? else { break };
            names.extend(page.$list().iter().cloned());
            token = page.next_token().map(str::to_owned);
            if token.is_none() {
                break;
            }
        }
        Ok(names)
    }};
}

pub(super) async fn cluster_names(ctx: &Ctx, eks: &Client) -> Result<Vec<String>, ProviderError> {
    pages!(ctx, "ListClusters", eks.list_clusters(), clusters)
}

pub(super) async fn node_group_names(ctx: &Ctx, eks: &Client, cluster: &str) -> Result<Vec<String>, ProviderError> {
    pages!(ctx, "ListNodegroups", eks.list_nodegroups().cluster_name(cluster), nodegroups)
}

pub(super) async fn addon_names(ctx: &Ctx, eks: &Client, cluster: &str) -> Result<Vec<String>, ProviderError> {
    pages!(ctx, "ListAddons", eks.list_addons().cluster_name(cluster), addons)
}

/// The principals that have an access entry.
pub(super) async fn principals(ctx: &Ctx, eks: &Client, cluster: &str) -> Result<Vec<String>, ProviderError> {
    pages!(ctx, "ListAccessEntries", eks.list_access_entries().cluster_name(cluster), access_entries)
}

/// The ids of Pod Identity associations.
pub(super) async fn association_ids(ctx: &Ctx, eks: &Client, cluster: &str) -> Result<Vec<String>, ProviderError> {
    let (mut ids, mut token) = (Vec::new(), None::<String>);
    loop {
        let page = call(ctx, "eks", "ListPodIdentityAssociations", Repeat::Safe, || {
            eks.list_pod_identity_associations().cluster_name(cluster).set_next_token(token.clone()).send()
        });
        let Some(page) = found(page.await)? else { return Ok(ids) };
        ids.extend(
            page.associations().iter().filter_map(|association| association.association_id()).map(str::to_owned),
        );
        token = page.next_token().map(str::to_owned);
        if token.is_none() {
            return Ok(ids);
        }
    }
}

/// The clusters that carry the stack's tag, whatever resource they are of.
pub(super) async fn clusters_of_stack(ctx: &Ctx, eks: &Client) -> Result<Vec<String>, ProviderError> {
    let mut ours = Vec::new();
    for name in cluster_names(ctx, eks).await? {
        let answer = call(ctx, "eks", "DescribeCluster", Repeat::Safe, || eks.describe_cluster().name(&name).send());
        let cluster = found(answer.await)?.and_then(|answer| answer.cluster);
        let tags = from_tag_map(cluster.as_ref().and_then(|cluster| cluster.tags()));
        if tags.get(STACK_TAG).is_some_and(|stack| stack == ctx.stack()) {
            ours.push(name);
        }
    }
    Ok(ours)
}
