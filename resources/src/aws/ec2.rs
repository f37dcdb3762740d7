//! What the EC2 kinds share: tags as EC2 writes them, and looking for objects that have no
//! name.

use aws_sdk_ec2::types::{Filter, ResourceType, Tag, TagSpecification};
use rayplat_engine::{
    context::{Ctx, Repeat},
    error::{ErrorClass, ProviderError},
    provider::{Discovered, Recovered},
};

use super::{Ownership, STACK_TAG, Tags, URN_TAG, all_tags, call, discovered, ownership, tag_changes};

/// How long a new object of a network may stay unseen. EC2 promises no bound; Terraform
/// waits for up to two minutes where something is known to exist, and seconds are usual.
/// <https://docs.aws.amazon.com/ec2/latest/devguide/eventual-consistency.html>
pub(super) const UNSEEN: std::time::Duration = std::time::Duration::from_secs(20);

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

/// Filters for the objects of the resource at work, whichever intent made them.
pub(super) fn of_resource(ctx: &Ctx) -> Vec<Filter> {
    vec![filter(&format!("tag:{STACK_TAG}"), ctx.stack()), filter(&format!("tag:{URN_TAG}"), ctx.urn().as_str())]
}

/// What objects without a name mean that carry the resource's tags: this intent's own, by
/// its nonce; else one of a lost state, but only if this is the resource's first object:
/// otherwise it may be the predecessor that this one is to replace.
pub(super) fn recovered(ctx: &Ctx, found: impl IntoIterator<Item = (String, Tags)>) -> Recovered {
    let mut lost = None;
    for (id, tags) in found {
        match ownership(ctx, &tags) {
            Ownership::Mine => return Recovered::Mine(id),
            Ownership::OfThisStack => lost = lost.or(Some(id)),
            Ownership::Foreign => {}
        }
    }
    lost.filter(|_| ctx.generation() == 0).map_or(Recovered::Absent, Recovered::OfThisStack)
}

/// Puts our marks on an object that stood before, and changes nothing else.
pub(super) async fn claim(ctx: &Ctx, ec2: &aws_sdk_ec2::Client, id: &str) -> Result<(), ProviderError> {
    retag(ctx, ec2, id, &Tags::new(), &all_tags(ctx, &Tags::new())).await
}

/// What of these objects, by id and tags, says that it belongs to the stack.
pub(super) fn discoveries(ctx: &Ctx, kind: &str, found: &[(String, Tags)]) -> Vec<Discovered> {
    found.iter().filter_map(|(id, tags)| discovered(ctx, kind, id, tags)).collect()
}

/// EC2 would make a second object beside one that a lost state has left, as it has no name
/// to refuse. So the refusal is ours, and the engine looks at what there is.
pub(super) fn refuse_second(found: &Recovered) -> Result<(), ProviderError> {
    match found {
        Recovered::Mine(id) | Recovered::OfThisStack(id) => {
            let message = format!("{id} carries this resource's tags already");
            Err(ProviderError::new(ErrorClass::AlreadyExists, message))
        }
        Recovered::Absent | Recovered::Foreign(_) => Ok(()),
    }
}

#[cfg(all(test, feature = "rehearsal"))]
mod tests {
    use super::*;
    use crate::aws::scripted::{NONCE, ctx, owner_tags};

    const KIND: &str = "aws:ec2:Vpc";

    fn tagged(id: &str, nonce: &str) -> (String, Tags) {
        let list = owner_tags(KIND, nonce, "key", "value");
        let text = |tag: &serde_json::Value, name: &str| tag[name].as_str().unwrap_or_default().to_owned();
        let tags = list.as_array().into_iter().flatten().map(|tag| (text(tag, "key"), text(tag, "value")));
        (id.to_owned(), tags.collect())
    }

    #[test]
    fn the_nonce_goes_before_a_lost_state_and_strangers_are_passed_over() {
        let ctx = ctx(KIND, None);
        let stranger = ("vpc-0".to_owned(), Tags::from([("team".to_owned(), "ml".to_owned())]));
        let (older, mine) = (tagged("vpc-1", "another"), tagged("vpc-2", NONCE));
        let all = [stranger.clone(), older.clone(), mine];
        assert_eq!(recovered(&ctx, all), Recovered::Mine("vpc-2".into()));
        let lost = recovered(&ctx, [stranger.clone(), older]);
        assert_eq!(lost, Recovered::OfThisStack("vpc-1".into()));
        assert_eq!(recovered(&ctx, [stranger]), Recovered::Absent);
        assert!(refuse_second(&lost).is_err_and(|error| error.class == ErrorClass::AlreadyExists));
        assert!(refuse_second(&Recovered::Absent).is_ok());
    }
}
