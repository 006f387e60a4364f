//! Load over HTTP: `wrk` on invoke with many connections, beside the baseline server and with
//! clients that follow logs idly; and ten times as many calls as can be served.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use clap::Parser;
use hyper::StatusCode;
use lambda_benches::Result;
use lambda_benches::backend::Backend;
use lambda_benches::echo::EVENT;
use lambda_benches::http::{Call, Client, post_once};
use lambda_benches::interrupt::interruptible;
use lambda_benches::process::{Server, TOKEN};
use lambda_benches::report::{Table, milliseconds, thousands};
use lambda_benches::statistics::{Round, Series};
use lambda_benches::wrk;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Room for all connections of this program. The rest are the server's defaults.
const SETTINGS: &str = "[http]\nconnections_max = 4096\nlog_streams_max = 4096\n";

/// What the function of the overload does, and the most of it that can be done in a second.
const SLEEPER: &str =
    "import time\n\n\ndef handler(event, context):\n    time.sleep(0.05)\n    return event\n";
const SLEEP_MS: u32 = 50;
const SANDBOXES: u32 = 16;

/// Goodput under overload that is to be kept, as a part of the peak.
const GOODPUT_TARGET: f64 = 0.9;

/// More than may be in the queue, so that whoever is refused makes room for the next.
const SENDERS: usize = 1_500;

/// Measure many connections, idle followers and overload
#[derive(Debug, Parser)]
struct Args {
    /// Connections of wrk at once
    #[arg(long, value_delimiter = ',', default_value = "1,8,32,128")]
    connections: Vec<usize>,
    /// Clients that follow a log in which nothing happens
    #[arg(long, default_value_t = 2_000)]
    followers: usize,
    /// Rounds of each way
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Seconds of one round of wrk
    #[arg(long, default_value_t = 2)]
    round_s: u64,
    /// Seconds of the peak and of the overload each
    #[arg(long, default_value_t = 10)]
    overload_s: u64,
    /// Only this back end: docker or gvisor
    #[arg(long)]
    only: Option<String>,
    /// A Python environment with functions-framework and gunicorn, to be measured as well:
    /// scripts/bench-peer.sh makes one
    #[arg(long)]
    peer: Option<PathBuf>,
    /// The server's binary [default: `lambda` beside this one]
    #[arg(long)]
    lambda: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    interruptible(Box::pin(measure(&args))).await
}

async fn measure(args: &Args) -> Result<()> {
    let has_wrk = wrk::is_there()?;
    for backend in Backend::chosen(args.only.as_deref())? {
        let name = backend.name();
        if has_wrk {
            eprintln!("{name}: wrk");
            println!("\n{name}:\n\n{}", connections(backend, args).await?);
        }
        eprintln!("{name}: overload");
        println!("\n{name}:\n\n{}", overload(backend, args).await?);
    }
    Ok(())
}

/// What Docker may still be doing for containers that it has just started.
const SETTLING: Duration = Duration::from_secs(1);

/// The ways that take turns, the last where there is one.
const WAYS: [&str; 4] = [
    "baseline server",
    "`lambda serve`",
    "with idle followers",
    "functions-framework",
];

