//! The charts of the platform, and their objects as resources.

use std::collections::BTreeMap;

use rayplat_engine::{
    input::{Input, Output},
    stack::StackError,
    urn::Urn,
    value::Expr,
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Inside, ray::OPERATOR};
use crate::{
    kubernetes::{
        chart::{
            ChartError, ChartSpec, Hook as ChartHook, HookDelete, HookEvent, Rendered, RenderedObject, order,
            published::{
                self, ClusterAutoscaler, DevicePlugin, KubeRay, Mode, NodeGroupNames, TerminationHandler, Velero,
            },
        },
        hook::{Hook, HookArgs},
        object::{Definition, Family, Object, ObjectArgs, Plain, Ray, Workload},
        release::{Release, ReleaseArgs},
    },
    platform::{
        Setting,
        manifest::{
            Resolved,
            types::{Identity, TerminationMode},
        },
    },
};

/// Charts that were rendered, by the names of their releases. One that is not here is stood for
/// by its outline.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Charts(BTreeMap<String, Rendered>);

impl Charts {
    /// These.
    pub fn new(rendered: impl IntoIterator<Item = Rendered>) -> Self {
        Self(rendered.into_iter().map(|chart| (chart.spec.name.clone(), chart)).collect())
    }

    /// A chart as it was rendered for this specification, or its outline.
    fn get(&self, spec: &ChartSpec) -> Result<Rendered, ChartError> {
        self.0.get(&spec.name).filter(|chart| chart.spec == *spec).cloned().map_or_else(|| published::outline(spec), Ok)
    }
}

/// What a platform installs from charts. Values may refer to what it makes on AWS.
#[must_use]
pub fn charts(manifest: &Resolved, setting: &Setting) -> Vec<ChartSpec> {
    if !manifest.kubernetes.enabled {
        return Vec::new();
    }
    let kube_version = manifest.cluster.kubernetes_version.clone();
    let mut specs = Vec::new();
    if manifest.autoscaler.enabled {
        specs.push(
            ClusterAutoscaler {
                cluster: manifest.name.clone(),
                region: setting.region.clone(),
                kube_version: kube_version.clone(),
                role_arn: role("cluster-autoscaler", manifest.autoscaler.identity),
                groups: groups(manifest),
            }
            .spec(),
        );
    }
    let with_plugin: Vec<String> = manifest
        .node_pools
        .iter()
        .filter(|(_, pool)| pool.ami.accelerator() == crate::platform::instance_types::Accelerator::Nvidia)
        .filter(|(_, pool)| !pool.ami.is_bottlerocket())
        .map(|(name, _)| name.clone())
        .collect();
    if !with_plugin.is_empty() {
        specs.push(DevicePlugin { kube_version: kube_version.clone(), pools: with_plugin }.spec());
    }
    if manifest.termination_handler.enabled {
        let mode = match manifest.termination_handler.mode {
            TerminationMode::Imds => Mode::Imds,
            TerminationMode::Queue => Mode::Queue { url: output("aws:sqs:Queue", "termination", "url") },
        };
        specs.push(
            TerminationHandler {
                cluster: manifest.name.clone(),
                region: setting.region.clone(),
                kube_version: kube_version.clone(),
                role_arn: role("termination-handler", manifest.termination_handler.identity),
                mode,
            }
            .spec(),
        );
    }
    if manifest.backup.enabled {
        specs.push(velero(manifest, setting));
    }
    if manifest.ray.is_some() {
        specs.push(KubeRay { namespace: OPERATOR.to_owned(), kube_version, env: Vec::new() }.spec());
    }
    specs
}

fn velero(manifest: &Resolved, setting: &Setting) -> ChartSpec {
    Velero {
        region: setting.region.clone(),
        kube_version: manifest.cluster.kubernetes_version.clone(),
        role_arn: role("velero", manifest.backup.identity),
        bucket: output("aws:s3:Bucket", "backup", "name"),
        prefix: None,
        kms_key_arn: Some(output("aws:kms:Key", "backup", "arn")),
        schedule: manifest.backup.schedule.clone(),
        retention_days: manifest.backup.retention_days,
    }
    .spec()
}

/// An output of a resource that this crate gives the name.
fn output(kind: &str, name: &str, field: &'static str) -> Expr {
    Urn::new(kind, name).map_or(Expr::Value(Value::Null), |urn| Output::<String>::new(urn, field).expr())
}

/// What a service account is told of its role; with Pod Identity nothing.
fn role(name: &str, identity: Identity) -> Option<Expr> {
    (identity == Identity::Irsa).then(|| output("aws:iam:Role", name, "arn"))
}

fn groups(manifest: &Resolved) -> NodeGroupNames {
    let of = |name: &str| output("aws:eks:NodeGroup", name, "autoscaling_group");
    let mut names = NodeGroupNames::default();
    for (name, pool) in &manifest.node_pools {
        names.primary.push(of(name));
        if pool.fallback.is_some() {
            names.fallback.push(of(&format!("{name}-fallback")));
        }
    }
    names
}

