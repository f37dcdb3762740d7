//! What CreateNodegroup and UpdateNodegroupConfig insist on.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::{Account, ApiError};
use super::launch::Launch;
use super::model::{Cluster, Scaling, Taint};
use super::params::{choice, invalid_parameter, invalid_request, limit_exceeded, number, structure, text, texts};

/// EKS service quota L-BD136A63: nodes in one managed node group.
const MOST_NODES: i64 = 450;

/// `scalingConfig` over what stands.
pub(super) fn scaling(params: &Value, current: Option<Scaling>) -> Result<Scaling, ApiError> {
    let config = params.get("scalingConfig").filter(|it| !it.is_null());
    let Some(config) = config else {
        // The API's default is two nodes.
        return Ok(current.unwrap_or(Scaling { min: 1, desired: 2, max: 2 }));
    };
    let member = |name: &str, current: Option<i64>| -> Result<i64, ApiError> {
        number(config, name)?
            .or(current)
            .ok_or_else(|| invalid_parameter(format!("{name} can't be null in scalingConfig")))
    };
    let scaling = Scaling {
        min: member("minSize", current.map(|it| it.min))?,
        desired: member("desiredSize", current.map(|it| it.desired))?,
        max: member("maxSize", current.map(|it| it.max))?,
    };
    let Scaling { min, desired, max } = scaling;
    if min < 0 || desired < 0 {
        return Err(invalid_parameter("minSize and desiredSize can't be less than 0"));
    }
    if max < 1 {
        return Err(invalid_parameter("maxSize can't be less than 1"));
    }
    if min > max {
        return Err(invalid_parameter(format!("Minimum capacity {min} can't be greater than maximum capacity {max}")));
    }
    if min > desired {
        return Err(invalid_parameter(format!("Minimum capacity {min} can't be greater than desired size {desired}")));
    }
    if desired > max {
        return Err(invalid_parameter(format!("Desired capacity {desired} can't be greater than max size {max}")));
    }
    if max > MOST_NODES {
        return Err(limit_exceeded(format!(
            "Maximum capacity {max} is over the limit of {MOST_NODES} nodes in a node group"
        )));
    }
    Ok(scaling)
}

/// Kubernetes labels of a request.
pub(super) fn labels(map: Option<&serde_json::Map<String, Value>>) -> Result<BTreeMap<String, String>, ApiError> {
    let mut labels = BTreeMap::new();
    for (key, value) in map.into_iter().flatten() {
        let value = value.as_str().unwrap_or_default();
        check_label(key, value)?;
        labels.insert(key.clone(), value.to_owned());
    }
    Ok(labels)
}

fn check_label(key: &str, value: &str) -> Result<(), ApiError> {
    let (prefix, name) = key.rsplit_once('/').unwrap_or(("", key));
    let reserved = ["kubernetes.io", "k8s.io", "eks.amazonaws.com"];
    if reserved.iter().any(|it| prefix == *it || prefix.ends_with(&format!(".{it}"))) {
        // Labels of the autoscaler's node templates are allowed nowhere either.
        return Err(invalid_parameter(
            "Label cannot contain reserved prefixes [kubernetes.io/, k8s.io/, eks.amazonaws.com/]",
        ));
    }
    if !is_qualified(name) || name.is_empty() || prefix.len() > 253 {
        return Err(invalid_parameter(format!("Label key '{key}' is not a valid Kubernetes label key")));
    }
    if !is_qualified(value) {
        return Err(invalid_parameter(format!(
            "Label value '{value}' of '{key}' is not a valid Kubernetes label value"
        )));
    }
    Ok(())
}

/// Kubernetes' rule for names and label values: up to 63 letters, digits, `-`,
/// `_` and `.`, a letter or digit at both ends.
fn is_qualified(text: &str) -> bool {
    let end = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && end(text.chars().next())
        && end(text.chars().next_back())
}

