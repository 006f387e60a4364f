//! `lambda logs`, `metrics`, `open` and `completions`, against a server over fake sandboxes
//! and against a local store.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use lambda_core::model::RuntimeName;
use lambda_core::runtime::fake::FakeRuntime;
use lambda_core::{ExecuteRequest, NewFunction, Platform};
use lambda_http::ServerOptions;
use serde_json::{Value, json};
use support::{OPERATOR, Server};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{Instant, timeout};

const PATIENCE: Duration = Duration::from_secs(20);

fn lambda(directory: &Path, url: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lambda"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LAMBDA_")) {
        command.env_remove(name);
    }
    command
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env("LAMBDA_URL", url)
        .env("LAMBDA_TOKEN", OPERATOR)
        .current_dir(directory)
        .arg("--data-dir")
        .arg(directory)
        .args(args)
        .kill_on_drop(true);
    command
}

async fn run(directory: &Path, url: &str, args: &[&str]) -> Output {
    let output = lambda(directory, url, args).output();
    timeout(PATIENCE, output).await.unwrap().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

struct Following {
    _process: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Following {
    fn start(directory: &Path, url: &str, args: &[&str]) -> Self {
        let mut command = lambda(directory, url, args);
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            lines: BufReader::new(process.stdout.take().unwrap()).lines(),
            _process: process,
        }
    }

    /// Runs `hello` until what it prints arrives: nobody says when the command listens.
    async fn hears(&mut self, server: &Server, word: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let request = json!({"name": "hello", "args": [word]});
            server.execute(&request).await.ok();
            let line = timeout(Duration::from_millis(100), self.lines.next_line()).await;
            if let Ok(line) = line {
                let line = line.unwrap().expect("it goes on");
                if line.ends_with(&format!(" {word}")) {
                    return;
                }
            }
            assert!(Instant::now() < deadline, "{word} does not arrive");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_are_followed_across_a_restart_of_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let mut server = Server::start().await;
    server.hello().await;
    let address = server.address;
    let url = format!("http://{address}");
    let mut following = Following::start(directory.path(), &url, &["logs", "-f", "hello"]);
    following.hears(&server, "one").await;
    server.stop().await;
    drop(server);
    let listen = address.to_string();
    let server = Server::start_with(|options| options, ServerOptions::default(), &listen).await;
    server.hello().await;
    following.hears(&server, "two").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_asked_for_records_figures_and_its_page() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start().await;
    server.hello().await;
    let url = format!("http://{}", server.address);
    let request = json!({"name": "hello", "args": ["one"]});
    let done = server.execute(&request).await.ok();
    let id = done["request_id"].as_str().unwrap();

    // Live, it is there at once, and ends.
    let followed = run(directory.path(), &url, &["logs", "-f", id]).await;
    assert!(followed.status.success(), "{followed:?}");
    assert_eq!(text(&followed.stdout), "one\n");
    let events = run(directory.path(), &url, &["--json", "logs", "--follow", id]).await;
    let last = text(&events.stdout).lines().last().unwrap().to_owned();
    let last: Value = serde_json::from_str(&last).unwrap();
    assert_eq!(
        (&last["event"], &last["data"]["status"]),
        (&json!("end"), &json!("success"))
    );

    // The record is on its way for a moment.
    let deadline = Instant::now() + PATIENCE;
    let kept = loop {
        let kept = run(directory.path(), &url, &["logs", id]).await;
        if kept.status.success() || Instant::now() > deadline {
            break kept;
        }
    };
    assert_eq!(
        (text(&kept.stdout), text(&kept.stderr)),
        ("one\n", "success\n")
    );
    let latest = run(directory.path(), &url, &["logs", "hello"]).await;
    assert_eq!(latest.stdout, kept.stdout, "{latest:?}");

    let figures = run(directory.path(), &url, &["metrics", "--since", "1h"]).await;
    let lines: Vec<_> = text(&figures.stdout).lines().collect();
    assert_eq!(lines.len(), 3, "{figures:?}");
    for (line, begin) in lines.iter().zip(["FUNCTION", "hello ", "(all) "]) {
        assert!(line.starts_with(begin), "{line}");
    }
    let figures = run(directory.path(), &url, &["--json", "metrics", "hello"]).await;
    let figures: Value = serde_json::from_slice(&figures.stdout).unwrap();
    assert_eq!(figures["totals"]["calls"], 1);
    let nobody = run(directory.path(), &url, &["metrics", "nobody"]).await;
    assert_eq!(nobody.status.code(), Some(1));
    let wrong = run(directory.path(), &url, &["metrics", "--since", "soon"]).await;
    assert_eq!(wrong.status.code(), Some(2));

    let page = run(directory.path(), &url, &["open"]).await;
    assert_eq!(text(&page.stdout), format!("{url}/\n"));

    let file = directory.path().join("secret");
    std::fs::write(&file, "wrong\n").unwrap();
    let args = ["metrics", "--token-file", file.to_str().unwrap()];
    let wrong = run(directory.path(), &url, &args).await;
    assert!(text(&wrong.stderr).contains("token is wrong"), "{wrong:?}");
    std::fs::write(&file, format!("{OPERATOR}\n")).unwrap();
    assert!(run(directory.path(), &url, &args).await.status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_server_the_local_store_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let nowhere = "http://127.0.0.1:1";
    for args in [
        &["metrics"][..],
        &["logs", "hello"],
        &["logs", "-f", "hello"],
        &["open"],
    ] {
        let refused = run(directory.path(), nowhere, args).await;
        assert_eq!(refused.status.code(), Some(1), "{args:?}");
        assert!(
            text(&refused.stderr).contains("lambda serve"),
            "{refused:?}"
        );
    }
    assert!(
        !directory.path().join("lambda.db").exists(),
        "reading makes no database"
    );

    let database = format!("sqlite://{}/lambda.db", directory.path().display());
    let platform = Platform::builder()
        .data_dir(directory.path())
        .store(lambda_store::open(&database).await.unwrap())
        .runtime(Arc::new(FakeRuntime::new(RuntimeName::docker())))
        .build()
        .await
        .unwrap();
    let hello = NewFunction::python("hello", "fake:args").unwrap();
    let hello = platform.deploy(hello).await.unwrap();
    let outcome = platform.execute(ExecuteRequest::new(hello.id).args(["kept"]));
    let id = outcome.await.unwrap().request_id.to_string();
    platform.close().await;

    for what in [id.as_str(), "hello", &hello.id.to_string()] {
        let kept = run(directory.path(), nowhere, &["logs", what]).await;
        assert_eq!(text(&kept.stdout), "kept\n", "{kept:?}");
        assert!(text(&kept.stderr).contains("no server answers"), "{kept:?}");
    }
    let figures = run(directory.path(), nowhere, &["metrics", "hello"]).await;
    assert!(text(&figures.stdout).contains("\nhello "), "{figures:?}");
    let follow = run(directory.path(), nowhere, &["logs", "-f", "hello"]).await;
    assert!(text(&follow.stderr).contains("leave -f out"), "{follow:?}");
    // What is kept here says nothing about another machine.
    let elsewhere = run(directory.path(), "http://192.0.2.1:1", &["metrics"]).await;
    assert_eq!(elsewhere.status.code(), Some(1), "{elsewhere:?}");
}

#[tokio::test]
async fn shells_complete_the_command_line() {
    let directory = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = run(
            directory.path(),
            "http://127.0.0.1:1",
            &["completions", shell],
        )
        .await;
        assert!(script.status.success(), "{script:?}");
        assert!(text(&script.stdout).contains("token-file"), "{shell}");
    }
}
