//! Records of invocations, from the moment they end until a store has them.
//!
//! No database is asked on an invocation's path. [`Recorder::record`] writes the record to
//! an append-only file, the journal, before the caller has the result: a process that is
//! killed loses none. Within 100 ms the file is synced: a power failure loses at most that.
//! The flusher then moves whole segments of the journal into the store, idempotent by
//! request id, and deletes a segment once the store has it: an outage of the store loses
//! none and doubles none.

mod flusher;
mod journal;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::Result;
use crate::model::InvocationEntry;
use crate::store::Store;

use journal::Journal;

/// Records invocations. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    journal: Journal,
    shed: AtomicU64,
    /// Woken by the first record after a pause.
    written: Notify,
    closing: CancellationToken,
    tasks: TaskTracker,
}

impl Recorder {
    /// Starts in `directory`, on the current tokio runtime. What an earlier process left
    /// there is moved into the store first.
    ///
    /// # Errors
    /// `Internal` if the directory cannot be used.
    pub fn start(directory: &Path, store: Arc<dyn Store>) -> Result<Self> {
        let shared = Arc::new(Shared {
            journal: Journal::open(directory)?,
            shed: AtomicU64::new(0),
            written: Notify::new(),
            closing: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        shared.tasks.spawn(flusher::sync(Arc::clone(&shared)));
        shared
            .tasks
            .spawn(flusher::flush(Arc::clone(&shared), store));
        shared.tasks.close();
        Ok(Self(shared))
    }

    /// Keeps a record. One write to a file; a failure sheds the record, which is counted
    /// and logged: the function has run, and its caller gets the result.
    pub fn record(&self, entry: &InvocationEntry) {
        match self.0.journal.append(entry) {
            Ok(first) => {
                if first {
                    self.0.written.notify_one();
                }
            }
            Err(error) => {
                let shed = self.0.shed.fetch_add(1, Ordering::Relaxed) + 1;
                // The first, then ever rarer: a full disk must not fill another with logs.
                if shed.is_power_of_two() {
                    tracing::error!(?error, shed, "records of invocations are lost");
                }
            }
        }
    }

    /// How many records could not be kept since the start.
    #[must_use]
    pub fn shed(&self) -> u64 {
        self.0.shed.load(Ordering::Relaxed)
    }

    /// Moves what is there into the store, for at most `deadline`, and stops. What the store
    /// has not taken by then stays in the journal, for the next start.
    pub async fn close(&self, deadline: Duration) {
        self.0.closing.cancel();
        if tokio::time::timeout(deadline, self.0.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("the store did not take all records in time; the journal keeps them");
        }
    }
}
