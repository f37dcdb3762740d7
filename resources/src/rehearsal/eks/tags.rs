//! TagResource, UntagResource, ListTagsForResource: by the ARN of any EKS resource.

use serde_json::{Value, json};

use super::super::ec2::Tags;
use super::super::{Account, ApiError};
use super::params::{arn, check_tag_count, required, texts};

/// The tags of the resource with that ARN.
fn tags_of<'a>(account: &'a mut Account, resource_arn: &str) -> Result<&'a mut Tags, ApiError> {
    let prefix = arn(account, "");
    let Some(resource) = resource_arn.strip_prefix(&prefix) else {
        return Err(bad_request(format!(
            "Invalid resource ARN: {resource_arn} is not of EKS in this account and region"
        )));
    };
    let (kind, rest) = resource.split_once('/').unwrap_or((resource, ""));
    let cluster_name = rest.split('/').next().unwrap_or_default();
    let missing =
        || ApiError::new(404, "NotFoundException", format!("The specified resource was not found: {resource_arn}"));
    let cluster = account.eks.clusters.get_mut(cluster_name).ok_or_else(missing)?;
    let found = match kind {
        "cluster" => (cluster.arn == resource_arn).then_some(&mut cluster.tags),
        "nodegroup" => cluster.nodegroups.values_mut().find(|it| it.arn == resource_arn).map(|it| &mut it.tags),
        "addon" => cluster.addons.values_mut().find(|it| it.arn == resource_arn).map(|it| &mut it.tags),
        "access-entry" => cluster.access_entries.values_mut().find(|it| it.arn == resource_arn).map(|it| &mut it.tags),
        "podidentityassociation" => {
            cluster.associations.values_mut().find(|it| it.arn == resource_arn).map(|it| &mut it.tags)
        }
        other => {
            return Err(bad_request(format!("Invalid resource ARN: unknown resource type {other}")));
        }
    };
    found.ok_or_else(missing)
}

fn bad_request(message: String) -> ApiError {
    ApiError::new(400, "BadRequestException", message)
}

/// `TagResource`.
pub(super) fn tag(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let new = super::params::tags(params).map_err(|error| bad_request(error.message))?;
    let tags = tags_of(account, required(params, "resourceArn")?)?;
    let mut merged = tags.clone();
    merged.extend(new);
    check_tag_count(&merged).map_err(|error| bad_request(error.message))?;
    *tags = merged;
    Ok(json!({}))
}

/// `UntagResource`.
pub(super) fn untag(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let keys = texts(params, "tagKeys");
    let tags = tags_of(account, required(params, "resourceArn")?)?;
    tags.retain(|key, _| !keys.contains(key));
    Ok(json!({}))
}

/// `ListTagsForResource`.
pub(super) fn list(account: &mut Account, params: &Value) -> Result<Value, ApiError> {
    let tags = tags_of(account, required(params, "resourceArn")?)?;
    Ok(json!({"tags": tags}))
}
