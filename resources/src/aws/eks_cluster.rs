//! EKS clusters. API: <https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html>

use std::time::Duration;

use aws_sdk_eks::{
    Client,
    types::{
        self, AuthenticationMode, ClusterStatus, CreateAccessConfigRequest, EncryptionConfig, LogSetup, LogType,
        Logging, Provider as KeyProvider, SupportType, UpgradePolicyRequest, VpcConfigRequest,
    },
};
use rayplat_engine::{
    context::{Ctx, Poll, Repeat},
    error::{ErrorClass, ProviderError},
    inputs, outputs,
    provider::{
        Action, Created, Current, Discovery, Marks, Observed, Provider, Reading, Recovered, Refusal, ReplaceOrder,
    },
    value::Planned,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Clients, ClusterArn, ClusterName, IssuerUrl, KeyArn, RoleArn, SecurityGroupId, SubnetId, Tags, VpcId, all_tags,
    call, discovered,
    eks::{Of, failed, follow_update, from_tag_map, retag, tag_map},
    eks_lists::cluster_names,
    eks_versions, found, gone_is_ok,
    launch_template::same_members,
    marks, ownership, users_tags, vanished,
};

/// Who reaches the API server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointAccess {
    /// From the internet.
    pub public: bool,
    /// From inside the VPC.
    pub private: bool,
    /// From where in the internet; empty for everywhere.
    pub public_cidrs: Vec<String>,
}

inputs! {
    /// A cluster.
    pub struct ClusterInputs, ClusterArgs {
        /// Its name; people know it by it, so it is not chosen by us.
        pub name: String,
        /// The control plane's role.
        pub role_arn: RoleArn,
        /// E.g. `1.35`.
        pub kubernetes_version: String,
        /// `STANDARD` or `EXTENDED`.
        pub support: String,
        /// In at least two zones.
        pub subnet_ids: Vec<SubnetId>,
        /// Groups of the control plane's interfaces, beside the one that EKS makes.
        pub security_group_ids: Vec<SecurityGroupId>,
        /// Who reaches the API server.
        pub endpoint: EndpointAccess,
        /// Encrypts Kubernetes secrets. Once on it can be neither changed nor taken off.
        pub secrets_key_arn: Option<KeyArn>,
        /// `api`, `audit`, `authenticator`, `controllerManager`, `scheduler`.
        pub log_types: Vec<String>,
        /// `API`, `API_AND_CONFIG_MAP` or `CONFIG_MAP`.
        pub authentication_mode: String,
        /// A silent administrator's right of the creator.
        pub bootstrap_creator_admin: bool,
        /// Refuse DeleteCluster.
        pub deletion_protection: bool,
        /// Unmanaged copies of the default add-ons.
        pub bootstrap_self_managed_addons: bool,
        /// Tags.
        pub tags: Tags,
        /// Application Recovery Controller may shift traffic away from a zone.
        pub zonal_shift: Option<bool>,
        /// Of Kubernetes Services; `None`: EKS chooses, and it is not compared.
        pub service_cidr: Option<String>,
    }
}

outputs! {
    /// A cluster.
    pub struct ClusterOutputs, ClusterRefs {
        /// Its name.
        pub name: ClusterName,
        /// Its ARN.
        pub arn: ClusterArn,
        /// The API server's URL.
        pub endpoint: String,
        /// The API server's certificate authority, PEM in Base64.
        pub certificate_authority: String,
        /// The OpenID Connect issuer.
        pub issuer: IssuerUrl,
        /// The group that EKS made.
        pub security_group_id: SecurityGroupId,
        /// Its VPC.
        pub vpc_id: VpcId,
        /// Its Kubernetes version.
        pub version: String,
        /// E.g. `eks.5`.
        pub platform_version: String,
        /// The addresses of Kubernetes Services.
        pub service_cidr: String,
    }
}

const CREATE: Duration = Duration::from_secs(540);
const UPDATE: Duration = Duration::from_secs(180);
const UPGRADE: Duration = Duration::from_secs(690);
const DELETE: Duration = Duration::from_secs(150);
const LIMIT: Duration = Duration::from_secs(40 * 60);

/// The kind.
pub struct Cluster {
    eks: Client,
}

