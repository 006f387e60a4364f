//! Keeps the journal safe: syncs it, ends its segments, and tells others how it stands.
//!
//! A thread of its own, because the promise that a record is on the disk within 100 ms must
//! not depend on how busy the application's tokio runtime is. It runs while records come, and
//! sleeps while none do; the first one after a pause wakes it.

use std::io;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

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

/// Runs until `keeper_stop`, and then once more.
pub(super) fn run(shared: &Shared, mut file: StatusFile) {
    let mut quiet = 0;
    // Each by itself: where there is no room for another segment, the active one is synced as
    // often as before.
    let (mut syncs, mut turns) = (Attempts::default(), Attempts::default());
    loop {
        let began = Instant::now();
        let is_last = shared.keeper_stop.load(Ordering::Acquire);
        let is_dirty = shared.journal.is_dirty();
        quiet = if is_dirty { 0 } else { quiet + 1 };
        if is_last || syncs.are_due(began) {
            let synced = sync(shared);
            syncs.note(began, synced.is_ok());
            tell_of_syncs(shared, synced);
        }
        if is_last || turns.are_due(began) {
            let turned = turn(shared);
            if let Err(error) = &turned
                && turns.are_well()
            {
                tracing::error!(%error, "the journal cannot begin its next file; the last one grows");
            }
            turns.note(began, turned.is_ok());
        }
        shared.journal.reserve();
        if is_dirty {
            shared.appended.notify_one();
        }
        let status_due_in = file.write(shared.status());
        if is_last {
            return;
        }
        if quiet > LINGER && syncs.are_well() && turns.are_well() {
            let turn_due_in = shared.journal.turn_due_in();
            let due_in = turn_due_in.into_iter().chain(status_due_in).min();
            shared.journal.wait(due_in, true);
        } else {
            let left = SYNC_INTERVAL.saturating_sub(began.elapsed());
            shared.journal.wait(Some(left), false);
        }
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
