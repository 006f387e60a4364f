//! Requests to a server that may die at any moment.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// No answer may take longer, whatever is away: an invocation waits 10 s for a sandbox, and Docker
/// may be away for some seconds more.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of one server.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    url: String,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Caller {
    pub(crate) fn of(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// The answer. None: the server has died meanwhile.
    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        body: &Value,
    ) -> Option<(u16, Value)> {
        let answered = async {
            let request = Request::builder()
                .method(method)
                .uri(format!("{}{path}", self.url))
                .header("content-type", "application/json");
            let body = if body.is_null() {
                String::new()
            } else {
                body.to_string()
            };
            let request = request.body(Full::new(Bytes::from(body))).unwrap();
            let response = self.client.request(request).await.ok()?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.ok()?.to_bytes();
            Some((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
        };
        tokio::time::timeout(PATIENCE, answered)
            .await
            .unwrap_or_else(|_| panic!("{method} {path} was not answered within {PATIENCE:?}"))
    }
}
