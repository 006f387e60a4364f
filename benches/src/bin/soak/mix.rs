//! The mixed load: both languages, both runtimes, functions that answer at once, sleep, burn CPU and
//! write; and beside them crashes, timeouts, deploys and deletes.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::StatusCode;
use lambda_benches::Result;
use lambda_benches::http::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;

/// As many sandboxes as are at work at once, and little more.
pub(crate) const SETTINGS: &str = "[pool]\nsandboxes_max = 40\nmemory_mib_max = 8192\n";

const CALLERS: u32 = 8;

/// Between two rounds of what is not a call like others.
const CHURN: Duration = Duration::from_secs(2);

/// Name, language, code, and how many of a hundred calls in each runtime.
const KINDS: [(&str, &str, &str, u32); 5] = [
    (
        "echo-py",
        "python",
        "def handler(event, context):\n    return event\n",
        55,
    ),
    (
        "echo-js",
        "javascript",
        "exports.handler = async (event) => event;\n",
        35,
    ),
    (
        "sleep",
        "python",
        "import time\ndef handler(event, context):\n    time.sleep(0.02)\n    return event\n",
        4,
    ),
    (
        "burn",
        "python",
        "def handler(event, context):\n    sum(i * i for i in range(50000))\n    return event\n",
        3,
    ),
    (
        "write",
        "javascript",
        "exports.handler = async (event) => { for (let i = 0; i < 200; i++) console.log('x'.repeat(100)); return event; };\n",
        3,
    ),
];

const CRASH: &str = "import os\ndef handler(event, context):\n    os._exit(3)\n";
const HANG: &str = "def handler(event, context):\n    while True: pass\n";

#[derive(Clone)]
struct Turn {
    call: Bytes,
    /// It answers at once: its latency is the platform's.
    is_timed: bool,
}

/// The deployed functions.
pub(crate) struct Mix {
    address: SocketAddr,
    /// What is called in turn.
    turns: Vec<Turn>,
    crash: Vec<Bytes>,
    hang: Vec<Bytes>,
}

/// Of so many calls one may be refused (429): what else the machine does may take its cores for longer
/// than a call waits for a sandbox.
const CALLS_PER_REFUSAL: u64 = 10_000;

/// The server had no sandbox for a call in time.
#[derive(Debug)]
struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

/// What the callers count.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) is_over: AtomicBool,
    latencies: Mutex<Vec<Duration>>,
    calls: AtomicU64,
    crashes: AtomicU64,
    timeouts: AtomicU64,
    deploys: AtomicU64,
    refused: AtomicU64,
    wrong: AtomicU64,
    first_wrong: Mutex<Option<String>>,
}

