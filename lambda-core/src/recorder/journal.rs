//! The journal: segments of lines, each `CRC-32 of the JSON in hex, space, JSON`.
//!
//! A line whose checksum does not fit is what a power failure left of a write: it is cut,
//! and everything before it is good.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, ErrorKind, Result};
use crate::model::InvocationEntry;

/// Bytes of records that the store has not taken yet, at which new ones are shed: at some
/// 500 bytes each, half a million invocations of outage.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

const SUFFIX: &str = "journal";

#[derive(Debug)]
pub(super) struct Journal {
    directory: PathBuf,
    active: Mutex<Active>,
    /// Bytes in all segments.
    bytes: AtomicU64,
    dirty: AtomicBool,
}

#[derive(Debug)]
struct Active {
    file: Arc<File>,
    path: PathBuf,
    number: u64,
    records: u64,
    /// Kept, so that a record needs no allocation of its own.
    line: Vec<u8>,
}

impl Journal {
    /// Opens a journal in `directory`, after the segments that are there.
    pub(super) fn open(directory: &Path) -> Result<Self> {
        std::fs::create_dir_all(directory).map_err(unusable)?;
        let earlier = segments(directory)?;
        let bytes = earlier
            .iter()
            .filter_map(|(_, path)| path.metadata().ok())
            .map(|metadata| metadata.len())
            .sum();
        let number = earlier.last().map_or(0, |(number, _)| number + 1);
        let (file, path) = create(directory, number)?;
        Ok(Self {
            directory: directory.to_owned(),
            active: Mutex::new(Active {
                file: Arc::new(file),
                path,
                number,
                records: 0,
                line: Vec::with_capacity(1024),
            }),
            bytes: AtomicU64::new(bytes),
            dirty: AtomicBool::new(false),
        })
    }

    /// Appends one record by one write. Returns whether it is the first of its segment.
    pub(super) fn append(&self, entry: &InvocationEntry) -> Result<bool> {
        if self.bytes.load(Ordering::Relaxed) > BYTES_MAX {
            return Err(Error::new(
                ErrorKind::StoreUnavailable,
                "journal_append",
                "The journal is full, because the store takes no records.",
            ));
        }
        let mut active = self.lock();
        let active = &mut *active;
        active.line.clear();
        active.line.extend_from_slice(b"........ ");
        serde_json::to_writer(&mut active.line, entry).map_err(|error| {
            Error::internal("journal_append", "A record cannot be encoded.").source(error)
        })?;
        let checksum = format!("{:08x}", crc32fast::hash(&active.line[9..]));
        active.line[..8].copy_from_slice(checksum.as_bytes());
        active.line.push(b'\n');
        // A page-cache write of some microseconds, on purpose on this thread: handing it to
        // another would cost the caller ten times as much in wakes.
        (&*active.file).write_all(&active.line).map_err(unusable)?;
        self.bytes
            .fetch_add(active.line.len() as u64, Ordering::Relaxed);
        self.dirty.store(true, Ordering::Release);
        active.records += 1;
        Ok(active.records == 1)
    }

    /// Syncs what has been appended. Blocks.
    pub(super) fn sync(&self) -> Result<()> {
        if self.dirty.swap(false, Ordering::AcqRel) {
            let file = Arc::clone(&self.lock().file);
            file.sync_data().map_err(unusable)?;
        }
        Ok(())
    }

    /// Ends the active segment, if it has records, and returns all that have ended, oldest
    /// first. Blocks.
    pub(super) fn rotate(&self) -> Result<Vec<PathBuf>> {
        let number = {
            let active = self.lock();
            (active.records > 0).then_some(active.number + 1)
        };
        if let Some(number) = number {
            let (file, path) = create(&self.directory, number)?;
            let ended = {
                let mut active = self.lock();
                active.path = path;
                active.number = number;
                active.records = 0;
                std::mem::replace(&mut active.file, Arc::new(file))
            };
            ended.sync_data().map_err(unusable)?;
        }
        let active = self.lock().path.clone();
        let ended = segments(&self.directory)?.into_iter().map(|(_, path)| path);
        Ok(ended.filter(|path| *path != active).collect())
    }

