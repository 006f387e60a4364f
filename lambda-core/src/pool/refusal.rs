//! What those who are refused hear.

use std::time::Duration;

use super::state::Refusal;
use crate::error::{Error, ErrorKind};

pub(super) fn error(reason: Refusal) -> Error {
    match reason {
        Refusal::QueueFull => Error::new(
            ErrorKind::Throttled,
            "pool_acquire",
            "Too many invocations are waiting already.",
        )
        .hint("Try again later, or raise the function's concurrency or the pool's bounds.")
        .retry_after(Duration::from_secs(1)),
        Refusal::QueueTimeout => Error::new(
            ErrorKind::Throttled,
            "pool_acquire",
            "No sandbox became free in time.",
        )
        .hint("Try again later, or raise the function's concurrency or the pool's bounds.")
        .retry_after(Duration::from_secs(1)),
        Refusal::TooLarge => Error::invalid(
            "pool_acquire",
            "The function's memory is more than the platform may use in all.",
        )
        .hint("Lower the function's `memory_mib`, or raise the pool's memory bound."),
        Refusal::CreateFailed => Error::new(
            ErrorKind::RuntimeUnavailable,
            "pool_acquire",
            "The sandbox could not be created.",
        )
        .hint("Run `lambda doctor`; it says what to mend."),
        Refusal::RuntimeFailing { retry_after } => Error::new(
            ErrorKind::RuntimeUnavailable,
            "pool_acquire",
            "The runtime has failed several times in a row; it is tried again soon.",
        )
        .hint("Run `lambda doctor`; it says what to mend.")
        .retry_after(retry_after),
        Refusal::Closed => Error::new(
            ErrorKind::Closed,
            "pool_acquire",
            "The platform is shutting down.",
        ),
    }
}
