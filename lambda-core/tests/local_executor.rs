//! The local executor keeps the contract of an executor, on the fake runtime.

#![cfg(feature = "conformance")]

#[path = "local_executor/stuck.rs"]
mod stuck;

use std::sync::Arc;
use std::time::Duration;

use lambda_core::conformance::cases::FakeSources;
use lambda_core::conformance::executor::{ExecutorHarness, run};
use lambda_core::model::{FunctionPatch, Retention, RuntimeName, StartKind};
use lambda_core::pool::{PoolOptions, PoolStats};
use lambda_core::recorder::survey;
use lambda_core::runtime::fake::FakeRuntime;
use lambda_core::{ErrorKind, ExecuteRequest, NewFunction, Platform};

/// A platform over the fake runtime. Booting takes a moment, so that a cold start shows.
async fn platform(root: &std::path::Path, runtime: &FakeRuntime) -> Platform {
    Platform::builder()
        .data_dir(root)
        .runtime(Arc::new(runtime.clone()))
        .build()
        .await
        .expect("a platform")
}

fn fake() -> FakeRuntime {
    FakeRuntime::with_boot_time(RuntimeName::docker(), Duration::from_millis(5))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_local_executor_conforms() {
    let root = tempfile::tempdir().unwrap();
    let runtime = fake();
    let platform = platform(root.path(), &runtime).await;
    let harness = ExecutorHarness {
        platform: platform.clone(),
        runtime: RuntimeName::docker(),
        sources: Arc::new(FakeSources),
    };
    run(&harness).await.unwrap();
    platform.close().await;
    assert_eq!(runtime.live(), 0, "closing removes every sandbox");
}

#[tokio::test]
async fn a_runtime_that_cannot_create_is_an_error_and_recovers() {
    let root = tempfile::tempdir().unwrap();
    let runtime = fake();
    let platform = platform(root.path(), &runtime).await;
    let function = NewFunction::python("f", "fake:echo")
        .unwrap()
        .handler("case.handler");
    let function = platform.deploy(function).await.unwrap();
    runtime.set_unavailable(true);
    let error = platform
        .execute(ExecuteRequest::new(function.id))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RuntimeUnavailable);
    runtime.set_unavailable(false);
    assert!(
        platform
            .execute(ExecuteRequest::new(function.id))
            .await
            .unwrap()
            .is_success()
    );
    platform.close().await;
    let closed = platform
        .execute(ExecuteRequest::new(function.id))
        .await
        .unwrap_err();
    assert!(matches!(
        closed.kind(),
        ErrorKind::Closed | ErrorKind::StoreUnavailable
    ));
}

#[tokio::test]
async fn records_are_kept_only_where_they_are_wanted() {
    let root = tempfile::tempdir().unwrap();
    for recording in [false, true] {
        let platform = Platform::builder()
            .data_dir(root.path())
            .runtime(Arc::new(fake()))
            .recording(recording)
            .journal_bytes_max(1024 * 1024)
            .retention(Retention::unlimited())
            .build()
            .await
            .expect("a platform");
        let function = NewFunction::python("f", "fake:echo")
            .unwrap()
            .handler("case.handler");
        let function = platform.deploy(function).await.unwrap();
        let request = ExecuteRequest::new(function.id);
        assert!(platform.execute(request).await.unwrap().is_success());
        let status = platform.recorder_status();
        assert_eq!(status.is_some(), recording);
        let found = platform.check(false).await;
        let said = found.iter().filter(|found| found.subject == "records");
        assert_eq!(said.count(), usize::from(recording));
        if let Some(status) = status {
            assert_eq!(status.journal_bytes_max, 1024 * 1024);
            assert!(status.journal_bytes > 0);
        }
        platform.close().await;
        assert!(survey(root.path()).unwrap().owners.is_empty());
    }
}

