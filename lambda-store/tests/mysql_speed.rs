//! How fast the MySQL store is, by hand:
//!
//! ```text
//! LAMBDA_SPEED_SERVER=mysql LAMBDA_SPEED_RECORDS=10000000 LAMBDA_SPEED_BATCH=5000 \
//!     cargo test --release -p lambda-store --test mysql_speed -- --ignored --nocapture
//! ```
//!
//! Records of 1,000 functions whose popularity follows Zipf's law, over the last 30 days (or
//! `LAMBDA_SPEED_SECONDS`), in the order of their starts. With `LAMBDA_SPEED_DATABASE` the database is that one, and stays;
//! with `LAMBDA_SPEED_RECORDS=0` it is only read.
#![allow(clippy::unwrap_used, reason = "helpers of tests, too")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "numbers of a benchmark are small"
)]

#[path = "common/mysql.rs"]
#[allow(dead_code, reason = "each test file uses some of it")]
mod servers;

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use lambda_store::model::{
    Bucket, FunctionId, FunctionName, InvocationEntry, InvocationOutput, InvocationRecord,
    Namespace, RequestId, Retention, RuntimeName, StartKind, Status,
};
use lambda_store::store::{AppendInvocations, ListInvocations, SummarizeInvocations};
use lambda_store::{MySqlStore, Store};

const FUNCTIONS: usize = 1_000;
const READS: usize = 101;

/// xorshift64*: the same records in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

struct Workload {
    random: Random,
    functions: Vec<FunctionId>,
    /// By how many of all calls are of this function or a more popular one.
    popularity: Vec<f64>,
}

impl Workload {
    fn new() -> Self {
        let weights = (1..=FUNCTIONS).map(|rank| 1.0 / rank as f64);
        let total: f64 = weights.clone().sum();
        let mut random = Random(0x5eed_0000_0000_0001);
        Self {
            functions: (0..FUNCTIONS)
                .map(|_| FunctionId::from_bytes(id(&mut random, 0)))
                .collect(),
            popularity: weights
                .scan(0.0, |sum, weight| {
                    *sum += weight / total;
                    Some(*sum)
                })
                .collect(),
            random,
        }
    }

    fn entry(&mut self, started_at: Timestamp) -> InvocationEntry {
        let at = self.random.unit();
        let rank = self
            .popularity
            .partition_point(|share| *share < at)
            .min(FUNCTIONS - 1);
        let mut record = InvocationRecord::started(
            RequestId::from_bytes(id(&mut self.random, started_at.as_millisecond() as u64)),
            Namespace::default(),
            (
                self.functions[rank],
                FunctionName::new(format!("function-{rank}")).unwrap(),
                1,
            ),
            RuntimeName::docker(),
            started_at,
        );
        // From half a millisecond to seconds, most around its function's own time.
        let scale = 500.0 * (1.0 + rank as f64 % 37.0);
        record.run_us = (scale * (-self.random.unit().max(1e-9).ln() + 0.2)) as u64;
        record.start = StartKind::Warm;
        if self.random.unit() < 0.02 {
            record.start = StartKind::Cold;
            record.boot_us = 180_000;
            record.init_us = 20_000;
        }
        record.total_us = record.run_us + record.boot_us + record.init_us + 60;
        record.max_memory_mib = Some(30);
        let mut output = InvocationOutput::default();
        if self.random.unit() < 0.02 {
            record.status = Status::FunctionError;
            record.error_type = Some("ValueError".to_owned());
            output = InvocationOutput::new("", "Traceback ...", Some("a bad value"));
        }
        InvocationEntry::new(record, output)
    }
}

fn id(random: &mut Random, ms: u64) -> [u8; 16] {
    let high = (ms << 16) | 0x7000 | (random.next() & 0x0fff);
    let low = (random.next() >> 2) | (1 << 63);
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}

fn number(variable: &str, default: usize) -> usize {
    std::env::var(variable).map_or(default, |text| text.parse().unwrap())
}

/// The user's and the system's time of this process.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split(' ').collect();
    let ticks: u64 = fields[12].parse::<u64>().unwrap() + fields[13].parse::<u64>().unwrap();
    Duration::from_millis(ticks * 10)
}

