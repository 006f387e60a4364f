//! The file of the SQLite store: who may read it, and whose file it is.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]

mod common;

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use common::{by_id, child, create, foreign, open};
use lambda_store::model::Namespace;
use lambda_store::store::ListFunctions;
use lambda_store::{Error, ErrorKind, SqliteStore, Store};
use sqlx::Connection as _;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn only_the_owner_may_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path).await;
    create(&store, "a").await;
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&directory).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()), 0o600, "{:?}", entry.file_name());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(
        names,
        ["store.db", "store.db-shm", "store.db-wal", "store.db.lock"]
    );
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    // Characters that mean something to SQLite's own file names and to URLs.
    let path = directory.path().join("a b?c#d%20e'ü;.db");
    let encoded = format!(
        "sqlite://{}/a%20b%3Fc%23d%2520e'%C3%BC;.db",
        directory.path().display()
    );
    let store = lambda_store::open(&encoded).await.unwrap();
    let function = create(&*store, "a").await;
    store.close().await;
    assert!(path.exists());
    let store = lambda_store::open(&encoded).await.unwrap();
    let found = store.function_get(&by_id(function.id)).await.unwrap();
    assert_eq!(found, function);
}

#[tokio::test]
async fn a_link_and_its_target_are_one_database() {
    let directory = tempfile::tempdir().unwrap();
    let (path, link) = (directory.path().join("a.db"), directory.path().join("b.db"));
    let store = open(&path).await;
    let function = create(&store, "a").await;
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let linked = open(&link).await;
    let found = linked.function_get(&by_id(function.id)).await.unwrap();
    assert_eq!(found, function);
    assert!(!directory.path().join("b.db.lock").exists());
}

/// What is refused is left as it is, and the message names no path.
async fn assert_refused(path: &Path, expected: &str) {
    let before = std::fs::read(path).unwrap();
    let error: Error = SqliteStore::open(path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidParameter, "{error:?}");
    let message = format!("{error} {}", error.hint_text().unwrap_or_default());
    assert!(message.contains(expected), "{message}");
    assert!(
        !message.contains(path.parent().unwrap().to_str().unwrap()),
        "{message}"
    );
    assert!(
        std::fs::read(path).unwrap() == before,
        "the file was changed"
    );
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    open(&path).await.close().await;
    let mut connection = foreign(&path).await;
    sqlx::query(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (9999, 'of the future', TRUE, x'00', 0)",
    )
    .execute(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
    assert_refused(&path, "schema version 9999").await;
}

#[tokio::test]
async fn a_changed_migration_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    open(&path).await.close().await;
    let mut connection = foreign(&path).await;
    sqlx::query("UPDATE _sqlx_migrations SET checksum = x'00'")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    assert_refused(&path, "not one that this program made").await;
}

#[tokio::test]
async fn a_database_of_another_program_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bookmarks.db");
    let mut connection = foreign(&path).await;
    sqlx::query("CREATE TABLE bookmark (url TEXT)")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    assert_refused(&path, "another program").await;
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("letter.txt");
    std::fs::write(&path, "Dear Alice, ".repeat(1_000)).unwrap();
    assert_refused(&path, "not a database").await;
}

#[tokio::test]
async fn paths_that_cannot_be_a_database_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    for path in [
        directory.path().join("missing/store.db"),
        directory.path().into(),
    ] {
        let error = SqliteStore::open(path).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidParameter, "{error:?}");
        assert!(error.hint_text().is_some());
    }
}

#[tokio::test]
async fn check_sees_that_the_file_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path).await;
    store.check().await.unwrap();
    std::fs::rename(&path, directory.path().join("away.db")).unwrap();
    let error = store.check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnavailable);
    // Another file of the name is not the same either.
    std::fs::write(&path, "").unwrap();
    assert!(store.check().await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn openers_in_one_process_take_turns() {
    let directory = tempfile::tempdir().unwrap();
    let path: Arc<Path> = directory.path().join("store.db").into();
    let mut opening = Vec::new();
    for n in 0..12 {
        let path = Arc::clone(&path);
        opening.push(tokio::spawn(async move {
            let store = open(&path).await;
            create(&store, &format!("f{n}")).await;
            store
        }));
    }
    for opened in opening {
        opened.await.unwrap().close().await;
    }
    assert_eq!(count_functions(&path).await, 12);
}

async fn count_functions(path: &Path) -> usize {
    let store = open(path).await;
    let all = ListFunctions::first(Namespace::default(), 1_000);
    store.function_list(all).await.unwrap().items.len()
}

#[tokio::test]
async fn openers_in_several_processes_take_turns() {
    for _ in 0..3 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        let children: Vec<_> = (0..6)
            .map(|n| {
                let mut command = child("opener", &path);
                command
                    .env("NAME", format!("f{n}"))
                    .stdout(Stdio::null())
                    .spawn()
                    .unwrap()
            })
            .collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        assert_eq!(count_functions(&path).await, 6);
    }
}

#[tokio::test]
#[ignore = "a part of openers_in_several_processes_take_turns, which runs it"]
async fn opener() {
    let path = std::env::var_os(common::PATH_VARIABLE).unwrap();
    let store = open(Path::new(&path)).await;
    create(&store, &std::env::var("NAME").unwrap()).await;
    store.close().await;
}
