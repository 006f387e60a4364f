//! Power failures: what was answered more than 100 ms before is there, whatever the disk lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::doubles::{FaultyDisk, FaultyStore, Mood};
use super::{by_id, close, entry, options, rounds, start};
use crate::recorder::Recorder;
use crate::recorder::journal::{Cursor, Disk, Journal};

/// What is promised.
const LOST_MAX: Duration = Duration::from_millis(100);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_failure_takes_100_ms_at_most() {
    for round in 0..rounds() {
        let root = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::slow();
        // In every other round the journal is all there is.
        let store = FaultyStore::new(match round % 2 {
            0 => Mood::Well,
            _ => Mood::Down,
        });
        let mut options = options(root.path());
        // Small segments, so that some end and are removed.
        options.journal_bytes_max = 64 * 1024 * 1024;
        let recorder =
            Recorder::start_on(options, Arc::clone(&store) as _, Arc::clone(&disk) as _).unwrap();

        let is_over = Arc::new(AtomicBool::new(false));
        let lateness = measure_lateness(Arc::clone(&is_over));
        let loads: Vec<_> = (0..3)
            .map(|_| {
                let (recorder, is_over) = (recorder.clone(), Arc::clone(&is_over));
                std::thread::spawn(move || {
                    let mut answered = Vec::new();
                    while !is_over.load(Ordering::Relaxed) {
                        let entry = entry();
                        recorder.record(&entry);
                        answered.push((Instant::now(), entry));
                        std::thread::sleep(Duration::from_micros(rand::random_range(0..300)));
                    }
                    answered
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(rand::random_range(150..600))).await;
        let cut_at = Instant::now();
        disk.cut_power();
        is_over.store(true, Ordering::Relaxed);
        let loads = loads.into_iter().flat_map(|load| load.join().unwrap());
        let (times, answered): (Vec<_>, Vec<_>) = loads.unzip();
        let lateness = lateness.join().unwrap();
        recorder.close(Duration::ZERO).await;
        disk.lose();

        store.set(Mood::Well);
        let next = start(root.path(), &store);
        close(&next).await;
        let kept = store.kept().await;
        let may_be_lost = LOST_MAX + 3 * lateness;
        let ids: Vec<_> = answered
            .iter()
            .map(|entry| entry.record.request_id)
            .collect();
        let answered = by_id(answered);
        let lost: Vec<_> = (times.iter().zip(&ids))
            .filter(|(_, id)| !kept.contains_key(id))
            .map(|(time, _)| cut_at.saturating_duration_since(*time))
            .collect();
        let oldest = lost.iter().max().copied().unwrap_or_default();
        println!(
            "{} answered, {} lost, the oldest {oldest:?} before; the machine was {lateness:?} late",
            answered.len(),
            lost.len(),
        );
        assert!(oldest <= may_be_lost, "lost after {oldest:?}");
        for (id, entry) in &kept {
            assert_eq!(Some(entry), answered.get(id), "a record that nobody wrote");
        }
    }
}

/// A killed process leaves records in the kernel's pages that only it would have synced.
#[test]
fn what_a_killed_process_had_not_synced_is_safe_once_the_journal_is_opened() {
    let root = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let open = |disk: &Arc<FaultyDisk>| {
        Journal::open(root.path(), u64::MAX, Arc::clone(disk) as Arc<dyn Disk>).unwrap()
    };
    let killed = open(&disk);
    let entries: Vec<_> = (0..20).map(|_| entry()).collect();
    for entry in &entries {
        killed.append(entry).unwrap();
    }
    drop(killed);
    assert!(!disk.is_synced());
    drop(open(&disk));
    disk.cut_power();
    disk.lose();
    let journal = open(&FaultyDisk::new());
    let mut cursor = Cursor::default();
    let piece = cursor.read(&journal, 100).unwrap().expect("all is there");
    assert_eq!(piece.entries, entries);
}

/// How much later than asked this machine wakes a thread at worst: what others' load on it
/// adds to every promise.
fn measure_lateness(is_over: Arc<AtomicBool>) -> std::thread::JoinHandle<Duration> {
    std::thread::spawn(move || {
        let asked = Duration::from_millis(10);
        let mut worst = Duration::ZERO;
        while !is_over.load(Ordering::Relaxed) {
            let began = Instant::now();
            std::thread::sleep(asked);
            worst = worst.max(began.elapsed() - asked);
        }
        worst
    })
}
