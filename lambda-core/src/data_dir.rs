//! The data directory, and who is alive in it.
//!
//! ```text
//! <data directory>            0700
//!   owners/                   locked, shared, while a platform makes its part
//!   owners/<owner>.new/       such a part in the making
//!   owners/<owner>/           one for each running platform
//!     lock                    locked for as long as its process lives
//!     dead                    it does not live any more, whoever holds the lock
//!     journal/                records that the store has not taken yet
//!     recorder.json           how that stands
//!     pool.json               what is amiss with its sandboxes, if anything was
//!     code/                   unpacked code packages
//!   rejected.jsonl            records that the store refused
//! ```
//!
//! A lock that can be taken belongs to a dead process, however it died; only then is what it
//! left cleared away. Processes are never judged by their ids, which are used again.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::error::{Error, Result};
use crate::model::OwnerId;
use crate::recorder::{DAMAGED, SEGMENT};

const LOCK: &str = "lock";
const DEAD: &str = "dead";
const UNBORN: &str = "new";
const JOURNAL: &str = "journal";
const STATUS: &str = "recorder.json";
const POOL_STATUS: &str = "pool.json";
const CODE: &str = "code";
const OWNERS: &str = "owners";

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
        let owners = root.join(OWNERS);
        make_private(&owners)?;
        let owner = OwnerId::new();
        let births = File::open(&owners).map_err(unusable)?;
        flock(&births, FlockOperation::LockShared).map_err(|error| unusable(error.into()))?;
        // Under its final name only once it is locked: others would take it for a dead one.
        let unborn = owners.join(format!("{owner}.{UNBORN}"));
        for part in [JOURNAL, CODE] {
            make_private(&unborn.join(part))?;
        }
        let lock = open_lock(&unborn).map_err(unusable)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|error| unusable(error.into()))?;
        let own = owners.join(owner.to_string());
        std::fs::rename(&unborn, &own).map_err(unusable)?;
        remove_unborn(&owners, &births);
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

    pub(crate) fn status(&self) -> PathBuf {
        self.own.join(STATUS)
    }

    pub(crate) fn pool_status(&self) -> PathBuf {
        self.own.join(POOL_STATUS)
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
                // The lock is ours for as long as clearing away takes: others must not take that
                // for a sign of life.
                if let Err(error) = File::create(path.join(DEAD)) {
                    tracing::warn!(%error, "a dead process cannot be marked as one");
                }
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
        let theirs = match std::fs::read_dir(dead.path.join(JOURNAL)) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(unusable(error)),
        };
        let mut segments = Vec::new();
        for entry in theirs {
            let path = entry.map_err(unusable)?.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some(SEGMENT) => segments.push(path),
                // Their names are nowhere else.
                Some(DAMAGED) => {
                    let name = path.file_name().unwrap_or_default();
                    std::fs::rename(&path, own.join(name)).map_err(unusable)?;
                }
                _ => {}
            }
        }
        segments.sort_unstable();
        // What is not a segment makes a gap in the numbers, which does no harm.
        for (number, segment) in (first..).zip(segments) {
            let name = format!("{number:016}.{SEGMENT}");
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
    /// Whether it left records: a platform that keeps none leaves them to one that does.
    pub(crate) fn has_records(&self) -> bool {
        !is_empty(&self.path.join(JOURNAL))
    }

    /// Removes its directory; its sandboxes are gone and its journal is taken over.
    pub(crate) fn remove(self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!(%error, "what a dead process left cannot be removed");
        }
    }
}

/// One owner of a data directory, as any process sees it.
#[derive(Debug)]
pub(crate) struct OwnerPart {
    pub(crate) owner: OwnerId,
    pub(crate) is_alive: bool,
    pub(crate) journal: PathBuf,
    pub(crate) status: PathBuf,
    pub(crate) pool_status: PathBuf,
}

