//! The SDK's HTTP client, answered by the account inside the process.

use std::time::Duration;

use aws_smithy_async::time::{SharedTimeSource, TimeSource};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;

use super::{
    Rehearsal,
    handle::Reply,
    wire::{WireRequest, WireResponse},
};

impl Rehearsal {
    /// The account as an HTTP client for the SDK's configuration.
    pub fn http_client(&self) -> SharedHttpClient {
        SharedHttpClient::new(self.clone())
    }

    /// The account's clock, for the SDK to sign with.
    pub fn time_source(&self) -> SharedTimeSource {
        SharedTimeSource::new(self.clone())
    }
}

impl TimeSource for Rehearsal {
    fn now(&self) -> std::time::SystemTime {
        Rehearsal::now(self)
    }
}

/// How long a caller who sets no read timeout waits for an answer that does not come.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Connector {
    rehearsal: Rehearsal,
    patience: Duration,
}

impl HttpClient for Rehearsal {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let patience = settings.read_timeout().unwrap_or(PATIENCE);
        SharedHttpConnector::new(Connector { rehearsal: self.clone(), patience })
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (rehearsal, patience) = (self.rehearsal.clone(), self.patience);
        HttpConnectorFuture::new(async move {
            let request = to_wire(&request)?;
            match rehearsal.respond(&request).await {
                Reply::Response(response) => from_wire(response),
                Reply::Silence => {
                    tokio::time::sleep(patience).await;
                    Err(ConnectorError::timeout("no answer within the read timeout".into()))
                }
                Reply::Lost => Err(ConnectorError::io("connection closed before message completed".into())),
            }
        })
    }
}

/// The request as it would be on the wire.
pub(crate) fn to_wire(request: &HttpRequest) -> Result<WireRequest, ConnectorError> {
    let uri: http::Uri =
        request.uri().parse().map_err(|error: http::uri::InvalidUri| ConnectorError::user(error.into()))?;
    let body = request
        .body()
        .bytes()
        .ok_or_else(|| ConnectorError::user("a streaming body has no place in these APIs".into()))?;
    let mut headers: Vec<(String, String)> =
        request.headers().iter().map(|(key, value)| (key.to_ascii_lowercase(), value.to_owned())).collect();
    // The HTTP library would add it; it may name a bucket.
    if let Some(authority) = uri.authority().filter(|_| request.headers().get("host").is_none()) {
        headers.push(("host".to_owned(), authority.to_string()));
    }
    Ok(WireRequest {
        method: request.method().to_owned(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers,
        body: body.to_vec(),
    })
}

fn from_wire(response: WireResponse) -> Result<HttpResponse, ConnectorError> {
    let mut builder = http::Response::builder().status(response.status);
    for (key, value) in response.headers {
        builder = builder.header(key, value);
    }
    let response =
        builder.body(SdkBody::from(response.body)).map_err(|error| ConnectorError::other(error.into(), None))?;
    HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
}
