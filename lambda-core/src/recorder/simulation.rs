//! A recorder whose disk and whose time are simulated.

use std::sync::Arc;
use std::time::Duration;

use super::{Recorder, RecorderOptions, Threads};
use crate::error::Result;
use crate::store::Store;

pub use super::journal::{Disk, ReadFile, SegmentFile};

/// How long a store may take to answer, and how long the recorder waits after one that failed,
/// at first and at most.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// See [`Patience`].
    pub store_timeout: Duration,
    /// See [`Patience`].
    pub retry_min: Duration,
    /// See [`Patience`].
    pub retry_max: Duration,
}

/// Starts a recorder on the current tokio runtime, without threads, over `disk`.
///
/// # Errors
/// As [`Recorder::start`].
pub fn start_recorder(
    mut options: RecorderOptions,
    patience: Patience,
    store: Arc<dyn Store>,
    disk: Arc<dyn Disk>,
) -> Result<Recorder> {
    options.timing.store_timeout = patience.store_timeout;
    options.timing.retry_min = patience.retry_min;
    options.timing.retry_max = patience.retry_max;
    Recorder::start_with(options, store, disk, Threads::None)
}
