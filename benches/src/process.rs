//! Servers in processes of their own.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::StatusCode;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Result;
use crate::backend::{Backend, IMAGE};
use crate::echo::{EVENT, HANDLER, SOURCE, WORKERS};
use crate::http::{Call, post_once};

/// The operator's token of the servers that are started here.
pub const TOKEN: &str = "the operator's token of a benchmark";

/// What the peer serves: the function of the others, which it gives a request instead of an event.
const PEER_SOURCE: &str = "def handler(request):\n    return request.get_json()\n";

const START_TIMEOUT: Duration = Duration::from_secs(60);

/// Longer than a server takes to drain and to remove its containers.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);

/// A server, told to end when this is dropped, which waits for it.
#[derive(Debug)]
pub struct Server {
    // Dropped in this order: nothing is removed under a running server.
    process: Process,
    call: Call,
    log: File,
    directory: TempDir,
}

impl Server {
    /// The baseline.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn baseline(backend: Backend) -> Result<Self> {
        let binary = beside_this("lambda-baseline")?;
        let mut server = Self::start(&binary, |command, address, _| {
            command
                .args(["--runtime", backend.oci_runtime(), "--image", IMAGE])
                .args(["--workers", &WORKERS.to_string()])
                .args(["--listen", &address.to_string()]);
        })?;
        server.call.body = Bytes::from(format!(r#"{{"name":"echo","event":{EVENT}}}"#));
        server.call.expected = "Alice";
        server.wait().await?;
        Ok(server)
    }

    /// The unsandboxed peer, as its own command serves it in production (gunicorn), from the
    /// Python environment in `directory`.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn peer(directory: &Path) -> Result<Self> {
        let binary = directory.join("bin/functions-framework");
        let mut server = Self::start(&binary, |command, address, directory| {
            let source = directory.join("main.py");
            // A directory that cannot be written to fails the server in a moment.
            let _ = std::fs::write(&source, PEER_SOURCE);
            command
                .args(["--target", "handler", "--host", "127.0.0.1"])
                .args(["--port", &address.port().to_string()])
                .arg("--source")
                .arg(source)
                .env("WORKERS", WORKERS.to_string());
        })?;
        server.call.path = "/";
        server.call.body = Bytes::from_static(EVENT.as_bytes());
        server.call.expected = "Alice";
        server.wait().await?;
        Ok(server)
    }