impl Counts {
    pub(crate) fn take_latencies(&self) -> Vec<Duration> {
        std::mem::take(
            &mut *self
                .latencies
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// What is to be said of answers that were not as they should be.
    pub(crate) fn wrong(&self) -> Option<String> {
        let refused = self.refused.load(Ordering::Relaxed);
        if refused * CALLS_PER_REFUSAL > self.calls() {
            return Some(format!("{refused} calls were refused"));
        }
        let first = self
            .first_wrong
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()?;
        Some(format!(
            "{} wrong answers; the first: {first}",
            self.wrong.load(Ordering::Relaxed)
        ))
    }

    fn add_failure(&self, failure: &lambda_benches::Error) {
        if failure.is::<Refused>() {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.wrong.fetch_add(1, Ordering::Relaxed);
        self.first_wrong
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(failure.to_string());
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        write!(
            f,
            "{} calls, {} crashes, {} timeouts, {} functions deployed, called and deleted; {} refused, {} wrong answers",
            count(&self.calls),
            count(&self.crashes),
            count(&self.timeouts),
            count(&self.deploys),
            count(&self.refused),
            count(&self.wrong),
        )
    }
}

impl Mix {
    pub(crate) async fn deploy(address: SocketAddr) -> Result<Self> {
        let mut client = Client::connect(address).await?;
        let (mut turns, mut crash, mut hang) = (Vec::new(), Vec::new(), Vec::new());
        for runtime in ["docker", "gvisor"] {
            for (name, language, code, of_a_hundred) in KINDS {
                let name = format!("{name}-{runtime}");
                let call = create(&mut client, &name, language, code, runtime).await?;
                let is_timed = name.starts_with("echo");
                turns.extend((0..of_a_hundred).map(|_| Turn {
                    call: call.clone(),
                    is_timed,
                }));
            }
            let name = format!("crash-{runtime}");
            crash.push(create(&mut client, &name, "python", CRASH, runtime).await?);
            let name = format!("hang-{runtime}");
            hang.push(create(&mut client, &name, "python", HANG, runtime).await?);
        }
        // Spread out: a step that shares no factor with their number meets each once.
        let turns = (0..turns.len())
            .map(|turn| turns[turn * 77 % turns.len()].clone())
            .collect();
        Ok(Self {
            address,
            turns,
            crash,
            hang,
        })
    }

    /// Each function's first calls.
    pub(crate) async fn warm_up(&self) -> Result<()> {
        self.drive(Duration::from_secs(6)).await.map(drop)
    }

    /// Calls per second without a pause.
    pub(crate) async fn peak(&self, length: Duration) -> Result<f64> {
        self.drive(length).await
    }

    async fn drive(&self, length: Duration) -> Result<f64> {
        let (begin, turn) = (Instant::now(), Arc::new(AtomicU32::new(0)));
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let (turns, turn, address) = (self.turns.clone(), Arc::clone(&turn), self.address);
            callers.spawn(async move {
                let mut client = Client::connect(address).await?;
                while begin.elapsed() < length {
                    let number = turn.fetch_add(1, Ordering::Relaxed) as usize;
                    call(&mut client, &turns[number % turns.len()].call, "success").await?;
                }
                Ok::<_, lambda_benches::Error>(())
            });
        }
        for ended in callers.join_all().await {
            ended?;
        }
        Ok(f64::from(turn.load(Ordering::Relaxed)) / begin.elapsed().as_secs_f64())
    }

    /// Begins the load, which ends when that is said in the counts.
    pub(crate) fn start(self: &Arc<Self>, rate: f64) -> (Arc<Counts>, JoinSet<Result<()>>) {
        let counts = Arc::new(Counts::default());
        let mut load = JoinSet::new();
        for caller in 0..CALLERS {
            load.spawn(Arc::clone(self).calls(caller, rate, Arc::clone(&counts)));
        }
        load.spawn(Arc::clone(self).churn(Arc::clone(&counts)));
        (counts, load)
    }

    /// One caller's part of the calls, each at its time. Who is late goes on at once, but does not
    /// make up for more than a second.
    async fn calls(self: Arc<Self>, caller: u32, rate: f64, counts: Arc<Counts>) -> Result<()> {
        let mut client = Client::connect(self.address).await?;
        let interval = Duration::from_secs_f64(f64::from(CALLERS) / rate);
        let mut due = Instant::now() + interval * caller / CALLERS;
        let mut turn = caller as usize;
        while !counts.is_over.load(Ordering::Relaxed) {
            tokio::time::sleep_until(due.into()).await;
            due = (due + interval).max(Instant::now() - Duration::from_secs(1));
            let begin = Instant::now();
            let now = &self.turns[turn % self.turns.len()];
            let answered = call(&mut client, &now.call, "success").await;
            counts.calls.fetch_add(1, Ordering::Relaxed);
            if now.is_timed {
                let mut latencies = counts
                    .latencies
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                latencies.push(begin.elapsed());
            }
            if let Err(error) = answered {
                counts.add_failure(&error);
                client = Client::connect(self.address).await?;
            }
            turn += CALLERS as usize;
        }
        Ok(())
    }

    /// Crashes, timeouts, deploys and deletes, in each runtime in turn.
    async fn churn(self: Arc<Self>, counts: Arc<Counts>) -> Result<()> {
        let mut client = Client::connect(self.address).await?;
        let mut round = 0_usize;
        while !counts.is_over.load(Ordering::Relaxed) {
            let runtime = round % 2;
            let crashed = call(&mut client, &self.crash[runtime], "crashed").await;
            let timed_out = call(&mut client, &self.hang[runtime], "timeout").await;
            let deployed = replace(&mut client, round, ["docker", "gvisor"][runtime]).await;
            for (done, counter) in [
                (crashed, &counts.crashes),
                (timed_out, &counts.timeouts),
                (deployed, &counts.deploys),
            ] {
                match done {
                    Ok(()) => _ = counter.fetch_add(1, Ordering::Relaxed),
                    Err(error) => counts.add_failure(&error),
                }
            }
            round += 1;
            tokio::time::sleep(CHURN).await;
        }
        Ok(())
    }
}

/// Deploys a function, calls it, deploys its next version, calls that, and deletes it.
async fn replace(client: &mut Client, round: usize, runtime: &str) -> Result<()> {
    let answers = |number: u32| format!("def handler(event, context):\n    return {number}\n");
    let name = format!("new-{round}");
    let request = create(client, &name, "python", &answers(1), runtime).await?;
    call(client, &request, "success").await?;
    let id = serde_json::from_slice::<Value>(&request)?["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let path = format!("/functions/{id}");
    let change = json!({ "code": answers(2) }).to_string();
    expect(
        client.send("PUT", &path, change.into()).await?,
        StatusCode::OK,
    )?;
    call(client, &request, "success").await?;
    let deleted = client.send("DELETE", &path, Bytes::new()).await?;
    if !deleted.0.is_success() {
        expect(deleted, StatusCode::NO_CONTENT)?;
    }
    Ok(())
}

/// Returns the body of a call.
async fn create(
    client: &mut Client,
    name: &str,
    language: &str,
    code: &str,
    runtime: &str,
) -> Result<Bytes> {
    let timeout_ms = if name.starts_with("hang") {
        300
    } else {
        10_000
    };
    let function = json!({
        "name": name, "language": language, "code": code, "handler": "app.handler",
        "runtime": runtime, "timeout_ms": timeout_ms,
    });
    let created = client
        .post("/functions", function.to_string().into())
        .await?;
    let function = expect(created, StatusCode::CREATED)?;
    Ok(
        json!({ "id": function["id"], "event": { "name": "Alice" } })
            .to_string()
            .into(),
    )
}

async fn call(client: &mut Client, body: &Bytes, status: &str) -> Result<()> {
    let answer = client.post("/functions/execute", body.clone()).await?;
    let outcome = expect(answer, StatusCode::OK)?;
    if outcome["status"] == status {
        return Ok(());
    }
    Err(format!("not {status}: {outcome}").into())
}

fn expect((status, body): (StatusCode, Bytes), expected: StatusCode) -> Result<Value> {
    if status != expected {
        let said = format!("{status}: {}", String::from_utf8_lossy(&body));
        return Err(match status {
            StatusCode::TOO_MANY_REQUESTS => Refused(said).into(),
            _ => said.into(),
        });
    }
    Ok(serde_json::from_slice(&body)?)
}
