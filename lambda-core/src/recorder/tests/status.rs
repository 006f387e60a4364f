//! What other processes, and metrics, see of a recorder.

use std::sync::Arc;
use std::time::Duration;

use super::doubles::{FaultyStore, Mood};
use super::{close, options, pending, record, until};
use crate::data_dir::{self, DataDir};
use crate::recorder::{Recorder, RecorderOptions, Survey, survey};
use crate::runtime::Severity;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_sees_that_records_wait() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let own = DataDir::open(root).unwrap();
    let mut settings = RecorderOptions::new(own.journal());
    settings.timing = options(root).timing;
    settings.status = own.status();
    settings.rejected = data_dir::rejected(root);
    settings.journal_bytes_max = 1024 * 1024;
    let store = FaultyStore::new(Mood::Well);
    let recorder = Recorder::start(settings, Arc::clone(&store) as _).unwrap();

    let seen = || survey(root).unwrap();
    let said = |seen: &Survey| seen.owners[0].status.clone();
    until("it has said something", || said(&seen()).is_some()).await;
    assert!(seen().owners[0].is_alive);
    assert_eq!(seen().owners[0].owner, own.owner());
    assert_eq!(seen().findings()[0].severity, Severity::Ok);

    store.set(Mood::Down);
    record(&recorder, 123);
    until("another process knows", || {
        said(&seen()).is_some_and(|said| said.store.is_some() && said.pending_records == 123)
    })
    .await;
    let finding = &seen().findings()[0];
    assert_eq!(finding.severity, Severity::Warning);
    assert!(finding.detail.contains("123 records"), "{finding:?}");
    assert!(
        finding.detail.ends_with("The database is away."),
        "{finding:?}"
    );
    record(&recorder, 20_000);
    until("it is shedding", || {
        seen().findings()[0].severity == Severity::Error
    })
    .await;

    store.set(Mood::Well);
    until("all is there", || pending(&recorder) == 0).await;
    record(&recorder, 1);
    until("another process knows", || {
        let seen = seen();
        seen.findings().len() == 1 && seen.findings()[0].severity == Severity::Warning
    })
    .await;
    assert_eq!(said(&seen()).unwrap().shed, recorder.shed());
    close(&recorder).await;
}

/// Not with each record: a busy server would do little else.
#[tokio::test]
async fn the_status_is_not_written_while_all_is_well() {
    let root = tempfile::tempdir().unwrap();
    let store = FaultyStore::new(Mood::Well);
    let recorder = super::start(root.path(), &store);
    let file = root.path().join("recorder.json");
    until("it is written once", || file.exists()).await;
    // Not a wait for something: a time in which nothing is to happen.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    std::fs::remove_file(&file).unwrap();
    for _ in 0..10 {
        for _ in 0..100 {
            // Just now: one that waits for long is worth a word, however busy this machine is.
            let mut entry = super::entry();
            entry.record.started_at = jiff::Timestamp::now();
            recorder.record(&entry);
        }
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    close(&recorder).await;
    let written = std::fs::read_to_string(&file);
    assert!(written.is_err(), "{written:?}");
}

/// A wake costs several times what a record does: calls in a row must not pay for them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_in_a_row_wake_nobody() {
    let root = tempfile::tempdir().unwrap();
    let store = FaultyStore::new(Mood::Well);
    let recorder = super::start(root.path(), &store);
    let wakes = || recorder.0.as_ref().unwrap().0.journal.wakes();
    let load = recorder.clone();
    let load = tokio::task::spawn_blocking(move || {
        for _ in 0..500 {
            for _ in 0..10 {
                record(&load, 1);
            }
            std::thread::sleep(Duration::from_micros(60));
        }
    });
    load.await.unwrap();
    // The first one; another where this machine slept for long.
    assert!(wakes() <= 2, "{}", wakes());

    until("it sleeps", || pending(&recorder) == 0).await;
    let before = wakes();
    until("a record wakes it", || {
        record(&recorder, 1);
        std::thread::sleep(Duration::from_millis(400));
        wakes() > before
    })
    .await;
    close(&recorder).await;
}

#[tokio::test]
async fn one_that_is_off_keeps_nothing() {
    let recorder = Recorder::off();
    assert!(!recorder.is_on());
    recorder.record(&super::entry());
    assert!(recorder.status().is_none());
    assert_eq!(recorder.shed(), 0);
    recorder.close(Duration::ZERO).await;
}
