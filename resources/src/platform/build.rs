//! From a manifest to a stack: which resources the platform has and what each is made
//! from. Every edge here is a true one: it costs time in every run.

use rayplat_engine::{
    stack::{Added, Stack, StackError},
    value::Expr,
};

use super::{
    addons, cluster, components, identity,
    in_cluster::{self, Charts},
    manifest::{Resolved, types::Environment},
    network, outputs, pools,
    source::Source,
};
use crate::aws::Tags;

/// Where the platform is built.
#[derive(Debug, Clone)]
pub struct Setting {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// Twelve digits.
    pub account: String,
    /// E.g. `us-east-1`.
    pub region: String,
    /// The caller as an IAM principal: a user's or role's ARN with its path, no session.
    pub caller_arn: String,
    /// The zones of a network of the platform's own, the one of a single NAT gateway first:
    /// see [`super::Standing::choose`]. Not used for one that exists.
    pub zones: Vec<String>,
}

/// A platform, ready for the engine.
#[derive(Debug, Clone)]
pub struct Platform {
    /// Its resources.
    pub stack: Stack,
    /// Its outputs, in the order in which they are shown.
    pub outputs: Vec<(String, Expr)>,
}

/// What the parts of the platform are built with.
pub(super) struct Builder<'a> {
    pub manifest: &'a Resolved,
    pub setting: &'a Setting,
    pub source: &'a Source,
    pub charts: &'a Charts,
    pub stack: Stack,
}

impl Builder<'_> {
    /// The tags of every resource that takes tags.
    pub fn tags(&self) -> Tags {
        let mut tags = self.instance_tags();
        if let Some(repository) = &self.source.repository {
            tags.entry("Repository".to_owned()).or_insert_with(|| repository.clone());
        }
        tags
    }

    /// The cluster's tags: the commit stands there alone.
    pub fn cluster_tags(&self) -> Tags {
        let mut tags = self.tags();
        if let Some(commit) = &self.source.commit {
            tags.entry("Commit".to_owned()).or_insert_with(|| commit.clone());
        }
        tags
    }

    /// The tags that launch templates give to instances: nothing that a run finds out by
    /// itself, because another value would roll the nodes.
    pub fn instance_tags(&self) -> Tags {
        let mut tags: Tags = self.manifest.tags.clone().into_iter().collect();
        tags.entry("Environment".to_owned()).or_insert_with(|| environment(self.manifest.environment).to_owned());
        tags.entry("ManagedBy".to_owned()).or_insert_with(|| "rayplat".to_owned());
        tags
    }

    /// The cluster's name, which begins the names of everything else.
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// A policy by the name of an AWS-managed one, or by its ARN.
    pub fn managed_policy(&self, name: &str) -> String {
        if name.starts_with("arn:") {
            return name.to_owned();
        }
        format!("arn:{}:iam::aws:policy/{name}", self.setting.partition)
    }

    /// `urn` must wait for each of `others`; the call says why.
    pub fn after<P: rayplat_engine::provider::Provider>(
        &mut self,
        added: &Added<P>,
        others: impl IntoIterator<Item = rayplat_engine::urn::Urn>,
    ) -> Result<(), StackError> {
        others.into_iter().try_for_each(|other| self.stack.after(&added.urn, &other))
    }
}

/// Builds the platform of a manifest.
///
/// # Errors
/// Never for a manifest that was loaded; a mistake in this crate otherwise.
pub fn build(manifest: &Resolved, setting: &Setting) -> Result<Platform, StackError> {
    build_from(manifest, setting, &Source::default(), &Charts::default())
}

/// The same, noting in tags where the manifest comes from, with charts that were rendered:
/// see [`super::charts`].
///
/// # Errors
/// As for [`build`].
pub fn build_from(
    manifest: &Resolved,
    setting: &Setting,
    source: &Source,
    charts: &Charts,
) -> Result<Platform, StackError> {
    let mut builder = Builder { manifest, setting, source, charts, stack: Stack::new(&manifest.name) };
    let network = network::build(&mut builder)?;
    let identity = identity::build(&mut builder, &network)?;
    let cluster = cluster::build(&mut builder, &identity, &network)?;
    let components = components::build(&mut builder, &cluster)?;
    let templates = pools::templates(&mut builder, &identity, &cluster)?;
    let mut addons = addons::before_nodes(&mut builder, &cluster)?;
    let before_nodes: Vec<_> = addons.values().map(|addon| addon.urn.clone()).collect();
    let pools = pools::node_groups(&mut builder, &identity, &network, &cluster, &templates, &before_nodes)?;
    addons.extend(addons::after_nodes(&mut builder, &cluster, &pools)?);
    in_cluster::build(&mut builder, &cluster, &pools, &addons)?;
    let mut outputs = outputs::outputs(&builder, &identity, &cluster, &components, &pools);
    outputs.extend(network.outputs);
    Ok(Platform { stack: builder.stack, outputs })
}

fn environment(environment: Environment) -> &'static str {
    match environment {
        Environment::Production => "production",
        Environment::Staging => "staging",
        Environment::Dev => "dev",
    }
}
