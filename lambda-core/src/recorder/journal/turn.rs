//! Syncing, and going over to the next segment.

use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::{Journal, RESERVE_FROM, SEGMENT_AGE, segments, write_all};

impl Journal {
    /// Makes durable what has been appended. Blocks.
    ///
    /// After an error the next call writes what was not synced again, to a new segment.
    pub(in crate::recorder) fn sync(&self) -> io::Result<()> {
        let _turn = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        if self.active().is_doubtful {
            self.write_again()?;
        }
        let (file, end) = {
            let active = self.active();
            if active.unsynced.is_empty() {
                return Ok(());
            }
            (Arc::clone(&active.file), active.unsynced.end())
        };
        let synced = file.sync();
        let mut active = self.active();
        match synced {
            Ok(()) => {
                active.unsynced.sync(end);
                Ok(())
            }
            Err(error) => {
                active.is_doubtful = true;
                Err(error)
            }
        }
    }

    /// Puts a new segment in the place of one whose sync failed, with all that was not synced.
    /// What is in the old one all the same is sent twice, and kept once.
    fn write_again(&self) -> io::Result<()> {
        let number = self.active().segment.number + 1;
        let (file, segment) = segments::create(&*self.disk, &self.directory, number)?;
        let mut active = self.active();
        if let Err((_, error)) = write_all(&*file, active.unsynced.frames()) {
            let _ = self.disk.remove(&segment.path);
            return Err(error);
        }
        let bytes = active.unsynced.frames().len() as u64;
        let (records, lost_bytes) = (active.unsynced.records(), active.unsynced.take_lost());
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.pending.fetch_add(records, Ordering::Relaxed);
        let (old_file, old) = active.replace(file, segment);
        // What it has reserved and not used; no matter where that fails.
        let _ = old_file.truncate(old.len);
        active.len = bytes;
        active.begun = Some(Instant::now());
        active.is_doubtful = false;
        self.ended().push_back(old);
        drop(active);
        tracing::warn!(
            records,
            "records that the disk did not sync were written to the journal again"
        );
        if lost_bytes > 0 {
            tracing::error!(
                lost_bytes,
                "of records that the disk did not sync there is no copy"
            );
        }
        Ok(())
    }

    /// Prepares the active segment for many records, once it has some. Blocks.
    pub(in crate::recorder) fn reserve(&self) {
        let _turn = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let file = {
            let mut active = self.active();
            if active.is_reserved || active.len < RESERVE_FROM {
                return;
            }
            active.is_reserved = true;
            Arc::clone(&active.file)
        };
        // It ends a little after it has reached its size.
        file.reserve(self.segment_bytes + self.segment_bytes / 16);
    }

    /// When the active segment is to end: now where that is zero; none: it has no records.
    pub(in crate::recorder) fn turn_due_in(&self) -> Option<Duration> {
        let active = self.active();
        if active.len >= self.segment_bytes && active.len > 0 {
            return Some(Duration::ZERO);
        }
        let begun = active.begun?;
        Some(SEGMENT_AGE.saturating_sub(begun.elapsed()))
    }

    /// Ends the active segment if it has records; returns whether it had. Blocks.
    pub(in crate::recorder) fn turn_if_any(&self) -> io::Result<bool> {
        let has_any = self.active().len > 0;
        self.turn()?;
        Ok(has_any)
    }

    /// Ends the active segment if it has records. Blocks.
    pub(in crate::recorder) fn turn(&self) -> io::Result<()> {
        let _turn = self.turning.lock().unwrap_or_else(PoisonError::into_inner);
        let number = {
            let active = self.active();
            if active.len == 0 {
                return Ok(());
            }
            active.segment.number + 1
        };
        let (file, segment) = segments::create(&*self.disk, &self.directory, number)?;
        let (old, len, end, is_dirty) = {
            let mut active = self.active();
            let (end, is_dirty) = (active.unsynced.end(), active.is_dirty());
            let (file, old) = active.replace(file, segment);
            let len = old.len;
            self.ended().push_back(old);
            (file, len, end, is_dirty)
        };
        // What it has reserved and not used; where that fails it is read as nothing.
        let _ = old.truncate(len);
        if is_dirty {
            let synced = old.sync();
            let mut active = self.active();
            match synced {
                // What has come since is not synced; what was there before is.
                Ok(()) if !active.is_doubtful => active.unsynced.sync(end),
                Ok(()) => {}
                Err(error) => {
                    active.is_doubtful = true;
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}
