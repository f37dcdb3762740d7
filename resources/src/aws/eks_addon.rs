//! EKS add-ons. API: <https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateAddon.html>

use std::time::Duration;

use aws_sdk_eks::{
    Client,
    types::{self, AddonPodIdentityAssociations, AddonStatus, ResolveConflicts},
};
use rayplat_engine::{
    context::{Ctx, Poll, Repeat},
    error::{ErrorClass, ProviderError},
    inputs, outputs,
    plan::diff::{Change, structural},
    provider::{Action, Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered, ReplaceOrder},
    value::Planned,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Clients, ClusterName, RoleArn, Tags, all_tags, call, discovered,
    eks::{Of, failed, follow_update, from_tag_map, retag, split, tag_map},
    eks_lists::{addon_names, clusters_of_stack},
    eks_versions::older,
    found, gone_is_ok, marks, ownership, users_tags, vanished,
};

/// A service account of the add-on and the role that its pods get.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodIdentity {
    /// The service account's name, e.g. `aws-node`.
    pub service_account: String,
    /// The role.
    pub role_arn: RoleArn,
}

inputs! {
    /// An add-on.
    pub struct AddonInputs, AddonArgs {
        /// The cluster.
        pub cluster: ClusterName,
        /// E.g. `vpc-cni`.
        pub name: String,
        /// `None`: the version that EKS recommends for the cluster's; it is not compared then.
        pub version: Option<String>,
        /// The cluster's Kubernetes version that the add-on's own follows, e.g. `1.35`: when it
        /// changes, the add-on goes to what EKS recommends for it, and at no other time. `None`
        /// where `version` is given.
        pub kubernetes_version: Option<String>,
        /// Its configuration, by the add-on's own schema.
        pub configuration: Option<Value>,
        /// A role by Pod Identity.
        pub pod_identity: Option<PodIdentity>,
        /// A role by the cluster's issuer (IRSA).
        pub service_account_role_arn: Option<RoleArn>,
        /// Tags.
        pub tags: Tags,
    }
}

outputs! {
    /// An add-on.
    pub struct AddonOutputs, AddonRefs {
        /// Its ARN.
        pub arn: String,
        /// Its version.
        pub version: String,
    }
}

const CREATE: Duration = Duration::from_secs(35);
const UPDATE: Duration = Duration::from_secs(40);
const DELETE: Duration = Duration::from_secs(20);
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// The kind.
pub struct Addon {
    eks: Client,
}

