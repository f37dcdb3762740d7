//! Network interfaces that hold what is to be deleted: whose they are, and the end of those that
//! serve nobody and are provably this platform's.

use std::{collections::BTreeSet, time::Duration};

use aws_sdk_ec2::{
    Client,
    types::{Filter, NetworkInterface, NetworkInterfaceStatus},
};
use rayplat_engine::{
    context::{Ctx, Poll, Repeat},
    error::{ErrorClass, ProviderError},
};

use super::{call, ec2::filter, gone_is_ok};

/// How the VPC CNI describes the interfaces that it makes, and the tag that says for which cluster.
/// Source: aws/amazon-vpc-cni-k8s, `pkg/awsutils/awsutils.go`.
const CNI_DESCRIPTION: &str = "aws-K8S-";
const CNI_CLUSTER: &str = "cluster.k8s.amazonaws.com/name";

/// A leaving instance lets go of its interfaces within minutes.
const EXPECTED: Duration = Duration::from_secs(20);
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// The most values of one filter, of which a load balancer takes three.
/// Source: <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeNetworkInterfaces.html>
const BALANCERS: usize = 60;

/// Waits until no interface that the VPC CNI of this platform's cluster has made holds an object that is to be
/// deleted: `filter_name` chooses which, e.g. `subnet-id`. Those that it has left behind
/// (amazon-vpc-cni-k8s#1223) are deleted: they serve nobody, and nobody else will. About others the deletion itself
/// says what there is to say.
///
/// # Errors
/// They cannot be looked at or deleted.
pub(super) async fn clear(ctx: &Ctx, ec2: &Client, filter_name: &str, id: &str) -> Result<(), ProviderError> {
    let what = format!("the end of {id}");
    let waited = ctx.wait(&what, EXPECTED, LIMIT, || async {
        let found = match described(ctx, ec2, vec![filter(filter_name, id)]).await {
            // Whoever may not look is told by the deletion.
            Err(error) if error.class == ErrorClass::Denied => return Ok(Poll::Ready(())),
            found => found?,
        };
        let mut holders = Vec::new();
        for interface in
            found.iter().filter(|interface| is_of_cni(interface) && cluster(interface) == Some(ctx.stack()))
        {
            if is_leaked(interface) {
                delete(ctx, ec2, interface.network_interface_id().unwrap_or_default()).await?;
            } else {
                holders.push(holder(interface));
            }
        }
        Ok(if holders.is_empty() { Poll::Ready(()) } else { Poll::Pending(format!("held by {}", holders.join(", "))) })
    });
    match waited.await {
        // The deletion is refused then, and names it.
        Err(error) if error.class == ErrorClass::TimedOut => Ok(()),
        waited => waited,
    }
}

/// A deletion's result. When something held the object until patience was over, the error
/// names what: `filter_name` chooses the interfaces to look at, e.g. `subnet-id`.
pub(super) async fn with_holders<T>(
    ctx: &Ctx,
    ec2: &Client,
    filter_name: &str,
    id: &str,
    result: Result<T, ProviderError>,
) -> Result<T, ProviderError> {
    match result {
        Err(error) if error.class == ErrorClass::InUse => Err(name_holders(ctx, ec2, filter_name, id, error).await),
        other => other,
    }
}

/// The interfaces of load balancers with these names that are still there, in words. Classic ones are described
/// as `ELB NAME`, others as `ELB net/NAME/ID` and `ELB app/NAME/ID`.
/// Source: <https://repost.aws/knowledge-center/elb-find-load-balancer-ip>
///
/// # Errors
/// They cannot be looked at.
pub(crate) async fn balancers_left(
    ctx: &Ctx,
    ec2: &Client,
    names: &BTreeSet<String>,
) -> Result<Vec<String>, ProviderError> {
    let names: Vec<&String> = names.iter().collect();
    let mut left = Vec::new();
    for names in names.chunks(BALANCERS) {
        let values =
            names.iter().flat_map(|it| [format!("ELB {it}"), format!("ELB net/{it}/*"), format!("ELB app/{it}/*")]);
        let filter = Filter::builder().name("description").set_values(Some(values.collect())).build();
        left.extend(described(ctx, ec2, vec![filter]).await?.iter().map(holder));
    }
    Ok(left)
}

async fn described(ctx: &Ctx, ec2: &Client, filters: Vec<Filter>) -> Result<Vec<NetworkInterface>, ProviderError> {
    let answer = call(ctx, "ec2", "DescribeNetworkInterfaces", Repeat::Safe, || {
        ec2.describe_network_interfaces().set_filters(Some(filters.clone())).send()
    })
    .await?;
    Ok(answer.network_interfaces().to_vec())
}

async fn delete(ctx: &Ctx, ec2: &Client, id: &str) -> Result<(), ProviderError> {
    ctx.status(&format!("{id}, which the VPC CNI has left behind, is deleted"));
    gone_is_ok(
        call(ctx, "ec2", "DeleteNetworkInterface", Repeat::Safe, || {
            ec2.delete_network_interface().network_interface_id(id).send()
        })
        .await,
    )
}

async fn name_holders(ctx: &Ctx, ec2: &Client, filter_name: &str, id: &str, error: ProviderError) -> ProviderError {
    let found = match described(ctx, ec2, vec![filter(filter_name, id)]).await {
        Ok(found) => found,
        // What is missing to see what holds it.
        Err(ProviderError { class: ErrorClass::Denied, hint: Some(hint), .. }) => return error.hint(hint),
        Err(_) => return error,
    };
    let interfaces: Vec<String> = found.iter().map(holder).collect();
    if interfaces.is_empty() {
        return error;
    }
    let cure = if found.iter().any(is_leaked) {
        "An interface that the VPC CNI has left behind (amazon-vpc-cni-k8s#1223) serves nobody: if its cluster is gone or yours, \
         delete it with `aws ec2 delete-network-interface --network-interface-id ID`. The others go with what uses them: load \
         balancers, instances, endpoints."
    } else {
        "They go with what uses them: delete the load balancers, instances or endpoints first."
    };
    let hint = format!("Still there: {}. {cure} Then run the same command again.", interfaces.join(", "));
    error.hint(hint)
}

/// An interface in words: id, what it says of itself, whose it is, whether anything uses it.
fn holder(interface: &NetworkInterface) -> String {
    let id = interface.network_interface_id().unwrap_or_default();
    let mut words: Vec<String> = Vec::new();
    words.extend(interface.description().filter(|text| !text.is_empty()).map(str::to_owned));
    words.extend(cluster(interface).map(|name| format!("of cluster {name}")));
    words.extend(interface.status().map(|status| status.as_str().to_owned()));
    format!("{id} ({})", words.join(", "))
}

fn cluster(interface: &NetworkInterface) -> Option<&str> {
    interface.tag_set().iter().find(|tag| tag.key() == Some(CNI_CLUSTER)).and_then(|tag| tag.value())
}

/// The VPC CNI made it: of which cluster, the tag says. One without that tag may be anybody's.
fn is_of_cni(interface: &NetworkInterface) -> bool {
    interface.description().unwrap_or_default().starts_with(CNI_DESCRIPTION)
}

/// The same, and nothing uses it.
fn is_leaked(interface: &NetworkInterface) -> bool {
    interface.status() == Some(&NetworkInterfaceStatus::Available) && is_of_cni(interface)
}
