//! Secrets show up in no log, metric, record or message: canaries are looked for (threat 42).
//!
//! In a binary of its own, because the first of these has the process's logger.

#![allow(clippy::unwrap_used)] // A test fails by panicking.

mod support;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::{Arc, Mutex};

use lambda_core::Platform;
use lambda_core::model::RuntimeName;
use lambda_core::runtime::fake::FakeRuntime;
use lambda_http::HttpOptions;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
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
        let said = String::from_utf8_lossy(&failed.body);
        assert!(said.contains("on purpose"), "it ran: {said}");
        expect_none("an answer", &said);
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

/// Of all that is on the disk, only the function's own rows and its code's hold what the function
/// was given; no record does, and nothing holds an event or a token.
#[tokio::test]
async fn secrets_are_in_no_journal_and_in_no_table_of_records() {
    let root = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}/lambda.db", root.path().display());
    let platform = Platform::builder()
        .data_dir(root.path().join("data"))
        .store(lambda_store::open(&url).await.unwrap())
        .runtime(Arc::new(FakeRuntime::new(RuntimeName::docker())))
        .build()
        .await
        .unwrap();
    let code = "fake:raise\n# canary-in-the-code";
    let mut new = lambda_core::NewFunction::python("f", code).unwrap();
    let (key, value) = ("KEY".to_owned(), "canary-in-the-environment".to_owned());
    new.config.env.insert(key, value);
    let function = platform.deploy(new.handler("case.handler")).await.unwrap();
    let scopes = vec![lambda_core::model::Scope::Invoke];
    let (_, secret) = platform.token_create("t", scopes).await.unwrap();
    let event = json!({"secret": "canary-in-the-event", "message": "on purpose"}).to_string();
    for _ in 0..10 {
        let request = lambda_core::ExecuteRequest::new(function.id).event(event.clone());
        let outcome = platform.execute(request).await.unwrap();
        assert_eq!(outcome.error.unwrap().message, "on purpose");
    }
    let secrets = [&CANARIES[..3], &[&*secret]].concat();
    // What the journal has of these calls, before it is moved into the store.
    let journal = files(&root.path().join("data"));
    assert!(journal.iter().any(|(_, bytes)| holds(bytes, "on purpose")));
    for (path, bytes) in journal {
        for secret in &secrets {
            assert!(!holds(&bytes, secret), "{secret:?} is in {path:?}");
        }
    }
    platform.close().await;

    let mut database = sqlx::sqlite::SqliteConnectOptions::from_str(&url)
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut found = BTreeSet::new();
    let tables = "SELECT name FROM sqlite_master WHERE type = 'table'";
    let tables: Vec<String> = sqlx::query_scalar(tables)
        .fetch_all(&mut database)
        .await
        .unwrap();
    for table in tables {
        let columns = format!("SELECT name FROM pragma_table_info('{table}')");
        let columns: Vec<String> = sqlx::query_scalar(AssertSqlSafe(columns))
            .fetch_all(&mut database)
            .await
            .unwrap();
        for column in columns {
            for secret in &secrets {
                let count = format!(
                    "SELECT count(*) FROM \"{table}\" WHERE instr(CAST(\"{column}\" AS BLOB), ?)"
                );
                let count: i64 = sqlx::query_scalar(AssertSqlSafe(count))
                    .bind(secret.as_bytes())
                    .fetch_one(&mut database)
                    .await
                    .unwrap();
                if count > 0 {
                    found.insert((table.clone(), *secret));
                }
            }
        }
    }
    let expected = [
        ("function_version", "canary-in-the-environment"),
        ("upload_chunk", "canary-in-the-code"),
    ];
    let expected = expected.map(|(table, secret)| (table.to_owned(), secret));
    assert_eq!(found, BTreeSet::from(expected));
    let records: i64 = sqlx::query_scalar("SELECT count(*) FROM invocation")
        .fetch_one(&mut database)
        .await
        .unwrap();
    assert_eq!(records, 10);
}

/// All files below a directory, with what is in them.
fn files(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if let Ok(bytes) = std::fs::read(&path) {
            found.push((path, bytes));
        }
    }
    found
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|part| part == text.as_bytes())
}