impl Addon {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { eks: clients.eks.clone() }
    }

    async fn get(&self, ctx: &Ctx, cluster: &str, name: &str) -> Result<Option<types::Addon>, ProviderError> {
        let answer = call(ctx, "eks", "DescribeAddon", Repeat::Safe, || {
            self.eks.describe_addon().cluster_name(cluster).addon_name(name).send()
        })
        .await;
        Ok(found(answer)?.and_then(|answer| answer.addon))
    }

    /// DEGRADED is no failure: pods may still be coming up. It is waited out, and said.
    async fn wait_active(&self, ctx: &Ctx, id: &str) -> Result<types::Addon, ProviderError> {
        let (cluster, name) = split(id);
        ctx.wait(&format!("add-on {name}"), ctx.expected(), LIMIT, || async {
            let addon = self.get(ctx, cluster, name).await?.ok_or_else(|| vanished(id))?;
            match addon.status() {
                Some(AddonStatus::Active) => Ok(Poll::Ready(addon)),
                Some(AddonStatus::CreateFailed | AddonStatus::UpdateFailed | AddonStatus::DeleteFailed) => {
                    let status = addon.status().map_or("", AddonStatus::as_str);
                    Err(failed(&format!("add-on {name} is {status}"), issues(&addon)))
                }
                status => Ok(Poll::Pending(status.map_or("unknown", AddonStatus::as_str).to_owned())),
            }
        })
        .await
    }

    async fn wait_gone(&self, ctx: &Ctx, id: &str) -> Result<(), ProviderError> {
        let (cluster, name) = split(id);
        ctx.wait(&format!("add-on {name}"), DELETE, LIMIT, || async {
            match self.get(ctx, cluster, name).await? {
                None => Ok(Poll::Ready(())),
                Some(addon) if addon.status() == Some(&AddonStatus::DeleteFailed) => {
                    Err(failed(&format!("deleting add-on {name} failed"), issues(&addon)))
                }
                Some(addon) => Ok(Poll::Pending(addon.status().map_or("", AddonStatus::as_str).to_owned())),
            }
        })
        .await
    }

    async fn send_create(&self, ctx: &Ctx, inputs: &AddonInputs) -> Result<(), ProviderError> {
        let (token, tags) = (ctx.token("CreateAddon"), tag_map(&all_tags(ctx, &inputs.tags)));
        call(ctx, "eks", "CreateAddon", Repeat::Safe, || {
            self.eks
                .create_addon()
                .cluster_name(inputs.cluster.as_str())
                .addon_name(&inputs.name)
                .set_addon_version(inputs.version.clone())
                .set_configuration_values(inputs.configuration.as_ref().map(Value::to_string))
                .set_service_account_role_arn(inputs.service_account_role_arn.as_ref().map(ToString::to_string))
                .set_pod_identity_associations(associations(inputs.pod_identity.as_ref()))
                // A copy that was there before the add-on is ours to take over.
                .resolve_conflicts(ResolveConflicts::Overwrite)
                .set_tags(Some(tags.clone()))
                .client_request_token(&token)
                .send()
        })
        .await?;
        Ok(())
    }

    /// The version to be at. One that is not pinned follows the cluster's minor version only:
    /// a newer recommendation for the same one is nobody's wish.
    async fn version(
        &self,
        ctx: &Ctx,
        from: &AddonInputs,
        to: &AddonInputs,
        standing: &str,
    ) -> Result<String, ProviderError> {
        if let Some(pinned) = &to.version {
            return Ok(pinned.clone());
        }
        let (Some(_), Some(cluster)) = (&from.kubernetes_version, &to.kubernetes_version) else {
            return Ok(standing.to_owned());
        };
        if from.kubernetes_version == to.kubernetes_version {
            return Ok(standing.to_owned());
        }
        let answer = call(ctx, "eks", "DescribeAddonVersions", Repeat::Safe, || {
            self.eks.describe_addon_versions().addon_name(&to.name).kubernetes_version(cluster).send()
        })
        .await?;
        let offered = answer.addons().first().map(|addon| addon.addon_versions()).unwrap_or_default();
        recommended(offered, cluster, standing).map(str::to_owned).ok_or_else(|| {
            let message = format!("EKS has no version of the add-on {} for Kubernetes {cluster}", to.name);
            ProviderError::new(ErrorClass::Invalid, message)
                .hint(format!("Switch it off (addons.{}.enabled: false), or wait until EKS offers one.", to.name))
        })
    }

    /// The version of the cluster, for an add-on of which nobody wrote down which one it follows.
    async fn cluster_version(&self, ctx: &Ctx, cluster: &str) -> Result<Option<String>, ProviderError> {
        let answer =
            call(ctx, "eks", "DescribeCluster", Repeat::Safe, || self.eks.describe_cluster().name(cluster).send())
                .await;
        let cluster = found(answer)?.and_then(|answer| answer.cluster);
        Ok(cluster.and_then(|cluster| cluster.version().map(str::to_owned)))
    }

    /// EKS names the associations by ARN only: the rest is asked for.
    async fn pod_identity(
        &self,
        ctx: &Ctx,
        cluster: &str,
        addon: &types::Addon,
    ) -> Result<Option<PodIdentity>, ProviderError> {
        let Some(arn) = addon.pod_identity_associations().first() else { return Ok(None) };
        let id = arn.rsplit('/').next().unwrap_or(arn);
        let answer = call(ctx, "eks", "DescribePodIdentityAssociation", Repeat::Safe, || {
            self.eks.describe_pod_identity_association().cluster_name(cluster).association_id(id).send()
        })
        .await;
        Ok(found(answer)?.and_then(|answer| answer.association).map(|association| PodIdentity {
            service_account: association.service_account().unwrap_or_default().to_owned(),
            role_arn: association.role_arn().unwrap_or_default().into(),
        }))
    }
}

/// The version that EKS recommends for a cluster's, or the one that stands if that is newer
/// and fits as well.
fn recommended<'v>(offered: &'v [types::AddonVersionInfo], cluster: &str, standing: &'v str) -> Option<&'v str> {
    let fits = |version: &&types::AddonVersionInfo, default_only: bool| {
        let of = version.compatibilities().iter().filter(|fit| fit.cluster_version() == Some(cluster));
        of.into_iter().any(|fit| fit.default_version() || !default_only)
    };
    let stays = offered.iter().filter(|version| fits(version, false)).any(|v| v.addon_version() == Some(standing));
    let default = offered.iter().find(|version| fits(version, true)).and_then(|version| version.addon_version());
    match default {
        Some(default) if stays && older(default, standing) => Some(standing),
        Some(default) => Some(default),
        None => stays.then_some(standing),
    }
}

