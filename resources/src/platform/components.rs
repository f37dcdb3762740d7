//! Roles, queues and buckets of what runs in the cluster and calls AWS: the cluster autoscaler,
//! the node termination handler, Velero.

use rayplat_engine::{
    input::Input,
    stack::{Added, StackError},
    value::Expr,
};
use serde_json::Value;

use super::{
    backup::{self, BackupParts},
    build::Builder,
    cluster::ClusterParts,
    manifest::types::{Identity, TerminationMode},
    policies,
    termination::{self, TerminationQueue},
};
use crate::aws::{
    PolicyArn,
    eks_pod_identity_association::{PodIdentityAssociation, PodIdentityAssociationArgs},
    iam_role::{Role, RoleArgs},
    iam_role_policy::{RolePolicy, RolePolicyArgs},
    iam_role_policy_attachment::{RolePolicyAttachment, RolePolicyAttachmentArgs},
};

pub(super) struct Components {
    pub autoscaler: Option<Added<Role>>,
    pub termination_handler: Option<Added<Role>>,
    pub termination_queue: Option<TerminationQueue>,
    pub backup: Option<BackupParts>,
}

pub(super) fn build(builder: &mut Builder<'_>, cluster: &ClusterParts) -> Result<Components, StackError> {
    let autoscaler = autoscaler(builder, cluster)?;
    let (termination_handler, termination_queue) = termination_handler(builder, cluster)?;
    let backup = backup::build(builder, cluster)?;
    Ok(Components { autoscaler, termination_handler, termination_queue, backup })
}

/// Something that runs under one service account and has a role for it.
pub(super) struct Component<'a> {
    /// Of its resources, and the end of its role's name.
    pub name: &'a str,
    pub description: &'a str,
    pub namespace: &'a str,
    pub service_account: &'a str,
    pub identity: Identity,
    pub policy: Permissions,
}

/// What a component's role may do.
pub(super) enum Permissions {
    /// A document of ours, inside the role.
    Inline(Expr),
    /// Somebody else's policy, attached.
    Attached(String),
}

/// The role of a component, with its policy, for its service account alone.
pub(super) fn role(
    builder: &mut Builder<'_>,
    cluster: &ClusterParts,
    component: &Component<'_>,
) -> Result<Added<Role>, StackError> {
    let name = component.name;
    // Handed out another way it is another role: pods keep the old one until they are told.
    let suffix = if component.identity == Identity::PodIdentity { "-pods" } else { "" };
    let role = builder.stack.add::<Role>(
        name,
        RoleArgs {
            name_prefix: format!("{}-{name}{suffix}", builder.name()).into(),
            trust_policy: cluster.trust(component.identity, component.namespace, component.service_account),
            description: format!("{} of {}", component.description, builder.name()).into(),
            tags: builder.tags().into(),
        },
    )?;
    let of = role.out.name();
    match &component.policy {
        Permissions::Inline(document) => {
            let document = Input::expr(document.clone());
            builder.stack.add::<RolePolicy>(name, RolePolicyArgs { role: of.into(), name: name.into(), document })?;
        }
        Permissions::Attached(arn) => {
            let policy_arn = PolicyArn::from(arn.as_str()).into();
            let args = RolePolicyAttachmentArgs { role: of.into(), policy_arn };
            builder.stack.add::<RolePolicyAttachment>(&format!("{name}-policy"), args)?;
        }
    }
    if component.identity == Identity::PodIdentity {
        builder.stack.add::<PodIdentityAssociation>(
            name,
            PodIdentityAssociationArgs {
                cluster: cluster.cluster.out.name().into(),
                namespace: component.namespace.into(),
                service_account: component.service_account.into(),
                role_arn: role.out.arn().into(),
                tags: builder.tags().into(),
                ..PodIdentityAssociationArgs::default()
            },
        )?;
    }
    Ok(role)
}

fn autoscaler(builder: &mut Builder<'_>, cluster: &ClusterParts) -> Result<Option<Added<Role>>, StackError> {
    let manifest = builder.manifest;
    let spec = &manifest.autoscaler;
    if !spec.enabled {
        return Ok(None);
    }
    let component = Component {
        name: "cluster-autoscaler",
        description: "The cluster autoscaler's role",
        namespace: "kube-system",
        service_account: "cluster-autoscaler",
        identity: spec.identity,
        policy: match &spec.policy_arn {
            Some(arn) => Permissions::Attached(arn.clone()),
            None => Permissions::Inline(Expr::Value(policies::autoscaler_policy(&manifest.name))),
        },
    };
    role(builder, cluster, &component).map(Some)
}

/// Off by default: managed node groups drain Spot nodes by themselves.
fn termination_handler(
    builder: &mut Builder<'_>,
    cluster: &ClusterParts,
) -> Result<(Option<Added<Role>>, Option<TerminationQueue>), StackError> {
    let manifest = builder.manifest;
    let spec = &manifest.termination_handler;
    if !spec.enabled {
        return Ok((None, None));
    }
    let queue = match spec.mode {
        TerminationMode::Imds => None,
        TerminationMode::Queue => {
            let (setting, tags) = (builder.setting, builder.tags());
            Some(termination::add_queue(&mut builder.stack, setting, &manifest.name, &tags)?)
        }
    };
    let look: Value = policies::termination_policy();
    let component = Component {
        name: "termination-handler",
        description: "The node termination handler's role",
        namespace: "kube-system",
        service_account: "aws-node-termination-handler",
        identity: spec.identity,
        policy: Permissions::Inline(queue.as_ref().map_or(Expr::Value(look), TerminationQueue::reader_policy)),
    };
    Ok((Some(role(builder, cluster, &component)?), queue))
}
