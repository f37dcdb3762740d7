//! Managed node groups. API: <https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateNodegroup.html>

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_eks::{
    Client,
    types::{
        self, AmiTypes, CapacityTypes, LaunchTemplateSpecification, Nodegroup, NodegroupScalingConfig, NodegroupStatus,
        TaintEffect, UpdateLabelsPayload, UpdateTaintsPayload,
    },
};
use rayplat_engine::{
    context::{Ctx, Poll, Repeat},
    error::ProviderError,
    inputs, outputs,
    plan::diff::Change,
    provider::{Action, Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered, Refusal},
    value::Planned,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::eks_node_group_options::{NodeRepair, RepairOverride, WarmPool};
use super::{
    Clients, ClusterName, LaunchTemplateId, RoleArn, SubnetId, Tags, all_tags, call, discovered,
    eks::{Of, failed, follow_update, from_tag_map, retag, split, tag_map},
    eks_lists::{clusters_of_stack, node_group_names},
    eks_node_group_options as options, eks_node_group_roll as roll, eks_versions, found, gone_is_ok,
    launch_template::same_members,
    marks, ownership, users_tags, vanished,
};

/// How many nodes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scaling {
    /// Never fewer.
    pub min: u32,
    /// At first; the autoscaler owns it afterwards.
    pub desired: u32,
    /// Never more.
    pub max: u32,
}

/// A Kubernetes taint.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Taint {
    /// E.g. `nvidia.com/gpu`.
    pub key: String,
    /// May be empty.
    pub value: String,
    /// `NO_SCHEDULE`, `NO_EXECUTE` or `PREFER_NO_SCHEDULE`.
    pub effect: String,
}

inputs! {
    /// A node group.
    pub struct NodeGroupInputs, NodeGroupArgs {
        /// The cluster.
        pub cluster: ClusterName,
        /// The beginning of its name; a short hash is added, 63 characters in all.
        pub name_prefix: String,
        /// The nodes' role.
        pub role_arn: RoleArn,
        /// Where nodes may run.
        pub subnet_ids: Vec<SubnetId>,
        /// Of one size, or the cluster autoscaler reckons with the first one only. Empty where
        /// the launch template has the type.
        pub instance_types: Vec<String>,
        /// `ON_DEMAND`, `SPOT` or `CAPACITY_BLOCK`.
        pub capacity: String,
        /// E.g. `AL2023_x86_64_NVIDIA`.
        pub ami_type: String,
        /// How many nodes.
        pub scaling: Scaling,
        /// The launch template.
        pub template_id: LaunchTemplateId,
        /// Its version, a number.
        pub template_version: String,
        /// Kubernetes labels.
        pub labels: BTreeMap<String, String>,
        /// Kubernetes taints.
        pub taints: Vec<Taint>,
        /// How many nodes may be replaced at once in a rolling update, percent; 0 where a number
        /// is given.
        pub max_unavailable_percentage: u32,
        /// How many, as a number of nodes.
        pub max_unavailable: Option<u32>,
        /// `MINIMAL`: terminate before launching. `None`: the other way round.
        pub update_strategy: Option<String>,
        /// Replace nodes even if pods do not let themselves be evicted.
        pub force_update: bool,
        /// E.g. `1.35`; `None`: as it is. Means nothing for an image of one's own.
        pub kubernetes_version: Option<String>,
        /// The AMI release, e.g. `1.35.3-20261112`; `None`: as it is.
        pub ami_release: Option<String>,
        /// Tags.
        pub tags: Tags,
        /// Instances that wait, booted.
        pub warm_pool: Option<WarmPool>,
        /// Automatic repair.
        pub node_repair: Option<NodeRepair>,
    }
}

outputs! {
    /// A node group.
    pub struct NodeGroupOutputs, NodeGroupRefs {
        /// Its name.
        pub name: String,
        /// Its ARN.
        pub arn: String,
        /// E.g. `ACTIVE`.
        pub status: String,
        /// Its Auto Scaling group.
        pub autoscaling_group: String,
        /// Its nodes' Kubernetes version.
        pub version: String,
        /// Their AMI release.
        pub release_version: String,
    }
}

const CREATE: Duration = Duration::from_secs(130);
const UPDATE: Duration = Duration::from_secs(60);
const DELETE: Duration = Duration::from_secs(370);
const LIMIT: Duration = Duration::from_secs(60 * 60);

/// The kind.
pub struct NodeGroup {
    eks: Client,
}

