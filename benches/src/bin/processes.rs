//! What a process for each call costs: scripts, which always have one, and handlers in fresh
//! mode; with a pause in which a spare process is made ready, and without.

use std::time::{Duration, Instant};

use clap::Parser;
use lambda_benches::Result;
use lambda_benches::backend::Backend;
use lambda_benches::local::{Local, echo};
use lambda_benches::report::{Table, milliseconds, thousands};
use lambda_benches::statistics::{Round, Series};
use lambda_store::ExecuteRequest;
use lambda_store::model::{FunctionId, Language};

/// The pause between two calls, in which a spare process can be made ready.
const THINK_TIME: Duration = Duration::from_millis(100);

/// Measure calls that have a process each
#[derive(Debug, Parser)]
struct Args {
    /// Calls of each kind
    #[arg(long, default_value_t = 100)]
    calls: u32,
    /// Only this back end: docker or gvisor
    #[arg(long)]
    only: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Handler,
    Fresh,
    Script,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Handler, Self::Fresh, Self::Script];

    fn name(self) -> &'static str {
        match self {
            Self::Handler => "handler",
            Self::Fresh => "handler, fresh process",
            Self::Script => "script",
        }
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let mut table = Table::new(&[
        "warm, one caller",
        "100 ms pause, p50",
        "p99",
        "no pause, p50",
        "p99",
        "calls/s",
    ]);
    for backend in Backend::chosen(args.only.as_deref())? {
        let local = Local::start(backend, |_| {}).await?;
        let result = measure(&local, backend, args.calls, &mut table).await;
        local.close(result).await?;
    }
    println!("{table}");
    Ok(())
}

async fn measure(local: &Local, backend: Backend, calls: u32, table: &mut Table) -> Result<()> {
    for language in Language::ALL {
        for kind in Kind::ALL {
            let function = deploy(local, language, kind).await?;
            let calm = call(local, function, calls, THINK_TIME).await?;
            let steady = call(local, function, calls, Duration::ZERO).await?;
            table.row([
                format!("{}, {language} {}", backend.name(), kind.name()),
                milliseconds(calm.percentile(50)),
                milliseconds(calm.percentile(99)),
                milliseconds(steady.percentile(50)),
                milliseconds(steady.percentile(99)),
                thousands(steady.calls_per_second()),
            ]);
            local.platform.function_delete(&function.into()).await?;
        }
    }
    Ok(())
}

async fn deploy(local: &Local, language: Language, kind: Kind) -> Result<FunctionId> {
    let source = match (kind, language) {
        (Kind::Script, Language::Python) => "import sys\nprint('Hello', sys.argv[1:])\n",
        (Kind::Script, _) => "console.log('Hello', process.argv.slice(2));\n",
        _ => echo(language),
    };
    let change = |function: &mut lambda_store::NewFunction| {
        if kind == Kind::Script {
            function.config.handler = None;
        }
        function.config.fresh_process = kind == Kind::Fresh;
    };
    local.deploy("f", language, source, change).await
}

/// Calls one after the other; the first two start the sandbox and its spares.
async fn call(local: &Local, function: FunctionId, calls: u32, pause: Duration) -> Result<Series> {
    let mut round = Round::default();
    for number in 0..calls + 2 {
        tokio::time::sleep(pause).await;
        let began = Instant::now();
        let outcome = local
            .platform
            .execute(ExecuteRequest::new(function))
            .await?;
        if !outcome.is_success() {
            return Err(format!("the function failed: {outcome:?}").into());
        }
        if number >= 2 {
            let took = began.elapsed();
            round.latencies.push(took);
            round.elapsed += took;
        }
    }
    let mut series = Series::new();
    series.push(round);
    Ok(series)
}
