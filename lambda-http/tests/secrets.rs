//! Secrets show up in no log, metric, record or message: canaries are looked for (threat 42).
//!
//! By itself in a binary, because it has the process's logger.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use std::io;
use std::sync::{Arc, Mutex};

use lambda_http::HttpOptions;
use serde_json::{Value, json};
use support::{OPERATOR, Server};
use tracing_subscriber::fmt::MakeWriter;

/// One for each place that a secret may be in.
const CANARIES: [&str; 4] = [
    "canary-in-the-environment",
    "canary-in-the-code",
    "canary-in-the-event",
    OPERATOR,
];

/// What has been logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn expect_none(what: &str, text: &str) {
    for canary in CANARIES {
        assert!(!text.contains(canary), "{canary:?} is in {what}: {text}");
    }
}

#[tokio::test]
async fn secrets_are_in_no_log_metric_record_or_message() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .init();
    tracing::info!("the log is read");

    let server = Server::start().await;
    let made = server
        .call("POST", "/functions")
        .operator()
        .json(&json!({
            "name": "f",
            "language": "python",
            "handler": "case.handler",
            "code": "fake:raise\n# canary-in-the-code",
            "env": {"KEY": "canary-in-the-environment"},
        }))
        .send()
        .await;
    assert_eq!(made.status, 201, "{:?}", made.body);
    let event = json!({"secret": "canary-in-the-event", "message": "on purpose"});
    for path in ["/functions/f/invoke", "/functions/f/invoke?runtime=gvisor"] {
        let failed = server
            .call("POST", path)
            .operator()
            .json(&event)
            .send()
            .await;
        expect_none("an answer", &String::from_utf8_lossy(&failed.body));
    }
    // Refusals quote what was sent as far as that helps, and never a secret.
    let refused = [
        (
            "/functions",
            json!({"name": "g", "language": "cobol", "env": {"KEY": "canary-in-the-environment"}}),
        ),
        (
            "/functions",
            json!({"name": "f", "language": "python", "code": "canary-in-the-code"}),
        ),
        (
            "/functions/execute",
            json!({"name": "none", "event": "canary-in-the-event"}),
        ),
        (
            "/functions/execute",
            json!({"name": "f", "args": ["canary-in-the-event"]}),
        ),
    ];
    for (path, body) in &refused {
        let answer = server.call("POST", path).operator().json(body).send().await;
        assert!(answer.status.is_client_error(), "{path}: {:?}", answer.body);
        expect_none("a refusal", &String::from_utf8_lossy(&answer.body));
    }
    let wrong = server
        .call("GET", "/metrics")
        .token("a wrong canary-in-the-event")
        .send()
        .await;
    wrong.refused(401, "UnrecognizedClientException");

    let paths = [
        "/metrics",
        "/metrics/summary",
        "/metrics/prometheus",
        "/invocations",
        "/pool",
        "/tokens",
        "/ready",
        "/functions",
        "/openapi.json",
    ];
    for path in paths {
        let answer = server.call("GET", path).operator().send().await;
        assert!(answer.status.is_success(), "{path}: {:?}", answer.body);
        expect_none(path, &String::from_utf8_lossy(&answer.body));
    }
    let records = server.call("GET", "/metrics").operator().send().await.ok();
    let records = records["items"]
        .as_array()
        .or_else(|| records.as_array())
        .unwrap()
        .clone();
    for record in &records {
        let id = record["request_id"].as_str().unwrap();
        let path = format!("/invocations/{id}");
        let record: Value = server.call("GET", &path).operator().send().await.ok();
        expect_none("a record", &record.to_string());
    }
    let found = format!("{:?}", server.platform.check(false).await);
    expect_none("findings", &found);
    let options = HttpOptions::default().operator_token(OPERATOR).unwrap();
    expect_none("Debug of the options", &format!("{options:?}"));
    let function = server
        .platform
        .function_get(&"f".parse().unwrap())
        .await
        .unwrap();
    expect_none(
        "Debug of a function",
        &format!("{function:?} {:?}", function.config),
    );
    let mut new = lambda_core::NewFunction::python("g", "canary-in-the-code").unwrap();
    new.config
        .env
        .insert("KEY".to_owned(), "canary-in-the-environment".to_owned());
    expect_none("Debug of a new function", &format!("{new:?}"));
    let request = lambda_core::ExecuteRequest::new(function.id).event(event.to_string());
    expect_none("Debug of a request", &format!("{request:?}"));

    let text = log.text();
    assert!(text.contains("the log is read"));
    // Below that level libraries print what goes over their connections.
    let ours: Vec<_> = text
        .lines()
        .filter(|line| line.contains("lambda_") || !line.contains("TRACE"))
        .collect();
    expect_none("the log", &ours.join("\n"));
}
