//! What the EKS kinds share: updates followed to their end, tags by ARN, health issues
//! and their cures.

use std::{collections::HashMap, time::Duration};

use aws_sdk_eks::{
    Client,
    types::{ErrorDetail, UpdateStatus},
};
use rayplat_engine::{
    context::{Ctx, Poll, Repeat},
    error::{ErrorClass, ProviderError},
};

use super::{Tags, call, tag_changes, unexpected};

/// Changes of clusters and node groups take minutes; a version update of a large group
/// may take hours.
const UPDATE_LIMIT: Duration = Duration::from_secs(6 * 3600);

/// Which object an update is of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Of<'a> {
    Cluster,
    NodeGroup(&'a str),
    Addon(&'a str),
}

pub(super) fn tag_map(tags: &Tags) -> HashMap<String, String> {
    tags.clone().into_iter().collect()
}

pub(super) fn from_tag_map(tags: Option<&HashMap<String, String>>) -> Tags {
    tags.map(|tags| tags.clone().into_iter().collect()).unwrap_or_default()
}

/// Turns one set of tags of an object into another.
pub(super) async fn retag(ctx: &Ctx, eks: &Client, arn: &str, old: &Tags, new: &Tags) -> Result<(), ProviderError> {
    let changes = tag_changes(old, new);
    if !changes.set.is_empty() {
        call(ctx, "eks", "TagResource", Repeat::Safe, || {
            eks.tag_resource().resource_arn(arn).set_tags(Some(tag_map(&changes.set))).send()
        })
        .await?;
    }
    if !changes.remove.is_empty() {
        call(ctx, "eks", "UntagResource", Repeat::Safe, || {
            eks.untag_resource().resource_arn(arn).set_tag_keys(Some(changes.remove.clone())).send()
        })
        .await?;
    }
    Ok(())
}

/// Follows an update to its end. EKS allows one at a time, and a status that reads
/// ACTIVE does not mean that it is over.
pub(super) async fn follow_update(
    ctx: &Ctx,
    eks: &Client,
    cluster: &str,
    of: Of<'_>,
    update: Option<&aws_sdk_eks::types::Update>,
    expected: Duration,
) -> Result<(), ProviderError> {
    let id = update.and_then(|update| update.id()).ok_or_else(|| unexpected("an update", "update id"))?;
    ctx.wait(&format!("update of {cluster}"), expected, UPDATE_LIMIT, || async {
        let answer = call(ctx, "eks", "DescribeUpdate", Repeat::Safe, || {
            let request = eks.describe_update().name(cluster).update_id(id);
            match of {
                Of::Cluster => request,
                Of::NodeGroup(name) => request.nodegroup_name(name),
                Of::Addon(name) => request.addon_name(name),
            }
            .send()
        })
        .await?;
        let update = answer.update().ok_or_else(|| unexpected("DescribeUpdate", "update"))?;
        match update.status() {
            Some(UpdateStatus::Successful) => Ok(Poll::Ready(())),
            Some(UpdateStatus::Failed | UpdateStatus::Cancelled) => Err(update_failed(update.errors())),
            status => Ok(Poll::Pending(status.map_or("unknown", UpdateStatus::as_str).to_owned())),
        }
    })
    .await
}

fn update_failed(errors: &[ErrorDetail]) -> ProviderError {
    let texts = errors.iter().map(|error| {
        let code = error.error_code().map_or("Unknown", |code| code.as_str());
        (code.to_owned(), error.error_message().unwrap_or_default().to_owned())
    });
    failed("the update failed", texts.collect())
}

/// A failed life cycle: its issues as EKS gives them, and what to do about the first.
pub(super) fn failed(what: &str, issues: Vec<(String, String)>) -> ProviderError {
    let text: Vec<String> = issues.iter().map(|(code, message)| format!("{code}: {message}")).collect();
    let message = if text.is_empty() { what.to_owned() } else { format!("{what}: {}", text.join("; ")) };
    let mut error = ProviderError::new(ErrorClass::Failed, message);
    if let Some((code, _)) = issues.first() {
        error.hint = cure(code).map(str::to_owned);
        error.code = Some(code.clone());
    }
    error
}

/// What to do about a health issue.
/// Source: <https://docs.aws.amazon.com/eks/latest/APIReference/API_Issue.html> and
/// <https://docs.aws.amazon.com/eks/latest/userguide/troubleshooting.html>
fn cure(code: &str) -> Option<&'static str> {
    Some(match code {
        "NodeCreationFailure" => {
            "Instances started but did not join. Check that the subnets reach the cluster's endpoint (NAT or VPC endpoints for \
             EKS, ECR, STS, EC2 and S3), that the node role has its policies, and the instance's console output."
        }
        "AsgInstanceLaunchFailures" => {
            "No instance could be launched: no capacity or quota for these types in these zones. Give more instance types or \
             zones, or raise the vCPU quota in Service Quotas."
        }
        "InsufficientFreeAddresses" => "The subnets have too few free addresses: give larger or further subnets.",
        "InstanceLimitExceeded" => "The vCPU quota for this instance family is reached: raise it in Service Quotas.",
        "IamThrottling" | "IamLimitExceeded" => {
            "IAM is at a limit: wait some minutes, then run the same command again."
        }
        "PodEvictionFailure" => {
            "Pods would not leave their nodes: usually a PodDisruptionBudget allows no disruption (kubectl get pdb -A shows \
             ALLOWED DISRUPTIONS 0). Give its workload one replica more or loosen it, and run the same command again; or \
             write node_pools.NAME.update.force: true: then pods are removed whatever their budget says."
        }
        "Ec2SecurityGroupDeletionFailure" => {
            "The remote-access group is still in use: find the interfaces that hold it (EC2, network interfaces, by group)."
        }
        "Ec2LaunchTemplateDeletionFailure" => "EKS's copy of the launch template cannot be deleted: look who uses it.",
        "Ec2SubnetInvalidConfiguration" | "Ec2SubnetMissingIpv6Assignment" => {
            "A subnet is not set up for nodes: it needs a NAT gateway, or public addresses on launch."
        }
        "AccessDenied" | "ClusterUnreachable" => {
            "Nodes are not let in: check the node role's access entry and the endpoint's settings."
        }
        "ConfigurationConflict" => {
            "Somebody changed the add-on's objects in the cluster. Move the change into the manifest's `configuration`."
        }
        "InsufficientNumberOfReplicas" => {
            "The add-on's pods do not run: look at their events (kubectl -n kube-system get events); usually no node has room."
        }
        _ => return None,
    })
}

/// `CLUSTER/NAME`, the id of things inside a cluster.
pub(super) fn split(id: &str) -> (&str, &str) {
    id.split_once('/').unwrap_or((id, ""))
}
