//! Reads a segment in pieces.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::disk::{Disk, ReadFile};
use super::layout::{Content, Format};
use crate::model::InvocationEntry;

/// What a record is taken to need when a piece is read: more makes no difference, less only
/// costs a look more.
const RECORD_BYTES: u64 = 512;
const READ_BYTES_MIN: u64 = 64 * 1024;
/// Bounds the memory of a piece whose records are large.
const READ_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Some records of a segment, in order.
#[derive(Debug, Default)]
pub(in crate::recorder) struct Piece {
    pub(in crate::recorder) entries: Vec<InvocationEntry>,
    /// Frames that are damaged, or torn at the end of a segment: they are left out.
    pub(super) damaged: u64,
    /// Frames that another program wrote.
    pub(super) foreign: u64,
    /// Where the next piece begins.
    pub(super) end: u64,
    /// Whether there is more.
    pub(in crate::recorder) is_full: bool,
    /// How many entries it has, or had.
    records: u64,
}

impl Piece {
    /// All that it goes past.
    pub(super) fn frames(&self) -> u64 {
        self.records + self.damaged + self.foreign
    }
}

#[derive(Debug)]
pub(super) struct Reader {
    file: Arc<dyn ReadFile>,
    format: Format,
}

impl Reader {
    pub(super) fn open(disk: &dyn Disk, path: &Path) -> io::Result<Self> {
        let file = disk.open(path)?;
        let mut head = [0; 16];
        let len = read_at(&*file, &mut head, 0)?;
        Ok(Self {
            file,
            format: Format::of(&head[..len]),
        })
    }

    /// At most `records_max` records from the byte `from` on. Without `until` the segment has
    /// ended: what is at its end without an end of its own is torn. Blocks.
    pub(super) fn read(
        &self,
        from: u64,
        until: Option<u64>,
        records_max: usize,
    ) -> io::Result<Piece> {
        let len = match until {
            Some(until) => until,
            None => self.file.size()?,
        };
        let left = len.saturating_sub(from);
        let mut want = (records_max as u64 * RECORD_BYTES).clamp(READ_BYTES_MIN, READ_BYTES_MAX);
        loop {
            let wanted = usize::try_from(want.min(left)).unwrap_or(usize::MAX);
            let mut bytes = vec![0; wanted];
            let read = read_at(&*self.file, &mut bytes, from)?;
            bytes.truncate(read);
            let is_all = want >= left || read < wanted;
            let is_ended = is_all && until.is_none();
            if let Some(piece) = piece(self.format, from, &bytes, records_max, is_all, is_ended) {
                return Ok(piece);
            }
            want *= 4;
        }
    }

    /// How many frames there are, whole or not. Blocks.
    pub(super) fn count(&self) -> io::Result<u64> {
        let end = self.format.end();
        let mut bytes = vec![0; 64 * 1024];
        let (mut at, mut frames, mut last) = (0, 0, end);
        loop {
            let read = read_at(&*self.file, &mut bytes, at)?;
            if read == 0 {
                return Ok(frames);
            }
            for byte in &bytes[..read] {
                frames += u64::from(*byte == end && last != end);
                last = *byte;
            }
            at += read as u64;
        }
    }
}

/// None if not even one frame is whole, and more can be read.
fn piece(
    format: Format,
    from: u64,
    bytes: &[u8],
    records_max: usize,
    is_all: bool,
    is_ended: bool,
) -> Option<Piece> {
    let mut piece = Piece::default();
    let mut scratch = Vec::new();
    let mut at = 0;
    while at < bytes.len() && piece.entries.len() < records_max {
        let rest = &bytes[at..];
        let frame = match rest.iter().position(|byte| *byte == format.end()) {
            Some(len) => &rest[..len],
            None if is_ended => rest,
            None => break,
        };
        at = (at + frame.len() + 1).min(bytes.len());
        // Between two ends, or what is reserved at the end of a file and not used.
        if frame.is_empty() {
            at += bytes[at..].iter().take_while(|byte| **byte == 0).count();
            continue;
        }
        match format.decode(frame, &mut scratch) {
            Content::Record(entry) => piece.entries.push(*entry),
            Content::Foreign => piece.foreign += 1,
            Content::Damaged => piece.damaged += 1,
        }
    }
    if at == 0 && !is_all {
        return None;
    }
    piece.end = from + at as u64;
    piece.records = piece.entries.len() as u64;
    piece.is_full = piece.entries.len() == records_max || !is_all;
    Some(piece)
}

/// Reads a whole segment from memory, in pieces of `records_max` records.
#[cfg(feature = "fuzzing")]
pub(in crate::recorder) fn read_all(segment: &[u8], records_max: usize) -> Vec<Piece> {
    let format = Format::of(segment);
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < segment.len() {
        let Some(piece) = piece(format, 0, &segment[at..], records_max, true, true) else {
            break;
        };
        assert!(piece.end > 0, "the reader stands still");
        at += usize::try_from(piece.end).expect("within the segment");
        pieces.push(piece);
    }
    assert_eq!(at, segment.len(), "something is passed over");
    pieces
}

/// Fills `bytes` as far as the file reaches.
pub(super) fn read_at(file: &dyn ReadFile, bytes: &mut [u8], from: u64) -> io::Result<usize> {
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], from + read as u64) {
            Ok(0) => break,
            Ok(len) => read += len,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}
