//! Answers, with the headers that every one of them carries.

use bytes::Bytes;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::{HeaderMap, StatusCode};
use serde::Serialize;
use warp::reply::Response;

/// Other sites may not even embed an answer.
const CORP: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// An invocation's answer has the most.
const HEADERS_MAX: usize = 12;

/// JSON, printed from a value.
pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => json_text(status, text.into()),
        Err(error) => {
            // No type of ours can fail; a map with other keys than strings could.
            tracing::error!(%error, "an answer could not be printed");
            json_text(StatusCode::INTERNAL_SERVER_ERROR, Bytes::from_static(b"{}"))
        }
    }
}

/// JSON that is text already.
pub(crate) fn json_text(status: StatusCode, text: Bytes) -> Response {
    let mut response = bytes(text, "application/json");
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// 204.
pub(crate) fn no_content() -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Bytes of a kind.
pub(crate) fn bytes(body: Bytes, content_type: &'static str) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    // Room for the most that an answer has, or the map would be built twice.
    headers.reserve(HEADERS_MAX);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    guard(headers);
    response
}

/// For answers that are old at once.
pub(crate) fn never_kept(headers: &mut HeaderMap) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// What keeps browsers from taking a body for something else.
pub(crate) fn guard(headers: &mut HeaderMap) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(CORP, HeaderValue::from_static("same-origin"));
}
