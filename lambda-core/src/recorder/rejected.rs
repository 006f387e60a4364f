//! Puts records aside that the store refuses for good, for somebody to look at.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use crate::error::Error;
use crate::model::InvocationEntry;

/// Enough for some ten thousand; who refuses more has another fault than its records.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// One JSON object a line.
#[derive(Debug)]
pub(super) struct Rejected {
    path: PathBuf,
    bytes_max: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    rejected_at: Timestamp,
    error: &'static str,
    message: String,
    #[serde(flatten)]
    entry: &'a InvocationEntry,
}

impl Rejected {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            bytes_max: BYTES_MAX,
        }
    }

    /// Puts records aside. Blocks.
    ///
    /// # Errors
    /// `FileTooLarge` at the bound; what the disk says.
    pub(super) fn put<'a>(
        &self,
        records: impl IntoIterator<Item = (&'a InvocationEntry, &'a Error)>,
    ) -> io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options
            .append(true)
            .create(true)
            .mode(0o600)
            .open(&self.path)?;
        let mut len = file.metadata()?.len();
        for (entry, error) in records {
            let mut line = serde_json::to_vec(&Line {
                rejected_at: Timestamp::now(),
                error: error.kind().code(),
                message: error.to_string(),
                entry,
            })?;
            line.push(b'\n');
            len += line.len() as u64;
            if len > self.bytes_max {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            // By one write: other processes may append, too.
            file.write_all(&line)?;
        }
        Ok(())
    }
}

/// How large the file is. Blocks.
pub(super) fn size(path: &Path) -> u64 {
    path.metadata().map_or(0, |metadata| metadata.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recorder::tests::entry;

    #[test]
    fn the_file_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rejected.jsonl");
        let rejected = Rejected {
            path: path.clone(),
            bytes_max: 3_000,
        };
        let (entry, error) = (entry(), Error::invalid("test", "It has a fault."));
        let put = || rejected.put([(&entry, &error)]);
        while put().is_ok() {}
        assert_eq!(put().unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!((2_000..=3_000).contains(&text.len()));
        for line in text.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(line["message"], "It has a fault.");
            assert_eq!(line["record"]["function_name"], "f");
        }
    }
}
