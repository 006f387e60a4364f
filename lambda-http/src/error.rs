//! What a failed request is answered with.

use std::borrow::Cow;
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::{ALLOW, HeaderName, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use lambda_core::model::Scope;
use lambda_core::{Error, ErrorKind};
use schemars::JsonSchema;
use serde::Serialize;
use warp::reply::Response;

use crate::reply;

/// `{"error": {"code", "message", "hint"}}`, a status and at most one header.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: Cow<'static, str>,
    hint: Cow<'static, str>,
    header: Option<(Extra, String)>,
}

/// A header that only some errors have.
#[derive(Debug, Clone, Copy)]
enum Extra {
    Allow,
    Challenge,
    RetryAfter,
}

impl Extra {
    fn name(self) -> HeaderName {
        match self {
            Self::Allow => ALLOW,
            Self::Challenge => WWW_AUTHENTICATE,
            Self::RetryAfter => RETRY_AFTER,
        }
    }
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Error")]
pub(crate) struct Envelope<'a> {
    error: Detail<'a>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ErrorDetail")]
pub(crate) struct Detail<'a> {
    code: &'a str,
    message: &'a str,
    hint: &'a str,
}

impl ApiError {
    pub(crate) fn new(
        kind: ErrorKind,
        message: impl Into<Cow<'static, str>>,
        hint: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status: StatusCode::from_u16(kind.http_status())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code: kind.code(),
            message: message.into(),
            hint: hint.into(),
            header: None,
        }
    }

    /// A field that is missing, unknown, out of range or in contradiction to another.
    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(
            ErrorKind::InvalidParameter,
            message,
            default_hint(ErrorKind::InvalidParameter),
        )
    }

    pub(crate) fn unknown_route() -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            code: "UnknownOperationException",
            message: "There is nothing at this path.".into(),
            hint: "GET /openapi.json lists what there is, and /docs shows it.".into(),
            header: None,
        }
    }

    pub(crate) fn method_not_allowed(allowed: String) -> Self {
        Self {
            status: StatusCode::METHOD_NOT_ALLOWED,
            code: "MethodNotAllowedException",
            message: "This path does not have this method.".into(),
            hint: format!("Use one of: {allowed}.").into(),
            header: Some((Extra::Allow, allowed)),
        }
    }

    pub(crate) fn body_timeout() -> Self {
        Self {
            status: StatusCode::REQUEST_TIMEOUT,
            code: "RequestTimeoutException",
            message: "The body of the request took too long to arrive.".into(),
            hint: "Send it again over a faster connection, or send less.".into(),
            header: None,
        }
    }

    /// 401: there is no token where one is needed.
    pub(crate) fn token_missing() -> Self {
        let mut error = Self::new(
            ErrorKind::Unauthenticated,
            "This needs a token.",
            "Send it as `Authorization: Bearer <token>`. `lambda serve` says at its start where \
             the operator's token is kept.",
        );
        error.header = Some((Extra::Challenge, "Bearer realm=\"lambda\"".to_owned()));
        error
    }

    /// 401: there is a token, and it is nobody's.
    pub(crate) fn token_wrong() -> Self {
        let mut error = Self::new(
            ErrorKind::Unauthenticated,
            "The token is wrong.",
            "Check that it was copied in full and not revoked. `lambda serve` says at its start \
             where the operator's token is kept.",
        );
        error.header = Some((
            Extra::Challenge,
            "Bearer realm=\"lambda\", error=\"invalid_token\"".to_owned(),
        ));
        error
    }

    /// 403: the token is right but does not allow this.
    pub(crate) fn scope_missing(scope: Scope) -> Self {
        let mut error = Self::new(
            ErrorKind::PermissionDenied,
            format!("The token does not have the scope `{scope}`."),
            "Use a token that has it, or one with the scope `admin`.",
        );
        error.header = Some((
            Extra::Challenge,
            format!("Bearer realm=\"lambda\", error=\"insufficient_scope\", scope=\"{scope}\""),
        ));
        error
    }

    /// The body.
    pub(crate) fn envelope(&self) -> impl Serialize {
        Envelope {
            error: Detail {
                code: self.code,
                message: &self.message,
                hint: &self.hint,
            },
        }
    }

    pub(crate) fn into_response(self) -> Response {
        let mut response = reply::json(self.status, &self.envelope());
        if let Some((extra, value)) = self.header
            && let Ok(value) = HeaderValue::try_from(value)
        {
            response.headers_mut().insert(extra.name(), value);
        }
        response
    }
}

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        let kind = error.kind();
        if kind == ErrorKind::Internal || kind == ErrorKind::StoreUnavailable {
            // The only place where the cause is told: clients get the message alone.
            tracing::error!(error = ?error, "a request failed");
        }
        let hint = error
            .hint_text()
            .map_or(Cow::Borrowed(default_hint(kind)), |hint| {
                Cow::Owned(hint.to_owned())
            });
        let mut answer = Self::new(kind, error.to_string(), hint);
        let retry_after = error
            .retry_after_duration()
            .or((kind == ErrorKind::Throttled).then_some(Duration::from_secs(1)));
        answer.header = match kind {
            ErrorKind::Unauthenticated => {
                Some((Extra::Challenge, "Bearer realm=\"lambda\"".to_owned()))
            }
            // Whole seconds, rounded up: a client that obeys must not come too early.
            _ => retry_after.map(|after| {
                let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
                (Extra::RetryAfter, seconds.max(1).to_string())
            }),
        };
        answer
    }
}

/// What to do next where the error itself does not say.
const fn default_hint(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidParameter => "Correct the field and send the request again.",
        ErrorKind::InvalidRequestContent => "Send one JSON object, encoded as UTF-8.",
        ErrorKind::UnsupportedMediaType => "Send JSON with `Content-Type: application/json`.",
        ErrorKind::InvalidZipFile => "Pack the files anew, as a plain zip of regular files.",
        ErrorKind::Unauthenticated => "Send a token as `Authorization: Bearer <token>`.",
        ErrorKind::PermissionDenied => "Use a token that allows it.",
        ErrorKind::NotFound => "GET /functions lists what there is.",
        ErrorKind::Conflict => "Choose another name, or update the function with PUT.",
        ErrorKind::PreconditionFailed => "Read it again and repeat the change.",
        ErrorKind::PayloadTooLarge => "Send less; put large data where the function can fetch it.",
        ErrorKind::Throttled => "Try again after the time in the header Retry-After.",
        ErrorKind::RuntimeUnavailable => "Run `lambda doctor` on the server: it says what to mend.",
        ErrorKind::StoreUnavailable => "Try again; if it persists, check the server's database.",
        ErrorKind::Closed => "The server is stopping; try again once it has restarted.",
        _ => "Try again; if it persists, the server's log says more.",
    }
}
