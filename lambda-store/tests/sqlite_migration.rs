//! Databases that the version before made: all that was in them is there, with figures of it.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use common::{append, by_id, child, foreign, open, package, record};
use lambda_store::model::{Bucket, FunctionId, Namespace, PackageDigest, RequestId, RevisionId};
use lambda_store::store::{
    ListInvocations, ListVersions, SetAlias, SummarizeInvocations, UpdateFunction,
};
use lambda_store::{ErrorKind, SqliteStore, Store};
use sqlx::migrate::Migrator;
use sqlx::{Connection as _, SqliteConnection};
use tempfile::TempDir;

/// More than the figures are made of at once.
const RECORDS: u32 = 15_000;
const FUNCTIONS: u32 = 7;

const CONFIG: &str = r#"{"description":"VERSION","language":"python","handler":null,
    "runtime":"docker","timeout_us":3000000,"memory_mib":128,"cpus":"1","tmp_mib":null,"env":{},
    "concurrency":null,"image":null,"network":"none"}"#;

/// What the version before had written.
struct Before {
    directory: TempDir,
    path: PathBuf,
    function: FunctionId,
    /// Of its versions, the oldest first.
    revisions: Vec<RevisionId>,
    code: Bytes,
}

/// The first migration, by itself.
async fn first_schema(connection: &mut SqliteConnection) {
    const FIRST: &str = "0001_initial.sql";
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let alone = tempfile::tempdir().unwrap();
    std::fs::copy(migrations.join(FIRST), alone.path().join(FIRST)).unwrap();
    let migrator = Migrator::new(alone.path()).await.unwrap();
    migrator.run(connection).await.unwrap();
}

async fn before() -> Before {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let mut connection = foreign(&path).await;
    first_schema(&mut connection).await;
    // One transaction: otherwise each row would wait for the disk.
    sqlx::query("BEGIN").execute(&mut connection).await.unwrap();
    let function = FunctionId::new();
    let revisions: Vec<_> = (0..3).map(|_| RevisionId::new()).collect();
    let code = Bytes::from(vec![7; 600_000]);
    write_package(&mut connection, &code).await;
    write_function(&mut connection, function, &revisions, &code).await;
    write_records(&mut connection).await;
    sqlx::query("COMMIT")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    Before {
        directory,
        path,
        function,
        revisions,
        code,
    }
}

async fn write_package(connection: &mut SqliteConnection, code: &Bytes) {
    let digest = PackageDigest::of(code).as_bytes().to_vec();
    sqlx::query("INSERT INTO package VALUES (?1, ?2, 1750000000000000, TRUE)")
        .bind(&digest)
        .bind(i64::try_from(code.len()).unwrap())
        .execute(&mut *connection)
        .await
        .unwrap();
    for (seq, chunk) in (0_i64..).zip(code.chunks(256 * 1024)) {
        sqlx::query("INSERT INTO package_chunk VALUES (?1, ?2, ?3)")
            .bind(&digest)
            .bind(seq)
            .bind(chunk)
            .execute(&mut *connection)
            .await
            .unwrap();
    }
}

async fn write_function(
    connection: &mut SqliteConnection,
    function: FunctionId,
    revisions: &[RevisionId],
    code: &Bytes,
) {
    let id = function.as_bytes().to_vec();
    sqlx::query("INSERT INTO function VALUES (?1, 'default', 'old', 3, 1750000000000000)")
        .bind(&id)
        .execute(&mut *connection)
        .await
        .unwrap();
    for (version, revision) in (1_i64..).zip(revisions) {
        sqlx::query("INSERT INTO function_version VALUES (?1, ?2, ?3, 1750000000000000, ?4)")
            .bind(&id)
            .bind(version)
            .bind(revision.as_bytes().to_vec())
            .bind(CONFIG.replace("VERSION", &version.to_string()))
            .execute(&mut *connection)
            .await
            .unwrap();
        sqlx::query("INSERT INTO version_package VALUES (?1, ?2, 0, ?3, 'zip')")
            .bind(&id)
            .bind(version)
            .bind(PackageDigest::of(code).as_bytes().to_vec())
            .execute(&mut *connection)
            .await
            .unwrap();
    }
    sqlx::query("INSERT INTO alias VALUES (?1, 'current', 3)")
        .bind(&id)
        .execute(&mut *connection)
        .await
        .unwrap();
}

async fn write_records(connection: &mut SqliteConnection) {
    let functions: Vec<_> = (0..FUNCTIONS).map(|_| FunctionId::new()).collect();
    for n in 0..RECORDS {
        let status = if n % 10 == 0 { "timeout" } else { "success" };
        sqlx::query(
            "INSERT INTO invocation VALUES (?1, 'default', ?2, 'f', 1, 'docker', 'warm', ?3, NULL, \
             ?4, 1, 2, 3, 4, 10, NULL)",
        )
        .bind(RequestId::new().as_bytes().to_vec())
        .bind(functions[(n % FUNCTIONS) as usize].as_bytes().to_vec())
        .bind(status)
        .bind(1_750_000_000_000_000 + i64::from(n) * 10_000_000)
        .execute(&mut *connection)
        .await
        .unwrap();
    }
}

