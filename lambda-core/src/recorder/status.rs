//! How a recorder stands.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::runtime::{Finding, Severity};

/// Records that wait longer than this are worth a word: ten times what they wait otherwise.
const PENDING_AGE_MAX: Duration = Duration::from_secs(10);

const SUBJECT: &str = "records";

/// How a recorder stands; see [`Recorder::status`](super::Recorder::status). Counts are since
/// the start of its process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct RecorderStatus {
    /// Records that the store has not taken yet.
    pub pending_records: u64,
    /// Their bytes in the journal.
    pub pending_bytes: u64,
    /// When the invocation ended whose record has waited longest.
    pub oldest_pending_at: Option<Timestamp>,
    /// All bytes of the journal, records that the store has for a short while among them.
    pub journal_bytes: u64,
    /// The bound of [`journal_bytes`](Self::journal_bytes), at which new records are shed.
    pub journal_bytes_max: u64,
    /// Records that were lost because the journal was full, or its disk.
    pub shed: u64,
    /// Since when every new record is lost.
    pub shedding_since: Option<Timestamp>,
    /// Records that the store refused for good, which were put aside.
    pub rejected: u64,
    /// Records that could not be read from the journal any more.
    pub damaged: u64,
    /// Whole files of the journal that could not be read, which were put aside.
    pub files_set_aside: u64,
    /// What keeps the store from taking records, if anything does.
    pub store: Option<Trouble>,
    /// What keeps the disk from syncing the journal, if anything does.
    pub disk: Option<Trouble>,
}

/// Something that does not work for the time being.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Trouble {
    /// Since when.
    pub since: Timestamp,
    /// The latest error's message, for users.
    pub message: String,
}

impl RecorderStatus {
    /// Whether nothing is amiss now. What was shed or rejected earlier does not count.
    #[must_use]
    pub fn is_well(&self) -> bool {
        let is_old = self.pending_age().is_some_and(|age| age > PENDING_AGE_MAX);
        self.shedding_since.is_none() && self.store.is_none() && self.disk.is_none() && !is_old
    }

    /// How long the oldest pending record has waited.
    #[must_use]
    pub fn pending_age(&self) -> Option<Duration> {
        let waited = Timestamp::now().duration_since(self.oldest_pending_at?);
        // Negative where the clock was set back.
        Some(waited.try_into().unwrap_or_default())
    }

    /// What is to be said of it, and what to do.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut bad = |severity, detail: String, mend: &str| {
            findings.push(Finding::bad(severity, SUBJECT, detail, mend));
        };
        let shed = count(self.shed, "record");
        if let Some(since) = self.shedding_since {
            bad(
                Severity::Error,
                format!(
                    "every new record is lost since {}; {shed} so far",
                    clock(since)
                ),
                "Mend the store, or free the data directory's disk; until then invocations run without history. A larger bound of the journal spans a longer outage.",
            );
        } else if self.shed > 0 {
            bad(
                Severity::Warning,
                format!("{shed} could not be kept since the start"),
                "The journal or its disk was full. A larger bound of the journal spans a longer outage of the store.",
            );
        }
        if let Some(trouble) = &self.store {
            let since = self.oldest_pending_at.unwrap_or(trouble.since);
            bad(
                Severity::Warning,
                format!(
                    "{} ({} MiB of at most {} MiB) wait for the store since {}: {}",
                    count(self.pending_records, "record"),
                    self.pending_bytes.div_ceil(MIB),
                    self.journal_bytes_max / MIB,
                    clock(since),
                    trouble.message
                ),
                "Mend the store. The journal keeps the records until it answers; none is lost before the journal is full.",
            );
        } else if !self.is_well() && self.pending_records > 0 {
            let since = self.oldest_pending_at.unwrap_or_default();
            bad(
                Severity::Warning,
                format!(
                    "the store takes {} that came since {}",
                    count(self.pending_records, "waiting record"),
                    clock(since)
                ),
                "Wait until it has taken them. Where their number grows, the store is too slow.",
            );
        }
        if let Some(trouble) = &self.disk {
            bad(
                Severity::Error,
                format!(
                    "the journal is not safe from a power failure since {}: {}",
                    clock(trouble.since),
                    trouble.message
                ),
                "Check the data directory's disk.",
            );
        }
        if self.rejected > 0 {
            bad(
                Severity::Warning,
                format!("the store refused {}", count(self.rejected, "record")),
                "They are in `rejected.jsonl` in the data directory, each with the store's reason.",
            );
        }
        if self.damaged > 0 || self.files_set_aside > 0 {
            bad(
                Severity::Warning,
                format!(
                    "{} and {} of the journal could not be read",
                    count(self.damaged, "record"),
                    count(self.files_set_aside, "file")
                ),
                "A power failure may damage the last records. Otherwise check the data directory's disk; what could not be read is in files that end in `.damaged`.",
            );
        }
        if findings.is_empty() {
            findings.push(Finding::ok(SUBJECT, "reach the store"));
        }
        findings
    }
}

