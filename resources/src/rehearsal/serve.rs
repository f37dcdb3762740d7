//! The account over HTTP/1.1, in real time or faster, for the AWS CLI, boto3 and other
//! tools. Any credentials will do; the signature must only be well-formed.

use std::{fmt, future::Future, time::Duration};

use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::aws::TIME_SCALE_HEADER;

use super::{Rehearsal, RehearsalError, Reply, wire::WireRequest, wire::WireResponse};

/// Far above any request of these APIs.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// How long calls that run may take to end when the server is asked to.
const GRACE: Duration = Duration::from_secs(2);

/// How long a silent call keeps its connection open, on the wall clock.
const SILENCE: Duration = Duration::from_secs(60);

/// How the account is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServeOptions {
    /// How many times faster than the wall clock the account's time goes; at least 1.
    pub speed: u32,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self { speed: 1 }
    }
}

/// Serves the account until `shutdown` is ready, lets running calls end for two seconds,
/// and saves the account.
///
/// # Errors
/// The account cannot be written to its folder at the end.
pub async fn serve(
    listener: TcpListener,
    rehearsal: Rehearsal,
    options: ServeOptions,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RehearsalError> {
    let rehearsal = rehearsal.scaled(options.speed);
    let (stop, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, rehearsal.clone(), stopped.clone()));
                }
                // Out of file descriptors, or the peer is gone already: the next may do better.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    stop.send_replace(true);
    let ended = async { while connections.join_next().await.is_some() {} };
    // Calls that never answer (stop points, silence) are cut off.
    if tokio::time::timeout(GRACE, ended).await.is_err() {
        connections.shutdown().await;
    }
    rehearsal.save()
}

async fn connection(stream: TcpStream, rehearsal: Rehearsal, mut stopped: watch::Receiver<bool>) {
    let service = service_fn(move |request| answer(rehearsal.clone(), request));
    let connection = http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let told = async { stopped.wait_for(|stopped| *stopped).await.map(|_| ()) };
    // A connection's error is its caller's to see: a lost response is one by intent.
    tokio::select! {
        _ended = connection.as_mut() => {}
        _told = told => {
            connection.as_mut().graceful_shutdown();
            let _ended = connection.await;
        }
    }
}

/// No response: hyper closes the connection.
#[derive(Debug)]
struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the response is lost")
    }
}

impl std::error::Error for Closed {}

async fn answer(rehearsal: Rehearsal, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Closed> {
    let (head, body) = request.into_parts();
    // Said before it is sent: waiting for it would be pointless.
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE, "The request body is too large.\n"));
    }
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE, "The request body is too large.\n"));
        }
        Err(_) => return Err(Closed),
    };
    let text = |value: &HeaderValue| value.to_str().map(str::to_owned).ok();
    let headers = head.headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)));
    let request = WireRequest {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: headers.collect(),
        body: body.to_vec(),
    };
    match rehearsal.respond(&request).await {
        Reply::Response(response) => Ok(to_http(response, rehearsal.scale())),
        Reply::Lost => Err(Closed),
        Reply::Silence => {
            tokio::time::sleep(SILENCE).await;
            Err(Closed)
        }
    }
}

