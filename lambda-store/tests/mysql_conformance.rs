//! The MySQL store passes the suite, on MariaDB and on MySQL.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]

mod common;

use std::sync::Arc;

use common::mysql::{Database, MARIADB, MYSQL, Server};
use lambda_core::conformance::store::{self, StoreBuilder};
use lambda_store::{Result, Store};

/// A database of its own for each case.
struct OnServer(Server);

#[async_trait::async_trait]
impl StoreBuilder for OnServer {
    type Guard = Database;

    async fn build(&self) -> Result<(Database, Arc<dyn Store>)> {
        let database = self.0.database();
        let store = lambda_store::MySqlStore::open(&database.url()).await?;
        Ok((database, Arc::new(store)))
    }
}

async fn conforms(server: Server) {
    if server.is_there() {
        store::run_all(&OnServer(server)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mariadb_conforms() {
    conforms(MARIADB).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn mysql_conforms() {
    conforms(MYSQL).await;
}