    /// The platform's server, `lambda serve`, with the function deployed.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn lambda(backend: Backend, binary: Option<&Path>) -> Result<Self> {
        Self::lambda_with(backend, binary, "").await
    }

    /// The same with settings, as in lambda.toml, and with [`TOKEN`] as the operator's token.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn lambda_with(
        backend: Backend,
        binary: Option<&Path>,
        settings: &str,
    ) -> Result<Self> {
        let binary = match binary {
            Some(binary) => binary.to_owned(),
            None => beside_this("lambda")?,
        };
        let mut server = Self::start(&binary, |command, address, directory| {
            // A directory that cannot be written to fails the server in a moment.
            let _ = std::fs::write(directory.join("lambda.toml"), settings);
            command
                .arg("serve")
                .args(["--listen", &address.to_string()])
                .arg("--data-dir")
                .arg(directory)
                .env("LAMBDA_METRICS_TOKEN", TOKEN)
                // Not the developer's own settings.
                .env_remove("LAMBDA_STORE")
                .env_remove("LAMBDA_CONFIG");
        })?;
        let function = json!({
            "name": "echo",
            "language": "python",
            "code": SOURCE,
            "handler": HANDLER,
            "runtime": backend.name(),
            "concurrency": WORKERS,
        });
        let deploy = Bytes::from(function.to_string());
        let id = loop {
            match post_once(server.call.address, "/functions", deploy.clone()).await {
                Ok((StatusCode::CREATED, body)) => {
                    let function: Value = serde_json::from_slice(&body)?;
                    break function["id"].as_str().unwrap_or_default().to_owned();
                }
                Ok((status, body)) => {
                    let body = String::from_utf8_lossy(&body);
                    return Err(format!("deploying: {status}: {body}").into());
                }
                Err(error) => server.must_still_start(error).await?,
            }
        };
        server.call.body = Bytes::from(format!(r#"{{"id":"{id}","event":{EVENT}}}"#));
        server.call.expected = r#""status":"success""#;
        server.wait().await?;
        Ok(server)
    }

    /// The number of its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// Its data directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What it is to be asked.
    #[must_use]
    pub fn call(&self) -> &Call {
        &self.call
    }

    fn start(
        binary: &Path,
        arguments: impl FnOnce(&mut Command, SocketAddr, &Path),
    ) -> Result<Self> {
        let directory = tempfile::Builder::new().prefix("lambda-bench-").tempdir()?;
        let log = tempfile::tempfile()?;
        // Free now; whoever takes it first makes the server fail, and says so.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let mut command = Command::new(binary);
        arguments(&mut command, address, directory.path());
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?);
        let child = command
            .spawn()
            .map_err(|error| format!("{} cannot be started: {error}", binary.display()))?;
        Ok(Self {
            process: Process {
                child,
                started: Instant::now(),
            },
            call: Call {
                address,
                path: "/functions/execute",
                body: Bytes::new(),
                expected: "",
            },
            log,
            directory,
        })
    }

    /// Waits until it answers a call, and has started a sandbox by it.
    async fn wait(&mut self) -> Result<()> {
        loop {
            match self.call.once().await {
                Ok(()) => return Ok(()),
                Err(error) => self.must_still_start(error).await?,
            }
        }
    }

    /// Waits a little, unless the server has ended or had its time.
    async fn must_still_start(&mut self, error: crate::Error) -> Result<()> {
        let ended = self.process.child.try_wait()?;
        // Only a connection that is refused will be taken later.
        let refused = error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        if ended.is_none() && refused && self.process.started.elapsed() < START_TIMEOUT {
            tokio::time::sleep(Duration::from_millis(50)).await;
            return Ok(());
        }
        let mut log = String::new();
        self.log.rewind()?;
        self.log.read_to_string(&mut log)?;
        Err(format!("the server does not answer: {error}\n{log}").into())
    }
}

#[derive(Debug)]
struct Process {
    child: Child,
    started: Instant,
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // Not yet waited for, so the number is still this child's.
            let _ = kill_process(pid, Signal::TERM);
        }
        let begin = Instant::now();
        while begin.elapsed() < STOP_TIMEOUT {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        eprintln!("a server does not end and is killed; see `docker ps` for what it left");
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A binary in the directory of this one.
fn beside_this(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    if path.is_file() {
        return Ok(path);
    }
    Err(format!("{} is missing; scripts/bench.sh builds it", path.display()).into())
}

/// The CPU time that a process has taken, its threads included, to a hundredth of a second.
///
/// # Errors
/// If there is no such process.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in parentheses may hold anything; utime and stime are the 12th and 13th behind it.
    let (_, fields) = stat
        .rsplit_once(')')
        .ok_or("an unknown form of /proc/PID/stat")?;
    let ticks: u64 = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<u64>)
        .sum::<std::result::Result<u64, _>>()?;
    Ok(Duration::from_millis(10 * ticks))
}

/// Memory of this process that is in RAM, in MiB.
///
/// # Errors
/// Where the kernel does not tell.
pub fn rss_mib() -> Result<f64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib
        .ok_or("an unknown form of /proc/self/status")?
        .parse::<f64>()?
        / 1024.0)
}

/// How many files this process has open.
///
/// # Errors
/// Where the kernel does not tell.
pub fn open_files() -> Result<usize> {
    Ok(std::fs::read_dir("/proc/self/fd")?.count())
}
