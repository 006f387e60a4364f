//! The server speaks TLS, and is not held up by who does not.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use std::sync::Arc;
use std::time::Duration;

use lambda_http::ServerOptions;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use support::Server;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const LOOPBACK: &str = "127.0.0.1:0";
const PATIENCE: Duration = Duration::from_secs(10);

struct Certificate {
    pem: String,
    key_pem: String,
    der: CertificateDer<'static>,
}

fn certificate() -> Certificate {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    Certificate {
        pem: cert.pem(),
        key_pem: signing_key.serialize_pem(),
        der: cert.der().clone(),
    }
}

impl Certificate {
    fn options(&self) -> ServerOptions {
        ServerOptions::default()
            .tls(self.pem.as_bytes(), self.key_pem.as_bytes())
            .unwrap()
    }

    /// A connection of a client that trusts this certificate.
    async fn connect(&self, server: &Server) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(server.address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, stream).await
    }
}

async fn start(options: ServerOptions) -> Server {
    Server::start_with(|options| options, options, LOOPBACK).await
}

async fn request(stream: &mut TlsStream<TcpStream>, path: &str) -> String {
    let text = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    read.unwrap().unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn requests_are_answered_over_tls() {
    let own = certificate();
    let server = start(own.options()).await;
    let mut stream = own.connect(&server).await.unwrap();
    let alpn = stream.get_ref().1.protocol_version().unwrap();
    assert_eq!(alpn, rustls::ProtocolVersion::TLSv1_3);
    let answer = request(&mut stream, "/functions").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.ends_with("[]"), "the peer is known: {answer}");

    let other = certificate();
    let refused = other.connect(&server).await;
    assert!(refused.is_err(), "another's certificate is not trusted");
}

#[tokio::test]
async fn a_client_that_speaks_no_tls_or_nothing_is_let_go() {
    let own = certificate();
    let options = own.options().handshake_timeout(Duration::from_millis(200));
    // One connection at once: a client that holds it up keeps everybody out.
    let server = start(options.connections_max(1)).await;
    let mut silent = TcpStream::connect(server.address).await.unwrap();
    let mut byte = [0];
    let closed = timeout(PATIENCE, silent.read(&mut byte)).await.unwrap();
    assert!(matches!(closed, Ok(0) | Err(_)), "{closed:?}");
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    let text = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    plain.write_all(text).await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(PATIENCE, plain.read_to_end(&mut answer))
        .await
        .unwrap();
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let mut stream = timeout(PATIENCE, own.connect(&server))
        .await
        .unwrap()
        .unwrap();
    let answer = request(&mut stream, "/health").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn stopping_waits_for_no_handshake_for_long() {
    let own = certificate();
    let options = own.options().drain_timeout(Duration::from_millis(200));
    let mut server = start(options).await;
    let _silent = TcpStream::connect(server.address).await.unwrap();
    let mut stream = own.connect(&server).await.unwrap();
    let answer = request(&mut stream, "/health").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    timeout(PATIENCE, server.stop()).await.unwrap();
}

#[test]
fn files_that_are_no_certificate_or_key_are_refused() {
    let own = certificate();
    let other = certificate();
    let (cert, key) = (own.pem.as_bytes(), own.key_pem.as_bytes());
    for (cert, key) in [
        (key, key),
        (cert, cert),
        (&b""[..], key),
        (cert, &b"-----BEGIN"[..]),
        (cert, other.key_pem.as_bytes()),
    ] {
        let error = ServerOptions::default().tls(cert, key).unwrap_err();
        assert!(!error.to_string().contains("BEGIN"), "{error}");
        assert!(error.hint_text().unwrap().contains("PEM"), "{error:?}");
    }
    let shown = format!("{:?}", own.options());
    assert!(shown.contains("Tls(..)"), "{shown}");
}