const MIB: u64 = 1024 * 1024;

/// "1 record", "12,345 records".
pub(super) fn count(number: u64, noun: &str) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    let plural = if number == 1 { "" } else { "s" };
    format!("{text} {noun}{plural}")
}

fn clock(time: Timestamp) -> impl std::fmt::Display {
    time.strftime("%F %T UTC")
}

/// Trouble that comes and goes. Told by whoever has it once at its begin and once at its end.
#[derive(Debug, Default)]
pub(super) struct Troubled(Mutex<Option<Trouble>>);

impl Troubled {
    /// Returns whether it is news.
    pub(super) fn begin(&self, message: String) -> bool {
        let mut trouble = self.lock();
        let since = trouble.as_ref().map(|trouble| trouble.since);
        *trouble = Some(Trouble {
            since: since.unwrap_or_else(Timestamp::now),
            message,
        });
        since.is_none()
    }

    /// Returns what it was, if there was any.
    pub(super) fn end(&self) -> Option<Trouble> {
        self.lock().take()
    }

    pub(super) fn get(&self) -> Option<Trouble> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn severities(status: &RecorderStatus) -> Vec<Severity> {
        status
            .findings()
            .iter()
            .map(|found| found.severity)
            .collect()
    }

    #[test]
    fn numbers_are_readable() {
        assert_eq!(count(1, "record"), "1 record");
        assert_eq!(count(999, "record"), "999 records");
        assert_eq!(count(12_345_678, "record"), "12,345,678 records");
    }

    #[test]
    fn what_is_amiss_is_found() {
        let well = RecorderStatus::default();
        assert_eq!(severities(&well), [Severity::Ok]);
        let since: Timestamp = "2026-03-04T12:03:00Z".parse().unwrap();
        let trouble = Some(Trouble {
            since,
            message: "It is down.".to_owned(),
        });

        let mut waiting = well.clone();
        waiting.pending_records = 12_345;
        waiting.oldest_pending_at = Some(since);
        assert_eq!(severities(&waiting), [Severity::Warning], "a backlog");
        waiting.store.clone_from(&trouble);
        let found = waiting.findings();
        assert_eq!(found.len(), 1);
        assert!(found[0].detail.contains("12,345 records"));
        assert!(
            found[0]
                .detail
                .contains("since 2026-03-04 12:03:00 UTC: It is down.")
        );

        let mut shed = well.clone();
        shed.shed = 17;
        assert_eq!(severities(&shed), [Severity::Warning]);
        shed.shedding_since = Some(since);
        assert_eq!(severities(&shed), [Severity::Error]);
        let mut disk = well.clone();
        disk.disk = trouble;
        assert_eq!(severities(&disk), [Severity::Error]);
        let mut rejected = well;
        (rejected.rejected, rejected.damaged) = (1, 1);
        assert_eq!(severities(&rejected), [Severity::Warning; 2]);
    }
}
