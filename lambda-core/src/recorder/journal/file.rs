//! A segment in the file system, written through a mapping of its pages where that is safe.
//!
//! A record is then a copy in memory, not a system call, and yet the kernel's as soon as it is
//! made: a process that is killed loses none. See docs/decisions/journal.md for what it saves,
//! and when it is not done.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use memmap2::MmapMut;
use rustix::fs::{FallocateFlags, fallocate, fstatfs};

use super::disk::SegmentFile;

/// File systems that keep the promise of `fallocate`: a write to a page of the file cannot fail
/// for want of space. Elsewhere it could, and where it is made through a mapping that is the end
/// of the process. The magic numbers of ext2 to ext4, XFS and tmpfs, from `statfs(2)`.
const RESERVING: [u64; 3] = [0xef53, 0x5846_5342, 0x0102_1994];

#[derive(Debug)]
pub(super) struct RealFile {
    file: File,
    may_map: bool,
    tail: Mutex<Tail>,
}

#[derive(Debug, Default)]
struct Tail {
    /// Where the next bytes go.
    at: usize,
    /// The first pages of the file; none: it is written by system calls.
    map: Option<MmapMut>,
}

impl RealFile {
    /// A new, empty file.
    pub(super) fn new(file: File, may_map: bool) -> Self {
        Self {
            file,
            may_map,
            tail: Mutex::default(),
        }
    }

    fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None: its file system does not allow it, or has no room for that much.
    fn map(&self, bytes: u64) -> Option<MmapMut> {
        let kind = fstatfs(&self.file).ok()?.f_type;
        if !self.may_map || !RESERVING.contains(&u64::try_from(kind).ok()?) {
            return None;
        }
        fallocate(&self.file, FallocateFlags::empty(), 0, bytes).ok()?;
        // SAFETY: bytes of a mapping may change, or go, when somebody else writes to the file or
        // cuts it. Nothing here reads the mapping, only copies into it, so that changed bytes do
        // no harm; and the file was made by this process, in a directory that it has locked, for
        // nobody else to open. It is cut by `truncate` alone, which unmaps it before.
        #[allow(unsafe_code)]
        let map = unsafe { MmapMut::map_mut(&self.file) };
        map.ok()
    }
}

impl SegmentFile for RealFile {
    fn reserve(&self, bytes: u64) {
        // Made before the lock is taken: who appends does not wait for it.
        let Some(map) = self.map(bytes) else { return };
        let mut tail = self.tail();
        // Who failed to append may have cut the file meanwhile: then pages of the mapping have
        // nothing behind them, and touching one would end the process.
        let len = self.file.metadata().map_or(0, |metadata| metadata.len());
        if len >= map.len() as u64 {
            tail.map = Some(map);
        }
    }

    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut tail = self.tail();
        let at = tail.at;
        let room = tail
            .map
            .as_mut()
            .and_then(|map| map.get_mut(at..at + bytes.len()));
        let written = match room {
            Some(room) => {
                room.copy_from_slice(bytes);
                bytes.len()
            }
            None => self.file.write_at(bytes, at as u64)?,
        };
        tail.at += written;
        Ok(written)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        let mut tail = self.tail();
        tail.map = None;
        self.file.set_len(len)?;
        tail.at = usize::try_from(len).unwrap_or(usize::MAX);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        // With what was written through the mapping.
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::path::Path;

    use super::*;

    fn create(directory: &Path, may_map: bool) -> RealFile {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        let file = options.open(directory.join("segment")).unwrap();
        RealFile::new(file, may_map)
    }

    #[test]
    fn what_is_appended_is_there_before_in_and_behind_the_mapping() {
        for may_map in [false, true] {
            let directory = tempfile::tempdir().unwrap();
            let file = create(directory.path(), may_map);
            let mut expected = Vec::new();
            for at in 0..100_u8 {
                if at == 10 {
                    file.reserve(4_096);
                }
                let record = vec![at + 1; 100];
                assert_eq!(file.append(&record).unwrap(), 100);
                expected.extend(record);
                file.sync().unwrap();
            }
            let bytes = std::fs::read(directory.path().join("segment")).unwrap();
            assert_eq!(bytes, expected);
        }
    }

    #[test]
    fn a_cut_file_has_its_length_and_grows_from_there() {
        let directory = tempfile::tempdir().unwrap();
        let file = create(directory.path(), true);
        file.reserve(64 * 1024);
        file.append(b"one two").unwrap();
        file.truncate(3).unwrap();
        file.append(b" three").unwrap();
        let bytes = std::fs::read(directory.path().join("segment")).unwrap();
        assert_eq!(bytes, b"one three");
    }

    #[test]
    fn it_is_mapped_where_the_file_system_keeps_what_it_reserves() {
        let directory = tempfile::tempdir().unwrap();
        let file = create(directory.path(), true);
        file.reserve(64 * 1024);
        let kind = u64::try_from(fstatfs(&file.file).unwrap().f_type).unwrap();
        assert_eq!(file.tail().map.is_some(), RESERVING.contains(&kind));
    }
}
