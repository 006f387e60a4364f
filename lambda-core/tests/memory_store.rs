//! The memory store passes the suite.

#![cfg(feature = "conformance")]

use std::sync::Arc;

use lambda_core::Result;
use lambda_core::conformance::store::{self, StoreBuilder};
use lambda_core::store::{MemoryStore, Store};

struct Memory;

#[async_trait::async_trait]
impl StoreBuilder for Memory {
    type Guard = ();

    async fn build(&self) -> Result<((), Arc<dyn Store>)> {
        Ok(((), Arc::new(MemoryStore::new())))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_memory_store_conforms() {
    store::run_all(&Memory).await.unwrap();
}

#[tokio::test]
#[should_panic(expected = "there is no case no::such_case")]
async fn a_case_that_is_none_does_not_pass() {
    _ = store::run(&Memory, "no::such_case").await;
}
