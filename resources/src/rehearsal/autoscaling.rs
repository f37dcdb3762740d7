//! The emulated EC2 Auto Scaling: the groups that EKS makes behind managed node groups, and
//! their tags. Sizes and instances follow the node group.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::params::{flag, iso_time, list, number, page, text, texts};
use super::{Account, ApiError, eks};

/// What the service holds: the groups themselves are EKS's.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct State {
    /// Tags by group name, each by key.
    pub tags: BTreeMap<String, IndexMap<String, Tag>>,
}

/// A tag's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// May be empty.
    pub value: String,
    /// Do new instances get it?
    pub propagate: bool,
}

/// Tags of one group (Auto Scaling quotas).
const MAX_TAGS: usize = 50;

const RESOURCE_TYPE: &str = "auto-scaling-group";

/// Answers one call.
///
/// # Errors
/// The service's refusal.
pub fn call(account: &mut Account, operation: &str, params: &Value) -> Result<Value, ApiError> {
    follow_node_groups(account);
    match operation {
        "DescribeAutoScalingGroups" => describe_groups(account, params),
        "DescribeTags" => describe_tags(account, params),
        "CreateOrUpdateTags" => create_or_update_tags(account, params),
        "DeleteTags" => delete_tags(account, params),
        other => {
            Err(ApiError::new(400, "InvalidAction", format!("Could not find operation {other} for version 2011-01-01")))
        }
    }
}

/// A node group's cluster and itself.
fn node_groups(account: &Account) -> impl Iterator<Item = (&eks::Cluster, &eks::Nodegroup)> {
    let clusters = account.eks.clusters.values();
    clusters.flat_map(|cluster| cluster.nodegroups.values().map(move |group| (cluster, group)))
}

/// New groups have the tags that EKS gives them; tags of groups that are gone go too.
/// Source: <https://docs.aws.amazon.com/eks/latest/userguide/managed-node-groups.html> ("Amazon EKS
/// tags managed node group resources so that they are configured to use the Kubernetes Cluster
/// Autoscaler"); the five keys are those that instances of such groups carry.
fn follow_node_groups(account: &mut Account) {
    let standing: BTreeMap<String, IndexMap<String, Tag>> = node_groups(account)
        .map(|(cluster, group)| (group.auto_scaling_group.clone(), eks_tags(cluster, group)))
        .collect();
    let tags = &mut account.autoscaling.tags;
    tags.retain(|group, _| standing.contains_key(group));
    for (group, of_eks) in standing {
        tags.entry(group).or_insert(of_eks);
    }
}

fn eks_tags(cluster: &eks::Cluster, group: &eks::Nodegroup) -> IndexMap<String, Tag> {
    let name = &cluster.name;
    [
        ("eks:cluster-name".to_owned(), name.as_str()),
        ("eks:nodegroup-name".to_owned(), group.name.as_str()),
        (format!("k8s.io/cluster-autoscaler/{name}"), "owned"),
        ("k8s.io/cluster-autoscaler/enabled".to_owned(), "true"),
        (format!("kubernetes.io/cluster/{name}"), "owned"),
    ]
    .into_iter()
    .map(|(key, value)| (key, Tag { value: value.to_owned(), propagate: true }))
    .collect()
}

fn validation(message: impl Into<String>) -> ApiError {
    ApiError::new(400, "ValidationError", message)
}

fn shown_tag(group: &str, key: &str, tag: &Tag) -> Value {
    json!({
        "ResourceId": group,
        "ResourceType": RESOURCE_TYPE,
        "Key": key,
        "Value": tag.value,
        "PropagateAtLaunch": tag.propagate,
    })
}

/// One page under the name `member`.
fn listed(params: &Value, member: &str, items: Vec<(String, Value)>, default: i64) -> Result<Value, ApiError> {
    let limit = number(params, "MaxRecords").unwrap_or(default);
    let limit = usize::try_from(limit).ok().filter(|limit| (1..=100).contains(limit));
    let limit = limit.ok_or_else(|| validation("MaxRecords must be between 1 and 100."))?;
    let page = page(items, text(params, "NextToken"), limit)
        .ok_or_else(|| ApiError::new(400, "InvalidNextToken", "The token is not valid."))?;
    let mut answer = json!({});
    answer[member] = Value::Array(page.items);
    if let Some(next) = page.next {
        answer["NextToken"] = json!(next);
    }
    Ok(answer)
}

/// Does one of the filter's values fit? Values of one filter are alternatives, filters add up.
fn passes(params: &Value, fits: impl Fn(&str, &str) -> Option<bool>) -> Result<bool, ApiError> {
    let mut all = true;
    for filter in list(params, "Filters") {
        let name = text(filter, "Name").unwrap_or_default();
        let mut one = false;
        for value in texts(filter, "Values") {
            one |= fits(name, &value).ok_or_else(|| validation(format!("Filter type {name} is not correct.")))?;
        }
        all &= one;
    }
    Ok(all)
}

/// `DescribeTags`
fn describe_tags(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let mut items = Vec::new();
    for (group, tags) in &account.autoscaling.tags {
        for (key, tag) in tags {
            let fits = |name: &str, value: &str| match name {
                "auto-scaling-group" => Some(value == group),
                "key" => Some(value == key),
                "value" => Some(value == tag.value),
                "propagate-at-launch" => Some(value == tag.propagate.to_string()),
                _ => None,
            };
            if passes(params, fits)? {
                items.push((format!("{group}\n{key}"), shown_tag(group, key, tag)));
            }
        }
    }
    listed(params, "Tags", items, 50)
}

