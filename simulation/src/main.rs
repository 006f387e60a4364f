//! Runs simulations, on every core, until one breaks a promise.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use simulation::{Mutant, Report, run};

/// Simulates pool, executor and journal under faults.
#[derive(Debug, Clone, Parser)]
struct Args {
    /// How many runs.
    #[arg(long, default_value_t = 10_000)]
    runs: u64,
    /// The number of the first.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// What all of them are drawn from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads; each makes runs of its own.
    #[arg(long)]
    jobs: Option<usize>,
    /// Tell all that happens in them.
    #[arg(long)]
    trace: bool,
    /// With a deliberate defect.
    #[arg(long)]
    mutant: Option<Mutant>,
    /// Go on after one that breaks a promise.
    #[arg(long)]
    keep_going: bool,
}

#[derive(Debug, Default)]
struct Total {
    next: AtomicU64,
    done: AtomicU64,
    steps: AtomicU64,
    digest: AtomicU64,
    broken: AtomicU64,
    is_over: AtomicBool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = args.jobs.unwrap_or(cores).max(1);
    let total = Total::default();
    let began = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs)
            .map(|_| scope.spawn(|| work(&args, &total)))
            .collect();
        let mut told = Instant::now();
        while workers.iter().any(|worker| !worker.is_finished()) {
            std::thread::sleep(Duration::from_millis(20));
            if told.elapsed() > Duration::from_secs(30) {
                told = Instant::now();
                tell(&total, began);
            }
        }
    });
    tell(&total, began);
    match total.broken.load(Ordering::Relaxed) {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn work(args: &Args, total: &Total) {
    while !total.is_over.load(Ordering::Relaxed) {
        let at = total.next.fetch_add(1, Ordering::Relaxed);
        if at >= args.runs {
            return;
        }
        let number = args.from + at;
        let report = run(args.seed, number, args.mutant, args.trace);
        total.done.fetch_add(1, Ordering::Relaxed);
        total.steps.fetch_add(report.steps, Ordering::Relaxed);
        // In any order.
        total.digest.fetch_xor(report.digest, Ordering::Relaxed);
        for line in &report.trace {
            println!("{line}");
        }
        if report.violation.is_some() {
            total.broken.fetch_add(1, Ordering::Relaxed);
            say(args, number, &report);
            total.is_over.fetch_or(!args.keep_going, Ordering::Relaxed);
        }
    }
}

fn say(args: &Args, number: u64, report: &Report) {
    let what = report.violation.as_deref().unwrap_or_default();
    println!(
        "run {number} of seed {}: {what}\n  replay: make simulate RUNS=1 FROM={number} SEED={} TRACE=1",
        args.seed, args.seed
    );
}

#[allow(clippy::cast_precision_loss)] // For people.
fn tell(total: &Total, began: Instant) {
    let done = total.done.load(Ordering::Relaxed);
    let took = began.elapsed().as_secs_f64();
    println!(
        "{done} runs, {} steps, {} broken, {took:.1} s ({:.0} runs/s), digest {:016x}",
        total.steps.load(Ordering::Relaxed),
        total.broken.load(Ordering::Relaxed),
        done as f64 / took,
        total.digest.load(Ordering::Relaxed),
    );
}
