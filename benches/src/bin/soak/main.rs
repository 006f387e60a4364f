//! A long run under a mixed load, at 70 % of the peak that is measured first: what grows, and what
//! gets slower. Fails if anything does, or if a call is answered with anything but what it should.

mod drift;
mod mix;
mod sample;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use clap::Parser;
use lambda_benches::Result;
use lambda_benches::backend::Backend;
use lambda_benches::interrupt::interruptible;
use lambda_benches::process::Server;
use lambda_benches::report::Table;

use mix::{Counts, Mix};
use sample::Sampler;

/// How long the peak is measured.
const PEAK: Duration = Duration::from_secs(8);

/// Of the peak.
const LOAD: f64 = 0.7;

/// Lines of the table.
const SAMPLES: u32 = 40;

/// Run a mixed load for a long time, and look for drift
#[derive(Debug, Parser)]
struct Args {
    /// How long, in seconds
    #[arg(long, default_value_t = 3_600)]
    seconds: u32,
    /// Most calls per second, where 70 % of the peak would be more than this machine can spare
    #[arg(long)]
    rate_max: Option<f64>,
    /// The server (default: `lambda` beside this program)
    #[arg(long)]
    binary: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    interruptible(Box::pin(measure(Args::parse()))).await
}

async fn measure(args: Args) -> Result<()> {
    // Its first function is in Docker; the mix adds those in gVisor.
    let server =
        Server::lambda_with(Backend::Docker, args.binary.as_deref(), mix::SETTINGS).await?;
    let mix = Arc::new(Mix::deploy(server.call().address).await?);
    mix.warm_up().await?;
    let peak = mix.peak(PEAK).await?;
    let rate = (peak * LOAD).min(args.rate_max.unwrap_or(f64::INFINITY));
    println!(
        "peak of the mix {peak:.0} calls/s; soaking at {rate:.0} calls/s, {:.0} % of it, for {} s\n",
        100.0 * rate / peak,
        args.seconds
    );
    soak(&server, &mix, rate, &args).await
}

async fn soak(server: &Server, mix: &Arc<Mix>, rate: f64, args: &Args) -> Result<()> {
    let mut sampler = Sampler::new(server)?;
    let mut samples = Vec::new();
    let mut table = Table::new(&sample::HEAD);
    let (counts, load) = mix.start(rate);
    let begin = Instant::now();
    for number in 1..=SAMPLES {
        let due = begin + Duration::from_secs(u64::from(args.seconds)) * number / SAMPLES;
        tokio::time::sleep_until(due.into()).await;
        let sample = sampler.sample(begin.elapsed(), counts.calls(), counts.take_latencies())?;
        println!("{sample}");
        table.row(sample.cells());
        samples.push(sample);
    }
    counts.is_over.store(true, Ordering::Relaxed);
    let ended = load.join_all().await;
    println!("\n{table}");
    println!("{counts}\n");
    for end in ended {
        end?;
    }
    report(&counts, &samples)
}

fn report(counts: &Counts, samples: &[sample::Sample]) -> Result<()> {
    let verdicts = drift::verdicts(samples);
    let mut table = Table::new(&["figure", "first quarter", "last quarter", "bound"]);
    for verdict in &verdicts {
        table.row(verdict.cells());
    }
    println!("{table}");
    let drifts: Vec<_> = verdicts.iter().filter(|own| own.is_drift()).collect();
    if !drifts.is_empty() {
        return Err(format!("it drifts: {drifts:?}").into());
    }
    match counts.wrong() {
        None => Ok(()),
        Some(wrong) => Err(wrong.into()),
    }
}
