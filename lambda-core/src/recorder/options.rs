//! How a recorder is set up.

use std::path::PathBuf;
use std::time::Duration;

use crate::model::Retention;

/// Bytes of records at which new ones are shed, unless told otherwise: an outage of two million
/// invocations that write little.
pub const JOURNAL_BYTES_MAX_DEFAULT: u64 = 256 * 1024 * 1024;

/// How a [`Recorder`](super::Recorder) is set up.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RecorderOptions {
    /// The journal's directory, which is this recorder's alone. Made if missing.
    pub journal: PathBuf,
    /// The file that tells other processes how it stands; see [`survey`](super::survey).
    pub status: PathBuf,
    /// The file for records that the store refuses; several recorders may share it.
    pub rejected: PathBuf,
    /// Bytes of the journal at which new records are shed. Default: 256 MiB.
    pub journal_bytes_max: u64,
    /// Whether the journal may be written through memory mappings. Default: true. Where the
    /// disk fails in the middle of a run, a write through a mapping can end the process with
    /// `SIGBUS`; a system call fails, and the record is shed.
    pub journal_mapped: bool,
    /// How long the store keeps figures: those that it would remove at once are left out.
    pub retention: Retention,
    pub(super) timing: Timing,
}

impl RecorderOptions {
    /// Everything in or beside the directory `journal`.
    #[must_use]
    pub fn new(journal: impl Into<PathBuf>) -> Self {
        let journal = journal.into();
        Self {
            status: journal.with_file_name("recorder.json"),
            rejected: journal.with_file_name("rejected.jsonl"),
            journal,
            journal_bytes_max: JOURNAL_BYTES_MAX_DEFAULT,
            journal_mapped: true,
            retention: Retention::default(),
            timing: Timing::default(),
        }
    }
}

/// What tests shorten.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timing {
    /// How long records are gathered before they go into the store together. With the
    /// journal's sync and the store's commit they are visible well within a second.
    pub(super) gather: Duration,
    /// An unreachable store is tried again after this long, then twice as long, and so on.
    pub(super) retry_min: Duration,
    pub(super) retry_max: Duration,
    /// A store that has not answered for this long counts as unreachable.
    pub(super) store_timeout: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            gather: Duration::from_millis(200),
            retry_min: Duration::from_millis(200),
            retry_max: Duration::from_secs(5),
            store_timeout: Duration::from_secs(60),
        }
    }
}
