//! For tests of kinds: services that answer as a test says, through the real SDK clients
//! and wire formats. For what the rehearsal account does not do: many pages, denied keys,
//! documents in other words.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::{rt::sleep::TokioSleep, time::SystemTimeSource};
use aws_smithy_runtime_api::client::{
    http::{
        HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    },
    orchestrator::{HttpRequest, HttpResponse},
    result::ConnectorError,
    runtime_components::RuntimeComponents,
};
use aws_smithy_types::body::SdkBody;
use rayplat_engine::{
    context::{Ctx, Job, SystemClock},
    urn::Urn,
};
use serde_json::Value;

use super::Clients;
use crate::rehearsal::{ApiError, to_wire, wire};

/// What a test lets a service say.
pub(crate) enum Answer {
    /// Its answer.
    Ok(Value),
    /// Its refusal.
    Refused(ApiError),
    /// Nothing: the connection breaks.
    Lost,
}

impl Answer {
    /// A refusal.
    pub fn refused(status: u16, code: &str, message: &str) -> Self {
        Self::Refused(ApiError::new(status, code, message))
    }
}

impl From<Value> for Answer {
    fn from(value: Value) -> Self {
        Self::Ok(value)
    }
}

type Script = dyn FnMut(&str, &Value) -> Answer + Send;

/// The services, and what they were asked.
#[derive(Clone)]
pub(crate) struct Scripted {
    script: Arc<Mutex<Box<Script>>>,
    calls: Arc<Mutex<Vec<(String, Value)>>>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    /// Services that answer an operation and its parameters with `script`.
    pub fn new(script: impl FnMut(&str, &Value) -> Answer + Send + 'static) -> Self {
        Self { script: Arc::new(Mutex::new(Box::new(script))), calls: Arc::default() }
    }

    /// Clients of them.
    pub fn clients(&self) -> Clients {
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
        let config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .region(Region::new("us-east-1"))
            .http_client(SharedHttpClient::new(self.clone()))
            .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(TokioSleep::new()))
            .time_source(SystemTimeSource::new())
            .build();
        Clients::new(&config, "us-east-1")
    }

    /// The operations asked for, in order.
    pub fn operations(&self) -> Vec<String> {
        self.calls().into_iter().map(|(operation, _)| operation).collect()
    }

    /// The parameters of the calls of one operation.
    pub fn params(&self, operation: &str) -> Vec<Value> {
        self.calls().into_iter().filter(|(name, _)| name == operation).map(|(_, params)| params).collect()
    }

    fn calls(&self) -> Vec<(String, Value)> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn answer(&self, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = to_wire(request)?;
        let response = match wire::decode(&request) {
            Err(response) => response,
            Ok(call) => {
                let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
                let answer = script(&call.operation, &call.params);
                self.calls
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push((call.operation.clone(), call.params.clone()));
                match answer {
                    Answer::Ok(value) => wire::encode(&call, Ok(value), "id"),
                    Answer::Refused(error) => wire::encode(&call, Err(error), "id"),
                    Answer::Lost => return Err(ConnectorError::io("connection closed".into())),
                }
            }
        };
        let mut builder = http::Response::builder().status(response.status);
        for (key, value) in response.headers {
            builder = builder.header(key, value);
        }
        let response = builder.body(SdkBody::from(response.body)).map_err(|e| ConnectorError::other(e.into(), None))?;
        HttpResponse::try_from(response).map_err(|e| ConnectorError::other(e.into(), None))
    }
}

impl HttpClient for Scripted {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Scripted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(self.answer(&request))
    }
}

/// The nonce of [`ctx`].
pub(crate) const NONCE: &str = "00112233445566778899aabbccddeeff";

/// A context for the resource `test` of a kind in the stack `ray`.
#[allow(clippy::expect_used)]
pub(crate) fn ctx(kind: &str, resume: Option<&str>) -> Ctx {
    let job = Job {
        stack: "ray".to_owned(),
        urn: Urn::new(kind, "test").expect("a valid name"),
        generation: 0,
        nonce: NONCE.to_owned(),
        resume: resume.map(str::to_owned),
        expected: Duration::from_secs(1),
    };
    Ctx::standalone(job, Arc::new(SystemClock), 7)
}

/// Our ownership tags for [`ctx`], as `wire` writes a list of tags with these member names.
pub(crate) fn owner_tags(kind: &str, nonce: &str, key: &str, value: &str) -> Value {
    [
        ("rayplat:stack", "ray".to_owned()),
        ("rayplat:urn", ctx(kind, None).urn().to_string()),
        ("rayplat:nonce", nonce.to_owned()),
    ]
    .into_iter()
    .map(|(k, v)| serde_json::json!({key: k, value: v}))
    .collect()
}
