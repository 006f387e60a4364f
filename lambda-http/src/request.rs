//! A request as the operations see it.

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;

use hyper::HeaderMap;
use lambda_core::model::FunctionRef;
use percent_encoding::percent_decode_str;
use tokio_util::sync::CancellationToken;

use crate::api::Api;
use crate::body::BodyStream;
use crate::error::ApiError;

/// Where a request comes from. [`serve`](crate::serve) adds it to the extensions of every
/// request; another server may do so too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connection {
    /// The address that the listener is bound to.
    pub listen: SocketAddr,
    /// The other end.
    pub peer: SocketAddr,
}

impl Connection {
    /// A connection from `peer` to the listener at `listen`.
    #[must_use]
    pub fn new(listen: SocketAddr, peer: SocketAddr) -> Self {
        Self { listen, peer }
    }

    /// Whether both ends are loopback addresses. A listener on all addresses is none.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.listen.ip().to_canonical().is_loopback() && self.peer.ip().to_canonical().is_loopback()
    }
}

/// Cancelled once [`serve`](crate::serve) is told to stop: streams without an end of their own
/// end then.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draining(pub(crate) CancellationToken);

pub(crate) struct Request {
    pub(crate) draining: Draining,
    pub(crate) api: Arc<Api>,
    pub(crate) headers: HeaderMap,
    /// The path with the prefix under which the routes are mounted.
    pub(crate) full_path: String,
    pub(crate) query: String,
    /// What stands for the names in braces in the route's path, as it was sent.
    pub(crate) parameters: Vec<(&'static str, String)>,
    /// Whether it comes from this machine, with no proxy between.
    pub(crate) is_local: bool,
    pub(crate) body: BodyStream,
}

impl Request {
    /// The function that the path names.
    pub(crate) fn function(&self) -> Result<FunctionRef, ApiError> {
        self.parameter("function")
    }

    /// What the path has for `{name}`.
    pub(crate) fn parameter<T: FromStr<Err = lambda_core::Error>>(
        &self,
        name: &str,
    ) -> Result<T, ApiError> {
        let sent = self.parameters.iter().find(|(own, _)| *own == name);
        let sent = sent.map_or("", |(_, value)| value);
        // Decoded once, and then an id or a name: nothing else gets past the parser, so
        // traversal, NUL and double encoding end here.
        let text = percent_decode_str(sent).decode_utf8_lossy();
        Ok(text.parse()?)
    }
}
