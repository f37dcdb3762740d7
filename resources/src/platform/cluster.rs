//! The cluster, who may enter it, and its identity provider.

use rayplat_engine::{
    input::Input,
    stack::{Added, StackError},
    urn::Urn,
};

use super::{
    build::Builder,
    identity::Identity,
    manifest::types::{self, AuthenticationMode, LogType, Logs, Support},
    network::Network,
    policies,
};
use crate::aws::{
    eks_access_entry::{AccessEntry, AccessEntryArgs, AccessPolicy},
    eks_cluster::{Cluster, ClusterArgs, EndpointAccess},
    iam_oidc_provider::{OidcProvider, OidcProviderArgs},
    tls_certificate::{IssuerCertificate, IssuerCertificateArgs},
};

pub(super) struct ClusterParts {
    pub cluster: Added<Cluster>,
    pub oidc: Added<OidcProvider>,
    /// The access entry of the platform's maker; none where EKS takes none.
    pub caller_entry: Option<Urn>,
}

impl ClusterParts {
    /// The trust policy of a role for one service account.
    pub fn trust(&self, identity: types::Identity, namespace: &str, account: &str) -> Input<serde_json::Value> {
        match identity {
            types::Identity::PodIdentity => policies::trust_pod_identity().into(),
            types::Identity::Irsa => Input::expr(policies::trust_service_account(
                self.oidc.out.arn().expr(),
                self.cluster.out.issuer().expr(),
                namespace,
                account,
            )),
        }
    }
}

pub(super) fn build(
    builder: &mut Builder<'_>,
    identity: &Identity,
    network: &Network,
) -> Result<ClusterParts, StackError> {
    let cluster = cluster(builder, identity, network)?;
    let caller_entry = access(builder, &cluster)?;
    let oidc = oidc(builder, &cluster)?;
    Ok(ClusterParts { cluster, oidc, caller_entry })
}

fn cluster(builder: &mut Builder<'_>, identity: &Identity, network: &Network) -> Result<Added<Cluster>, StackError> {
    let manifest = builder.manifest;
    let spec = &manifest.cluster;
    let cluster = builder.stack.add::<Cluster>(
        "main",
        ClusterArgs {
            name: manifest.name.as_str().into(),
            role_arn: identity.cluster_role.role.out.arn().into(),
            kubernetes_version: spec.kubernetes_version.as_str().into(),
            support: support(spec.support).into(),
            subnet_ids: network.subnet_ids.clone(),
            security_group_ids: vec![identity.node_group.out.id()].into(),
            endpoint: EndpointAccess {
                public: spec.endpoint.public,
                private: spec.endpoint.private,
                public_cidrs: spec.endpoint.public_cidrs.clone(),
            }
            .into(),
            secrets_key_arn: identity.key_arn(builder),
            log_types: log_types(&spec.logs).into(),
            authentication_mode: authentication_mode(spec.authentication_mode).into(),
            bootstrap_creator_admin: false.into(),
            deletion_protection: spec.deletion_protection.into(),
            bootstrap_self_managed_addons: false.into(),
            tags: builder.cluster_tags().into(),
            zonal_shift: spec.zonal_shift.then_some(true).into(),
            service_cidr: spec.service_cidr.clone().into(),
        },
    )?;
    // EKS checks the role's policies when the cluster is made, and needs them until it
    // is gone.
    builder.after(&cluster, identity.cluster_role.attachments.iter().cloned())?;
    // EKS would make the log group itself, without retention and encryption.
    builder.after(&cluster, identity.log_group.iter().map(|group| group.urn.clone()))?;
    Ok(cluster)
}

fn authentication_mode(mode: AuthenticationMode) -> String {
    match mode {
        AuthenticationMode::Api => "API",
        AuthenticationMode::ApiAndConfigMap => "API_AND_CONFIG_MAP",
        AuthenticationMode::ConfigMap => "CONFIG_MAP",
    }
    .to_owned()
}

fn support(support: Support) -> String {
    match support {
        Support::Standard => "STANDARD",
        Support::Extended => "EXTENDED",
    }
    .to_owned()
}

/// None at all where logging is off.
fn log_types(logs: &Logs) -> Vec<String> {
    let name = |kind: &LogType| match kind {
        LogType::Api => "api",
        LogType::Audit => "audit",
        LogType::Authenticator => "authenticator",
        LogType::ControllerManager => "controllerManager",
        LogType::Scheduler => "scheduler",
    };
    logs.types.iter().filter(|_| logs.enabled).map(|kind| name(kind).to_owned()).collect()
}

/// The caller and the manifest's admins may do everything, by explicit entries: the
/// creator's silent bootstrap right cannot be seen or removed.
fn access(builder: &mut Builder<'_>, cluster: &Added<Cluster>) -> Result<Option<Urn>, StackError> {
    if builder.manifest.cluster.authentication_mode == AuthenticationMode::ConfigMap {
        // EKS refuses entries then.
        return Ok(None);
    }
    let caller = builder.setting.caller_arn.clone();
    let admins = builder.manifest.cluster.admins.clone();
    let others = admins.into_iter().filter(|admin| *admin != caller);
    let mut entries = vec![("caller".to_owned(), caller.clone())];
    entries.extend(others.map(|arn| (entry_name(&arn), arn)));
    let mut first = None;
    for (name, principal) in entries {
        let entry = builder.stack.add::<AccessEntry>(
            &name,
            AccessEntryArgs {
                cluster: cluster.out.name().into(),
                principal_arn: principal.as_str().into(),
                kubernetes_groups: Vec::<String>::new().into(),
                policies: vec![AccessPolicy {
                    policy_arn: format!(
                        "arn:{}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
                        builder.setting.partition
                    ),
                    namespaces: Vec::new(),
                }]
                .into(),
                tags: builder.tags().into(),
            },
        )?;
        first.get_or_insert(entry.urn);
    }
    Ok(first)
}

/// `arn:aws:iam::1:role/path/name` becomes `admin-role/path/name`.
fn entry_name(arn: &str) -> String {
    format!("admin-{}", arn.rsplit(':').next().unwrap_or(arn))
}

fn oidc(builder: &mut Builder<'_>, cluster: &Added<Cluster>) -> Result<Added<OidcProvider>, StackError> {
    let thumbprints = if builder.manifest.cluster.oidc.manage_thumbprint {
        let certificate = builder
            .stack
            .add::<IssuerCertificate>("issuer", IssuerCertificateArgs { issuer: cluster.out.issuer().into() })?;
        certificate.out.thumbprints().into()
    } else {
        // AWS fills the list in and keeps it: never sent, never compared.
        None.into()
    };
    builder.stack.add::<OidcProvider>(
        "cluster",
        OidcProviderArgs {
            url: cluster.out.issuer().into(),
            client_ids: vec!["sts.amazonaws.com".to_owned()].into(),
            thumbprints,
            tags: builder.tags().into(),
        },
    )
}
