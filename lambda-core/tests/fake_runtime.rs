//! The fake runtime keeps the contract of a runtime.

#![cfg(feature = "conformance")]

use std::sync::Arc;

use lambda_core::conformance::cases::FakeSources;
use lambda_core::conformance::runtime::{RuntimeHarness, run};
use lambda_core::model::RuntimeName;
use lambda_core::runtime::fake::FakeRuntime;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_fake_runtime_conforms() {
    let harness = RuntimeHarness {
        runtime: Arc::new(FakeRuntime::new(RuntimeName::docker())),
        sources: Arc::new(FakeSources),
        confirms_deaths: true,
    };
    run(&harness).await.unwrap();
}