fn to_http(answer: WireResponse, scale: u32) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
            response.headers_mut().append(name, value);
        }
    }
    response.headers_mut().insert(TIME_SCALE_HEADER, HeaderValue::from(scale));
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::SocketAddr;

    use aws_sdk_kms::error::{ProvideErrorMetadata as _, SdkError};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::sync::oneshot;

    use super::super::faults::{FaultKind, FaultRule, Faults, Moment};
    use super::super::testing::{ACCOUNT, config, rehearsal};
    use super::*;

    struct Served {
        address: SocketAddr,
        shutdown: oneshot::Sender<()>,
        ended: tokio::task::JoinHandle<Result<(), RehearsalError>>,
    }

    async fn served(rehearsal: &Rehearsal, speed: u32) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (shutdown, asked) = oneshot::channel::<()>();
        let shut = async move { drop(asked.await) };
        let ended = tokio::spawn(serve(listener, rehearsal.clone(), ServeOptions { speed }, shut));
        Served { address, shutdown, ended }
    }

    fn over_http(rehearsal: &Rehearsal, address: SocketAddr) -> aws_types::SdkConfig {
        let http = aws_smithy_http_client::Builder::new().build_http();
        config(rehearsal).to_builder().http_client(http).endpoint_url(format!("http://{address}")).build()
    }

    async fn raw(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        tokio::time::timeout(Duration::from_secs(10), read).await.unwrap().unwrap();
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn sdks_speak_to_it_over_http() {
        let rehearsal = rehearsal();
        let served = served(&rehearsal, 50).await;
        let config = over_http(&rehearsal, served.address);
        let me = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await.unwrap();
        assert_eq!(me.account(), Some(ACCOUNT));
        let kms = aws_sdk_kms::Client::new(&config);
        let key = kms.create_key().send().await.unwrap().key_metadata.unwrap();
        let clusters = aws_sdk_eks::Client::new(&config).list_clusters().send().await.unwrap();
        assert!(clusters.clusters().is_empty());
        let vpcs = aws_sdk_ec2::Client::new(&config).describe_vpcs().send().await.unwrap();
        assert!(vpcs.vpcs().is_empty());
        let missing = kms.describe_key().key_id("none").send().await.unwrap_err();
        assert_eq!(missing.code(), Some("NotFoundException"));
        rehearsal.with_account(|account| assert!(account.kms.keys.contains_key(&key.key_id)));
        served.shutdown.send(()).unwrap();
        served.ended.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn lost_responses_close_the_connection() {
        let rehearsal = rehearsal();
        let rule = FaultRule::once("kms", "CreateKey", FaultKind::LostAfter);
        rehearsal.set_faults(Faults::new(1, vec![rule]));
        let served = served(&rehearsal, 50).await;
        let kms = aws_sdk_kms::Client::new(&over_http(&rehearsal, served.address));
        let error = kms.create_key().send().await.unwrap_err();
        assert!(matches!(error, SdkError::DispatchFailure(_)), "{error:?}");
        kms.create_key().send().await.unwrap();
        rehearsal.with_account(|account| assert_eq!(account.kms.keys.len(), 2));
    }

    #[tokio::test]
    async fn the_end_does_not_wait_for_a_call_that_never_answers() {
        let rehearsal = rehearsal();
        let (faults, reached) = Faults::default().stop_at(1, Moment::BeforeEffect);
        rehearsal.set_faults(faults);
        let served = served(&rehearsal, 50).await;
        let kms = aws_sdk_kms::Client::new(&over_http(&rehearsal, served.address));
        let call = tokio::spawn(async move { kms.create_key().send().await });
        reached.notified().await;
        served.shutdown.send(()).unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(10), served.ended).await;
        ended.unwrap().unwrap().unwrap();
        assert!(call.await.unwrap().is_err());
    }

    #[tokio::test]
    async fn strangers_are_told_what_is_wrong() {
        let rehearsal = rehearsal();
        let served = served(&rehearsal, 7).await;
        let unsigned = raw(served.address, "GET /clusters HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
        assert!(unsigned.starts_with("HTTP/1.1 403 "), "{unsigned}");
        assert!(unsigned.contains("x-rayplat-time-scale: 7\r\n"), "{unsigned}");
        assert!(unsigned.contains("x-amzn-errortype: MissingAuthenticationTokenException"), "{unsigned}");
        let large =
            format!("POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", MAX_BODY + 1);
        assert!(raw(served.address, &large).await.starts_with("HTTP/1.1 413 "));
        assert!(raw(served.address, "nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
    }

    #[tokio::test]
    async fn the_clock_runs_faster() {
        let rehearsal = rehearsal().scaled(1000);
        let before = rehearsal.now_ms();
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(rehearsal.now_ms() - before >= 50_000);
    }
}
