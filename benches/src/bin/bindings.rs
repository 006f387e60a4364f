//! The Rust side of benches/bindings/run.py: measures warm calls of the embedded platform when it
//! is told to. A line in is what to measure, a line out are its figures.

use std::io::{BufRead as _, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use lambda_store::model::{FunctionId, RuntimeName};
use lambda_store::runtime::fake::FakeRuntime;
use lambda_store::runtime::{ContainerOptions, DockerRuntime};
use lambda_store::{ExecuteRequest, NewFunction, Platform, Result, Runtime};
use tokio::task::JoinSet;

const EVENT: &str = r#"{"name":"Alice","numbers":[1,2,3]}"#;

#[derive(Parser)]
struct Args {
    /// A directory for the platform.
    data_dir: PathBuf,
    /// `fake` or `docker`.
    runtime: String,
    /// The function's source.
    source: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let runtime: Arc<dyn Runtime> = if args.runtime == "fake" {
        Arc::new(FakeRuntime::new(RuntimeName::docker()))
    } else {
        let options = ContainerOptions::new(&args.data_dir);
        Arc::new(DockerRuntime::connect(options)?)
    };
    let store = format!("sqlite://{}/lambda.db", args.data_dir.display());
    let platform = Platform::builder()
        .data_dir(&args.data_dir)
        .store(lambda_store::open(&store).await?)
        .runtime(runtime)
        .build()
        .await?;
    let echo = NewFunction::python("echo", &args.source)?.handler("case.handler");
    let echo = platform.deploy(echo).await?.id;
    for line in std::io::stdin().lock().lines().map_while(|line| line.ok()) {
        let (what, count) = line.split_once(' ').unwrap_or((&line, "1"));
        let count: u32 = count.parse().unwrap_or(1);
        // On a thread of tokio's, as an application's own tasks are.
        let measured = if what == "burst" {
            tokio::spawn(burst(platform.clone(), echo, count)).await
        } else {
            tokio::spawn(one_by_one(platform.clone(), echo, count)).await
        };
        let median = measured.map_err(std::io::Error::other);
        let median = median.expect("a measurement ends")?;
        println!("{{\"call\": {}}}", median.as_secs_f64() * 1e6);
        // Whoever reads has gone otherwise, and the next line never comes.
        let _ = std::io::stdout().flush();
    }
    platform.close().await;
    Ok(())
}

/// The median of `count` calls, one after the other.
async fn one_by_one(platform: Platform, echo: FunctionId, count: u32) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..count {
        let began = Instant::now();
        call(&platform, echo).await?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}

/// How long `count` calls at once take.
async fn burst(platform: Platform, echo: FunctionId, count: u32) -> Result<Duration> {
    let began = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..count {
        let platform = platform.clone();
        calls.spawn(async move { call(&platform, echo).await });
    }
    for ended in calls.join_all().await {
        ended?;
    }
    Ok(began.elapsed())
}

async fn call(platform: &Platform, echo: FunctionId) -> Result<()> {
    let request = ExecuteRequest::new(echo).event(EVENT);
    let outcome = platform.execute(request).await?;
    assert!(
        outcome.output.is_some(),
        "the function failed: {}",
        outcome.status
    );
    Ok(())
}
