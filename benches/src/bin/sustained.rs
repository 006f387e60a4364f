//! Many functions, several callers each, for minutes: no call fails, and nothing grows.
//!
//! Latencies go into histograms of a fixed size, so that what grows is the platform.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use lambda_benches::Result;
use lambda_benches::backend::Backend;
use lambda_benches::interrupt::interruptible;
use lambda_benches::local::{Local, echo};
use lambda_benches::process::{open_files, rss_mib};
use lambda_benches::report::{Table, milliseconds, thousands};
use lambda_store::ExecuteRequest;
use lambda_store::model::{FunctionId, Language};
use tokio::task::JoinSet;

/// Call many functions for a long time
#[derive(Debug, Parser)]
struct Args {
    /// Functions
    #[arg(long, default_value_t = 50)]
    functions: u32,
    /// Callers of each
    #[arg(long, default_value_t = 4)]
    callers: u32,
    /// How long, in seconds
    #[arg(long, default_value_t = 300)]
    seconds: u64,
    /// The same before, not counted, until as many sandboxes are there as are needed, in seconds
    #[arg(long, default_value_t = 40)]
    warm_up: u64,
    /// Only this back end: docker or gvisor
    #[arg(long)]
    only: Option<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    interruptible(Box::pin(measure(Args::parse()))).await
}

async fn measure(args: Args) -> Result<()> {
    let mut table = Table::new(&[
        "sustained",
        "s",
        "calls/s",
        "errors",
        "p50",
        "p99",
        "RSS",
        "open files",
        "sandboxes",
    ]);
    for backend in Backend::chosen(args.only.as_deref())? {
        let local = Local::start(backend, |_| {}).await?;
        let result = run(&local, backend, &args, &mut table).await;
        local.close(result).await?;
    }
    println!("{table}");
    Ok(())
}

/// What the callers count; all of them together.
struct Counts {
    is_over: AtomicBool,
    errors: AtomicU64,
    latencies: Histogram,
}

/// Latencies in buckets, each 1/64 wider than the last.
struct Histogram(Vec<AtomicU32>);

const STEPS: u64 = 64;

impl Histogram {
    fn new() -> Self {
        Self((0..64 * STEPS).map(|_| AtomicU32::new(0)).collect())
    }

    fn add(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = usize::try_from(index(micros))
            .ok()
            .and_then(|index| self.0.get(index))
        {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What has been counted since the last call.
    fn take(&self) -> Vec<u32> {
        let buckets = self.0.iter();
        buckets
            .map(|bucket| bucket.swap(0, Ordering::Relaxed))
            .collect()
    }
}

/// Where a latency is counted: exactly below 64 us, beyond that by its first seven binary digits.
fn index(micros: u64) -> u64 {
    let octave = u64::from((micros.max(1)).ilog2()).saturating_sub(STEPS.ilog2().into());
    octave * STEPS + (micros >> octave)
}

/// The least latency that is counted there.
fn lower_bound(index: u64) -> Duration {
    let octave = (index / STEPS).saturating_sub(1);
    Duration::from_micros((index - octave * STEPS) << octave)
}

fn percentile(counts: &[u32], percent: u64) -> Option<Duration> {
    let total: u64 = counts.iter().map(|count| u64::from(*count)).sum();
    let mut left = (total * percent).div_ceil(100);
    for (index, count) in (0..).zip(counts) {
        left = left.saturating_sub(u64::from(*count));
        if left == 0 && total > 0 {
            return Some(lower_bound(index));
        }
    }
    None
}

async fn run(local: &Local, backend: Backend, args: &Args, table: &mut Table) -> Result<()> {
    let mut functions = Vec::new();
    for number in 0..args.functions {
        let name = format!("f{number}");
        let language = Language::ALL[number as usize % 2];
        let function = local
            .deploy(&name, language, echo(language), |_| {})
            .await?;
        local
            .platform
            .execute(ExecuteRequest::new(function))
            .await?;
        functions.push(function);
    }
    let counts = Arc::new(Counts {
        is_over: AtomicBool::new(false),
        errors: AtomicU64::new(0),
        latencies: Histogram::new(),
    });
    let mut callers = JoinSet::new();
    for &function in &functions {
        for _ in 0..args.callers {
            callers.spawn(call(local.platform.clone(), function, Arc::clone(&counts)));
        }
    }
    let rows = windows(local, backend, args, &counts).await;
    counts.is_over.store(true, Ordering::Relaxed);
    while let Some(caller) = callers.join_next().await {
        caller?;
    }
    rows?.into_iter().for_each(|row| table.row(row));
    Ok(())
}

/// What each minute, or of a short run each third, has been like.
async fn windows(
    local: &Local,
    backend: Backend,
    args: &Args,
    counts: &Counts,
) -> Result<Vec<Vec<String>>> {
    tokio::time::sleep(Duration::from_secs(args.warm_up)).await;
    counts.latencies.take();
    let length = Duration::from_secs(args.seconds);
    let window = Duration::from_secs(60).min(length / 3);
    let began = Instant::now();
    let mut rows = Vec::new();
    while began.elapsed() + window / 2 < length {
        let since = Instant::now();
        tokio::time::sleep(window).await;
        let (latencies, took) = (counts.latencies.take(), since.elapsed());
        let calls: u32 = latencies.iter().sum();
        rows.push(vec![
            format!(
                "{}, {} functions x {}",
                backend.name(),
                args.functions,
                args.callers
            ),
            format!("{:.0}", began.elapsed().as_secs_f64()),
            thousands(f64::from(calls) / took.as_secs_f64()),
            counts.errors.swap(0, Ordering::Relaxed).to_string(),
            milliseconds(percentile(&latencies, 50)),
            milliseconds(percentile(&latencies, 99)),
            format!("{:.0} MiB", rss_mib()?),
            open_files()?.to_string(),
            local.stats()?.sandboxes().to_string(),
        ]);
    }
    Ok(rows)
}

async fn call(platform: lambda_store::Platform, function: FunctionId, counts: Arc<Counts>) {
    while !counts.is_over.load(Ordering::Relaxed) {
        let since = Instant::now();
        match platform.execute(ExecuteRequest::new(function)).await {
            Ok(outcome) if outcome.is_success() => {}
            other => {
                counts.errors.fetch_add(1, Ordering::Relaxed);
                eprintln!("a call failed: {other:?}");
            }
        }
        counts.latencies.add(since.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_counted_within_a_sixty_fourth() {
        for micros in [0, 1, 63, 64, 127, 128, 1_000, 123_456, 10_000_000] {
            let bound = u64::try_from(lower_bound(index(micros)).as_micros()).unwrap();
            assert!(bound <= micros, "{micros}: {bound}");
            assert!(micros - bound <= micros / 64, "{micros}: {bound}");
        }
        let histogram = Histogram::new();
        for millis in 1..=100 {
            histogram.add(Duration::from_millis(millis));
        }
        let counts = histogram.take();
        let median = percentile(&counts, 50).unwrap();
        assert!((Duration::from_millis(49)..=Duration::from_millis(50)).contains(&median));
        assert_eq!(percentile(&histogram.take(), 50), None, "taken already");
    }
}