impl Cluster {
    /// The kind, on these clients.
    pub fn new(clients: &Clients) -> Self {
        Self { eks: clients.eks.clone() }
    }

    async fn get(&self, ctx: &Ctx, name: &str) -> Result<Option<types::Cluster>, ProviderError> {
        let answer =
            call(ctx, "eks", "DescribeCluster", Repeat::Safe, || self.eks.describe_cluster().name(name).send()).await;
        Ok(found(answer)?.and_then(|answer| answer.cluster))
    }

    async fn wait_active(&self, ctx: &Ctx, name: &str, expected: Duration) -> Result<types::Cluster, ProviderError> {
        ctx.wait(&format!("cluster {name}"), expected, LIMIT, || async {
            let cluster = self.get(ctx, name).await?.ok_or_else(|| vanished(name))?;
            match cluster.status() {
                Some(ClusterStatus::Active) => Ok(Poll::Ready(cluster)),
                Some(ClusterStatus::Failed) => Err(failed(&format!("cluster {name} is FAILED"), issues(&cluster))),
                status => Ok(Poll::Pending(status.map_or("unknown", ClusterStatus::as_str).to_owned())),
            }
        })
        .await
    }

    async fn wait_gone(&self, ctx: &Ctx, name: &str) -> Result<(), ProviderError> {
        ctx.wait(&format!("cluster {name}"), DELETE, LIMIT, || async {
            match self.get(ctx, name).await? {
                None => Ok(Poll::Ready(())),
                Some(cluster) if cluster.status() == Some(&ClusterStatus::Failed) => {
                    Err(failed(&format!("deleting cluster {name} failed"), issues(&cluster)))
                }
                Some(cluster) => Ok(Poll::Pending(cluster.status().map_or("", ClusterStatus::as_str).to_owned())),
            }
        })
        .await
    }

    async fn send_create(&self, ctx: &Ctx, inputs: &ClusterInputs) -> Result<(), ProviderError> {
        let endpoint = &inputs.endpoint;
        let network = VpcConfigRequest::builder()
            .set_subnet_ids(Some(inputs.subnet_ids.iter().map(ToString::to_string).collect()))
            .set_security_group_ids(Some(inputs.security_group_ids.iter().map(ToString::to_string).collect()))
            .endpoint_public_access(endpoint.public)
            .endpoint_private_access(endpoint.private)
            .set_public_access_cidrs(Some(endpoint.public_cidrs.clone()).filter(|cidrs| !cidrs.is_empty()))
            .build();
        let access = CreateAccessConfigRequest::builder()
            .authentication_mode(AuthenticationMode::from(inputs.authentication_mode.as_str()))
            .bootstrap_cluster_creator_admin_permissions(inputs.bootstrap_creator_admin)
            .build();
        let encryption = inputs.secrets_key_arn.as_ref().map(|key| vec![encryption(key)]);
        let services = inputs
            .service_cidr
            .as_ref()
            .map(|cidr| types::KubernetesNetworkConfigRequest::builder().service_ipv4_cidr(cidr).build());
        let (token, tags) = (ctx.token("CreateCluster"), tag_map(&all_tags(ctx, &inputs.tags)));
        call(ctx, "eks", "CreateCluster", Repeat::Safe, || {
            self.eks
                .create_cluster()
                .name(&inputs.name)
                .role_arn(inputs.role_arn.as_str())
                .version(&inputs.kubernetes_version)
                .resources_vpc_config(network.clone())
                .access_config(access.clone())
                .upgrade_policy(support(&inputs.support))
                .logging(logging(&inputs.log_types))
                .set_encryption_config(encryption.clone())
                .set_kubernetes_network_config(services.clone())
                .set_zonal_shift_config(inputs.zonal_shift.map(zonal_shift))
                .deletion_protection(inputs.deletion_protection)
                .bootstrap_self_managed_addons(inputs.bootstrap_self_managed_addons)
                .set_tags(Some(tags.clone()))
                .client_request_token(&token)
                .send()
        })
        .await?;
        Ok(())
    }
}

/// The member `resources` is marked as deprecated, yet older API versions insist on it.
#[allow(deprecated)]
fn encryption(key: &KeyArn) -> EncryptionConfig {
    EncryptionConfig::builder()
        .resources("secrets")
        .provider(KeyProvider::builder().key_arn(key.as_str()).build())
        .build()
}

