//! Many functions, several callers each, for minutes: no call fails, and nothing grows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use lambda_benches::Result;
use lambda_benches::backend::Backend;
use lambda_benches::local::{Local, echo};
use lambda_benches::process::{open_files, rss_mib};
use lambda_benches::report::{Table, milliseconds, thousands};
use lambda_benches::statistics::{Round, Series};
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
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Only this back end: docker or gvisor
    #[arg(long)]
    only: Option<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let mut table = Table::new(&[
        "sustained",
        "calls/s",
        "errors",
        "p99, begin",
        "p99, end",
        "RSS, begin",
        "end",
        "open files, begin",
        "end",
        "sandboxes, begin",
        "end",
    ]);
    for backend in Backend::available()? {
        if args
            .only
            .as_deref()
            .is_some_and(|only| only != backend.name())
        {
            continue;
        }
        let local = Local::start(backend, |_| {}).await?;
        let result = run(&local, backend, &args).await;
        table.row(local.close(result).await?);
    }
    println!("{table}");
    Ok(())
}

/// What may grow.
struct Footprint {
    rss_mib: f64,
    open_files: usize,
    sandboxes: u32,
}

impl Footprint {
    fn of(local: &Local) -> Result<Self> {
        Ok(Self {
            rss_mib: rss_mib()?,
            open_files: open_files()?,
            sandboxes: local.stats()?.sandboxes(),
        })
    }
}

/// One caller's calls: when each ended, and how long it took; and how many failed.
type Calls = (Vec<(Duration, Duration)>, u64);

async fn run(local: &Local, backend: Backend, args: &Args) -> Result<Vec<String>> {
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
    // A tenth of the time, until as many sandboxes are there as are needed.
    let length = Duration::from_secs(args.seconds);
    call(local, &functions, args.callers, length / 10).await?;
    let begin = Footprint::of(local)?;
    let calls = call(local, &functions, args.callers, length).await?;
    let end = Footprint::of(local)?;

    let errors: u64 = calls.iter().map(|(_, errors)| errors).sum();
    let all = calls.into_iter().flat_map(|(calls, _)| calls);
    let all: Vec<_> = all.collect();
    // A minute, or of a short run a third.
    let window = Duration::from_secs(60).min(length / 3);
    let p99 = |is_in: &dyn Fn(Duration) -> bool| {
        let latencies = all.iter().filter(|(at, _)| is_in(*at));
        let mut series = Series::new();
        series.push(Round {
            latencies: latencies.map(|(_, took)| *took).collect(),
            elapsed: window,
        });
        milliseconds(series.percentile(99))
    };
    // Far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    let count = all.len() as f64;
    Ok(vec![
        format!(
            "{}, {} functions x {}",
            backend.name(),
            args.functions,
            args.callers
        ),
        thousands(count / length.as_secs_f64()),
        errors.to_string(),
        p99(&|at| at <= window),
        p99(&|at| at >= length - window),
        format!("{:.0} MiB", begin.rss_mib),
        format!("{:.0} MiB", end.rss_mib),
        begin.open_files.to_string(),
        end.open_files.to_string(),
        begin.sandboxes.to_string(),
        end.sandboxes.to_string(),
    ])
}

async fn call(
    local: &Local,
    functions: &[FunctionId],
    callers: u32,
    length: Duration,
) -> Result<Vec<Calls>> {
    let began = Arc::new(Instant::now());
    let mut tasks = JoinSet::new();
    for &function in functions {
        for _ in 0..callers {
            let (platform, began) = (local.platform.clone(), Arc::clone(&began));
            tasks.spawn(async move {
                let (mut calls, mut errors) = (Vec::new(), 0);
                while began.elapsed() < length {
                    let since = Instant::now();
                    match platform.execute(ExecuteRequest::new(function)).await {
                        Ok(outcome) if outcome.is_success() => {}
                        other => {
                            errors += 1;
                            eprintln!("a call failed: {other:?}");
                        }
                    }
                    calls.push((began.elapsed(), since.elapsed()));
                }
                (calls, errors)
            });
        }
    }
    let mut all = Vec::new();
    while let Some(calls) = tasks.join_next().await {
        all.push(calls?);
    }
    Ok(all)
}
