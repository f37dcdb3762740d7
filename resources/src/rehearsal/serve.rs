//! The account over HTTP/1.1, in real time or faster, for the AWS CLI, boto3 and other
//! tools. Any credentials will do; the signature must only be well-formed.

use std::{fmt, future::Future, time::Duration};

use http::{HeaderName, HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::{Rehearsal, RehearsalError, Reply, wire::WireRequest, wire::WireResponse};

/// Tells callers how many times faster than the wall clock the account's time goes.
pub const TIME_SCALE_HEADER: &str = "x-rayplat-time-scale";

/// Far above any request of these APIs.
const MAX_BODY: usize = 4 * 1024 * 1024;

/// How long calls that run may take to end when the server is asked to.
const GRACE: Duration = Duration::from_secs(2);

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
