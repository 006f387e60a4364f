//! What the journal asks of a file system. A test puts one beneath it that fails, or that
//! loses what a power failure loses.

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::file::RealFile;

/// Where segments are. What a disk does not say otherwise is done in the file system.
#[cfg_attr(not(feature = "simulation"), allow(unreachable_pub))]
pub trait Disk: Debug + Send + Sync {
    /// Makes a directory if it is missing.
    ///
    /// # Errors
    /// What the disk says; the same for all others.
    fn make_directory(&self, directory: &Path) -> io::Result<()> {
        std::fs::create_dir_all(directory)
    }

    /// The files in a directory, with their lengths.
    fn list(&self, directory: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            let len = path.metadata()?.len();
            found.push((path, len));
        }
        Ok(found)
    }

    /// Opens a file to be read.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>> {
        Ok(Arc::new(File::open(path)?))
    }

    /// Gives a file another name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    /// A new file, readable by its owner only.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn SegmentFile>>;

    /// Cuts a file that another process wrote.
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()>;

    /// Makes the content of a file durable that another process wrote.
    fn sync(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable: a synced file whose name is not is lost as well.
    fn sync_directory(&self, directory: &Path) -> io::Result<()>;

    /// How long the last calls would have taken that returned at once.
    #[cfg(feature = "simulation")]
    fn was_busy(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// A file that is read.
#[cfg_attr(not(feature = "simulation"), allow(unreachable_pub))]
pub trait ReadFile: Debug + Send + Sync {
    /// Its bytes.
    ///
    /// # Errors
    /// What the disk says.
    fn size(&self) -> io::Result<u64>;

    /// Some bytes from `offset` on; 0: it ends there.
    ///
    /// # Errors
    /// What the disk says.
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ReadFile for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, bytes, offset)
    }
}

/// A file that is appended to.
#[cfg_attr(not(feature = "simulation"), allow(unreachable_pub))]
pub trait SegmentFile: Debug + Send + Sync {
    /// Makes the first `bytes` cheap to write, where that is possible. What is not written by
    /// then is zeros, until [`truncate`](Self::truncate).
    fn reserve(&self, bytes: u64);

    /// One write at the end, perhaps of a part only.
    ///
    /// # Errors
    /// What the disk says; the same for all others.
    fn append(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Cuts it, and what is reserved.
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
