//! Any object of a cluster, by server-side apply.
//! Source: <https://kubernetes.io/docs/reference/using-api/server-side-apply/>

use std::{marker::PhantomData, time::Duration};

use rayplat_engine::{
    context::{Ctx, Poll},
    dry_run::Tried,
    error::{ErrorClass, ProviderError},
    inputs, outputs,
    plan::{
        Plan,
        diff::{Change, Effect, structural_in_lists},
    },
    provider::{Action, Created, Current, Marks, Observed, Provider, Reading, Recovered, ReplaceOrder},
    value::Planned,
};
use serde_json::{Value, json};

use super::{
    ClusterAccess, Kubernetes, LET_IN_BY,
    api::Apply,
    deletion::{self, is_going},
    drift,
    dry_run::Trial,
    gvk,
    gvk::Reference,
    immutable, marks,
    ready::{Readiness, readiness},
    trouble::Trouble,
};
use crate::aws::{Clients, vanished};

inputs! {
    /// An object of a cluster.
    pub struct ObjectInputs, ObjectArgs {
        /// Where.
        pub cluster: ClusterAccess,
        /// The object, as `kubectl apply` would take it.
        pub manifest: Value,
    }
}

outputs! {
    /// An object of a cluster.
    pub struct ObjectOutputs, ObjectRefs {
        /// Its name.
        pub name: String,
        /// Its namespace; empty for what is cluster-wide.
        pub namespace: String,
        /// Its UID: another object of the same name has another one.
        pub uid: String,
    }
}

/// Objects that live alike. Each family is a kind of its own, so that a run knows how long
/// its objects take.
pub trait Family: Send + Sync + 'static {
    /// The kind's name.
    const TYPE: &'static str;
    /// How long one takes to be ready.
    const READY: Duration;
    /// How long one takes to be gone.
    const GONE: Duration;
    /// How long readiness is waited for at most.
    const LIMIT: Duration = Duration::from_secs(20 * 60);
}

/// What is ready once it is there: ConfigMaps, roles, policies, services.
pub struct Plain;

/// CustomResourceDefinitions.
pub struct Definition;

/// What has pods: Deployments, DaemonSets, StatefulSets, Jobs.
pub struct Workload;

/// What the KubeRay operator works on.
pub struct Ray;

impl Family for Plain {
    const TYPE: &'static str = "kubernetes:Object";
    const READY: Duration = Duration::from_millis(200);
    const GONE: Duration = Duration::from_secs(1);
}

impl Family for Definition {
    const TYPE: &'static str = "kubernetes:CustomResourceDefinition";
    const READY: Duration = Duration::from_secs(2);
    const GONE: Duration = Duration::from_secs(5);
}

impl Family for Workload {
    const TYPE: &'static str = "kubernetes:Workload";
    const READY: Duration = Duration::from_secs(40);
    const GONE: Duration = Duration::from_secs(30);
}

impl Family for Ray {
    const TYPE: &'static str = "kubernetes:Ray";
    // Nodes for it may have to be started, and Ray's images are large.
    const READY: Duration = Duration::from_secs(180);
    const GONE: Duration = Duration::from_secs(60);
    const LIMIT: Duration = Duration::from_secs(45 * 60);
}

/// A family's kind.
pub struct Object<F> {
    kubernetes: Kubernetes,
    of: PhantomData<fn() -> F>,
}

impl<F: Family> Object<F> {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { kubernetes: Kubernetes::new(clients), of: PhantomData }
    }

    /// Waits until the object is ready.
    async fn wait(
        &self,
        ctx: &Ctx,
        cluster: &ClusterAccess,
        of: &Reference,
        expected: Duration,
    ) -> Result<Value, ProviderError> {
        let trouble = Trouble::new(&self.kubernetes, ctx, cluster);
        ctx.wait(&of.to_string(), expected, F::LIMIT, || async {
            let Some(live) = self.kubernetes.get(ctx, cluster, of).await? else {
                return Err(vanished(&of.id()));
            };
            match readiness(&live) {
                Readiness::Ready => Ok(Poll::Ready(live)),
                Readiness::Failed(why) => Err(failed(of, &why)),
                Readiness::Pending(why) => trouble.look(of, &live, why).await.map(Poll::Pending),
            }
        })
        .await
    }

    /// An object of ours that is being deleted must be gone before its successor is made.
    async fn wait_for_end(&self, ctx: &Ctx, cluster: &ClusterAccess, of: &Reference) -> Result<(), ProviderError> {
        deletion::wait(&self.kubernetes, ctx, cluster, of, F::GONE).await
    }
}

fn failed(of: &Reference, why: &str) -> ProviderError {
    ProviderError::new(ErrorClass::Failed, format!("{of} does not get ready: {why}")).hint(format!(
        "Look at it (kubectl describe {} {}{}) and at the events of its pods; mend the manifest and run the same command again.",
        of.kind.to_lowercase(),
        of.name,
        of.namespace.as_ref().map(|namespace| format!(" -n {namespace}")).unwrap_or_default(),
    ))
}

