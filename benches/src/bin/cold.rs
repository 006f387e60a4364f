//! The first call of a function with nothing prewarmed, beside what Docker itself takes to create
//! and start a container of the same image and to boot the interpreter in it.
//!
//! Both take turns, and the ratio is that of each pair.

use std::time::{Duration, Instant};

use clap::Parser;
use lambda_benches::Result;
use lambda_benches::backend::Backend;
use lambda_benches::floor::Floor;
use lambda_benches::local::{Local, echo, without_prewarming};
use lambda_benches::report::{Table, milliseconds};
use lambda_benches::statistics::{Round, Series};
use lambda_store::ExecuteRequest;
use lambda_store::model::{Language, StartKind};

/// Compare cold calls with Docker's own create and start
#[derive(Debug, Parser)]
struct Args {
    /// Pairs of each language
    #[arg(long, default_value_t = 20)]
    pairs: u32,
    /// Only this back end: docker or gvisor
    #[arg(long)]
    only: Option<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let mut table = Table::new(&[
        "nothing prewarmed",
        "Docker: create",
        "start",
        "boot",
        "sum p50",
        "first call p50",
        "p99",
        "ratio",
        "quartiles",
    ]);
    for backend in Backend::chosen(args.only.as_deref())? {
        for language in Language::ALL {
            table.row(compare(backend, language, args.pairs).await?);
        }
    }
    println!("{table}");
    Ok(())
}

async fn compare(backend: Backend, language: Language, pairs: u32) -> Result<Vec<String>> {
    let floor = Floor::connect(backend).await?;
    let local = Local::start(backend, without_prewarming).await?;
    let result = measure(&floor, &local, language, pairs).await;
    let measured = local.close(result).await?;
    let ratio = measured.call.ratio_to(&measured.sum).ok_or("no pair")?;
    Ok(vec![
        format!("{}, {language}", backend.name()),
        milliseconds(measured.create.percentile(50)),
        milliseconds(measured.start.percentile(50)),
        milliseconds(measured.boot.percentile(50)),
        milliseconds(measured.sum.percentile(50)),
        milliseconds(measured.call.percentile(50)),
        milliseconds(measured.call.percentile(99)),
        format!("{:.2}", ratio.median),
        format!("{:.2} - {:.2}", ratio.low, ratio.high),
    ])
}

#[derive(Default)]
struct Measured {
    create: Series,
    start: Series,
    boot: Series,
    sum: Series,
    call: Series,
}

async fn measure(floor: &Floor, local: &Local, language: Language, pairs: u32) -> Result<Measured> {
    let mut measured = Measured::default();
    let one = |latency: Duration| Round {
        latencies: vec![latency],
        elapsed: latency,
    };
    // The first pair warms both up.
    for number in 0..=pairs {
        let started = floor.start(language).await?;
        let parts = started.parts;
        floor.remove(started).await?;
        let name = format!("f{number}");
        let function = local
            .deploy(&name, language, echo(language), |_| {})
            .await?;
        let began = Instant::now();
        let outcome = local
            .platform
            .execute(ExecuteRequest::new(function))
            .await?;
        let took = began.elapsed();
        if !outcome.is_success() || outcome.start != StartKind::Cold {
            return Err(format!("not as it should be: {outcome:?}").into());
        }
        local.platform.function_delete(&function.into()).await?;
        local.settle(|stats| stats.sandboxes() == 0).await?;
        if number > 0 {
            measured.create.push(one(parts.create));
            measured.start.push(one(parts.start));
            measured.boot.push(one(parts.boot));
            measured.sum.push(one(parts.total()));
            measured.call.push(one(took));
        }
    }
    Ok(measured)
}
