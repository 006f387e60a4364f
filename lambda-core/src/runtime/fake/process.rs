//! What runs inside a fake sandbox: a client of the protocol that acts cases out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::watch;

use crate::output::{LogStream, OutputCapture};
use crate::runtime::SandboxEnd;

/// Where the process's output goes at the moment.
pub(super) type Output = Arc<Mutex<Option<OutputCapture>>>;

/// Runs until it ends by itself, breaks off or is aborted; `ended` then says how.
pub(super) async fn run(
    stream: DuplexStream,
    output: Output,
    memory_mib: u32,
    ended: watch::Sender<Option<SandboxEnd>>,
) {
    let mut process = Process {
        client: Client {
            stream,
            input: BytesMut::new(),
        },
        output,
        memory_mib,
    };
    let end = process.serve().await.unwrap_or(SandboxEnd::Unknown);
    // Before the connection closes: whoever sees it closed asks why.
    ended.send_replace(Some(end));
    drop(process);
}

struct Process {
    client: Client,
    output: Output,
    memory_mib: u32,
}

/// How a case ends.
enum Act {
    Response(Value),
    Raw(String),
    Error(&'static str, String),
    End(SandboxEnd),
}

impl Process {
    /// None: the host has gone.
    async fn serve(&mut self) -> Option<SandboxEnd> {
        let init = self.client.request("GET /lambda/v1/init", "").await?;
        let config_len: usize = init
            .headers
            .get("lambda-init-config-length")?
            .parse()
            .ok()?;
        let config: Value = serde_json::from_slice(init.body.get(..config_len)?).ok()?;
        let code = String::from_utf8_lossy(init.body.get(config_len..)?).into_owned();
        let is_script = config["handler"].is_null();
        let case = code
            .lines()
            .next()
            .and_then(|line| line.trim().strip_prefix("fake:"))
            .unwrap_or_default()
            .to_owned();
        if case == "missing-module" {
            let report = json!({
                "errorType": "Runtime.ImportModuleError",
                "errorMessage": "Unable to import module 'case': No module named 'missing'",
                "stackTrace": [],
            });
            self.client
                .request("POST /2018-06-01/runtime/init/error", &report.to_string())
                .await?;
            return Some(SandboxEnd::Exited(1));
        }
        let mut answer = String::new();
        loop {
            let event = self.client.next(&answer).await?;
            let id = event.headers.get("lambda-runtime-aws-request-id")?.clone();
            let payload: Value = serde_json::from_slice(&event.body).ok()?;
            let traceparent = event.headers.get("lambda-runtime-traceparent");
            let traceparent = traceparent.map(String::as_str);
            let act = if is_script {
                self.script(&case, &payload, traceparent).await
            } else {
                self.handler(&case, payload, traceparent).await
            };
            answer = match act {
                Act::Response(value) => post(&id, "response", &value.to_string()),
                Act::Raw(body) => post(&id, "response", &body),
                Act::Error(kind, message) => {
                    let report = json!({
                        "errorType": kind,
                        "errorMessage": message,
                        "stackTrace": ["  File \"case.py\", line 1, in handler\n"],
                    });
                    post(&id, "error", &report.to_string())
                }
                Act::End(end) => return Some(end),
            };
        }
    }

    async fn handler(&self, case: &str, event: Value, traceparent: Option<&str>) -> Act {
        match case {
            "traceparent" => Act::Response(json!(traceparent)),
            "echo" => {
                self.write(LogStream::Stdout, b"echo to stdout\n");
                self.write(LogStream::Stderr, b"echo to stderr\n");
                Act::Response(event)
            }
            "unicode" => {
                let text = event["text"].as_str().unwrap_or_default();
                self.write(LogStream::Stdout, format!("{text}\n").as_bytes());
                let around = format!("\u{e9}\u{20ac}\u{1f600}{text}\u{1f600}\u{20ac}\u{e9}");
                Act::Response(json!({ "text": around }))
            }
            "large" => {
                let size = event["size"]
                    .as_u64()
                    .and_then(|size| usize::try_from(size).ok());
                Act::Raw(format!("\"{}\"", "x".repeat(size.unwrap_or_default())))
            }
            "raise" => {
                let message = event["message"].as_str().unwrap_or_default();
                Act::Error("CaseError", message.to_owned())
            }
            "exit" => {
                let code = event["code"]
                    .as_i64()
                    .and_then(|code| i32::try_from(code).ok());
                Act::End(SandboxEnd::Exited(code.unwrap_or_default()))
            }
            "sleep" => {
                let ms = event["ms"].as_u64().unwrap_or_default();
                tokio::time::sleep(Duration::from_millis(ms)).await;
                Act::Response(json!({ "ms": ms }))
            }
            "spin" => self.spin().await,
            "alloc" => self.alloc(&event["mib"]),
            "flood" => {
                self.flood(event["mib"].as_u64().unwrap_or_default());
                Act::Response(Value::Null)
            }
            _ => Act::Error(
                "Runtime.HandlerNotFound",
                "the fake runtime knows no such case".to_owned(),
            ),
        }
    }

