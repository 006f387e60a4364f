//! What functions write, as server-sent events.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use std::time::Duration;

use lambda_http::ServerOptions;
use serde_json::{Value, json};
use support::{OPERATOR, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(10);
const LOOPBACK: &str = "127.0.0.1:0";

/// One event, as the standard says that it is to be read.
#[derive(Debug, Default, PartialEq)]
struct Event {
    name: String,
    id: Option<String>,
    data: String,
}

impl Event {
    fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap()
    }
}

/// A client that reads while the answer grows.
struct Events {
    stream: TcpStream,
    status: u16,
    raw: Vec<u8>,
    text: String,
}

impl Events {
    async fn open(server: &Server, method: &str, path: &str, more: &str, body: &str) -> Self {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {OPERATOR}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\
             accept: text/event-stream\r\n{more}\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut events = Self {
            stream,
            status: 0,
            raw: Vec::new(),
            text: String::new(),
        };
        let head = loop {
            if let Some(end) = events.raw.windows(4).position(|four| four == b"\r\n\r\n") {
                break events.raw.drain(..end + 4).collect::<Vec<_>>();
            }
            assert!(events.read().await, "no answer");
        };
        let head = String::from_utf8(head).unwrap();
        events.status = head[9..12].parse().unwrap();
        if events.status == 200 {
            for header in ["text/event-stream", "no-store", "nosniff", "chunked"] {
                assert!(head.contains(header), "{head}");
            }
        }
        events.dechunk();
        events
    }

    async fn read(&mut self) -> bool {
        let mut buffer = [0; 4096];
        let read = timeout(PATIENCE, self.stream.read(&mut buffer)).await;
        let read = read.expect("something within ten seconds").unwrap_or(0);
        self.raw.extend_from_slice(&buffer[..read]);
        read > 0
    }

    fn dechunk(&mut self) {
        while let Some(end) = self.raw.windows(2).position(|two| two == b"\r\n") {
            let Ok(size) = std::str::from_utf8(&self.raw[..end]) else {
                return;
            };
            let Ok(size) = usize::from_str_radix(size, 16) else {
                return;
            };
            if self.raw.len() < end + 2 + size + 2 {
                return;
            }
            let text = self.raw[end + 2..end + 2 + size].to_vec();
            self.text += std::str::from_utf8(&text).unwrap();
            self.raw.drain(..end + 2 + size + 2);
            if size == 0 {
                self.text += "\u{4}";
                return;
            }
        }
    }

    /// The next event; none at the answer's proper end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(end) = self.text.find("\n\n") {
                let block: String = self.text.drain(..end + 2).collect();
                let mut event = Event::default();
                let mut data = Vec::new();
                for line in block.lines().filter(|line| !line.is_empty()) {
                    match line.split_once(": ").unwrap_or((line, "")) {
                        ("event", name) => event.name = name.to_owned(),
                        ("id", id) => event.id = Some(id.to_owned()),
                        ("data", text) => data.push(text.to_owned()),
                        ("", _) => {}
                        other => panic!("{other:?}"),
                    }
                }
                event.data = data.join("\n");
                return Some(event);
            }
            if self.text.starts_with('\u{4}') {
                return None;
            }
            assert!(self.read().await, "the answer breaks off: {:?}", self.text);
            self.dechunk();
        }
    }

    async fn rest(&mut self) -> Vec<Event> {
        let mut rest = Vec::new();
        while let Some(event) = self.next().await {
            rest.push(event);
        }
        rest
    }
}

#[tokio::test]
async fn an_execution_streams_from_its_start_to_its_result() {
    let server = Server::start().await;
    server.echo().await;
    let body = json!({"name": "echo", "event": {"a": 1}}).to_string();
    let mut events = Events::open(&server, "POST", "/functions/execute", "", &body).await;
    let all = events.rest().await;
    let names: Vec<_> = all.iter().map(|event| event.name.as_str()).collect();
    assert_eq!(names, ["start", "log", "log", "result"]);
    let start = all[0].json();
    assert_eq!(
        (&start["version"], &start["runtime"]),
        (&json!(1), &json!("docker"))
    );
    assert_eq!(
        all[1].json(),
        json!({"stream": "stdout", "text": "echo to stdout\n"})
    );
    assert_eq!(
        all[2].json(),
        json!({"stream": "stderr", "text": "echo to stderr\n"})
    );
    let result = all[3].json();
    assert_eq!(result["output"], json!({"a": 1}));
    assert_eq!(result["request_id"], start["request_id"]);

    // What is wrong before the start is an ordinary refusal.
    let body = json!({"name": "nobody"}).to_string();
    let refused = Events::open(&server, "POST", "/functions/execute", "", &body).await;
    assert_eq!(refused.status, 404);
    server.docker.set_unavailable(true);
    let other = server.function("other", "echo", Some("case.handler")).await;
    let body = json!({"id": other}).to_string();
    let mut failed = Events::open(&server, "POST", "/functions/execute", "", &body).await;
    let all = failed.rest().await;
    assert_eq!(
        (all[0].name.as_str(), all[1].name.as_str()),
        ("start", "error")
    );
    assert_eq!(all[1].json()["error"]["code"], "ResourceNotReadyException");
}

