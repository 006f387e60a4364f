//! What an operator may set, each default with its reason.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use lambda_core::model::TokenDigest;
use lambda_core::{Error, Result};

use crate::tls::Tls;

/// How [`routes`](crate::routes) treats requests.
#[derive(Debug, Clone)]
#[must_use]
pub struct HttpOptions {
    pub(crate) operator_token: Option<TokenDigest>,
    pub(crate) anonymous_loopback: bool,
    pub(crate) hosts: Vec<String>,
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) body_timeout: Duration,
    pub(crate) upload_dir: Option<PathBuf>,
    pub(crate) log_streams_max: usize,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            operator_token: None,
            anonymous_loopback: true,
            hosts: Vec::new(),
            listen: None,
            // The largest upload (a 50 MB zip in base64) at little more than 1 MB/s.
            body_timeout: Duration::from_secs(60),
            upload_dir: None,
            // Half of the connections that `serve` takes: the rest are for requests.
            log_streams_max: 512,
        }
    }
}

impl HttpOptions {
    /// A token that allows everything, besides those in the store. Only its digest is kept.
    ///
    /// # Errors
    /// `InvalidParameter` if it is empty: everybody would know it.
    pub fn operator_token(mut self, secret: &str) -> Result<Self> {
        if secret.trim().is_empty() {
            return Err(
                Error::invalid("http_options", "The operator's token is empty.")
                    .hint("Set it to a long random secret, or leave it unset to have one made."),
            );
        }
        self.operator_token = Some(TokenDigest::of(secret));
        Ok(self)
    }

    /// Whether loopback may list, change and execute functions without a token (default:
    /// yes). Metrics need one anyway.
    pub fn anonymous_loopback(mut self, allowed: bool) -> Self {
        self.anonymous_loopback = allowed;
        self
    }

    /// A further name that a `Host` header may carry on loopback, besides `localhost` and
    /// loopback addresses.
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into().to_ascii_lowercase());
        self
    }

    /// The address that is listened on, for a server other than [`serve`](crate::serve),
    /// which tells by itself. Without it no request counts as loopback there.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = Some(address);
        self
    }

    /// Where archives are kept, in files without names, while they are uploaded and checked
    /// (default: the system's directory for temporary files). It takes up to 50 MiB each.
    pub fn upload_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.upload_dir = Some(directory.into());
        self
    }

    /// Most clients that follow logs at once (default 512); each keeps a connection. More are
    /// refused with 429.
    pub fn log_streams_max(mut self, streams: usize) -> Self {
        self.log_streams_max = streams.min(tokio::sync::Semaphore::MAX_PERMITS);
        self
    }

    /// How long a request's body may take to arrive (default 60 s).
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.body_timeout = timeout;
        self
    }
}

/// How [`serve`](crate::serve) treats connections.
#[derive(Debug, Clone)]
#[must_use]
pub struct ServerOptions {
    pub(crate) connections_max: usize,
    pub(crate) header_timeout: Duration,
    pub(crate) header_bytes_max: usize,
    pub(crate) drain_timeout: Duration,
    pub(crate) write_timeout: Duration,
    pub(crate) handshake_timeout: Duration,
    pub(crate) tls: Option<Tls>,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            // As many open files as most systems give a process by default.
            connections_max: 1_024,
            // It also closes connections that are kept alive without work: browsers and
            // pools of clients open another one.
            header_timeout: Duration::from_secs(30),
            // Looked at between two reads, each of which brings as much at most.
            header_bytes_max: 64 * 1024,
            // As long as the platform waits for its running invocations by default.
            drain_timeout: Duration::from_secs(10),
            // Longer than a network that works loses packets for.
            write_timeout: Duration::from_secs(30),
            // Two round trips and a signature.
            handshake_timeout: Duration::from_secs(10),
            tls: None,
        }
    }
}

impl ServerOptions {
    /// Most connections at once (default 1,024); more wait to be accepted.
    pub fn connections_max(mut self, connections: usize) -> Self {
        self.connections_max = connections.max(1);
        self
    }

    /// How long a request's head may take to arrive (default 30 s).
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = timeout;
        self
    }

    /// How long a client may take nothing of an answer before the connection is closed (default
    /// 30 s).
    pub fn write_timeout(mut self, timeout: Duration) -> Self {
        self.write_timeout = timeout;
        self
    }

    /// How long the handshake of TLS may take (default 10 s).
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Speaks TLS (1.2 or 1.3), and nothing else. Both arguments are PEM: the certificate,
    /// followed by those that sign it, and its private key.
    ///
    /// # Errors
    /// `InvalidParameter` if either is not, or they do not belong together.
    pub fn tls(mut self, certificates: &[u8], key: &[u8]) -> Result<Self> {
        self.tls = Some(Tls::new(certificates, key)?);
        Ok(self)
    }

    /// How long requests that run may go on once the server is told to stop (default 10 s).
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }
}
