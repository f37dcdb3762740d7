//! Roles, the key, the log group, and the nodes' security group: everything that does
//! not wait for the cluster.

use rayplat_engine::{
    input::Input,
    stack::{Added, StackError},
    urn::Urn,
};

use super::{build::Builder, network::Network, policies};
use crate::aws::{
    KeyArn, PolicyArn,
    ec2_security_group::{SecurityGroup, SecurityGroupArgs},
    ec2_security_group_rule::{Direction, SecurityGroupRule, SecurityGroupRuleArgs, Source},
    iam_role::{Role, RoleArgs},
    iam_role_policy_attachment::{RolePolicyAttachment, RolePolicyAttachmentArgs},
    kms_alias::{Alias, AliasArgs},
    kms_key::{Key, KeyArgs},
    log_group::{LogGroup, LogGroupArgs},
};

pub(super) struct Identity {
    pub cluster_role: WithPolicies,
    pub node_role: WithPolicies,
    pub key: Option<Added<Key>>,
    pub log_group: Option<Added<LogGroup>>,
    pub node_group: Added<SecurityGroup>,
    pub node_group_rule: Urn,
}

/// A role and its attachments: whoever uses the role needs them all.
pub(super) struct WithPolicies {
    pub role: Added<Role>,
    pub attachments: Vec<Urn>,
}

impl Identity {
    /// The key of secrets and logs: the manifest's, or our own.
    pub fn key_arn(&self, builder: &Builder<'_>) -> Input<Option<KeyArn>> {
        match (&builder.manifest.cluster.secrets_key_arn, &self.key) {
            (Some(arn), _) => Some(KeyArn::from(arn.as_str())).into(),
            (None, Some(key)) => key.out.arn().into(),
            (None, None) => None.into(),
        }
    }
}

pub(super) fn build(builder: &mut Builder<'_>, network: &Network) -> Result<Identity, StackError> {
    let key = key(builder)?;
    let log_group = log_group(builder, key.as_ref())?;
    let cluster_role = role(
        builder,
        "cluster",
        "The control plane's role",
        &policies::trust_service("eks.amazonaws.com"),
        &builder.manifest.cluster.role_policies,
    )?;
    let node_role = role(
        builder,
        "node",
        "The nodes' role",
        &policies::trust_service("ec2.amazonaws.com"),
        &builder.manifest.cluster.node_role_policies,
    )?;
    let (node_group, node_group_rule) = security_group(builder, network)?;
    Ok(Identity { cluster_role, node_role, key, log_group, node_group, node_group_rule })
}

/// A role with policies: names of AWS-managed ones, or ARNs.
pub(super) fn role(
    builder: &mut Builder<'_>,
    name: &str,
    description: &str,
    trust: &serde_json::Value,
    managed: &[impl AsRef<str>],
) -> Result<WithPolicies, StackError> {
    role_trusting(builder, name, "", description, trust.clone().into(), managed)
}

/// The same with a trust policy that may refer to the cluster's issuer. A role that is handed
/// out another way has another `suffix` of its name: it is a new role then, and pods keep
/// the old one until they are told of the new.
pub(super) fn role_trusting(
    builder: &mut Builder<'_>,
    name: &str,
    suffix: &str,
    description: &str,
    trust: Input<serde_json::Value>,
    managed: &[impl AsRef<str>],
) -> Result<WithPolicies, StackError> {
    let role = builder.stack.add::<Role>(
        name,
        RoleArgs {
            name_prefix: format!("{}-{name}{suffix}", builder.name()).into(),
            trust_policy: trust,
            description: format!("{description} of {}", builder.name()).into(),
            tags: builder.tags().into(),
        },
    )?;
    let attachments = managed
        .iter()
        .map(|policy| {
            let policy = policy.as_ref();
            let short = policy.rsplit('/').next().unwrap_or(policy);
            let added = builder.stack.add::<RolePolicyAttachment>(
                &format!("{name}-{short}"),
                RolePolicyAttachmentArgs {
                    role: role.out.name().into(),
                    policy_arn: PolicyArn::from(builder.managed_policy(policy)).into(),
                },
            )?;
            Ok(added.urn)
        })
        .collect::<Result<_, StackError>>()?;
    Ok(WithPolicies { role, attachments })
}