async fn write(store: &MySqlStore, records: usize, batch: usize, now: Timestamp) {
    let mut workload = Workload::new();
    let seconds = number("LAMBDA_SPEED_SECONDS", 30 * 24 * 3_600) as i64;
    let begin = now.checked_sub(SignedDuration::from_secs(seconds)).unwrap();
    let step_us = seconds * 1_000_000 / records.max(1) as i64;
    let mut spent = Duration::ZERO;
    let mut window = (Instant::now(), 0);
    let cpu = cpu_time();
    for first in (0..records).step_by(batch) {
        let entries = (first..records.min(first + batch)).map(|at| {
            let offset = SignedDuration::from_micros(at as i64 * step_us);
            workload.entry(begin.checked_add(offset).unwrap())
        });
        let request = AppendInvocations::new(entries.collect());
        let request = request.retention(&Retention::default(), now);
        let started = Instant::now();
        store.invocation_append(request).await.unwrap();
        spent += started.elapsed();
        window.1 += batch;
        if window.1 >= 500_000 {
            let rate = window.1 as f64 / window.0.elapsed().as_secs_f64();
            println!("{:>9} records: {rate:.0} records/s", first + batch);
            window = (Instant::now(), 0);
        }
    }
    println!(
        "{records} records in batches of {batch}: {:.0} records/s of writing, client CPU {:.2} of a core",
        records as f64 / spent.as_secs_f64(),
        (cpu_time() - cpu).as_secs_f64() / spent.as_secs_f64()
    );
}

async fn time<T>(what: &str, mut read: impl AsyncFnMut() -> T) {
    let mut times = Vec::with_capacity(READS);
    for _ in 0..READS {
        let started = Instant::now();
        read().await;
        times.push(started.elapsed());
    }
    times.sort_unstable();
    println!(
        "{what}: p50 {:.2} ms, p90 {:.2} ms",
        times[READS / 2].as_secs_f64() * 1e3,
        times[READS * 9 / 10].as_secs_f64() * 1e3
    );
}

async fn read(store: &MySqlStore, now: Timestamp) {
    let default = Namespace::default();
    let days_ago = |days: i64| {
        now.checked_sub(SignedDuration::from_hours(24 * days))
            .unwrap()
    };
    let summary = |request: SummarizeInvocations| async move {
        store.invocation_summary(request).await.unwrap()
    };
    let all = SummarizeInvocations::all(default.clone());
    let total = summary(all.clone()).await.totals.calls;
    println!("{total} records");
    let mut top = all.clone();
    top.functions_max = 100;
    time("summary, all, top 100", async || summary(top.clone()).await).await;
    time("summary, all, top 1,000", async || {
        summary(all.clone()).await
    })
    .await;
    let kept = |request: &mut SummarizeInvocations| {
        request.minutes_since = Some(days_ago(2));
        request.hours_since = Some(days_ago(90));
    };
    let mut month = top.clone();
    month.from = Some(days_ago(30));
    kept(&mut month);
    time("summary, 30 days, top 100", async || {
        summary(month.clone()).await
    })
    .await;
    month.to = Some(now);
    time("summary, 30 days to now, top 100", async || {
        summary(month.clone()).await
    })
    .await;
    let mut hours = month.clone();
    hours.bucket = Some(Bucket::Hour);
    hours.functions_max = 0;
    time("series, 30 days by hours", async || {
        summary(hours.clone()).await
    })
    .await;
    let workload = Workload::new();
    for rank in [0, 10, 999] {
        let mut page = ListInvocations::first(default.clone(), 100);
        page.function = Some(workload.functions[rank]);
        let list = async || store.invocation_list(page.clone()).await.unwrap();
        time(&format!("newest 100 of the function of rank {rank}"), list).await;
        page.statuses = vec![Status::FunctionError];
        let list = async || store.invocation_list(page.clone()).await.unwrap();
        time(&format!("newest 100 failures of rank {rank}"), list).await;
    }
    let mut page = ListInvocations::first(default, 100);
    time("newest 100 of all", async || {
        store.invocation_list(page.clone()).await.unwrap()
    })
    .await;
    page.statuses = vec![Status::Crashed];
    time("newest 100 crashes, of which there are none", async || {
        store.invocation_list(page.clone()).await.unwrap()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a benchmark, which takes minutes"]
async fn speed() {
    let server = match std::env::var("LAMBDA_SPEED_SERVER").as_deref() {
        Ok("mysql") => servers::MYSQL,
        _ => servers::MARIADB,
    };
    let named = std::env::var("LAMBDA_SPEED_DATABASE").ok();
    let database = server.database();
    let url = match &named {
        Some(name) => format!("{}{name}", server.url()),
        None => database.url(),
    };
    let store = MySqlStore::open(&url).await.unwrap();
    let records = number("LAMBDA_SPEED_RECORDS", 200_000);
    let now = Timestamp::from_second(1_790_000_000).unwrap();
    if records > 0 {
        write(&store, records, number("LAMBDA_SPEED_BATCH", 5_000), now).await;
    }
    read(&store, now).await;
    store.close().await;
}