impl NodeGroup {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { eks: clients.eks.clone() }
    }

    async fn get(&self, ctx: &Ctx, cluster: &str, name: &str) -> Result<Option<Nodegroup>, ProviderError> {
        let answer = call(ctx, "eks", "DescribeNodegroup", Repeat::Safe, || {
            self.eks.describe_nodegroup().cluster_name(cluster).nodegroup_name(name).send()
        })
        .await;
        Ok(found(answer)?.and_then(|answer| answer.nodegroup))
    }

    async fn wait_active(&self, ctx: &Ctx, id: &str, expected: Duration) -> Result<Nodegroup, ProviderError> {
        let (cluster, name) = split(id);
        ctx.wait(&format!("node group {name}"), expected, LIMIT, || async {
            let group = self.get(ctx, cluster, name).await?.ok_or_else(|| vanished(id))?;
            match group.status() {
                Some(NodegroupStatus::Active | NodegroupStatus::Degraded) => Ok(Poll::Ready(group)),
                Some(NodegroupStatus::CreateFailed | NodegroupStatus::DeleteFailed) => {
                    let status = group.status().map_or("", NodegroupStatus::as_str);
                    Err(failed(&format!("node group {name} is {status}"), issues(&group)))
                }
                status => Ok(Poll::Pending(status.map_or("unknown", NodegroupStatus::as_str).to_owned())),
            }
        })
        .await
    }

    async fn wait_gone(&self, ctx: &Ctx, id: &str) -> Result<(), ProviderError> {
        let (cluster, name) = split(id);
        ctx.wait(&format!("node group {name}"), DELETE, LIMIT, || async {
            match self.get(ctx, cluster, name).await? {
                None => Ok(Poll::Ready(())),
                Some(group) if group.status() == Some(&NodegroupStatus::DeleteFailed) => {
                    Err(failed(&format!("deleting node group {name} failed"), issues(&group)))
                }
                Some(group) => Ok(Poll::Pending(group.status().map_or("", NodegroupStatus::as_str).to_owned())),
            }
        })
        .await
    }

    async fn send_create(&self, ctx: &Ctx, inputs: &NodeGroupInputs, name: &str) -> Result<(), ProviderError> {
        let (token, tags) = (ctx.token("CreateNodegroup"), tag_map(&all_tags(ctx, &inputs.tags)));
        let template = template(inputs);
        let update = roll::update_config(inputs, false);
        let (version, release) = roll::wanted(inputs);
        call(ctx, "eks", "CreateNodegroup", Repeat::Safe, || {
            self.eks
                .create_nodegroup()
                .cluster_name(inputs.cluster.as_str())
                .nodegroup_name(name)
                .node_role(inputs.role_arn.as_str())
                .set_subnets(Some(inputs.subnet_ids.iter().map(ToString::to_string).collect()))
                .set_instance_types(Some(inputs.instance_types.clone()).filter(|types| !types.is_empty()))
                .capacity_type(CapacityTypes::from(inputs.capacity.as_str()))
                .ami_type(AmiTypes::from(inputs.ami_type.as_str()))
                .scaling_config(scaling(inputs.scaling, Some(inputs.scaling.desired)))
                .launch_template(template.clone())
                .set_labels(Some(inputs.labels.clone().into_iter().collect()))
                .set_taints(Some(inputs.taints.iter().map(taint).collect()))
                .update_config(update.clone())
                .set_warm_pool_config(inputs.warm_pool.as_ref().map(|pool| options::warm_pool(Some(pool))))
                .set_node_repair_config(inputs.node_repair.as_ref().map(|repair| options::node_repair(Some(repair))))
                .set_version(version.clone())
                .set_release_version(release.clone())
                .set_tags(Some(tags.clone()))
                .client_request_token(&token)
                .send()
        })
        .await?;
        Ok(())
    }
}

pub(super) fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

fn scaling(scaling: Scaling, desired: Option<u32>) -> NodegroupScalingConfig {
    NodegroupScalingConfig::builder()
        .min_size(number(scaling.min))
        .max_size(number(scaling.max))
        .set_desired_size(desired.map(number))
        .build()
}

/// By id, never by name as well: EKS refuses both.
pub(super) fn template(inputs: &NodeGroupInputs) -> LaunchTemplateSpecification {
    LaunchTemplateSpecification::builder().id(inputs.template_id.as_str()).version(&inputs.template_version).build()
}

fn taint(taint: &Taint) -> types::Taint {
    types::Taint::builder().key(&taint.key).value(&taint.value).effect(TaintEffect::from(taint.effect.as_str())).build()
}

