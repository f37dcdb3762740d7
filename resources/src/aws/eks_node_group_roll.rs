//! How the nodes of a group are replaced, batch by batch: for another Kubernetes version,
//! another AMI release, another version of the launch template.
//! API: <https://docs.aws.amazon.com/eks/latest/APIReference/API_UpdateNodegroupVersion.html>

use std::time::Duration;

use aws_sdk_eks::{
    Client,
    types::{Nodegroup, NodegroupUpdateConfig, NodegroupUpdateStrategies},
};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::{ErrorClass, ProviderError},
    plan::diff::{Change, Effect, structural},
    urn::Urn,
    value::Planned,
};
use serde_json::Value;

use super::{
    call,
    eks::{Of, follow_update, split},
    eks_node_group::{NodeGroupInputs, number, template},
    eks_versions::{node_group_change, older},
};

/// Groups whose nodes run an image of the user's own: which Kubernetes version that has, EKS
/// does not know.
const OWN_IMAGE: &str = "CUSTOM";

/// Fields of which `None` means: as it is.
const LEFT_ALONE: [&str; 2] = ["kubernetes_version", "ami_release"];

/// The differences. EKS takes nodes to no earlier version of Kubernetes or AMI: that needs
/// another group.
pub(super) fn diff(old: &Value, new: &Planned, replace_on: &[&str]) -> Vec<Change> {
    let own_image = new.get("ami_type").is_some_and(|kind| kind.known() == Some(&OWN_IMAGE.into()));
    let mut changes = structural(old, new, replace_on);
    changes.retain(|change| {
        let left = LEFT_ALONE.contains(&change.path.as_str());
        !left || (change.new.is_some() && !own_image)
    });
    for change in changes.iter_mut().filter(|change| LEFT_ALONE.contains(&change.path.as_str())) {
        let (old, new) = (change.old.as_ref().and_then(Value::as_str), change.new.as_ref().and_then(Planned::known));
        if let (Some(old), Some(new)) = (old, new.and_then(Value::as_str))
            && older(new, old)
        {
            change.effect = Effect::Replace;
        }
    }
    changes
}

/// How long a change usually takes: long where nodes are replaced.
pub(super) fn expected(old: &Value, changes: &[Change], new: &Planned) -> Duration {
    let rolls = |path: &str| path == "template_version" || LEFT_ALONE.contains(&path);
    let nodes = old["scaling"]["desired"].as_u64().unwrap_or_default();
    let count = |field: &str| new.get(field).and_then(|value| value.known().and_then(Value::as_u64));
    let share = count("max_unavailable_percentage").unwrap_or_default();
    let at_once = count("max_unavailable").unwrap_or(nodes * share / 100);
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    node_group_change(changes.iter().any(|change| rolls(&change.path)), small(nodes), small(at_once))
}

/// How many nodes at once, and how; the strategy is named where one is asked for, or where
/// there may have been another.
pub(super) fn update_config(inputs: &NodeGroupInputs, changes: bool) -> NodegroupUpdateConfig {
    let config = match inputs.max_unavailable {
        Some(nodes) => NodegroupUpdateConfig::builder().max_unavailable(number(nodes)),
        None => NodegroupUpdateConfig::builder().max_unavailable_percentage(number(inputs.max_unavailable_percentage)),
    };
    let strategy = inputs.update_strategy.as_deref().or_else(|| changes.then_some("DEFAULT"));
    config.set_update_strategy(strategy.map(NodegroupUpdateStrategies::from)).build()
}

/// The new configuration, if it is another one.
pub(super) fn new_config(from: &NodeGroupInputs, to: &NodeGroupInputs) -> Option<NodegroupUpdateConfig> {
    let of = |inputs: &NodeGroupInputs| {
        (inputs.max_unavailable, inputs.max_unavailable_percentage, inputs.update_strategy.clone())
    };
    (of(from) != of(to)).then(|| update_config(to, true))
}

/// The fields of [`NodeGroupInputs`] that are read here, as found, in `observed`.
pub(super) fn observe(group: &Nodegroup, prior: &NodeGroupInputs, observed: &mut NodeGroupInputs) {
    let size = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    match group.update_config() {
        Some(config) => {
            observed.max_unavailable = size(config.max_unavailable());
            observed.max_unavailable_percentage = size(config.max_unavailable_percentage()).unwrap_or_default();
            let strategy = config.update_strategy().map(NodegroupUpdateStrategies::as_str);
            observed.update_strategy = strategy.filter(|strategy| *strategy != "DEFAULT").map(str::to_owned);
        }
        None => {
            observed.max_unavailable = prior.max_unavailable;
            observed.max_unavailable_percentage = prior.max_unavailable_percentage;
            observed.update_strategy.clone_from(&prior.update_strategy);
        }
    }
    observed.force_update = prior.force_update;
    observed.kubernetes_version.clone_from(&prior.kubernetes_version);
    observed.ami_release.clone_from(&prior.ami_release);
    if observed.ami_type != OWN_IMAGE {
        observed.kubernetes_version = group.version().map(str::to_owned);
        // A release that nobody asked for is EKS's.
        observed.ami_release = prior.ami_release.as_ref().and(group.release_version().map(str::to_owned));
    }
}

