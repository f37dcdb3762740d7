//! The kinds' clients and the engine's clock, on an emulated account.

use std::sync::Arc;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use rayplat_engine::context::Clock;

use super::{Rehearsal, kubernetes::Clusters};
use crate::aws::Clients;

impl Rehearsal {
    /// Clients that talk to this account inside the process. They need no network and
    /// no credentials of yours.
    pub fn clients(&self) -> Clients {
        let region = self.with_account(|account| account.region.clone());
        let credentials = Credentials::new("AKIAREHEARSAL0000000", "rehearsal", None, None, "rehearsal");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials.clone()))
            .http_client(self.http_client())
            .time_source(self.time_source())
            .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
            .build();
        let mut clients = Clients::new(&config, &region);
        clients.kubernetes = Arc::new(Clusters::new(self, &region, credentials));
        clients
    }
}

impl Clock for Rehearsal {
    fn now_ms(&self) -> u64 {
        Rehearsal::now_ms(self)
    }
}

impl Rehearsal {
    /// The certificate chain that the issuer's host would present, top last (DER). The
    /// emulated host has no TLS; its top certificate is the account's own authority.
    pub fn issuer_chain(&self) -> Vec<Vec<u8>> {
        let region = self.with_account(|account| account.region.clone());
        vec![format!("leaf of oidc.eks.{region}").into_bytes(), format!("authority of oidc.eks.{region}").into_bytes()]
    }
}
