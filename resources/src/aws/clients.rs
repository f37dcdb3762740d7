//! The SDK clients of one account, region and endpoint.

use std::{sync::Arc, time::Duration};

use aws_config::{SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use rayplat_engine::{error::ProviderError, store::Binding};

use super::{errors::classify, time_scale::TimeScale};
use crate::kubernetes::{Connector, Eks};

/// Where the price list of all regions is served.
/// Source: <https://docs.aws.amazon.com/awsaccountbilling/latest/aboutv2/price-list-api.html>
const PRICING_REGION: &str = "us-east-1";

/// Who the credentials belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: String,
    /// Twelve digits.
    pub account: String,
    /// The caller's ARN as STS gives it: a user, or `assumed-role/NAME/SESSION`.
    pub arn: String,
}

/// The clients of a run.
#[derive(Debug, Clone)]
pub struct Clients {
    /// Roles, policies, OIDC providers.
    pub iam: aws_sdk_iam::Client,
    /// Keys and aliases.
    pub kms: aws_sdk_kms::Client,
    /// Log groups.
    pub logs: aws_sdk_cloudwatchlogs::Client,
    /// Networks and launch templates.
    pub ec2: aws_sdk_ec2::Client,
    /// Clusters.
    pub eks: aws_sdk_eks::Client,
    /// The caller's identity.
    pub sts: aws_sdk_sts::Client,
    /// Buckets.
    pub s3: aws_sdk_s3::Client,
    /// Tags of Auto Scaling groups.
    pub autoscaling: aws_sdk_autoscaling::Client,
    /// Queues.
    pub sqs: aws_sdk_sqs::Client,
    /// Event rules.
    pub events: aws_sdk_eventbridge::Client,
    /// The price list, which is served in three regions only.
    pub pricing: aws_sdk_pricing::Client,
    /// Clusters' own APIs.
    pub kubernetes: Arc<dyn Connector>,
    /// E.g. `us-east-1`.
    pub region: String,
    /// An endpoint other than AWS's own.
    pub endpoint: Option<String>,
    /// How fast an emulated account runs; the engine's clock on these clients.
    pub time_scale: TimeScale,
}

impl Clients {
    /// Clients from a loaded configuration. The SDK's own retries are switched off:
    /// the engine has the one retry policy (see [`rayplat_engine::retry`]).
    pub fn new(config: &SdkConfig, region: &str) -> Self {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(10))
            .operation_timeout(Duration::from_secs(60))
            .build();
        let config = config
            .to_builder()
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts)
            .region(aws_config::Region::new(region.to_owned()))
            .build();
        let time_scale = TimeScale::default();
        Self {
            iam: aws_sdk_iam::Client::new(&config),
            kms: aws_sdk_kms::Client::new(&config),
            logs: aws_sdk_cloudwatchlogs::Client::new(&config),
            ec2: aws_sdk_ec2::Client::new(&config),
            eks: aws_sdk_eks::Client::from_conf(
                aws_sdk_eks::config::Builder::from(&config).interceptor(time_scale.clone()).build(),
            ),
            sts: aws_sdk_sts::Client::from_conf(
                aws_sdk_sts::config::Builder::from(&config).interceptor(time_scale.clone()).build(),
            ),
            // Emulations behind one endpoint have no host name a bucket.
            s3: aws_sdk_s3::Client::from_conf(
                aws_sdk_s3::config::Builder::from(&config)
                    .force_path_style(config.endpoint_url().is_some())
                    .interceptor(time_scale.clone())
                    .build(),
            ),
            autoscaling: aws_sdk_autoscaling::Client::new(&config),
            sqs: aws_sdk_sqs::Client::new(&config),
            events: aws_sdk_eventbridge::Client::new(&config),
            pricing: aws_sdk_pricing::Client::from_conf(
                aws_sdk_pricing::config::Builder::from(&config).region(aws_config::Region::new(PRICING_REGION)).build(),
            ),
            kubernetes: Arc::new(Eks::new(&config, region, time_scale.clone())),
            region: region.to_owned(),
            endpoint: config.endpoint_url().map(str::to_owned),
            time_scale,
        }
    }

    /// Asks STS who we are.
    ///
    /// # Errors
    /// No valid credentials, or no answer.
    pub async fn identity(&self) -> Result<Identity, ProviderError> {
        let answer = self
            .sts
            .get_caller_identity()
            .send()
            .await
            .map_err(|error| classify(error).during("sts", "GetCallerIdentity"))?;
        let arn = answer.arn().unwrap_or_default().to_owned();
        let partition = arn.split(':').nth(1).filter(|part| !part.is_empty()).unwrap_or("aws").to_owned();
        Ok(Identity { partition, account: answer.account().unwrap_or_default().to_owned(), arn })
    }

    /// What a state made with these clients is bound to.
    pub fn binding(&self, identity: &Identity) -> Binding {
        Binding {
            partition: identity.partition.clone(),
            account: identity.account.clone(),
            region: self.region.clone(),
            endpoint: self.endpoint.clone(),
        }
    }
}