pub(super) fn outputs_of(live: &Value) -> ObjectOutputs {
    let text = |field: &str| live["metadata"][field].as_str().unwrap_or_default().to_owned();
    ObjectOutputs { name: text("name"), namespace: text("namespace"), uid: text("uid") }
}

/// An object whose deletion somebody began stands, but not as what was recorded.
fn going_away(of: &Reference, current: &ObjectInputs, live: &Value) -> ObjectInputs {
    let mut metadata = json!({"name": of.name, "deletionTimestamp": live["metadata"]["deletionTimestamp"]});
    if let Some(namespace) = &of.namespace {
        metadata["namespace"] = json!(namespace);
    }
    let manifest = json!({"apiVersion": of.api_version, "kind": of.kind, "metadata": metadata});
    ObjectInputs { cluster: current.cluster.clone(), manifest }
}

/// A Secret's values would rest in the state.
fn refuse_secrets(manifest: &Value) -> Result<(), ProviderError> {
    let holds = |field: &str| manifest[field].as_object().is_some_and(|data| !data.is_empty());
    if manifest["kind"] == "Secret" && (holds("data") || holds("stringData")) {
        let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
        return Err(ProviderError::new(
            ErrorClass::Invalid,
            format!("the Secret {name} has values, which would rest in the state"),
        )
        .hint(
            "Let its password be made in the cluster (kubernetes:GeneratedSecret), or create it outside and name it.",
        ));
    }
    Ok(())
}

/// Whether a manifest says anything about a field, as a conflict names it:
/// `spec.containers[name="a"].image`. Keys may have dots in them.
fn names(manifest: &Value, field: &str) -> bool {
    let field = field.strip_prefix('.').unwrap_or(field);
    if field.is_empty() {
        return true;
    }
    match manifest {
        Value::Object(map) => map.iter().any(|(key, inner)| {
            let rest = field.strip_prefix(key.as_str());
            rest.is_some_and(|rest| (rest.is_empty() || rest.starts_with(['.', '['])) && names(inner, rest))
        }),
        // Which element is meant does not matter here: one of ours has such a field.
        Value::Array(list) => {
            let rest = field.split_once(']').map(|(_, rest)| rest);
            rest.is_some_and(|rest| list.iter().any(|element| names(element, rest)))
        }
        _ => false,
    }
}

/// Applies a change. Fields that were ours and that somebody took over are taken back: the plan
/// showed it. Fields that never were ours stay with whoever has them.
pub(super) async fn apply_over(
    kubernetes: &Kubernetes,
    ctx: &Ctx,
    cluster: &ClusterAccess,
    marked: &Value,
    recorded: &Value,
    dry_run: bool,
) -> Result<Value, ProviderError> {
    match kubernetes.apply(ctx, cluster, marked, Apply { force: false, dry_run }).await? {
        Err(conflict) if conflict.fields.iter().all(|(field, _)| names(recorded, field)) => {
            Ok(kubernetes.apply(ctx, cluster, marked, Apply { force: true, dry_run }).await??)
        }
        applied => Ok(applied?),
    }
}

impl<F: Family> Provider for Object<F> {
    type Inputs = ObjectInputs;
    type Outputs = ObjectOutputs;

