//! Several stores, other programs and dropped futures on one database.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::mysql::{Database, Server};
use common::{append, by_id, create, creation, record, turns};
use lambda_store::model::{FunctionId, InvocationRecord, Namespace, RuntimeName};
use lambda_store::store::{ListInvocations, SummarizeInvocations, UpdateFunction};
use lambda_store::{ErrorKind, MySqlStore, Store};
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, Row as _};

async fn open(database: &Database) -> MySqlStore {
    MySqlStore::open(&database.url()).await.unwrap()
}

async fn execute(connection: &mut MySqlConnection, sql: impl Into<String>) -> sqlx::Result<()> {
    let sql = AssertSqlSafe(sql.into());
    sqlx::raw_sql(sql).execute(connection).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_stores_on_one_database_never_see_a_lock() {
    for server in Server::all() {
        let database = server.database();
        let stores = [
            Arc::new(open(&database).await),
            Arc::new(open(&database).await),
        ];
        turns::two_stores_never_see_a_lock(stores).await;
    }
}

/// Batches that share some of their records, in two namespaces and two runtimes, in any order.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn batches_that_overlap_count_once() {
    for server in Server::all() {
        let database = server.database();
        let stores = [
            Arc::new(open(&database).await),
            Arc::new(open(&database).await),
        ];
        let namespaces = [Namespace::default(), Namespace::new("other").unwrap()];
        let functions: Vec<_> = (0..5).map(|_| FunctionId::new()).collect();
        let records: Vec<InvocationRecord> = (0..600)
            .map(|at| {
                let mut record = record(functions[at % 5]);
                record.namespace = namespaces[at % 2].clone();
                record.runtime = match at % 3 {
                    0 => RuntimeName::gvisor(),
                    _ => RuntimeName::docker(),
                };
                record
            })
            .collect();
        let records = Arc::new(records);
        let mut working = Vec::new();
        for task in 0..8_usize {
            let (store, records) = (Arc::clone(&stores[task % 2]), Arc::clone(&records));
            working.push(tokio::spawn(async move {
                for round in 0..12_usize {
                    let start = (task * 70 + round * 37) % 500;
                    let mut batch = records[start..start + 100].to_vec();
                    if task % 2 == 1 {
                        batch.reverse();
                    }
                    append(&*store, &batch).await.unwrap();
                }
            }));
        }
        for work in working {
            work.await.unwrap();
        }
        append(&*stores[0], &records).await.unwrap();
        for namespace in namespaces {
            let all = SummarizeInvocations::all(namespace.clone());
            let summary = stores[1].invocation_summary(all).await.unwrap();
            assert_eq!(summary.totals.calls, 300);
            let of_functions: u64 = summary.functions.iter().map(|f| f.summary.calls).sum();
            assert_eq!(of_functions, 300);
            assert_eq!(summary.runtimes[&RuntimeName::gvisor()].calls, 100);
            let list = ListInvocations::first(namespace, 1_000);
            let page = stores[0].invocation_list(list).await.unwrap();
            assert_eq!(page.items.len(), 300);
        }
    }
}

/// No transaction of the store is left, soon: the server notices that its connection is gone.
async fn assert_unlocked(database: &Database) {
    let mut other = database.foreign().await;
    let started = Instant::now();
    let lock_all = "SET SESSION innodb_lock_wait_timeout = 1; START TRANSACTION; \
        SELECT COUNT(*) FROM `function` FOR UPDATE; SELECT COUNT(*) FROM invocation FOR UPDATE; \
        SELECT COUNT(*) FROM rollup FOR UPDATE; ROLLBACK";
    while let Err(error) = execute(&mut other, lock_all).await {
        assert!(
            started.elapsed() < Duration::from_secs(10),
            "a transaction stayed open: {error}"
        );
        execute(&mut other, "ROLLBACK").await.unwrap();
    }
    other.close().await.unwrap();
}

#[tokio::test]
async fn a_dropped_future_leaves_no_transaction_open() {
    for server in Server::all() {
        let database = server.database();
        let store = open(&database).await;
        let mut dropped = 0;
        for round in 0..60_u64 {
            let limit = Duration::from_micros(round * 150);
            let request = creation(&store, &format!("f{round}")).await;
            let batch: Vec<_> = (0..200).map(|_| record(FunctionId::new())).collect();
            let created = tokio::time::timeout(limit, store.function_create(request)).await;
            let appended = tokio::time::timeout(limit * 3, append(&store, &batch)).await;
            assert_unlocked(&database).await;
            dropped += u32::from(created.is_err()) + u32::from(appended.is_err());
        }
        assert!(dropped > 0, "nothing was dropped half-way");
        create(&store, "afterwards").await;
    }
}

/// Ends all connections to the database but `admin`.
async fn end_connections(admin: &mut MySqlConnection, database: &Database) {
    // Not from MySQL's information_schema, which fails where any other statement is no text in utf8mb3.
    let rows = sqlx::raw_sql("SHOW PROCESSLIST").fetch_all(&mut *admin);
    let rows = rows.await.unwrap();
    let ids = rows.iter().filter_map(|row| {
        let name: Option<String> = row.try_get("db").unwrap();
        // Signed in one of the servers, unsigned in the other.
        let id: u64 = row.try_get_unchecked("Id").unwrap();
        (name.as_deref() == Some(&database.name)).then_some(id)
    });
    let ids: Vec<u64> = ids.collect();
    assert!(!ids.is_empty());
    for id in ids {
        // It may have ended by itself.
        drop(execute(admin, format!("KILL {id}")).await);
    }
}

#[tokio::test]
async fn connections_that_the_server_ends_are_replaced() {
    for server in Server::all() {
        let database = server.database();
        let store = open(&database).await;
        let mut admin = server.connect().await;
        let mut function = create(&store, "a").await;
        for _ in 0..5 {
            end_connections(&mut admin, &database).await;
            let found = store.function_get(&by_id(function.id)).await.unwrap();
            assert_eq!(found, function);
            end_connections(&mut admin, &database).await;
            let update = UpdateFunction::of(&function);
            function = store.function_update(update).await.unwrap();
            end_connections(&mut admin, &database).await;
            append(&store, &[record(function.id)]).await.unwrap();
        }
    }
}

#[tokio::test]
async fn who_waits_for_anothers_lock_is_told_so_in_the_end() {
    for server in Server::all() {
        let database = server.database();
        let store = open(&database).await;
        let function = create(&store, "a").await;
        let mut other = database.foreign().await;
        let lock = "START TRANSACTION; SELECT id FROM `function` FOR UPDATE";
        execute(&mut other, lock).await.unwrap();
        let started = Instant::now();
        let error = store
            .function_update(UpdateFunction::of(&function))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
        assert!(error.to_string().contains("busy"), "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(20));
        // Who only reads waits for nobody.
        store.function_get(&by_id(function.id)).await.unwrap();
        execute(&mut other, "ROLLBACK").await.unwrap();
        store
            .function_update(UpdateFunction::of(&function))
            .await
            .unwrap();
    }
}
