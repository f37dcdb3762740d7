//! Text types that must not be mixed up.

use serde::{Deserialize, Serialize};

macro_rules! text_types {
    ($( $(#[$meta:meta])* $name:ident, )*) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    )* };
}

text_types! {
    /// `arn:aws:iam::123456789012:role/...`.
    RoleArn,
    /// A role's name, without its path.
    RoleName,
    /// A managed policy: `arn:aws:iam::aws:policy/...` or one of the account.
    PolicyArn,
    /// An IAM OpenID Connect provider.
    OidcProviderArn,
    /// A cluster's issuer: `https://oidc.eks.REGION.amazonaws.com/id/...`.
    IssuerUrl,
    /// `arn:aws:kms:REGION:ACCOUNT:key/...`.
    KeyArn,
    /// A KMS key id.
    KeyId,
    /// A log group's ARN, without the trailing `:*`.
    LogGroupArn,
    /// `vpc-...`.
    VpcId,
    /// `subnet-...`.
    SubnetId,
    /// `igw-...`.
    InternetGatewayId,
    /// `eipalloc-...`.
    AllocationId,
    /// `nat-...`.
    NatGatewayId,
    /// `rtb-...`.
    RouteTableId,
    /// `vpce-...`.
    VpcEndpointId,
    /// `sg-...`.
    SecurityGroupId,
    /// `lt-...`.
    LaunchTemplateId,
    /// A cluster's name.
    ClusterName,
    /// `arn:aws:eks:REGION:ACCOUNT:cluster/NAME`.
    ClusterArn,
    /// `arn:aws:s3:::NAME`.
    BucketArn,
}
