//! Other people in a platform's cluster: what they make there through its API.

use std::time::Duration;

use kube::{
    api::{GetParams, Patch, PatchParams},
    core::Request,
};
use rayplat_resources::kubernetes::ClusterAccess;
use serde_json::{Value, json};

use crate::World;

/// Their namespace.
pub const NAMESPACE: &str = "team";

/// Somebody with a way into the cluster.
pub struct Others {
    client: kube::Client,
}

impl Others {
    /// Of the one cluster of the account; their namespace stands.
    ///
    /// # Panics
    /// There is no cluster.
    pub async fn of(world: &World) -> Self {
        let access = world.account.with_account(|account| {
            let cluster = account.eks.clusters.values().next().unwrap_or_else(|| panic!("there is no cluster"));
            let (name, endpoint) = (cluster.name.clone(), cluster.endpoint.url.clone());
            ClusterAccess { name, endpoint, certificate_authority: "bm9uZQ==".to_owned() }
        });
        let client = world.account.clients().kubernetes.connect(&access);
        let others = Self { client: client.unwrap_or_else(|error| panic!("{error}")) };
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}});
        others.apply("/api/v1/namespaces", &namespace).await;
        others
    }

    /// Makes an object in a collection, e.g. `/api/v1/namespaces/team/services`.
    ///
    /// # Panics
    /// It is refused.
    pub async fn apply(&self, collection: &str, object: &Value) -> Value {
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        let params = PatchParams::apply("others");
        let request = Request::new(collection).patch(name, &params, &Patch::Apply(object));
        self.send(request).await.unwrap_or_else(|error| panic!("{collection}/{name}: {error}"))
    }

    /// Says what a controller of theirs would.
    ///
    /// # Panics
    /// It is refused.
    pub async fn set_status(&self, collection: &str, name: &str, status: &Value) {
        let patch = Patch::Merge(json!({"status": status}));
        let request = Request::new(collection).patch_subresource("status", name, &PatchParams::default(), &patch);
        self.send(request).await.unwrap_or_else(|error| panic!("{collection}/{name}: {error}"));
    }

    /// An object; `None` if it is not there.
    pub async fn get(&self, collection: &str, name: &str) -> Option<Value> {
        self.send(Request::new(collection).get(name, &GetParams::default())).await.ok()
    }

    /// Waits until an object is as it should be.
    ///
    /// # Panics
    /// It is not within an hour.
    pub async fn until(&self, collection: &str, name: &str, good: impl Fn(&Value) -> bool) {
        let mut last = None;
        for _ in 0..720 {
            last = self.get(collection, name).await;
            if last.as_ref().is_some_and(&good) {
                return;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        panic!("{collection}/{name} does not get there: {last:?}");
    }

    async fn send(
        &self,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<Value, kube::Error> {
        self.client.request(request.unwrap_or_else(|error| panic!("{error}"))).await
    }

    /// A Service with a load balancer that has its name.
    pub async fn expose(&self) {
        let collection = format!("/api/v1/namespaces/{NAMESPACE}/services");
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80}]},
        });
        self.apply(&collection, &service).await;
        self.until(&collection, "web", |live| live["status"]["loadBalancer"]["ingress"][0]["hostname"].is_string())
            .await;
    }

    /// A database with a volume in a namespace, by a StatefulSet that is nobody's.
    pub async fn store(&self, namespace: &str, size: &str) {
        let labels = json!({"app": "db"});
        let set = json!({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
            "spec": {
                "serviceName": "db", "replicas": 1, "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [
                    {"name": "db", "image": "postgres:17", "volumeMounts": [{"name": "data", "mountPath": "/data"}]},
                ]}},
                "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {
                    "accessModes": ["ReadWriteOnce"], "storageClassName": "gp3", "resources": {"requests": {"storage": size}},
                }}],
            },
        });
        self.apply(&format!("/apis/apps/v1/namespaces/{namespace}/statefulsets"), &set).await;
        let claims = format!("/api/v1/namespaces/{namespace}/persistentvolumeclaims");
        self.until(&claims, "data-db-0", |live| live["status"]["phase"] == "Bound").await;
    }

    /// A pod with a claim of its own in a namespace.
    pub async fn notebook(&self, namespace: &str) {
        let claims = format!("/api/v1/namespaces/{namespace}/persistentvolumeclaims");
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "notebook"},
            "spec": {
                "accessModes": ["ReadWriteOnce"], "storageClassName": "gp3", "resources": {"requests": {"storage": "1Gi"}},
            },
        });
        self.apply(&claims, &claim).await;
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "notebook"},
            "spec": {
                "containers": [{"name": "notebook", "image": "jupyter/base-notebook"}],
                "volumes": [{"name": "work", "persistentVolumeClaim": {"claimName": "notebook"}}],
            },
        });
        self.apply(&format!("/api/v1/namespaces/{namespace}/pods"), &pod).await;
        self.until(&claims, "notebook", |live| live["status"]["phase"] == "Bound").await;
    }
}