/// All owners, alive or dead. Only looks.
pub(crate) fn owners(root: &Path) -> Result<Vec<OwnerPart>> {
    let entries = match std::fs::read_dir(root.join(OWNERS)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unusable(error)),
    };
    let mut owners = Vec::new();
    for entry in entries {
        let path = entry.map_err(unusable)?.path();
        let owner = path
            .file_name()
            .and_then(|name| name.to_str()?.parse().ok());
        let Some(owner) = owner else { continue };
        // None: gone in this moment.
        let Ok(lock) = File::open(path.join(LOCK)) else {
            continue;
        };
        // Shared, so that two that look at the same time do not see each other; and for a moment
        // only, in which a platform that starts would leave a dead one to the next start.
        let taken = flock(&lock, FlockOperation::NonBlockingLockShared);
        owners.push(OwnerPart {
            owner,
            is_alive: taken.is_err() && !path.join(DEAD).exists(),
            journal: path.join(JOURNAL),
            status: path.join(STATUS),
            pool_status: path.join(POOL_STATUS),
        });
    }
    owners.sort_unstable_by_key(|part| part.owner);
    Ok(owners)
}

/// Where records go that the store refused.
pub(crate) fn rejected(root: &Path) -> PathBuf {
    root.join("rejected.jsonl")
}

fn is_empty(journal: &Path) -> bool {
    match std::fs::read_dir(journal) {
        // The active segment is there always, and empty once all is flushed.
        Ok(entries) => entries
            .flatten()
            .all(|entry| entry.metadata().is_ok_and(|metadata| metadata.len() == 0)),
        Err(error) => error.kind() == ErrorKind::NotFound,
    }
}

/// Removes what platforms left that were killed while they made their part. `births` is the
/// directory `owners`, open; if another platform makes its part right now, the next start does it.
fn remove_unborn(owners: &Path, births: &File) {
    if flock(births, FlockOperation::NonBlockingLockExclusive).is_err() {
        return;
    }
    for entry in std::fs::read_dir(owners).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|own| own == UNBORN)
            && let Err(error) = std::fs::remove_dir_all(&path)
        {
            tracing::warn!(%error, "what a dead process left cannot be removed");
        }
    }
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
    fn parts_that_were_never_finished_are_removed_unless_one_is_in_the_making() {
        let root = tempfile::tempdir().unwrap();
        let owners = root.path().join(OWNERS);
        let unborn = owners.join(format!("{}.{UNBORN}", OwnerId::new()));
        make_private(&unborn.join(JOURNAL)).unwrap();
        let births = File::open(&owners).unwrap();
        flock(&births, FlockOperation::LockShared).unwrap();
        let first = DataDir::open(root.path()).unwrap();
        assert!(unborn.exists(), "it may be in the making");
        drop(births);
        let second = DataDir::open(root.path()).unwrap();
        assert!(!unborn.exists());
        assert!(first.own.exists() && second.own.exists());
    }

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

        std::fs::write(found[0].path.join("journal/x.damaged"), b"noise").unwrap();
        assert!(found[0].has_records());
        for dead in found {
            alive.adopt_journal(&dead).unwrap();
            assert!(!dead.has_records());
            dead.remove();
        }
        let kept = alive.journal().join("x.damaged");
        assert_eq!(std::fs::read(kept).unwrap(), b"noise");
        let adopted = alive.journal().join("0000000000000000.journal");
        assert_eq!(std::fs::read(adopted).unwrap(), b"record");
        assert!(third.dead_owners().unwrap().is_empty());
    }
}

#[cfg(test)]
mod survey_tests {
    use super::*;

    #[test]
    fn who_is_alive_is_seen_without_a_change() {
        let root = tempfile::tempdir().unwrap();
        assert!(owners(root.path()).unwrap().is_empty());
        let alive = DataDir::open(root.path()).unwrap();
        let dead = DataDir::open(root.path()).unwrap().owner();
        for _ in 0..2 {
            let found = owners(root.path()).unwrap();
            let lives: Vec<_> = found
                .iter()
                .map(|part| (part.owner, part.is_alive))
                .collect();
            assert_eq!(lives, [(alive.owner(), true), (dead, false)]);
        }
        // Also while another holds its lock to clear it away, and after that was given up.
        let held = alive.dead_owners().unwrap();
        assert_eq!(held.len(), 1);
        assert!(!owners(root.path()).unwrap()[1].is_alive);
        drop(held);
        assert!(!owners(root.path()).unwrap()[1].is_alive);
        assert_eq!(alive.dead_owners().unwrap().len(), 1);
    }
}
