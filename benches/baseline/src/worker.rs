//! One container and the connection into it.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use crate::container::Container;

const PROGRAM: &str = include_str!("worker.py");

const START_TIMEOUT: Duration = Duration::from_secs(60);

/// A container that echoes, and the one connection into it.
#[derive(Debug)]
pub struct Worker {
    stream: UnixStream,
    request: Vec<u8>,
    received: Vec<u8>,
    _container: Container,
}

impl Worker {
    /// Starts a container of `image` under Docker's runtime `oci_runtime` and waits until it
    /// has connected.
    ///
    /// # Errors
    /// If the container cannot be started or does not connect within a minute.
    pub async fn start(oci_runtime: &str, image: &str) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("baseline-").tempdir()?;
        let socket = directory.path().join("api.sock");
        let listener = UnixListener::bind(&socket)?;
        // The user inside is another one.
        std::fs::set_permissions(directory.path(), Permissions::from_mode(0o755))?;
        std::fs::set_permissions(&socket, Permissions::from_mode(0o666))?;

        let volume = format!("{}:/run/lambda", directory.path().display());
        let arguments = ["--volume", &volume, image, "python3", "-c", PROGRAM];
        let container = Container::start(oci_runtime, &arguments).await?;
        let (stream, _) = tokio::time::timeout(START_TIMEOUT, listener.accept())
            .await
            .map_err(|_| io::Error::other("the baseline's container does not connect"))??;
        Ok(Self {
            stream,
            request: Vec::new(),
            received: Vec::new(),
            _container: container,
        })
    }

    /// One round trip: JSON out, JSON back.
    ///
    /// # Errors
    /// If the container is gone or answers something else.
    ///
    /// # Cancellation
    /// Leaves the connection in the middle of an exchange: of no more use.
    pub async fn call(&mut self, event: &Value) -> io::Result<Value> {
        let body = serde_json::to_vec(event)?;
        self.request.clear();
        self.request.extend_from_slice(
            format!(
                "POST /invoke HTTP/1.1\r\nHost: lambda\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            )
            .as_bytes(),
        );
        self.request.extend_from_slice(&body);
        self.stream.write_all(&self.request).await?;

        self.received.clear();
        loop {
            if let Some(body) = response_body(&self.received)? {
                return Ok(serde_json::from_slice(body)?);
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::Error::other("the baseline's container is gone"));
            }
        }
    }
}

/// The body of the response in `bytes`; none while it is not complete.
fn response_body(bytes: &[u8]) -> io::Result<Option<&[u8]>> {
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut response = httparse::Response::new(&mut headers);
    let head = match response.parse(bytes).map_err(io::Error::other)? {
        httparse::Status::Complete(head) => head,
        httparse::Status::Partial => return Ok(None),
    };
    let length = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok())
        .ok_or_else(|| io::Error::other("a response without a length"))?;
    Ok(bytes[head..].get(..length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_there_once_all_of_it_is() {
        let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        for cut in 0..whole.len() {
            assert_eq!(response_body(&whole[..cut]).unwrap(), None);
        }
        assert_eq!(response_body(whole).unwrap(), Some(&b"{}"[..]));
        assert!(response_body(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
    }
}
