//! The published charts that the platform is made of: which versions, with which values, and an
//! outline of each for rehearsals, which have neither Helm nor a network.
//!
//! Of every container's CPU there is a request and no limit: a limit throttles a controller just
//! when there is much to do, and where nobody asks for more it saves nothing. Of memory the limit
//! is the request, so that nobody is evicted for what others take.

mod cluster_autoscaler;
mod device_plugin;
mod kuberay;
mod parts;
mod termination_handler;
#[cfg(test)]
mod tests;
mod velero;

use rayplat_engine::value::Expr;
use serde_json::{Value, json};

pub use cluster_autoscaler::{ClusterAutoscaler, NodeGroupNames};
pub use device_plugin::DevicePlugin;
pub use kuberay::KubeRay;
pub use termination_handler::{Mode, TerminationHandler};
pub use velero::Velero;

use super::{
    ChartError, ChartProblem, ChartSpec, Rendered, Source,
    objects::{About, finish, read},
    placeholder::{Placeholders, Wording},
    yaml::Document,
};

/// A chart that somebody publishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Its name.
    pub chart: &'static str,
    /// Its repository.
    pub repository: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The version of what it installs.
    pub app_version: &'static str,
}

/// The KubeRay operator, with its CRDs.
pub const KUBERAY: Published = Published {
    chart: "kuberay-operator",
    repository: "https://ray-project.github.io/kuberay-helm",
    version: "1.7.0",
    app_version: "v1.7.0",
};

/// The cluster autoscaler.
pub const CLUSTER_AUTOSCALER: Published = Published {
    chart: "cluster-autoscaler",
    repository: "https://kubernetes.github.io/autoscaler",
    version: "9.59.0",
    app_version: "1.35.0",
};

/// The NVIDIA device plugin.
pub const DEVICE_PLUGIN: Published = Published {
    chart: "nvidia-device-plugin",
    repository: "https://nvidia.github.io/k8s-device-plugin",
    version: "0.20.1",
    app_version: "0.20.1",
};

/// The AWS node termination handler.
pub const TERMINATION_HANDLER: Published = Published {
    chart: "aws-node-termination-handler",
    repository: "https://aws.github.io/eks-charts",
    version: "0.27.6",
    app_version: "1.25.6",
};

/// Velero.
pub const VELERO: Published = Published {
    chart: "velero",
    repository: "https://vmware-tanzu.github.io/helm-charts",
    version: "12.1.0",
    app_version: "1.18.1",
};

impl Published {
    /// The chart under its own name, with these values.
    fn spec(&self, namespace: &str, kube_version: &str, values: Expr) -> ChartSpec {
        let spec = ChartSpec::new(self.chart, namespace, self.chart, self.repository, self.version, kube_version);
        ChartSpec { values, ..spec }
    }
}

/// From a specification and its values, with placeholders, to manifests.
type Outline = fn(&ChartSpec, &Value) -> Vec<Value>;

/// What a published chart comes to, without Helm and without the chart: its kinds, names, labels
/// and what makes objects ready, with the values that the specification has.
///
/// # Errors
/// There is no outline of this chart, or only of another version.
pub fn outline(spec: &ChartSpec) -> Result<Rendered, ChartError> {
    let all: [(Published, Outline); 5] = [
        (KUBERAY, kuberay::outline),
        (CLUSTER_AUTOSCALER, cluster_autoscaler::outline),
        (DEVICE_PLUGIN, device_plugin::outline),
        (TERMINATION_HANDLER, termination_handler::outline),
        (VELERO, velero::outline),
    ];
    let found = all.into_iter().find(|(published, _)| published.chart == spec.chart);
    let (published, outline) = found.filter(|(published, _)| published.version == spec.version).ok_or_else(|| {
        let known: Vec<_> = all.iter().map(|(known, _)| format!("{} {}", known.chart, known.version)).collect();
        let message = format!("there is no outline of the chart {}", spec.label());
        let hint = format!("Rehearse with Helm and the chart at hand, or with one of: {}.", known.join(", "));
        ChartError::new(ChartProblem::NotFound, message, hint)
    })?;
    let (values, placeholders) = Placeholders::replace(&spec.values, Wording::First);
    let template = format!("{} (outline)", published.chart);
    let documents =
        outline(spec, &values).into_iter().map(|value| Document { source: Some(template.clone()), value }).collect();
    let mut notes = Vec::new();
    let found = read(spec, &placeholders, documents, Wording::First, &mut notes)?;
    let about = About {
        source: Source::Outline,
        digest: None,
        version: published.version.to_owned(),
        app_version: Some(published.app_version.to_owned()),
    };
    finish(spec, about, found, notes)
}

/// JSON in which some texts stand for expressions.
fn fill(value: Value, holes: &[(&str, &Expr)]) -> Expr {
    match value {
        Value::String(text) => {
            let hole = holes.iter().find(|(name, _)| *name == text);
            hole.map_or_else(|| Expr::Value(text.into()), |(_, expr)| (*expr).clone())
        }
        Value::Array(items) => Expr::List(items.into_iter().map(|item| fill(item, holes)).collect()),
        Value::Object(map) => {
            Expr::Object(map.into_iter().map(|(key, value)| (Expr::Value(key.into()), fill(value, holes))).collect())
        }
        other => Expr::Value(other),
    }
}

/// Where a role is put on a service account.
/// Source: <https://docs.aws.amazon.com/eks/latest/userguide/associate-service-account-role.html>
const ROLE: &str = "eks.amazonaws.com/role-arn";

/// A hole for the role's ARN.
const ROLE_HOLE: &str = "<role>";

/// Annotations of a service account: the role where it is bound by the issuer, none where Pod
/// Identity hands it out.
fn role_annotations(role: Option<&Expr>) -> Value {
    role.map_or_else(|| json!({}), |_| json!({ROLE: ROLE_HOLE}))
}

/// Requests, and the memory's limit.
fn resources(cpu: &str, memory: &str) -> Value {
    json!({"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}})
}

/// What every container can do without.
fn confined() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
    })
}