async fn verify(before: &Before) {
    let store = open(&before.path).await;
    verify_function(before, &store).await;
    let mut request = ListInvocations::first(Namespace::default(), 1_000);
    let mut records = 0;
    loop {
        let page = store.invocation_list(request.clone()).await.unwrap();
        records += page.items.len();
        request.cursor = page.next;
        if request.cursor.is_none() {
            break;
        }
    }
    assert_eq!(records, RECORDS as usize);
    for bucket in [
        None,
        Some(Bucket::Minute),
        Some(Bucket::Hour),
        Some(Bucket::Day),
    ] {
        let mut request = SummarizeInvocations::all(Namespace::default());
        request.bucket = bucket;
        let summary = store.invocation_summary(request).await.unwrap();
        assert_eq!(summary.totals.calls, u64::from(RECORDS));
        assert_eq!(summary.totals.timeouts, u64::from(RECORDS / 10));
        assert_eq!(summary.functions.len(), FUNCTIONS as usize);
        let of_all = summary.functions.iter().map(|f| f.summary.calls);
        assert_eq!(of_all.sum::<u64>(), u64::from(RECORDS));
    }
    store.close().await;
}

async fn verify_function(before: &Before, store: &SqliteStore) {
    let current = store.function_get(&by_id(before.function)).await.unwrap();
    assert_eq!(current.name.as_str(), "old");
    assert_eq!(current.version, 3);
    assert_eq!(current.revision, before.revisions[2]);
    assert_eq!(current.config.description, "3");
    assert_eq!(package(store, current.code[0]).await.unwrap(), before.code);
    let all = ListVersions::first(Namespace::default(), before.function, 10);
    let versions = store.version_list(all).await.unwrap().items;
    let revisions = versions.iter().rev().map(|version| version.revision);
    assert!(revisions.eq(before.revisions.iter().copied()));
}

#[tokio::test]
async fn nothing_is_lost() {
    let before = before().await;
    verify(&before).await;
    // Opening it again makes no figures anew.
    verify(&before).await;
}

#[tokio::test]
async fn what_was_there_works_as_what_is_new() {
    let before = before().await;
    let store = open(&before.path).await;
    let default = Namespace::default();
    let current = store.function_get(&by_id(before.function)).await.unwrap();
    let back = SetAlias::new(default.clone(), current.id, "current".parse().unwrap(), 1);
    store.alias_set(back).await.unwrap();
    let stale = store.function_update(UpdateFunction::of(&current)).await;
    assert_eq!(stale.unwrap_err().kind(), ErrorKind::PreconditionFailed);
    let current = store.function_get(&by_id(before.function)).await.unwrap();
    let next = store.function_update(UpdateFunction::of(&current)).await;
    assert_eq!(next.unwrap().version, 4);

    append(&store, &[record(current.id)]).await.unwrap();
    let all = SummarizeInvocations::all(default.clone());
    let summary = store.invocation_summary(all).await.unwrap();
    assert_eq!(summary.totals.calls, u64::from(RECORDS) + 1);

    // Its package goes when it has been unused for long enough, and so do the bytes.
    store.function_delete(&default, current.id).await.unwrap();
    let mut other = foreign(&before.path).await;
    sqlx::query("UPDATE package SET last_put_us = 0")
        .execute(&mut other)
        .await
        .unwrap();
    common::put(&store, "this sweeps").await;
    let chunks: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM upload_chunk")
        .fetch_one(&mut other)
        .await
        .unwrap();
    assert_eq!(chunks, 1);
}

#[tokio::test]
#[ignore = "a part of the tests below, which run it as a process of its own"]
async fn opener() {
    let path = std::env::var_os(common::PATH_VARIABLE).unwrap();
    open(Path::new(&path)).await.close().await;
}

#[tokio::test]
async fn several_processes_open_it_at_once() {
    let before = before().await;
    let openers: Vec<_> = (0..4)
        .map(|_| {
            let mut command = child("opener", &before.path);
            command.stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for mut opener in openers {
        assert!(opener.wait().unwrap().success());
    }
    verify(&before).await;
}

/// The next one goes on where the killed one was.
#[tokio::test]
async fn a_process_that_is_killed_while_it_opens_it_harms_nothing() {
    let mut before = before().await;
    let original = before.directory.path().join("original.db");
    std::fs::copy(&before.path, &original).unwrap();
    for round in 0..5_u64 {
        before.path = before.directory.path().join(format!("round-{round}.db"));
        std::fs::copy(&original, &before.path).unwrap();
        for kill in 0..3 {
            let mut command = child("opener", &before.path);
            let mut opener = command.stdout(Stdio::null()).spawn().unwrap();
            tokio::time::sleep(Duration::from_millis(20 + round * 60 + kill * 90)).await;
            opener.kill().unwrap();
            opener.wait().unwrap();
        }
        verify(&before).await;
    }
}
