//! What the EC2 kinds share: tags as EC2 writes them.

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::ProviderError,
};

use super::{STACK_TAG, Tags, call, tag_changes};

pub(super) fn to_tags(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

pub(super) fn from_tags(tags: &[Tag]) -> Tags {
    tags.iter()
        .map(|tag| (tag.key().unwrap_or_default().to_owned(), tag.value().unwrap_or_default().to_owned()))
        .collect()
}

pub(super) fn specification(kind: ResourceType, tags: &Tags) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).set_tags(Some(to_tags(tags))).build()
}

pub(super) fn filter(name: &str, value: &str) -> Filter {
    Filter::builder().name(name).values(value).build()
}

/// What carries the stack's tag.
pub(super) fn of_stack(ctx: &Ctx) -> Filter {
    filter(&format!("tag:{STACK_TAG}"), ctx.stack())
}

/// Turns one set of tags of an object into another.
pub(super) async fn retag(
    ctx: &Ctx,
    ec2: &aws_sdk_ec2::Client,
    id: &str,
    old: &Tags,
    new: &Tags,
) -> Result<(), ProviderError> {
    let changes = tag_changes(old, new);
    if !changes.set.is_empty() {
        let tags = to_tags(&changes.set);
        call(ctx, "ec2", "CreateTags", Repeat::Safe, || {
            ec2.create_tags().resources(id).set_tags(Some(tags.clone())).send()
        })
        .await?;
    }
    if !changes.remove.is_empty() {
        let tags: Vec<Tag> = changes.remove.iter().map(|key| Tag::builder().key(key).build()).collect();
        call(ctx, "ec2", "DeleteTags", Repeat::Safe, || {
            ec2.delete_tags().resources(id).set_tags(Some(tags.clone())).send()
        })
        .await?;
    }
    Ok(())
}
