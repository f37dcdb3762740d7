//! The ways into a cluster.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_config::SdkConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::time::{SharedTimeSource, SystemTimeSource};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, header};
use hyper_util::client::proxy::matcher::Matcher;
use kube::client::{Body, ClientBuilder};
use rayplat_engine::error::{ErrorClass, ProviderError};
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use tower::{BoxError, buffer::BufferLayer, filter::AsyncFilterLayer, filter::AsyncPredicate};

use super::{ClusterAccess, TokenSource};
use crate::aws::TimeScale;

/// How long a connection may take; a private endpoint that cannot be reached answers nothing.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an answer may take. The API server itself gives up after 60 s.
const READ_TIMEOUT: Duration = Duration::from_secs(70);

/// Requests that wait for the connection at once; more wait before it.
const REQUESTS: usize = 256;

/// Gives clients of clusters.
pub trait Connector: fmt::Debug + Send + Sync + 'static {
    /// A client of this cluster. Sends nothing yet; asked again, it gives the same one.
    ///
    /// # Errors
    /// The cluster's endpoint or certificate cannot be used.
    fn connect(&self, access: &ClusterAccess) -> Result<kube::Client, ProviderError>;

    /// The tokens of a cluster of this account and region, for other tools.
    ///
    /// # Errors
    /// There are no credentials to sign them with.
    fn tokens(&self, cluster: &str) -> Result<TokenSource, ProviderError>;
}

/// Clusters of EKS: TLS by the cluster's own authority, tokens of our own, the proxy that the
/// environment names.
pub struct Eks {
    credentials: Option<SharedCredentialsProvider>,
    clock: SharedTimeSource,
    region: String,
    /// Where AWS is emulated over HTTP; an emulated account answers for its clusters too.
    endpoint: Option<String>,
    time_scale: TimeScale,
    clients: Mutex<HashMap<ClusterAccess, kube::Client>>,
}

impl fmt::Debug for Eks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Eks").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Eks {
    /// Clusters of the account and region that the configuration is for.
    pub fn new(config: &SdkConfig, region: &str, time_scale: TimeScale) -> Self {
        Self {
            credentials: config.credentials_provider(),
            clock: config.time_source().unwrap_or_else(|| SharedTimeSource::new(SystemTimeSource::new())),
            region: region.to_owned(),
            endpoint: config.endpoint_url().map(str::to_owned),
            time_scale,
            clients: Mutex::default(),
        }
    }

    fn make(&self, access: &ClusterAccess) -> Result<kube::Client, ProviderError> {
        let mut config = kube::Config::new(parse(&access.endpoint)?);
        // The engine has the one retry policy.
        config.default_retry = false;
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        config.read_timeout = Some(READ_TIMEOUT);
        config.reset_reader_on_write = true;
        match self.endpoint.as_ref().filter(|_| self.time_scale.is_told()) {
            Some(endpoint) => {
                // The emulated account knows its clusters by the host that they would have.
                let host = config.cluster_url.host().unwrap_or_default().to_owned();
                let host = HeaderValue::from_str(&host).map_err(|error| unusable(access, &error))?;
                config.headers.push((header::HOST, host));
                config.cluster_url = parse(endpoint)?;
            }
            None => {
                config.root_cert = Some(authorities(access)?);
                config.proxy_url = proxy(&config.cluster_url);
            }
        }
        let auth = Bearer(Arc::new(self.tokens(&access.name)?));
        let builder = ClientBuilder::try_from(config).map_err(|error| unusable(access, &error))?;
        // The layer above clones what is below; connections do not clone.
        let builder = builder.with_layer(&BufferLayer::new(REQUESTS));
        Ok(builder.with_layer(&AsyncFilterLayer::new(auth)).build())
    }
}

impl Connector for Eks {
    fn connect(&self, access: &ClusterAccess) -> Result<kube::Client, ProviderError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(access) {
            return Ok(client.clone());
        }
        let client = self.make(access)?;
        clients.insert(access.clone(), client.clone());
        Ok(client)
    }

    fn tokens(&self, cluster: &str) -> Result<TokenSource, ProviderError> {
        let credentials = self.credentials.clone().ok_or_else(|| {
            ProviderError::new(ErrorClass::Denied, "no AWS credentials were found")
                .hint("Log in (`aws sso login`) or choose a profile (AWS_PROFILE).")
        })?;
        Ok(TokenSource::new(credentials, self.clock.clone(), &self.region, cluster))
    }
}

/// Gives each request a token that is still good.
#[derive(Clone)]
struct Bearer(Arc<TokenSource>);

impl AsyncPredicate<Request<Body>> for Bearer {
    type Future = BoxFuture<'static, Result<Request<Body>, BoxError>>;
    type Request = Request<Body>;

    fn check(&mut self, mut request: Request<Body>) -> Self::Future {
        let tokens = self.0.clone();
        Box::pin(async move {
            let token = tokens.token().await?;
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.text))?;
            value.set_sensitive(true);
            request.headers_mut().insert(header::AUTHORIZATION, value);
            Ok(request)
        })
    }
}

/// The proxy of `HTTPS_PROXY`, unless `NO_PROXY` names the endpoint.
fn proxy(endpoint: &http::Uri) -> Option<http::Uri> {
    let found = Matcher::from_env().intercept(endpoint)?;
    let Some(authority) = found.raw_auth().map(|(user, password)| format!("{user}:{password}@")) else {
        return Some(found.uri().clone());
    };
    let host = found.uri().authority()?;
    let scheme = found.uri().scheme_str().unwrap_or("http");
    format!("{scheme}://{authority}{host}").parse().ok()
}

fn parse(url: &str) -> Result<http::Uri, ProviderError> {
    url.parse().map_err(|error| {
        ProviderError::new(ErrorClass::Invalid, format!("`{url}` is no endpoint of a Kubernetes API: {error}"))
    })
}

/// The certificates in `certificate_authority`, DER.
fn authorities(access: &ClusterAccess) -> Result<Vec<Vec<u8>>, ProviderError> {
    let pem = STANDARD.decode(access.certificate_authority.trim()).map_err(|error| unusable(access, &error))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let read = read.map_err(|error| unusable(access, &error))?;
    if read.is_empty() {
        return Err(unusable(access, &"its authority holds no certificate"));
    }
    Ok(read.into_iter().map(|certificate| certificate.to_vec()).collect())
}

fn unusable(access: &ClusterAccess, why: &dyn fmt::Display) -> ProviderError {
    ProviderError::new(
        ErrorClass::Invalid,
        format!("there is no way into cluster {} at {}: {why}", access.name, access.endpoint),
    )
}

#[cfg(all(test, feature = "rehearsal"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_no_authority_is_refused() {
        let access = |authority: &str| ClusterAccess {
            name: "c".to_owned(),
            endpoint: "https://c.example".to_owned(),
            certificate_authority: STANDARD.encode(authority),
        };
        let text = authorities(&access("nothing")).unwrap_err().message;
        assert_eq!(text, "there is no way into cluster c at https://c.example: its authority holds no certificate");
        let made = rcgen::generate_simple_self_signed(["c.example".to_owned()]).unwrap();
        assert_eq!(authorities(&access(&made.cert.pem())).unwrap(), [made.cert.der().to_vec()]);
        assert!(parse("not an url").is_err());
    }
}
