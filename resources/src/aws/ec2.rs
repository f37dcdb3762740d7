//! What the EC2 kinds share: tags as EC2 writes them, looking for objects that have no
//! name, and naming what holds one that cannot be deleted.

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

/// A deletion's result. When something held the object until patience was over, the error
/// names what: `filter` chooses the interfaces to look at, e.g. `subnet-id`.
pub(super) async fn with_holders<T>(
    ctx: &Ctx,
    ec2: &aws_sdk_ec2::Client,
    filter_name: &str,
    id: &str,
    result: Result<T, ProviderError>,
) -> Result<T, ProviderError> {
    match result {
        Err(error) if error.class == ErrorClass::InUse => Err(name_holders(ctx, ec2, filter_name, id, error).await),
        other => other,
    }
}

async fn name_holders(
    ctx: &Ctx,
    ec2: &aws_sdk_ec2::Client,
    filter_name: &str,
    id: &str,
    error: ProviderError,
) -> ProviderError {
    let answer = call(ctx, "ec2", "DescribeNetworkInterfaces", Repeat::Safe, || {
        ec2.describe_network_interfaces().filters(filter(filter_name, id)).send()
    })
    .await;
    // Who may not look is told as much as AWS says.
    let Ok(answer) = answer else { return error };
    let interfaces: Vec<String> = answer.network_interfaces().iter().map(holder).collect();
    if interfaces.is_empty() {
        return error;
    }
    let leaked = answer.network_interfaces().iter().any(is_leaked);
    let cure = if leaked {
        "An interface that the VPC CNI has left behind (amazon-vpc-cni-k8s#1223) serves nobody: delete it with \
         `aws ec2 delete-network-interface --network-interface-id ID`. The others go with what uses them: load \
         balancers, instances, endpoints."
    } else {
        "They go with what uses them: delete the load balancers, instances or endpoints first."
    };
    let hint = format!("Still there: {}. {cure} Then run the same command again.", interfaces.join(", "));
    error.hint(hint)
}

/// An interface in words: id, what it says of itself, whether anything uses it.
fn holder(interface: &aws_sdk_ec2::types::NetworkInterface) -> String {
    let id = interface.network_interface_id().unwrap_or_default();
    let status = interface.status().map_or("", |status| status.as_str());
    match interface.description().filter(|text| !text.is_empty()) {
        Some(description) => format!("{id} ({description}, {status})"),
        None => format!("{id} ({status})"),
    }
}

/// The VPC CNI names its interfaces `aws-K8S-INSTANCE`, and tags them.
fn is_leaked(interface: &aws_sdk_ec2::types::NetworkInterface) -> bool {
    let tagged = || interface.tag_set().iter().any(|tag| tag.key() == Some("node.k8s.amazonaws.com/instance_id"));
    interface.status() == Some(&aws_sdk_ec2::types::NetworkInterfaceStatus::Available)
        && (interface.description().unwrap_or_default().starts_with("aws-K8S-") || tagged())
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