fn zonal_shift(enabled: bool) -> types::ZonalShiftConfigRequest {
    types::ZonalShiftConfigRequest::builder().enabled(enabled).build()
}

fn support(kind: &str) -> UpgradePolicyRequest {
    UpgradePolicyRequest::builder().support_type(SupportType::from(kind)).build()
}

const LOG_TYPES: [&str; 5] = ["api", "audit", "authenticator", "controllerManager", "scheduler"];

/// All types are named, those that are off too: an update would leave them as they are.
fn logging(on: &[String]) -> Logging {
    let setup = |enabled: bool| {
        let of = |kind: &&str| on.iter().any(|wanted| wanted == kind) == enabled;
        let kinds: Vec<LogType> = LOG_TYPES.iter().filter(|kind| of(kind)).map(|kind| LogType::from(*kind)).collect();
        (!kinds.is_empty()).then(|| LogSetup::builder().enabled(enabled).set_types(Some(kinds)).build())
    };
    Logging::builder().set_cluster_logging(Some([setup(true), setup(false)].into_iter().flatten().collect())).build()
}

fn issues(cluster: &types::Cluster) -> Vec<(String, String)> {
    let issues = cluster.health().map(|health| health.issues()).unwrap_or_default();
    issues
        .iter()
        .map(|issue| {
            let code = issue.code().map_or("Unknown", |code| code.as_str());
            (code.to_owned(), issue.message().unwrap_or_default().to_owned())
        })
        .collect()
}

fn outputs_of(cluster: &types::Cluster) -> ClusterOutputs {
    let network = cluster.resources_vpc_config();
    ClusterOutputs {
        name: cluster.name().unwrap_or_default().into(),
        arn: cluster.arn().unwrap_or_default().into(),
        endpoint: cluster.endpoint().unwrap_or_default().to_owned(),
        certificate_authority: cluster.certificate_authority().and_then(|ca| ca.data()).unwrap_or_default().to_owned(),
        issuer: cluster
            .identity()
            .and_then(|identity| identity.oidc())
            .and_then(|oidc| oidc.issuer())
            .unwrap_or_default()
            .into(),
        security_group_id: network.and_then(|n| n.cluster_security_group_id()).unwrap_or_default().into(),
        vpc_id: network.and_then(|n| n.vpc_id()).unwrap_or_default().into(),
        version: cluster.version().unwrap_or_default().to_owned(),
        platform_version: cluster.platform_version().unwrap_or_default().to_owned(),
        service_cidr: service_cidr(cluster).unwrap_or_default().to_owned(),
    }
}

fn service_cidr(cluster: &types::Cluster) -> Option<&str> {
    cluster.kubernetes_network_config().and_then(|network| network.service_ipv4_cidr())
}

/// A list as found, or the prior one if only the order differs.
fn keep_order<T: Ord + Clone>(found: Vec<T>, prior: &[T]) -> Vec<T> {
    if same_members(&found, prior) { prior.to_vec() } else { found }
}

fn log_types_of(cluster: &types::Cluster) -> Vec<String> {
    let setups = cluster.logging().map(|logging| logging.cluster_logging()).unwrap_or_default();
    let on = setups.iter().filter(|setup| setup.enabled() == Some(true));
    on.flat_map(|setup| setup.types()).map(|kind| kind.as_str().to_owned()).collect()
}

