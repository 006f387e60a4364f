//! Where whoever reads a journal is in it.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;
use uuid::Uuid;

use super::Journal;
use super::reader::{Piece, Reader};
use super::segments::{DAMAGED, Segment, count_records_on};

/// Attempts at reading a segment before it is moved aside: an error may be a passing one.
const ATTEMPTS: u32 = 3;

/// A place in a journal. There is one for each journal.
#[derive(Debug, Default)]
pub(in crate::recorder) struct Cursor {
    open: Option<Open>,
    attempts: u32,
}

#[derive(Debug)]
struct Open {
    number: u64,
    reader: Reader,
    at: u64,
    damaged: u64,
    foreign: u64,
}

impl Cursor {
    /// The next records, at most `records_max`; none: all that is there has been passed.
    /// The same ones again until [`pass`](Self::pass). Blocks.
    ///
    /// Segments that have been passed in full are deleted on the way. One that cannot be read
    /// is moved aside after some attempts.
    ///
    /// # Errors
    /// Try again after a while.
    pub(in crate::recorder) fn read(
        &mut self,
        journal: &Journal,
        records_max: usize,
    ) -> io::Result<Option<Piece>> {
        loop {
            let (segment, until) = journal.oldest();
            match self.read_segment(journal, &segment, until, records_max) {
                Ok(mut piece) if piece.end > self.at() => {
                    self.attempts = 0;
                    piece.is_full |= until.is_none();
                    if !piece.entries.is_empty() {
                        return Ok(Some(piece));
                    }
                    self.pass(journal, &piece);
                }
                Ok(_) if until.is_none() => self.finish(journal, &segment),
                Ok(piece) => {
                    if journal.caught_up(segment.number, piece.end) {
                        return Ok(None);
                    }
                    // Either more has come in this moment, or what is at the end is torn.
                    if journal.oldest().1 == until {
                        return Ok(None);
                    }
                }
                Err(error) => self.fail(journal, &segment, until.is_none(), error)?,
            }
        }
    }

    /// Goes on after a piece that [`read`](Self::read) gave.
    pub(in crate::recorder) fn pass(&mut self, journal: &Journal, piece: &Piece) {
        if let Some(open) = &mut self.open {
            journal
                .passed_bytes
                .fetch_add(piece.end - open.at, Ordering::Relaxed);
            subtract(&journal.pending, piece.frames());
            open.at = piece.end;
            open.damaged += piece.damaged;
            open.foreign += piece.foreign;
            journal.damaged.fetch_add(piece.damaged, Ordering::Relaxed);
        }
    }

    fn at(&self) -> u64 {
        self.open.as_ref().map_or(0, |open| open.at)
    }

    fn read_segment(
        &mut self,
        journal: &Journal,
        segment: &Segment,
        until: Option<u64>,
        records_max: usize,
    ) -> io::Result<Piece> {
        let open = match &mut self.open {
            Some(open) if open.number == segment.number => open,
            open => {
                *open = None;
                // An empty one has no format yet.
                if until == Some(0) {
                    return Ok(Piece::default());
                }
                open.insert(Open {
                    number: segment.number,
                    reader: Reader::open(&*journal.disk, &segment.path)?,
                    at: 0,
                    damaged: 0,
                    foreign: 0,
                })
            }
        };
        open.reader.read(open.at, until, records_max)
    }

    /// All of an ended segment is passed.
    fn finish(&mut self, journal: &Journal, segment: &Segment) {
        let Some(open) = self.open.take() else { return };
        if open.damaged > 0 {
            tracing::warn!(
                damaged = open.damaged,
                "records in a segment of the journal were damaged and left out"
            );
        }
        if open.foreign > 0 {
            // A later version of this program will read them.
            tracing::error!(
                records = open.foreign,
                "a segment of the journal has records of another version; it is kept"
            );
            journal.set_aside(segment);
        } else if let Err(error) = journal.disk.remove(&segment.path) {
            tracing::warn!(%error, "a segment of the journal cannot be deleted; the next start reads it again");
        }
        journal.forget(segment, open.at);
    }

    fn fail(
        &mut self,
        journal: &Journal,
        segment: &Segment,
        is_ended: bool,
        error: io::Error,
    ) -> io::Result<()> {
        let passed = self.at();
        self.open = None;
        // Of this process, not of the segment.
        let is_passing = matches!(
            Errno::from_io_error(&error),
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN)
        );
        if is_passing {
            return Err(error);
        }
        if error.kind() == io::ErrorKind::NotFound && is_ended {
            tracing::error!("a segment of the journal has been removed by somebody else");
            journal.forget(segment, passed);
            return Ok(());
        }
        self.attempts += 1;
        if self.attempts < ATTEMPTS {
            return Err(error);
        }
        self.attempts = 0;
        if !is_ended {
            journal.turn()?;
        }
        tracing::error!(%error, "a segment of the journal cannot be read and is moved aside");
        journal.set_aside(segment);
        journal.forget(segment, passed);
        Ok(())
    }
}

impl Journal {
    /// The oldest segment; with its length if it is the active one.
    fn oldest(&self) -> (Segment, Option<u64>) {
        // In this order: what ends in between is then read as what it was.
        let active = self.active();
        match self.ended().front() {
            Some(ended) => (ended.clone(), None),
            None => (active.segment.clone(), Some(active.len)),
        }
    }

    /// Whether nothing comes after `at` in the active segment, as which `number` is known.
    fn caught_up(&self, number: u64, at: u64) -> bool {
        let active = self.active();
        let is_end = active.segment.number == number && active.len == at;
        if is_end {
            // Torn frames and such are not counted alike everywhere; here the count is known.
            self.pending.store(0, Ordering::Relaxed);
        }
        is_end
    }

    /// Counts the records of earlier processes as pending. Blocks; a segment per call of
    /// some milliseconds.
    pub(in crate::recorder) fn count_earlier(&self) {
        let earlier: Vec<_> = self.ended().iter().cloned().collect();
        for segment in earlier {
            // One that cannot be read is reported by whoever reads it.
            let records = count_records_on(&*self.disk, &segment.path).unwrap_or(0);
            self.pending.fetch_add(records, Ordering::Relaxed);
        }
    }

    fn set_aside(&self, segment: &Segment) {
        self.set_aside.fetch_add(1, Ordering::Relaxed);
        // A name that is nowhere else: the directory's next owner takes the file over.
        let aside = format!("{}.{DAMAGED}", Uuid::now_v7());
        if let Err(error) = self.disk.rename(&segment.path, &self.directory.join(aside)) {
            tracing::warn!(%error, "a segment of the journal cannot be moved aside; the next start reads it again");
        }
    }

    /// Takes an ended segment, of which `passed` bytes were passed, out of the list.
    fn forget(&self, segment: &Segment, passed: u64) {
        self.ended().retain(|ended| ended.number != segment.number);
        subtract(&self.passed_bytes, passed);
        subtract(&self.bytes, segment.len);
    }
}

fn subtract(from: &AtomicU64, amount: u64) {
    let _ = from.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |value| {
        Some(value.saturating_sub(amount))
    });
}
