//! A platform over fake sandboxes, and its routes behind a real server.

#![allow(dead_code, clippy::unwrap_used)] // Each file uses its own part; a test fails by panicking.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use lambda_core::model::RuntimeName;
use lambda_core::pool::PoolOptions;
use lambda_core::runtime::fake::FakeRuntime;
use lambda_core::{NewFunction, Platform};
use lambda_http::{HttpOptions, ServerOptions, routes, serve};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// The operator's token.
pub(crate) const OPERATOR: &str = "the operator's secret";

/// A running server.
pub(crate) struct Server {
    pub(crate) platform: Platform,
    pub(crate) docker: FakeRuntime,
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: Option<tokio::task::JoinHandle<()>>,
    client: Client<HttpConnector, Full<Bytes>>,
    _data_dir: TempDir,
}

impl Server {
    /// With the defaults, on loopback.
    pub(crate) async fn start() -> Self {
        Self::start_with(|options| options, ServerOptions::default(), "127.0.0.1:0").await
    }

    /// Listening on all addresses, which counts as off loopback.
    pub(crate) async fn start_exposed() -> Self {
        Self::start_with(|options| options, ServerOptions::default(), "0.0.0.0:0").await
    }

    pub(crate) async fn start_with(
        adjust: impl FnOnce(HttpOptions) -> HttpOptions,
        server: ServerOptions,
        listen: &str,
    ) -> Self {
        Self::start_booting(Duration::ZERO, adjust, server, listen).await
    }

    /// With sandboxes that take `boot` to boot.
    pub(crate) async fn start_booting(
        boot: Duration,
        adjust: impl FnOnce(HttpOptions) -> HttpOptions,
        server: ServerOptions,
        listen: &str,
    ) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let docker = FakeRuntime::with_boot_time(RuntimeName::docker(), boot);
        // So that every first call is a cold start.
        let mut pool = PoolOptions::default();
        pool.prewarmed = 0;
        let platform = Platform::builder()
            .data_dir(data_dir.path())
            .pool(pool)
            .runtime(Arc::new(docker.clone()))
            .runtime(Arc::new(FakeRuntime::new(RuntimeName::gvisor())))
            .build()
            .await
            .unwrap();
        let options = adjust(HttpOptions::default().operator_token(OPERATOR).unwrap());
        let listener = TcpListener::bind(listen).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stop, stopped) = oneshot::channel();
        let filter = routes(platform.clone(), options);
        let served = tokio::spawn(serve(listener, filter, server, async {
            let _ = stopped.await;
        }));
        Self {
            platform,
            docker,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            stop: Some(stop),
            served: Some(served),
            client: Client::builder(TokioExecutor::new()).build_http(),
            _data_dir: data_dir,
        }
    }

    /// Tells the server to stop, and waits until it has.
    pub(crate) async fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
        self.served.take().unwrap().await.unwrap();
    }

    /// A script function that prints its args, one on each line.
    pub(crate) async fn hello(&self) -> String {
        self.function("hello", "args", None).await
    }

    /// A handler function that answers with its event.
    pub(crate) async fn echo(&self) -> String {
        self.function("echo", "echo", Some("case.handler")).await
    }

    /// A function that acts a case of the fake runtime out.
    pub(crate) async fn function(&self, name: &str, case: &str, handler: Option<&str>) -> String {
        let mut new = NewFunction::python(name, format!("fake:{case}")).unwrap();
        if let Some(handler) = handler {
            new = new.handler(handler);
        }
        let function = self.platform.function_create(new).await.unwrap();
        function.id.to_string()
    }

    pub(crate) fn call(&self, method: &str, path: &str) -> Call<'_> {
        let url = format!("http://{}{path}", self.address);
        let mut request = Request::builder().method(method).uri(url);
        request = request.header(HOST, self.address.to_string());
        Call {
            server: self,
            request,
            body: Bytes::new(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path).send().await
    }

    pub(crate) async fn post(&self, path: &str, json: &Value) -> Answer {
        self.call("POST", path).json(json).send().await
    }

    pub(crate) async fn put(&self, path: &str, json: &Value) -> Answer {
        self.call("PUT", path).json(json).send().await
    }

    pub(crate) async fn execute(&self, json: &Value) -> Answer {
        self.post("/functions/execute", json).await
    }
}

/// A request in the making.
pub(crate) struct Call<'a> {
    server: &'a Server,
    request: hyper::http::request::Builder,
    body: Bytes,
}

impl Call<'_> {
    pub(crate) fn header(mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> Self {
        let headers = self.request.headers_mut().unwrap();
        let name: hyper::header::HeaderName = name.as_ref().parse().unwrap();
        headers.insert(name, value.as_ref().parse().unwrap());
        self
    }

    /// One more of a name.
    pub(crate) fn append_header(mut self, name: &'static str, value: &str) -> Self {
        let headers = self.request.headers_mut().unwrap();
        headers.append(name, value.parse().unwrap());
        self
    }

    pub(crate) fn token(self, secret: &str) -> Self {
        self.header(AUTHORIZATION, format!("Bearer {secret}"))
    }

    pub(crate) fn operator(self) -> Self {
        self.token(OPERATOR)
    }

    pub(crate) fn json(self, json: &Value) -> Self {
        self.text(json.to_string())
    }

    pub(crate) fn text(mut self, text: impl Into<Bytes>) -> Self {
        self.body = text.into();
        self.header(CONTENT_TYPE, "application/json")
    }

    pub(crate) async fn send(self) -> Answer {
        let request = self.request.body(Full::new(self.body)).unwrap();
        let answered = async {
            let response = self.server.client.request(request).await.unwrap();
            let (parts, body) = response.into_parts();
            Answer {
                status: parts.status,
                headers: parts.headers,
                body: body.collect().await.unwrap().to_bytes(),
            }
        };
        tokio::time::timeout(Duration::from_secs(20), answered)
            .await
            .unwrap()
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Checks for success.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!(self.status.is_success(), "{} {:?}", self.status, self.body);
        self.json()
    }

    /// Checks for a refusal in the one shape that all refusals have, and returns its message.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> String {
        assert_eq!(self.status, status, "{:?}", self.body);
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
        let json = self.json();
        let error = json["error"].as_object().unwrap();
        let fields: Vec<_> = error.keys().map(String::as_str).collect();
        assert_eq!(json.as_object().unwrap().len(), 1, "{json}");
        assert_eq!(fields, ["code", "hint", "message"], "{json}");
        assert_eq!(error["code"], code, "{json}");
        assert!(!error["hint"].as_str().unwrap().is_empty(), "{json}");
        error["message"].as_str().unwrap().to_owned()
    }
}
