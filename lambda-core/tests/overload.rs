//! More calls than can be served: ten times what a function can do, and a herd of first calls
//! (threats 30 and 31).

#![cfg(feature = "conformance")]
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use lambda_core::model::{FunctionId, RuntimeName};
use lambda_core::pool::PoolOptions;
use lambda_core::runtime::fake::FakeRuntime;
use lambda_core::{ErrorKind, ExecuteRequest, NewFunction, Platform};
use tokio::task::JoinSet;

const CAP: u32 = 16;
const RUN: Duration = Duration::from_millis(50);

/// Ten times what the cap allows, in so many calls at each tick.
const TICK: Duration = Duration::from_millis(5);
const CALLS_A_TICK: u32 = 16;

/// How long a rate is measured, and how long it has to settle before that.
const MEASURED: Duration = Duration::from_millis(1_500);
const SETTLING: Duration = Duration::from_millis(500);

/// A machine that others use as well may have a bad moment.
const ROUNDS: usize = 5;

async fn platform(runtime: &FakeRuntime, pool: PoolOptions) -> (Platform, tempfile::TempDir) {
    let data_dir = tempfile::tempdir().unwrap();
    let platform = Platform::builder()
        .data_dir(data_dir.path())
        .pool(pool)
        .runtime(Arc::new(runtime.clone()))
        .build()
        .await
        .unwrap();
    (platform, data_dir)
}

async fn sleeper(platform: &Platform, concurrency: u32) -> FunctionId {
    let mut new = NewFunction::python("sleeper", "fake:sleep").unwrap();
    new.config.concurrency = Some(concurrency);
    platform
        .deploy(new.handler("case.handler"))
        .await
        .unwrap()
        .id
}

fn request(function: FunctionId) -> ExecuteRequest {
    ExecuteRequest::new(function).event(format!("{{\"ms\":{}}}", RUN.as_millis()))
}

/// Successes per second while twice as many callers as sandboxes call one after the other.
async fn peak(platform: &Platform, function: FunctionId) -> f64 {
    let end = Instant::now() + SETTLING + MEASURED;
    let begin = Instant::now() + SETTLING;
    let mut callers = JoinSet::new();
    for _ in 0..2 * CAP {
        let platform = platform.clone();
        callers.spawn(async move {
            let mut served = 0;
            while Instant::now() < end {
                let outcome = platform.execute(request(function)).await.unwrap();
                assert!(outcome.is_success(), "{outcome:?}");
                let now = Instant::now();
                served += u32::from(begin <= now && now < end);
            }
            served
        });
    }
    let served: u32 = callers.join_all().await.iter().sum();
    f64::from(served) / MEASURED.as_secs_f64()
}

/// Successes per second, and how many calls were refused, while calls come at their own rate.
async fn overloaded(platform: &Platform, function: FunctionId) -> (f64, u32) {
    let (begin, end) = (
        Instant::now() + SETTLING,
        Instant::now() + SETTLING + MEASURED,
    );
    let (served, refused) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let mut calls = JoinSet::new();
    let mut ticks = tokio::time::interval(TICK);
    while Instant::now() < end {
        ticks.tick().await;
        for _ in 0..CALLS_A_TICK {
            let (platform, served, refused) =
                (platform.clone(), Arc::clone(&served), Arc::clone(&refused));
            calls.spawn(async move {
                match platform.execute(request(function)).await {
                    Ok(outcome) => {
                        assert!(outcome.is_success(), "{outcome:?}");
                        let now = Instant::now();
                        if begin <= now && now < end {
                            served.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Throttled, "{error:?}");
                        assert!(error.retry_after_duration().is_some(), "{error:?}");
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let stats = platform.pool_stats().unwrap();
        assert!(stats.busy <= CAP && stats.waiting <= 100, "{stats:?}");
    }
    while calls.join_next().await.transpose().unwrap().is_some() {}
    let served = f64::from(served.load(Ordering::Relaxed)) / MEASURED.as_secs_f64();
    (served, refused.load(Ordering::Relaxed))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_ten_times_the_load_nine_tenths_of_the_peak_are_served() {
    let runtime = FakeRuntime::new(RuntimeName::docker());
    let mut pool = PoolOptions::default();
    (pool.sandboxes_max, pool.function_concurrency) = (CAP, CAP);
    (pool.prewarmed, pool.queue_max) = (0, 100);
    let (platform, _data_dir) = platform(&runtime, pool).await;
    let function = sleeper(&platform, CAP).await;
    let mut seen = Vec::new();
    for _ in 0..ROUNDS {
        let peak = peak(&platform, function).await;
        let (served, refused) = overloaded(&platform, function).await;
        seen.push((peak, served, refused));
        if served >= 0.9 * peak {
            break;
        }
    }
    println!("peak and served under tenfold load per second, refused: {seen:.0?}");
    let (peak, served, refused) = *seen.last().unwrap();
    // Most of what came was too much, or there was no overload.
    let offered = f64::from(CALLS_A_TICK) * (SETTLING + MEASURED).div_duration_f64(TICK);
    assert!(f64::from(refused) > 0.5 * offered, "{seen:?}");
    assert!(peak > 100.0 && served >= 0.9 * peak, "{seen:?}");
    platform.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_hundred_first_calls_at_once_make_no_more_sandboxes_than_may_be() {
    const CONCURRENCY: u32 = 8;
    const CREATING_MAX: u32 = 2;
    let runtime = FakeRuntime::with_boot_time(RuntimeName::docker(), Duration::from_millis(30));
    let mut pool = PoolOptions::default();
    (pool.creating_max, pool.queue_max, pool.prewarmed) = (CREATING_MAX, 1_000, 0);
    let (platform, _data_dir) = platform(&runtime, pool).await;
    let mut new = NewFunction::python("first", "fake:sleep").unwrap();
    new.config.concurrency = Some(CONCURRENCY);
    let function = platform.deploy(new.handler("case.handler")).await.unwrap();

    let mut calls = JoinSet::new();
    for _ in 0..500 {
        let platform = platform.clone();
        let request = ExecuteRequest::new(function.id).event("{\"ms\":2}");
        calls.spawn(async move { platform.execute(request).await });
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let watch = tokio::spawn({
        let (platform, is_over) = (platform.clone(), Arc::clone(&is_over));
        async move {
            let mut most = 0;
            while !is_over.load(Ordering::Relaxed) {
                most = most.max(platform.pool_stats().unwrap().creating);
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            most
        }
    });
    while let Some(outcome) = calls.join_next().await {
        assert!(outcome.unwrap().unwrap().is_success());
    }
    is_over.store(true, Ordering::Relaxed);
    let most = watch.await.unwrap();
    assert!((1..=CREATING_MAX).contains(&most), "{most} at once");
    let created = runtime.created();
    assert!((1..=u64::from(CONCURRENCY)).contains(&created), "{created}");
    platform.close().await;
}
