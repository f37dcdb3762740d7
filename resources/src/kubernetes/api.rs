//! Calls to the API of one cluster, under the engine's retry policy.

use std::{
    collections::HashMap,
    fmt::Display,
    sync::{Arc, Mutex, PoisonError},
};

use http::{Request, header};
use kube::{
    api::{DeleteParams, GetParams, ListParams, Patch, PatchParams, Preconditions, PropagationPolicy},
    core::Request as Path,
};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::{ErrorClass, ProviderError},
};
use serde_json::{Value, json};

use super::{
    ClusterAccess, Connector, FIELD_MANAGER, SERVICE, classify,
    gvk::{self, Reference, Served},
};
use crate::aws::{self, Clients};

/// The code of a call to a cluster that is not there any more.
const CLUSTER_GONE: &str = "ClusterGone";

/// Clusters' APIs, as the kinds call them.
#[derive(Clone)]
pub struct Kubernetes {
    connector: Arc<dyn Connector>,
    eks: aws_sdk_eks::Client,
    /// Custom kinds that were asked about.
    served: Arc<Mutex<HashMap<CustomKind, Served>>>,
}

/// Endpoint, `apiVersion`, kind.
type CustomKind = (String, String, String);

/// Fields that others own stand in the way of an object.
#[derive(Debug)]
pub(super) struct Conflict {
    /// The server's refusal.
    pub error: ProviderError,
    /// Each field with its manager.
    pub fields: Fields,
}

impl From<Conflict> for ProviderError {
    fn from(conflict: Conflict) -> Self {
        conflict.error
    }
}

type Fields = Vec<(String, String)>;

/// How an object is applied.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Apply {
    /// Takes fields from other managers.
    pub force: bool,
    /// Changes nothing, and answers what it would.
    pub dry_run: bool,
}

/// What a workload owns goes before it, so that "gone" means its pods too. Of custom kinds it
/// would take away what their finalizers work with: KubeRay's clean-up of Redis runs under a
/// service account that the RayCluster owns.
fn propagation(of: &Reference) -> PropagationPolicy {
    match of.group() {
        "apps" | "batch" => PropagationPolicy::Foreground,
        _ => PropagationPolicy::Background,
    }
}

