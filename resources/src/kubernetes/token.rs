//! Bearer tokens for EKS: a presigned request to STS that says who we are.
//! Source: <https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster>;
//! `pkg/token/token.go` there has the header, the prefix and the lifetimes.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_async::time::SharedTimeSource;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rayplat_engine::error::{ErrorClass, ProviderError};
use tokio::sync::Mutex;

/// Before the base64 of the presigned URL.
const PREFIX: &str = "k8s-aws-v1.";

/// The cluster that a token is for; a signed header.
const CLUSTER_HEADER: &str = "x-k8s-aws-id";

/// How long the presigned request says that it is valid. The server allows 15 minutes
/// from the signing whatever stands here.
const EXPIRES: Duration = Duration::from_secs(60);

/// How long a token is good for, with a minute for clocks that differ.
const LIFETIME: Duration = Duration::from_secs(14 * 60);

/// A token is renewed when less than this is left.
const RENEW: Duration = Duration::from_secs(4 * 60);

/// A bearer token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// What stands after `Bearer `.
    pub text: String,
    /// When it must not be used any more.
    pub expires: SystemTime,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Makes the tokens of one cluster, and keeps the one that is good.
#[derive(Clone)]
pub struct TokenSource {
    credentials: SharedCredentialsProvider,
    clock: SharedTimeSource,
    region: String,
    sts: String,
    cluster: String,
    kept: Arc<Mutex<Option<Token>>>,
}

impl TokenSource {
    /// Tokens for `cluster`, signed with these credentials. `region` is the cluster's.
    pub fn new(credentials: SharedCredentialsProvider, clock: SharedTimeSource, region: &str, cluster: &str) -> Self {
        // The regional endpoint: the global one is another signing region.
        let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        Self {
            credentials,
            clock,
            region: region.to_owned(),
            sts: format!("https://sts.{region}.{suffix}/?Action=GetCallerIdentity&Version=2011-06-15"),
            cluster: cluster.to_owned(),
            kept: Arc::default(),
        }
    }

    /// A token that is good for four minutes at least.
    ///
    /// # Errors
    /// There are no usable credentials.
    pub async fn token(&self) -> Result<Token, ProviderError> {
        let mut kept = self.kept.lock().await;
        let now = self.clock.now();
        if let Some(token) = kept.as_ref().filter(|token| token.expires > now + RENEW) {
            return Ok(token.clone());
        }
        let token = self.sign(now).await?;
        *kept = Some(token.clone());
        Ok(token)
    }

    async fn sign(&self, now: SystemTime) -> Result<Token, ProviderError> {
        let credentials = self.credentials.provide_credentials().await.map_err(|error| {
            ProviderError::new(ErrorClass::Denied, format!("no token for the Kubernetes API: {error}"))
                .hint("Log in again (`aws sso login`) or choose a profile (AWS_PROFILE); then run the same command.")
        })?;
        // A token does not outlive what it was signed with.
        let lifetime = now + LIFETIME;
        let expires = credentials.expiry().map_or(lifetime, |expiry| expiry.min(lifetime));
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(EXPIRES);
        let identity = credentials.into();
        let unsigned = |error: &dyn std::fmt::Display| {
            ProviderError::new(
                ErrorClass::Invalid,
                format!("the token for the Kubernetes API cannot be signed: {error}"),
            )
        };
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("sts")
            .time(now)
            .settings(settings)
            .build()
            .map_err(|error| unsigned(&error))?;
        let headers = [(CLUSTER_HEADER, self.cluster.as_str())];
        let request = SignableRequest::new("GET", &self.sts, headers.into_iter(), SignableBody::Bytes(&[]))
            .map_err(|error| unsigned(&error))?;
        let (signed, _) = sign(request, &params.into()).map_err(|error| unsigned(&error))?.into_parts();
        let mut url = http::Request::new(());
        *url.uri_mut() = self.sts.parse().map_err(|error: http::uri::InvalidUri| unsigned(&error))?;
        signed.apply_to_request_http1x(&mut url);
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(url.uri().to_string()));
        Ok(Token { text, expires })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        time::UNIX_EPOCH,
    };

    use aws_credential_types::Credentials;
    use aws_smithy_async::time::TimeSource;

    use super::*;

    /// Seconds since the epoch.
    #[derive(Debug, Clone)]
    struct Clock(Arc<AtomicU64>);

    impl Clock {
        fn at(seconds: u64) -> Self {
            Self(Arc::new(AtomicU64::new(seconds)))
        }
    }

    impl TimeSource for Clock {
        fn now(&self) -> SystemTime {
            UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::Relaxed))
        }
    }

    fn source(expiry: Option<u64>, clock: &Clock) -> TokenSource {
        let expiry = expiry.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds));
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", Some("session/token".into()), expiry, "test");
        let clock = SharedTimeSource::new(clock.clone());
        TokenSource::new(SharedCredentialsProvider::new(credentials), clock, "eu-west-1", "my-cluster")
    }

    #[tokio::test]
    async fn a_token_is_a_presigned_request_for_one_cluster() {
        let clock = Clock::at(1_795_478_400);
        let token = source(None, &clock).token().await.unwrap();
        let encoded = token.text.strip_prefix("k8s-aws-v1.").unwrap();
        let url = String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap();
        assert!(
            url.starts_with("https://sts.eu-west-1.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15&"),
            "{url}"
        );
        for part in [
            "X-Amz-Credential=AKIDEXAMPLE%2F20261124%2Feu-west-1%2Fsts%2Faws4_request",
            "X-Amz-Date=20261124T000000Z",
            "X-Amz-Expires=60",
            "X-Amz-SignedHeaders=host%3Bx-k8s-aws-id",
            "X-Amz-Security-Token=session%2Ftoken",
            "X-Amz-Signature=",
        ] {
            assert!(url.contains(part), "{part} is not in {url}");
        }
        assert_eq!(token.expires, UNIX_EPOCH + Duration::from_secs(1_795_478_400 + 14 * 60));
    }

    #[tokio::test]
    async fn a_token_is_kept_until_it_is_nearly_over() {
        let clock = Clock::at(1_795_478_400);
        let source = source(None, &clock);
        let first = source.token().await.unwrap();
        clock.0.store(1_795_478_400 + 599, Ordering::Relaxed);
        assert_eq!(source.token().await.unwrap(), first);
        clock.0.store(1_795_478_400 + 601, Ordering::Relaxed);
        let second = source.token().await.unwrap();
        assert_ne!(second.text, first.text);
    }

    #[tokio::test]
    async fn a_token_does_not_outlive_the_credentials() {
        let clock = Clock::at(1_795_478_400);
        let token = source(Some(1_795_478_700), &clock).token().await.unwrap();
        assert_eq!(token.expires, UNIX_EPOCH + Duration::from_secs(1_795_478_700));
    }
}
