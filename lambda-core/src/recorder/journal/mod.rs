//! The journal: records, in files that are only appended to.
//!
//! A file is a *segment*: `<number>.journal`, of [frames](frame) with one record each. Records
//! go to the end of the active one; the others have ended, and are deleted once the store has
//! what is in them. Whoever reads goes through them oldest first, by a [`Cursor`], up to the end
//! of the active one.
//!
//! A frame that was written in part is taken back, or ended where even that fails, so that it
//! swallows none that follows. What a power failure left of a frame is left out when the
//! segment is read.
//!
//! A failed sync is final for its segment: the kernel may have dropped what it could not write,
//! and reports that only once. What was not synced is therefore written again to a new one.

mod cursor;
mod disk;
mod file;
mod frame;
mod layout;
mod reader;
mod segments;
#[cfg(feature = "simulation")]
mod task;
mod turn;
mod unsynced;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::model::InvocationEntry;

pub(super) use cursor::Cursor;
#[cfg(feature = "simulation")]
pub use disk::ReadFile;
pub(super) use disk::RealDisk;
#[cfg_attr(not(feature = "simulation"), allow(unreachable_pub))]
pub use disk::{Disk, SegmentFile};
#[cfg(feature = "fuzzing")]
pub(super) use layout::{encode, framed};
pub(super) use reader::Piece;
#[cfg(feature = "fuzzing")]
pub(super) use reader::read_all;
pub(crate) use segments::{DAMAGED, SEGMENT};
pub(super) use segments::{Segment, count_records, list};
use unsynced::Unsynced;

/// A segment ends at this size: whole ones are deleted, and an outage's backlog should shrink
/// bit by bit.
const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;

/// A segment with records ends at this age, so that after a crash few are sent again that the
/// store has, and none after it has forgotten them.
const SEGMENT_AGE: Duration = Duration::from_secs(10);

/// A segment with as many bytes will get more: it pays to make that cheap.
const RESERVE_FROM: u64 = 16 * 1024;

#[derive(Debug)]
pub(super) struct Journal {
    directory: PathBuf,
    disk: Arc<dyn Disk>,
    bytes_max: u64,
    segment_bytes: u64,
    /// Bytes in all segments.
    bytes: AtomicU64,
    /// Those of them that whoever reads is done with.
    passed_bytes: AtomicU64,
    /// Records that whoever reads is not done with.
    pending: AtomicU64,
    damaged: AtomicU64,
    set_aside: AtomicU64,
    /// Held by whoever syncs or puts another segment in the place of the active one. Locks are
    /// taken in the order in which they stand here.
    turning: Mutex<()>,
    active: Mutex<Active>,
    /// Oldest first.
    ended: Mutex<VecDeque<Segment>>,
    /// For [`wait`](Self::wait).
    woken: Condvar,
    #[cfg(feature = "simulation")]
    woken_task: tokio::sync::Notify,
    /// How often a record had to wake whoever waits.
    #[cfg(test)]
    wakes: AtomicU64,
}

#[derive(Debug)]
struct Active {
    file: Arc<dyn SegmentFile>,
    segment: Segment,
    /// The length of the file.
    len: u64,
    /// Of this segment, and of those before it whose syncs failed.
    unsynced: Unsynced,
    /// Whether a sync of it failed, or of the one before, whose end `unsynced` begins with.
    is_doubtful: bool,
    /// Whether a part of a frame is at its end.
    is_torn: bool,
    is_reserved: bool,
    /// When its first record came.
    begun: Option<Instant>,
    /// Kept, so that a record needs no allocation of its own.
    scratch: Vec<u8>,
    /// Whether somebody waits for the next record.
    is_awaited: bool,
    is_poked: bool,
}

impl Journal {
    /// Opens a journal in `directory`, after the segments that are there, which are safe from a
    /// power failure from then on. Blocks.
    pub(super) fn open(directory: &Path, bytes_max: u64, disk: Arc<dyn Disk>) -> Result<Self> {
        disk.make_directory(directory).map_err(unusable)?;
        let mut earlier = segments::list_on(&*disk, directory).map_err(unusable)?;
        segments::cut_reserved(&*disk, &mut earlier);
        segments::sync_earlier(&*disk, &earlier);
        let bytes = earlier.iter().map(|segment| segment.len).sum();
        let number = earlier.last().map_or(0, |last| last.number + 1);
        let segment_bytes = SEGMENT_BYTES.min(bytes_max / 8);
        let (file, segment) = segments::create(&*disk, directory, number).map_err(unusable)?;
        Ok(Self {
            directory: directory.to_owned(),
            disk,
            bytes_max,
            segment_bytes,
            bytes: AtomicU64::new(bytes),
            passed_bytes: AtomicU64::new(0),
            pending: AtomicU64::new(0),
            damaged: AtomicU64::new(0),
            set_aside: AtomicU64::new(0),
            turning: Mutex::new(()),
            active: Mutex::new(Active {
                file,
                segment,
                len: 0,
                unsynced: Unsynced::new(),
                is_doubtful: false,
                is_torn: false,
                is_reserved: false,
                begun: None,
                scratch: Vec::with_capacity(1024),
                is_awaited: false,
                is_poked: false,
            }),
            ended: Mutex::new(earlier.into()),
            woken: Condvar::new(),
            #[cfg(feature = "simulation")]
            woken_task: tokio::sync::Notify::new(),
            #[cfg(test)]
            wakes: AtomicU64::new(0),
        })
    }

