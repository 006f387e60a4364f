//! Keeps the journal safe: syncs it, ends its segments, and tells others how it stands.
//!
//! A thread of its own, because the promise that a record is on the disk within 100 ms must
//! not depend on how busy the application's tokio runtime is. It runs while records come, and
//! sleeps while none do; the first one after a pause wakes it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::Shared;
use super::status_file::StatusFile;

/// From the beginning of one sync to that of the next. A record is on the disk after this and
/// what a sync takes: well within 100 ms.
const SYNC_INTERVAL: Duration = Duration::from_millis(50);

/// While a disk fails it is tried less often, up to this.
const RETRY_MAX: Duration = Duration::from_secs(5);

/// Intervals without a record until a record has to wake the thread: calls that come a little
/// apart must not each pay for a wake.
const LINGER: u32 = 4;

/// Keeps one journal.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    file: StatusFile,
    /// Intervals without a record.
    quiet: u32,
    /// Of the disk, in a row.
    failures: u32,
}

/// Until when the keeper has nothing to do.
struct Rest {
    due_in: Option<Duration>,
    /// Whether a record ends it.
    for_record: bool,
}

impl Keeper {
    pub(super) fn new(shared: Arc<Shared>, file: StatusFile) -> Self {
        Self {
            shared,
            file,
            quiet: 0,
            failures: 0,
        }
    }

    /// Runs until `keeper_stop`, and then once more. Blocks.
    pub(super) fn run(mut self) {
        while let Some(rest) = self.step() {
            self.shared.journal.wait(rest.due_in, rest.for_record);
        }
    }

    /// As [`run`](Self::run), in a task.
    #[cfg(feature = "simulation")]
    pub(super) async fn run_in_task(mut self) {
        while let Some(rest) = self.step() {
            let journal = &self.shared.journal;
            let busy = journal.disk_was_busy();
            tokio::time::sleep(busy).await;
            let due_in = rest.due_in.map(|due_in| due_in.saturating_sub(busy));
            journal.wait_in_task(due_in, rest.for_record).await;
        }
    }

    /// None: it was the last one.
    fn step(&mut self) -> Option<Rest> {
        let shared = &*self.shared;
        let began = Instant::now();
        let is_last = shared.keeper_stop.load(Ordering::Acquire);
        let is_dirty = shared.journal.is_dirty();
        self.quiet = if is_dirty { 0 } else { self.quiet + 1 };
        self.failures = match keep(shared) {
            Ok(()) => {
                if let Some(trouble) = shared.disk_trouble.end() {
                    tracing::info!(since = %trouble.since, "the journal is written and synced again");
                }
                0
            }
            Err(error) => {
                if shared.disk_trouble.begin(error.to_string()) {
                    tracing::error!(%error, "the journal cannot be synced: a power failure would lose records");
                }
                self.failures + 1
            }
        };
        if is_dirty {
            shared.appended.notify_one();
        }
        let status_due_in = self.file.write(shared.status());
        if is_last {
            return None;
        }
        if self.quiet > LINGER && self.failures == 0 {
            let turn_due_in = shared.journal.turn_due_in();
            return Some(Rest {
                due_in: turn_due_in.into_iter().chain(status_due_in).min(),
                for_record: true,
            });
        }
        let interval = (SYNC_INTERVAL * (1 << self.failures.min(7))).min(RETRY_MAX);
        Some(Rest {
            due_in: Some(interval.saturating_sub(began.elapsed())),
            for_record: false,
        })
    }
}

fn keep(shared: &Shared) -> io::Result<()> {
    let journal = &shared.journal;
    if journal.sync().is_err() {
        // At once: what was not synced goes into a new segment, which may be luckier.
        journal.sync()?;
    }
    if journal.turn_due_in().is_some_and(|left| left.is_zero()) {
        journal.turn()?;
        // The one that has ended may be deleted.
        shared.appended.notify_one();
    }
    journal.reserve();
    Ok(())
}
