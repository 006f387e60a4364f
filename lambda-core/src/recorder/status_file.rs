//! Tells other processes how a recorder stands, by a small file beside its journal.
//!
//! It is written when something changes that is worth a word, and at most once a second: not
//! with each record, and not at all while all is well and stays so.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;

use super::status::RecorderStatus;

const INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct StatusFile {
    path: PathBuf,
    written: Option<(Instant, RecorderStatus)>,
}

impl StatusFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            written: None,
        }
    }

    /// Writes it, unless it says the same already or was written just now. Returns after which
    /// time to try again, if it is not up to date. Blocks.
    pub(super) fn write(&mut self, mut status: RecorderStatus) -> Option<Duration> {
        if status.is_well() {
            // These change all the time.
            status.pending_records = 0;
            status.pending_bytes = 0;
            status.journal_bytes = 0;
            status.oldest_pending_at = None;
        }
        let now = Instant::now();
        if let Some((at, written)) = &self.written {
            if *written == status {
                return None;
            }
            let wait = INTERVAL.saturating_sub(now.duration_since(*at));
            if !wait.is_zero() {
                return Some(wait);
            }
        }
        // Readers see the old one or the new one. It is not worth a sync.
        if let Err(error) = write(&self.path, &status) {
            tracing::debug!(%error, "the recorder's status cannot be written");
        }
        self.written = Some((now, status));
        None
    }
}

fn write(path: &Path, status: &RecorderStatus) -> std::io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(&serde_json::to_vec(status)?)?;
    std::fs::rename(&unfinished, path)
}

/// What the recorder whose file it is last said. Blocks.
pub(super) fn read(path: &Path) -> Option<RecorderStatus> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}