fn issues(group: &Nodegroup) -> Vec<(String, String)> {
    let issues = group.health().map(|health| health.issues()).unwrap_or_default();
    issues
        .iter()
        .map(|issue| {
            let code = issue.code().map_or("Unknown", |code| code.as_str());
            let on = issue.resource_ids();
            let on = if on.is_empty() { String::new() } else { format!(" ({})", on.join(", ")) };
            (code.to_owned(), format!("{}{on}", issue.message().unwrap_or_default()))
        })
        .collect()
}

fn outputs_of(group: &Nodegroup) -> NodeGroupOutputs {
    let autoscaling = group.resources().and_then(|resources| resources.auto_scaling_groups().first());
    NodeGroupOutputs {
        name: group.nodegroup_name().unwrap_or_default().to_owned(),
        arn: group.nodegroup_arn().unwrap_or_default().to_owned(),
        status: group.status().map_or("", NodegroupStatus::as_str).to_owned(),
        autoscaling_group: autoscaling.and_then(|group| group.name()).unwrap_or_default().to_owned(),
        version: group.version().unwrap_or_default().to_owned(),
        release_version: group.release_version().unwrap_or_default().to_owned(),
    }
}

/// The sizes as found. The autoscaler owns the desired size: within the bounds it is
/// never a difference.
fn observed_scaling(group: &Nodegroup, prior: Scaling) -> Scaling {
    let config = group.scaling_config();
    let size = |size: Option<i32>| size.and_then(|size| u32::try_from(size).ok()).unwrap_or_default();
    let (min, max) = (size(config.and_then(|c| c.min_size())), size(config.and_then(|c| c.max_size())));
    let desired = size(config.and_then(|c| c.desired_size()));
    Scaling { min, max, desired: if (min..=max).contains(&desired) { prior.desired } else { desired } }
}

fn observed(group: &Nodegroup, prior: &NodeGroupInputs) -> NodeGroupInputs {
    let subnets: Vec<SubnetId> = group.subnets().iter().map(|id| id.as_str().into()).collect();
    let mut taints: Vec<Taint> = group
        .taints()
        .iter()
        .map(|taint| Taint {
            key: taint.key().unwrap_or_default().to_owned(),
            value: taint.value().unwrap_or_default().to_owned(),
            effect: taint.effect().map_or("", TaintEffect::as_str).to_owned(),
        })
        .collect();
    if same_members(&taints, &prior.taints) {
        taints.clone_from(&prior.taints);
    }
    let template = group.launch_template();
    let mut observed = NodeGroupInputs {
        cluster: group.cluster_name().unwrap_or_default().into(),
        name_prefix: prior.name_prefix.clone(),
        role_arn: group.node_role().unwrap_or_default().into(),
        subnet_ids: if same_members(&subnets, &prior.subnet_ids) { prior.subnet_ids.clone() } else { subnets },
        instance_types: group.instance_types().to_vec(),
        capacity: group.capacity_type().map_or("", CapacityTypes::as_str).to_owned(),
        ami_type: group.ami_type().map_or("", AmiTypes::as_str).to_owned(),
        scaling: observed_scaling(group, prior.scaling),
        template_id: template.and_then(|t| t.id()).unwrap_or_default().into(),
        template_version: template.and_then(|t| t.version()).unwrap_or_default().to_owned(),
        labels: group.labels().map(|labels| labels.clone().into_iter().collect()).unwrap_or_default(),
        taints,
        tags: users_tags(&from_tag_map(group.tags())),
        warm_pool: options::warm_pool_of(group.warm_pool_config(), prior.warm_pool.as_ref()),
        node_repair: options::node_repair_of(group.node_repair_config()),
        ..NodeGroupInputs::default()
    };
    roll::observe(group, prior, &mut observed);
    observed
}

impl Provider for NodeGroup {
    type Inputs = NodeGroupInputs;
    type Outputs = NodeGroupOutputs;