/// The platform's own key for secrets and logs, unless the manifest names one.
fn key(builder: &mut Builder<'_>) -> Result<Option<Added<Key>>, StackError> {
    let spec = &builder.manifest.cluster;
    if spec.secrets_key_arn.is_some() || !spec.secrets_encryption {
        return Ok(None);
    }
    let setting = builder.setting;
    let log_group = log_group_name(builder);
    let key = builder.stack.add::<Key>(
        "platform",
        KeyArgs {
            description: format!("Secrets and logs of {}", builder.name()).into(),
            policy: policies::key_policy(&setting.partition, &setting.account, &setting.region, &log_group).into(),
            rotation: true.into(),
            deletion_window_days: 30.into(),
            tags: builder.tags().into(),
        },
    )?;
    let name = format!("alias/rayplat-{}", builder.name());
    builder.stack.add::<Alias>("platform", AliasArgs { name: name.into(), target_key_id: key.out.key_id().into() })?;
    Ok(Some(key))
}

fn log_group_name(builder: &Builder<'_>) -> String {
    format!("/aws/eks/{}/cluster", builder.name())
}

/// EKS writes its logs to a group of this very name, and would make one without
/// retention and encryption if ours were not there first.
fn log_group(builder: &mut Builder<'_>, key: Option<&Added<Key>>) -> Result<Option<Added<LogGroup>>, StackError> {
    let logs = &builder.manifest.cluster.logs;
    if !logs.enabled {
        return Ok(None);
    }
    let group = builder.stack.add::<LogGroup>(
        "cluster",
        LogGroupArgs {
            name: log_group_name(builder).into(),
            retention_days: Some(logs.retention_days).into(),
            // A key of somebody else's may not allow CloudWatch Logs: only our own is used.
            kms_key_arn: key.map_or_else(|| None.into(), |key| key.out.arn().into()),
            tags: builder.tags().into(),
        },
    )?;
    Ok(Some(group))
}

/// The nodes' security group. The control plane's interfaces are members too, so the
/// one rule "members reach each other" is all that the cluster needs, and launch
/// templates do not have to wait for the group that EKS makes with the cluster.
fn security_group(builder: &mut Builder<'_>, network: &Network) -> Result<(Added<SecurityGroup>, Urn), StackError> {
    let tags = builder.tags();
    let group = builder.stack.add::<SecurityGroup>(
        "node",
        SecurityGroupArgs {
            name_prefix: format!("{}-node", builder.name()).into(),
            description: format!("Nodes and control plane of {}", builder.name()).into(),
            vpc_id: network.vpc_id.clone(),
            tags: tags.clone().into(),
        },
    )?;
    let rule = builder.stack.add::<SecurityGroupRule>(
        "node-members",
        SecurityGroupRuleArgs {
            group_id: group.out.id().into(),
            protocol: "-1".into(),
            source: Source::SelfRef.into(),
            description: "Members reach each other".into(),
            tags: tags.clone().into(),
            ..SecurityGroupRuleArgs::default()
        },
    )?;
    if builder.manifest.node_pools.values().any(|pool| pool.efa) {
        // AWS's own rule, which lets everything out, names addresses: an adapter's traffic
        // has none and needs a rule that names the group.
        // Source: EC2 user guide, "Prepare an EFA-enabled security group".
        builder.stack.add::<SecurityGroupRule>(
            "node-efa",
            SecurityGroupRuleArgs {
                group_id: group.out.id().into(),
                direction: Direction::Egress.into(),
                protocol: "-1".into(),
                source: Source::SelfRef.into(),
                description: "Elastic Fabric Adapters reach each other".into(),
                tags: tags.into(),
                ..SecurityGroupRuleArgs::default()
            },
        )?;
    }
    Ok((group, rule.urn))
}