fn observed(cluster: &types::Cluster, prior: &ClusterInputs) -> ClusterInputs {
    let network = cluster.resources_vpc_config();
    let subnets = network.map(|n| n.subnet_ids()).unwrap_or_default();
    let groups = network.map(|n| n.security_group_ids()).unwrap_or_default();
    // AWS fills in 0.0.0.0/0 where none was given.
    let mut cidrs: Vec<String> = network.map(|n| n.public_access_cidrs().to_vec()).unwrap_or_default();
    if prior.endpoint.public_cidrs.is_empty() && cidrs == ["0.0.0.0/0"] {
        cidrs.clear();
    }
    let key = cluster.encryption_config().first().and_then(|config| config.provider()).and_then(|p| p.key_arn());
    let access = cluster.access_config();
    ClusterInputs {
        name: cluster.name().unwrap_or(&prior.name).to_owned(),
        role_arn: cluster.role_arn().unwrap_or_default().into(),
        kubernetes_version: cluster.version().unwrap_or_default().to_owned(),
        // An answer that leaves a member out says nothing about it.
        support: cluster
            .upgrade_policy()
            .and_then(|p| p.support_type())
            .map_or_else(|| prior.support.clone(), |kind| kind.as_str().to_owned()),
        subnet_ids: keep_order(subnets.iter().map(|id| id.as_str().into()).collect(), &prior.subnet_ids),
        security_group_ids: keep_order(groups.iter().map(|id| id.as_str().into()).collect(), &prior.security_group_ids),
        endpoint: EndpointAccess {
            public: network.is_some_and(|n| n.endpoint_public_access()),
            private: network.is_some_and(|n| n.endpoint_private_access()),
            public_cidrs: keep_order(cidrs, &prior.endpoint.public_cidrs),
        },
        secrets_key_arn: key.map(KeyArn::from),
        log_types: keep_order(log_types_of(cluster), &prior.log_types),
        authentication_mode: access
            .and_then(|access| access.authentication_mode())
            .map_or_else(|| prior.authentication_mode.clone(), |mode| mode.as_str().to_owned()),
        // Effective at creation only; not told afterwards.
        bootstrap_creator_admin: prior.bootstrap_creator_admin,
        bootstrap_self_managed_addons: prior.bootstrap_self_managed_addons,
        deletion_protection: cluster.deletion_protection().unwrap_or_default(),
        tags: users_tags(&from_tag_map(cluster.tags())),
        zonal_shift: prior
            .zonal_shift
            .map(|_| cluster.zonal_shift_config().and_then(|config| config.enabled()).unwrap_or_default()),
        service_cidr: prior.service_cidr.as_ref().and_then(|_| service_cidr(cluster).map(str::to_owned)),
    }
}

impl Provider for Cluster {
    type Inputs = ClusterInputs;
    type Outputs = ClusterOutputs;

