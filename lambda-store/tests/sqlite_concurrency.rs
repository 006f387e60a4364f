//! Readers, writers and dropped futures on one SQLite file.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{append, by_id, create, creation, foreign, open, record, turns};
use lambda_store::Store;
use lambda_store::model::{FunctionId, Namespace};
use lambda_store::store::SummarizeInvocations;
use sqlx::{Connection as _, SqliteConnection};

async fn execute(connection: &mut SqliteConnection, sql: &'static str) -> sqlx::Result<u64> {
    let done = sqlx::query(sql).execute(connection).await?;
    Ok(done.rows_affected())
}

#[tokio::test]
async fn readers_do_not_wait_for_a_writer_and_writers_wait_their_turn() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = Arc::new(open(&path).await);
    let function = create(&*store, "a").await;

    let mut other = foreign(&path).await;
    execute(&mut other, "BEGIN IMMEDIATE").await.unwrap();
    execute(&mut other, "UPDATE function SET namespace = 'unseen'")
        .await
        .unwrap();
    let writing = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { append(&*store, &[record(function.id)]).await })
    };
    let reading = async {
        for _ in 0..20 {
            store.function_get(&by_id(function.id)).await.unwrap();
            store
                .invocation_summary(SummarizeInvocations::all(Namespace::default()))
                .await
                .unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(5), reading)
        .await
        .expect("readers waited for a writer");
    assert!(!writing.is_finished(), "the writer did not wait");
    execute(&mut other, "ROLLBACK").await.unwrap();
    writing.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_stores_on_one_file_never_see_a_lock() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let stores = [Arc::new(open(&path).await), Arc::new(open(&path).await)];
    turns::two_stores_never_see_a_lock(stores).await;
}

/// Whether another program gets the write lock, soon: a rollback follows the drop.
async fn assert_unlocked(path: &Path) {
    let mut other = foreign(path).await;
    let started = Instant::now();
    while let Err(error) = execute(&mut other, "BEGIN IMMEDIATE").await {
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "a transaction stayed open: {error}"
        );
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    other.close().await.unwrap();
}

#[tokio::test]
async fn a_dropped_future_leaves_no_transaction_open() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path).await;
    let mut dropped = 0;
    for round in 0..100_u64 {
        let limit = Duration::from_micros(round * 15);
        let request = creation(&store, &format!("f{round}")).await;
        let batch: Vec<_> = (0..200).map(|_| record(FunctionId::new())).collect();
        let created = tokio::time::timeout(limit, store.function_create(request)).await;
        assert_unlocked(&path).await;
        let appended = tokio::time::timeout(limit * 4, append(&store, &batch)).await;
        assert_unlocked(&path).await;
        dropped += u32::from(created.is_err()) + u32::from(appended.is_err());
    }
    assert!(dropped > 0, "nothing was dropped half-way");
    create(&store, "afterwards").await;
}
