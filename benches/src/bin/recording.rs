//! What recording costs a warm call: pairs of rounds, with the store and without records, take turns.

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use lambda_benches::Result;
use lambda_benches::backend::Backend;
use lambda_benches::echo::{EchoPlatform, StoreKind};
use lambda_benches::load::drive;
use lambda_benches::report::{Table, milliseconds};
use lambda_benches::statistics::Series;

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
    let mut stores = vec![("SQLite", StoreKind::Sqlite)];
    if let Some(url) = &args.store {
        // It lives as long as the process.
        stores.push(("the given one", StoreKind::Url(url.clone().leak())));
    }
    for backend in Backend::chosen(args.only.as_deref())? {
        for (name, store) in &stores {
            let recorded = Arc::new(EchoPlatform::start(backend, *store).await?);
            let without = Arc::new(EchoPlatform::start(backend, StoreKind::Unrecorded).await?);
            let (mut with, mut plain) = (Series::new(), Series::new());
            for pair in 0..args.pairs {
                eprintln!(
                    "{}, {name}: pair {} of {}",
                    backend.name(),
                    pair + 1,
                    args.pairs
                );
                with.push(round(&recorded, &args).await?);
                plain.push(round(&without, &args).await?);
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

async fn round(
    platform: &Arc<EchoPlatform>,
    args: &Args,
) -> Result<lambda_benches::statistics::Round> {
    let platform = Arc::clone(platform);
    drive(1, Duration::from_millis(args.round_ms), move || {
        let platform = Arc::clone(&platform);
        async move { platform.call().await }
    })
    .await
}
