//! The memory store passes the suite.

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
async fn conforms() {
    let report = store::run_all(&Memory).await;
    report.assert_passed();
    assert_eq!(report.passed.len(), store::names().count());
}

#[tokio::test]
async fn a_name_that_is_none_runs_nothing() {
    let report = store::run(&Memory, "no::such_case").await;
    assert!(report.passed.is_empty() && report.failed.is_empty());
}
