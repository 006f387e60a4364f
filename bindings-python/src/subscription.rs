//! Logs that are followed: of one invocation, of one function, of all.

use std::sync::Arc;

use lambda_core::logs::{
    InvocationLogs, LogEnd, LogEvent, LogEventKind, LogItem, Subscription, SubscriptionItem,
};
use lambda_core::output::LogStream;
use pyo3::prelude::*;
use serde_json::{Value, json};
use tokio::sync::{Mutex, watch};

use crate::call::{self, Sink};
use crate::host::Host;
use crate::value;

/// What is followed until it ends, or nobody listens any more.
#[pyclass(frozen, module = "lambdabox._native")]
pub(crate) struct LogSubscription {
    host: Arc<Host>,
    source: Arc<Mutex<Option<Source>>>,
    closed: watch::Sender<bool>,
}

enum Source {
    Invocation(InvocationLogs),
    Functions(Subscription),
}

impl LogSubscription {
    pub(crate) fn of_invocation(host: Arc<Host>, logs: InvocationLogs) -> Self {
        Self::new(host, Source::Invocation(logs))
    }

    pub(crate) fn of_functions(host: Arc<Host>, logs: Subscription) -> Self {
        Self::new(host, Source::Functions(logs))
    }

    fn new(host: Arc<Host>, source: Source) -> Self {
        Self {
            host,
            source: Arc::new(Mutex::new(Some(source))),
            closed: watch::Sender::new(false),
        }
    }
}

#[pymethods]
impl LogSubscription {
    /// The next item as JSON, or none at the end.
    fn next(&self, py: Python<'_>, sink: Sink<'_>, token: u64) -> PyResult<Py<PyAny>> {
        let threads = self.host.threads()?;
        let source = Arc::clone(&self.source);
        let mut closed = self.closed.subscribe();
        let next = async move {
            let mut source = source.lock().await;
            let Some(open) = source.as_mut() else {
                return Ok(None);
            };
            let item = tokio::select! {
                biased;
                // Its other end is dropped with the last reference to this.
                _ = closed.wait_for(|closed| *closed) => None,
                item = open.next() => item,
            };
            if item.is_none() {
                *source = None;
            }
            Ok(item)
        };
        call::run(py, threads, sink, token, next, |py, item| match item {
            Some(item) => value::json_text(py, &item),
            None => Ok(py.None()),
        })
    }

    /// Ends it; who waits for the next item gets none.
    fn close(&self) {
        self.closed.send_replace(true);
        if let Ok(mut source) = self.source.try_lock() {
            *source = None;
        }
    }
}

impl Source {
    async fn next(&mut self) -> Option<Value> {
        Some(match self {
            Self::Invocation(logs) => of_invocation(&logs.next().await?),
            Self::Functions(logs) => match logs.next().await? {
                SubscriptionItem::Event(event) => of_functions(&event),
                SubscriptionItem::Skipped { lines, .. } => skipped(lines),
                _ => json!({"kind": "unknown"}),
            },
        })
    }
}

fn of_invocation(item: &LogItem) -> Value {
    match item {
        LogItem::Output {
            stream,
            text,
            position,
            ..
        } => json!({
            "kind": "output",
            "stream": word(*stream),
            "text": text,
            "position": position.to_string(),
        }),
        LogItem::Skipped { lines, .. } => skipped(*lines),
        LogItem::End(end) => ended(*end),
        _ => json!({"kind": "unknown"}),
    }
}

fn of_functions(event: &LogEvent) -> Value {
    let mut value = match &event.kind {
        LogEventKind::Output { stream, text, .. } => {
            json!({"kind": "output", "stream": word(*stream), "text": text})
        }
        LogEventKind::End(end) => ended(*end),
        _ => json!({"kind": "unknown"}),
    };
    value["id"] = json!(event.id.to_string());
    value["seen_at"] = json!(event.at);
    value["request_id"] = json!(event.request_id);
    value["function_id"] = json!(event.function_id);
    value["function_name"] = json!(event.function_name);
    value
}

fn skipped(lines: Option<u64>) -> Value {
    json!({"kind": "skipped", "lines": lines})
}

fn ended(end: LogEnd) -> Value {
    json!({"kind": "end", "status": end.to_string()})
}

fn word(stream: LogStream) -> &'static str {
    match stream {
        LogStream::Stdout => "stdout",
        LogStream::Stderr => "stderr",
    }
}
