//! The data directory, and who is alive in it.
//!
//! ```text
//! <data directory>            0700
//!   owners/<owner>/           one for each running platform
//!     lock                    locked for as long as its process lives
//!     journal/                records that the store has not taken yet
//!     code/                   unpacked code packages
//! ```
//!
//! A lock that can be taken belongs to a dead process, however it died; only then is what it
//! left cleared away. Processes are never judged by their ids, which are used again.

use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::error::{Error, Result};
use crate::model::OwnerId;

const LOCK: &str = "lock";
const JOURNAL: &str = "journal";
const CODE: &str = "code";

/// This process's part of the data directory, for as long as it lives.
#[derive(Debug)]
pub(crate) struct DataDir {
    owners: PathBuf,
    own: PathBuf,
    owner: OwnerId,
    _lock: File,
}

/// What a dead process left; it is ours to clear away while this exists.
#[derive(Debug)]
pub(crate) struct DeadOwner {
    pub(crate) owner: OwnerId,
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes what is missing and takes a lock of its own.
    pub(crate) fn open(root: &Path) -> Result<Self> {
        let owners = root.join("owners");
        make_private(&owners)?;
        let owner = OwnerId::new();
        // Under its final name only once it is locked: others would take it for a dead one.
        let unborn = owners.join(format!("{owner}.new"));
        for part in [JOURNAL, CODE] {
            make_private(&unborn.join(part))?;
        }
        let lock = open_lock(&unborn).map_err(unusable)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| unusable(error.into()))?;
        let own = owners.join(owner.to_string());
        std::fs::rename(&unborn, &own).map_err(unusable)?;
        Ok(Self {
            owners,
            own,
            owner,
            _lock: lock,
        })
    }

    pub(crate) fn owner(&self) -> OwnerId {
        self.owner
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.own.join(JOURNAL)
    }

    pub(crate) fn code(&self) -> PathBuf {
        self.own.join(CODE)
    }

    /// Those whose lock can be taken.
    pub(crate) fn dead_owners(&self) -> Result<Vec<DeadOwner>> {
        let mut dead = Vec::new();
        for entry in std::fs::read_dir(&self.owners).map_err(unusable)? {
            let path = entry.map_err(unusable)?.path();
            let owner = path
                .file_name()
                .and_then(|name| name.to_str()?.parse::<OwnerId>().ok());
            let Some(owner) = owner.filter(|owner| *owner != self.owner) else {
                continue;
            };
            // Gone in this moment, or held: either way not ours to clear away.
            let Ok(lock) = open_lock(&path) else { continue };
            if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok() {
                dead.push(DeadOwner {
                    owner,
                    path,
                    _lock: lock,
                });
            }
        }
        Ok(dead)
    }

    /// Takes over the journal of a dead process. Called before one's own journal is opened.
    pub(crate) fn adopt_journal(&self, dead: &DeadOwner) -> Result<()> {
        let own = self.journal();
        let first = std::fs::read_dir(&own).map_err(unusable)?.count();
        let Ok(entries) = std::fs::read_dir(dead.path.join(JOURNAL)) else {
            return Ok(());
        };
        let mut segments: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        segments.sort_unstable();
        for (number, segment) in (first..).zip(segments) {
            let name = format!("{number:016}.journal");
            std::fs::rename(&segment, own.join(name)).map_err(unusable)?;
        }
        Ok(())
    }

    /// Clears away what a platform that has closed leaves: nothing, unless records are left.
    pub(crate) fn close(&self) {
        let _ = std::fs::remove_dir_all(self.code());
        if is_empty(&self.journal()) {
            let _ = std::fs::remove_dir_all(&self.own);
        }
    }
}

impl DeadOwner {
    /// Removes its directory; its sandboxes are gone and its journal is taken over.
    pub(crate) fn remove(self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, "what a dead process left cannot be removed");
        }
    }
}

fn is_empty(journal: &Path) -> bool {
    // The active segment is there always, and empty once all is flushed.
    std::fs::read_dir(journal).is_ok_and(|entries| {
        entries
            .flatten()
            .all(|entry| entry.metadata().is_ok_and(|metadata| metadata.len() == 0))
    })
}

fn make_private(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(unusable)
}

fn open_lock(owner: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(owner.join(LOCK))
}

fn unusable(error: std::io::Error) -> Error {
    Error::internal("data_dir", "The data directory cannot be used.")
        .hint("Check that it is on a local disk that is not full, and that you may write there.")
        .source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_dead_are_cleared_away_and_their_journal_is_kept() {
        let root = tempfile::tempdir().unwrap();
        let dead = DataDir::open(root.path()).unwrap();
        std::fs::write(dead.journal().join("0000000000000000.journal"), b"record").unwrap();
        let dead_owner = dead.owner();
        let alive = DataDir::open(root.path()).unwrap();
        assert!(alive.dead_owners().unwrap().is_empty());

        drop(dead);
        let found = alive.dead_owners().unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].owner, dead_owner);
        let third = DataDir::open(root.path()).unwrap();
        assert!(
            third.dead_owners().unwrap().is_empty(),
            "it is being cleared away"
        );

        for dead in found {
            alive.adopt_journal(&dead).unwrap();
            dead.remove();
        }
        let adopted = alive.journal().join("0000000000000000.journal");
        assert_eq!(std::fs::read(adopted).unwrap(), b"record");
        assert!(third.dead_owners().unwrap().is_empty());
    }
}
