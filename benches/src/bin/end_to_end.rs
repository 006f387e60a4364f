//! Every way of calling a function, side by side.
//!
//! In each back end, rounds are interleaved (A B C A B C ...), so that what else the machine
//! does meets all ways alike, and ratios are taken within rounds. What is started is removed
//! at the end, also after an error or Ctrl-C.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use lambda_baseline::{Pool, docker_run};
use lambda_benches::backend::{Backend, IMAGE};
use lambda_benches::echo::{EVENT, EchoPlatform, StoreKind, WORKERS};
use lambda_benches::interrupt::interruptible;
use lambda_benches::load::drive;
use lambda_benches::process::Server;
use lambda_benches::report::{Table, milliseconds, thousands};
use lambda_benches::statistics::{Ratio, Round, Series};
use lambda_benches::{Error, Result};
use serde_json::Value;

/// Compare calls by bare socket, platform, bare server, platform's server and `docker run`
#[derive(Debug, Parser)]
struct Args {
    /// Callers at once
    #[arg(long, value_delimiter = ',', default_value = "1,8")]
    callers: Vec<usize>,
    /// Rounds of each way
    #[arg(long, default_value_t = 20)]
    rounds: u32,
    /// Milliseconds of one way's round
    #[arg(long, default_value_t = 1_000)]
    round_ms: u64,
    /// Only this back end: docker or gvisor
    #[arg(long)]
    only: Option<String>,
    /// The server's binary [default: `lambda` beside this one]
    #[arg(long)]
    lambda: Option<PathBuf>,
    /// Print the tables only, to be pasted into docs/BENCHMARKS.md
    #[arg(long)]
    markdown: bool,
}

/// The ways, in the order of the table's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Socket,
    Platform,
    BaselineServer,
    Server,
    DockerRun,
}

impl Way {
    const ALL: [Self; 5] = [
        Self::Socket,
        Self::Platform,
        Self::BaselineServer,
        Self::Server,
        Self::DockerRun,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Socket => "bare socket",
            Self::Platform => "`Platform::execute`",
            Self::BaselineServer => "baseline server",
            Self::Server => "`lambda serve`",
            Self::DockerRun => "`docker run --rm`",
        }
    }
}

/// A ratio that is to be shown: `way` takes at most (or at least) `bound` times as long as
/// `than`.
struct Target {
    way: Way,
    than: Way,
    bound: f64,
    at_most: bool,
}

const TARGETS: [Target; 4] = [
    Target {
        way: Way::Platform,
        than: Way::Socket,
        bound: 1.5,
        at_most: true,
    },
    Target {
        way: Way::Server,
        than: Way::BaselineServer,
        bound: 1.33,
        at_most: true,
    },
    Target {
        way: Way::DockerRun,
        than: Way::Platform,
        bound: 1_000.0,
        at_most: false,
    },
    Target {
        way: Way::DockerRun,
        than: Way::Server,
        bound: 1_000.0,
        at_most: false,
    },
];

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    interruptible(Box::pin(compare(&args))).await
}

async fn compare(args: &Args) -> Result<()> {
    let mut ratios = Table::new(&[
        "ratio of medians",
        "callers",
        "target",
        "ratio",
        "quartiles",
        "",
    ]);
    for backend in Backend::chosen(args.only.as_deref())? {
        progress(args, format_args!("{}: starting", backend.name()));
        let contest = Contest::start(backend, args).await?;
        for &callers in &args.callers {
            let series = contest.measure(callers, args).await?;
            println!(
                "\n{} ({}), {callers} at once:\n",
                backend.name(),
                backend.oci_runtime()
            );
            println!("{}", latencies(&series));
            for target in &TARGETS {
                if let Some(ratio) =
                    series[target.way as usize].ratio_to(&series[target.than as usize])
                {
                    ratios.row(target.cells(backend, callers, ratio));
                }
            }
        }
    }
    println!("\n{ratios}");
    Ok(())
}

/// Everything that is measured, running.
struct Contest {
    backend: Backend,
    socket: Arc<Pool>,
    platform: Arc<EchoPlatform>,
    baseline: Server,
    server: Server,
}

