//! How the records of all processes of a data directory stand, seen from any process.

use std::path::Path;

use super::journal::{DAMAGED, count_records, list};
use super::status::{self, RecorderStatus};
use super::{rejected, status_file};
use crate::data_dir;
use crate::error::Result;
use crate::model::OwnerId;
use crate::runtime::{Finding, Severity};

/// How the records of a data directory stand; see [`survey`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct Survey {
    /// Every process that has, or left, a journal there.
    pub owners: Vec<OwnerRecords>,
    /// The size of the file of records that the store refused.
    pub rejected_bytes: u64,
}

/// How the records of one process stand.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct OwnerRecords {
    /// The process.
    pub owner: OwnerId,
    /// Whether it runs.
    pub is_alive: bool,
    /// Bytes of its journal.
    pub journal_bytes: u64,
    /// Records in the journal of a dead process: at most these wait for the next start. Of a
    /// live one its `status` says how many wait.
    pub records: u64,
    /// Files of its journal that could not be read.
    pub files_set_aside: u64,
    /// What it last said, if it said anything. It says how much waits only while something is
    /// amiss.
    pub status: Option<RecorderStatus>,
}

/// Looks at the journals in a data directory, as another process than those that write them.
/// Blocks for some milliseconds, and for each 100 MB that a dead process left for some 100.
///
/// # Errors
/// `Internal` if the data directory cannot be read.
pub fn survey(data_dir: &Path) -> Result<Survey> {
    let owners = data_dir::owners(data_dir)?.into_iter().map(|part| {
        let segments = list(&part.journal).unwrap_or_default();
        let count = |path: &Path| count_records(path).unwrap_or(0);
        let records = match part.is_alive {
            true => 0,
            false => segments.iter().map(|segment| count(&segment.path)).sum(),
        };
        OwnerRecords {
            owner: part.owner,
            is_alive: part.is_alive,
            journal_bytes: segments.iter().map(|segment| segment.len).sum(),
            records,
            files_set_aside: count_damaged(&part.journal),
            status: status_file::read(&part.status),
        }
    });
    Ok(Survey {
        owners: owners.collect(),
        rejected_bytes: rejected::size(&data_dir::rejected(data_dir)),
    })
}

fn count_damaged(journal: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(journal) else {
        return 0;
    };
    let paths = entries.flatten().map(|entry| entry.path());
    paths
        .filter(|path| path.extension().is_some_and(|own| own == DAMAGED))
        .count() as u64
}

impl Survey {
    /// What is to be said of it, and what to do.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        for owner in &self.owners {
            if owner.is_alive {
                let said = owner.status.iter().flat_map(RecorderStatus::findings);
                findings.extend(said.filter(|finding| finding.severity != Severity::Ok));
                continue;
            }
            if owner.records > 0 {
                findings.push(Finding::bad(
                    Severity::Warning,
                    "records",
                    format!(
                        "a process that has ended left {} that the store may not have",
                        status::count(owner.records, "record")
                    ),
                    "Start the platform on this data directory: it moves them into the store.",
                ));
            }
            if owner.files_set_aside > 0 {
                findings.push(Finding::bad(
                    Severity::Warning,
                    "records",
                    format!(
                        "{} of a journal could not be read",
                        status::count(owner.files_set_aside, "file")
                    ),
                    "Check the data directory's disk. The files end in `.damaged`; delete them when they are of no use.",
                ));
            }
        }
        let says_rejected = |owner: &OwnerRecords| {
            let status = owner.status.as_ref().filter(|_| owner.is_alive);
            status.is_some_and(|status| status.rejected > 0)
        };
        if self.rejected_bytes > 0 && !self.owners.iter().any(says_rejected) {
            findings.push(Finding::bad(
                Severity::Warning,
                "records",
                "there are records that the store refused",
                "They are in `rejected.jsonl` in the data directory, each with the store's reason; delete the file when it is of no use.",
            ));
        }
        if findings.is_empty() {
            findings.push(Finding::ok("records", "reach the store"));
        }
        findings
    }
}
