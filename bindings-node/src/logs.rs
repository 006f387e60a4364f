//! Logs that are followed: of one invocation, of one function, of all.

use lambda_core::logs::{
    InvocationLogs, LogEnd, LogEvent, LogEventKind, LogItem, Subscription, SubscriptionItem,
};
use lambda_core::output::LogStream;
use napi_derive::napi;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// Something that happened. What a kind has not is absent.
#[napi(object, object_from_js = false)]
#[derive(Default)]
pub struct NativeLogEvent {
    /// `output`, `skipped` or `end`.
    pub kind: String,
    pub stream: Option<String>,
    pub text: Option<String>,
    pub lines: Option<f64>,
    pub status: Option<String>,
    pub position: Option<String>,
    pub id: Option<String>,
    /// Milliseconds since 1970.
    pub seen_at: Option<f64>,
    pub request_id: Option<String>,
    pub function_id: Option<String>,
    pub function_name: Option<String>,
}

enum Source {
    Invocation(InvocationLogs),
    Functions(Subscription),
}

/// What is followed until it ends, or nobody listens any more.
#[napi]
pub struct NativeLogs {
    source: Mutex<Option<Source>>,
    closed: CancellationToken,
}

impl From<InvocationLogs> for NativeLogs {
    fn from(logs: InvocationLogs) -> Self {
        Self::new(Source::Invocation(logs))
    }
}

impl From<Subscription> for NativeLogs {
    fn from(logs: Subscription) -> Self {
        Self::new(Source::Functions(logs))
    }
}

impl NativeLogs {
    fn new(source: Source) -> Self {
        Self {
            source: Mutex::new(Some(source)),
            closed: CancellationToken::new(),
        }
    }
}

#[napi]
impl NativeLogs {
    /// The next event; null at the end.
    #[napi]
    pub async fn next(&self) -> Option<NativeLogEvent> {
        let mut source = self.source.lock().await;
        let open = source.as_mut()?;
        let item = tokio::select! {
            biased;
            () = self.closed.cancelled() => None,
            item = open.next() => item,
        };
        if item.is_none() {
            *source = None;
        }
        item
    }

    /// Ends it; who waits for the next event gets null.
    #[napi]
    pub fn close(&self) {
        self.closed.cancel();
        if let Ok(mut source) = self.source.try_lock() {
            *source = None;
        }
    }
}

impl Source {
    async fn next(&mut self) -> Option<NativeLogEvent> {
        Some(match self {
            Self::Invocation(logs) => of_invocation(logs.next().await?),
            Self::Functions(logs) => match logs.next().await? {
                SubscriptionItem::Event(event) => of_functions(&event),
                SubscriptionItem::Skipped { lines, .. } => skipped(lines),
                _ => kind("unknown"),
            },
        })
    }
}

fn of_invocation(item: LogItem) -> NativeLogEvent {
    match item {
        LogItem::Output {
            stream,
            text,
            position,
            ..
        } => NativeLogEvent {
            position: Some(position.to_string()),
            ..output(stream, text)
        },
        LogItem::Skipped { lines, .. } => skipped(lines),
        LogItem::End(end) => ended(end),
        _ => kind("unknown"),
    }
}

#[allow(clippy::cast_precision_loss)] // Exact for a long time.
fn of_functions(event: &LogEvent) -> NativeLogEvent {
    let happened = match &event.kind {
        LogEventKind::Output { stream, text, .. } => output(*stream, text.clone()),
        LogEventKind::End(end) => ended(*end),
        _ => kind("unknown"),
    };
    NativeLogEvent {
        id: Some(event.id.to_string()),
        seen_at: Some(event.at.as_millisecond() as f64),
        request_id: Some(event.request_id.to_string()),
        function_id: Some(event.function_id.to_string()),
        function_name: Some(event.function_name.to_string()),
        ..happened
    }
}

fn kind(word: &str) -> NativeLogEvent {
    NativeLogEvent {
        kind: word.to_owned(),
        ..NativeLogEvent::default()
    }
}

fn output(stream: LogStream, text: String) -> NativeLogEvent {
    let word = match stream {
        LogStream::Stdout => "stdout",
        LogStream::Stderr => "stderr",
    };
    NativeLogEvent {
        stream: Some(word.to_owned()),
        text: Some(text),
        ..kind("output")
    }
}

#[allow(clippy::cast_precision_loss)] // Exact up to 2^53 lines.
fn skipped(lines: Option<u64>) -> NativeLogEvent {
    NativeLogEvent {
        lines: lines.map(|lines| lines as f64),
        ..kind("skipped")
    }
}

fn ended(end: LogEnd) -> NativeLogEvent {
    NativeLogEvent {
        status: Some(end.to_string()),
        ..kind("end")
    }
}
