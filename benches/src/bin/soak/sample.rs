//! What the server and its sandboxes take at a moment.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lambda_benches::Result;
use lambda_benches::process::Server;

pub(crate) const HEAD: [&str; 11] = [
    "s",
    "calls/s",
    "p50 ms",
    "p99 ms",
    "RSS MiB",
    "fds",
    "threads",
    "containers",
    "processes",
    "journal KiB",
    "CPU %",
];

/// One line of the table. Containers and processes are the sandboxes'.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    pub(crate) seconds: f64,
    pub(crate) calls_per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) rss_mib: f64,
    pub(crate) fds: f64,
    pub(crate) threads: f64,
    pub(crate) containers: f64,
    pub(crate) processes: f64,
    pub(crate) journal_kib: f64,
    cpu_percent: f64,
}

impl Sample {
    pub(crate) fn cells(&self) -> Vec<String> {
        vec![
            format!("{:.0}", self.seconds),
            format!("{:.0}", self.calls_per_second),
            format!("{:.2}", self.p50_ms),
            format!("{:.2}", self.p99_ms),
            format!("{:.1}", self.rss_mib),
            format!("{:.0}", self.fds),
            format!("{:.0}", self.threads),
            format!("{:.0}", self.containers),
            format!("{:.0}", self.processes),
            format!("{:.0}", self.journal_kib),
            format!("{:.0}", self.cpu_percent),
        ]
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = HEAD.iter().zip(self.cells());
        let named: Vec<_> = named.map(|(name, cell)| format!("{name} {cell}")).collect();
        f.write_str(&named.join("  "))
    }
}

/// Looks at one server.
pub(crate) struct Sampler {
    pid: u32,
    data_dir: PathBuf,
    last: (Duration, Duration, u64),
}

impl Sampler {
    pub(crate) fn new(server: &Server) -> Result<Self> {
        Ok(Self {
            pid: server.pid(),
            data_dir: server.directory().canonicalize()?,
            last: (
                Duration::ZERO,
                lambda_benches::process::cpu_time(server.pid())?,
                0,
            ),
        })
    }

    /// `calls` since the load began; `latencies` since the sample before, of those that are timed.
    pub(crate) fn sample(
        &mut self,
        at: Duration,
        calls: u64,
        mut latencies: Vec<Duration>,
    ) -> Result<Sample> {
        latencies.sort_unstable();
        let quantile = |per_mille: usize| {
            let latency = latencies.get(latencies.len() * per_mille / 1_000);
            latency.map_or(0.0, |latency| latency.as_secs_f64() * 1e3)
        };
        let proc = PathBuf::from(format!("/proc/{}", self.pid));
        let status = fs::read_to_string(proc.join("status"))?;
        let cpu = lambda_benches::process::cpu_time(self.pid)?;
        let (last_at, last_cpu, last_calls) = std::mem::replace(&mut self.last, (at, cpu, calls));
        let span = (at - last_at).as_secs_f64();
        let containers = containers(&self.data_dir)?;
        Ok(Sample {
            seconds: at.as_secs_f64(),
            calls_per_second: (calls - last_calls) as f64 / span,
            p50_ms: quantile(500),
            p99_ms: quantile(990),
            rss_mib: field(&status, "VmRSS:")? / 1024.0,
            fds: fs::read_dir(proc.join("fd"))?.count() as f64,
            threads: field(&status, "Threads:")?,
            containers: containers.len() as f64,
            processes: processes(&containers) as f64,
            journal_kib: journal_bytes(&self.data_dir) as f64 / 1024.0,
            cpu_percent: 100.0 * (cpu - last_cpu).as_secs_f64() / span,
        })
    }
}

fn field(status: &str, name: &str) -> Result<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number
        .ok_or("an unknown form of /proc/PID/status")?
        .parse()?)
}

/// Ids of the containers into which a part of the data directory is mounted.
fn containers(data_dir: &Path) -> Result<BTreeSet<String>> {
    let output = Command::new("docker")
        .args(["ps", "-a", "--no-trunc", "--format", "{{.ID}} {{.Mounts}}"])
        .output()?;
    if !output.status.success() {
        return Err("docker ps does not answer".into());
    }
    let data_dir = data_dir.to_str().ok_or("a path is not UTF-8")?;
    let text = String::from_utf8(output.stdout)?;
    let own = text.lines().filter(|line| line.contains(data_dir));
    Ok(own
        .filter_map(|line| Some(line.split_once(' ')?.0.to_owned()))
        .collect())
}

/// How many processes there are in the containers' cgroups.
fn processes(containers: &BTreeSet<String>) -> usize {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    all.filter_map(|process| fs::read_to_string(process.path().join("cgroup")).ok())
        .filter(|cgroups| {
            let mut parts = cgroups.split(['/', '\n', '-', '.']);
            parts.any(|part| containers.contains(part))
        })
        .count()
}

/// Bytes on the disk, of which a part may be reserved.
fn journal_bytes(data_dir: &Path) -> u64 {
    let owners = fs::read_dir(data_dir.join("owners"))
        .into_iter()
        .flatten()
        .flatten();
    let files = owners.flat_map(|owner| {
        fs::read_dir(owner.path().join("journal"))
            .into_iter()
            .flatten()
    });
    files
        .flatten()
        .filter_map(|file| Some(file.metadata().ok()?.len()))
        .sum()
}
