//! The SQLite store passes the suite, in a file and in memory.

use std::sync::Arc;

use lambda_core::conformance::store::{self, StoreBuilder};
use lambda_store::{Result, SqliteStore, Store};
use tempfile::TempDir;

struct InFile;

#[async_trait::async_trait]
impl StoreBuilder for InFile {
    type Guard = TempDir;

    async fn build(&self) -> Result<(TempDir, Arc<dyn Store>)> {
        let directory = tempfile::tempdir().expect("a directory");
        let store = SqliteStore::open(directory.path().join("store.db")).await?;
        Ok((directory, Arc::new(store)))
    }
}

struct InMemory;

#[async_trait::async_trait]
impl StoreBuilder for InMemory {
    type Guard = ();

    async fn build(&self) -> Result<((), Arc<dyn Store>)> {
        Ok(((), Arc::new(SqliteStore::open_in_memory().await?)))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_file_conforms() {
    store::run_all(&InFile).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn memory_conforms() {
    store::run_all(&InMemory).await.unwrap();
}
