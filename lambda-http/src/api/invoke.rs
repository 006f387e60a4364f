//! `POST /functions/{function}/invoke`: an event in, the result out, as AWS's own API does it.

use bytes::Bytes;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{HeaderMap, StatusCode};
use lambda_core::ExecuteRequest;
use lambda_core::model::{Outcome, Payload, Status, limits};
use schemars::JsonSchema;
use serde::Serialize;
use warp::reply::Response;

use super::millis;
use crate::error::ApiError;
use crate::query::{self, Query};
use crate::request::Request;
use crate::{body, reply, trace};

const REQUEST_ID: HeaderName = HeaderName::from_static("lambda-request-id");
const VERSION: HeaderName = HeaderName::from_static("lambda-version");
const RUNTIME: HeaderName = HeaderName::from_static("lambda-runtime");
const START: HeaderName = HeaderName::from_static("lambda-start");
const ERROR_TYPE: HeaderName = HeaderName::from_static("lambda-error-type");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// What of an error's type goes into a header.
const ERROR_TYPE_CHARS_MAX: usize = 128;

pub(super) async fn invoke(request: Request) -> Result<Response, ApiError> {
    let query = Query::read(&request.query, query::INVOKE)?;
    let mut execute = ExecuteRequest::new(request.function()?);
    execute.runtime = query.runtime()?;
    if let Some(qualifier) = query.text("qualifier") {
        execute.qualifier = qualifier.parse()?;
    }
    // The connection's task waits for it, and for nothing else.
    execute.is_attended = true;
    execute.trace_id = trace::amzn_trace_id(&request.headers);
    execute.traceparent = trace::traceparent(&request.headers);
    let api = request.api;
    let event = body::read_optional(
        &request.headers,
        request.body,
        limits::EVENT_BYTES_MAX,
        api.options.body_timeout,
    )
    .await?;
    // The core checks that it is JSON.
    execute.payload = Payload::Event(match is_blank(&event) {
        true => Bytes::from_static(b"null"),
        false => event,
    });
    let outcome = api.platform.execute(execute).await?;
    Ok(answer(&outcome))
}

fn is_blank(event: &[u8]) -> bool {
    event.iter().all(u8::is_ascii_whitespace)
}

fn answer(outcome: &Outcome) -> Response {
    let mut response = match (outcome.status, &outcome.output) {
        (Status::Success, Some(output)) => reply::json_text(StatusCode::OK, output.clone()),
        (Status::Success, None) => reply::json_text(StatusCode::OK, Bytes::from_static(b"null")),
        _ => failed(outcome),
    };
    put_headers(response.headers_mut(), outcome);
    response
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FunctionFailure")]
pub(super) struct Envelope<'a> {
    error: Detail<'a>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FunctionFailureDetail")]
pub(super) struct Detail<'a> {
    code: &'static str,
    message: &'a str,
    hint: &'static str,
    /// The exception's class, or one of AWS's names such as `Runtime.ExitError`.
    #[serde(rename = "type")]
    error_type: &'a str,
    trace: &'a [String],
}

fn failed(outcome: &Outcome) -> Response {
    let (status, code, hint) = match outcome.status {
        Status::Timeout => (
            StatusCode::GATEWAY_TIMEOUT,
            "FunctionTimeoutException",
            "Give the function a longer `timeout_ms`, or less to do.",
        ),
        Status::OutOfMemory => (
            StatusCode::BAD_GATEWAY,
            "FunctionOutOfMemoryException",
            "Give the function more `memory_mib`.",
        ),
        Status::Crashed => (
            StatusCode::BAD_GATEWAY,
            "FunctionCrashedException",
            "Its process died: GET /invocations/{id} shows the end of what it wrote.",
        ),
        Status::Cancelled => (
            StatusCode::BAD_GATEWAY,
            "FunctionCancelledException",
            "Somebody cancelled it; invoke it again.",
        ),
        _ => (
            StatusCode::BAD_GATEWAY,
            "FunctionErrorException",
            "The function failed: mend its code, or its event.",
        ),
    };
    let error = outcome.error.as_ref();
    let body = Envelope {
        error: Detail {
            code,
            message: error.map_or("", |error| &error.message),
            hint,
            error_type: error.map_or("", |error| &error.error_type),
            trace: error.map_or(&[], |error| &error.trace),
        },
    };
    reply::json(status, &body)
}

fn put_headers(headers: &mut HeaderMap, outcome: &Outcome) {
    let mut put = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    put(REQUEST_ID, &outcome.request_id.to_string());
    put(VERSION, &outcome.version.to_string());
    put(RUNTIME, outcome.runtime.as_str());
    put(START, outcome.start.as_str());
    put(SERVER_TIMING, &server_timing(outcome));
    if let Some(error) = &outcome.error {
        put(ERROR_TYPE, &header_text(&error.error_type));
    }
}

/// W3C Server-Timing: browsers show it beside the request.
fn server_timing(outcome: &Outcome) -> String {
    let timings = &outcome.timings;
    let parts = [
        ("queue;dur=", timings.queue),
        (", boot;dur=", timings.boot),
        (", init;dur=", timings.init),
        (", run;dur=", timings.run),
        (", total;dur=", timings.total),
    ];
    let mut text = String::with_capacity(96);
    for (name, duration) in parts {
        text.push_str(name);
        millis::push(&mut text, duration);
    }
    text
}

/// A type comes from the function, and may be anything.
fn header_text(text: &str) -> String {
    let visible = text.chars().filter(char::is_ascii_graphic);
    visible.take(ERROR_TYPE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_type_cannot_leave_its_header() {
        assert_eq!(header_text("Runtime.ExitError"), "Runtime.ExitError");
        assert_eq!(header_text("a\r\nset-cookie: x\u{fc}"), "aset-cookie:x");
        assert_eq!(header_text(&"x".repeat(1_000)).len(), ERROR_TYPE_CHARS_MAX);
        assert!(HeaderValue::try_from(header_text("\0\u{7f}")).is_ok());
    }

    #[test]
    fn nothing_but_white_space_is_no_event() {
        assert!(is_blank(b""));
        assert!(is_blank(b" \r\n\t"));
        assert!(!is_blank(b"0"));
    }
}
