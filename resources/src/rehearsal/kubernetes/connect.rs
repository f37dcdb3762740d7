//! Clients of the emulated clusters, inside the process.

use std::{
    collections::HashMap,
    fmt, io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use kube::client::Body;
use rayplat_engine::error::ProviderError;
use tower::BoxError;

use super::super::{Rehearsal, handle::Reply, wire::WireRequest};
use crate::kubernetes::{ClusterAccess, Connector, TokenSource};

/// How long a caller waits for an answer that does not come, as in a real connection.
const PATIENCE: Duration = Duration::from_secs(70);

/// The clusters of an emulated account.
pub struct Clusters {
    rehearsal: Rehearsal,
    region: String,
    credentials: SharedCredentialsProvider,
    clients: Mutex<HashMap<ClusterAccess, kube::Client>>,
}

impl fmt::Debug for Clusters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clusters").field("region", &self.region).finish_non_exhaustive()
    }
}

impl Clusters {
    /// Clusters of this account, for the owner of these credentials.
    pub fn new(rehearsal: &Rehearsal, region: &str, credentials: Credentials) -> Self {
        Self {
            rehearsal: rehearsal.clone(),
            region: region.to_owned(),
            credentials: SharedCredentialsProvider::new(credentials),
            clients: Mutex::default(),
        }
    }

    fn token_source(&self, cluster: &str) -> TokenSource {
        TokenSource::new(self.credentials.clone(), self.rehearsal.time_source(), &self.region, cluster)
    }

    fn make(&self, access: &ClusterAccess) -> kube::Client {
        let tokens = Arc::new(self.token_source(&access.name));
        let host = access.endpoint.trim_start_matches("https://").trim_end_matches('/').to_owned();
        let rehearsal = self.rehearsal.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (rehearsal, tokens, host) = (rehearsal.clone(), tokens.clone(), host.clone());
            async move { answer(&rehearsal, &tokens, host, request).await }
        });
        kube::Client::new(service, "default")
    }
}

impl Connector for Clusters {
    fn tokens(&self, cluster: &str) -> Result<TokenSource, ProviderError> {
        Ok(self.token_source(cluster))
    }

    fn connect(&self, access: &ClusterAccess) -> Result<kube::Client, ProviderError> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(access) {
            return Ok(client.clone());
        }
        let client = self.make(access);
        clients.insert(access.clone(), client.clone());
        Ok(client)
    }
}

async fn answer(
    rehearsal: &Rehearsal,
    tokens: &TokenSource,
    host: String,
    request: Request<Body>,
) -> Result<Response<Body>, BoxError> {
    let (head, body) = request.into_parts();
    let token = tokens.token().await?;
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in &head.headers {
        headers.push((name.as_str().to_owned(), value.to_str()?.to_owned()));
    }
    headers.push(("host".to_owned(), host));
    headers.push(("authorization".to_owned(), format!("Bearer {}", token.text)));
    let request = WireRequest {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers,
        body: body.collect().await?.to_bytes().to_vec(),
    };
    match rehearsal.respond(&request).await {
        Reply::Response(response) => {
            let mut answer = Response::builder().status(response.status);
            for (name, value) in response.headers {
                answer = answer.header(name, value);
            }
            Ok(answer.body(Body::from(response.body))?)
        }
        Reply::Lost => {
            Err(io::Error::new(io::ErrorKind::ConnectionReset, "connection closed before message completed").into())
        }
        Reply::Silence => {
            tokio::time::sleep(PATIENCE).await;
            Err(io::Error::new(io::ErrorKind::TimedOut, "no answer within the read timeout").into())
        }
    }
}
