//! Docker and gVisor keep the contract of a runtime, and the local executor keeps its own on
//! both of them.

#![cfg(all(feature = "conformance", feature = "docker"))]
// Clippy knows tests by their attribute; helpers have none.
#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "shared with the tests of the container runtimes")]
#[path = "container_runtime/support.rs"]
mod support;

use std::sync::Arc;

use lambda_core::conformance::cases::ImageSources;
use lambda_core::conformance::{executor, runtime};
use lambda_core::{Platform, model::RuntimeName};

use support::Bench;

async fn runtime_conforms(name: &str) {
    let Some(bench) = Bench::open(name).await else {
        return;
    };
    let harness = runtime::RuntimeHarness {
        runtime: Arc::clone(&bench.runtime),
        sources: Arc::new(ImageSources),
        confirms_deaths: true,
    };
    runtime::run(&harness).await.unwrap();
}

async fn executor_conforms(name: &str) {
    let Some(bench) = Bench::open(name).await else {
        return;
    };
    let platform = Platform::builder()
        .data_dir(bench.data_dir.path())
        .runtime(Arc::clone(&bench.runtime))
        .build()
        .await
        .unwrap();
    let harness = executor::ExecutorHarness {
        platform: platform.clone(),
        runtime: RuntimeName::new(name).unwrap(),
        sources: Arc::new(ImageSources),
    };
    let result = executor::run(&harness).await;
    platform.close().await;
    let owners = bench.runtime.owners().await.unwrap();
    result.unwrap();
    assert!(owners.is_empty(), "closing removes every sandbox");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn docker_conforms() {
    runtime_conforms("docker").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gvisor_conforms() {
    runtime_conforms("gvisor").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_executor_conforms_on_docker() {
    executor_conforms("docker").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_executor_conforms_on_gvisor() {
    executor_conforms("gvisor").await;
}