    const TYPE: &'static str = "aws:eks:Cluster";
    const REPLACE_ON: &'static [&'static str] =
        &["name", "role_arn", "bootstrap_creator_admin", "bootstrap_self_managed_addons", "service_cidr"];
    const REPLACE_ORDER: ReplaceOrder = ReplaceOrder::DeleteThenCreate;
    const REFUSE_REPLACE: bool = true;
    const CHANGES_ON_UPDATE: &'static [&'static str] = &["version", "platform_version"];

    fn refuse_update(&self, old: &Value, new: &Planned) -> Option<Refusal> {
        eks_versions::refuse_cluster(old, new)
    }

    fn refuse_delete(&self, old: &Value) -> Option<Refusal> {
        eks_versions::refuse_cluster_delete(old)
    }

    fn expected_change(&self, old: &Value, new: &Planned) -> Duration {
        eks_versions::cluster_change(self.diff(old, new).iter().map(|change| change.path.as_str()))
    }

    async fn create(&self, ctx: &Ctx, inputs: &ClusterInputs) -> Result<Created<ClusterOutputs>, ProviderError> {
        if ctx.resume().is_none() {
            self.send_create(ctx, inputs).await?;
            ctx.progress(&inputs.name);
        }
        let cluster = self.wait_active(ctx, &inputs.name, ctx.expected()).await?;
        if ctx.resume().is_some() {
            let old = from_tag_map(cluster.tags());
            retag(ctx, &self.eks, cluster.arn().unwrap_or_default(), &old, &all_tags(ctx, &inputs.tags)).await?;
        }
        Ok(Created { id: inputs.name.clone(), outputs: outputs_of(&cluster) })
    }

    async fn read(
        &self,
        ctx: &Ctx,
        current: &Current<ClusterInputs, ClusterOutputs>,
    ) -> Reading<ClusterInputs, ClusterOutputs> {
        let Some(cluster) = self.get(ctx, &current.id).await? else { return Ok(None) };
        if cluster.status() == Some(&ClusterStatus::Deleting) {
            self.wait_gone(ctx, &current.id).await?;
            return Ok(None);
        }
        // An update in progress shows the old values or a mixture: wait for its end.
        let cluster = match cluster.status() {
            Some(ClusterStatus::Updating | ClusterStatus::Pending) => {
                self.wait_active(ctx, &current.id, UPDATE).await?
            }
            // Found by its tags while another run's creation goes on: its outputs come at the end.
            Some(ClusterStatus::Creating) => self.wait_active(ctx, &current.id, CREATE).await?,
            _ => cluster,
        };
        Ok(Some(Observed { inputs: observed(&cluster, &current.inputs), outputs: outputs_of(&cluster) }))
    }

    async fn update(
        &self,
        ctx: &Ctx,
        current: &Current<ClusterInputs, ClusterOutputs>,
        to: &ClusterInputs,
    ) -> Result<ClusterOutputs, ProviderError> {
        // As it stands now, at the end of whatever an earlier run had begun: what that has
        // changed already is not asked for again.
        let cluster = self.wait_active(ctx, &current.id, UPDATE).await?;
        let from = observed(&cluster, &current.inputs);
        let arn = cluster.arn().unwrap_or(current.outputs.arn.as_str());
        ClusterUpdate { eks: &self.eks, ctx, name: &current.id, from: &from, to }.run(arn).await?;
        let cluster = self.get(ctx, &current.id).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(outputs_of(&cluster))
    }

    async fn delete(&self, ctx: &Ctx, current: &Current<ClusterInputs, ClusterOutputs>) -> Result<(), ProviderError> {
        let name = &current.id;
        match self.get(ctx, name).await? {
            None => return Ok(()),
            Some(cluster) if cluster.status() == Some(&ClusterStatus::Deleting) => {}
            Some(_) => {
                gone_is_ok(
                    call(ctx, "eks", "DeleteCluster", Repeat::Safe, || self.eks.delete_cluster().name(name).send())
                        .await,
                )?;
            }
        }
        self.wait_gone(ctx, name).await
    }

    async fn marks(&self, ctx: &Ctx, current: &Current<ClusterInputs, ClusterOutputs>) -> Result<Marks, ProviderError> {
        let cluster = self.get(ctx, &current.id).await?.ok_or_else(|| vanished(&current.id))?;
        Ok(marks(&from_tag_map(cluster.tags())))
    }

    async fn recover(&self, ctx: &Ctx, inputs: &ClusterInputs) -> Result<Recovered, ProviderError> {
        let Some(cluster) = self.get(ctx, &inputs.name).await? else { return Ok(Recovered::Absent) };
        Ok(match (ownership(ctx, &from_tag_map(cluster.tags())), cluster.status()) {
            (super::Ownership::Foreign, _) => {
                Recovered::Foreign(format!("the cluster {} ({})", inputs.name, cluster.arn().unwrap_or_default()))
            }
            // A leaving cluster of ours: its name is free when it is gone.
            (_, Some(ClusterStatus::Deleting)) => {
                self.wait_gone(ctx, &inputs.name).await?;
                Recovered::Absent
            }
            (whose, _) => whose.recovered(&inputs.name),
        })
    }

    async fn discover(&self, ctx: &Ctx) -> Discovery {
        let mut found = Vec::new();
        for name in cluster_names(ctx, &self.eks).await? {
            if let Some(cluster) = self.get(ctx, &name).await? {
                found.extend(discovered(ctx, Self::TYPE, &name, &from_tag_map(cluster.tags())));
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

/// Source: <https://github.com/aws/containers-roadmap/issues/2258>
const ZONES: &str = "The control plane stays in the VPC and in the very Availability Zones that it was made in: give subnets of \
                     those zones, or make a new cluster under another name.";

/// A change in place: EKS takes one kind of change per call and one call at a time.
struct ClusterUpdate<'a> {
    eks: &'a Client,
    ctx: &'a Ctx,
    name: &'a str,
    from: &'a ClusterInputs,
    to: &'a ClusterInputs,
}

impl ClusterUpdate<'_> {
    async fn run(&self, arn: &str) -> Result<(), ProviderError> {
        let (from, to) = (self.from, self.to);
        if from.tags != to.tags {
            retag(self.ctx, self.eks, arn, &from.tags, &to.tags).await?;
        }
        if from.log_types != to.log_types {
            let logging = logging(&to.log_types);
            self.config("logging", |request| request.logging(logging.clone())).await?;
        }
        if from.endpoint != to.endpoint {
            let cidrs = Some(to.endpoint.public_cidrs.clone()).filter(|cidrs| !cidrs.is_empty());
            let access = VpcConfigRequest::builder()
                .endpoint_public_access(to.endpoint.public)
                .endpoint_private_access(to.endpoint.private)
                .set_public_access_cidrs(cidrs.or_else(|| to.endpoint.public.then(|| vec!["0.0.0.0/0".to_owned()])))
                .build();
            self.config("endpoint", |request| request.resources_vpc_config(access.clone())).await?;
        }
        if from.subnet_ids != to.subnet_ids || from.security_group_ids != to.security_group_ids {
            let network = VpcConfigRequest::builder()
                .set_subnet_ids(Some(to.subnet_ids.iter().map(ToString::to_string).collect()))
                .set_security_group_ids(Some(to.security_group_ids.iter().map(ToString::to_string).collect()))
                .build();
            let changed = self.config("network", |request| request.resources_vpc_config(network.clone())).await;
            changed.map_err(|error| if error.class == ErrorClass::Invalid { error.hint(ZONES) } else { error })?;
        }
        if from.authentication_mode != to.authentication_mode {
            let access = types::UpdateAccessConfigRequest::builder()
                .authentication_mode(AuthenticationMode::from(to.authentication_mode.as_str()))
                .build();
            self.config("access", |request| request.access_config(access.clone())).await?;
        }
        if from.deletion_protection != to.deletion_protection {
            self.config("protection", |request| request.deletion_protection(to.deletion_protection)).await?;
        }
        if from.zonal_shift.unwrap_or_default() != to.zonal_shift.unwrap_or_default() {
            let shift = zonal_shift(to.zonal_shift.unwrap_or_default());
            self.config("zonal shift", |request| request.zonal_shift_config(shift.clone())).await?;
        }
        self.encryption().await?;
        self.version().await?;
        // A version in extended support has no standard one: first to one that has.
        if from.support != to.support {
            self.config("support", |request| request.upgrade_policy(support(&to.support))).await?;
        }
        Ok(())
    }

    async fn config(
        &self,
        what: &str,
        change: impl Fn(
            aws_sdk_eks::operation::update_cluster_config::builders::UpdateClusterConfigFluentBuilder,
        )
            -> aws_sdk_eks::operation::update_cluster_config::builders::UpdateClusterConfigFluentBuilder,
    ) -> Result<(), ProviderError> {
        // The token names this change to this target: sent again it is the same update.
        let token = self.ctx.token(&format!("{what} {} {}", self.ctx.now_ms(), self.name));
        let answer = call(self.ctx, "eks", "UpdateClusterConfig", Repeat::Safe, || {
            change(self.eks.update_cluster_config().name(self.name).client_request_token(&token)).send()
        })
        .await?;
        follow_update(self.ctx, self.eks, self.name, Of::Cluster, answer.update(), UPDATE).await
    }

    async fn encryption(&self) -> Result<(), ProviderError> {
        let (from, to) = (&self.from.secrets_key_arn, &self.to.secrets_key_arn);
        // That it goes from none to one was seen to at planning.
        let key = match to {
            Some(key) if from.as_ref() != Some(key) => key,
            _ => return Ok(()),
        };
        let token = self.ctx.token(&format!("encryption {key}"));
        let answer = call(self.ctx, "eks", "AssociateEncryptionConfig", Repeat::Safe, || {
            let request = self.eks.associate_encryption_config().cluster_name(self.name);
            request.encryption_config(encryption(key)).client_request_token(&token).send()
        })
        .await?;
        follow_update(self.ctx, self.eks, self.name, Of::Cluster, answer.update(), UPDATE).await
    }

    async fn version(&self) -> Result<(), ProviderError> {
        let (from, to) = (&self.from.kubernetes_version, &self.to.kubernetes_version);
        if from == to {
            return Ok(());
        }
        // A failed update may be tried again: its token must not stand for this one.
        let token = self.ctx.token(&format!("version {from} to {to} {}", self.ctx.now_ms()));
        let answer = call(self.ctx, "eks", "UpdateClusterVersion", Repeat::Safe, || {
            self.eks.update_cluster_version().name(self.name).version(to).client_request_token(&token).send()
        })
        .await?;
        follow_update(self.ctx, self.eks, self.name, Of::Cluster, answer.update(), UPGRADE).await
    }
}