    const TYPE: &'static str = "aws:eks:NodeGroup";
    const REPLACE_ON: &'static [&'static str] =
        &["cluster", "name_prefix", "role_arn", "subnet_ids", "instance_types", "capacity", "ami_type", "template_id"];
    const CHANGES_ON_UPDATE: &'static [&'static str] = &["status", "version", "release_version"];

    fn diff(&self, old: &Value, new: &Planned) -> Vec<Change> {
        roll::diff(old, new, Self::REPLACE_ON)
    }

    fn refuse_update(&self, old: &Value, new: &Planned) -> Option<Refusal> {
        let follows = self.diff(old, new).iter().any(|change| change.path == "kubernetes_version");
        follows.then(|| eks_versions::refuse_node_group(old, new)).flatten()
    }

    fn expected_change(&self, old: &Value, new: &Planned) -> Duration {
        roll::expected(old, &self.diff(old, new), new)
    }

    async fn create(&self, ctx: &Ctx, inputs: &NodeGroupInputs) -> Result<Created<NodeGroupOutputs>, ProviderError> {
        let name = ctx.unique_name(&inputs.name_prefix, 63);
        // One that was imported has a name that somebody else chose.
        let id = ctx.resume().map_or_else(|| format!("{}/{name}", inputs.cluster), str::to_owned);
        if ctx.resume().is_none() {
            self.send_create(ctx, inputs, &name).await?;
            ctx.progress(&id);
        }
        let group = self.wait_active(ctx, &id, ctx.expected()).await?;
        if ctx.resume().is_some() {
            let (arn, old) = (group.nodegroup_arn().unwrap_or_default(), from_tag_map(group.tags()));
            retag(ctx, &self.eks, arn, &old, &all_tags(ctx, &inputs.tags)).await?;
        }
        Ok(Created { id, outputs: outputs_of(&group) })
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<NodeGroupInputs, NodeGroupOutputs>,
    ) -> Reading<NodeGroupInputs, NodeGroupOutputs> {
        let (cluster, name) = split(&current.id);
        let Some(group) = self.get(ctx, cluster, name).await? else { return Ok(None) };
        let group = match group.status() {
            Some(NodegroupStatus::Deleting) => {
                self.wait_gone(ctx, &current.id).await?;
                return Ok(None);
            }
            Some(NodegroupStatus::Updating) => self.wait_active(ctx, &current.id, UPDATE).await?,
            // Found by its tags while another run's creation goes on: its outputs come at the end.
            Some(NodegroupStatus::Creating) => self.wait_active(ctx, &current.id, CREATE).await?,
            _ => group,
        };
        Ok(Some(Observed { inputs: observed(&group, &current.inputs), outputs: outputs_of(&group) }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<NodeGroupInputs, NodeGroupOutputs>,
        to: &NodeGroupInputs,
    ) -> Result<NodeGroupOutputs, ProviderError> {
        // As it stands now, at the end of whatever an earlier run had begun.
        let group = self.wait_active(ctx, &current.id, UPDATE).await?;
        let from = observed(&group, &current.inputs);
        if from.tags != to.tags {
            retag(ctx, &self.eks, group.nodegroup_arn().unwrap_or_default(), &from.tags, &to.tags).await?;
        }
        GroupUpdate { eks: &self.eks, ctx, id: &current.id, from: &from, to }.config().await?;
        roll::roll(ctx, &self.eks, &current.id, (&from, to), &group).await?;
        Ok(outputs_of(&self.wait_active(ctx, &current.id, UPDATE).await?))
    }

    async fn delete(
        &self,
        ctx: &Ctx,
        current: &Current<NodeGroupInputs, NodeGroupOutputs>,
    ) -> Result<(), ProviderError> {
        let (cluster, name) = split(&current.id);
        match self.get(ctx, cluster, name).await? {
            None => return Ok(()),
            Some(group) if group.status() == Some(&NodegroupStatus::Deleting) => {}
            Some(_) => gone_is_ok(
                call(ctx, "eks", "DeleteNodegroup", Repeat::Safe, || {
                    self.eks.delete_nodegroup().cluster_name(cluster).nodegroup_name(name).send()
                })
                .await,
            )?,
        }
        self.wait_gone(ctx, &current.id).await
    }

    async fn marks(
        &self,
        ctx: &Ctx,
        current: &Current<NodeGroupInputs, NodeGroupOutputs>,
    ) -> Result<Marks, ProviderError> {
        let (cluster, name) = split(&current.id);
        let group = self.get(ctx, cluster, name).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&from_tag_map(group.tags())))
    }

    async fn recover(&self, ctx: &Ctx, inputs: &NodeGroupInputs) -> Result<Recovered, ProviderError> {
        let name = ctx.unique_name(&inputs.name_prefix, 63);
        let id = format!("{}/{name}", inputs.cluster);
        let Some(group) = self.get(ctx, inputs.cluster.as_str(), &name).await? else { return Ok(Recovered::Absent) };
        Ok(match (ownership(ctx, &from_tag_map(group.tags())), group.status()) {
            (super::Ownership::Foreign, _) => {
                Recovered::Foreign(format!("the node group {name} of cluster {}", inputs.cluster))
            }
            (_, Some(NodegroupStatus::Deleting)) => {
                self.wait_gone(ctx, &id).await?;
                Recovered::Absent
            }
            (whose, _) => whose.recovered(id),
        })
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let mut found = Vec::new();
        for cluster in clusters_of_stack(ctx, &self.eks).await? {
            for name in node_group_names(ctx, &self.eks, &cluster).await? {
                if let Some(group) = self.get(ctx, &cluster, &name).await? {
                    let id = format!("{cluster}/{name}");
                    found.extend(discovered(ctx, Self::TYPE, &id, &from_tag_map(group.tags())));
                }
            }
        }
        Ok(Some(found))
    }

    fn expected(&self, action: Action) -> Duration {
        match action {
            Action::Create => CREATE,
            Action::Update => UPDATE,
            Action::Delete => DELETE,
            Action::Read => Duration::from_secs(1),
        }
    }
}

