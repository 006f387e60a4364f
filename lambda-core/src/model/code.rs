//! A function's code: what a caller hands in, and what a store keeps.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The SHA-256 of a code package: its name in every store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PackageDigest([u8; 32]);

impl PackageDigest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        use sha2::Digest as _;
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The digest of what is read from `reader`, and how many bytes that was.
    ///
    /// # Errors
    /// Those of the reader.
    pub fn of_reader(mut reader: impl std::io::Read) -> std::io::Result<(Self, u64)> {
        use sha2::Digest as _;
        let mut hash = sha2::Sha256::new();
        let mut buffer = vec![0; 64 * 1024];
        let mut size = 0;
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return Ok((Self(hash.finalize().into()), size)),
                Ok(read) => {
                    hash.update(&buffer[..read]);
                    size += read as u64;
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The 32 bytes, as a store keeps them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The digest that [`as_bytes`](Self::as_bytes) gave.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for PackageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PackageDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a code package is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CodeFormat {
    /// One source file.
    Inline,
    /// A zip archive.
    Zip,
}

/// One code package of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CodeRef {
    /// Its name.
    pub digest: PackageDigest,
    /// How it is packed.
    pub format: CodeFormat,
    /// Its size as stored, in bytes.
    pub size_bytes: u64,
}

/// Code as a caller hands it in.
#[derive(Clone, PartialEq, Eq)]
pub enum CodeSource {
    /// One source file, in UTF-8.
    Inline(String),
    /// A zip archive with one module or several.
    Zip(Bytes),
    /// The same in a file, which is read in pieces.
    ZipFile(CodeFile),
}

/// A file with code. It is read while the function is deployed, and must not change meanwhile.
#[derive(Debug, Clone)]
pub struct CodeFile(Arc<File>);

impl CodeFile {
    /// The file at `path`.
    ///
    /// # Errors
    /// Those of opening it.
    pub fn open(path: impl AsRef<Path>) -> std::io::Result<Self> {
        Ok(File::open(path)?.into())
    }

    /// Reads from the first byte on, whatever was read before.
    pub(crate) fn reader(&self) -> CodeFileReader<'_> {
        CodeFileReader { file: self, at: 0 }
    }

    /// Reads what is at `at`; 0: it ends there.
    pub(crate) fn read_at(&self, buffer: &mut [u8], at: u64) -> std::io::Result<usize> {
        self.0.read_at(buffer, at)
    }
}

impl From<File> for CodeFile {
    fn from(file: File) -> Self {
        Self(Arc::new(file))
    }
}

impl PartialEq for CodeFile {
    /// Whether both are one open file.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for CodeFile {}

/// A place in a [`CodeFile`] of its own.
#[derive(Debug)]
pub(crate) struct CodeFileReader<'a> {
    file: &'a CodeFile,
    at: u64,
}

impl Read for CodeFileReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for CodeFileReader<'_> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let (base, offset) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::Current(offset) => (self.at, offset),
            SeekFrom::End(offset) => (self.file.0.metadata()?.len(), offset),
        };
        self.at = base
            .checked_add_signed(offset)
            .ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

impl CodeSource {
    /// How it is packed.
    #[must_use]
    pub fn format(&self) -> CodeFormat {
        match self {
            Self::Inline(_) => CodeFormat::Inline,
            Self::Zip(_) | Self::ZipFile(_) => CodeFormat::Zip,
        }
    }
}

impl fmt::Debug for CodeSource {
    // Code may hold secrets and may be 50 MB.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(text) => write!(f, "Inline({} bytes)", text.len()),
            Self::Zip(bytes) => write!(f, "Zip({} bytes)", bytes.len()),
            Self::ZipFile(_) => f.write_str("ZipFile"),
        }
    }
}
