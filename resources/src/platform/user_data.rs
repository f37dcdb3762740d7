//! What instances are told when they boot.
//!
//! Amazon Linux 2023 reads a `NodeConfig` in MIME multipart, Bottlerocket reads TOML. EKS
//! merges the join configuration into both, except for an image of one's own: then all of it
//! stands here, made of the cluster's outputs.
//! Source: <https://awslabs.github.io/amazon-eks-ami/nodeadm/doc/api/>,
//! <https://bottlerocket.dev/en/os/latest/api/settings/kubernetes/>

use rayplat_engine::{input::Input, value::Expr};

use super::{
    cluster::ClusterParts,
    instance_types,
    manifest::{ResolvedPool as Pool, types::TaintEffect},
};

/// The user data of a pool's template; `None` when there is nothing to say.
pub(super) fn user_data(name: &str, pool: &Pool, cluster: &ClusterParts) -> Input<Option<String>> {
    let told =
        Told { pool, name, cluster: pool.image_id.is_some().then_some(cluster), stores: uses_instance_stores(pool) };
    let text = if pool.ami.is_bottlerocket() { told.toml() } else { told.node_config() };
    text.into_input()
}

/// Whether instance stores hold what pods write: they become one RAID0 for the kubelet,
/// containerd and pods, so that spilled objects and images go there and not to the root volume.
pub(crate) fn uses_instance_stores(pool: &Pool) -> bool {
    pool.instance_types.iter().all(|name| instance_types::has_instance_store(name))
}

struct Told<'a> {
    pool: &'a Pool,
    name: &'a str,
    /// Set when the node must be told how to join.
    cluster: Option<&'a ClusterParts>,
    stores: bool,
}

