//! The disk is full, or does not sync: no record takes another one with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::doubles::{FaultyDisk, FaultyStore, Mood};
use super::{Entries, assert_same, close, entry, options, start, until};
use crate::recorder::Recorder;
use crate::recorder::journal::{Cursor, Journal};
use crate::runtime::Severity;

#[tokio::test]
async fn a_full_disk_sheds_what_does_not_fit_and_nothing_else() {
    for truncate_fails in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let (disk, store) = (FaultyDisk::new(), FaultyStore::new(Mood::Down));
        let recorder = Recorder::start_on(
            options(root.path()),
            Arc::clone(&store) as _,
            Arc::clone(&disk) as _,
        )
        .unwrap();
        disk.set_truncate_fails(truncate_fails);
        let mut kept = Entries::new();
        let mut shed = Entries::new();
        let mut lost = 0;
        // Each time another part of a record fits.
        for room in 0..300 {
            disk.set_room(Some(room));
            let full = entry();
            recorder.record(&full);
            if recorder.shed() == lost {
                kept.insert(full.record.request_id, full);
            } else {
                shed.insert(full.record.request_id, full);
                lost += 1;
            }
            disk.set_room(None);
            if room % 3 == 0 {
                let next = entry();
                recorder.record(&next);
                assert_eq!(recorder.shed(), lost, "there is room again");
                kept.insert(next.record.request_id, next);
            }
        }
        assert!(lost > 50, "{lost}");
        store.set(Mood::Well);
        close(&recorder).await;
        let mut found = store.kept().await;
        // All but the last byte of it fit: what ended it later made it whole.
        found.retain(|id, _| !(truncate_fails && shed.contains_key(id)));
        assert_same(&found, &kept);
        let damaged = recorder.status().unwrap().damaged;
        assert_eq!(damaged > 0, truncate_fails, "{damaged}");
    }
}

/// A kernel that could not write pages drops them and reports that once.
#[tokio::test]
async fn what_a_failed_sync_dropped_is_written_again() {
    let root = tempfile::tempdir().unwrap();
    let (disk, store) = (FaultyDisk::new(), FaultyStore::new(Mood::Down));
    let recorder = Recorder::start_on(
        options(root.path()),
        Arc::clone(&store) as _,
        Arc::clone(&disk) as _,
    )
    .unwrap();
    let mut recorded = super::record(&recorder, 100);
    disk.set_sync_fails(true);
    recorded.extend(super::record(&recorder, 100));
    let has_trouble = || recorder.status().unwrap().disk.is_some();
    until("it is known", has_trouble).await;
    let findings = recorder.status().unwrap().findings();
    assert!(
        findings
            .iter()
            .any(|found| found.severity == Severity::Error)
    );
    recorded.extend(super::record(&recorder, 100));

    disk.set_sync_fails(false);
    until("it is synced", || recorder.status().unwrap().disk.is_none()).await;
    disk.cut_power();
    recorder.close(Duration::ZERO).await;
    disk.lose();
    store.set(Mood::Well);
    let next = start(root.path(), &store);
    close(&next).await;
    assert_same(&store.kept().await, &recorded);
}

#[test]
fn what_came_before_a_turn_whose_sync_fails_is_written_again() {
    let root = tempfile::tempdir().unwrap();
    let disk = FaultyDisk::new();
    let journal = Journal::open(root.path(), u64::MAX, Arc::clone(&disk) as _).unwrap();
    let entries: Vec<_> = (0..20).map(|_| entry()).collect();
    entries[..10]
        .iter()
        .for_each(|entry| journal.append(entry).unwrap());
    disk.set_sync_fails(true);
    journal.turn().unwrap_err();
    entries[10..]
        .iter()
        .for_each(|entry| journal.append(entry).unwrap());
    journal.sync().unwrap_err();
    assert!(journal.is_dirty());
    disk.set_sync_fails(false);
    journal.sync().unwrap();
    assert!(!journal.is_dirty());
    disk.cut_power();
    disk.lose();
    let journal = Journal::open(root.path(), u64::MAX, FaultyDisk::new()).unwrap();
    assert_eq!(super::by_id(read(&journal)), super::by_id(entries));
}

