//! AWS kinds: one file a kind, one registration line a kind.

mod absent;
pub mod autoscaling_group_tags;
mod call;
mod clients;
mod connect;
mod ec2;
pub mod ec2_eip;
mod ec2_interfaces;
pub mod ec2_internet_gateway;
pub mod ec2_nat_gateway;
pub mod ec2_route;
pub mod ec2_route_table;
pub mod ec2_route_table_association;
pub mod ec2_security_group;
pub mod ec2_security_group_rule;
pub mod ec2_subnet;
pub mod ec2_vpc;
pub mod ec2_vpc_endpoint;
mod eks;
pub mod eks_access_entry;
pub mod eks_addon;
pub mod eks_cluster;
mod eks_lists;
pub mod eks_node_group;
pub mod eks_node_group_options;
mod eks_node_group_roll;
pub mod eks_pod_identity_association;
mod eks_versions;
mod errors;
pub mod events_rule;
mod iam;
pub mod iam_oidc_provider;
pub mod iam_policy;
pub mod iam_role;
pub mod iam_role_policy;
pub mod iam_role_policy_attachment;
pub mod kms_alias;
pub mod kms_key;
pub mod launch_template;
pub mod launch_template_capacity;
pub mod log_group;
mod ownership;
pub mod policy;
pub mod price_list;
pub mod s3_bucket;
mod s3_config;
mod s3_objects;
mod s3_place;
mod s3_purge;
#[cfg(all(test, feature = "rehearsal"))]
mod scripted;
pub mod sqs_queue;
mod tag_changes;
mod time_scale;
pub mod tls_certificate;
mod types;
mod zones;

pub use absent::{call_fresh, found, gone_is_ok, vanished};
pub use call::{call, unexpected};
pub use clients::{Clients, Identity};
pub use connect::{Connect, connect, resolve_principal, with_keys};
pub(crate) use ec2_interfaces::balancers_left;
pub use errors::classify;
pub use ownership::{
    GENERATION_TAG, NONCE_TAG, Ownership, STACK_TAG, Tags, URN_TAG, all_tags, discovered, marks, ownership, users_tags,
};
use rayplat_engine::provider::Registry;
pub use s3_objects::S3Objects;
pub use s3_place::S3Place;
pub use tag_changes::{TagChanges, tag_changes};
pub use time_scale::{TIME_SCALE_HEADER, TimeScale};
pub use types::*;
pub use zones::{WITHOUT_CONTROL_PLANE, Zone, standing_network, zones};

/// Every AWS kind, on these clients.
pub fn register(registry: &mut Registry, clients: &Clients) {
    registry.add(iam_role::Role::new(clients));
    registry.add(iam_policy::Policy::new(clients));
    registry.add(iam_role_policy_attachment::RolePolicyAttachment::new(clients));
    registry.add(iam_role_policy::RolePolicy::new(clients));
    registry.add(iam_oidc_provider::OidcProvider::new(clients));
    registry.add(kms_key::Key::new(clients));
    registry.add(kms_alias::Alias::new(clients));
    registry.add(log_group::LogGroup::new(clients));
    registry.add(ec2_security_group::SecurityGroup::new(clients));
    registry.add(ec2_security_group_rule::SecurityGroupRule::new(clients));
    registry.add(ec2_vpc::Vpc::new(clients));
    registry.add(ec2_subnet::Subnet::new(clients));
    registry.add(ec2_internet_gateway::InternetGateway::new(clients));
    registry.add(ec2_eip::Eip::new(clients));
    registry.add(ec2_nat_gateway::NatGateway::new(clients));
    registry.add(ec2_route_table::RouteTable::new(clients));
    registry.add(ec2_route::Route::new(clients));
    registry.add(ec2_route_table_association::RouteTableAssociation::new(clients));
    registry.add(ec2_vpc_endpoint::VpcEndpoint::new(clients));
    registry.add(launch_template::LaunchTemplate::new(clients));
    registry.add(eks_cluster::Cluster::new(clients));
    registry.add(eks_access_entry::AccessEntry::new(clients));
    registry.add(eks_addon::Addon::new(clients));
    registry.add(eks_node_group::NodeGroup::new(clients));
    registry.add(s3_bucket::Bucket::new(clients));
    registry.add(eks_pod_identity_association::PodIdentityAssociation::new(clients));
    registry.add(autoscaling_group_tags::GroupTags::new(clients));
    registry.add(sqs_queue::Queue::new(clients));
    registry.add(events_rule::Rule::new(clients));
    // A rehearsal registers its own source of chains over this.
    registry.add(tls_certificate::IssuerCertificate::new(tls_certificate::NetworkChain::default()));
}