/// The objects of a chart.
pub(super) struct Installed {
    /// All of them.
    pub urns: Vec<Urn>,
}

/// Adds a chart's objects; all of them wait for `before`.
pub(super) fn add(inside: &mut Inside<'_, '_>, spec: &ChartSpec, before: &[Urn]) -> Result<Installed, StackError> {
    let chart = inside.builder.charts.get(spec).map_err(|error| StackError::Part { message: error.to_string() })?;
    let mut urns = vec![release(inside, &chart)?];
    let made_of = made_of(&chart);
    let runs = |hook: &ChartHook, events: [HookEvent; 2]| hook.events.iter().any(|event| events.contains(event));
    let mut gate = before.to_vec();
    for hook in chart.hooks.iter().filter(|hook| runs(hook, [HookEvent::PreInstall, HookEvent::PreUpgrade])) {
        let urn = add_hook(inside, hook, [HookEvent::PreInstall, HookEvent::PreUpgrade], &made_of, &gate)?;
        gate = vec![urn.clone()];
        urns.push(urn);
    }
    let mut objects: Vec<Urn> = Vec::new();
    let edges = order::edges(&chart);
    for (at, object) in chart.objects.iter().enumerate() {
        let urn = add_object(inside, object)?;
        gate.iter().try_for_each(|other| inside.builder.stack.after(&urn, other))?;
        for (first, _) in edges.iter().filter(|(_, second)| *second == at) {
            if let Some(first) = objects.get(*first) {
                inside.builder.stack.after(&urn, first)?;
            }
        }
        objects.push(urn);
    }
    let mut gate = objects.clone();
    urns.extend(objects);
    for hook in chart.hooks.iter().filter(|hook| runs(hook, [HookEvent::PostInstall, HookEvent::PostUpgrade])) {
        let urn = add_hook(inside, hook, [HookEvent::PostInstall, HookEvent::PostUpgrade], &made_of, &gate)?;
        gate = vec![urn.clone()];
        urns.push(urn);
    }
    Ok(Installed { urns })
}

fn release(inside: &mut Inside<'_, '_>, chart: &Rendered) -> Result<Urn, StackError> {
    let args = ReleaseArgs {
        name: chart.spec.name.as_str().into(),
        chart: chart.spec.chart.as_str().into(),
        repository: chart.spec.repository.as_str().into(),
        version: chart.version.as_str().into(),
        digest: chart.digest.clone().into(),
    };
    Ok(inside.builder.stack.add::<Release>(&chart.spec.name, args)?.urn)
}

/// Another text after every change of a chart or its values.
fn made_of(chart: &Rendered) -> String {
    let objects: Vec<Value> = chart.objects.iter().map(|object| json!(object.manifest)).collect();
    hex::encode(&Sha256::digest(json!([chart.version, objects]).to_string())[..8])
}

fn add_hook(
    inside: &mut Inside<'_, '_>,
    hook: &ChartHook,
    [install, upgrade]: [HookEvent; 2],
    made_of: &str,
    after: &[Urn],
) -> Result<Urn, StackError> {
    let added = inside.builder.stack.add::<Hook>(
        &format!("{}/{}", name_of(&hook.object), if install == HookEvent::PreInstall { "before" } else { "after" }),
        HookArgs {
            cluster: inside.access.clone(),
            manifest: Input::expr(hook.object.manifest.clone()),
            at_install: hook.events.contains(&install).into(),
            at_upgrade: hook.events.contains(&upgrade).into(),
            delete_when_done: hook.delete.contains(&HookDelete::Succeeded).into(),
            release: made_of.into(),
        },
    )?;
    after.iter().try_for_each(|other| inside.builder.stack.after(&added.urn, other))?;
    inside.has_pods(&added.urn)?;
    Ok(added.urn)
}

fn name_of(object: &RenderedObject) -> String {
    if object.kind == "CustomResourceDefinition" {
        return object.name.clone();
    }
    let namespace = object.namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
    format!("{namespace}{}/{}", object.kind, object.name)
}

fn add_object(inside: &mut Inside<'_, '_>, object: &RenderedObject) -> Result<Urn, StackError> {
    fn of<F: Family>(inside: &mut Inside<'_, '_>, object: &RenderedObject) -> Result<Urn, StackError> {
        let manifest = Input::expr(object.manifest.clone());
        let args = ObjectArgs { cluster: inside.access.clone(), manifest };
        Ok(inside.builder.stack.add::<Object<F>>(&name_of(object), args)?.urn)
    }
    match (object.group(), object.kind.as_str()) {
        (_, "CustomResourceDefinition") => of::<Definition>(inside, object),
        ("apps" | "batch", "Deployment" | "DaemonSet" | "StatefulSet" | "Job") => {
            let urn = of::<Workload>(inside, object)?;
            inside.has_pods(&urn)?;
            Ok(urn)
        }
        ("ray.io", _) => of::<Ray>(inside, object),
        _ => of::<Plain>(inside, object),
    }
}