impl Contest {
    async fn start(backend: Backend, args: &Args) -> Result<Self> {
        let workers = usize::try_from(WORKERS)?;
        let socket = Pool::start(backend.oci_runtime(), IMAGE, workers).await?;
        Ok(Self {
            backend,
            socket: Arc::new(socket),
            platform: Arc::new(EchoPlatform::start(backend, StoreKind::Sqlite).await?),
            baseline: Server::baseline(backend).await?,
            server: Server::lambda(backend, args.lambda.as_deref()).await?,
        })
    }

    async fn measure(&self, callers: usize, args: &Args) -> Result<Vec<Series>> {
        let length = Duration::from_millis(args.round_ms);
        let mut series = vec![Series::new(); Way::ALL.len()];
        for round in 0..args.rounds {
            progress(
                args,
                format_args!(
                    "{}, {callers} at once: round {} of {}",
                    self.backend.name(),
                    round + 1,
                    args.rounds
                ),
            );
            for way in Way::ALL {
                series[way as usize].push(self.round(way, callers, length).await?);
            }
        }
        Ok(series)
    }

    async fn round(&self, way: Way, callers: usize, length: Duration) -> Result<Round> {
        match way {
            Way::Socket => {
                let socket = Arc::clone(&self.socket);
                let event: Arc<Value> = Arc::new(serde_json::from_str(EVENT)?);
                drive(callers, length, move || {
                    let (socket, event) = (Arc::clone(&socket), Arc::clone(&event));
                    async move {
                        let reply = socket.call(&event).await?;
                        expect(reply == *event, "another event came back")
                    }
                })
                .await
            }
            Way::Platform => {
                let platform = Arc::clone(&self.platform);
                drive(callers, length, move || {
                    let platform = Arc::clone(&platform);
                    async move { platform.call().await }
                })
                .await
            }
            Way::BaselineServer => self.baseline.call().drive(callers, length).await,
            Way::Server => self.server.call().drive(callers, length).await,
            // Alone: more at once only makes each slower.
            Way::DockerRun if callers == 1 => self.docker_run().await,
            Way::DockerRun => Ok(Round::default()),
        }
    }

    async fn docker_run(&self) -> Result<Round> {
        let begin = Instant::now();
        let printed = docker_run(self.backend.oci_runtime(), IMAGE, EVENT).await?;
        let elapsed = begin.elapsed();
        let event: Value = serde_json::from_str(EVENT)?;
        expect(
            serde_json::from_slice::<Value>(&printed)? == event,
            "another event came back",
        )?;
        Ok(Round {
            latencies: vec![elapsed],
            elapsed,
        })
    }
}

impl Target {
    fn cells(&self, backend: Backend, callers: usize, ratio: Ratio) -> [String; 6] {
        let (sign, is_met) = match self.at_most {
            true => ("≤", ratio.median <= self.bound),
            false => ("≥", ratio.median >= self.bound),
        };
        let times = |ratio: f64| match ratio {
            ..100.0 => format!("{ratio:.2}"),
            _ => thousands(ratio),
        };
        [
            format!(
                "{}: {} / {}",
                backend.name(),
                self.way.name(),
                self.than.name()
            ),
            callers.to_string(),
            format!("{sign} {}", thousands(self.bound)),
            times(ratio.median),
            format!("{} - {}", times(ratio.low), times(ratio.high)),
            if is_met { "met" } else { "missed" }.to_owned(),
        ]
    }
}

fn latencies(series: &[Series]) -> Table {
    let mut table = Table::new(&["way", "p50", "p99", "calls/s"]);
    for way in Way::ALL {
        let series = &series[way as usize];
        if series.percentile(50).is_some() {
            table.row([
                way.name().to_owned(),
                milliseconds(series.percentile(50)),
                milliseconds(series.percentile(99)),
                thousands(series.calls_per_second()),
            ]);
        }
    }
    table
}

fn expect(holds: bool, otherwise: &str) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(Error::from(otherwise))
    }
}

fn progress(args: &Args, what: std::fmt::Arguments<'_>) {
    if !args.markdown {
        eprintln!("{what}");
    }
}