    async fn script(&self, case: &str, args: &Value, traceparent: Option<&str>) -> Act {
        let exit = |code: i64| Act::Response(json!({ "exit_code": code }));
        let first = args[0].as_str().unwrap_or_default();
        match case {
            "args" => {
                for arg in args.as_array().into_iter().flatten() {
                    let line = format!("{}\n", arg.as_str().unwrap_or_default());
                    self.write(LogStream::Stdout, line.as_bytes());
                }
                exit(0)
            }
            "traceparent" => {
                self.write(LogStream::Stdout, traceparent.unwrap_or("none").as_bytes());
                exit(0)
            }
            "exit" => exit(first.parse().unwrap_or_default()),
            "raise" => {
                self.write(
                    LogStream::Stderr,
                    format!("CaseError: {first}\n").as_bytes(),
                );
                exit(1)
            }
            "signal" => {
                Act::Response(json!({ "signal": first.parse::<i32>().unwrap_or_default() }))
            }
            "spin" => self.spin().await,
            "alloc" => self.alloc(&json!(first.parse::<u64>().unwrap_or_default())),
            "flood" => {
                self.flood(first.parse().unwrap_or_default());
                exit(0)
            }
            _ => exit(127),
        }
    }

    async fn spin(&self) -> Act {
        self.write(LogStream::Stdout, b"spinning\n");
        std::future::pending().await
    }

    fn alloc(&self, mib: &Value) -> Act {
        if mib.as_u64().unwrap_or_default() >= u64::from(self.memory_mib) {
            return Act::End(SandboxEnd::OutOfMemory);
        }
        Act::Response(Value::Null)
    }

    fn flood(&self, mib: u64) {
        let line = [b"x".repeat(1023), b"\n".to_vec()].concat();
        for _ in 0..mib * 1024 {
            self.write(LogStream::Stdout, &line);
        }
    }

    fn write(&self, stream: LogStream, bytes: &[u8]) {
        let output = self.output.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(output) = &*output {
            output.push(stream, bytes);
        }
    }
}

fn post(id: &str, end: &str, body: &str) -> String {
    let path = format!("POST /2018-06-01/runtime/invocation/{id}/{end}");
    head(&path, body)
}

fn head(line: &str, body: &str) -> String {
    format!(
        "{line} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

struct Client {
    stream: DuplexStream,
    input: BytesMut,
}

struct Answer {
    headers: HashMap<String, String>,
    body: BytesMut,
}

impl Client {
    async fn request(&mut self, line: &str, body: &str) -> Option<Answer> {
        self.stream
            .write_all(head(line, body).as_bytes())
            .await
            .ok()?;
        self.read().await
    }

    /// Sends the answer to the last event and asks for the next one, in one write.
    async fn next(&mut self, answer: &str) -> Option<Answer> {
        let both = format!(
            "{answer}{}",
            head("GET /2018-06-01/runtime/invocation/next", "")
        );
        self.stream.write_all(both.as_bytes()).await.ok()?;
        if !answer.is_empty() {
            self.read().await?;
        }
        self.read().await
    }

    async fn read(&mut self) -> Option<Answer> {
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 16];
            let mut head = httparse::Response::new(&mut headers);
            if let Ok(httparse::Status::Complete(len)) = head.parse(&self.input) {
                let headers: HashMap<_, _> = head
                    .headers
                    .iter()
                    .map(|header| {
                        let value = String::from_utf8_lossy(header.value).into_owned();
                        (header.name.to_ascii_lowercase(), value)
                    })
                    .collect();
                let body: usize = headers.get("content-length")?.parse().ok()?;
                if self.input.len() >= len + body {
                    let _ = self.input.split_to(len);
                    let body = self.input.split_to(body);
                    return Some(Answer { headers, body });
                }
            }
            if self.stream.read_buf(&mut self.input).await.ok()? == 0 {
                return None;
            }
        }
    }
}