fn associations(identity: Option<&PodIdentity>) -> Option<Vec<AddonPodIdentityAssociations>> {
    let identity = identity?;
    let built = AddonPodIdentityAssociations::builder()
        .service_account(&identity.service_account)
        .role_arn(identity.role_arn.as_str())
        .build();
    // Both members are set just above.
    built.ok().map(|association| vec![association])
}

fn issues(addon: &types::Addon) -> Vec<(String, String)> {
    let issues = addon.health().map(|health| health.issues()).unwrap_or_default();
    issues
        .iter()
        .map(|issue| {
            let code = issue.code().map_or("Unknown", |code| code.as_str());
            (code.to_owned(), issue.message().unwrap_or_default().to_owned())
        })
        .collect()
}

fn outputs_of(addon: &types::Addon) -> AddonOutputs {
    AddonOutputs {
        arn: addon.addon_arn().unwrap_or_default().to_owned(),
        version: addon.addon_version().unwrap_or_default().to_owned(),
    }
}

impl Provider for Addon {
    type Inputs = AddonInputs;
    type Outputs = AddonOutputs;

    const TYPE: &'static str = "aws:eks:Addon";
    const REPLACE_ON: &'static [&'static str] = &["cluster", "name"];
    const REPLACE_ORDER: ReplaceOrder = ReplaceOrder::DeleteThenCreate;
    const CHANGES_ON_UPDATE: &'static [&'static str] = &["version"];

    fn diff(&self, old: &Value, new: &Planned) -> Vec<Change> {
        let mut changes = structural(old, new, Self::REPLACE_ON);
        // Pinned: it follows nothing.
        changes.retain(|change| change.path != "kubernetes_version" || change.new.is_some());
        changes
    }

    async fn create(&self, ctx: &Ctx, inputs: &AddonInputs) -> Result<Created<AddonOutputs>, ProviderError> {
        let id = format!("{}/{}", inputs.cluster, inputs.name);
        if ctx.resume().is_none() {
            self.send_create(ctx, inputs).await?;
            ctx.progress(&id);
        }
        let addon = self.wait_active(ctx, &id).await?;
        if ctx.resume().is_some() {
            let (arn, old) = (addon.addon_arn().unwrap_or_default(), from_tag_map(addon.tags()));
            retag(ctx, &self.eks, arn, &old, &all_tags(ctx, &inputs.tags)).await?;
        }
        Ok(Created { id, outputs: outputs_of(&addon) })
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<AddonInputs, AddonOutputs>,
    ) -> Reading<AddonInputs, AddonOutputs> {
        let (cluster, name) = split(&current.id);
        let Some(addon) = self.get(ctx, cluster, name).await? else { return Ok(None) };
        let addon = match addon.status() {
            Some(AddonStatus::Deleting) => {
                self.wait_gone(ctx, &current.id).await?;
                return Ok(None);
            }
            Some(AddonStatus::Updating | AddonStatus::Creating) => self.wait_active(ctx, &current.id).await?,
            _ => addon,
        };
        let prior = &current.inputs;
        let kubernetes_version = match (&prior.version, &prior.kubernetes_version) {
            (None, None) => self.cluster_version(ctx, cluster).await?,
            (_, follows) => follows.clone(),
        };
        let configuration = addon.configuration_values().filter(|text| !text.trim().is_empty());
        // Not JSON (EKS takes YAML too): shown as the text that it is.
        let configuration =
            configuration.map(|text| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())));
        let empty = |value: &Value| value.as_object().is_some_and(serde_json::Map::is_empty);
        let configuration =
            configuration.filter(|found| !empty(found) || prior.configuration.as_ref().is_some_and(empty));
        let pod_identity = match self.pod_identity(ctx, cluster, &addon).await? {
            Some(found) if prior.pod_identity.is_some() => Some(found),
            // An association that somebody else made for an add-on without one is theirs.
            _ => None,
        };
        Ok(Some(Observed {
            inputs: AddonInputs {
                cluster: cluster.into(),
                name: name.to_owned(),
                version: prior.version.as_ref().and_then(|_| addon.addon_version().map(str::to_owned)),
                kubernetes_version,
                configuration,
                pod_identity,
                service_account_role_arn: addon.service_account_role_arn().map(RoleArn::from),
                tags: users_tags(&from_tag_map(addon.tags())),
            },
            outputs: outputs_of(&addon),
        }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<AddonInputs, AddonOutputs>,
        to: &AddonInputs,
    ) -> Result<AddonOutputs, ProviderError> {
        let (from, (cluster, name)) = (&current.inputs, split(&current.id));
        if from.tags != to.tags {
            retag(ctx, &self.eks, &current.outputs.arn, &from.tags, &to.tags).await?;
        }
        let addon = self.get(ctx, cluster, name).await?.ok_or_else(|| vanished(&current.id))?;
        let standing = addon.addon_version().unwrap_or_default();
        let version = self.version(ctx, from, to, standing).await?;
        let settings = |inputs: &AddonInputs| {
            (inputs.configuration.clone(), inputs.pod_identity.clone(), inputs.service_account_role_arn.clone())
        };
        if version != standing || settings(from) != settings(to) {
            // An empty one takes off what there is; where there is none, nothing is said of it.
            let taken_off = from.configuration.as_ref().map(|_| "{}".to_owned());
            let configuration = to.configuration.as_ref().map(Value::to_string).or(taken_off);
            // Left out it stays; an empty text takes it off (terraform-provider-aws sends the same).
            let role = to.service_account_role_arn.as_ref().map(ToString::to_string);
            let role = role.or_else(|| from.service_account_role_arn.as_ref().map(|_| String::new()));
            let token = ctx.token(&format!("UpdateAddon {} {to:?}", ctx.now_ms()));
            let answer = call(ctx, "eks", "UpdateAddon", Repeat::Safe, || {
                self.eks
                    .update_addon()
                    .cluster_name(cluster)
                    .addon_name(name)
                    .addon_version(&version)
                    .set_configuration_values(configuration.clone())
                    .set_service_account_role_arn(role.clone())
                    .set_pod_identity_associations(Some(associations(to.pod_identity.as_ref()).unwrap_or_default()))
                    .resolve_conflicts(ResolveConflicts::Overwrite)
                    .client_request_token(&token)
                    .send()
            })
            .await?;
            follow_update(ctx, &self.eks, cluster, Of::Addon(name), answer.update(), UPDATE).await?;
        }
        Ok(outputs_of(&self.wait_active(ctx, &current.id).await?))
    }

    async fn delete(&self, ctx: &Ctx, current: &Current<AddonInputs, AddonOutputs>) -> Result<(), ProviderError> {
        let (cluster, name) = split(&current.id);
        match self.get(ctx, cluster, name).await? {
            None => return Ok(()),
            Some(addon) if addon.status() == Some(&AddonStatus::Deleting) => {}
            Some(_) => gone_is_ok(
                call(ctx, "eks", "DeleteAddon", Repeat::Safe, || {
                    self.eks.delete_addon().cluster_name(cluster).addon_name(name).preserve(false).send()
                })
                .await,
            )?,
        }
        self.wait_gone(ctx, &current.id).await
    }

    async fn marks(&self, ctx: &Ctx, current: &Current<AddonInputs, AddonOutputs>) -> Result<Marks, ProviderError> {
        let (cluster, name) = split(&current.id);
        let addon = self.get(ctx, cluster, name).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&from_tag_map(addon.tags())))
    }

    async fn recover(&self, ctx: &Ctx, inputs: &AddonInputs) -> Result<Recovered, ProviderError> {
        let id = format!("{}/{}", inputs.cluster, inputs.name);
        let Some(addon) = self.get(ctx, inputs.cluster.as_str(), &inputs.name).await? else {
            return Ok(Recovered::Absent);
        };
        Ok(match (ownership(ctx, &from_tag_map(addon.tags())), addon.status()) {
            (super::Ownership::Foreign, _) => {
                Recovered::Foreign(format!("the add-on {} of cluster {}", inputs.name, inputs.cluster))
            }
            (_, Some(AddonStatus::Deleting)) => {
                self.wait_gone(ctx, &id).await?;
                Recovered::Absent
            }
            (whose, _) => whose.recovered(id),
        })
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let mut found = Vec::new();
        for cluster in clusters_of_stack(ctx, &self.eks).await? {
            for name in addon_names(ctx, &self.eks, &cluster).await? {
                if let Some(addon) = self.get(ctx, &cluster, &name).await? {
                    let id = format!("{cluster}/{name}");
                    found.extend(discovered(ctx, Self::TYPE, &id, &from_tag_map(addon.tags())));
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
