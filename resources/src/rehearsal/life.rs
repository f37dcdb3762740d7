//! A platform's whole life on emulated accounts of its own, to learn which permissions it
//! needs: up, a change of every setting, what somebody else changed, an upgrade, down; and the same with every
//! response lost once, because looking for what a lost call made needs permissions too.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rayplat_engine::{
    apply::Interrupt,
    error::Error,
    event::{Event, Events},
    ops::{Engine, Options},
    provider::Registry,
    retry::RetryPolicy,
    stack::{Stack, StackError},
    store::{Binding, StateStore},
};

use super::{
    Rehearsal,
    faults::{FaultKind, FaultRule, Faults},
    permissions::{Documents, Need, documents},
    tamper::tamper,
};
use crate::{
    aws::tls_certificate,
    platform::{
        self, Setting,
        manifest::{
            Manifest,
            types::{Addon, LogType},
            versions,
        },
    },
};

/// What a life is made of.
pub struct Life<'a> {
    /// The manifest as it is written.
    pub manifest: &'a Manifest,
    /// Where it is built.
    pub setting: &'a Setting,
    /// A fresh account with the manifest's network.
    pub account: &'a (dyn Fn() -> Rehearsal + Sync),
    /// An empty state.
    pub store: &'a (dyn Fn() -> Arc<dyn StateStore> + Sync),
    /// Whether to go on after something did not work out.
    pub patient: bool,
}

/// What a life needed.
#[derive(Debug, Clone, Default)]
pub struct Lived {
    /// The permissions.
    pub needs: BTreeSet<Need>,
    /// What did not work out, and may therefore be missing.
    pub remarks: Vec<String>,
}

