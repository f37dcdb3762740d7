//! Helm charts as resources of the graph: a chart of a pinned version is rendered by Helm while the
//! stack is built, and each object of it becomes a resource of its own.
//!
//! Helm renders, and that is all that it does here: it never talks to a cluster, keeps no release
//! in one, and its plugins, caches and settings on this machine are out of sight.

mod fetch;
mod helm;
mod hooks;
mod objects;
pub mod order;
mod placeholder;
pub mod published;
mod render;
mod scope;
#[cfg(test)]
mod tests;
mod yaml;

use rayplat_engine::{
    error::{ErrorClass, ProviderError},
    value::Expr,
};
use serde_json::Value;

pub use fetch::{Fetched, fetch, is_cached};
pub use helm::{Helm, HelmEnvironment};
pub use render::render;

/// A chart as a platform wants it.
#[derive(Debug, Clone, PartialEq)]
pub struct ChartSpec {
    /// The release: part of the names of most objects. A DNS label of 53 characters at most.
    pub name: String,
    /// The namespace of objects that name none.
    pub namespace: String,
    /// The chart's name in its repository; without a repository, the path of a folder or `.tgz`.
    pub chart: String,
    /// `https://` or `oci://`; empty for a chart on this machine.
    pub repository: String,
    /// The chart's version, exactly; may be empty for a chart on this machine.
    pub version: String,
    /// Values, an object; may refer to outputs of resources.
    pub values: Expr,
    /// Leaves out what is in the chart's `crds` folder.
    pub skip_crds: bool,
    /// What the chart is told of the cluster: `1.35`.
    pub kube_version: String,
    /// What the chart is told of further APIs in the cluster: `monitoring.coreos.com/v1`.
    pub api_versions: Vec<String>,
}

impl ChartSpec {
    /// A chart of a repository, without values.
    pub fn new(name: &str, namespace: &str, chart: &str, repository: &str, version: &str, kube_version: &str) -> Self {
        Self {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
            chart: chart.to_owned(),
            repository: repository.to_owned(),
            version: version.to_owned(),
            values: Expr::Value(Value::Object(serde_json::Map::new())),
            skip_crds: false,
            kube_version: kube_version.to_owned(),
            api_versions: Vec::new(),
        }
    }

    /// The chart with its version, for messages.
    pub fn label(&self) -> String {
        format!("{} {}", self.chart, self.version).trim_end().to_owned()
    }
}

/// Where rendered objects come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A table of this program's: for rehearsals without Helm or a network. Kinds and names are
    /// the chart's; what else stands in the objects is an outline.
    Outline,
    /// The chart itself.
    Helm {
        /// Helm's version, `v4.3`.
        version: String,
    },
}

/// What a chart comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Rendered {
    /// What was asked for.
    pub spec: ChartSpec,
    /// Where the objects come from.
    pub source: Source,
    /// `sha256:` and the digest of the chart's archive; `None` for an outline.
    pub digest: Option<String>,
    /// The chart's version.
    pub version: String,
    /// The version of what the chart installs, if the chart says it.
    pub app_version: Option<String>,
    /// The objects, in Helm's order of kinds: each stands after all that it waits for.
    pub objects: Vec<RenderedObject>,
    /// Install and upgrade hooks, in the order in which they run.
    pub hooks: Vec<Hook>,
    /// What was left out or assumed, in words.
    pub notes: Vec<String>,
}

/// An object of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct RenderedObject {
    /// `apps/v1`.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// `None` for kinds of the cluster as a whole.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// The whole manifest, namespace and name included; may refer to outputs of resources.
    pub manifest: Expr,
    /// The template that it comes from: `demo/templates/role.yaml`.
    pub template: String,
    /// The chart asks to keep it when the chart goes (`helm.sh/resource-policy: keep`).
    pub keep: bool,
}

impl RenderedObject {
    /// The API group; empty for the core's.
    pub fn group(&self) -> &str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }
}

impl std::fmt::Display for RenderedObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// An object that Helm would make for a moment in a release's life.
/// Source: <https://helm.sh/docs/topics/charts_hooks/>
#[derive(Debug, Clone, PartialEq)]
pub struct Hook {
    /// What is made.
    pub object: RenderedObject,
    /// When; at least one.
    pub events: Vec<HookEvent>,
    /// Lower ones run first.
    pub weight: i32,
    /// When it is deleted; never empty.
    pub delete: Vec<HookDelete>,
}

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HookEvent {
    /// Before the chart's objects are made.
    PreInstall,
    /// When all of them stand.
    PostInstall,
    /// Before any of them is changed.
    PreUpgrade,
    /// When all of them are changed.
    PostUpgrade,
}

/// When a hook's object is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HookDelete {
    /// Before it is made anew; Helm's default.
    BeforeCreation,
    /// When it has succeeded.
    Succeeded,
    /// When it has failed.
    Failed,
}

/// What kind of trouble a chart is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChartProblem {
    /// There is no Helm on this machine.
    NoHelm,
    /// Helm is too old, or it is no Helm.
    OldHelm,
    /// The repository cannot be reached.
    Network,
    /// The repository has no such chart or version, or the path is none.
    NotFound,
    /// The specification cannot be right.
    Spec,
    /// Helm refused to render the chart.
    Template,
    /// What was rendered cannot be used.
    Rendered,
    /// This machine's disk.
    Disk,
}

/// Why a chart cannot be had or rendered, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ChartError {
    /// What kind of trouble it is.
    pub problem: ChartProblem,
    /// What is wrong, and where.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl ChartError {
    fn new(problem: ChartProblem, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { problem, message: message.into(), hint: hint.into() }
    }
}

impl From<ChartError> for ProviderError {
    fn from(error: ChartError) -> Self {
        let class = match error.problem {
            ChartProblem::NotFound => ErrorClass::NotFound,
            ChartProblem::Network => ErrorClass::Ambiguous,
            _ => ErrorClass::Invalid,
        };
        Self::new(class, error.message).hint(error.hint)
    }
}
