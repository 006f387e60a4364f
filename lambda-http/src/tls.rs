//! The server's side of TLS, by rustls.

use std::fmt;
use std::sync::Arc;

use lambda_core::{Error, Result};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// A certificate and its key, ready to be used.
#[derive(Clone)]
pub(crate) struct Tls(Arc<ServerConfig>);

impl Tls {
    /// Of PEM: the certificate with those that sign it, the server's own first, and its key.
    pub(crate) fn new(certificates: &[u8], key: &[u8]) -> Result<Self> {
        let certificates = CertificateDer::pem_slice_iter(certificates)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| invalid("The TLS certificate is not PEM.").source(error))?;
        if certificates.is_empty() {
            return Err(invalid("The file of the TLS certificate has none."));
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
            invalid("The file of the TLS key has no private key.").source(error)
        })?;
        // Named, because a process that also uses another provider has no default one.
        let provider = Arc::new(ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder
                    .with_no_client_auth()
                    .with_single_cert(certificates, key)
            })
            .map_err(|error| {
                invalid("The TLS certificate and the key cannot be used together.").source(error)
            })?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.0))
    }
}

impl fmt::Debug for Tls {
    // The configuration holds the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(..)")
    }
}

fn invalid(message: &'static str) -> Error {
    Error::invalid("tls", message).hint(
        "Give PEM files: the certificate, followed by those that sign it, and its private key \
         (PKCS#8, PKCS#1 or SEC1) without a passphrase.",
    )
}
