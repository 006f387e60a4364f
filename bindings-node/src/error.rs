//! Errors on their way to JavaScript, where lib/errors.ts makes a class of each kind.

use lambda_core::{Error, ErrorKind};
use napi::Status;

/// The parts as JSON in the message, because Node-API's own errors carry nothing else.
pub(crate) fn to_js(error: Error) -> napi::Error {
    let parts = serde_json::json!({
        "kind": name(error.kind()),
        "code": error.kind().code(),
        "message": error.to_string(),
        "hint": error.hint_text(),
        "operation": error.operation(),
        "retryable": error.is_retryable(),
        "retryAfterMs": error.retry_after_duration().map(|after| after.as_secs_f64() * 1000.0),
    });
    napi::Error::new(Status::GenericFailure, parts.to_string())
}

/// The kind's name, which is the class's name without `Error`.
fn name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidParameter => "InvalidParameter",
        ErrorKind::InvalidRequestContent => "InvalidRequestContent",
        ErrorKind::UnsupportedMediaType => "UnsupportedMediaType",
        ErrorKind::InvalidZipFile => "InvalidZipFile",
        ErrorKind::Unauthenticated => "Unauthenticated",
        ErrorKind::PermissionDenied => "PermissionDenied",
        ErrorKind::NotFound => "NotFound",
        ErrorKind::Conflict => "Conflict",
        ErrorKind::PreconditionFailed => "PreconditionFailed",
        ErrorKind::PayloadTooLarge => "PayloadTooLarge",
        ErrorKind::Throttled => "Throttled",
        ErrorKind::RuntimeUnavailable => "RuntimeUnavailable",
        ErrorKind::StoreUnavailable => "StoreUnavailable",
        ErrorKind::Closed => "Closed",
        _ => "Internal",
    }
}
