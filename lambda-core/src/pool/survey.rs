//! What is amiss with the pools of a data directory, seen from any process: each writes a small
//! file when that changes.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::stats::{BreakerState, PoolStats, ProvisionedStats, RuntimeStats};
use crate::data_dir;
use crate::error::Result;
use crate::model::RuntimeName;
use crate::runtime::{Finding, Severity};

impl PoolStats {
    /// What is to be said of it, and what to do.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        Trouble::of(self).findings(Timestamp::now())
    }
}

/// What is amiss in the running platforms of a data directory, as their pools last said it, and
/// otherwise that all is well. Blocks.
///
/// # Errors
/// `Internal` if the data directory cannot be read.
pub fn survey(data_dir: &Path) -> Result<Vec<Finding>> {
    let now = Timestamp::now();
    let alive = data_dir::owners(data_dir)?
        .into_iter()
        .filter(|owner| owner.is_alive);
    let said = alive.filter_map(|owner| read(&owner.pool_status));
    let mut findings: Vec<_> = said.flat_map(|trouble| trouble.findings(now)).collect();
    if findings.is_empty() {
        findings.push(Finding::ok(
            "sandboxes",
            "no circuit breaker is open in a running platform",
        ));
    }
    Ok(findings)
}

/// Tells other processes what is amiss.
#[derive(Debug)]
pub(super) struct StatusFile {
    path: PathBuf,
    written: Trouble,
}

impl StatusFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            written: Trouble::default(),
        }
    }

    /// Writes it, unless it says the same already. Blocks, but seldom and not for long.
    pub(super) fn write(&mut self, stats: &PoolStats) {
        let trouble = Trouble::of(stats);
        if trouble.is_like(&self.written) {
            return;
        }
        if let Err(error) = write(&self.path, &trouble) {
            tracing::debug!(%error, "the pool's status cannot be written");
        }
        self.written = trouble;
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Trouble {
    runtimes: Vec<Failing>,
    provisioned: Vec<Lacking>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Failing {
    runtime: RuntimeName,
    breaker: BreakerState,
    failures: u32,
    retry_at: Option<Timestamp>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Lacking {
    function: String,
    version: u32,
    min_warm: u32,
    warm: u32,
    failures: u32,
}

impl Trouble {
    fn of(stats: &PoolStats) -> Self {
        let failing = stats.runtimes.iter().filter(|own| own.failures > 0);
        let lacking = stats.provisioned.iter().filter(|own| own.failures > 0);
        Self {
            runtimes: failing.map(Failing::of).collect(),
            provisioned: lacking.map(Lacking::of).collect(),
        }
    }

    /// It says the same; when the next attempt is follows from the failures.
    fn is_like(&self, other: &Self) -> bool {
        let runtimes = |trouble: &Self| {
            let runtimes = trouble.runtimes.iter();
            let said = runtimes.map(|own| (own.runtime.clone(), own.failures));
            said.collect::<Vec<_>>()
        };
        let provisioned = |trouble: &Self| {
            let provisioned = trouble.provisioned.iter();
            let said = provisioned.map(|own| (own.function.clone(), own.failures, own.warm));
            said.collect::<Vec<_>>()
        };
        runtimes(self) == runtimes(other) && provisioned(self) == provisioned(other)
    }

    fn findings(&self, now: Timestamp) -> Vec<Finding> {
        let runtimes = self.runtimes.iter().map(|own| own.finding(now));
        let provisioned = self.provisioned.iter().map(Lacking::finding);
        runtimes.chain(provisioned).collect()
    }
}

impl Failing {
    fn of(stats: &RuntimeStats) -> Self {
        Self {
            runtime: stats.runtime.clone(),
            breaker: stats.breaker,
            failures: stats.failures,
            retry_at: stats
                .retry_after
                .and_then(|after| Timestamp::now().checked_add(after).ok()),
        }
    }

    fn finding(&self, now: Timestamp) -> Finding {
        let left = self.retry_at.map_or(Duration::ZERO, |at| {
            Duration::try_from(at.duration_since(now)).unwrap_or_default()
        });
        let next = match left.is_zero() {
            true => "The next caller who needs one tries again.".to_owned(),
            false => format!("The next attempt is in {:.1} s.", left.as_secs_f64()),
        };
        let (breaker, what) = match (self.breaker, left.is_zero()) {
            (BreakerState::Closed, _) => ("closed", "callers wait"),
            (_, false) => ("open", "callers who need a new one are refused"),
            (_, true) => ("half open", "callers are refused but for one"),
        };
        let attempts = match self.failures {
            1 => "The last attempt to create one has failed".to_owned(),
            count => format!("The last {count} attempts to create one have failed"),
        };
        Finding::bad(
            Severity::Warning,
            format!("{} sandboxes", self.runtime),
            format!("{attempts}; the circuit breaker is {breaker}: {what}. {next}"),
            "The platform's log says why each failed; the runtime's own findings say what to mend.",
        )
    }
}

impl Lacking {
    fn of(stats: &ProvisionedStats) -> Self {
        Self {
            function: stats.key.function.to_string(),
            version: stats.key.version,
            min_warm: stats.min_warm,
            warm: stats.warm,
            failures: stats.failures,
        }
    }

    fn finding(&self) -> Finding {
        Finding::bad(
            Severity::Warning,
            format!("function {}", self.function),
            format!(
                "Version {} has {} of {} sandboxes that are to be kept warm; the last {} attempts to make one failed.",
                self.version, self.warm, self.min_warm, self.failures
            ),
            "Invoke it once: the answer says what is wrong with its code. Or set `min_warm` to 0.",
        )
    }
}

fn write(path: &Path, trouble: &Trouble) -> std::io::Result<()> {
    let unfinished = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    let options = options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(&serde_json::to_vec(trouble)?)?;
    // Readers see the old one or the new one. It is not worth a sync.
    std::fs::rename(&unfinished, path)
}

fn read(path: &Path) -> Option<Trouble> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_dir::DataDir;

    #[test]
    fn another_process_reads_what_is_amiss_while_it_is() {
        let root = tempfile::tempdir().unwrap();
        let own = DataDir::open(root.path()).unwrap();
        let mut file = StatusFile::new(own.pool_status());
        let mut stats = PoolStats::default();
        file.write(&stats);
        let severities = || -> Vec<_> {
            let found = survey(root.path()).unwrap();
            found.iter().map(|found| found.severity).collect()
        };
        assert_eq!(severities(), [Severity::Ok]);
        let mut failing = RuntimeStats::new(
            RuntimeName::docker(),
            BreakerState::Open,
            4,
            Duration::from_secs(20),
        );
        stats.runtimes = vec![failing.clone()];
        file.write(&stats);
        let found = survey(root.path()).unwrap();
        assert!(found[0].subject.starts_with("docker"), "{found:?}");
        for part in ["last 4 attempts", "breaker is open", " s."] {
            assert!(found[0].detail.contains(part), "{found:?}");
        }
        failing.failures = 0;
        stats.runtimes = vec![failing];
        file.write(&stats);
        assert_eq!(severities(), [Severity::Ok]);
    }
}
