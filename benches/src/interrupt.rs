//! Ending in good order: servers and sandboxes are removed where their values are dropped.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use crate::Result;

/// Drives `work` until it ends, or drops it at Ctrl-C or `SIGTERM`.
///
/// # Errors
/// Those of `work`, or that it was ended.
pub async fn interruptible<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        result = work => result,
        _ = interrupt.recv() => Err("interrupted".into()),
        _ = terminate.recv() => Err("terminated".into()),
    }
}
