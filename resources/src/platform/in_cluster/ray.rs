//! Ray: its namespace, what guards it, Redis, and the cluster, service or jobs.

use rayplat_engine::{stack::StackError, urn::Urn};
use serde_json::{Map, Value, json};

use super::{Inside, network_policies, pods, ray_cluster, redis};
use crate::{
    kubernetes::object::{Family, Plain, Ray},
    platform::manifest::{Resolved, ResolvedRay},
};

/// The name of the RayCluster or RayService.
pub(super) const NAME: &str = "ray";

/// The namespace of the KubeRay operator.
pub(super) const OPERATOR: &str = "kuberay-system";

/// The Pod Security Standard that the namespace holds its pods to.
/// Source: <https://kubernetes.io/docs/concepts/security/pod-security-admission/>
const STANDARD: &str = "restricted";

/// Where Ray is in the cluster, and how it is spoken to.
/// Source: KubeRay 1.7.0 `ray-operator/controllers/ray/utils/util.go` (names of Services),
/// <https://docs.ray.io/en/latest/cluster/kubernetes/user-guides/kuberay-auth.html> (the token's Secret)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RayPlace {
    /// `RayCluster` or `RayService`.
    pub kind: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its namespace.
    pub namespace: String,
    /// Its version.
    pub version: String,
    /// Whether dashboard and clients need the token that is in the Secret of the RayCluster's name.
    pub token_auth: bool,
}

/// The key of the token in its Secret.
pub const TOKEN_KEY: &str = "auth_token";

impl RayPlace {
    /// Where Ray of a manifest will be; `None` if it has none.
    #[must_use]
    pub fn of(manifest: &Resolved) -> Option<Self> {
        let ray = manifest.ray.as_ref()?;
        Some(Self {
            kind: if ray.serve.is_some() { "RayService" } else { "RayCluster" },
            name: NAME,
            namespace: ray.namespace.clone(),
            version: ray.version.clone(),
            token_auth: ray.token_auth,
        })
    }

    /// The Service of the head.
    #[must_use]
    pub fn head_service(&self) -> String {
        format!("{}-head-svc", self.name)
    }

    /// The Service of Serve's applications, if it has any.
    #[must_use]
    pub fn serve_service(&self) -> Option<String> {
        (self.kind == "RayService").then(|| format!("{}-serve-svc", self.name))
    }

    /// The dashboard, which takes jobs too.
    #[must_use]
    pub fn dashboard_url(&self) -> String {
        self.url("http", &self.head_service(), 8265)
    }

    /// For `ray.init`.
    #[must_use]
    pub fn client_url(&self) -> String {
        self.url("ray", &self.head_service(), 10_001)
    }

    /// Serve's applications, if it has any.
    #[must_use]
    pub fn serve_url(&self) -> Option<String> {
        self.serve_service().map(|service| self.url("http", &service, 8000))
    }

    fn url(&self, scheme: &str, service: &str, port: u16) -> String {
        format!("{scheme}://{service}.{}.svc.cluster.local:{port}", self.namespace)
    }

    /// The resource that it is.
    #[must_use]
    pub fn urn(&self) -> Option<Urn> {
        let name = format!("{}/{}/{}", self.namespace, self.kind, self.name);
        Urn::new(<Ray as Family>::TYPE, &name).ok()
    }
}

/// Resources that others are ordered by.
pub(super) struct RayParts {
    /// Its namespace.
    pub namespace: Urn,
    /// Ray itself and its Redis: what has pods.
    pub workloads: Vec<Urn>,
}

/// Adds it.
pub(super) fn build(inside: &mut Inside<'_, '_>, operator: &[Urn]) -> Result<Option<RayParts>, StackError> {
    let manifest: &Resolved = inside.builder.manifest;
    let Some(ray) = &manifest.ray else { return Ok(None) };
    let namespace = inside.add::<Plain>(super::namespace(&ray.namespace, STANDARD))?;
    let mut before = network_policies::build(inside, ray, &namespace.urn, OPERATOR)?;
    let mut workloads = Vec::new();
    if ray.fault_tolerance.enabled && ray.fault_tolerance.redis_address.is_none() {
        workloads = redis::build(inside, &namespace.urn, &ray.namespace)?;
        before.extend(workloads.iter().cloned());
    }
    before.push(namespace.urn.clone());
    // Its kinds must be there before it, and the operator until it is gone: finalizers are its
    // work.
    before.extend(operator.iter().cloned());
    budgets(inside, ray, &namespace.urn)?;
    let cluster = cluster(inside, manifest, ray)?;
    before.iter().try_for_each(|other| inside.builder.stack.after(&cluster, other))?;
    inside.has_pods(&cluster)?;
    inside.has_nodes(&cluster)?;
    workloads.extend(jobs(inside, manifest, ray, &cluster)?);
    workloads.push(cluster);
    Ok(Some(RayParts { namespace: namespace.urn, workloads }))
}

