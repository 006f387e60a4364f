//! The caller's trace: spans, and what of it the function gets.

use hyper::{HeaderMap, Method};
use lambda_core::model::Traceparent;
use tracing::{Span, debug_span, field};

use crate::route::Route;

/// What a proxy may have put there for X-Ray or the like; AWS's own are some 100 bytes.
const AMZN_TRACE_ID_BYTES_MAX: usize = 512;

/// The span of a request. Without a subscriber that wants it, it costs one look at a number.
pub(crate) fn request_span(method: &Method, headers: &HeaderMap) -> Span {
    let span = debug_span!(
        "request",
        %method,
        route = field::Empty,
        trace_id = field::Empty,
        parent_id = field::Empty,
        status = field::Empty,
    );
    if !span.is_disabled()
        && let Some(traceparent) = traceparent(headers)
    {
        span.record("trace_id", traceparent.trace_id());
        span.record("parent_id", traceparent.parent_id());
    }
    span
}

/// Tells the current span which route it is.
pub(crate) fn record_route(route: &Route) {
    Span::current().record("route", route.path);
}

/// `traceparent`, where it is there once and well formed: W3C has any other ignored.
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<Traceparent> {
    let mut values = headers.get_all("traceparent").iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    value.to_str().ok()?.trim().parse().ok()
}

/// `X-Amzn-Trace-Id`, for the function.
pub(crate) fn amzn_trace_id(headers: &HeaderMap) -> Option<String> {
    headers
        .get("x-amzn-trace-id")
        .and_then(|value| value.to_str().ok())
        .filter(|value| value.len() <= AMZN_TRACE_ID_BYTES_MAX)
        .map(str::to_owned)
}
