//! The section `network`: one that exists, or one of the platform's own.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::formats;
use super::types::{Environment, string, subnet_ids, vpc_id};

/// The network that the platform runs in: either a VPC and subnets that exist, or `create`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["vpc_id", "subnet_ids"]}, {"required": ["create"]}]))]
pub struct Network {
    /// The id of a VPC that exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "vpc_id")]
    pub vpc_id: Option<String>,
    /// The subnets of nodes and control plane: at least two, in at least two Availability Zones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "subnet_ids")]
    pub subnet_ids: Option<Vec<String>>,
    /// A network of the platform's own, made and destroyed with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub create: Option<CreateNetwork>,
}

/// A network of the platform's own: a VPC with a private and a public subnet in each zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CreateNetwork {
    /// The VPC's IPv4 block, /16 to /20. Each zone has an eighth of it for nodes and pods.
    #[schemars(schema_with = "vpc_cidr")]
    pub cidr: String,
    /// The Availability Zones: how many, or their names. With a number the first ones are taken
    /// in which EKS can run, and kept from then on.
    #[schemars(schema_with = "zones")]
    pub availability_zones: Zones,
    /// The nodes' way to the internet. Default: per_az for production, single for others: one
    /// gateway costs a third, but takes every zone's way out with it when its own zone fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nat_gateways: Option<NatGateways>,
    /// AWS services that are reached inside the VPC. Default: `[s3]`, which is free and spares NAT
    /// the images' layers.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "vpc_endpoints")]
    pub vpc_endpoints: Option<Vec<EndpointService>>,
}

/// Availability Zones: how many, or which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Zones {
    /// So many.
    Count(u32),
    /// These.
    Names(Vec<String>),
}

/// The nodes' way to the internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NatGateways {
    /// One NAT gateway for all zones.
    Single,
    /// One NAT gateway in each zone.
    PerAz,
    /// No way out, no public subnets: everything comes through VPC endpoints, images from ECR.
    None,
}

/// An AWS service that can be reached inside the VPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum EndpointService {
    /// S3, by a gateway: free.
    #[serde(rename = "s3")]
    S3,
    /// DynamoDB, by a gateway: free.
    #[serde(rename = "dynamodb")]
    DynamoDb,
    /// Both interfaces of ECR.
    #[serde(rename = "ecr")]
    Ecr,
    /// ECR's API.
    #[serde(rename = "ecr.api")]
    EcrApi,
    /// ECR's registry.
    #[serde(rename = "ecr.dkr")]
    EcrDkr,
    /// EC2: the VPC CNI and the EBS CSI driver call it.
    #[serde(rename = "ec2")]
    Ec2,
    /// STS: roles of service accounts.
    #[serde(rename = "sts")]
    Sts,
    /// CloudWatch Logs.
    #[serde(rename = "logs")]
    Logs,
    /// CloudWatch metrics.
    #[serde(rename = "monitoring")]
    Monitoring,
    /// EKS's API.
    #[serde(rename = "eks")]
    Eks,
    /// EKS Pod Identity.
    #[serde(rename = "eks-auth")]
    EksAuth,
    /// Elastic Load Balancing.
    #[serde(rename = "elasticloadbalancing")]
    ElasticLoadBalancing,
    /// Auto Scaling: the cluster autoscaler calls it.
    #[serde(rename = "autoscaling")]
    AutoScaling,
    /// KMS.
    #[serde(rename = "kms")]
    Kms,
    /// SQS: the termination handler's queue.
    #[serde(rename = "sqs")]
    Sqs,
    /// Systems Manager.
    #[serde(rename = "ssm")]
    Ssm,
    /// Session Manager's data channel.
    #[serde(rename = "ssmmessages")]
    SsmMessages,
    /// Systems Manager's messages.
    #[serde(rename = "ec2messages")]
    Ec2Messages,
    /// EFS.
    #[serde(rename = "elasticfilesystem")]
    Efs,
}

