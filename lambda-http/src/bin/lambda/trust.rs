//! Which servers a command trusts over TLS.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use hyper_rustls::ConfigBuilderExt as _;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use crate::failure::{Failure, Result};

/// Servers signed by those in `ca_file` or, without it, by the system's.
pub(crate) fn config(ca_file: Option<&Path>) -> Result<ClientConfig> {
    let failed = |error: rustls::Error| Failure::new(format!("TLS cannot be used: {error}."));
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let builder = match ca_file {
        Some(path) => builder.with_root_certificates(roots(path)?),
        // A machine without any is none that cannot talk to a server without TLS.
        None => match builder.clone().with_native_roots() {
            Ok(trusting) => trusting,
            Err(_) => builder.with_root_certificates(RootCertStore::empty()),
        },
    };
    Ok(builder.with_no_client_auth())
}

fn roots(path: &Path) -> Result<RootCertStore> {
    let unusable = |what: String| {
        Failure::usage(format!("{} {what}.", path.display()))
            .hint("Name a PEM file with certificates in --ca-file or LAMBDA_CA_FILE.")
    };
    let pem = std::fs::read(path).map_err(|error| unusable(format!("cannot be read: {error}")))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        certificate
            .map_err(|error| error.to_string())
            .and_then(|own| roots.add(own).map_err(|error| error.to_string()))
            .map_err(|error| unusable(format!("cannot be used: {error}")))?;
    }
    match roots.is_empty() {
        true => Err(unusable("has no certificate".to_owned())),
        false => Ok(roots),
    }
}

/// Why a connection failed, where it is for TLS.
pub(crate) fn refusal(error: &(dyn Error + 'static)) -> Option<String> {
    let found = find(error)?;
    Some(format!(
        "TLS failed ({found}); --ca-file names whom to trust"
    ))
}

fn find<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(found) = error.downcast_ref() {
        return Some(found);
    }
    // An error of input and output shows the one it wraps as itself, not as its source.
    if let Some(outer) = error.downcast_ref::<std::io::Error>()
        && let Some(inner) = outer.get_ref()
    {
        return find(inner);
    }
    find(error.source()?)
}
