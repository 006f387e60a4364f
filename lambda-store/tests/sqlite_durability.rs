//! A process that writes is killed again and again: what it was told is kept is there, once.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]

mod common;

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::{append, by_id, child, create, open, package, record};
use lambda_store::model::{Bucket, FunctionId, Namespace, RequestId};
use lambda_store::store::{ListInvocations, SummarizeInvocations, UpdateFunction};
use lambda_store::{SqliteStore, Store};

const BATCH: usize = 20;

/// Kills in a run; more with `LAMBDA_TEST_KILLS`.
const KILLS: u32 = 20;

fn acknowledge(text: &str) {
    // Lines of their own, whatever the test harness prints; one write each.
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\nACK {text}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a part of a_killed_process_loses_nothing, which runs it and kills it"]
async fn writer() {
    let path = std::env::var_os(common::PATH_VARIABLE).unwrap();
    let store = Arc::new(open(Path::new(&path)).await);
    for _ in 0..2 {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            loop {
                let id = FunctionId::new();
                let batch: Vec<_> = (0..BATCH).map(|_| record(id)).collect();
                append(&*store, &batch).await.unwrap();
                acknowledge(&format!("batch {id} 0"));
            }
        });
    }
    loop {
        let function = create(&*store, &format!("f{}", FunctionId::new())).await;
        acknowledge(&format!("function {} 1", function.id));
        store
            .function_update(UpdateFunction::of(&function))
            .await
            .unwrap();
        acknowledge(&format!("function {} 2", function.id));
    }
}

#[derive(Default)]
struct Acknowledged {
    batches: HashSet<FunctionId>,
    /// With the version.
    functions: Vec<(FunctionId, u32)>,
}

impl Acknowledged {
    fn read(&mut self, line: &str) {
        let Some(line) = line.strip_prefix("ACK ") else {
            return;
        };
        // The last line may be torn.
        let fields: Vec<_> = line.split(' ').collect();
        let [kind, id, version] = fields[..] else {
            return;
        };
        let (Ok(id), Ok(version)) = (id.parse(), version.parse()) else {
            return;
        };
        match kind {
            "batch" => _ = self.batches.insert(id),
            "function" => self.functions.push((id, version)),
            _ => panic!("{line}"),
        }
    }
}

async fn verify(store: &SqliteStore, acknowledged: &Acknowledged) -> usize {
    let mut found = HashMap::<FunctionId, usize>::new();
    let mut ids = HashSet::<RequestId>::new();
    let mut request = ListInvocations::first(Namespace::default(), 1_000);
    loop {
        let page = store.invocation_list(request.clone()).await.unwrap();
        for record in page.items {
            assert!(ids.insert(record.request_id), "a record is there twice");
            *found.entry(record.function_id).or_default() += 1;
        }
        request.cursor = page.next;
        if request.cursor.is_none() {
            break;
        }
    }
    for id in &acknowledged.batches {
        assert_eq!(
            found.get(id),
            Some(&BATCH),
            "batch {id}, which was acknowledged"
        );
    }
    for (id, count) in &found {
        assert_eq!(*count, BATCH, "batch {id}, kept in part");
    }
    verify_figures(store, ids.len(), &found).await;
    for (id, version) in &acknowledged.functions {
        let function = store.function_get(&by_id(*id)).await.unwrap();
        assert!(function.version >= *version, "{id} at version {version}");
        assert_eq!(function.code.len(), 1);
        package(store, function.code[0]).await.unwrap();
    }
    ids.len()
}

/// Figures are of exactly the records that are there.
async fn verify_figures(store: &SqliteStore, records: usize, found: &HashMap<FunctionId, usize>) {
    for bucket in [
        None,
        Some(Bucket::Minute),
        Some(Bucket::Hour),
        Some(Bucket::Day),
    ] {
        let mut request = SummarizeInvocations::all(Namespace::default());
        request.bucket = bucket;
        let summary = store.invocation_summary(request).await.unwrap();
        assert_eq!(summary.totals.calls, records as u64, "{bucket:?}");
        let points = summary.series.iter().map(|point| point.summary.calls);
        assert!(
            bucket.is_none() || points.sum::<u64>() == records as u64,
            "{bucket:?}"
        );
        assert_eq!(summary.functions.len(), found.len().min(1_000));
        for function in &summary.functions {
            assert_eq!(function.summary.calls, BATCH as u64, "{bucket:?}");
        }
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing() {
    let kills = std::env::var("LAMBDA_TEST_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let mut seed = u64::from(seed.subsec_nanos());
    println!("seed {seed}");
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let mut acknowledged = Acknowledged::default();
    for kill in 0..kills {
        let mut process = child("writer", &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(process.stdout.take().unwrap());
        let reader =
            std::thread::spawn(move || out.lines().map_while(Result::ok).collect::<Vec<_>>());
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // From before the file is there to well within the writing.
        tokio::time::sleep(Duration::from_millis((seed >> 33) % 200)).await;
        process.kill().unwrap();
        process.wait().unwrap();
        for line in reader.join().unwrap() {
            acknowledged.read(&line);
        }
        // Now and then the next writer is the one that finds what was left.
        if kill % 3 != 1 {
            let store = open(&path).await;
            verify(&store, &acknowledged).await;
            store.close().await;
        }
    }
    let store = open(&path).await;
    let records = verify(&store, &acknowledged).await;
    println!(
        "{kills} kills: {} batches and {} versions acknowledged, {records} records there",
        acknowledged.batches.len(),
        acknowledged.functions.len()
    );
    assert!(!acknowledged.batches.is_empty() && !acknowledged.functions.is_empty());
}
