//! Tests of the recorder under faults.
//!
//! They are short unless told otherwise; for the record set
//!
//! - `LAMBDA_FAULT_ROUNDS`: rounds of the tests that kill a process or cut the power (default 6);
//! - `LAMBDA_FAULT_SECONDS`: how long the store comes and goes under load (default 2).

mod adoption;
mod cost;
mod disk;
mod doubles;
mod kill;
mod outage;
mod poison;
mod power;
mod status;

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::{Recorder, RecorderOptions};
use crate::model::{
    FunctionId, FunctionName, InvocationEntry, InvocationOutput, InvocationRecord, Namespace,
    RequestId, RuntimeName,
};
use doubles::{FaultyStore, Mood};

pub(super) fn entry() -> InvocationEntry {
    let mut record = InvocationRecord::started(
        RequestId::new(),
        Namespace::default(),
        (
            FunctionId::from_bytes([7; 16]),
            FunctionName::new("f").unwrap(),
            1,
        ),
        RuntimeName::docker(),
        Timestamp::from_microsecond(1_700_000_000_123_456).unwrap(),
    );
    record.total_us = 60;
    InvocationEntry::new(record, InvocationOutput::new("out", "", None))
}

/// Entries by id.
type Entries = BTreeMap<RequestId, InvocationEntry>;

fn by_id(entries: impl IntoIterator<Item = InvocationEntry>) -> Entries {
    let entries = entries.into_iter();
    entries
        .map(|entry| (entry.record.request_id, entry))
        .collect()
}

/// Options of a recorder in `root` that hurries.
fn options(root: &Path) -> RecorderOptions {
    let mut options = RecorderOptions::new(root.join("journal"));
    options.timing.gather = Duration::from_millis(10);
    options.timing.retry_min = Duration::from_millis(5);
    options.timing.retry_max = Duration::from_millis(50);
    options.timing.store_timeout = Duration::from_millis(200);
    options
}

fn start(root: &Path, store: &Arc<FaultyStore>) -> Recorder {
    Recorder::start(options(root), Arc::clone(store) as _).unwrap()
}

/// Records `count` entries and returns them.
fn record(recorder: &Recorder, count: usize) -> Entries {
    let entries = by_id((0..count).map(|_| entry()));
    entries.values().for_each(|entry| recorder.record(entry));
    entries
}

/// Polls until `done`, for at most 20 s.
async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Says what differs, not all that there is.
fn assert_same(found: &Entries, expected: &Entries) {
    let missing = expected.keys().filter(|id| !found.contains_key(id)).count();
    let extra = found.keys().filter(|id| !expected.contains_key(id)).count();
    assert_eq!(
        (missing, extra),
        (0, 0),
        "missing and extra of {}",
        expected.len()
    );
    for (id, entry) in expected {
        assert_eq!(found[id], *entry);
    }
}

fn pending(recorder: &Recorder) -> u64 {
    recorder.status().unwrap().pending_records
}

/// Closes a recorder with a store that takes everything.
async fn close(recorder: &Recorder) {
    recorder.close(Duration::from_secs(20)).await;
    assert_eq!(pending(recorder), 0);
}

fn setting<T: FromStr>(variable: &str, default: T) -> T {
    match std::env::var(variable) {
        Ok(value) => value
            .parse()
            .unwrap_or_else(|_| panic!("{variable}={value}")),
        Err(_) => default,
    }
}

fn rounds() -> u32 {
    setting("LAMBDA_FAULT_ROUNDS", 6)
}

/// Segments in the journal of a recorder in `root` that are not empty.
fn segments_left(root: &Path) -> usize {
    let segments = super::journal::list(&root.join("journal")).unwrap();
    segments.iter().filter(|segment| segment.len > 0).count()
}

/// How many bytes they have.
fn bytes_left(root: &Path) -> u64 {
    let segments = super::journal::list(&root.join("journal")).unwrap();
    segments.iter().map(|segment| segment.len).sum()
}