/// Where there is no room for the next segment the active one grows, as safe as before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_are_synced_as_often_while_no_segment_can_be_made() {
    let root = tempfile::tempdir().unwrap();
    let (disk, store) = (FaultyDisk::new(), FaultyStore::new(Mood::Down));
    let mut options = options(root.path());
    // So that segments are to end all the time.
    options.journal_bytes_max = 1024 * 1024;
    let recorder =
        Recorder::start_on(options, Arc::clone(&store) as _, Arc::clone(&disk) as _).unwrap();
    disk.set_create_fails(true);
    let mut recorded = super::record(&recorder, 1_500);
    until("it is tried", || disk.created_in_vain() >= 5).await;
    let began = Instant::now();
    recorded.extend(super::record(&recorder, 1));
    until("it is synced", || disk.is_synced()).await;
    // As a rule 50 ms; others may use this machine, too. The next attempt at a segment is not
    // due before 1.6 s.
    assert!(
        began.elapsed() < Duration::from_millis(800),
        "{:?}",
        began.elapsed()
    );
    assert!(recorder.status().unwrap().disk.is_none());

    disk.set_create_fails(false);
    store.set(Mood::Well);
    close(&recorder).await;
    assert_same(&store.kept().await, &recorded);
}

/// What was written of a record in part stays behind: in front of the next one, in another
/// segment, it would take that with it.
#[test]
fn no_part_of_a_record_is_written_again() {
    for ends_before in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let disk = FaultyDisk::new();
        let journal = Journal::open(root.path(), u64::MAX, Arc::clone(&disk) as _).unwrap();
        let (one, shed, two) = (entry(), entry(), entry());
        journal.append(&one).unwrap();
        disk.set_truncate_fails(true);
        disk.set_room(Some(20));
        journal.append(&shed).unwrap_err();
        disk.set_room(None);
        disk.set_sync_fails(true);
        // Both ways into another segment.
        if ends_before {
            journal.turn().unwrap_err();
            journal.append(&two).unwrap();
        } else {
            journal.sync().unwrap_err();
        }
        disk.set_sync_fails(false);
        journal.sync().unwrap();
        if !ends_before {
            journal.append(&two).unwrap();
            journal.sync().unwrap();
        }
        disk.cut_power();
        disk.lose();
        let journal = Journal::open(root.path(), u64::MAX, FaultyDisk::new()).unwrap();
        assert_eq!(super::by_id(read(&journal)), super::by_id([one, two]));
    }
}

#[test]
fn a_torn_tail_is_cut_wherever_it_is_torn() {
    let root = tempfile::tempdir().unwrap();
    let (one, two) = (entry(), entry());
    let journal = Journal::open(root.path(), u64::MAX, FaultyDisk::new()).unwrap();
    journal.append(&one).unwrap();
    journal.append(&two).unwrap();
    drop(journal);
    let segment = root.path().join("0000000000000000.journal");
    let whole = std::fs::read(&segment).unwrap();
    let frame = whole.len() / 2;
    // The two frames are alike in length; one byte less leaves out the end only.
    for cut in 2..frame {
        let directory = tempfile::tempdir().unwrap();
        let torn = directory.path().join("0000000000000000.journal");
        std::fs::write(&torn, &whole[..whole.len() - cut]).unwrap();
        let journal = Journal::open(directory.path(), u64::MAX, FaultyDisk::new()).unwrap();
        assert_eq!(
            read(&journal),
            std::slice::from_ref(&one),
            "less {cut} bytes"
        );
        assert!(!torn.exists(), "what is read is deleted");
    }
}

#[test]
fn damage_in_the_middle_costs_the_records_that_it_touches() {
    let root = tempfile::tempdir().unwrap();
    let entries: Vec<_> = (0..9).map(|_| entry()).collect();
    let journal = Journal::open(root.path(), u64::MAX, FaultyDisk::new()).unwrap();
    entries
        .iter()
        .for_each(|entry| journal.append(entry).unwrap());
    drop(journal);
    let segment = root.path().join("0000000000000000.journal");
    let mut bytes = std::fs::read(&segment).unwrap();
    let frame = bytes.len() / entries.len();
    // A bit in the third one; in the sixth and seventh everything, their ends included.
    bytes[2 * frame + frame / 2] ^= 4;
    bytes[5 * frame..7 * frame].fill(0xa5);
    std::fs::write(&segment, bytes).unwrap();
    let journal = Journal::open(root.path(), u64::MAX, FaultyDisk::new()).unwrap();
    let kept = [0, 1, 3, 4, 8].map(|at| entries[at].clone());
    // Nor does it end before the eighth, which lies behind an end that is not one any more.
    assert_eq!(read(&journal), kept);
    assert_eq!(journal.damage(), (2, 0));
}

/// Reads all, a few records at a time.
fn read(journal: &Journal) -> Vec<crate::model::InvocationEntry> {
    let mut cursor = Cursor::default();
    let mut entries = Vec::new();
    while let Some(mut piece) = cursor.read(journal, 3).unwrap() {
        entries.append(&mut piece.entries);
        cursor.pass(journal, &piece);
    }
    assert_eq!(journal.pending(), (0, 0));
    entries
}