async fn connections(backend: Backend, args: &Args) -> Result<Table> {
    let lambda = args.lambda.as_deref();
    let plain = Server::lambda_with(backend, lambda, SETTINGS).await?;
    let followed = Server::lambda_with(backend, lambda, SETTINGS).await?;
    let peer = match &args.peer {
        Some(directory) => Some(Server::peer(directory).await?),
        None => None,
    };
    let invoke = |server: &Server| Call {
        path: "/functions/echo/invoke",
        body: Bytes::from_static(EVENT.as_bytes()),
        ..server.call().clone()
    };
    let (plain_call, followed_call) = (invoke(&plain), invoke(&followed));
    // Of another function than the one that is called: they stay idle.
    deploy(&followed.call().clone(), "quiet", SLEEPER, backend).await?;
    let mut followers = Vec::new();
    for _ in 0..args.followers {
        followers.push(follow(&followed, "quiet").await?);
    }
    let head = [
        "wrk",
        "connections",
        "p50",
        "p99",
        "answers/s",
        "rate, to baseline",
    ];
    let mut table = Table::new(&head);
    for &connections in &args.connections {
        let mut runs: [Vec<wrk::Run>; WAYS.len()] = Default::default();
        for round in 0..args.rounds {
            eprintln!(
                "{connections} connections: round {} of {}",
                round + 1,
                args.rounds
            );
            // A new one each time, and measured last: it loses the workers whose clients leave, as
            // wrk's do at the end, and Docker is busy with removing their containers then.
            let baseline = Server::baseline(backend).await?;
            tokio::time::sleep(SETTLING).await;
            let calls = [
                (1, Some(&plain_call)),
                (2, Some(&followed_call)),
                (3, peer.as_ref().map(Server::call)),
                (0, Some(baseline.call())),
            ];
            for (way, call) in calls {
                let Some(call) = call else { continue };
                let length = Duration::from_secs(args.round_s);
                runs[way].push(wrk::run(call, connections, length).await?);
            }
        }
        for (way, own) in WAYS.iter().zip(&runs).filter(|(_, own)| !own.is_empty()) {
            let ratios = own.iter().zip(&runs[0]);
            let ratio = median(ratios.map(|(own, base)| own.per_second / base.per_second));
            let p50 = Duration::from_secs_f64(median(own.iter().map(|run| run.p50.as_secs_f64())));
            let p99 = Duration::from_secs_f64(median(own.iter().map(|run| run.p99.as_secs_f64())));
            table.row([
                (*way).to_owned(),
                connections.to_string(),
                milliseconds(Some(p50)),
                milliseconds(Some(p99)),
                thousands(median(own.iter().map(|run| run.per_second))),
                format!("{ratio:.2}"),
            ]);
        }
    }
    for mut follower in followers {
        // Held to the end: a server that has closed it would have been measured without.
        let mut some = [0; 64];
        match tokio::time::timeout(Duration::ZERO, follower.read(&mut some)).await {
            Ok(Ok(0)) | Ok(Err(_)) => return Err("a follower was let go".into()),
            Ok(Ok(_)) | Err(_) => {}
        }
    }
    Ok(table)
}

/// Follows what a function writes, as far as the head of the answer.
async fn follow(server: &Server, function: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(server.call().address).await?;
    let request = format!(
        "GET /functions/{function}/logs HTTP/1.1\r\nhost: localhost\r\n\
         authorization: Bearer {TOKEN}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    if &head != b"HTTP/1.1 200" {
        return Err(format!("following: {}", String::from_utf8_lossy(&head)).into());
    }
    Ok(stream)
}

async fn deploy(call: &Call, name: &str, source: &str, backend: Backend) -> Result<()> {
    let function = json!({
        "name": name,
        "language": "python",
        "code": source,
        "handler": "app.handler",
        "runtime": backend.name(),
        "concurrency": SANDBOXES,
    });
    let body = Bytes::from(function.to_string());
    let (status, body) = post_once(call.address, "/functions", body).await?;
    if status != StatusCode::CREATED {
        return Err(format!("deploying: {status}: {}", String::from_utf8_lossy(&body)).into());
    }
    Ok(())
}

/// Answers that came in one part of a measurement.
#[derive(Debug, Default)]
struct Answers {
    served: Round,
    refused: Round,
    others: u64,
}

