//! What recording costs a warm call: pairs of rounds, with the store and without records, take turns.

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use lambda_benches::Result;
use lambda_benches::backend::Backend;
use lambda_benches::echo::{EchoPlatform, StoreKind};
use lambda_benches::load::drive;
use lambda_benches::report::{Table, milliseconds};
use lambda_benches::statistics::{Round, Series};

/// Milliseconds of calls that do not count.
const WARM_UP_MS: u64 = 100;

/// Compare warm calls with and without records of them
#[derive(Debug, Parser)]
struct Args {
    /// A store's URL, beside SQLite in a file
    #[arg(long)]
    store: Option<String>,
    /// Pairs of rounds
    #[arg(long, default_value_t = 20)]
    pairs: u32,
    /// Milliseconds of a round
    #[arg(long, default_value_t = 1_000)]
    round_ms: u64,
    /// Only this back end: docker or gvisor
    #[arg(long)]
    only: Option<String>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let mut table = Table::new(&["store", "p50 with records", "without", "ratio", "quartiles"]);
    let mut stores = vec![
        ("nothing recorded in either", StoreKind::Unrecorded),
        ("SQLite", StoreKind::Sqlite),
    ];
    if let Some(url) = &args.store {
        // It lives as long as the process.
        stores.push(("the given one", StoreKind::Url(url.clone().leak())));
    }
    for backend in Backend::chosen(args.only.as_deref())? {
        for (name, store) in &stores {
            let (mut with, mut plain) = (Series::new(), Series::new());
            for pair in 0..args.pairs {
                eprintln!(
                    "{}, {name}: pair {} of {}",
                    backend.name(),
                    pair + 1,
                    args.pairs
                );
                // Two sandboxes of one function differ by some percent for as long as they live,
                // by how their memory lies: each pair has its own.
                let recorded = started(backend, *store).await?;
                let without = started(backend, StoreKind::Unrecorded).await?;
                if pair % 2 == 0 {
                    with.push(round(&recorded, args.round_ms).await?);
                    plain.push(round(&without, args.round_ms).await?);
                } else {
                    plain.push(round(&without, args.round_ms).await?);
                    with.push(round(&recorded, args.round_ms).await?);
                }
            }
            if let Some(ratio) = with.ratio_to(&plain) {
                table.row([
                    format!("{}: {name}", backend.name()),
                    milliseconds(with.percentile(50)),
                    milliseconds(plain.percentile(50)),
                    format!("{:.3}", ratio.median),
                    format!("{:.3} - {:.3}", ratio.low, ratio.high),
                ]);
            }
        }
    }
    println!("\n{table}");
    Ok(())
}

/// A platform that boots no more sandboxes, and has served some calls.
async fn started(backend: Backend, store: StoreKind) -> Result<Arc<EchoPlatform>> {
    let platform = Arc::new(EchoPlatform::start(backend, store).await?);
    while !platform.is_settled() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    round(&platform, WARM_UP_MS).await?;
    Ok(platform)
}

async fn round(platform: &Arc<EchoPlatform>, ms: u64) -> Result<Round> {
    let platform = Arc::clone(platform);
    drive(1, Duration::from_millis(ms), move || {
        let platform = Arc::clone(&platform);
        async move { platform.call().await }
    })
    .await
}
