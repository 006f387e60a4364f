//! A server process, and requests to it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What a first start may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

const LOOPBACK: &str = "127.0.0.1";

/// What the command line of Docker printed, which has to succeed.
pub(crate) fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    assert!(
        output.status.success(),
        "docker {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The runtimes of this machine, as far as a test may use them.
pub(crate) fn runtimes() -> Vec<&'static str> {
    let info = Command::new("docker")
        .args([
            "info",
            "--format",
            "{{range $name, $_ := .Runtimes}}{{$name}} {{end}}",
        ])
        .stdin(Stdio::null())
        .output();
    let known = info.map_or_else(
        |_| String::new(),
        |output| String::from_utf8_lossy(&output.stdout).into_owned(),
    );
    let mut there = Vec::new();
    for (name, oci) in [("docker", "runc"), ("gvisor", "runsc")] {
        if known.split_whitespace().any(|word| word == oci) {
            there.push(name);
        } else {
            missing(name);
        }
    }
    there
}

/// Says that a back end is missing; fails where it is required.
pub(crate) fn missing(name: &str) {
    let required = std::env::var("LAMBDA_TEST_REQUIRE").unwrap_or_default();
    assert!(
        !required.split(',').any(|word| word.trim() == name),
        "LAMBDA_TEST_REQUIRE names {name}, which is not usable here"
    );
    eprintln!("skipped: {name} is not usable here");
}

/// `lambda serve`, killed when it is dropped.
pub(crate) struct Server {
    process: Child,
    url: String,
    pub(crate) token: String,
    data_dir: PathBuf,
    client: Client<HttpConnector, Full<Bytes>>,
    _owned: Option<TempDir>,
}

impl Server {
    /// A server on a data directory of its own, with a configuration file.
    pub(crate) async fn start(config: &str) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        std::fs::write(data_dir.path().join("lambda.toml"), config).unwrap();
        let mut server = Self::start_in(data_dir.path()).await;
        server._owned = Some(data_dir);
        server
    }

    /// The same, listening on an address of this machine other than loopback.
    pub(crate) async fn start_at(address: &str, config: &str) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        std::fs::write(data_dir.path().join("lambda.toml"), config).unwrap();
        let mut server = Self::launch(address, data_dir.path(), &[]).await;
        server._owned = Some(data_dir);
        server
    }

    /// A server on a data directory of its own, with further arguments.
    pub(crate) async fn start_with(args: &[&str]) -> Self {
        let data_dir = tempfile::tempdir().unwrap();
        let mut server = Self::launch(LOOPBACK, data_dir.path(), args).await;
        server._owned = Some(data_dir);
        server
    }

    /// A server on a data directory that may have been used before.
    pub(crate) async fn start_in(data_dir: &Path) -> Self {
        Self::launch(LOOPBACK, data_dir, &[]).await
    }

    async fn launch(address: &str, data_dir: &Path, args: &[&str]) -> Self {
        // Free at this moment; the server says so if somebody else takes it first.
        let port = std::net::TcpListener::bind(format!("{address}:0"))
            .and_then(|listener| listener.local_addr())
            .unwrap()
            .port();
        let process = Command::new(env!("CARGO_BIN_EXE_lambda"))
            .args([
                "serve",
                "--listen",
                &format!("{address}:{port}"),
                "--data-dir",
            ])
            .arg(data_dir)
            .args(args)
            .env_remove("LAMBDA_METRICS_TOKEN")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log())
            .spawn()
            .unwrap();
        let mut server = Self {
            process,
            url: format!("http://{address}:{port}"),
            token: String::new(),
            data_dir: data_dir.to_owned(),
            client: Client::builder(TokioExecutor::new()).build_http(),
            _owned: None,
        };
        let begin = Instant::now();
        while server
            .try_call("GET", "/health", None, None)
            .await
            .is_none()
        {
            assert!(
                server.process.try_wait().unwrap().is_none(),
                "the server has ended"
            );
            assert!(begin.elapsed() < PATIENCE, "the server does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let token = std::fs::read_to_string(data_dir.join("token")).unwrap();
        token.trim().clone_into(&mut server.token);
        server
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// SIGKILL: what a power cut or the kernel does.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// SIGTERM, and waits for the end. Returns the containers that are left.
    pub(crate) async fn stop(self) -> Vec<String> {
        self.terminate();
        self.end().await
    }

    /// Waits for its end, once it was told to. Returns the containers that are left.
    pub(crate) async fn end(mut self) -> Vec<String> {
        let begin = Instant::now();
        while self.process.try_wait().unwrap().is_none() {
            assert!(begin.elapsed() < PATIENCE, "the server does not stop");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        containers(&self.data_dir)
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        let pid = self.process.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().unwrap();
    }

    pub(crate) async fn call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> (u16, Value) {
        self.try_call(method, path, token, body)
            .await
            .expect("the server answers")
    }

    /// The answer. None: there was none.
    pub(crate) async fn try_call(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Option<(u16, Value)> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let response = self.client.request(request).await.ok()?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.ok()?.to_bytes();
        Some((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    /// Creates a function and returns its id.
    pub(crate) async fn create(&self, function: Value) -> String {
        let (status, body) = self.call("POST", "/functions", None, Some(&function)).await;
        assert_eq!(status, 201, "{body}");
        body["id"].as_str().unwrap().to_owned()
    }

    /// Executes a function; any outcome will do.
    pub(crate) async fn execute(&self, request: Value) -> Value {
        let (status, body) = self
            .call("POST", "/functions/execute", None, Some(&request))
            .await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Creates a handler function from inline code and executes it once.
    pub(crate) async fn handle(
        &self,
        runtime: &str,
        language: &str,
        code: &str,
        event: Value,
    ) -> Value {
        let name = format!("f{}", uuid::Uuid::now_v7().simple());
        let id = self
            .create(json!({
                "name": name, "language": language, "runtime": runtime, "code": code,
                "handler": "app.handler", "timeout_ms": 20_000,
            }))
            .await;
        self.execute(json!({ "id": id, "event": event })).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.process.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        // A failed test: ask first, so that no sandbox is left.
        self.terminate();
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_secs(15) {
            if self.process.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where servers' logs go: with the test's own, or to the end of what `LAMBDA_TEST_SERVER_LOG`
/// names.
fn log() -> Stdio {
    let Some(path) = std::env::var_os("LAMBDA_TEST_SERVER_LOG") else {
        return Stdio::inherit();
    };
    let mut options = std::fs::File::options();
    options.create(true).append(true).open(path).unwrap().into()
}

/// Ids of the containers of a data directory's sandboxes, by the run directories that are
/// mounted into them.
pub(crate) fn containers(data_dir: &Path) -> Vec<String> {
    let output = Command::new("docker")
        .args(["ps", "-a", "--format", "{{.ID}} {{.Mounts}}", "--no-trunc"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let data_dir = data_dir.canonicalize().unwrap();
    let data_dir = data_dir.to_str().unwrap();
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter(|line| line.contains(data_dir))
        .map(|line| line.split(' ').next().unwrap_or_default().to_owned())
        .collect()
}