impl Kubernetes {
    /// On these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { connector: clients.kubernetes.clone(), eks: clients.eks.clone(), served: Arc::default() }
    }

    /// An object; `None` if it, its kind or its cluster is not there.
    pub(super) async fn get(
        &self,
        ctx: &Ctx,
        cluster: &ClusterAccess,
        of: &Reference,
    ) -> Result<Option<Value>, ProviderError> {
        let path = aws::found(self.path(ctx, cluster, of).await)?;
        let Some(path) = path else { return Ok(None) };
        let answer = self.send(ctx, cluster, "Get", || path.get(&of.name, &GetParams::default())).await;
        aws::found(answer)
    }

    /// Applies an object; the answer is the whole object, or which fields others own.
    pub(super) async fn apply(
        &self,
        ctx: &Ctx,
        cluster: &ClusterAccess,
        object: &Value,
        how: Apply,
    ) -> Result<Result<Value, Conflict>, ProviderError> {
        let of = Reference::of(object)?;
        let path = self.path(ctx, cluster, &of).await?;
        let params = PatchParams {
            dry_run: how.dry_run,
            force: how.force,
            field_manager: Some(FIELD_MANAGER.to_owned()),
            field_validation: None,
        };
        let operation = if how.dry_run { "DryRun" } else { "Apply" };
        let fields = Mutex::default();
        let request = || path.patch(&of.name, &params, &Patch::Apply(object));
        let answer = self.send_noting(ctx, cluster, operation, request, &fields).await;
        let fields = fields.into_inner().unwrap_or_else(PoisonError::into_inner);
        match answer {
            Err(error) if !fields.is_empty() => Ok(Err(Conflict { error, fields })),
            answer => answer.map(Ok),
        }
    }

    /// Deletes the object with this uid and no other; `false` if there is none.
    pub(super) async fn delete(
        &self,
        ctx: &Ctx,
        cluster: &ClusterAccess,
        of: &Reference,
        uid: &str,
    ) -> Result<bool, ProviderError> {
        let path = aws::found(self.path(ctx, cluster, of).await)?;
        let Some(path) = path else { return Ok(false) };
        let params = DeleteParams {
            propagation_policy: Some(propagation(of)),
            preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
            ..DeleteParams::default()
        };
        let answer = self.send(ctx, cluster, "Delete", || path.delete(&of.name, &params)).await;
        Ok(aws::found(answer)?.is_some())
    }

    /// All objects of a kind, everywhere or in one namespace, that `labels` selects.
    pub(super) async fn list(
        &self,
        ctx: &Ctx,
        cluster: &ClusterAccess,
        (api_version, kind): (&str, &str),
        namespace: Option<&str>,
        labels: &str,
    ) -> Result<Vec<Value>, ProviderError> {
        let served = self.served(ctx, cluster, api_version, kind).await;
        let Some(served) = aws::found(served)? else { return Ok(Vec::new()) };
        let path = Path::new(gvk::path(api_version, &served, namespace));
        let (mut items, mut page) = (Vec::new(), ListParams::default().labels(labels).limit(500));
        loop {
            let answer = self.send(ctx, cluster, "List", || path.list(&page)).await;
            let Some(mut answer) = aws::found(answer)? else { return Ok(items) };
            if let Some(Value::Array(found)) = answer.get_mut("items").map(Value::take) {
                items.extend(found);
            }
            match answer.pointer("/metadata/continue").and_then(Value::as_str) {
                Some(token) if !token.is_empty() => page = page.continue_token(token),
                _ => return Ok(items),
            }
        }
    }

    /// Whether the caller may do all that an administrator may.
    pub(super) async fn may_do_everything(&self, ctx: &Ctx, cluster: &ClusterAccess) -> Result<bool, ProviderError> {
        let everything = json!({"verb": "*", "group": "*", "version": "*", "resource": "*"});
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": everything},
        });
        let answer = self
            .send(ctx, cluster, "Review", || {
                Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
                    .header(header::CONTENT_TYPE, "application/json")
                    .body(review.to_string().into_bytes())
            })
            .await?;
        Ok(answer.pointer("/status/allowed").and_then(Value::as_bool).unwrap_or(false))
    }

    async fn path(&self, ctx: &Ctx, cluster: &ClusterAccess, of: &Reference) -> Result<Path, ProviderError> {
        let served = self.served(ctx, cluster, &of.api_version, &of.kind).await?;
        Ok(Path::new(gvk::path(&of.api_version, &served, of.namespace.as_deref())))
    }

    /// How a kind is served. What is not there yet is asked for again the next time.
    async fn served(
        &self,
        ctx: &Ctx,
        cluster: &ClusterAccess,
        api_version: &str,
        kind: &str,
    ) -> Result<Served, ProviderError> {
        if let Some(served) = gvk::built_in(api_version, kind) {
            return Ok(served);
        }
        let key = (cluster.endpoint.clone(), api_version.to_owned(), kind.to_owned());
        if let Some(served) = self.served.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(served.clone());
        }
        let path = format!("/apis/{api_version}");
        let listed = self.send(ctx, cluster, "Discover", || Request::get(&path).body(Vec::new())).await;
        let listed = match listed {
            // No kind of the group is there.
            Err(error) if error.class == ErrorClass::NotFound && error.code.as_deref() != Some(CLUSTER_GONE) => {
                Value::Null
            }
            listed => listed?,
        };
        let resources = listed["resources"].as_array().into_iter().flatten();
        let found = resources
            .filter(|resource| resource["kind"] == kind)
            .filter_map(|resource| Some((resource["name"].as_str()?, resource["namespaced"].as_bool()?)))
            // `rayclusters/status` has the kind too.
            .find(|(name, _)| !name.contains('/'));
        let Some((plural, namespaced)) = found else {
            return Err(ProviderError::new(
                ErrorClass::NotFound,
                format!("the cluster serves no kind {kind} in {api_version}"),
            )
            .hint("Its CustomResourceDefinition is not installed, or another version of it is."));
        };
        let served = Served { plural: plural.to_owned(), namespaced };
        self.served.lock().unwrap_or_else(PoisonError::into_inner).insert(key, served.clone());
        Ok(served)
    }

    async fn send<E: Display>(
        &self,
        ctx: &Ctx,
        cluster: &ClusterAccess,
        operation: &'static str,
        request: impl Fn() -> Result<Request<Vec<u8>>, E>,
    ) -> Result<Value, ProviderError> {
        self.send_noting(ctx, cluster, operation, request, &Mutex::default()).await
    }

    /// Sends one request. A cluster that cannot be reached may be gone: EKS knows.
    async fn send_noting<E: Display>(
        &self,
        ctx: &Ctx,
        cluster: &ClusterAccess,
        operation: &'static str,
        request: impl Fn() -> Result<Request<Vec<u8>>, E>,
        conflicts: &Mutex<Fields>,
    ) -> Result<Value, ProviderError> {
        let client = self.connector.connect(cluster)?;
        ctx.call(SERVICE, operation, Repeat::Safe, || {
            let (client, request) = (client.clone(), request());
            async move {
                let request = request.map_err(|error| ProviderError::new(ErrorClass::Invalid, error.to_string()))?;
                let answer = client.request::<Value>(request).await;
                if let Err(kube::Error::Api(status)) = &answer {
                    *conflicts.lock().unwrap_or_else(PoisonError::into_inner) = super::errors::conflicts(status);
                }
                match answer.map_err(classify) {
                    Err(error) if error.class == ErrorClass::Ambiguous && self.gone(cluster).await => {
                        let text =
                            format!("the cluster {} at {} is not there any more", cluster.name, cluster.endpoint);
                        Err(ProviderError::new(ErrorClass::NotFound, text).code(CLUSTER_GONE))
                    }
                    answer => answer,
                }
            }
        })
        .await
    }

    /// True if EKS says that there is no such cluster, or one of that name elsewhere.
    async fn gone(&self, cluster: &ClusterAccess) -> bool {
        match self.eks.describe_cluster().name(&cluster.name).send().await {
            Ok(answer) => answer.cluster().and_then(|live| live.endpoint()).is_some_and(|now| now != cluster.endpoint),
            // What EKS does not say is not taken for an answer: the error stands.
            Err(error) => aws::classify(error).class == ErrorClass::NotFound,
        }
    }
}