/// Kubernetes taints of a request.
pub(super) fn taints(items: Option<&Value>) -> Result<Vec<Taint>, ApiError> {
    let mut taints: Vec<Taint> = Vec::new();
    for item in items.and_then(Value::as_array).into_iter().flatten() {
        let key = text(item, "key").ok_or_else(|| invalid_parameter("Taint key can't be null or empty"))?;
        let effect = choice(item, "effect", &["NO_SCHEDULE", "NO_EXECUTE", "PREFER_NO_SCHEDULE"])?
            .ok_or_else(|| invalid_parameter("Taint effect can't be null"))?;
        let name = key.rsplit_once('/').map_or(key, |(_, name)| name);
        let value = item.get("value").and_then(Value::as_str);
        if name.is_empty() || !is_qualified(name) || !is_qualified(value.unwrap_or_default()) {
            return Err(invalid_parameter(format!("Taint with key '{key}' is not a valid Kubernetes taint")));
        }
        if taints.iter().any(|it| it.key == key && it.effect == effect) {
            return Err(invalid_parameter(format!("Duplicate taint with key '{key}' and effect '{effect}'")));
        }
        taints.push(Taint { key: key.to_owned(), value: value.map(str::to_owned), effect: effect.to_owned() });
    }
    if taints.len() > 50 {
        return Err(invalid_parameter("A node group can have at most 50 taints"));
    }
    Ok(taints)
}

/// `updateConfig` over what stands.
pub(super) fn update_config(params: &Value, current: Option<&Value>) -> Result<Value, ApiError> {
    let Some(config) = params.get("updateConfig").filter(|it| !it.is_null()) else {
        return Ok(current.cloned().unwrap_or_else(|| json!({"maxUnavailable": 1})));
    };
    let count = number(config, "maxUnavailable")?;
    let percentage = number(config, "maxUnavailablePercentage")?;
    let strategy = choice(config, "updateStrategy", &["DEFAULT", "MINIMAL"])?;
    let mut answer = match (count, percentage) {
        (Some(_), Some(_)) => {
            return Err(invalid_parameter("Only one of maxUnavailable and maxUnavailablePercentage can be specified"));
        }
        (Some(count @ 1..=100), None) => json!({"maxUnavailable": count}),
        (None, Some(percentage @ 1..=100)) => json!({"maxUnavailablePercentage": percentage}),
        (None, None) => json!({"maxUnavailable": 1}),
        _ => {
            return Err(invalid_parameter("maxUnavailable and maxUnavailablePercentage must be between 1 and 100"));
        }
    };
    if let Some(strategy) = strategy {
        answer["updateStrategy"] = json!(strategy);
    }
    Ok(answer)
}

/// The subnets exist and are the cluster's VPC's.
pub(super) fn subnets(account: &Account, cluster: &Cluster, params: &Value) -> Result<Vec<String>, ApiError> {
    let ids = texts(params, "subnets");
    if ids.is_empty() {
        return Err(invalid_parameter("subnets can't be null or empty"));
    }
    for id in &ids {
        let subnet = account.ec2.subnets.get(id).ok_or_else(|| {
            invalid_parameter(format!(
                "The subnet ID '{id}' does not exist (Service: AmazonEC2; Status Code: 400; Error Code: InvalidSubnetID.NotFound)"
            ))
        })?;
        if subnet.vpc_id != cluster.network.vpc_id {
            return Err(invalid_parameter(format!(
                "Subnets are not in the same VPC as the cluster: [{id}] is in {}, the cluster in {}",
                subnet.vpc_id, cluster.network.vpc_id
            )));
        }
    }
    Ok(ids)
}

/// The groups of the nodes' interfaces are the cluster's VPC's.
pub(super) fn security_groups(
    account: &Account,
    cluster: &Cluster,
    launch: Option<&Launch>,
) -> Result<Vec<String>, ApiError> {
    let ids = launch.map(|it| it.security_group_ids.clone()).unwrap_or_default();
    for id in &ids {
        if account.ec2.security_groups.get(id).is_some_and(|group| group.vpc_id != cluster.network.vpc_id) {
            return Err(invalid_request(format!(
                "Security group {id} of the launch template is not in the cluster's VPC {}",
                cluster.network.vpc_id
            )));
        }
    }
    // A template without groups gets the cluster security group.
    Ok(if ids.is_empty() { vec![cluster.network.cluster_security_group_id.clone()] } else { ids })
}

/// `nodeRepairConfig` over what stands.
pub(super) fn node_repair(params: &Value, current: Option<&Value>) -> Option<Value> {
    structure(params, "nodeRepairConfig").map(|config| Value::Object(config.clone())).or_else(|| current.cloned())
}