/// Waits until the pool is as it should be.
async fn settled(platform: &Platform, is_right: impl Fn(&PoolStats) -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        let stats = platform.pool_stats().expect("a local executor has a pool");
        if is_right(&stats) {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{stats:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_idles_is_frozen_and_serves_again_and_new_functions_find_a_sandbox_prewarmed() {
    let root = tempfile::tempdir().unwrap();
    let runtime = fake();
    let mut pool = PoolOptions::default();
    pool.freeze_after = Some(Duration::ZERO);
    let platform = Platform::builder()
        .data_dir(root.path())
        .runtime(Arc::new(runtime.clone()))
        .pool(pool)
        .build()
        .await
        .unwrap();
    for start in [StartKind::Cold, StartKind::Prewarmed, StartKind::Prewarmed] {
        let name = format!("f{}", runtime.created());
        let function = NewFunction::python(&name, "fake:echo").unwrap();
        let function = platform
            .deploy(function.handler("case.handler"))
            .await
            .unwrap();
        for start in [start, StartKind::Warm] {
            let outcome = platform
                .execute(ExecuteRequest::new(function.id))
                .await
                .unwrap();
            assert!(outcome.is_success());
            assert_eq!(outcome.start, start);
            settled(&platform, |stats| {
                stats.prewarmed == 1 && stats.creating == 0
            })
            .await;
            settled(&platform, |stats| {
                stats.frozen == stats.prewarmed + stats.idle
            })
            .await;
        }
    }
    platform.close().await;
    assert_eq!(runtime.live(), 0);
}

#[tokio::test]
async fn an_idle_sandbox_that_died_is_not_used_and_a_spare_that_died_is_replaced() {
    let root = tempfile::tempdir().unwrap();
    let runtime = fake();
    let platform = platform(root.path(), &runtime).await;
    let function = NewFunction::python("f", "fake:echo").unwrap();
    let function = platform
        .deploy(function.handler("case.handler"))
        .await
        .unwrap();
    let execute = || platform.execute(ExecuteRequest::new(function.id));
    assert!(execute().await.unwrap().is_success());
    settled(&platform, |stats| stats.prewarmed == 1).await;
    let created = runtime.created();
    runtime.kill_all();
    assert!(
        execute().await.unwrap().is_success(),
        "at once, with whatever is left"
    );
    settled(&platform, |stats| {
        stats.prewarmed == 1 && stats.removing == 0
    })
    .await;
    assert!(runtime.created() > created + 1, "both were replaced");
    platform.close().await;
}

/// Waits until each function that is kept warm has what it should.
async fn warmed(platform: &Platform, versions: &[(u32, u32)]) {
    settled(platform, |stats| {
        let warm = stats.provisioned.iter();
        let mut warm: Vec<_> = warm.map(|own| (own.key.version, own.warm)).collect();
        warm.sort_unstable();
        warm == versions && stats.removing == 0 && stats.creating == 0
    })
    .await;
}

#[tokio::test]
async fn what_is_kept_warm_follows_every_change_of_a_function() {
    let root = tempfile::tempdir().unwrap();
    let store: Arc<dyn lambda_core::Store> = Arc::new(lambda_core::store::MemoryStore::new());
    let start = async || {
        let builder = Platform::builder()
            .data_dir(root.path())
            .runtime(Arc::new(fake()));
        let builder = builder.store(Arc::clone(&store));
        builder.build().await.expect("a platform")
    };
    let platform = start().await;
    let mut new = NewFunction::python("f", "fake:echo")
        .unwrap()
        .handler("case.handler");
    new.config.min_warm = 2;
    let function = platform.deploy(new.clone()).await.unwrap();
    warmed(&platform, &[(1, 2)]).await;
    let outcome = platform
        .execute(ExecuteRequest::new(function.id))
        .await
        .unwrap();
    assert_eq!(outcome.start, StartKind::Warm, "the first call ever");
    assert_eq!(outcome.timings.init, Duration::ZERO);

    platform.deploy(new.clone()).await.unwrap();
    warmed(&platform, &[(2, 2)]).await;
    platform
        .rollback(&function.id.into(), 1, None)
        .await
        .unwrap();
    warmed(&platform, &[(1, 2)]).await;
    let mut patch = FunctionPatch::default();
    patch.min_warm = Some(1);
    platform
        .function_update(&function.id.into(), patch)
        .await
        .unwrap();
    warmed(&platform, &[(3, 1)]).await;

    // Another process, on the same store.
    let other = start().await;
    warmed(&other, &[(3, 1)]).await;
    platform.function_delete(&function.id.into()).await.unwrap();
    warmed(&platform, &[]).await;
    settled(&platform, |stats| stats.idle == 0).await;
    other.close().await;
    platform.close().await;
}

#[tokio::test]
async fn code_that_does_not_load_is_told_and_not_tried_all_the_time() {
    let root = tempfile::tempdir().unwrap();
    let runtime = fake();
    let platform = platform(root.path(), &runtime).await;
    let mut new = NewFunction::python("f", "fake:missing-module")
        .unwrap()
        .handler("case.handler");
    new.config.min_warm = 1;
    let function = platform.deploy(new).await.unwrap();
    let failures = |stats: &PoolStats| stats.provisioned.first().map_or(0, |own| own.failures);
    settled(&platform, |stats| failures(stats) >= 2).await;
    let found = platform.check(false).await;
    let subject = format!("function {}", function.id);
    assert!(
        found.iter().any(|found| found.subject == subject),
        "{found:?}"
    );
    // Another process is told at the next tick.
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        let said = lambda_core::pool::survey(root.path()).unwrap();
        if said.iter().any(|said| said.subject == subject) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{said:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(runtime.created() < 12, "{} were created", runtime.created());
    platform.close().await;
    let said = lambda_core::pool::survey(root.path()).unwrap();
    assert!(said.iter().all(|said| said.subject != subject), "{said:?}");
}
