//! A small HTTP/1.1 client with connections that are kept.
//!
//! It runs on a thread of its own with a single-threaded tokio runtime: what it costs is part
//! of every latency that is measured, and so is kept small and the same for all servers.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Result;
use crate::load::{Stopwatch, WARM_UP, gather};
use crate::statistics::Round;

/// What every server here is asked, and how its answer is known to be right.
#[derive(Debug, Clone)]
pub struct Call {
    /// The server.
    pub address: SocketAddr,
    /// The path.
    pub path: &'static str,
    /// The body, JSON.
    pub body: Bytes,
    /// What a right answer contains.
    pub expected: &'static str,
}

impl Call {
    /// Has `callers` connections repeat the call for `length`.
    ///
    /// # Errors
    /// If the server answers something else than 200 and what is expected.
    pub async fn drive(&self, callers: usize, length: Duration) -> Result<Round> {
        let call = self.clone();
        let round = tokio::task::spawn_blocking(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?
                .block_on(async move {
                    let mut tasks = JoinSet::new();
                    for _ in 0..callers {
                        tasks.spawn(call.clone().caller(length));
                    }
                    gather(tasks).await
                })
        });
        round.await?
    }

    /// Makes the call once.
    ///
    /// # Errors
    /// As [`drive`](Self::drive).
    pub async fn once(&self) -> Result<()> {
        let mut connection = connect(self.address).await?;
        self.send(&mut connection).await
    }

    async fn caller(self, length: Duration) -> Result<Round> {
        let mut connection = connect(self.address).await?;
        for _ in 0..WARM_UP {
            self.send(&mut connection).await?;
        }
        let mut stopwatch = Stopwatch::start();
        while stopwatch.elapsed() < length {
            self.send(&mut connection).await?;
            stopwatch.lap();
        }
        Ok(stopwatch.into_round())
    }

    async fn send(&self, connection: &mut SendRequest<Full<Bytes>>) -> Result<()> {
        let (status, body) = post(connection, self.path, self.body.clone()).await?;
        let expected = self.expected.as_bytes();
        if status == StatusCode::OK && body.windows(expected.len()).any(|part| part == expected) {
            return Ok(());
        }
        Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into())
    }
}

/// One POST over a connection of its own.
///
/// # Errors
/// If the server does not answer.
pub async fn post_once(
    address: SocketAddr,
    path: &str,
    body: Bytes,
) -> Result<(StatusCode, Bytes)> {
    post(&mut connect(address).await?, path, body).await
}

/// A connection that is kept.
#[derive(Debug)]
pub struct Client(SendRequest<Full<Bytes>>);

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// If the server does not accept.
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        Ok(Self(connect(address).await?))
    }

    /// One POST, whatever the answer is.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn post(&mut self, path: &str, body: Bytes) -> Result<(StatusCode, Bytes)> {
        post(&mut self.0, path, body).await
    }

    /// One request of another method.
    ///
    /// # Errors
    /// If the method is none, or the server does not answer.
    pub async fn send(
        &mut self,
        method: &str,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes)> {
        send(&mut self.0, method.parse()?, path, body).await
    }
}

async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // Its errors are those of the requests.
    tokio::spawn(connection);
    Ok(sender)
}

async fn post(
    connection: &mut SendRequest<Full<Bytes>>,
    path: &str,
    body: Bytes,
) -> Result<(StatusCode, Bytes)> {
    send(connection, Method::POST, path, body).await
}

async fn send(
    connection: &mut SendRequest<Full<Bytes>>,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<(StatusCode, Bytes)> {
    connection.ready().await?;
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, "localhost")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(body))?;
    let response = connection.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    Ok((status, body))
}
