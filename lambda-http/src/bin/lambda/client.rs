//! The commands' side of the API.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LINK};
use hyper::{HeaderMap, Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::net::TcpStream;

use crate::cli::{Cli, ServerArgs};
use crate::config;
use crate::events::Events;
use crate::failure::{Failure, Result};
use crate::token;
use crate::trust;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest invocation, its wait for a sandbox and its cold start.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(960);

/// A result, stdout and stderr at their largest, and escaped.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A client of one server.
pub(crate) struct Client {
    http: HyperClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    token: Token,
    is_local: bool,
}

enum Token {
    /// Sent with every request.
    Given(String),
    /// Sent where the server asks for one: it may not be that server's.
    Kept(String),
    None,
}

/// An answer of 200 to 299.
pub(crate) struct Answer {
    pub(crate) body: Bytes,
    headers: HeaderMap,
}

impl Client {
    pub(crate) fn new(cli: &Cli, server: &ServerArgs) -> Result<Self> {
        let (base, is_local) = parse_url(&server.url)?;
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        connector.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(trust::config(server.ca_file.as_deref())?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Self {
            http: HyperClient::builder(TokioExecutor::new()).build(connector),
            base,
            token: match &server.token_file {
                Some(path) => read_token(path)?,
                None => find_token(cli.data_dir.as_deref(), is_local)?,
            },
            is_local,
        })
    }

    /// The server's address, without a slash at its end.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// Whether the server is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.is_local
    }

    /// Whether nothing accepts connections at its address.
    pub(crate) async fn is_refused(&self) -> bool {
        let Ok(uri) = self.base.parse::<Uri>() else {
            return false;
        };
        let is_https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let connected = TcpStream::connect((bare(uri.host().unwrap_or_default()), port)).await;
        connected.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
    }

    /// Opens a stream of events, after the event `last`.
    pub(crate) async fn events(&self, path: &str, last: Option<&str>) -> Result<Events> {
        let secret = match &self.token {
            Token::Given(secret) | Token::Kept(secret) => Some(secret),
            Token::None => None,
        };
        let mut request =
            Request::get(format!("{}{path}", self.base)).header(ACCEPT, "text/event-stream");
        if let Some(secret) = secret {
            request = request.header(AUTHORIZATION, format!("Bearer {secret}"));
        }
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Full::default()).map_err(unsendable)?;
        let response = self.http.request(request).await.map_err(|error| {
            self.unreachable(format!("the connection could not be used: {error}"))
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(Events::new(response.into_body()));
        }
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let body = body
            .collect()
            .await
            .map_err(|error| self.unreachable(format!("its answer broke off: {error}")))?;
        Err(refusal(status, &body.to_bytes()))
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer> {
        self.send(Method::GET, path, None).await
    }

    /// The items of all pages of a listing.
    pub(crate) async fn get_pages(&self, path: &str) -> Result<Vec<Box<RawValue>>> {
        let mut all = Vec::new();
        let mut query = Some("limit=1000".to_owned());
        while let Some(asked) = query {
            let answer = self.get(&format!("{path}?{asked}")).await?;
            all.extend(answer.parse::<Vec<Box<RawValue>>>()?);
            query = answer.next_query();
        }
        Ok(all)
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<Answer> {
        self.send(Method::DELETE, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, json: Bytes) -> Result<Answer> {
        self.send(Method::POST, path, Some(json)).await
    }

    pub(crate) async fn put(&self, path: &str, json: Bytes) -> Result<Answer> {
        self.send(Method::PUT, path, Some(json)).await
    }

    async fn send(&self, method: Method, path: &str, json: Option<Bytes>) -> Result<Answer> {
        let (first, fallback) = match &self.token {
            Token::Given(secret) => (Some(secret), None),
            Token::Kept(secret) => (None, Some(secret)),
            Token::None => (None, None),
        };
        let mut answer = self.attempt(&method, path, json.clone(), first).await?;
        if answer.0 == StatusCode::UNAUTHORIZED && fallback.is_some() {
            answer = self.attempt(&method, path, json, fallback).await?;
        }
        let (status, headers, body) = answer;
        if status.is_success() {
            return Ok(Answer { body, headers });
        }
        Err(refusal(status, &body))
    }

    async fn attempt(
        &self,
        method: &Method,
        path: &str,
        json: Option<Bytes>,
        token: Option<&String>,
    ) -> Result<(StatusCode, HeaderMap, Bytes)> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if json.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request
            .body(Full::new(json.unwrap_or_default()))
            .map_err(unsendable)?;
        let answered = async {
            let response = self.http.request(request).await.map_err(|error| {
                self.unreachable(if let Some(why) = trust::refusal(&error) {
                    why
                } else if error.is_connect() {
                    "nothing accepts connections there".to_owned()
                } else {
                    format!("the connection broke: {error}")
                })
            })?;
            let (parts, body) = response.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX)
                .collect()
                .await
                .map_err(|error| self.unreachable(format!("its answer broke off: {error}")))?;
            Ok((parts.status, parts.headers, body.to_bytes()))
        };
        tokio::time::timeout(ANSWER_TIMEOUT, answered)
            .await
            .unwrap_or_else(|_| Err(self.unreachable("it took too long".to_owned())))
    }

    fn unreachable(&self, why: String) -> Failure {
        Failure::new(format!("No answer from {}: {why}.", self.base))
            .code("Unreachable")
            .hint("Start a server with `lambda serve`, or name another with --url or LAMBDA_URL.")
    }
}

impl Answer {
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Failure::new(format!(
                "The server's answer is not what was expected: {error}."
            ))
            .hint("Is it a `lambda` server, and as new as this command?")
        })
    }

    /// The query of the next page of a listing.
    fn next_query(&self) -> Option<String> {
        let link = self.headers.get(LINK)?.to_str().ok()?;
        let (target, _) = link.strip_prefix('<')?.split_once(">; rel=\"next\"")?;
        target.split_once('?').map(|(_, query)| query.to_owned())
    }
}