/// Why a life cannot be lived.
#[derive(Debug, thiserror::Error)]
pub enum LifeError {
    /// A changed platform cannot be built.
    #[error("a platform cannot be built of a changed manifest: {0}")]
    Stack(#[from] StackError),
    /// The engine's.
    #[error(transparent)]
    Engine(#[from] Error),
}

/// A changed platform, and what the change is called.
pub type Chapter = (&'static str, Manifest);

/// What a platform goes through, in order. The last has the manifest's own settings again,
/// so that what was added is taken away. Each run reads everything that stands before it.
///
/// What stands in the cluster is left out: it takes no permission of IAM, and whoever loses
/// the access entry on the way does not see it.
pub fn chapters(manifest: &Manifest) -> Vec<Chapter> {
    let mut manifest = manifest.clone();
    manifest.kubernetes.enabled = false;
    let manifest = &manifest;
    let back = upgraded(manifest).map_or_else(|| ("back", manifest.clone()), |newer| ("an upgrade", newer));
    vec![("up", manifest.clone()), ("a change", changed(manifest)), back]
}

fn changed(manifest: &Manifest) -> Manifest {
    let mut changed = manifest.clone();
    changed.tags.insert("rehearsed".to_owned(), "yes".to_owned());
    let logs = &mut changed.cluster.logs;
    logs.retention_days = if logs.retention_days == 30 { 60 } else { 30 };
    logs.types = if logs.types == [LogType::Api] { vec![LogType::Audit] } else { vec![LogType::Api] };
    changed.cluster.oidc.manage_thumbprint = !changed.cluster.oidc.manage_thumbprint;
    changed.cluster.admins.push("arn:aws:iam::210987654321:user/rehearsed".to_owned());
    changed.autoscaler.enabled = !changed.autoscaler.enabled;
    if changed.addons.coredns.is_none() {
        let mut coredns = Addon { enabled: true, ..Addon::default() };
        let scaling = serde_json::json!({"enabled": true, "minReplicas": 5, "maxReplicas": 10});
        coredns.configuration.insert("autoScaling".to_owned(), scaling);
        changed.addons.coredns = Some(coredns);
    }
    let mut pools = changed.node_pools.take().unwrap_or_default();
    for (name, pool) in &mut pools {
        let resolved = manifest.resolve().node_pools.remove(name);
        if let Some(resolved) = resolved {
            pool.max = Some(resolved.max + 1);
            pool.labels.insert("rehearsed".to_owned(), "yes".to_owned());
            let mut disk = pool.disk.clone().unwrap_or_default();
            disk.size_gb = Some(resolved.disk.size_gb + 1);
            pool.disk = Some(disk);
        }
    }
    changed.node_pools = (!pools.is_empty()).then_some(pools);
    changed
}

/// On the next Kubernetes version, if EKS has one.
fn upgraded(manifest: &Manifest) -> Option<Manifest> {
    let minor = versions::look_up(&manifest.cluster.kubernetes_version)?.minor;
    let next = format!("1.{}", minor + 1);
    versions::look_up(&next)?;
    let mut changed = manifest.clone();
    changed.cluster.kubernetes_version = next;
    Some(changed)
}

/// Lives a life, and says what it needed.
///
/// # Errors
/// The platform cannot be built or the state cannot be kept. What a step fails with is in
/// the remarks.
pub async fn live(life: &Life<'_>) -> Result<Lived, LifeError> {
    let (whole, calls) = lived(life, &BTreeMap::new()).await?;
    if !life.patient && !whole.remarks.is_empty() {
        return Ok(whole);
    }
    let (lossy, _) = lived(life, &calls).await?;
    let mut remarks = whole.remarks;
    remarks.extend(lossy.remarks.into_iter().map(|remark| format!("with lost responses, {remark}")));
    Ok(Lived { needs: whole.needs.into_iter().chain(lossy.needs).collect(), remarks })
}

/// How often each operation was called.
type Calls = BTreeMap<(String, String), u64>;

/// Once through; the first response of each operation in `lost` that changes something
/// never arrives.
async fn lived(life: &Life<'_>, lost: &Calls) -> Result<(Lived, Calls), LifeError> {
    let account = (life.account)();
    let rules = lost.keys().filter(|(_, operation)| changes(operation));
    let rules = rules.map(|(service, operation)| FaultRule::once(service, operation, FaultKind::LostAfter));
    account.set_faults(Faults::new(1, rules.collect()));
    let engine = engine(life, &account);
    let mut remarks = Vec::new();
    for (name, manifest) in chapters(life.manifest) {
        if !life.patient && !remarks.is_empty() {
            break;
        }
        let platform = platform::build(&manifest.resolve(), life.setting)?;
        if name != "up" {
            account.with_account(|inside| tamper(inside, &manifest.name));
        }
        remarks.extend(chapter(&engine, name, Some(&platform.stack), &life.manifest.name).await);
    }
    if life.patient || remarks.is_empty() {
        remarks.extend(chapter(&engine, "down", None, &life.manifest.name).await);
    }
    Ok((Lived { needs: account.needed(), remarks }, account.calls()))
}

fn changes(operation: &str) -> bool {
    !["Describe", "Get", "List"].iter().any(|verb| operation.starts_with(verb))
}

/// One run; what did not work out.
async fn chapter(engine: &Engine, what: &str, stack: Option<&Stack>, name: &str) -> Option<String> {
    let (events, mut reader) = Events::channel();
    let run = match stack {
        Some(stack) => engine.up(stack, events, Interrupt::default(), |_| true).await,
        None => engine.down(name, events, Interrupt::default(), |_| true).await,
    };
    match run {
        Err(error) => return Some(format!("{what}: {error}{}", hinted(error.hint().as_deref()))),
        Ok(report) if report.summary.complete() => return None,
        Ok(_) => {}
    }
    while let Ok(event) = reader.try_recv() {
        if let Event::StepFailed { urn, error, .. } = event {
            return Some(format!("{what}: {urn}: {error}{}", hinted(error.hint.as_deref())));
        }
    }
    Some(format!("{what}: not complete"))
}

fn hinted(hint: Option<&str>) -> String {
    hint.map(|hint| format!(" ({hint})")).unwrap_or_default()
}

fn engine(life: &Life<'_>, account: &Rehearsal) -> Engine {
    let clients = account.clients();
    let mut registry = Registry::new();
    crate::register(&mut registry, &clients);
    registry.add(tls_certificate::IssuerCertificate::new(tls_certificate::FixedChain(account.issuer_chain())));
    let binding = Binding {
        partition: life.setting.partition.clone(),
        account: life.setting.account.clone(),
        region: life.setting.region.clone(),
        endpoint: None,
    };
    let clock = Arc::new(account.clone());
    let options = Options { parallelism: 32, retry: RetryPolicy::default(), clock, binding, seed: 1 };
    Engine::new(registry, (life.store)(), options)
}

/// The deployer's policy for what was lived. `known` are ids that the manifest names.
pub fn policy(lived: &Lived, manifest: &Manifest) -> Documents {
    let mut needs = lived.needs.clone();
    // Of the program itself: whose session it has, and what the platform costs.
    needs.insert(Need::new("iam:GetRole", "arn:aws:iam::000000000000:role/caller"));
    needs.insert(Need::new("pricing:GetProducts", "*"));
    documents(&needs, &manifest.name, &known(manifest))
}

/// Every text of the manifest, and the last part of what looks like a path.
fn known(manifest: &Manifest) -> BTreeSet<String> {
    fn collect(value: &serde_json::Value, into: &mut BTreeSet<String>) {
        match value {
            serde_json::Value::String(text) => {
                into.insert(text.rsplit('/').next().unwrap_or(text).to_owned());
                into.insert(text.clone());
            }
            serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
            serde_json::Value::Object(map) => map.values().for_each(|item| collect(item, into)),
            _ => {}
        }
    }
    let mut texts = BTreeSet::new();
    collect(&serde_json::to_value(manifest).unwrap_or_default(), &mut texts);
    texts
}
