//! What the platform tells its users: the names are those of the Terraform module that
//! it replaces.

use std::collections::BTreeMap;

use rayplat_engine::{input::Output, value::Expr};

use super::{build::Builder, cluster::ClusterParts, identity::Identity, pools::PoolParts};

pub(super) fn outputs(
    builder: &Builder<'_>,
    identity: &Identity,
    parts: &ClusterParts,
    pools: &BTreeMap<String, PoolParts>,
) -> Vec<(String, Expr)> {
    fn of<T>(output: Output<T>) -> Expr {
        output.expr()
    }
    let text = |text: String| Expr::Value(text.into());
    let (name, region) = (builder.name(), &builder.setting.region);
    let cluster = &parts.cluster.out;
    let mut outputs = vec![
        ("cluster_name", of(cluster.name())),
        ("cluster_id", of(cluster.name())),
        ("cluster_arn", of(cluster.arn())),
        ("cluster_endpoint", of(cluster.endpoint())),
        ("cluster_version", of(cluster.version())),
        ("cluster_certificate_authority", of(cluster.certificate_authority())),
        ("cluster_oidc_issuer_url", of(cluster.issuer())),
        ("cluster_security_group_id", of(cluster.security_group_id())),
        ("cluster_iam_role_arn", of(identity.cluster_role.role.out.arn())),
        ("node_iam_role_arn", of(identity.node_role.role.out.arn())),
        ("node_security_group_id", of(identity.node_group.out.id())),
        ("oidc_provider_arn", of(parts.oidc.out.arn())),
        ("region", text(region.clone())),
        ("kubeconfig_command", text(format!("aws eks update-kubeconfig --region {region} --name {name}"))),
    ];
    if let Some(group) = &identity.log_group {
        outputs.push(("cloudwatch_log_group", of(group.out.name())));
    }
    if let Some(role) = &parts.autoscaler {
        outputs.push(("cluster_autoscaler_iam_role_arn", of(role.out.arn())));
    }
    let mut outputs: Vec<(String, Expr)> = outputs.into_iter().map(|(name, expr)| (name.to_owned(), expr)).collect();
    for (pool, parts) in pools {
        outputs.push((format!("{pool}_node_group_id"), of(parts.primary.out.name())));
        outputs.push((format!("{pool}_node_group_status"), of(parts.primary.out.status())));
        if let Some(fallback) = &parts.fallback {
            outputs.push((format!("{pool}_fallback_node_group_id"), of(fallback.out.name())));
            outputs.push((format!("{pool}_fallback_node_group_status"), of(fallback.out.status())));
        }
    }
    outputs
}