/// The network with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ResolvedNetwork {
    /// One that exists.
    Existing {
        /// The VPC's id.
        vpc_id: String,
        /// The subnets of nodes and control plane.
        subnet_ids: Vec<String>,
    },
    /// One of the platform's own.
    Create {
        /// What it is like.
        create: ResolvedCreate,
    },
}

/// A network of the platform's own, with every default filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedCreate {
    /// The VPC's IPv4 block.
    pub cidr: String,
    /// How many zones, or which.
    pub availability_zones: Zones,
    /// The nodes' way to the internet.
    pub nat_gateways: NatGateways,
    /// Services with an endpoint, as AWS's service names end: `s3`, `ecr.api`, ...
    pub vpc_endpoints: Vec<String>,
}

/// What nodes without a way to the internet need in their VPC, and what runs on them.
/// <https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html>
pub const NEEDED_WITHOUT_NAT: [&str; 10] =
    ["s3", "ecr.api", "ecr.dkr", "ec2", "sts", "logs", "eks", "eks-auth", "elasticloadbalancing", "autoscaling"];

/// The largest and the smallest VPC that `create` makes: AWS's limit, and the size below
/// which public subnets were too small for load balancers (/27).
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/application-load-balancers.html>
pub const PREFIX_LENGTHS: std::ops::RangeInclusive<u8> = 16..=20;

/// The most zones that a region has, and that an eighth of the block each is enough for.
pub const MOST_ZONES: u32 = 6;

impl EndpointService {
    /// The ends of the service names that it stands for.
    #[must_use]
    pub fn services(self) -> Vec<String> {
        match self {
            Self::Ecr => vec!["ecr.api".to_owned(), "ecr.dkr".to_owned()],
            // One source for the names: what people write.
            one => {
                serde_json::to_value(one).ok().and_then(|name| name.as_str().map(str::to_owned)).into_iter().collect()
            }
        }
    }
}

impl Network {
    /// The network with every default filled in.
    #[must_use]
    pub fn resolve(&self, environment: Environment) -> ResolvedNetwork {
        match &self.create {
            Some(create) => ResolvedNetwork::Create { create: create.resolve(environment) },
            None => ResolvedNetwork::Existing {
                vpc_id: self.vpc_id.clone().unwrap_or_default(),
                subnet_ids: self.subnet_ids.clone().unwrap_or_default(),
            },
        }
    }
}

impl CreateNetwork {
    /// The services that have an endpoint, each once.
    #[must_use]
    pub fn services(&self) -> Vec<String> {
        let listed = self.vpc_endpoints.clone().unwrap_or_else(|| vec![EndpointService::S3]);
        let mut services: Vec<String> = Vec::new();
        for service in listed.into_iter().flat_map(EndpointService::services) {
            if !services.contains(&service) {
                services.push(service);
            }
        }
        services
    }

    fn resolve(&self, environment: Environment) -> ResolvedCreate {
        let usual = if environment == Environment::Production { NatGateways::PerAz } else { NatGateways::Single };
        ResolvedCreate {
            cidr: self.cidr.clone(),
            availability_zones: self.availability_zones.clone(),
            nat_gateways: self.nat_gateways.unwrap_or(usual),
            vpc_endpoints: self.services(),
        }
    }
}

impl Default for CreateNetwork {
    fn default() -> Self {
        Self {
            cidr: "10.0.0.0/16".to_owned(),
            availability_zones: Zones::Count(3),
            nat_gateways: None,
            vpc_endpoints: None,
        }
    }
}

fn vpc_cidr(_: &mut SchemaGenerator) -> Schema {
    string(&formats::VPC_CIDR)
}

fn zones(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "anyOf": [
            {"type": "integer", "minimum": 2, "maximum": MOST_ZONES},
            {
                "type": "array",
                "items": string(&formats::ZONE),
                "minItems": 2,
                "maxItems": MOST_ZONES,
                "uniqueItems": true,
            },
        ],
    })
}

fn vpc_endpoints(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "items": generator.subschema_for::<EndpointService>(),
        "uniqueItems": true,
    })
}