    /// Appends one record: when this returns the kernel has it.
    ///
    /// # Errors
    /// `StoreUnavailable` at the bound; `Internal` where the disk takes nothing.
    pub(super) fn append(&self, entry: &InvocationEntry) -> Result<()> {
        // Before the work, which nobody has a use for during a long outage.
        if self.bytes.load(Ordering::Relaxed) >= self.bytes_max {
            return Err(full());
        }
        let mut active = self.active();
        let appended = self.append_to(&mut active, entry);
        let awaited = appended.is_ok() && std::mem::take(&mut active.is_awaited);
        drop(active);
        // A wake costs as much as the rest: it is paid by the first record after a pause only.
        if awaited {
            #[cfg(test)]
            self.wakes.fetch_add(1, Ordering::Relaxed);
            self.wake();
        }
        appended
    }

    fn append_to(&self, active: &mut Active, entry: &InvocationEntry) -> Result<()> {
        let frames = active.unsynced.frames();
        let start = frames.len();
        if active.is_torn {
            frames.push(frame::END);
        }
        let encoded = layout::encode(entry, &mut active.scratch, frames);
        let bytes = (frames.len() - start) as u64;
        let fits = self.bytes.load(Ordering::Relaxed) + bytes <= self.bytes_max;
        if encoded.is_err() || !fits {
            frames.truncate(start);
            return encoded.and(Err(full()));
        }
        // A copy into the page cache, on purpose on this thread: handing it to another would
        // cost the caller a hundred times as much in wakes.
        let written = write_all(&*active.file, &frames[start..]);
        let (kept, result) = match written {
            Ok(()) => {
                if std::mem::take(&mut active.is_torn) {
                    frames.remove(start);
                }
                self.pending.fetch_add(1, Ordering::Relaxed);
                (bytes, Ok(()))
            }
            Err((part, error)) => {
                frames.truncate(start);
                let is_cut = part == 0 || active.file.truncate(active.len).is_ok();
                active.is_torn |= !is_cut;
                (if is_cut { 0 } else { part as u64 }, Err(unusable(error)))
            }
        };
        active.len += kept;
        self.bytes.fetch_add(kept, Ordering::Relaxed);
        if active.begun.is_none() && active.len > 0 {
            active.begun = Some(Instant::now());
        }
        active.unsynced.bound();
        result
    }

    /// Whether there is something to sync.
    pub(super) fn is_dirty(&self) -> bool {
        self.active().is_dirty()
    }

    /// Waits for [`poke`](Self::poke), until `timeout` is over, and where `for_record` also for
    /// the next record. Blocks.
    pub(super) fn wait(&self, timeout: Option<Duration>, for_record: bool) {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        let mut active = self.active();
        if for_record && active.is_dirty() {
            return;
        }
        active.is_awaited = for_record;
        while !active.is_poked && active.is_awaited == for_record {
            let left = match deadline {
                None => Duration::MAX,
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
            };
            if left.is_zero() {
                break;
            }
            active = match deadline {
                None => self
                    .woken
                    .wait(active)
                    .unwrap_or_else(PoisonError::into_inner),
                Some(_) => {
                    let waited = self.woken.wait_timeout(active, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        active.is_awaited = false;
        active.is_poked = false;
    }

    /// Ends a wait, or the next one.
    pub(super) fn poke(&self) {
        self.active().is_poked = true;
        self.wake();
    }

    fn wake(&self) {
        self.woken.notify_all();
        #[cfg(feature = "simulation")]
        self.woken_task.notify_one();
    }

    /// Bytes in all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn bytes_max(&self) -> u64 {
        self.bytes_max
    }

    /// Records and bytes that whoever reads is not done with.
    pub(super) fn pending(&self) -> (u64, u64) {
        let passed = self.passed_bytes.load(Ordering::Relaxed);
        let records = self.pending.load(Ordering::Relaxed);
        (records, self.bytes().saturating_sub(passed))
    }

    /// Records that were damaged, and segments that were moved aside.
    pub(super) fn damage(&self) -> (u64, u64) {
        let damaged = self.damaged.load(Ordering::Relaxed);
        (damaged, self.set_aside.load(Ordering::Relaxed))
    }

    #[cfg(test)]
    pub(super) fn wakes(&self) -> u64 {
        self.wakes.load(Ordering::Relaxed)
    }

    fn active(&self) -> MutexGuard<'_, Active> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self) -> MutexGuard<'_, VecDeque<Segment>> {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Active {
    fn is_dirty(&self) -> bool {
        !self.unsynced.is_empty() || self.is_doubtful
    }

    /// Puts another segment in the place of this one, which is returned as it ended.
    fn replace(
        &mut self,
        file: Arc<dyn SegmentFile>,
        segment: Segment,
    ) -> (Arc<dyn SegmentFile>, Segment) {
        let file = std::mem::replace(&mut self.file, file);
        let mut segment = std::mem::replace(&mut self.segment, segment);
        segment.len = self.len;
        self.len = 0;
        self.is_torn = false;
        self.is_reserved = false;
        self.begun = None;
        (file, segment)
    }
}

/// Writes all, or says how much of it.
fn write_all(file: &dyn SegmentFile, bytes: &[u8]) -> Result<(), (usize, io::Error)> {
    let mut written = 0;
    while written < bytes.len() {
        match file.append(&bytes[written..]) {
            Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
            Ok(len) => written += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((written, error)),
        }
    }
    Ok(())
}

fn full() -> Error {
    Error::new(
        ErrorKind::StoreUnavailable,
        "journal_append",
        "The journal is full, because the store does not take its records.",
    )
    .hint("Look why the store does not answer, or allow the journal more bytes.")
}

fn unusable(error: io::Error) -> Error {
    Error::internal(
        "journal",
        "The journal in the data directory cannot be used.",
    )
    .hint("Check that the data directory is writable and its disk is not full.")
    .source(error)
}
