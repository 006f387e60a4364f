//! Metrics for Prometheus: what ended, and how the platform stands.

mod invocations;
mod state;

use std::sync::Arc;

use bytes::Bytes;
use lambda_core::{ErrorKind, Platform};
use prometheus_client::encoding::text;
use prometheus_client::registry::Registry;
use warp::reply::Response;

use crate::error::ApiError;
use crate::reply;
use invocations::Invocations;
use state::State;

pub use invocations::PROMETHEUS_FUNCTIONS_MAX;

/// What `prometheus-client` writes.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Adds the platform's metrics to the registry of an application, which then serves them
/// beside its own; `GET /metrics/prometheus` has a registry of its own. Invocations are counted
/// from now on.
///
/// # Examples
/// ```no_run
/// # fn run(platform: lambda_core::Platform) {
/// let mut registry = prometheus_client::registry::Registry::default();
/// lambda_http::register_metrics(&platform, &mut registry);
/// # }
/// ```
pub fn register_metrics(platform: &Platform, registry: &mut Registry) {
    let invocations = Invocations::default();
    invocations.register(registry);
    platform.observe(Arc::new(invocations));
    registry.register_collector(Box::new(State::new(platform.clone())));
}

/// `GET /metrics/prometheus`
pub(crate) fn scrape(registry: &Registry) -> Result<Response, ApiError> {
    let mut body = String::new();
    text::encode(&mut body, registry).map_err(|error| {
        tracing::error!(%error, "the metrics could not be printed");
        ApiError::new(
            ErrorKind::Internal,
            "The metrics could not be printed.",
            "This is a defect of the platform; its log says more.",
        )
    })?;
    let mut response = reply::bytes(Bytes::from(body), CONTENT_TYPE);
    reply::never_kept(response.headers_mut());
    Ok(response)
}