    const TYPE: &'static str = F::TYPE;
    // Names are the manifest's: there can be only one.
    const REPLACE_ORDER: ReplaceOrder = ReplaceOrder::DeleteThenCreate;
    const LABELS: &'static [&'static str] = &["manifest.metadata.labels", "manifest.metadata.annotations"];
    const LET_IN_BY: &'static [&'static str] = LET_IN_BY;

    fn expected(&self, action: Action) -> Duration {
        match action {
            Action::Create | Action::Update => F::READY,
            Action::Delete => F::GONE,
            Action::Read => Duration::from_millis(100),
        }
    }

    fn diff(&self, old: &Value, new: &Planned) -> Vec<Change> {
        let kind = old["manifest"]["kind"].as_str().unwrap_or_default();
        let mut replace = vec![
            "cluster.name",
            "cluster.endpoint",
            "manifest.kind",
            "manifest.metadata.name",
            "manifest.metadata.namespace",
        ];
        replace.extend(immutable::fields(kind));
        let mut changes = structural_in_lists(old, new, &replace);
        for change in &mut changes {
            let group = |version: Option<&str>| version.map(|version| gvk::group(version).to_owned());
            let new = change.new.as_ref().and_then(Planned::known);
            let old = change.old.as_ref();
            // Another version of the same group is the same object.
            if change.path == "manifest.apiVersion"
                && group(old.and_then(Value::as_str)) != group(new.and_then(Value::as_str))
            {
                change.effect = Effect::Replace;
            }
        }
        changes
    }

    async fn create(&self, ctx: &Ctx, inputs: &ObjectInputs) -> Result<Created<ObjectOutputs>, ProviderError> {
        refuse_secrets(&inputs.manifest)?;
        let (cluster, of) = (&inputs.cluster, Reference::of(&inputs.manifest)?);
        if ctx.resume().is_none()
            && let Some(live) = self.kubernetes.get(ctx, cluster, &of).await?
        {
            if !(marks::is_ours(ctx, &live) && is_going(&live)) {
                return Err(ProviderError::new(ErrorClass::AlreadyExists, format!("{of} exists already")));
            }
            self.wait_for_end(ctx, cluster, &of).await?;
        }
        let marked = marks::put(&inputs.manifest, &marks::ours(ctx));
        self.kubernetes.apply(ctx, cluster, &marked, Apply::default()).await??;
        ctx.progress(&of.id());
        let live = self.wait(ctx, cluster, &of, F::READY).await?;
        Ok(Created { id: of.id(), outputs: outputs_of(&live) })
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<ObjectInputs, ObjectOutputs>,
    ) -> Reading<ObjectInputs, ObjectOutputs> {
        let (cluster, of) = (&current.inputs.cluster, Reference::of(&current.inputs.manifest)?);
        let Some(live) = self.kubernetes.get(ctx, cluster, &of).await? else {
            return Ok(None);
        };
        let outputs = outputs_of(&live);
        if is_going(&live) {
            return Ok(Some(Observed { inputs: going_away(&of, &current.inputs, &live), outputs }));
        }
        // Somebody made another one under its name: ours is gone.
        if outputs.uid != current.outputs.uid && !current.outputs.uid.is_empty() && !marks::is_ours(ctx, &live) {
            return Ok(None);
        }
        let marked = marks::put(&current.inputs.manifest, &marks::on(&live));
        let would = self.kubernetes.apply(ctx, cluster, &marked, Apply { force: true, dry_run: true }).await??;
        let manifest = drift::observed(&current.inputs.manifest, &would, &live);
        Ok(Some(Observed { inputs: ObjectInputs { cluster: cluster.clone(), manifest }, outputs }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<ObjectInputs, ObjectOutputs>,
        to: &ObjectInputs,
    ) -> Result<ObjectOutputs, ProviderError> {
        refuse_secrets(&to.manifest)?;
        let (cluster, of) = (&to.cluster, Reference::of(&to.manifest)?);
        let mut live = self.kubernetes.get(ctx, cluster, &of).await?;
        if live.as_ref().is_some_and(is_going) {
            self.wait_for_end(ctx, cluster, &of).await?;
            live = None;
        }
        let marks = live.as_ref().map(marks::on).filter(|marks| !marks.is_empty()).unwrap_or_else(|| marks::ours(ctx));
        let marked = marks::put(&to.manifest, &marks);
        apply_over(&self.kubernetes, ctx, cluster, &marked, &current.inputs.manifest, false).await?;
        self.wait(ctx, cluster, &of, F::READY).await.map(|live| outputs_of(&live))
    }

    async fn delete(&self, ctx: &Ctx, current: &Current<ObjectInputs, ObjectOutputs>) -> Result<(), ProviderError> {
        let cluster = &current.inputs.cluster;
        let of = Reference::of(&current.inputs.manifest)?;
        let ours = |live: &Value| live["metadata"]["uid"] == current.outputs.uid || marks::is_ours(ctx, live);
        let mut uid = current.outputs.uid.clone();
        if let Some(live) = self.kubernetes.get(ctx, cluster, &of).await?.filter(ours) {
            live["metadata"]["uid"].as_str().unwrap_or_default().clone_into(&mut uid);
            if !is_going(&live) {
                deletion::spare_others(&self.kubernetes, ctx, cluster, &live).await?;
                self.kubernetes.delete(ctx, cluster, &of, &uid).await?;
            }
            self.wait_for_end(ctx, cluster, &of).await?;
        }
        deletion::wait_for_clusters(&self.kubernetes, ctx, cluster, &of, &uid).await
    }

    async fn dry_run(
        &self,
        ctx: &Ctx,
        prior: Option<&Current<ObjectInputs, ObjectOutputs>>,
        inputs: &ObjectInputs,
        plan: &Plan,
    ) -> Result<Tried, ProviderError> {
        refuse_secrets(&inputs.manifest)?;
        let trial = Trial { kubernetes: &self.kubernetes, ctx, cluster: &inputs.cluster, plan };
        trial.object(&inputs.manifest, prior.map(|prior| &prior.inputs.manifest)).await
    }

    async fn recover(&self, ctx: &Ctx, inputs: &ObjectInputs) -> Result<Recovered, ProviderError> {
        let of = Reference::of(&inputs.manifest)?;
        let live = self.kubernetes.get(ctx, &inputs.cluster, &of).await?;
        Ok(live.map_or(Recovered::Absent, |live| marks::whose(ctx, &live, of.id())))
    }

    async fn marks(&self, ctx: &Ctx, current: &Current<ObjectInputs, ObjectOutputs>) -> Result<Marks, ProviderError> {
        let of = Reference::of(&current.inputs.manifest)?;
        let live = self.kubernetes.get(ctx, &current.inputs.cluster, &of).await?;
        live.map(|live| marks::read(&live)).ok_or_else(|| vanished(&of.id()))
    }
}