async fn overload(backend: Backend, args: &Args) -> Result<Table> {
    let server = Server::lambda_with(backend, args.lambda.as_deref(), SETTINGS).await?;
    let call = Call {
        path: "/functions/sleeper/invoke",
        body: Bytes::from_static(b"{}"),
        ..server.call().clone()
    };
    deploy(&call, "sleeper", SLEEPER, backend).await?;
    let best = f64::from(SANDBOXES * 1_000 / SLEEP_MS);
    let length = Duration::from_secs(args.overload_s);
    // Twice as many callers as sandboxes: none of these waits for a call. The first time they come up.
    let callers = 2 * SANDBOXES as usize;
    let closed = |length| drive(call.clone(), callers, None, length);
    closed(length).await?;
    let peak = rate(&closed(length).await?.served);
    let offered = 10.0 * best;
    if peak == 0.0 {
        return Err("no call was answered at the peak: is the machine busy?".into());
    }
    let answers = drive(call.clone(), SENDERS, Some(offered), length).await?;
    let goodput = rate(&answers.served);
    let sent = answers.served.latencies.len() + answers.refused.latencies.len();
    let series = |round: &Round| {
        let mut series = Series::new();
        series.push(round.clone());
        series
    };
    let (served, refused) = (series(&answers.served), series(&answers.refused));
    let mut table = Table::new(&["overload", ""]);
    let mut row = |what: &str, figure: String| table.row([what.to_owned(), figure]);
    row("best that can be", format!("{} calls/s", thousands(best)));
    row("peak, 32 callers", format!("{} calls/s", thousands(peak)));
    // Far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    let asked = sent as f64 / answers.served.elapsed.as_secs_f64();
    row("asked for", format!("{} calls/s", thousands(asked)));
    row("goodput", format!("{} calls/s", thousands(goodput)));
    let verdict = if goodput >= GOODPUT_TARGET * peak {
        "met"
    } else {
        "missed"
    };
    row(
        "goodput / peak (target ≥ 0.9)",
        format!("{:.2} ({verdict})", goodput / peak),
    );
    row("served: p50", milliseconds(served.percentile(50)));
    row("429: p50", milliseconds(refused.percentile(50)));
    row("429: p99", milliseconds(refused.percentile(99)));
    row("other answers", answers.others.to_string());
    Ok(table)
}

/// Has `senders` connections call: each again as soon as it has its answer or, with `per_second`,
/// whenever the next call is due. Latencies count from when a call was due.
async fn drive(
    call: Call,
    senders: usize,
    per_second: Option<f64>,
    length: Duration,
) -> Result<Answers> {
    let task = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async move {
            let mut clients = Vec::new();
            for _ in 0..senders {
                clients.push(Client::connect(call.address).await?);
            }
            let (begin, next) = (Instant::now(), Arc::new(AtomicU64::new(0)));
            let mut tasks = JoinSet::new();
            for client in clients {
                let turns = Turns {
                    begin,
                    end: begin + length,
                    next: Arc::clone(&next),
                    per_second,
                };
                tasks.spawn(sender(client, call.clone(), turns));
            }
            let mut all = Answers::default();
            while let Some(own) = tasks.join_next().await {
                let own = own??;
                all.served.latencies.extend(own.served.latencies);
                all.refused.latencies.extend(own.refused.latencies);
                all.others += own.others;
            }
            all.served.elapsed = length;
            all.refused.elapsed = length;
            Ok(all)
        })
    });
    task.await?
}

/// Whose turn it is, and when.
struct Turns {
    begin: Instant,
    end: Instant,
    next: Arc<AtomicU64>,
    per_second: Option<f64>,
}

impl Turns {
    /// When the next call is due; none once the time is over.
    async fn next(&self) -> Option<Instant> {
        let due = match self.per_second {
            None => Instant::now(),
            Some(rate) => {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                // Far below 2^52.
                #[allow(clippy::cast_precision_loss)]
                let due = self.begin + Duration::from_secs_f64(number as f64 / rate);
                tokio::time::sleep_until(due.min(self.end)).await;
                due
            }
        };
        (due < self.end).then_some(due)
    }
}

/// Only what is answered before the end counts.
async fn sender(mut client: Client, call: Call, turns: Turns) -> Result<Answers> {
    let mut own = Answers::default();
    while let Some(due) = turns.next().await {
        let answer = client.post(call.path, call.body.clone());
        let Ok(answer) = tokio::time::timeout_at(turns.end, answer).await else {
            break;
        };
        let latency = due.elapsed();
        match answer?.0 {
            StatusCode::OK => own.served.latencies.push(latency),
            StatusCode::TOO_MANY_REQUESTS => own.refused.latencies.push(latency),
            _ => own.others += 1,
        }
    }
    Ok(own)
}

/// Far below 2^52.
#[allow(clippy::cast_precision_loss)]
fn rate(round: &Round) -> f64 {
    round.latencies.len() as f64 / round.elapsed.as_secs_f64()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
