//! Processes that are killed while they record: what they had answered is not lost.
//!
//! The process is this test's own program, which runs [`the_process_that_is_killed`] alone. It
//! prints the id of a record once that is kept, as a caller would have its result then. Its
//! store is a file, written as a database commits: a batch counts once its last line is there.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::doubles::{FaultyDisk, FaultyStore};
use super::{Entries, by_id, entry, rounds};
use crate::data_dir::{self, DataDir};
use crate::model::{InvocationEntry, RequestId};
use crate::recorder::journal::{Cursor, Journal};
use crate::recorder::{Recorder, RecorderOptions};

const ROOT: &str = "LAMBDA_TEST_KILL_ROOT";

#[test]
fn a_killed_process_loses_none_and_doubles_none() {
    let root = tempfile::tempdir().unwrap();
    let mut answered = BTreeSet::new();
    for _ in 0..rounds() {
        let program = std::env::current_exe().unwrap();
        let mut child = Command::new(program)
            .args([
                "--exact",
                "recorder::tests::kill::the_process_that_is_killed",
            ])
            .args(["--ignored", "--nocapture", "--test-threads=1"])
            .env(ROOT, root.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Only once it records, however long its start takes.
        let first = lines
            .by_ref()
            .map(Result::unwrap)
            .find_map(|line| id(&line));
        let first = first.expect("the process died by itself");
        let before = answered.len();
        answered.insert(first);
        std::thread::scope(|scope| {
            let rest = scope.spawn(|| lines.filter_map(|line| id(&line.ok()?)).collect::<Vec<_>>());
            std::thread::sleep(Duration::from_millis(rand::random_range(0..400)));
            child.kill().unwrap();
            child.wait().unwrap();
            answered.extend(rest.join().unwrap());
        });
        println!("{} answered", answered.len() - before);
    }
    // What none of them has moved is still in a journal.
    let sent = FaultyStore::committed(&log(root.path()));
    let mut kept: BTreeSet<_> = sent.iter().copied().collect();
    let left = read_journals(root.path());
    println!(
        "{} in the store, {} sent twice, {} in journals",
        kept.len(),
        sent.len() - kept.len(),
        left.len()
    );
    kept.extend(left.keys());
    let lost: Vec<_> = answered.difference(&kept).collect();
    assert!(lost.is_empty(), "{} of {} lost", lost.len(), answered.len());
    // Those that were kept and not answered any more, one for each thread, and the first of each
    // process, which the test's own output precedes.
    let extra = kept.difference(&answered).count();
    assert!(
        extra <= 3 * rounds() as usize,
        "{extra} that nobody recorded"
    );
    for entry in left.values() {
        assert_eq!(*entry, expected(entry.record.request_id));
    }
}

fn log(root: &Path) -> PathBuf {
    root.join("store.log")
}

/// What is left in the journals of all processes.
fn read_journals(root: &Path) -> Entries {
    let mut entries = Entries::new();
    for owner in data_dir::owners(root).unwrap() {
        assert!(!owner.is_alive);
        let journal = Journal::open(&owner.journal, u64::MAX, FaultyDisk::new()).unwrap();
        let mut cursor = Cursor::default();
        while let Some(mut piece) = cursor.read(&journal, 1_000).unwrap() {
            entries.extend(by_id(std::mem::take(&mut piece.entries)));
            cursor.pass(&journal, &piece);
        }
        let (damaged, set_aside) = journal.damage();
        // The one that was being kept in this moment, and not answered.
        assert!(
            damaged <= 1,
            "{damaged}: a kill tears nothing that was kept"
        );
        assert_eq!(set_aside, 0);
    }
    entries
}

fn id(line: &str) -> Option<RequestId> {
    line.strip_prefix("kept ")?.parse().ok()
}

/// What is recorded under an id: every part of it can be told from the id.
fn expected(id: RequestId) -> InvocationEntry {
    let mut expected = entry();
    expected.record.request_id = id;
    expected.record.run_us = u64::from(id.as_bytes()[14]);
    expected.output.stdout = id.to_string().repeat(usize::from(id.as_bytes()[15]) / 4);
    expected
}

#[test]
#[ignore = "a_killed_process_loses_none_and_doubles_none runs it"]
fn the_process_that_is_killed() {
    let Some(root) = std::env::var_os(ROOT) else {
        return;
    };
    let root = PathBuf::from(root);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _entered = runtime.enter();
    let own = DataDir::open(&root).unwrap();
    for dead in own.dead_owners().unwrap() {
        own.adopt_journal(&dead).unwrap();
        dead.remove();
    }
    let mut options = RecorderOptions::new(own.journal());
    options.timing = super::options(&root).timing;
    // So that small segments end, and are deleted, within a life.
    options.journal_bytes_max = 16 * 1024 * 1024;
    let store = FaultyStore::logging(&log(&root));
    let recorder = Recorder::start(options, store).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    // Two threads that do nothing else are faster than any store.
                    while recorder.status().unwrap().journal_bytes > 8 * 1024 * 1024 {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    let id = RequestId::new();
                    recorder.record(&expected(id));
                    assert_eq!(recorder.shed(), 0);
                    // By one write, so that a kill leaves a whole line or none.
                    let line = format!("kept {id}\n");
                    std::io::stdout().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
}