fn cluster(inside: &mut Inside<'_, '_>, manifest: &Resolved, ray: &ResolvedRay) -> Result<Urn, StackError> {
    let spec = ray_cluster::spec(manifest, ray);
    let metadata = json!({"name": NAME, "namespace": ray.namespace});
    let object = match &ray.serve {
        None => json!({"apiVersion": "ray.io/v1", "kind": "RayCluster", "metadata": metadata, "spec": spec}),
        Some(applications) => json!({
            "apiVersion": "ray.io/v1", "kind": "RayService", "metadata": metadata,
            // JSON is YAML.
            "spec": {"serveConfigV2": Value::Object(applications.clone()).to_string(), "rayClusterConfig": spec},
        }),
    };
    Ok(inside.add::<Ray>(object)?.urn)
}

/// KubeRay's pods belong to no controller that a budget could ask for its size, so that it must be a number, and
/// one below the group's smallest size: it blocks no drain, and does not do nothing.
/// Source: <https://kubernetes.io/docs/tasks/run-application/configure-pdb/#arbitrary-controllers-and-selectors>
fn budgets(inside: &mut Inside<'_, '_>, ray: &ResolvedRay, namespace: &Urn) -> Result<(), StackError> {
    for (name, group) in ray.workers.iter().filter(|(_, group)| group.min > 1) {
        let budget = inside.add::<Plain>(json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
            "metadata": {"name": format!("ray-{name}"), "namespace": ray.namespace},
            "spec": {
                "minAvailable": group.min - 1,
                // A pod that does not work anyway holds no drain up.
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
                "selector": {"matchLabels": {"ray.io/node-type": "worker", "ray.io/group": name}},
            },
        }))?;
        inside.builder.stack.after(&budget.urn, namespace)?;
    }
    Ok(())
}

fn jobs(
    inside: &mut Inside<'_, '_>,
    manifest: &Resolved,
    ray: &ResolvedRay,
    cluster: &Urn,
) -> Result<Vec<Urn>, StackError> {
    let mut urns = Vec::new();
    for (name, job) in &ray.jobs {
        let mut spec = json!({
            "entrypoint": job.entrypoint,
            "backoffLimit": job.retries,
            "clusterSelector": {"ray.io/cluster": NAME},
            "submitterPodTemplate": submitter(manifest, ray),
        });
        if !job.runtime_env.is_empty() {
            spec["runtimeEnvYAML"] = json!(Value::Object(job.runtime_env.clone()).to_string());
        }
        let added = inside.add::<Ray>(json!({
            "apiVersion": "ray.io/v1", "kind": "RayJob",
            "metadata": {"name": name, "namespace": ray.namespace}, "spec": spec,
        }))?;
        inside.builder.stack.after(&added.urn, cluster)?;
        urns.push(added.urn);
    }
    Ok(urns)
}

/// The pod that hands a job over and waits for its end.
fn submitter(manifest: &Resolved, ray: &ResolvedRay) -> Value {
    let pool = manifest.node_pools.get(&ray.head.pool);
    let mut spec = Map::new();
    spec.insert("restartPolicy".to_owned(), json!("Never"));
    spec.insert("automountServiceAccountToken".to_owned(), json!(false));
    spec.insert("enableServiceLinks".to_owned(), json!(false));
    spec.insert("nodeSelector".to_owned(), json!({"rayplat.io/pool": ray.head.pool}));
    spec.insert("tolerations".to_owned(), pool.map_or(json!([]), pods::tolerations));
    spec.insert("securityContext".to_owned(), json!({"runAsUser": 1000, "runAsGroup": 100, "fsGroup": 100}));
    let container = json!({
        "name": "ray-job-submitter", "image": ray.head.image, "imagePullPolicy": "IfNotPresent",
        "resources": pods::guaranteed("500m", "512Mi", "1Gi"),
        "securityContext": pods::restricted(false),
    });
    spec.insert("containers".to_owned(), json!([container]));
    json!({"spec": spec})
}
