//! Journals of processes that have died, damaged ones among them.

use std::io::Write as _;
use std::path::Path;

use super::doubles::{FaultyDisk, FaultyStore, Mood};
use super::{Entries, assert_same, by_id, close, entry, pending, until};
use crate::data_dir::{self, DataDir};
use crate::model::OwnerId;
use crate::recorder::journal::{Cursor, DAMAGED, Journal};
use crate::recorder::{Recorder, RecorderOptions, survey};
use crate::runtime::Severity;

/// A process that died with `count` records in its journal.
fn dead(root: &Path, count: usize) -> (OwnerId, Entries) {
    let owner = DataDir::open(root).unwrap();
    let journal = Journal::open(&owner.journal(), u64::MAX, FaultyDisk::new()).unwrap();
    let entries = by_id((0..count).map(|_| entry()));
    for (number, entry) in entries.values().enumerate() {
        journal.append(entry).unwrap();
        if number % 10 == 9 {
            journal.turn().unwrap();
        }
    }
    (owner.owner(), entries)
}

fn journal_of(root: &Path, owner: OwnerId) -> std::path::PathBuf {
    root.join("owners").join(owner.to_string()).join("journal")
}

fn adopt(root: &Path, store: &std::sync::Arc<FaultyStore>) -> (DataDir, Recorder) {
    let own = DataDir::open(root).unwrap();
    for dead in own.dead_owners().unwrap() {
        own.adopt_journal(&dead).unwrap();
        assert!(!dead.has_records());
        dead.remove();
    }
    let mut options = RecorderOptions::new(own.journal());
    options.timing = super::options(root).timing;
    options.status = own.status();
    options.rejected = data_dir::rejected(root);
    let recorder = Recorder::start(options, std::sync::Arc::clone(store) as _).unwrap();
    (own, recorder)
}

#[tokio::test]
async fn the_records_of_the_dead_are_taken_over_and_damage_stops_none() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let (_, mut expected) = dead(root, 35);
    let (owner, entries) = dead(root, 1);
    expected.extend(entries);

    // What an early version wrote, with a torn end.
    let lines = entry();
    let json = serde_json::to_string(&lines).unwrap();
    let line = format!("{:08x} {json}\n", crc32fast::hash(json.as_bytes()));
    let old = journal_of(root, owner).join("0000000000000002.journal");
    std::fs::write(old, line.repeat(2) + "1234abcd {\"rec").unwrap();
    expected.insert(lines.record.request_id, lines);

    // Damaged in every way: noise, zeros, a directory, a torn frame, an empty file.
    let (owner, mut entries) = dead(root, 20);
    let journal = journal_of(root, owner);
    let first = journal.join("0000000000000000.journal");
    let len = first.metadata().unwrap().len();
    let file = std::fs::OpenOptions::new()
        .write(true)
        .open(&first)
        .unwrap();
    file.set_len(len - 5).unwrap();
    let torn = *entries.keys().nth(9).unwrap();
    entries.remove(&torn);
    expected.extend(entries);
    std::fs::write(journal.join("0000000000000003.journal"), [0; 5_000]).unwrap();
    std::fs::create_dir(journal.join("0000000000000004.journal")).unwrap();
    let mut noise = std::fs::File::create(journal.join("0000000000000005.journal")).unwrap();
    for _ in 0..3_000 {
        noise.write_all(&rand::random::<[u8; 32]>()).unwrap();
    }
    std::fs::write(journal.join("0000000000000006.journal"), "").unwrap();

    let found = survey(root).unwrap();
    assert_eq!(found.owners.len(), 3);
    assert!(found.owners.iter().all(|owner| !owner.is_alive));
    let records: u64 = found.owners.iter().map(|owner| owner.records).sum();
    assert!(records >= expected.len() as u64, "{records}");
    assert!(found.findings()[0].detail.contains("35 records"));

    let store = FaultyStore::new(Mood::Well);
    let (own, recorder) = adopt(root, &store);
    until("all is passed", || pending(&recorder) == 0).await;
    close(&recorder).await;
    assert_same(&store.kept().await, &expected);
    let status = recorder.status().unwrap();
    assert_eq!(status.files_set_aside, 1, "the directory");
    assert!(status.damaged > 2);
    assert_eq!(status.findings()[0].severity, Severity::Warning);

    // What could not be read stays for somebody to look at, from owner to owner.
    own.close();
    drop((own, recorder));
    let (own, recorder) = adopt(root, &store);
    close(&recorder).await;
    let files = std::fs::read_dir(own.journal()).unwrap().flatten();
    let aside = files.filter(|file| file.path().extension().is_some_and(|own| own == DAMAGED));
    assert_eq!(aside.count(), 1);
    assert_eq!(survey(root).unwrap().owners.len(), 1);
}

/// What a killed process had reserved and not used is no record: it leaves the next one its room.
#[test]
fn what_the_dead_had_reserved_counts_for_nothing() {
    let root = tempfile::tempdir().unwrap();
    let entries: Vec<_> = (0..10).map(|_| entry()).collect();
    let journal = Journal::open(root.path(), u64::MAX, FaultyDisk::new()).unwrap();
    for entry in &entries {
        journal.append(entry).unwrap();
    }
    let bytes = journal.bytes();
    drop(journal);
    let segment = root.path().join("0000000000000000.journal");
    let nothing = root.path().join("0000000000000001.journal");
    for path in [&segment, &nothing] {
        let options = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        options.unwrap().set_len(4 * 1024 * 1024).unwrap();
    }
    let journal = Journal::open(root.path(), u64::MAX, FaultyDisk::new()).unwrap();
    assert_eq!(journal.bytes(), bytes);
    assert_eq!(segment.metadata().unwrap().len(), bytes);
    let mut cursor = Cursor::default();
    let piece = cursor.read(&journal, 100).unwrap().unwrap();
    assert_eq!(piece.entries, entries);
}

#[tokio::test]
async fn nothing_is_left_of_one_that_closed_well() {
    let root = tempfile::tempdir().unwrap();
    let store = FaultyStore::new(Mood::Well);
    let (own, recorder) = adopt(root.path(), &store);
    super::record(&recorder, 100);
    close(&recorder).await;
    own.close();
    drop((own, recorder));
    assert!(survey(root.path()).unwrap().owners.is_empty());
    assert_eq!(
        survey(root.path()).unwrap().findings()[0].severity,
        Severity::Ok
    );
}
