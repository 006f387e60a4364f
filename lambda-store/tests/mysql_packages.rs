//! Code packages in MySQL and MariaDB: what is removed, and what is never handed out.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]

mod common;

use common::mysql::{Database, Server};
use common::packages::{self, Bed};
use lambda_store::{MySqlStore, Store};
use sqlx::Connection as _;

struct InServer {
    store: MySqlStore,
    database: Database,
}

/// A database in each server that is there.
async fn all() -> Vec<InServer> {
    let mut all = Vec::new();
    for server in Server::all() {
        let database = server.database();
        let store = MySqlStore::open(&database.url()).await.unwrap();
        all.push(InServer { store, database });
    }
    all
}

#[async_trait::async_trait]
impl Bed for InServer {
    fn store(&self) -> &dyn Store {
        &self.store
    }

    async fn change(&self, sql: &'static str, parameter: i64) {
        let mut other = self.database.foreign().await;
        let query = sqlx::query(sql).bind(parameter);
        query.execute(&mut other).await.unwrap();
        other.close().await.unwrap();
    }

    async fn count(&self, sql: &'static str) -> i64 {
        let mut other = self.database.foreign().await;
        let count = sqlx::query_scalar(sql).fetch_one(&mut other).await;
        other.close().await.unwrap();
        count.unwrap()
    }
}

#[tokio::test]
async fn packages_are_removed_an_hour_after_their_last_put() {
    for database in all().await {
        packages::packages_are_removed_an_hour_after_their_last_put(&database).await;
    }
}

#[tokio::test]
async fn a_damaged_package_is_not_handed_out() {
    for database in all().await {
        packages::a_damaged_package_is_not_handed_out(&database).await;
    }
}

#[tokio::test]
async fn an_upload_that_nobody_goes_on_with_is_removed() {
    for database in all().await {
        packages::an_upload_that_nobody_goes_on_with_is_removed(&database).await;
    }
}

#[tokio::test]
async fn a_package_that_is_removed_while_it_is_read_ends_in_an_error() {
    for database in all().await {
        packages::a_package_that_is_removed_while_it_is_read_ends_in_an_error(&database).await;
    }
}

#[tokio::test]
async fn a_package_that_was_cut_is_damaged() {
    for database in all().await {
        packages::a_package_that_was_cut_is_damaged(&database).await;
    }
}
