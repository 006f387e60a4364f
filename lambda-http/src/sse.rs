//! Server-sent events: how they are written, kept alive and ended.

use std::fmt::Display;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, stream};
use hyper::HeaderMap;
use hyper::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use serde::Serialize;
use warp::Reply as _;
use warp::reply::Response;

use crate::reply;
use crate::request::Draining;

/// Proxies and browsers give an idle connection up after a minute or less.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// nginx would hold events back otherwise.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Where events come from.
pub(crate) trait Source: Send + 'static {
    /// The next event, printed; none at the end. Dropping the future loses nothing.
    fn next(&mut self) -> impl Future<Output = Option<Bytes>> + Send;
}

/// Whether a client asks for events.
pub(crate) fn is_wanted(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(ACCEPT).into_iter();
    accepted
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|essence| essence.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// One event whose data is JSON.
pub(crate) fn event<T: Serialize>(name: &str, id: Option<&dyn Display>, data: &T) -> Bytes {
    match serde_json::to_vec(data) {
        Ok(json) => event_text(name, id, &json),
        Err(error) => {
            tracing::error!(%error, "an event could not be printed");
            Bytes::new()
        }
    }
}

/// One event whose data is JSON that is text already. A function's result may have line breaks
/// between its tokens: each begins another `data` line, so that none begins a field.
pub(crate) fn event_text(name: &str, id: Option<&dyn Display>, json: &[u8]) -> Bytes {
    let mut printed = Vec::with_capacity(json.len() + 64);
    printed.extend_from_slice(format!("event: {name}\n").as_bytes());
    if let Some(id) = id {
        printed.extend_from_slice(format!("id: {id}\n").as_bytes());
    }
    for line in json.split(|byte| matches!(byte, b'\n' | b'\r')) {
        printed.extend_from_slice(b"data: ");
        printed.extend_from_slice(line);
        printed.push(b'\n');
    }
    printed.push(b'\n');
    printed.into()
}

/// Answers with the events of `source` until it ends or, where it is given, `draining` begins.
pub(crate) fn answer<S: Source>(source: S, draining: Option<Draining>) -> Response {
    let events = stream::unfold((source, draining), |(mut source, draining)| async move {
        let drained = async {
            match &draining {
                Some(draining) => draining.0.cancelled().await,
                None => std::future::pending().await,
            }
        };
        let event = tokio::select! {
            biased;
            event = source.next() => event?,
            () = drained => return None,
            () = tokio::time::sleep(KEEP_ALIVE) => Bytes::from_static(b": keep-alive\n\n"),
        };
        Some((Ok::<_, std::convert::Infallible>(event), (source, draining)))
    });
    let mut response = warp::reply::stream(Exclusive(Mutex::new(Box::pin(events)))).into_response();
    reply::guard(response.headers_mut());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// A stream that may be shared between threads, because a shared one can do nothing: what warp
/// asks for. It is never locked.
struct Exclusive<S>(Mutex<Pin<Box<S>>>);

impl<S: Stream> Stream for Exclusive<S> {
    type Item = S::Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        let stream = self.get_mut().0.get_mut();
        let stream = stream.unwrap_or_else(PoisonError::into_inner);
        stream.as_mut().poll_next(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_data_begins_another_field() {
        let hostile = b"{\"a\":\r\nevent: result\rdata: 1\n\n1}";
        let printed = event_text("log", Some(&"1.2"), hostile);
        let expected = "event: log\nid: 1.2\ndata: {\"a\":\ndata: \ndata: event: result\n\
                        data: data: 1\ndata: \ndata: 1}\n\n";
        assert_eq!(printed, expected);
        let printed = event("log", None, &"a\r\n\nb");
        assert_eq!(printed, "event: log\ndata: \"a\\r\\n\\nb\"\n\n");
    }

    #[test]
    fn events_are_sent_only_where_they_are_asked_for() {
        let wanted = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            is_wanted(&headers)
        };
        assert!(wanted("text/event-stream"));
        assert!(wanted("application/json, Text/Event-Stream;q=0.9"));
        assert!(!wanted("*/*"));
        assert!(!wanted("application/json"));
        assert!(!is_wanted(&HeaderMap::new()));
    }
}
