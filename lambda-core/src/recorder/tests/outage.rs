//! The store fails, in every way that it can, and everything arrives once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::doubles::{FaultyStore, Mood};
use super::{
    assert_same, bytes_left, close, entry, options, pending, record, segments_left, setting, start,
    until,
};
use crate::recorder::Recorder;
use crate::runtime::Severity;

#[tokio::test]
async fn a_record_is_in_the_store_within_a_second() {
    let root = tempfile::tempdir().unwrap();
    let store = FaultyStore::new(Mood::Well);
    // With the real timing.
    let options = crate::recorder::RecorderOptions::new(root.path().join("journal"));
    let recorder = Recorder::start(options, Arc::clone(&store) as _).unwrap();
    for _ in 0..3 {
        let began = Instant::now();
        record(&recorder, 1);
        until("it is there", || pending(&recorder) == 0).await;
        // As a rule 300 ms; others may use this machine, too.
        assert!(began.elapsed() < Duration::from_millis(900));
    }
    assert_eq!(store.kept().await.len(), 3);
    close(&recorder).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_any_kind_loses_none_and_doubles_none() {
    for mood in [
        Mood::Down,
        Mood::Hangs,
        Mood::CommitsAndFails,
        Mood::Broken,
        Mood::Panics,
    ] {
        let root = tempfile::tempdir().unwrap();
        let store = FaultyStore::new(mood);
        let recorder = start(root.path(), &store);
        let mut recorded = record(&recorder, 200);
        let is_known = || recorder.status().unwrap().store.is_some();
        until("the outage is known", is_known).await;
        recorded.extend(record(&recorder, 200));
        let calls = store.calls();
        until("it is tried again", || store.calls() > calls + 1).await;
        let status = recorder.status().unwrap();
        assert_eq!(status.pending_records, 400, "{mood:?}");
        assert!(status.oldest_pending_at.is_some());
        assert!(!status.is_well());
        assert_eq!(status.findings()[0].severity, Severity::Warning);

        store.set(Mood::Well);
        until("all is there", || pending(&recorder) == 0).await;
        assert!(recorder.status().unwrap().is_well(), "{mood:?}");
        assert_same(&store.kept().await, &recorded);
        close(&recorder).await;
        assert_eq!(segments_left(root.path()), 0, "{mood:?}");
        assert_eq!(recorder.status().unwrap().rejected, 0, "{mood:?}");
    }
}

/// The store comes and goes under load.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_comes_and_goes() {
    let root = tempfile::tempdir().unwrap();
    let store = FaultyStore::new(Mood::Well);
    let recorder = start(root.path(), &store);
    let length = Duration::from_secs(setting("LAMBDA_FAULT_SECONDS", 2));
    let moods = [
        Mood::Well,
        Mood::Down,
        Mood::Hangs,
        Mood::CommitsAndFails,
        Mood::Panics,
    ];
    let began = Instant::now();
    let mut recorded = record(&recorder, 1);
    while began.elapsed() < length {
        store.set(moods[rand::random_range(0..moods.len())]);
        recorded.extend(record(&recorder, rand::random_range(0..2_000)));
        let pause = rand::random_range(0..50);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    store.set(Mood::Well);
    close(&recorder).await;
    assert_same(&store.kept().await, &recorded);
    assert_eq!(recorder.shed(), 0);
    assert_eq!(recorder.status().unwrap().rejected, 0);
    assert_eq!(segments_left(root.path()), 0);
}

#[tokio::test]
async fn at_the_bound_records_are_shed_and_counted() {
    let root = tempfile::tempdir().unwrap();
    let store = FaultyStore::new(Mood::Down);
    let mut options = options(root.path());
    options.journal_bytes_max = 64 * 1024;
    let recorder = Recorder::start(options, Arc::clone(&store) as _).unwrap();
    let mut recorded = record(&recorder, 2_000);
    let status = recorder.status().unwrap();
    assert!(status.shed > 0);
    assert_eq!(status.shed + status.pending_records, 2_000);
    assert!(status.journal_bytes <= 64 * 1024);
    assert!(status.journal_bytes > 60 * 1024);
    assert!(status.shedding_since.is_some());
    assert_eq!(status.findings()[0].severity, Severity::Error);
    until("it is on the disk", || {
        bytes_left(root.path()) == status.journal_bytes
    })
    .await;

    store.set(Mood::Well);
    until("there is room", || {
        recorder.status().unwrap().journal_bytes < 32 * 1024
    })
    .await;
    recorded.extend(record(&recorder, 1));
    let status = recorder.status().unwrap();
    assert!(status.shedding_since.is_none());
    assert_eq!(status.findings()[0].severity, Severity::Warning);
    close(&recorder).await;
    let kept = store.kept().await;
    assert_eq!(kept.len() as u64 + recorder.shed(), 2_001);
    assert!(
        kept.iter()
            .all(|(id, entry)| recorded.get(id) == Some(entry))
    );
}

#[tokio::test]
async fn what_a_closed_recorder_could_not_send_is_sent_by_the_next_one() {
    let root = tempfile::tempdir().unwrap();
    let store = FaultyStore::new(Mood::Hangs);
    let mut recorded = super::Entries::new();
    for _ in 0..3 {
        let recorder = start(root.path(), &store);
        recorded.extend(record(&recorder, 300));
        recorder.close(Duration::from_millis(30)).await;
        // Nor is one lost that comes late, or whose recorder is only dropped.
        let recorder = start(root.path(), &store);
        recorded.extend(record(&recorder, 10));
    }
    store.set(Mood::Well);
    let recorder = start(root.path(), &store);
    until("earlier records count", || pending(&recorder) <= 930).await;
    close(&recorder).await;
    assert_same(&store.kept().await, &recorded);
    assert_eq!(segments_left(root.path()), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_goes_in_large_batches_and_few_records_in_small_ones() {
    let root = tempfile::tempdir().unwrap();
    let store = FaultyStore::new(Mood::Well);
    let recorder = start(root.path(), &store);
    record(&recorder, 1);
    until("one is there", || pending(&recorder) == 0).await;
    assert_eq!(store.largest_batch(), 1);
    store.set(Mood::Down);
    let count = 40_000;
    let mut large = entry();
    large.output.stdout = "x".repeat(4096);
    recorder.record(&large);
    record(&recorder, count);
    let calls = store.calls();
    store.set(Mood::Well);
    until("all are there", || pending(&recorder) == 0).await;
    assert!(store.largest_batch() > 1_000, "{}", store.largest_batch());
    assert!(store.largest_batch() <= 5_000, "{}", store.largest_batch());
    assert!(store.calls() - calls < 100);
    close(&recorder).await;
    assert_eq!(store.kept().await.len(), count + 2);
}
