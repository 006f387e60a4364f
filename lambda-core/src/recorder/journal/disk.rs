//! What the journal asks of a file system. A test puts one beneath it that fails, or that
//! loses what a power failure loses.

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use super::file::RealFile;

/// Where segments are.
pub(in crate::recorder) trait Disk: Debug + Send + Sync {
    /// A new file, readable by its owner only.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>>;

    /// Cuts a file that another process wrote.
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()>;

    /// Makes the content of a file durable that another process wrote.
    fn sync(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable: a synced file whose name is not is lost as well.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;

    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// A file that is appended to.
pub(in crate::recorder) trait SegmentFile: Debug + Send + Sync {
    /// Makes the first `bytes` cheap to write, where that is possible. What is not written by
    /// then is zeros, until [`truncate`](Self::truncate).
    fn reserve(&self, bytes: u64);

    /// One write at the end, perhaps of a part only.
    fn append(&self, bytes: &[u8]) -> io::Result<usize>;

    fn truncate(&self, len: u64) -> io::Result<()>;

    /// Makes the content durable.
    fn sync(&self) -> io::Result<()>;
}

/// The file system.
#[derive(Debug)]
pub(in crate::recorder) struct RealDisk {
    /// Whether segments may be written through mappings of their pages.
    pub(in crate::recorder) may_map: bool,
}

impl Disk for RealDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(path)?;
        Ok(Arc::new(RealFile::new(file, self.may_map)))
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        OpenOptions::new().write(true).open(path)?.set_len(len)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_data()
    }

    fn sync_directory(&self, directory: &Path) -> io::Result<()> {
        File::open(directory)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }
}
