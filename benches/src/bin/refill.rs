//! How fast prewarmed sandboxes are replaced, and what that costs the calls that run meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use lambda_benches::Result;
use lambda_benches::backend::Backend;
use lambda_benches::local::{Local, echo};
use lambda_benches::report::{Table, milliseconds};
use lambda_benches::statistics::{Round, Series};
use lambda_store::model::{FunctionId, Language, StartKind};
use lambda_store::pool::SandboxClass;
use lambda_store::{ExecuteRequest, Platform};
use tokio::task::JoinSet;

/// The pause between two calls of the function that runs meanwhile.
const PAUSE: Duration = Duration::from_millis(5);

/// How long its calls are measured with nothing else going on.
const ALONE: Duration = Duration::from_secs(4);

/// Measure the refilling of prewarmed sandboxes
#[derive(Debug, Parser)]
struct Args {
    /// How many are kept ready, taken at once, and refilled
    #[arg(long, default_value_t = 16)]
    sandboxes: u32,
    /// How often
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Most creations at once [default: the pool's own]
    #[arg(long)]
    creating: Option<u32>,
    /// Only this back end: docker or gvisor
    #[arg(long)]
    only: Option<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let mut table = Table::new(&[
        "refill",
        "sandboxes/s",
        "beside calls",
        "calls alone, p50",
        "p99",
        "while refilling, p50",
        "p99",
        "ratio of p99",
    ]);
    for backend in Backend::chosen(args.only.as_deref())? {
        for language in Language::ALL {
            table.row(refill(backend, language, &args).await?);
        }
    }
    println!("{table}");
    Ok(())
}

async fn refill(backend: Backend, language: Language, args: &Args) -> Result<Vec<String>> {
    let local = Local::start(backend, |pool| {
        let class = SandboxClass::new(backend.runtime(), language);
        pool.prewarmed = 0;
        pool.prewarmed_classes = vec![(class, args.sandboxes)];
        pool.creating_max = args.creating.unwrap_or(pool.creating_max);
    })
    .await?;
    let result = measure(&local, language, args).await;
    let measured = local.close(result).await?;
    let p99 = |series: &Series| series.percentile(99).ok_or("no call");
    let ratio = p99(&measured.meanwhile)?.as_secs_f64() / p99(&measured.alone)?.as_secs_f64();
    Ok(vec![
        format!("{}, {} {language}", backend.name(), args.sandboxes),
        format!("{:.1}", measured.idle_rate),
        format!("{:.1}", measured.rate),
        milliseconds(measured.alone.percentile(50)),
        milliseconds(measured.alone.percentile(99)),
        milliseconds(measured.meanwhile.percentile(50)),
        milliseconds(measured.meanwhile.percentile(99)),
        format!("{ratio:.2}"),
    ])
}

struct Measured {
    idle_rate: f64,
    rate: f64,
    alone: Series,
    meanwhile: Series,
}

async fn measure(local: &Local, language: Language, args: &Args) -> Result<Measured> {
    local.settle(is_full(args.sandboxes)).await?;
    let running = local
        .deploy("running", Language::Python, echo(Language::Python), |_| {})
        .await?;
    let (mut idle, mut busy) = (Duration::ZERO, Duration::ZERO);
    let (mut alone, mut meanwhile) = (Series::new(), Series::new());
    for _ in 0..args.rounds {
        idle += take_all(local, language, args.sandboxes).await?;

        let caller = Caller::start(local.platform.clone(), running);
        tokio::time::sleep(ALONE).await;
        alone.push(caller.end().await?);

        let caller = Caller::start(local.platform.clone(), running);
        let took = take_all(local, language, args.sandboxes).await;
        meanwhile.push(caller.end().await?);
        busy += took?;
    }
    let rate = |took: Duration| f64::from(args.sandboxes * args.rounds) / took.as_secs_f64();
    Ok(Measured {
        idle_rate: rate(idle),
        rate: rate(busy),
        alone,
        meanwhile,
    })
}

fn is_full(count: u32) -> impl Fn(&lambda_store::pool::PoolStats) -> bool {
    move |stats| stats.prewarmed == count && stats.creating == 0 && stats.removing == 0
}

/// Calls as many new functions as there are prewarmed sandboxes, all at once, and waits until
/// there are as many again. Then removes the functions.
async fn take_all(local: &Local, language: Language, count: u32) -> Result<Duration> {
    let mut functions = Vec::new();
    for number in 0..count {
        let name = format!("f{number}");
        functions.push(
            local
                .deploy(&name, language, echo(language), |_| {})
                .await?,
        );
    }
    let began = Instant::now();
    let mut calls = JoinSet::new();
    for function in functions.clone() {
        let platform = local.platform.clone();
        calls.spawn(async move { platform.execute(ExecuteRequest::new(function)).await });
    }
    while let Some(outcome) = calls.join_next().await {
        let outcome = outcome??;
        if !outcome.is_success() || outcome.start != StartKind::Prewarmed {
            return Err(format!("not as it should be: {outcome:?}").into());
        }
    }
    local.settle(is_full(count)).await?;
    let took = began.elapsed();
    for function in functions {
        local.platform.function_delete(&function.into()).await?;
    }
    local.settle(is_full(count)).await?;
    Ok(took)
}

/// Calls a warm function, with a pause between two calls, until it is told to end.
struct Caller {
    is_over: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Result<Round>>,
}

impl Caller {
    fn start(platform: Platform, function: FunctionId) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let task = tokio::spawn(async move {
            let mut round = Round::default();
            let began = Instant::now();
            while !over.load(Ordering::Relaxed) {
                tokio::time::sleep(PAUSE).await;
                let since = Instant::now();
                let outcome = platform.execute(ExecuteRequest::new(function)).await?;
                if !outcome.is_success() {
                    return Err(format!("a call failed: {outcome:?}").into());
                }
                if outcome.start == StartKind::Warm {
                    round.latencies.push(since.elapsed());
                }
            }
            round.elapsed = began.elapsed();
            Ok(round)
        });
        Self { is_over, task }
    }

    async fn end(self) -> Result<Round> {
        self.is_over.store(true, Ordering::Relaxed);
        self.task.await?
    }
}
