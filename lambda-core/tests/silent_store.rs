//! A store that takes every call and never answers holds up neither starting nor stopping.

#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use lambda_core::model::*;
use lambda_core::runtime::fake::FakeRuntime;
use lambda_core::runtime::{Finding, Severity};
use lambda_core::store::*;
use lambda_core::{Platform, Result, Store};
use tokio::time::{Instant, timeout};

/// Each of the platform's own calls may take as long, and closing what it is told for a drain.
const PATIENCE: Duration = Duration::from_secs(5);
const DRAIN: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct SilentStore {
    lists: AtomicU32,
    is_closed: AtomicU32,
}

/// Time is the test's own: it jumps to whatever is waited for next.
#[tokio::test(start_paused = true)]
async fn a_platform_starts_is_checked_and_closes() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(SilentStore::default());
    let began = Instant::now();
    let platform = Platform::builder()
        .data_dir(directory.path())
        .store(Arc::clone(&store) as _)
        .runtime(Arc::new(FakeRuntime::new(RuntimeName::docker())))
        .drain_timeout(DRAIN)
        .build();
    let platform = in_time(platform).await.unwrap();
    assert!(began.elapsed() < PATIENCE, "{:?}", began.elapsed());

    let began = Instant::now();
    let findings = in_time(platform.check(false)).await;
    assert!(began.elapsed() <= 2 * PATIENCE, "{:?}", began.elapsed());
    let found = findings.iter().find(|found| found.subject == "store");
    assert_eq!(found.unwrap().severity, Severity::Error, "{findings:?}");
    assert!(found.unwrap().detail.contains("did not answer within 5 s"));

    // What the platform wants to know for itself is asked again.
    let before = store.lists.load(Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(store.lists.load(Ordering::SeqCst) > before + 1);

    let began = Instant::now();
    in_time(platform.close()).await;
    assert!(
        began.elapsed() <= DRAIN + 2 * PATIENCE,
        "{:?}",
        began.elapsed()
    );
    assert_eq!(store.is_closed.load(Ordering::SeqCst), 1);
}

async fn in_time<T>(work: impl Future<Output = T>) -> T {
    let worked = timeout(Duration::from_secs(600), work).await;
    worked.expect("it waits for the store")
}

#[async_trait]
impl Store for SilentStore {
    async fn function_list(&self, _: ListFunctions) -> Result<Page<Function>> {
        self.lists.fetch_add(1, Ordering::SeqCst);
        pending().await
    }
    async fn close(&self) {
        self.is_closed.fetch_add(1, Ordering::SeqCst);
        pending::<()>().await;
    }
    async fn package_put(&self, _: PutPackage) -> Result<()> {
        pending().await
    }
    async fn package_get(&self, _: PackageDigest) -> Result<Package> {
        pending().await
    }
    async fn function_create(&self, _: CreateFunction) -> Result<Function> {
        pending().await
    }
    async fn function_get(&self, _: &FunctionSelector) -> Result<Function> {
        pending().await
    }
    async fn function_update(&self, _: UpdateFunction) -> Result<Function> {
        pending().await
    }
    async fn function_delete(&self, _: &Namespace, _: FunctionId) -> Result<()> {
        pending().await
    }
    async fn version_list(&self, _: ListVersions) -> Result<Page<Function>> {
        pending().await
    }
    async fn alias_set(&self, _: SetAlias) -> Result<Function> {
        pending().await
    }
    async fn alias_list(&self, _: &Namespace, _: FunctionId) -> Result<Vec<Alias>> {
        pending().await
    }
    async fn alias_delete(&self, _: DeleteAlias) -> Result<()> {
        pending().await
    }
    async fn invocation_append(&self, _: AppendInvocations) -> Result<()> {
        pending().await
    }
    async fn invocation_get(&self, _: &Namespace, _: RequestId) -> Result<InvocationEntry> {
        pending().await
    }
    async fn invocation_list(&self, _: ListInvocations) -> Result<Page<InvocationRecord>> {
        pending().await
    }
    async fn invocation_summary(&self, _: SummarizeInvocations) -> Result<InvocationSummary> {
        pending().await
    }
    async fn invocation_expire(&self, _: ExpireInvocations) -> Result<u64> {
        pending().await
    }
    async fn token_create(&self, _: Token) -> Result<()> {
        pending().await
    }
    async fn token_find(&self, _: TokenDigest) -> Result<Option<Token>> {
        pending().await
    }
    async fn token_list(&self) -> Result<Vec<Token>> {
        pending().await
    }
    async fn token_delete(&self, _: TokenId) -> Result<()> {
        pending().await
    }
    async fn check(&self) -> Result<Vec<Finding>> {
        pending().await
    }
}
