//! The files of a journal.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::disk::{Disk, RealDisk, SegmentFile};
use super::reader::Reader;

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
