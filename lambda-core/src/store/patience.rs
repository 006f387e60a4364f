//! Bounds on calls of a store that nobody asked for and nobody ends: one that takes a connection and
//! never answers must hold up neither starting nor stopping.

use std::future::Future;
use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};

/// How long the platform's own calls of a store may take. They read a page, or close: that takes
/// milliseconds, and where it takes seconds it is tried again or given up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// Awaits a call of a store's, for at most `patience`.
///
/// # Errors
/// `StoreUnavailable` if it has not answered by then; those of the call.
///
/// # Cancellation
/// As of the call: dropping a store's future leaves its change made in full or not at all.
pub(crate) async fn patiently<T>(
    patience: Duration,
    operation: &'static str,
    call: impl Future<Output = Result<T>>,
) -> Result<T> {
    let answered = tokio::time::timeout(patience, call).await;
    answered.unwrap_or_else(|_| {
        let message = format!(
            "The store did not answer within {} s.",
            patience.as_secs_f32()
        );
        Err(Error::new(ErrorKind::StoreUnavailable, operation, message)
            .hint("Look whether the database runs and can be reached."))
    })
}
