//! The files of a journal.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, RealDisk, SegmentFile};
use super::frame;
use super::reader::{Reader, read_at};

/// The extension of a segment.
pub(crate) const SEGMENT: &str = "journal";

/// The extension of a segment that could not be read.
pub(crate) const DAMAGED: &str = "damaged";

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::recorder) struct Segment {
    pub(in crate::recorder) number: u64,
    pub(in crate::recorder) path: PathBuf,
    /// Its bytes, once it has ended.
    pub(in crate::recorder) len: u64,
}

/// Makes a segment, and its name durable.
pub(super) fn create(
    disk: &dyn Disk,
    directory: &Path,
    number: u64,
) -> io::Result<(Arc<dyn SegmentFile>, Segment)> {
    let path = directory.join(format!("{number:016}.{SEGMENT}"));
    let file = disk.create(&path)?;
    if let Err(error) = disk.sync_directory(directory) {
        let _ = disk.remove(&path);
        return Err(error);
    }
    let segment = Segment {
        number,
        path,
        len: 0,
    };
    Ok((file, segment))
}

/// All segments in a directory of the file system, oldest first. Blocks.
pub(in crate::recorder) fn list(directory: &Path) -> io::Result<Vec<Segment>> {
    list_on(&RealDisk { may_map: false }, directory)
}

/// All segments in a directory, oldest first. Blocks.
pub(super) fn list_on(disk: &dyn Disk, directory: &Path) -> io::Result<Vec<Segment>> {
    let mut found = Vec::new();
    for (path, len) in disk.list(directory)? {
        let is_segment = path
            .extension()
            .is_some_and(|extension| extension == SEGMENT);
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        if let Some(number) = number.filter(|_| is_segment) {
            found.push(Segment { number, path, len });
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Cuts off what earlier processes had reserved and not used. One that was killed leaves megabytes of
/// it, which would count as records do until the journal is full of nothing. Blocks.
pub(super) fn cut_reserved(disk: &dyn Disk, earlier: &mut [Segment]) {
    for segment in earlier {
        // One that cannot be read is reported by whoever reads it.
        let used = used(disk, segment).unwrap_or(segment.len);
        if used < segment.len && disk.truncate(&segment.path, used).is_ok() {
            segment.len = used;
        }
    }
}

/// The length of a segment without the zeros at its end, but for the one that ends a frame.
fn used(disk: &dyn Disk, segment: &Segment) -> io::Result<u64> {
    let file = disk.open(&segment.path)?;
    let mut bytes = vec![0; 64 * 1024];
    let mut end = segment.len;
    while end > 0 {
        let part = bytes.len().min(usize::try_from(end).unwrap_or(usize::MAX));
        let from = end - part as u64;
        if read_at(&*file, &mut bytes[..part], from)? < part {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(last) = bytes[..part].iter().rposition(|byte| *byte != frame::END) {
            return Ok(segment.len.min(from + last as u64 + 2));
        }
        end = from;
    }
    Ok(0)
}

/// Makes durable what earlier processes wrote. One that was killed left its last records in the
/// kernel's pages, and nobody else would sync them. Blocks.
pub(super) fn sync_earlier(disk: &dyn Disk, earlier: &[Segment]) {
    for segment in earlier {
        // They are read all the same, and may reach the store before the power fails.
        if let Err(error) = disk.sync(&segment.path) {
            tracing::error!(%error, "records of an earlier process cannot be synced: a power failure would lose them");
        }
    }
}

/// How many records there are in a segment, damaged ones included. Blocks.
pub(in crate::recorder) fn count_records(segment: &Path) -> io::Result<u64> {
    count_records_on(&RealDisk { may_map: false }, segment)
}

/// As [`count_records`], on a disk. Blocks.
pub(super) fn count_records_on(disk: &dyn Disk, segment: &Path) -> io::Result<u64> {
    Reader::open(disk, segment)?.count()
}
