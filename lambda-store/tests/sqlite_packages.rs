//! Code packages in a SQLite file: what is removed, and what is never handed out.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]

mod common;

use std::path::PathBuf;

use common::packages::{self, Bed};
use common::{foreign, open};
use lambda_store::{SqliteStore, Store};
use sqlx::Connection as _;
use tempfile::TempDir;

struct File {
    store: SqliteStore,
    path: PathBuf,
    _directory: TempDir,
}

impl File {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.db");
        Self {
            store: open(&path).await,
            path,
            _directory: directory,
        }
    }
}

#[async_trait::async_trait]
impl Bed for File {
    fn store(&self) -> &dyn Store {
        &self.store
    }

    async fn change(&self, sql: &'static str, parameter: i64) {
        let mut other = foreign(&self.path).await;
        let query = sqlx::query(sql).bind(parameter);
        query.execute(&mut other).await.unwrap();
        other.close().await.unwrap();
    }

    async fn count(&self, sql: &'static str) -> i64 {
        let mut other = foreign(&self.path).await;
        let count = sqlx::query_scalar(sql).fetch_one(&mut other).await;
        other.close().await.unwrap();
        count.unwrap()
    }
}

#[tokio::test]
async fn packages_are_removed_an_hour_after_their_last_put() {
    packages::packages_are_removed_an_hour_after_their_last_put(&File::new().await).await;
}

#[tokio::test]
async fn a_damaged_package_is_not_handed_out() {
    packages::a_damaged_package_is_not_handed_out(&File::new().await).await;
}

#[tokio::test]
async fn an_upload_that_nobody_goes_on_with_is_removed() {
    packages::an_upload_that_nobody_goes_on_with_is_removed(&File::new().await).await;
}

#[tokio::test]
async fn a_package_that_is_removed_while_it_is_read_ends_in_an_error() {
    packages::a_package_that_is_removed_while_it_is_read_ends_in_an_error(&File::new().await).await;
}

#[tokio::test]
async fn a_package_that_was_cut_is_damaged() {
    packages::a_package_that_was_cut_is_damaged(&File::new().await).await;
}
