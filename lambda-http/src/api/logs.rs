//! What functions write, as server-sent events.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use lambda_core::logs::{
    InvocationLogs, LogEnd, LogEventKind, LogItem, LogPosition, Subscription, SubscriptionItem,
};
use lambda_core::model::{FunctionName, Outcome, RequestId, RuntimeName};
use lambda_core::output::LogStream;
use lambda_core::{ErrorKind, Invocation};
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use warp::reply::Response;

use super::execute;
use crate::error::ApiError;
use crate::query::Query;
use crate::request::Request;
use crate::sse::{self, Source};
use crate::{api::Api, reply};

/// The id of a stream's last event. A browser comes back with it by itself, and is told by 204
/// that there is no more.
const END_ID: &str = "end";

#[derive(Serialize)]
struct Start<'a> {
    request_id: RequestId,
    version: u32,
    runtime: &'a RuntimeName,
}

#[derive(Serialize)]
struct Piece<'a> {
    stream: LogStream,
    text: &'a str,
}

#[derive(Serialize)]
struct Line<'a> {
    request_id: RequestId,
    function: &'a FunctionName,
    stream: LogStream,
    text: &'a str,
    at: Timestamp,
}

#[derive(Serialize)]
struct Skipped {
    lines: Option<u64>,
}

#[derive(Serialize)]
struct End {
    request_id: RequestId,
    status: String,
}

impl End {
    fn new(request_id: RequestId, end: LogEnd) -> Self {
        Self {
            request_id,
            status: end.to_string(),
        }
    }
}

/// Answers with what an invocation does, from its start to its result. A client that goes away
/// does not stop the run.
pub(super) fn of_execution(invocation: Invocation) -> Response {
    let target = invocation.target();
    let start = Start {
        request_id: invocation.request_id(),
        version: target.version,
        runtime: &target.runtime,
    };
    let source = Execution {
        start: Some(sse::event("start", None, &start)),
        logs: Some(invocation.follow()),
        outcome: Some(Box::pin(invocation.outcome())),
    };
    // It ends by itself, and whoever stops the server waits for what runs.
    sse::answer(source, None)
}

struct Execution {
    start: Option<Bytes>,
    logs: Option<lambda_core::logs::Follower>,
    outcome: Option<BoxFuture<'static, lambda_core::Result<Outcome>>>,
}

impl Source for Execution {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(start) = self.start.take() {
            return Some(start);
        }
        if let Some(logs) = &mut self.logs {
            match logs.next().await {
                Some(LogItem::Output {
                    stream,
                    text,
                    position,
                    ..
                }) => {
                    let piece = Piece {
                        stream,
                        text: &text,
                    };
                    return Some(sse::event("log", Some(&position), &piece));
                }
                Some(LogItem::Skipped { lines, .. }) => return Some(skipped(lines)),
                _ => self.logs = None,
            }
        }
        let outcome = self.outcome.as_mut()?.await;
        self.outcome = None;
        let printed = outcome
            .map_err(ApiError::from)
            .and_then(|outcome| execute::print(&outcome));
        Some(match printed {
            Ok(json) => sse::event_text("result", None, &json),
            Err(error) => sse::event("error", None, &error.envelope()),
        })
    }
}

fn skipped(lines: Option<u64>) -> Bytes {
    sse::event("skipped", None, &Skipped { lines })
}

/// `GET /invocations/{invocation}/logs`
pub(super) async fn of_invocation(request: Request) -> Result<Response, ApiError> {
    let id: RequestId = request.parameter("invocation")?;
    Query::read(&request.query, &[])?;
    let last = last_event_id(&request)?;
    if last == Some(END_ID) {
        return Ok(reply::no_content());
    }
    let position: LogPosition = last.map(str::parse).transpose()?.unwrap_or_default();
    let source = OneInvocation {
        _permit: permit(&request.api)?,
        logs: request.api.platform.follow_invocation(id, position).await?,
        id,
    };
    Ok(sse::answer(source, Some(request.draining)))
}

struct OneInvocation {
    id: RequestId,
    logs: InvocationLogs,
    _permit: OwnedSemaphorePermit,
}

impl Source for OneInvocation {
    async fn next(&mut self) -> Option<Bytes> {
        Some(match self.logs.next().await? {
            LogItem::Output {
                stream,
                text,
                position,
                ..
            } => {
                let line = Line {
                    request_id: self.id,
                    function: &self.logs.function_name,
                    stream,
                    text: &text,
                    at: Timestamp::now(),
                };
                sse::event("log", Some(&position), &line)
            }
            LogItem::Skipped { lines, .. } => skipped(lines),
            LogItem::End(end) => sse::event("end", Some(&END_ID), &End::new(self.id, end)),
            _ => Bytes::new(),
        })
    }
}

/// `GET /functions/{function}/logs`
pub(super) async fn of_function(request: Request) -> Result<Response, ApiError> {
    let function = request.function()?;
    Query::read(&request.query, &[])?;
    let after = last_event_id(&request)?.map(str::parse).transpose()?;
    let platform = &request.api.platform;
    let id = platform.function_get(&function).await?.id;
    let source = OneFunction {
        _permit: permit(&request.api)?,
        subscription: platform.follow_function(id, after),
    };
    Ok(sse::answer(source, Some(request.draining)))
}

struct OneFunction {
    subscription: Subscription,
    _permit: OwnedSemaphorePermit,
}

impl Source for OneFunction {
    async fn next(&mut self) -> Option<Bytes> {
        Some(match self.subscription.next().await? {
            SubscriptionItem::Event(event) => match &event.kind {
                LogEventKind::Output { stream, text, .. } => {
                    let line = Line {
                        request_id: event.request_id,
                        function: &event.function_name,
                        stream: *stream,
                        text,
                        at: event.at,
                    };
                    sse::event("log", Some(&event.id), &line)
                }
                LogEventKind::End(end) => {
                    let end = End::new(event.request_id, *end);
                    sse::event("end", Some(&event.id), &end)
                }
                _ => Bytes::new(),
            },
            SubscriptionItem::Skipped { lines, .. } => skipped(lines),
            _ => Bytes::new(),
        })
    }
}

fn last_event_id(request: &Request) -> Result<Option<&str>, ApiError> {
    let Some(value) = request.headers.get("last-event-id") else {
        return Ok(None);
    };
    let text = value
        .to_str()
        .map_err(|_| ApiError::invalid("The header Last-Event-ID is not the id of an event."))?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn permit(api: &Api) -> Result<OwnedSemaphorePermit, ApiError> {
    std::sync::Arc::clone(&api.streams)
        .try_acquire_owned()
        .map_err(|_| {
            ApiError::new(
                ErrorKind::Throttled,
                "Too many clients follow logs at the moment.",
                "Try again later, or close one of them; the server's operator can allow more.",
            )
        })
}