/// The Kubernetes version and AMI release that a new group is asked for.
pub(super) fn wanted(inputs: &NodeGroupInputs) -> (Option<String>, Option<String>) {
    if inputs.ami_type == OWN_IMAGE {
        return (None, None);
    }
    (inputs.kubernetes_version.clone(), inputs.ami_release.clone())
}

/// Said here because nothing of a release that was not asked for is known at planning.
fn back(release: &str, standing: &str, urn: &Urn) -> ProviderError {
    let message = format!("its nodes run the AMI release {standing}, and EKS takes no nodes back to {release}");
    ProviderError::new(ErrorClass::Invalid, message)
        .hint(format!("Name a newer release, or make new nodes beside these with `--replace {urn}`."))
}

/// Rolls the nodes over, if anything about them differs. `group` is the group as it stands.
pub(super) async fn roll(
    ctx: &Ctx,
    eks: &Client,
    id: &str,
    (from, to): (&NodeGroupInputs, &NodeGroupInputs),
    group: &Nodegroup,
) -> Result<(), ProviderError> {
    let (version, release) = wanted(to);
    let version = version.filter(|version| from.kubernetes_version.as_ref() != Some(version));
    let release = release.filter(|release| group.release_version() != Some(release));
    if version.is_none() && release.is_none() && from.template_version == to.template_version {
        return Ok(());
    }
    if let (Some(release), Some(standing)) = (&release, group.release_version())
        && older(release, standing)
    {
        return Err(back(release, standing, ctx.urn()));
    }
    let (cluster, name) = split(id);
    let own_image = to.ami_type == OWN_IMAGE;
    // Without them EKS would take the newest release of the cluster's version, which nobody
    // asked for where only the template is another.
    let standing = |text: Option<&str>| text.filter(|_| !own_image && version.is_none()).map(str::to_owned);
    let release = release.or_else(|| standing(group.release_version()));
    let version = standing(group.version()).or(version);
    let token = ctx.token(&format!("roll {} {version:?} {release:?} {}", ctx.now_ms(), to.template_version));
    let template = template(to);
    let answer = call(ctx, "eks", "UpdateNodegroupVersion", Repeat::Safe, || {
        eks.update_nodegroup_version()
            .cluster_name(cluster)
            .nodegroup_name(name)
            .set_version(version.clone())
            .set_release_version(release.clone())
            .launch_template(template.clone())
            .force(to.force_update)
            .client_request_token(&token)
            .send()
    })
    .await?;
    let nodes = group.scaling_config().and_then(|scaling| scaling.desired_size());
    let nodes = nodes.and_then(|nodes| u32::try_from(nodes).ok()).unwrap_or_default();
    let at_once = to.max_unavailable.unwrap_or(nodes.saturating_mul(to.max_unavailable_percentage) / 100);
    let usual = node_group_change(true, nodes, at_once);
    follow_update(ctx, eks, cluster, Of::NodeGroup(name), answer.update(), usual).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn effects(old: &Value, new: Value) -> Vec<(String, Effect)> {
        let changes = diff(old, &Planned::Known(new), &["ami_type"]);
        changes.into_iter().map(|change| (change.path, change.effect)).collect()
    }

    #[test]
    fn newer_in_place_older_in_another_group_none_as_it_is() {
        let old = json!({"kubernetes_version": "1.34", "ami_release": "1.34.5-20261112"});
        let one = |path: &str, effect| vec![(path.to_owned(), effect)];
        let with = |version: &str, release: &str| json!({"kubernetes_version": version, "ami_release": release});
        assert_eq!(effects(&old, with("1.35", "1.34.5-20261112")), one("kubernetes_version", Effect::Update));
        assert_eq!(effects(&old, with("1.33", "1.34.5-20261112")), one("kubernetes_version", Effect::Replace));
        assert_eq!(effects(&old, with("1.34", "1.34.5-20261201")), one("ami_release", Effect::Update));
        assert_eq!(effects(&old, with("1.34", "1.34.5-20260101")), one("ami_release", Effect::Replace));
        assert_eq!(effects(&old, json!({})), []);
        // An image of the user's own follows nothing.
        let own = |version: &str| json!({"ami_type": "CUSTOM", "kubernetes_version": version});
        assert_eq!(effects(&own("1.34"), own("1.35")), []);
    }

    #[test]
    fn nodes_that_are_replaced_take_their_time() {
        let old = json!({"scaling": {"desired": 6}, "template_version": "1", "labels": {}});
        let takes = |new: Value| {
            let new = Planned::Known(new);
            expected(&old, &diff(&old, &new, &[]), &new).as_secs()
        };
        let new = |version: &str, at_once: Value| {
            let mut new = json!({"scaling": {"desired": 6}, "template_version": version, "labels": {"a": "b"}});
            new.as_object_mut()
                .into_iter()
                .for_each(|map| map.extend(at_once.as_object().cloned().unwrap_or_default()));
            new
        };
        assert_eq!(takes(new("1", json!({}))), 30);
        assert_eq!(takes(new("2", json!({"max_unavailable_percentage": 33}))), 6 * 205);
        assert_eq!(takes(new("2", json!({"max_unavailable": 3}))), 2 * 205);
    }
}