fn unsendable(error: hyper::http::Error) -> Failure {
    Failure::usage(format!("The request cannot be made: {error}."))
        .hint("Check --url and LAMBDA_TOKEN.")
}

fn refusal(status: StatusCode, body: &[u8]) -> Failure {
    #[derive(Deserialize)]
    struct Envelope {
        error: Detail,
    }
    #[derive(Deserialize)]
    struct Detail {
        code: String,
        message: String,
        hint: Option<String>,
    }
    match serde_json::from_slice::<Envelope>(body) {
        Ok(Envelope { error }) => {
            let failure = Failure::new(error.message).code(error.code);
            match error.hint.filter(|hint| !hint.is_empty()) {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        }
        Err(_) => Failure::new(format!("The server answered {status}."))
            .hint("Is it a `lambda` server? Check --url."),
    }
}

/// The base of all addresses, without a slash at its end, and whether it is this machine.
fn parse_url(url: &str) -> Result<(String, bool)> {
    let wrong = || {
        Failure::usage(format!("`{url}` is not a server's address."))
            .hint("Write it like http://127.0.0.1:8080.")
    };
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    match uri.scheme_str() {
        Some("http" | "https") => {}
        _ => return Err(wrong()),
    }
    let host = uri.host().ok_or_else(wrong)?;
    if uri.query().is_some() {
        return Err(wrong());
    }
    let host = bare(host);
    let is_local = host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    Ok((url.trim_end_matches('/').to_owned(), is_local))
}

/// A host without the brackets that an IPv6 address has in a URL.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

fn read_token(path: &Path) -> Result<Token> {
    let secret = std::fs::read_to_string(path).map_err(|error| {
        Failure::usage(format!(
            "The token file {} cannot be read: {error}.",
            path.display()
        ))
    })?;
    match secret.trim() {
        "" => Err(Failure::usage(format!(
            "The token file {} is empty.",
            path.display()
        ))),
        secret => Ok(Token::Given(secret.to_owned())),
    }
}

/// What is kept for the server on this machine is sent to no other.
fn find_token(data_dir: Option<&Path>, is_local: bool) -> Result<Token> {
    match std::env::var("LAMBDA_TOKEN") {
        Ok(secret) if !secret.trim().is_empty() => {
            return Ok(Token::Given(secret.trim().to_owned()));
        }
        _ => {}
    }
    if !is_local {
        return Ok(Token::None);
    }
    // Most commands need none here, so a file that is not there or not ours is no failure.
    let kept = config::data_dir_or_default(data_dir).and_then(|directory| token::read(&directory));
    Ok(kept.ok().flatten().map_or(Token::None, Token::Kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(
            parse_url("http://localhost:1/").unwrap(),
            ("http://localhost:1".to_owned(), true)
        );
        assert!(parse_url("http://[::1]:8080").unwrap().1);
        assert!(!parse_url("http://10.0.0.1").unwrap().1);
        assert!(!parse_url("http://127.0.0.1.evil.test").unwrap().1);
        for bad in ["", "localhost:8080", "ftp://x", "http://x/?a=b"] {
            assert!(parse_url(bad).is_err(), "{bad}");
        }
    }
}