/// `DescribeAutoScalingGroups`. A name that does not exist is no error.
fn describe_groups(account: &Account, params: &Value) -> Result<Value, ApiError> {
    let names = texts(params, "AutoScalingGroupNames");
    let none = IndexMap::new();
    let mut items = Vec::new();
    for (cluster, group) in node_groups(account) {
        let name = &group.auto_scaling_group;
        let tags = account.autoscaling.tags.get(name).unwrap_or(&none);
        let fits = |filter: &str, value: &str| match filter.strip_prefix("tag:") {
            Some(key) => Some(tags.get(key).is_some_and(|tag| tag.value == value)),
            None if filter == "tag-key" => Some(tags.contains_key(value)),
            None if filter == "tag-value" => Some(tags.values().any(|tag| tag.value == value)),
            None => None,
        };
        if (names.is_empty() || names.contains(name)) && passes(params, fits)? {
            items.push((name.clone(), shown_group(account, cluster, group, tags)));
        }
    }
    listed(params, "AutoScalingGroups", items, 50)
}

fn shown_group(
    account: &Account,
    cluster: &eks::Cluster,
    group: &eks::Nodegroup,
    tags: &IndexMap<String, Tag>,
) -> Value {
    let name = &group.auto_scaling_group;
    let zone_of = |subnet: &str| account.ec2.subnets.get(subnet).map(|subnet| subnet.zone.clone());
    let mut zones: Vec<String> = group.subnet_ids.iter().filter_map(|subnet| zone_of(subnet)).collect();
    zones.sort();
    zones.dedup();
    let kind = group.effective_types.first();
    let instances: Vec<Value> = eks::nodes(account, &cluster.name, &group.name)
        .map(|(instance, subnet)| {
            json!({
                "InstanceId": instance,
                "InstanceType": kind,
                "AvailabilityZone": zone_of(subnet),
                "LifecycleState": "InService",
                "HealthStatus": "Healthy",
                "ProtectedFromScaleIn": false,
            })
        })
        .collect();
    // EKS ends both names with the same UUID.
    let id = group.arn.rsplit('/').next().unwrap_or_default();
    json!({
        "AutoScalingGroupName": name,
        "AutoScalingGroupARN": format!(
            "arn:{}:autoscaling:{}:{}:autoScalingGroup:{id}:autoScalingGroupName/{name}",
            account.partition(), account.region, account.account_id,
        ),
        "MinSize": group.scaling.min,
        "MaxSize": group.scaling.max,
        "DesiredCapacity": group.scaling.desired,
        "DefaultCooldown": 300,
        "AvailabilityZones": zones,
        "HealthCheckType": "EC2",
        "HealthCheckGracePeriod": 15,
        "Instances": instances,
        "CreatedTime": iso_time(group.created_ms),
        "VPCZoneIdentifier": group.subnet_ids.join(","),
        "MixedInstancesPolicy": {"LaunchTemplate": {
            "Overrides": group.effective_types.iter().map(|kind| json!({"InstanceType": kind})).collect::<Vec<_>>(),
        }},
        "Tags": tags.iter().map(|(key, tag)| shown_tag(name, key, tag)).collect::<Vec<_>>(),
        "TerminationPolicies": ["AllocationStrategy", "OldestLaunchTemplate", "OldestInstance"],
        "NewInstancesProtectedFromScaleIn": false,
        "CapacityRebalance": group.capacity_type == "SPOT",
    })
}

/// The tags of a request, checked: group, key, tag. Nothing is changed if one is wrong.
fn requested(account: &Account, params: &Value) -> Result<Vec<(String, String, Tag)>, ApiError> {
    let mut requested = Vec::new();
    for tag in list(params, "Tags") {
        let (Some(group), Some(key), Some(RESOURCE_TYPE)) =
            (text(tag, "ResourceId"), text(tag, "Key"), text(tag, "ResourceType"))
        else {
            return Err(validation("Incomplete tags information for these tags."));
        };
        let value = text(tag, "Value").unwrap_or_default();
        let at = requested.len() + 1;
        if key.is_empty() || key.chars().count() > 128 {
            let rule = format!(
                "1 validation error detected: Value '{key}' at 'tags.{at}.member.key' failed to satisfy constraint: Member must have length less than or equal to 128"
            );
            return Err(validation(rule));
        }
        if value.chars().count() > 256 {
            let rule = format!(
                "1 validation error detected: Value '{value}' at 'tags.{at}.member.value' failed to satisfy constraint: Member must have length less than or equal to 256"
            );
            return Err(validation(rule));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err(validation("The tag key prefix aws: is reserved for AWS use."));
        }
        if !account.autoscaling.tags.contains_key(group) {
            return Err(validation(format!("AutoScalingGroup not found - AutoScaling Group {group} not found")));
        }
        let tag = Tag { value: value.to_owned(), propagate: flag(tag, "PropagateAtLaunch").unwrap_or(true) };
        requested.push((group.to_owned(), key.to_owned(), tag));
    }
    if requested.is_empty() { Err(validation("Tags must not be empty.")) } else { Ok(requested) }
}

/// `CreateOrUpdateTags`
fn create_or_update_tags(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let mut tags = account.autoscaling.tags.clone();
    for (group, key, tag) in requested(account, params)? {
        let of_group = tags.entry(group).or_default();
        of_group.insert(key, tag);
        if of_group.len() > MAX_TAGS {
            let message = "The number of tags for this Auto Scaling group exceeds the limit of 50.";
            return Err(ApiError::new(400, "LimitExceeded", message));
        }
    }
    account.autoscaling.tags = tags;
    Ok(json!({}))
}

/// `DeleteTags`. A tag that is not there is no error.
fn delete_tags(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    for (group, key, _) in requested(account, params)? {
        if let Some(tags) = account.autoscaling.tags.get_mut(&group) {
            tags.shift_remove(&key);
        }
    }
    Ok(json!({}))
}
