//! The one error type: what went wrong (kind), while doing what (operation), and what to
//! do next (hint).
//!
//! A failure of the user's function is not an error: it is an
//! [`Outcome`](crate::model::Outcome).

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// The result of every fallible operation of the platform.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// What went wrong, as far as a caller can act on it.
///
/// [`ErrorKind::code`] and [`ErrorKind::http_status`] are the one table from kinds to AWS's
/// exception names and to HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A field of the request is missing, unknown or out of range.
    InvalidParameter,
    /// The body of the request is not what the operation reads (not JSON, for instance).
    InvalidRequestContent,
    /// The request's media type is not the expected one.
    UnsupportedMediaType,
    /// The zip archive is damaged, hostile or too large once unpacked.
    InvalidZipFile,
    /// No credentials, or wrong ones.
    Unauthenticated,
    /// The credentials are right but do not allow the operation.
    PermissionDenied,
    /// The function, version, alias or invocation does not exist.
    NotFound,
    /// The name is taken.
    Conflict,
    /// The thing has changed since the caller read it.
    PreconditionFailed,
    /// The event or the code is over its limit.
    PayloadTooLarge,
    /// Concurrency, queue or memory bounds are reached; try again later.
    Throttled,
    /// A sandbox back end cannot be used on this machine as it is now.
    RuntimeUnavailable,
    /// The store cannot be reached, or refused to work.
    StoreUnavailable,
    /// The platform is shutting down.
    Closed,
    /// The platform broke a promise of its own.
    Internal,
}

impl ErrorKind {
    /// AWS Lambda's name for this kind, where it has one.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::InvalidParameter => "InvalidParameterValueException",
            Self::InvalidRequestContent => "InvalidRequestContentException",
            Self::UnsupportedMediaType => "UnsupportedMediaTypeException",
            Self::InvalidZipFile => "InvalidZipFileException",
            Self::Unauthenticated => "UnrecognizedClientException",
            Self::PermissionDenied => "AccessDeniedException",
            Self::NotFound => "ResourceNotFoundException",
            Self::Conflict => "ResourceConflictException",
            Self::PreconditionFailed => "PreconditionFailedException",
            Self::PayloadTooLarge => "RequestTooLargeException",
            Self::Throttled => "TooManyRequestsException",
            Self::RuntimeUnavailable => "ResourceNotReadyException",
            Self::StoreUnavailable | Self::Closed => "ServiceUnavailableException",
            Self::Internal => "ServiceException",
        }
    }

    /// The HTTP status that reports this kind.
    #[must_use]
    pub const fn http_status(self) -> u16 {
        match self {
            Self::InvalidParameter | Self::InvalidRequestContent | Self::InvalidZipFile => 400,
            Self::Unauthenticated => 401,
            Self::PermissionDenied => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::PreconditionFailed => 412,
            Self::PayloadTooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Throttled => 429,
            Self::Internal => 500,
            Self::RuntimeUnavailable | Self::StoreUnavailable | Self::Closed => 503,
        }
    }

    /// Whether the same request may succeed later without being changed.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Throttled | Self::RuntimeUnavailable | Self::StoreUnavailable => true,
            Self::InvalidParameter
            | Self::InvalidRequestContent
            | Self::UnsupportedMediaType
            | Self::InvalidZipFile
            | Self::Unauthenticated
            | Self::PermissionDenied
            | Self::NotFound
            | Self::Conflict
            | Self::PreconditionFailed
            | Self::PayloadTooLarge
            | Self::Closed
            | Self::Internal => false,
        }
    }
}

/// An error of the platform.
///
/// `Display` is the message for users: it carries no host paths, SQL or secrets. The
/// internal cause is in [`source`](std::error::Error::source) and is for logs only.
#[derive(thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    operation: &'static str,
    message: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
    retry_after: Option<Duration>,
    source: Option<Source>,
}

impl Error {
    /// An error of `kind` in `operation` (a noun-first name such as `function_get`).
    pub fn new(
        kind: ErrorKind,
        operation: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            kind,
            operation,
            message: message.into(),
            hint: None,
            retry_after: None,
            source: None,
        }
    }

    /// [`ErrorKind::InvalidParameter`], the most common kind.
    pub fn invalid(operation: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::InvalidParameter, operation, message)
    }

    /// [`ErrorKind::Internal`].
    pub fn internal(operation: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Internal, operation, message)
            .hint("This is a defect of the platform; its log says more.")
    }

    /// What the reader of the message should do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// When a retry is worth it.
    #[must_use]
    pub fn retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The internal cause.
    #[must_use]
    pub fn source(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The same error for another one who asked; the internal cause stays with this one.
    #[must_use]
    pub fn for_another(&self) -> Self {
        Self {
            kind: self.kind,
            operation: self.operation,
            message: self.message.clone(),
            hint: self.hint.clone(),
            retry_after: self.retry_after,
            source: None,
        }
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The operation that failed.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// What to do next, if there is something.
    #[must_use]
    pub fn hint_text(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// When a retry is worth it, if that is known.
    #[must_use]
    pub fn retry_after_duration(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether the same request may succeed later without being changed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.kind.is_retryable()
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} in {}: {}", self.kind, self.operation, self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        let mut source = self.source.as_ref().map(|s| &**s as &dyn std::error::Error);
        while let Some(cause) = source {
            write!(f, "\n  caused by: {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}
