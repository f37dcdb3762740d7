//! Whether the API server would take what a plan makes and changes: server-side apply with
//! `dryRun=All`, by the same manager and with the same force as the real one.
//! Source: <https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run>
//!
//! A refusal stops the run before it begins. So nothing may look like one that the real call
//! would not meet: what other steps of the plan make, change or free first is not judged.

use rayplat_engine::{
    context::Ctx,
    dry_run::Tried,
    error::{ErrorClass, ProviderError},
    plan::{Plan, Step},
    provider::{Action, Provider as _},
    value::Planned,
};
use serde_json::Value;

use super::{ClusterAccess, Kubernetes, api::Apply, deletion::is_going, gvk::Reference, marks, object::apply_over};
use crate::aws::{eks_access_entry::AccessEntry, eks_cluster::Cluster};

/// Said by an admission webhook that a dry run would not leave alone.
/// Source: kubernetes/kubernetes `staging/src/k8s.io/apiserver/pkg/admission/plugin/webhook/errors/statuserror.go`
const NO_DRY_RUN: &str = "does not support dry run";

/// Refusals for what other objects are or hold, which the plan may change: quotas, ports, policies
/// and webhooks of all sorts.
const OF_OTHERS: [&str; 4] = ["exceeded quota", "already allocated", "denied the request", "denied request"];

/// One object of a plan, to be tried.
pub(super) struct Trial<'a> {
    pub kubernetes: &'a Kubernetes,
    pub ctx: &'a Ctx,
    pub cluster: &'a ClusterAccess,
    pub plan: &'a Plan,
}

impl Trial<'_> {
    /// Tries an object. `recorded` is what was applied last, for one that stands.
    ///
    /// # Errors
    /// It would be refused.
    pub async fn object(&self, manifest: &Value, recorded: Option<&Value>) -> Result<Tried, ProviderError> {
        let of = Reference::of(manifest)?;
        if let Some(why) = self.waits(&of) {
            return Ok(Tried::Unasked(why));
        }
        match self.tried(&of, manifest, recorded).await {
            Err(error) => self.judged(error, recorded.is_some()).map(Tried::Unasked),
            tried => tried,
        }
    }

    async fn tried(&self, of: &Reference, manifest: &Value, recorded: Option<&Value>) -> Result<Tried, ProviderError> {
        let Self { kubernetes, ctx, cluster, .. } = *self;
        let live = kubernetes.get(ctx, cluster, of).await?;
        if live.as_ref().is_some_and(is_going) {
            return Ok(Tried::Unasked(format!("{of} is being deleted, and made anew then")));
        }
        let marks = live.as_ref().map(marks::on).filter(|marks| !marks.is_empty()).unwrap_or_else(|| marks::ours(ctx));
        let marked = marks::put(manifest, &marks);
        match (recorded, &live) {
            (Some(recorded), _) => apply_over(kubernetes, ctx, cluster, &marked, recorded, true).await?,
            (None, Some(live)) if !marks::is_ours(ctx, live) => return taken(ctx, of, live),
            // One of ours is of a lost state, and taken up.
            (None, _) => kubernetes.apply(ctx, cluster, &marked, Apply { force: false, dry_run: true }).await??,
        };
        Ok(Tried::Accepted)
    }

    /// What the plan makes or changes first, without which the server cannot judge.
    fn waits(&self, of: &Reference) -> Option<String> {
        self.others().find_map(|step| {
            let planned = step.planned.as_ref()?;
            let is = |path: &str, text: &str| known(planned, path) == Some(text);
            match known(planned, "manifest/kind")? {
                "Namespace" if step.action == Action::Create => {
                    let namespace = of.namespace.as_deref()?;
                    is("manifest/metadata/name", namespace)
                        .then(|| format!("its namespace {namespace} is made by the same plan"))
                }
                "CustomResourceDefinition" => {
                    let its = is("manifest/spec/group", of.group()) && is("manifest/spec/names/kind", &of.kind);
                    let done = if step.action == Action::Update { "changed" } else { "made" };
                    its.then(|| format!("its kind {} is {done} by the same plan", of.kind))
                }
                _ => None,
            }
        })
    }

    /// An error with its cure; or why the real call may not meet it.
    fn judged(&self, error: ProviderError, stands: bool) -> Result<String, ProviderError> {
        let because = |why: &str| Ok(format!("{error}; {why}"));
        let of_others = OF_OTHERS.iter().any(|text| error.message.contains(text));
        let touches = |step: &Step| {
            step.urn.kind().starts_with("kubernetes:") && matches!(step.action, Action::Delete | Action::Update)
        };
        if error.message.contains(NO_DRY_RUN) {
            return because("the step itself will tell");
        }
        if of_others && self.others().any(touches) {
            return because("other steps of the same plan may change that");
        }
        if self.others().any(is_upgrade) {
            return because("the same plan upgrades the cluster");
        }
        if error.class == ErrorClass::Denied && self.others().any(|step| step.urn.kind() == AccessEntry::TYPE) {
            return because("the same plan changes who is let in");
        }
        if error.class != ErrorClass::Invalid || error.hint.is_some() {
            return Err(error);
        }
        let cure = "Change the manifest so that the API server takes it.";
        if !stands {
            return Err(error.hint(cure));
        }
        let urn = self.ctx.urn();
        Err(error.hint(format!(
            "{cure} What it never changes in place needs a new object: `--replace {urn}` destroys the one that stands and makes it \
             anew."
        )))
    }

    fn others(&self) -> impl Iterator<Item = &Step> {
        self.plan.steps.iter().filter(|step| step.urn != *self.ctx.urn())
    }
}

/// Something has the name that is to be made.
fn taken(ctx: &Ctx, of: &Reference, live: &Value) -> Result<Tried, ProviderError> {
    // It may go with a step of the plan, or with what it belongs to.
    if marks::of_stack(ctx, live) {
        return Ok(Tried::Unasked(format!("{of} stands for another resource of this platform")));
    }
    let owners = live.pointer("/metadata/ownerReferences").and_then(Value::as_array);
    if owners.is_some_and(|owners| !owners.is_empty()) {
        return Ok(Tried::Unasked(format!("{of} stands, and belongs to another object")));
    }
    Err(ProviderError::new(ErrorClass::AlreadyExists, format!("{of} exists already")).hint(
        "It does not carry this platform's marks: it is somebody else's and was not touched. Choose another name in the manifest, \
         or remove it if nobody needs it.",
    ))
}

/// Another version of Kubernetes knows other kinds and fields.
fn is_upgrade(step: &Step) -> bool {
    step.urn.kind() == Cluster::TYPE && step.changes.iter().any(|change| change.path == "kubernetes_version")
}

/// A text among inputs that may hold unknowns; slashes go into objects.
fn known<'p>(planned: &'p Planned, path: &str) -> Option<&'p str> {
    let (first, rest) = path.split_once('/').map_or((path, None), |(first, rest)| (first, Some(rest)));
    match planned {
        Planned::Known(value) => value.pointer(&format!("/{path}"))?.as_str(),
        Planned::Object(entries) => known(&entries.iter().find(|(key, _)| key == first)?.1, rest?),
        Planned::Unknown | Planned::List(_) => None,
    }
}
