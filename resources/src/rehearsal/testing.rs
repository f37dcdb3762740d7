//! Clients of every service on an account in memory.

#![allow(clippy::unwrap_used)]

use aws_credential_types::Credentials;
use aws_types::SdkConfig;
use aws_types::region::Region;

use super::{Rehearsal, Seed};

pub(super) const ACCOUNT: &str = "123456789012";
pub(super) const REGION: &str = "us-east-1";
/// 2026-11-24T00:00:00Z
pub(super) const BASE_MS: u64 = 1_795_478_400_000;

pub(super) fn seed() -> Seed {
    Seed { account_id: ACCOUNT.to_owned(), region: REGION.to_owned(), seed: 7 }
}

pub(super) fn rehearsal() -> Rehearsal {
    Rehearsal::in_memory(&seed(), BASE_MS)
}

pub(super) fn config(rehearsal: &Rehearsal) -> SdkConfig {
    let keys = Credentials::new("AKIDREHEARSAL", "secret", None, None, "test");
    SdkConfig::builder()
        .behavior_version(aws_smithy_runtime_api::client::behavior_version::BehaviorVersion::v2026_01_12())
        .region(Region::from_static(REGION))
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(keys))
        .http_client(rehearsal.http_client())
        .time_source(rehearsal.time_source())
        .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(aws_smithy_async::rt::sleep::TokioSleep::new()))
        .retry_config(aws_smithy_types::retry::RetryConfig::disabled())
        .build()
}

pub(super) fn iam(rehearsal: &Rehearsal) -> aws_sdk_iam::Client {
    aws_sdk_iam::Client::new(&config(rehearsal))
}

pub(super) fn sts(rehearsal: &Rehearsal) -> aws_sdk_sts::Client {
    aws_sdk_sts::Client::new(&config(rehearsal))
}

pub(super) fn kms(rehearsal: &Rehearsal) -> aws_sdk_kms::Client {
    aws_sdk_kms::Client::new(&config(rehearsal))
}

pub(super) fn logs(rehearsal: &Rehearsal) -> aws_sdk_cloudwatchlogs::Client {
    aws_sdk_cloudwatchlogs::Client::new(&config(rehearsal))
}

pub(super) fn sqs(rehearsal: &Rehearsal) -> aws_sdk_sqs::Client {
    aws_sdk_sqs::Client::new(&config(rehearsal))
}

pub(super) fn events(rehearsal: &Rehearsal) -> aws_sdk_eventbridge::Client {
    aws_sdk_eventbridge::Client::new(&config(rehearsal))
}
