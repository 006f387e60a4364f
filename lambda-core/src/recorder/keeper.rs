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

/// What fails is tried less often, up to this.
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
    /// Each by itself: where there is no room for another segment, the active one is synced as
    /// often as before.
    syncs: Attempts,
    turns: Attempts,
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
            syncs: Attempts::default(),
            turns: Attempts::default(),
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
        if is_last || self.syncs.are_due(began) {
            let synced = sync(shared);
            self.syncs.note(began, synced.is_ok());
            tell_of_syncs(shared, synced);
        }
        if is_last || self.turns.are_due(began) {
            let turned = turn(shared);
            if let Err(error) = &turned
                && self.turns.are_well()
            {
                tracing::error!(%error, "the journal cannot begin its next file; the last one grows");
            }
            self.turns.note(began, turned.is_ok());
        }
        shared.journal.reserve();
        if is_dirty {
            shared.appended.notify_one();
        }
        let status_due_in = self.file.write(shared.status());
        if is_last {
            return None;
        }
        if self.quiet > LINGER && self.syncs.are_well() && self.turns.are_well() {
            let turn_due_in = shared.journal.turn_due_in();
            return Some(Rest {
                due_in: turn_due_in.into_iter().chain(status_due_in).min(),
                for_record: true,
            });
        }
        Some(Rest {
            due_in: Some(SYNC_INTERVAL.saturating_sub(began.elapsed())),
            for_record: false,
        })
    }
}

fn sync(shared: &Shared) -> io::Result<()> {
    if shared.journal.sync().is_err() {
        // At once: what was not synced goes into a new segment, which may be luckier.
        shared.journal.sync()?;
    }
    Ok(())
}

fn tell_of_syncs(shared: &Shared, synced: io::Result<()>) {
    match synced {
        Ok(()) => {
            if let Some(trouble) = shared.disk_trouble.end() {
                tracing::info!(since = %trouble.since, "the journal is written and synced again");
            }
        }
        Err(error) => {
            if shared.disk_trouble.begin(error.to_string()) {
                tracing::error!(%error, "the journal cannot be synced: a power failure would lose records");
            }
        }
    }
}

fn turn(shared: &Shared) -> io::Result<()> {
    let due_in = shared.journal.turn_due_in();
    if due_in.is_some_and(|left| left.is_zero()) {
        shared.journal.turn()?;
        // The one that has ended may be deleted.
        shared.appended.notify_one();
    }
    Ok(())
}

/// Attempts at something that may fail: the more have failed in a row, the longer until the next.
#[derive(Debug, Default)]
struct Attempts {
    failures: u32,
    /// None: at once.
    due: Option<Instant>,
}

impl Attempts {
    fn are_well(&self) -> bool {
        self.failures == 0
    }

    fn are_due(&self, now: Instant) -> bool {
        self.due.is_none_or(|due| due <= now)
    }

    /// One that began at `began` has ended.
    fn note(&mut self, began: Instant, is_well: bool) {
        self.failures = if is_well { 0 } else { self.failures + 1 };
        let pause = SYNC_INTERVAL * (1 << self.failures.min(7));
        self.due = (!is_well).then(|| began + pause.min(RETRY_MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_is_tried_ever_less_often() {
        let mut attempts = Attempts::default();
        let began = Instant::now();
        assert!(attempts.are_due(began) && attempts.are_well());
        for pause_ms in [100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000] {
            attempts.note(began, false);
            let due = began + Duration::from_millis(pause_ms);
            assert!(attempts.are_due(due) && !attempts.are_well());
            assert!(
                !attempts.are_due(due - Duration::from_millis(1)),
                "{pause_ms}"
            );
        }
        attempts.note(began, true);
        assert!(attempts.are_due(began) && attempts.are_well());
    }
}
