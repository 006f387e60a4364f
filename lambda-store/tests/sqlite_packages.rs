//! Code packages in a SQLite file: what is removed, and what is never handed out.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]

mod common;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use common::{create, foreign, open, package, put};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use lambda_store::model::{Namespace, PackageDigest};
use lambda_store::store::PutPackage;
use lambda_store::{ErrorKind, Store};
use sqlx::Connection as _;

/// Lets time pass for packages and uploads.
async fn age(path: &Path, us: i64) {
    let mut other = foreign(path).await;
    for table in [
        "UPDATE package SET last_put_us = last_put_us - ?1",
        "UPDATE package_upload SET last_chunk_us = last_chunk_us - ?1",
    ] {
        let query = sqlx::query(table).bind(us);
        query.execute(&mut other).await.unwrap();
    }
    other.close().await.unwrap();
}

async fn count(path: &Path, count: &'static str) -> i64 {
    let mut other = foreign(path).await;
    let count = sqlx::query_scalar(count).fetch_one(&mut other).await;
    other.close().await.unwrap();
    count.unwrap()
}

const HOUR_US: i64 = 3_600_000_000;
const CHUNKS: &str = "SELECT COUNT(*) FROM upload_chunk";
const UPLOADS: &str = "SELECT COUNT(*) FROM package_upload";

#[tokio::test]
async fn packages_are_removed_an_hour_after_their_last_put() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path).await;
    let default = Namespace::default();
    let (kept, doomed) = (create(&store, "kept").await, create(&store, "doomed").await);
    let orphan = put(&store, "orphan").await;
    age(&path, HOUR_US - 100_000_000).await;
    let fresh = put(&store, "fresh").await;
    store.function_delete(&default, doomed.id).await.unwrap();
    for code in [kept.code[0], doomed.code[0], orphan, fresh] {
        package(&store, code).await.unwrap();
    }
    age(&path, 200_000_000).await;
    put(&store, "this sweeps").await;
    for code in [doomed.code[0], orphan] {
        let found = store.package_get(code.digest).await;
        assert_eq!(found.unwrap_err().kind(), ErrorKind::NotFound);
    }
    for code in [kept.code[0], fresh] {
        package(&store, code).await.unwrap();
    }
    assert_eq!(count(&path, CHUNKS).await, 3);
    assert_eq!(count(&path, UPLOADS).await, 3);
}

#[tokio::test]
async fn a_damaged_package_is_not_handed_out() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path).await;
    let code = put(&store, "print('hello')").await;
    let mut other = foreign(&path).await;
    sqlx::query("UPDATE upload_chunk SET bytes = CAST('print(''hallo'')' AS BLOB)")
        .execute(&mut other)
        .await
        .unwrap();
    let error = package(&store, code).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal);
    assert!(!format!("{error:?}").contains("hallo"));
}

/// More than a sweep removes at a time.
fn large(seed: u8) -> Bytes {
    (0..3_000_000)
        .map(|at: u32| at.to_le_bytes()[1] ^ seed)
        .collect()
}

#[tokio::test]
async fn an_upload_that_nobody_goes_on_with_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path).await;
    let bytes = large(0);
    let start = stream::iter([Ok(bytes.slice(..2_500_000))]);
    let endless = start.chain(stream::pending()).boxed();
    let digest = PackageDigest::of(&bytes);
    let request = PutPackage::streamed(digest, bytes.len() as u64, endless);
    let upload = store.package_put(request);
    let dropped = tokio::time::timeout(Duration::from_millis(500), upload).await;
    assert!(dropped.is_err());
    assert!(count(&path, CHUNKS).await > 1);

    age(&path, HOUR_US - 10_000_000).await;
    put(&store, "this sweeps").await;
    assert!(count(&path, CHUNKS).await > 1, "it may still go on");
    age(&path, 20_000_000).await;
    put(&store, "this sweeps").await;
    assert_eq!(count(&path, CHUNKS).await, 1);
    assert_eq!(count(&path, UPLOADS).await, 1);
}

#[tokio::test]
async fn a_package_that_is_removed_while_it_is_read_ends_in_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path).await;
    let bytes = large(1);
    let request = PutPackage::new(bytes.clone());
    let digest = request.digest;
    store.package_put(request).await.unwrap();
    let mut reading = store.package_get(digest).await.unwrap().chunks;
    assert!(reading.try_next().await.unwrap().is_some());
    age(&path, 2 * HOUR_US).await;
    put(&store, "this sweeps").await;
    // Also where it has been put again meanwhile: those bytes are another upload's.
    store.package_put(PutPackage::new(bytes)).await.unwrap();
    let error = reading.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_package_that_was_cut_is_damaged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let store = open(&path).await;
    let request = PutPackage::new(large(2));
    let digest = request.digest;
    store.package_put(request).await.unwrap();
    let mut other = foreign(&path).await;
    sqlx::query("DELETE FROM upload_chunk WHERE seq = 5")
        .execute(&mut other)
        .await
        .unwrap();
    let found = store.package_get(digest).await.unwrap();
    assert_eq!(
        found.collect().await.unwrap_err().kind(),
        ErrorKind::Internal
    );
}