    /// Deletes a segment that the store has. Blocks.
    pub(super) fn remove(&self, segment: &Path) -> Result<()> {
        let size = segment.metadata().map_or(0, |metadata| metadata.len());
        std::fs::remove_file(segment).map_err(unusable)?;
        self.bytes.fetch_sub(size, Ordering::Relaxed);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Active> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The records of a segment. What is torn or was tampered with is left out. Blocks.
pub(super) fn read(segment: &Path) -> Result<Vec<InvocationEntry>> {
    let bytes = std::fs::read(segment).map_err(unusable)?;
    let mut records = Vec::new();
    let mut torn = 0_u32;
    for line in bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        match parse(line) {
            Some(record) => records.push(record),
            None => torn += 1,
        }
    }
    if torn > 0 {
        tracing::warn!(
            torn,
            kept = records.len(),
            "a journal segment has torn lines"
        );
    }
    Ok(records)
}

fn parse(line: &[u8]) -> Option<InvocationEntry> {
    let (checksum, json) = line.split_at_checked(9)?;
    let checksum = std::str::from_utf8(&checksum[..8]).ok()?;
    let checksum = u32::from_str_radix(checksum, 16).ok()?;
    if checksum != crc32fast::hash(json) {
        return None;
    }
    serde_json::from_slice(json).ok()
}

fn create(directory: &Path, number: u64) -> Result<(File, PathBuf)> {
    let path = directory.join(format!("{number:016}.{SUFFIX}"));
    let file = OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(unusable)?;
    // A synced file whose name is not synced is lost as well.
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(unusable)?;
    Ok((file, path))
}

/// All segments, oldest first.
fn segments(directory: &Path) -> Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(unusable)? {
        let path = entry.map_err(unusable)?.path();
        let number = path
            .extension()
            .is_some_and(|extension| extension == SUFFIX)
            .then(|| path.file_stem()?.to_str()?.parse().ok())
            .flatten();
        if let Some(number) = number {
            found.push((number, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

fn unusable(error: std::io::Error) -> Error {
    Error::internal(
        "journal",
        "The journal in the data directory cannot be used.",
    )
    .hint("Check that the data directory is writable and its disk is not full.")
    .source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        FunctionId, FunctionName, InvocationOutput, InvocationRecord, Namespace, RequestId,
        RuntimeName,
    };

    fn record() -> InvocationEntry {
        let record = InvocationRecord::started(
            RequestId::new(),
            Namespace::default(),
            (FunctionId::new(), FunctionName::new("f").unwrap(), 1),
            RuntimeName::docker(),
            jiff::Timestamp::from_microsecond(1_700_000_000_123_456).unwrap(),
        );
        InvocationEntry::new(record, InvocationOutput::new("out", "", None))
    }

    #[test]
    fn what_is_appended_is_read_again_and_a_torn_tail_is_cut() {
        let directory = tempfile::tempdir().unwrap();
        let journal = Journal::open(directory.path()).unwrap();
        let (one, two) = (record(), record());
        assert!(journal.append(&one).unwrap());
        assert!(!journal.append(&two).unwrap());
        let ended = journal.rotate().unwrap();
        assert_eq!(ended.len(), 1);
        assert_eq!(read(&ended[0]).unwrap(), [one.clone(), two]);

        let whole = std::fs::read(&ended[0]).unwrap();
        for cut in 2..200 {
            std::fs::write(&ended[0], &whole[..whole.len() - cut]).unwrap();
            assert_eq!(
                read(&ended[0]).unwrap(),
                std::slice::from_ref(&one),
                "less {cut} bytes"
            );
        }
    }

    #[test]
    fn a_journal_goes_on_after_what_an_earlier_one_left() {
        let directory = tempfile::tempdir().unwrap();
        let first = record();
        Journal::open(directory.path())
            .unwrap()
            .append(&first)
            .unwrap();
        let journal = Journal::open(directory.path()).unwrap();
        let ended = journal.rotate().unwrap();
        assert_eq!(ended.len(), 1);
        assert_eq!(read(&ended[0]).unwrap(), [first]);
        journal.remove(&ended[0]).unwrap();
        assert_eq!(journal.rotate().unwrap(), Vec::<PathBuf>::new());
    }
}
