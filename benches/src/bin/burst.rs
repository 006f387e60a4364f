//! A burst of calls of a new function that sleeps, of which so many sandboxes may exist.
//!
//! Two bounds: list scheduling, which is the best that can be done with sandboxes that become
//! ready when they did; and Docker's API, asked to start as many containers at once.

use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::Parser;
use lambda_benches::Result;
use lambda_benches::backend::Backend;
use lambda_benches::floor::Floor;
use lambda_benches::local::{Local, without_prewarming};
use lambda_benches::report::{Table, milliseconds};
use lambda_benches::statistics::{Round, Series};
use lambda_store::ExecuteRequest;
use lambda_store::model::{FunctionId, Language, StartKind};
use tokio::task::JoinSet;

const SLEEP: Duration = Duration::from_millis(50);

/// Longer than starting all sandboxes takes: nobody's sandbox is free before the last is ready.
const LONG_SLEEP: Duration = Duration::from_secs(8);

const SOURCE: &str = "import time\ndef handler(event, context):\n    time.sleep(event / 1000)\n";

/// Measure a burst of calls of a new function
#[derive(Debug, Parser)]
struct Args {
    /// Calls at once
    #[arg(long, default_value_t = 200)]
    calls: usize,
    /// Most sandboxes of the function
    #[arg(long, default_value_t = 16)]
    cap: u32,
    /// Bursts, each of a function of its own
    #[arg(long, default_value_t = 5)]
    bursts: u32,
    /// Only this back end: docker or gvisor
    #[arg(long)]
    only: Option<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let mut done = Table::new(&[
        "burst",
        "sandboxes",
        "all done",
        "list scheduling",
        "ratio",
        "quartiles",
    ]);
    let mut ready = Table::new(&[
        "last sandbox ready",
        "p50",
        "Docker, as many at once",
        "ratio",
        "quartiles",
    ]);
    for backend in Backend::chosen(args.only.as_deref())? {
        let measured = measure(backend, &args).await?;
        let name = format!("{}, {} calls of 50 ms", backend.name(), args.calls);
        let cells = compare(&measured.took, &measured.best)?;
        done.row([name, measured.sandboxes()].into_iter().chain(cells));
        let name = format!("{}, {} sandboxes", backend.name(), args.cap);
        let cells = compare(&measured.ready, &measured.floor)?;
        ready.row([name].into_iter().chain(cells));
    }
    println!("{done}\n{ready}");
    Ok(())
}

fn compare(one: &Series, other: &Series) -> Result<[String; 4]> {
    let ratio = one.ratio_to(other).ok_or("no burst")?;
    Ok([
        milliseconds(one.percentile(50)),
        milliseconds(other.percentile(50)),
        format!("{:.2}", ratio.median),
        format!("{:.2} - {:.2}", ratio.low, ratio.high),
    ])
}

#[derive(Default)]
struct Measured {
    took: Series,
    best: Series,
    ready: Series,
    floor: Series,
    /// How many served, burst by burst.
    served: Vec<usize>,
}

impl Measured {
    fn sandboxes(&self) -> String {
        let least = self.served.iter().min().copied().unwrap_or_default();
        let most = self.served.iter().max().copied().unwrap_or_default();
        format!("{least} - {most}")
    }
}

async fn measure(backend: Backend, args: &Args) -> Result<Measured> {
    let one = |took: Duration| Round {
        latencies: vec![took],
        elapsed: took,
    };
    let mut measured = Measured::default();
    for _ in 0..args.bursts {
        let short = burst(backend, args.cap, args.calls, SLEEP).await?;
        let best = list_schedule(short.ready.clone(), args.calls);
        measured.took.push(one(short.took));
        measured.best.push(one(best));
        measured.served.push(short.ready.len());

        let long = burst(backend, args.cap, args.cap as usize, LONG_SLEEP).await?;
        if long.ready.len() != args.cap as usize {
            return Err(format!("{} sandboxes instead of {}", long.ready.len(), args.cap).into());
        }
        let last = long.ready.last().copied().unwrap_or_default();
        measured.ready.push(one(last));
        measured.floor.push(one(parallel(backend, args.cap).await?));
    }
    Ok(measured)
}

struct Burst {
    took: Duration,
    /// When each sandbox began to serve, in order.
    ready: Vec<Duration>,
}

/// Has `calls` run at once of a new function, on a platform of their own: what was created for
/// them and not needed any more would be there for the next ones.
async fn burst(backend: Backend, cap: u32, calls: usize, sleep: Duration) -> Result<Burst> {
    let local = Local::start(backend, without_prewarming).await?;
    let work = async {
        // The platform itself is warm: another function has run.
        let other = deploy(&local, "other", 1).await?;
        call(&local, other, 1, SLEEP).await?;
        local.platform.function_delete(&other.into()).await?;
        local.settle(|stats| stats.sandboxes() == 0).await?;

        let function = deploy(&local, "sleeps", cap).await?;
        call(&local, function, calls, sleep).await
    };
    let result = work.await;
    local.close(result).await
}

async fn deploy(local: &Local, name: &str, cap: u32) -> Result<FunctionId> {
    let change = |function: &mut lambda_store::NewFunction| {
        function.config.concurrency = Some(cap);
        function.config.timeout = 2 * LONG_SLEEP;
    };
    local.deploy(name, Language::Python, SOURCE, change).await
}

async fn call(local: &Local, function: FunctionId, calls: usize, sleep: Duration) -> Result<Burst> {
    let event = Bytes::from(sleep.as_millis().to_string());
    let began = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..calls {
        let platform = local.platform.clone();
        let request = ExecuteRequest::new(function).event(event.clone());
        running.spawn(async move { platform.execute(request).await });
    }
    let mut ready = Vec::new();
    while let Some(outcome) = running.join_next().await {
        let outcome = outcome??;
        if !outcome.is_success() {
            return Err(format!("a call failed: {outcome:?}").into());
        }
        if outcome.start != StartKind::Warm {
            ready.push(outcome.timings.queue + outcome.timings.boot);
        }
    }
    let took = began.elapsed();
    ready.sort_unstable();
    Ok(Burst { took, ready })
}

/// When the last of `calls` ends if each goes to whoever is free first.
fn list_schedule(mut free: Vec<Duration>, calls: usize) -> Duration {
    let mut end = Duration::ZERO;
    for _ in 0..calls {
        if let Some(first) = free.iter_mut().min() {
            *first += SLEEP;
            end = end.max(*first);
        }
    }
    end
}

/// How long Docker takes until the last of `count` has connected.
async fn parallel(backend: Backend, count: u32) -> Result<Duration> {
    let floor = Floor::connect(backend).await?;
    let began = Instant::now();
    let mut starting = JoinSet::new();
    for _ in 0..count {
        let floor = floor.clone();
        starting.spawn(async move { floor.start(Language::Python).await });
    }
    let started = starting.join_all().await;
    let took = began.elapsed();
    let mut failed = None;
    for one in started {
        match one {
            Ok(one) => floor.remove(one).await?,
            Err(error) => failed = Some(error),
        }
    }
    failed.map_or(Ok(took), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_schedule_uses_whoever_is_free_first() {
        let ms = Duration::from_millis;
        assert_eq!(list_schedule(vec![ms(0), ms(0)], 4), ms(100));
        assert_eq!(list_schedule(vec![ms(0), ms(120)], 4), ms(170));
        // One that is ready too late serves nobody.
        assert_eq!(list_schedule(vec![ms(0), ms(900)], 4), ms(200));
    }
}
