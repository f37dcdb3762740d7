//! What the platform tells its users: the names are those of the Terraform module that
//! it replaces. A name is always there: what the platform has not got is `null`, so that
//! whoever reads the outputs need not know the manifest.

use std::collections::BTreeMap;

use rayplat_engine::{input::Output, stack::Added, value::Expr};
use serde_json::Value;

use super::{
    build::Builder, cluster::ClusterParts, components::Components, identity::Identity, in_cluster::RayPlace,
    pools::PoolParts,
};
use crate::aws::eks_node_group::NodeGroup;

/// Of a thing that may not be there.
fn of<T>(output: Option<Output<T>>) -> Expr {
    output.map_or(Expr::Value(Value::Null), |output| output.expr())
}

fn text(text: impl Into<String>) -> Expr {
    Expr::Value(Value::String(text.into()))
}

pub(super) fn outputs(
    builder: &Builder<'_>,
    identity: &Identity,
    parts: &ClusterParts,
    components: &Components,
    pools: &BTreeMap<String, PoolParts>,
) -> Vec<(String, Expr)> {
    let cluster = &parts.cluster.out;
    let mut outputs = vec![
        ("cluster_name", of(Some(cluster.name()))),
        ("cluster_id", of(Some(cluster.name()))),
        ("cluster_arn", of(Some(cluster.arn()))),
        ("cluster_endpoint", of(Some(cluster.endpoint()))),
        ("cluster_version", of(Some(cluster.version()))),
        ("cluster_certificate_authority", of(Some(cluster.certificate_authority()))),
        ("cluster_oidc_issuer_url", of(Some(cluster.issuer()))),
        ("cluster_security_group_id", of(Some(cluster.security_group_id()))),
        ("cluster_iam_role_arn", of(Some(identity.cluster_role.role.out.arn()))),
        ("node_iam_role_arn", of(Some(identity.node_role.role.out.arn()))),
        ("node_security_group_id", of(Some(identity.node_group.out.id()))),
        ("oidc_provider_arn", of(Some(parts.oidc.out.arn()))),
        ("cloudwatch_log_group", of(identity.log_group.as_ref().map(|group| group.out.name()))),
        ("cluster_autoscaler_iam_role_arn", of(components.autoscaler.as_ref().map(|role| role.out.arn()))),
    ];
    outputs.extend(of_components(builder, components));
    outputs.extend(access(builder));
    outputs.extend(of_ray(builder));
    let tags = serde_json::to_value(builder.cluster_tags()).unwrap_or(Value::Null);
    outputs.push(("resource_tags", Expr::Value(tags)));
    let mut outputs: Vec<(String, Expr)> = outputs.into_iter().map(|(name, expr)| (name.to_owned(), expr)).collect();
    outputs.extend(node_groups(pools));
    outputs
}

/// What charts need to know: roles, queue, bucket, and when to back up.
fn of_components(builder: &Builder<'_>, components: &Components) -> [(&'static str, Expr); 6] {
    let spec = &builder.manifest.backup;
    let backup = components.backup.as_ref();
    let if_backup = |text: String| backup.map_or(Expr::Value(Value::Null), |_| Expr::Value(text.into()));
    let queue = components.termination_queue.as_ref();
    [
        (
            "node_termination_handler_iam_role_arn",
            of(components.termination_handler.as_ref().map(|role| role.out.arn())),
        ),
        ("node_termination_handler_queue_url", of(queue.map(|queue| queue.queue.out.url()))),
        ("velero_backup_bucket_name", of(backup.map(|backup| backup.bucket.out.name()))),
        ("velero_iam_role_arn", of(backup.map(|backup| backup.role.out.arn()))),
        ("velero_backup_schedule", if_backup(spec.schedule.clone())),
        // Velero counts in hours.
        ("velero_backup_ttl", if_backup(format!("{}h", u64::from(spec.retention_days) * 24))),
    ]
}

/// Where Ray answers, inside the cluster.
fn of_ray(builder: &Builder<'_>) -> [(&'static str, Expr); 3] {
    let ray = RayPlace::of(builder.manifest);
    let at = |url: Option<String>| url.map_or(Expr::Value(Value::Null), text);
    [
        ("ray_dashboard_url", at(ray.as_ref().map(RayPlace::dashboard_url))),
        ("ray_client_url", at(ray.as_ref().map(RayPlace::client_url))),
        ("ray_serve_url", at(ray.as_ref().and_then(RayPlace::serve_url))),
    ]
}

/// How people get in.
fn access(builder: &Builder<'_>) -> [(&'static str, Expr); 4] {
    let (name, region) = (builder.name(), &builder.setting.region);
    let command = format!("aws eks update-kubeconfig --region {region} --name {name}");
    let reach = if builder.manifest.cluster.endpoint.public {
        "from the networks in cluster.endpoint.public_cidrs"
    } else {
        "from inside the VPC only"
    };
    let instructions = format!(
        "1. Let kubectl know the cluster, which answers {reach}:\n   {command}\n\
         2. See that it answers:\n   kubectl cluster-info\n   kubectl get nodes\n\
         3. With a Ray cluster in it, look at its dashboard:\n   \
         kubectl get services --all-namespaces --selector ray.io/node-type=head\n   \
         kubectl port-forward --namespace NAMESPACE service/NAME 8265:8265\n   \
         and open http://localhost:8265"
    );
    [
        ("region", text(region)),
        ("kubeconfig_command", text(command)),
        ("kubeconfig_path", text(format!("~/.kube/config-{name}"))),
        ("access_instructions", text(instructions)),
    ]
}

/// Of every pool, and of `cpu` and `gpu` whether they are there or not. `gpu_primary` is the
/// GPU pool beside its fallback, as the Terraform module once called it.
fn node_groups(pools: &BTreeMap<String, PoolParts>) -> Vec<(String, Expr)> {
    let mut names: Vec<&str> = vec!["cpu", "gpu"];
    names.extend(pools.keys().map(String::as_str).filter(|name| !["cpu", "gpu"].contains(name)));
    let mut outputs = Vec::new();
    for name in names {
        let pool = pools.get(name);
        let primary = pool.map(|pool| &pool.primary);
        let fallback = pool.and_then(|pool| pool.fallback.as_ref());
        outputs.extend(node_group(name, primary));
        if name == "gpu" {
            outputs.extend(node_group("gpu_primary", primary));
        }
        if name == "gpu" || fallback.is_some() {
            outputs.extend(node_group(&format!("{name}_fallback"), fallback));
        }
    }
    outputs
}

fn node_group(name: &str, group: Option<&Added<NodeGroup>>) -> [(String, Expr); 2] {
    [
        (format!("{name}_node_group_id"), of(group.map(|group| group.out.name()))),
        (format!("{name}_node_group_status"), of(group.map(|group| group.out.status()))),
    ]
}