/// A change in place: one update at a time, each followed to its end.
struct GroupUpdate<'a> {
    eks: &'a Client,
    ctx: &'a Ctx,
    id: &'a str,
    from: &'a NodeGroupInputs,
    to: &'a NodeGroupInputs,
}

impl GroupUpdate<'_> {
    async fn config(&self) -> Result<(), ProviderError> {
        let (from, to) = (self.from, self.to);
        let sizes = (from.scaling != to.scaling).then(|| scaling(to.scaling, self.desired()));
        let labels = (from.labels != to.labels).then(|| label_delta(&from.labels, &to.labels));
        let taints = (from.taints != to.taints).then(|| taint_delta(&from.taints, &to.taints));
        let rolling = roll::new_config(from, to);
        let warm = (from.warm_pool != to.warm_pool).then(|| options::warm_pool(to.warm_pool.as_ref()));
        let repair = (from.node_repair != to.node_repair).then(|| options::node_repair(to.node_repair.as_ref()));
        let same = sizes.is_none() && labels.is_none() && taints.is_none() && rolling.is_none();
        if same && warm.is_none() && repair.is_none() {
            return Ok(());
        }
        let (cluster, name) = split(self.id);
        let token = self.ctx.token(&format!("config {} {to:?}", self.ctx.now_ms()));
        let answer = call(self.ctx, "eks", "UpdateNodegroupConfig", Repeat::Safe, || {
            self.eks
                .update_nodegroup_config()
                .cluster_name(cluster)
                .nodegroup_name(name)
                .set_scaling_config(sizes.clone())
                .set_labels(labels.clone())
                .set_taints(taints.clone())
                .set_update_config(rolling.clone())
                .set_warm_pool_config(warm.clone())
                .set_node_repair_config(repair.clone())
                .client_request_token(&token)
                .send()
        })
        .await?;
        follow_update(self.ctx, self.eks, cluster, Of::NodeGroup(name), answer.update(), UPDATE).await
    }

    /// The desired size is sent only when the manifest changed it, or when new bounds
    /// leave it outside: otherwise it is the autoscaler's.
    fn desired(&self) -> Option<u32> {
        let (from, to) = (self.from.scaling, self.to.scaling);
        let outside = !(to.min..=to.max).contains(&from.desired);
        (from.desired != to.desired || outside || from.min < to.min || from.max > to.max)
            .then(|| to.desired.clamp(to.min, to.max))
    }
}

fn label_delta(from: &BTreeMap<String, String>, to: &BTreeMap<String, String>) -> UpdateLabelsPayload {
    let changed = to.iter().filter(|(key, value)| from.get(*key) != Some(value));
    let changed = changed.map(|(key, value)| (key.clone(), value.clone())).collect();
    let gone = from.keys().filter(|key| !to.contains_key(*key)).cloned().collect();
    UpdateLabelsPayload::builder().set_add_or_update_labels(Some(changed)).set_remove_labels(Some(gone)).build()
}

fn taint_delta(from: &[Taint], to: &[Taint]) -> UpdateTaintsPayload {
    let only = |a: &[Taint], b: &[Taint]| a.iter().filter(|one| !b.contains(one)).map(taint).collect::<Vec<_>>();
    // A taint is named by key and effect: one whose value changes is updated, not removed.
    let kept = |one: &&Taint| to.iter().any(|other| other.key == one.key && other.effect == one.effect);
    let gone: Vec<Taint> = from.iter().filter(|one| !kept(one)).cloned().collect();
    UpdateTaintsPayload::builder()
        .set_add_or_update_taints(Some(only(to, from)))
        .set_remove_taints(Some(only(&gone, to)))
        .build()
}
