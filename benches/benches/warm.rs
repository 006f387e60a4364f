//! A warm call through the platform, beside the bare socket, in each back end.
//!
//! `BENCH_QUICK=1` measures for a shorter time.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use lambda_baseline::Pool;
use lambda_benches::Result;
use lambda_benches::backend::{Backend, IMAGE};
use lambda_benches::echo::{EVENT, EchoPlatform, StoreKind};
use serde_json::Value;
use tokio::runtime::Runtime;

/// Set by Ctrl-C. Criterion has no way to be stopped, so the next measurement unwinds, and
/// what was started is removed on the way.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

fn main() -> Result<()> {
    let runtime = Runtime::new()?;
    runtime.spawn(async {
        if tokio::signal::ctrl_c().await.is_ok() {
            INTERRUPTED.store(true, Ordering::Relaxed);
        }
    });
    let mut criterion = Criterion::default().configure_from_args();
    for backend in Backend::available()? {
        let mut group = criterion.benchmark_group(format!("warm/{}", backend.name()));
        if std::env::var_os("BENCH_QUICK").is_some() {
            group.sample_size(10);
            group.warm_up_time(Duration::from_millis(500));
            group.measurement_time(Duration::from_secs(1));
        }
        socket(&runtime, &mut group, backend)?;
        platform(&runtime, &mut group, backend, StoreKind::Memory)?;
        platform(&runtime, &mut group, backend, StoreKind::Sqlite)?;
        group.finish();
    }
    criterion.final_summary();
    Ok(())
}

fn socket(
    runtime: &Runtime,
    group: &mut BenchmarkGroup<'_, WallTime>,
    backend: Backend,
) -> Result<()> {
    let pool = runtime.block_on(Pool::start(backend.oci_runtime(), IMAGE, 1))?;
    let (pool, event) = (
        Arc::new(pool),
        Arc::new(serde_json::from_str::<Value>(EVENT)?),
    );
    measure(runtime, group, "socket", move || {
        let (pool, event) = (Arc::clone(&pool), Arc::clone(&event));
        async move {
            pool.call(&event).await?;
            Ok(())
        }
    });
    Ok(())
}

fn platform(
    runtime: &Runtime,
    group: &mut BenchmarkGroup<'_, WallTime>,
    backend: Backend,
    store: StoreKind,
) -> Result<()> {
    let name = match store {
        StoreKind::Memory => "platform, memory store",
        StoreKind::Sqlite => "platform, SQLite",
        StoreKind::Url(_) => "platform, another store",
        StoreKind::Unrecorded => "platform, nothing recorded",
    };
    let platform = Arc::new(runtime.block_on(EchoPlatform::start(backend, store))?);
    measure(runtime, group, name, move || {
        let platform = Arc::clone(&platform);
        async move { platform.call().await }
    });
    Ok(())
}

fn measure<C, F>(runtime: &Runtime, group: &mut BenchmarkGroup<'_, WallTime>, name: &str, call: C)
where
    C: Fn() -> F + Send + Sync + 'static,
    F: Future<Output = Result<()>> + Send,
{
    let call = Arc::new(call);
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            if INTERRUPTED.load(Ordering::Relaxed) {
                std::panic::resume_unwind(Box::new("interrupted"));
            }
            let call = Arc::clone(&call);
            // A task, because the future that `block_on` runs is woken across threads, which
            // no real caller's task is.
            let task = runtime.spawn(async move {
                let begin = Instant::now();
                for _ in 0..iterations {
                    call().await?;
                }
                Result::Ok(begin.elapsed())
            });
            match runtime.block_on(task) {
                Ok(Ok(elapsed)) => elapsed,
                Ok(Err(error)) => panic!("a call failed: {error}"),
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            }
        });
    });
}