impl Told<'_> {
    fn node_config(&self) -> Text {
        let mut spec = Text::default();
        if let Some(cluster) = self.cluster {
            let out = &cluster.cluster.out;
            spec.line("  cluster:");
            spec.with("    name: ", out.name().expr(), "");
            spec.with("    apiServerEndpoint: ", out.endpoint().expr(), "");
            spec.with("    certificateAuthority: ", out.certificate_authority().expr(), "");
            spec.with("    cidr: ", out.service_cidr().expr(), "");
        }
        if self.cluster.is_some() || self.pool.max_pods.is_some() {
            spec.line("  kubelet:");
        }
        if let Some(most) = self.pool.max_pods {
            spec.line("    config:");
            spec.line(&format!("      maxPods: {most}"));
        }
        if self.cluster.is_some() {
            let labels: Vec<String> = self.labels().map(|(key, value)| format!("{key}={value}")).collect();
            spec.line("    flags:");
            spec.line(&format!("      - \"--node-labels={}\"", labels.join(",")));
            let taints: Vec<String> =
                self.taints().map(|(key, value, effect)| format!("{key}={value}:{effect}")).collect();
            if !taints.is_empty() {
                spec.line(&format!("      - \"--register-with-taints={}\"", taints.join(",")));
            }
        }
        if self.stores {
            spec.line("  instance:");
            spec.line("    localStorage:");
            spec.line("      strategy: RAID0");
        }
        if spec.is_empty() {
            return spec;
        }
        let mut text = Text::default();
        for line in [
            "MIME-Version: 1.0",
            "Content-Type: multipart/mixed; boundary=\"BOUNDARY\"",
            "",
            "--BOUNDARY",
            "Content-Type: application/node.eks.aws",
            "",
            "apiVersion: node.eks.aws/v1alpha1",
            "kind: NodeConfig",
            "spec:",
        ] {
            text.line(line);
        }
        text.append(spec);
        text.line("");
        text.line("--BOUNDARY--");
        text
    }

    fn toml(&self) -> Text {
        let mut text = Text::default();
        if self.cluster.is_some() || self.pool.max_pods.is_some() {
            text.line("[settings.kubernetes]");
        }
        if let Some(cluster) = self.cluster {
            let out = &cluster.cluster.out;
            text.with("api-server = \"", out.endpoint().expr(), "\"");
            text.with("cluster-certificate = \"", out.certificate_authority().expr(), "\"");
            text.with("cluster-name = \"", out.name().expr(), "\"");
        }
        if let Some(most) = self.pool.max_pods {
            text.line(&format!("max-pods = {most}"));
        }
        if self.cluster.is_some() {
            text.line("[settings.kubernetes.node-labels]");
            self.labels().for_each(|(key, value)| text.line(&format!("\"{key}\" = \"{value}\"")));
            text.line("[settings.kubernetes.node-taints]");
            // One key may have several effects.
            let mut keys: Vec<&str> = self.taints().map(|(key, ..)| key).collect();
            keys.dedup();
            for key in keys {
                let of_key = self.taints().filter(|(other, ..)| *other == key);
                let values: Vec<String> = of_key.map(|(_, value, effect)| format!("\"{value}:{effect}\"")).collect();
                text.line(&format!("\"{key}\" = [{}]", values.join(", ")));
            }
        }
        if self.stores {
            // Source: <https://bottlerocket.dev/en/os/latest/concepts/bootstrap-commands/>
            text.line("[settings.bootstrap-commands.instance-stores]");
            text.line("commands = [");
            text.line("  [\"apiclient\", \"ephemeral-storage\", \"init\"],");
            text.line(
                "  [\"apiclient\", \"ephemeral-storage\", \"bind\", \"--dirs\", \"/var/lib/containerd\", \
                 \"/var/lib/kubelet\", \"/var/log/pods\"],",
            );
            text.line("]");
            text.line("mode = \"always\"");
            text.line("essential = true");
        }
        text
    }

    /// The pool's labels. The kind of capacity is not among them: a fallback shares the
    /// template, and EKS sets that label on the nodes itself.
    fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let own = self.pool.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        own.chain([("rayplat.io/pool", self.name)])
    }

    /// Sorted by key.
    fn taints(&self) -> impl Iterator<Item = (&str, &str, &'static str)> {
        let mut taints: Vec<_> = self.pool.taints.iter().collect();
        taints.sort();
        taints.into_iter().map(|taint| (taint.key.as_str(), taint.value.as_str(), effect(taint.effect)))
    }
}

/// Kubernetes' own words, unlike EKS's.
fn effect(effect: TaintEffect) -> &'static str {
    match effect {
        TaintEffect::NoSchedule => "NoSchedule",
        TaintEffect::PreferNoSchedule => "PreferNoSchedule",
        TaintEffect::NoExecute => "NoExecute",
    }
}

/// A text with values of the cluster in it.
#[derive(Default)]
struct Text {
    parts: Vec<Expr>,
    last: String,
}

impl Text {
    fn line(&mut self, line: &str) {
        self.last.push_str(line);
        self.last.push('\n');
    }

    fn with(&mut self, before: &str, value: Expr, after: &str) {
        self.last.push_str(before);
        self.parts.push(Expr::Value(std::mem::take(&mut self.last).into()));
        self.parts.push(value);
        self.line(after);
    }

    fn append(&mut self, other: Self) {
        let mut parts = other.parts.into_iter();
        if let Some(Expr::Value(serde_json::Value::String(first))) = parts.next() {
            self.last.push_str(&first);
            self.parts.push(Expr::Value(std::mem::take(&mut self.last).into()));
            self.parts.extend(parts);
        }
        self.last.push_str(&other.last);
    }

    fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.last.is_empty()
    }

    fn into_input(mut self) -> Input<Option<String>> {
        if self.is_empty() {
            return None.into();
        }
        if self.parts.is_empty() {
            return Some(self.last).into();
        }
        self.parts.push(Expr::Value(self.last.into()));
        Input::expr(Expr::Concat(self.parts))
    }
}