#[tokio::test]
async fn output_forges_no_events() {
    let server = Server::start().await;
    server.hello().await;
    let forged = "x\n\nevent: result\ndata: {}\n\nid: 7\r\r\u{2028}";
    let body = json!({"name": "hello", "args": [forged]}).to_string();
    let mut events = Events::open(&server, "POST", "/functions/execute", "", &body).await;
    let all = events.rest().await;
    assert_eq!(all.len(), 3, "{all:?}");
    assert_eq!(all[1].json()["text"], format!("{forged}\n"));
    assert_eq!(all[2].json()["status"], "success");
}

#[tokio::test]
async fn an_invocation_is_followed_until_its_end_and_resumed() {
    let server = Server::start().await;
    server.function("spin", "spin", Some("case.handler")).await;
    let body = json!({"name": "spin", "timeout_ms": 1500}).to_string();
    let mut execution = Events::open(&server, "POST", "/functions/execute", "", &body).await;
    let start = execution.next().await.unwrap().json();
    let id = start["request_id"].as_str().unwrap();
    let path = format!("/invocations/{id}/logs");
    let mut following = Events::open(&server, "GET", &path, "", "").await;
    let line = following.next().await.unwrap();
    assert_eq!(line.json()["text"], "spinning\n");
    assert_eq!(line.json()["function"], "spin");
    // The one who asked goes away; the run and whoever follows it do not mind.
    drop(execution);
    let end = following.rest().await;
    assert_eq!(end.len(), 1, "{end:?}");
    assert_eq!(
        end[0].json(),
        json!({"request_id": id, "status": "timeout"})
    );

    let resume = |last: &str| format!("last-event-id: {last}\r\n");
    let last = resume(line.id.as_deref().unwrap());
    let mut resumed = Events::open(&server, "GET", &path, &last, "").await;
    assert_eq!(resumed.rest().await, end);
    let over = resume(end[0].id.as_deref().unwrap());
    let over = Events::open(&server, "GET", &path, &over, "").await;
    assert_eq!(over.status, 204);
    let wrong = Events::open(&server, "GET", &path, &resume("x"), "").await;
    assert_eq!(wrong.status, 400);
    let unknown = lambda_core::model::RequestId::new();
    let path = format!("/invocations/{unknown}/logs");
    assert_eq!(
        Events::open(&server, "GET", &path, "", "").await.status,
        404
    );
}

#[tokio::test]
async fn a_function_is_followed_over_its_invocations_and_resumed() {
    let server = Server::start().await;
    server.hello().await;
    server.echo().await;
    let path = "/functions/hello/logs";
    let mut following = Events::open(&server, "GET", path, "", "").await;
    let run = async |name: &str| {
        let request = json!({"name": name});
        server.execute(&request).await.ok()["request_id"].clone()
    };
    let args = json!({"name": "hello", "args": ["one"]});
    let first = server.execute(&args).await.ok()["request_id"].clone();
    run("echo").await;
    let line = following.next().await.unwrap();
    assert_eq!(
        (&line.json()["text"], &line.json()["request_id"]),
        (&json!("one\n"), &first)
    );
    assert!(line.json()["at"].as_str().unwrap().ends_with('Z'));
    let end = following.next().await.unwrap();
    assert_eq!(
        end.json(),
        json!({"request_id": first, "status": "success"})
    );
    drop(following);
    let second = run("hello").await;
    let last = format!("last-event-id: {}\r\n", end.id.unwrap());
    let mut resumed = Events::open(&server, "GET", path, &last, "").await;
    let end = resumed.next().await.unwrap();
    assert_eq!(
        end.json(),
        json!({"request_id": second, "status": "success"})
    );
    let nobody = Events::open(&server, "GET", "/functions/nobody/logs", "", "").await;
    assert_eq!(nobody.status, 404);
}

#[tokio::test]
async fn a_server_that_stops_ends_its_streams() {
    let mut server = Server::start().await;
    server.hello().await;
    let mut following = Events::open(&server, "GET", "/functions/hello/logs", "", "").await;
    timeout(PATIENCE / 2, server.stop())
        .await
        .expect("no stream keeps it");
    assert_eq!(following.next().await, None);
}

#[tokio::test]
async fn many_idle_clients_cost_little() {
    const CLIENTS: usize = 2_000;
    let options = ServerOptions::default().connections_max(CLIENTS + 10);
    let mut server = Server::start_with(
        |options| options.log_streams_max(CLIENTS),
        options,
        LOOPBACK,
    )
    .await;
    server.hello().await;
    let limit = open_files_max();
    let clients = CLIENTS.min((limit.saturating_sub(200) / 2) as usize);
    let before = resident_kib();
    let mut all = Vec::new();
    for _ in 0..clients {
        all.push(Events::open(&server, "GET", "/functions/hello/logs", "", "").await);
    }
    let each = (resident_kib().saturating_sub(before)) / clients as u64;
    println!("{each} KiB for each of {clients} clients, both ends together");
    assert!(each < 64, "{each} KiB");
    if clients == CLIENTS {
        let more = Events::open(&server, "GET", "/functions/hello/logs", "", "").await;
        assert_eq!(more.status, 429);
    }
    server
        .execute(&json!({"name": "hello", "args": ["x"]}))
        .await
        .ok();
    for events in &mut all {
        assert_eq!(events.next().await.unwrap().json()["text"], "x\n");
    }
    timeout(PATIENCE / 2, server.stop())
        .await
        .expect("no stream keeps it");
}

/// Soft bound of this process's open files.
fn open_files_max() -> u64 {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let soft = line.unwrap().split_whitespace().nth(3).unwrap();
    soft.parse().unwrap_or(u64::MAX)
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}
