//! Records that the store never takes are put aside, and stop no others.

use super::doubles::{FaultyStore, Mood};
use super::{Entries, assert_same, by_id, close, entry, pending, record, start, until};
use crate::model::{FunctionName, InvocationEntry};
use crate::runtime::Severity;

fn of(function: &str) -> InvocationEntry {
    let mut entry = entry();
    entry.record.function_name = FunctionName::new(function).unwrap();
    entry
}

fn rejected(root: &std::path::Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(root.join("rejected.jsonl")).unwrap_or_default();
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

#[tokio::test]
async fn poison_among_others() {
    for function in ["poison", "puzzle"] {
        let root = tempfile::tempdir().unwrap();
        // Down at first, so that all are in one batch.
        let store = FaultyStore::new(Mood::Down);
        let recorder = start(root.path(), &store);
        let mut good = Entries::new();
        let mut bad = Vec::new();
        for count in [0, 3, 100, 250] {
            good.extend(record(&recorder, count));
            bad.push(of(function));
            bad.last().iter().for_each(|entry| recorder.record(entry));
        }
        store.set(Mood::Well);
        until("all are passed", || pending(&recorder) == 0).await;
        assert_same(&store.kept().await, &good);
        let status = recorder.status().unwrap();
        assert_eq!(status.rejected, bad.len() as u64);
        assert!(status.is_well());
        assert_eq!(status.findings()[0].severity, Severity::Warning);
        close(&recorder).await;

        let lines = rejected(root.path());
        let ids = |lines: &[serde_json::Value]| {
            let ids = lines
                .iter()
                .map(|line| line["record"]["request_id"].clone());
            ids.map(|id| {
                id.as_str()
                    .unwrap()
                    .parse::<crate::model::RequestId>()
                    .unwrap()
            })
            .collect::<Vec<_>>()
        };
        let expected: Vec<_> = bad.iter().map(|entry| entry.record.request_id).collect();
        assert_eq!(ids(&lines), expected, "{function}");
        assert!(lines[0]["message"].as_str().unwrap().starts_with("It is"));
    }
}

#[tokio::test]
async fn nothing_but_poison_is_put_aside_as_well() {
    let root = tempfile::tempdir().unwrap();
    let store = FaultyStore::new(Mood::Well);
    let recorder = start(root.path(), &store);
    let bad = by_id((0..50).map(|_| of("poison")));
    bad.values().for_each(|entry| recorder.record(entry));
    until("all are passed", || pending(&recorder) == 0).await;
    assert_eq!(rejected(root.path()).len(), 50);
    close(&recorder).await;
}

/// Nobody can tell a record's fault from the store's as long as the store takes nothing.
#[tokio::test]
async fn a_puzzle_alone_waits_until_another_record_is_taken() {
    let root = tempfile::tempdir().unwrap();
    let store = FaultyStore::new(Mood::Well);
    let recorder = start(root.path(), &store);
    recorder.record(&of("puzzle"));
    until("it was tried", || store.calls() > 10).await;
    assert_eq!(recorder.status().unwrap().rejected, 0);
    assert!(recorder.status().unwrap().store.is_some());
    let good = record(&recorder, 1);
    until("both are passed", || pending(&recorder) == 0).await;
    assert_eq!(recorder.status().unwrap().rejected, 1);
    assert_same(&store.kept().await, &good);
    assert_eq!(rejected(root.path()).len(), 1);
    close(&recorder).await;
}
