//! Request bodies: JSON only, bounded in size and in time.

use std::pin::Pin;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use hyper::HeaderMap;
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use lambda_core::ErrorKind;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::error::Category;

use crate::error::ApiError;

pub(crate) type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, warp::Error>> + Send>>;

/// Longest message of the JSON parser that is passed on: it quotes what was sent.
const PARSER_MESSAGE_CHARS_MAX: usize = 300;

/// Larger bodies are read by a thread that may block, not by one that serves others.
const INLINE_PARSE_BYTES_MAX: usize = 512 * 1024;

pub(crate) fn boxed<S, B>(stream: S) -> BodyStream
where
    S: Stream<Item = Result<B, warp::Error>> + Send + 'static,
    B: Buf,
{
    Box::pin(stream.map(|chunk| chunk.map(|mut buf| buf.copy_to_bytes(buf.remaining()))))
}

/// Reads a body of at most `limit_bytes` that says that it is JSON.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: BodyStream,
    limit_bytes: usize,
    timeout: Duration,
) -> Result<Bytes, ApiError> {
    check_media_type(headers)?;
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<u64>().ok());
    let bounds = Bounds {
        keep: limit_bytes,
        // Most clients read an answer only once they have sent everything: those that are a
        // little over the limit are heard out, the others are cut off.
        discard: limit_bytes.saturating_mul(2),
    };
    if announced.is_some_and(|bytes| bytes > bounds.discard as u64) {
        return Err(too_large(limit_bytes));
    }
    tokio::time::timeout(timeout, collect(body, bounds))
        .await
        .map_err(|_| ApiError::body_timeout())?
}

/// Like [`read`], where there need not be a body: without one, what it would be is not declared.
pub(crate) async fn read_optional(
    headers: &HeaderMap,
    mut body: BodyStream,
    limit_bytes: usize,
    timeout: Duration,
) -> Result<Bytes, ApiError> {
    if headers.contains_key(CONTENT_TYPE) || headers.contains_key(CONTENT_ENCODING) {
        return read(headers, body, limit_bytes, timeout).await;
    }
    let first = tokio::time::timeout(timeout, next(&mut body))
        .await
        .map_err(|_| ApiError::body_timeout())??;
    match first {
        None => Ok(Bytes::new()),
        Some(chunk) if chunk.is_empty() => Ok(chunk),
        Some(_) => Err(undeclared()),
    }
}

struct Bounds {
    keep: usize,
    discard: usize,
}

async fn collect(mut body: BodyStream, bounds: Bounds) -> Result<Bytes, ApiError> {
    let Some(first) = next(&mut body).await? else {
        return Ok(Bytes::new());
    };
    // The usual case: everything came in one piece, which is used as it is.
    let Some(second) = next(&mut body).await? else {
        return within(first, bounds.keep);
    };
    let mut total = first.len();
    let mut kept = BytesMut::from(first);
    let mut chunk = Some(second);
    while let Some(bytes) = chunk {
        total = total.saturating_add(bytes.len());
        if total > bounds.discard {
            return Err(too_large(bounds.keep));
        }
        if total <= bounds.keep {
            kept.extend_from_slice(&bytes);
        } else {
            kept = BytesMut::new();
        }
        chunk = next(&mut body).await?;
    }
    if total > bounds.keep {
        return Err(too_large(bounds.keep));
    }
    Ok(kept.freeze())
}

async fn next(body: &mut BodyStream) -> Result<Option<Bytes>, ApiError> {
    body.next().await.transpose().map_err(|_| {
        ApiError::new(
            ErrorKind::InvalidRequestContent,
            "The body of the request ended early or is not well-formed HTTP.",
            "Send the request again.",
        )
    })
}

fn within(bytes: Bytes, limit_bytes: usize) -> Result<Bytes, ApiError> {
    if bytes.len() > limit_bytes {
        return Err(too_large(limit_bytes));
    }
    Ok(bytes)
}

fn too_large(limit_bytes: usize) -> ApiError {
    ApiError::new(
        ErrorKind::PayloadTooLarge,
        format!("The body of the request has more than {limit_bytes} bytes."),
        "Events have at most 6 MB, inline code 4 MB and zip archives 50 MB.",
    )
}

fn check_media_type(headers: &HeaderMap) -> Result<(), ApiError> {
    let is_json = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"));
    if is_json && !headers.contains_key(CONTENT_ENCODING) {
        return Ok(());
    }
    Err(undeclared())
}

pub(crate) fn undeclared() -> ApiError {
    ApiError::new(
        ErrorKind::UnsupportedMediaType,
        "The body of the request is not declared as plain JSON.",
        "Send JSON with `Content-Type: application/json` and without a Content-Encoding.",
    )
}

/// Reads one JSON object. Its strings may borrow from `body`.
pub(crate) fn parse<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    let content = |message: String| {
        Err(ApiError::new(
            ErrorKind::InvalidRequestContent,
            message,
            "Send one JSON object, encoded as UTF-8.",
        ))
    };
    let Ok(text) = std::str::from_utf8(body) else {
        return content("The body of the request is not UTF-8.".to_owned());
    };
    // serde would take an array for an object, field by field.
    if !text
        .trim_start_matches([' ', '\t', '\r', '\n'])
        .starts_with('{')
    {
        return content("The body of the request is not a JSON object.".to_owned());
    }
    serde_json::from_str(text).or_else(|error| {
        let mut message: String = error.to_string();
        if message.chars().count() > PARSER_MESSAGE_CHARS_MAX {
            message = message.chars().take(PARSER_MESSAGE_CHARS_MAX).collect();
            message.push('…');
        }
        match error.classify() {
            Category::Data => Err(ApiError::invalid(format!(
                "The request is not valid: {message}."
            ))),
            _ => content(format!("The body of the request is not JSON: {message}.")),
        }
    })
}

/// Like [`parse`], for bodies that may be large, with what `finish` makes of them.
pub(crate) async fn parse_owned<T, U>(
    body: Bytes,
    finish: fn(T) -> Result<U, ApiError>,
) -> Result<U, ApiError>
where
    T: DeserializeOwned + 'static,
    U: Send + 'static,
{
    if body.len() <= INLINE_PARSE_BYTES_MAX {
        return finish(parse(&body)?);
    }
    let parsed = tokio::task::spawn_blocking(move || finish(parse::<T>(&body)?));
    parsed.await.unwrap_or_else(|_| {
        Err(ApiError::new(
            ErrorKind::Internal,
            "The body of the request could not be read.",
            "Try again; if it persists, the server's log says more.",
        ))
    })
}

/// For a field where `null` is a value, not an absence.
pub(crate) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;

    async fn collected(chunks: &[&'static [u8]], limit: usize) -> Result<Bytes, ApiError> {
        let chunks: Vec<_> = chunks.iter().map(|c| Ok(Bytes::from_static(c))).collect();
        let mut headers = HeaderMap::new();
        headers.insert(
            CONTENT_TYPE,
            "application/json; charset=utf-8".parse().unwrap(),
        );
        read(
            &headers,
            Box::pin(stream::iter(chunks)),
            limit,
            Duration::from_secs(1),
        )
        .await
    }

    #[tokio::test]
    async fn a_body_is_bounded_however_it_is_cut() {
        let cuts: [&[&[u8]]; 3] = [
            &[b"12345678"],
            &[b"1234", b"5678"],
            &[b"1", b"234567", b"8"],
        ];
        for chunks in cuts {
            assert_eq!(collected(chunks, 8).await.unwrap(), "12345678");
            assert!(collected(chunks, 7).await.is_err());
            assert!(collected(chunks, 3).await.is_err());
        }
        assert_eq!(collected(&[], 8).await.unwrap(), "");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_times_out() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, "application/json".parse().unwrap());
        let body = Box::pin(stream::pending());
        assert!(
            read(&headers, body, 8, Duration::from_secs(1))
                .await
                .is_err()
        );
    }

    #[test]
    fn only_one_object_of_utf8_json_is_read() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct One {
            a: u8,
        }
        assert_eq!(parse::<One>(b" {\"a\": 1} ").unwrap().a, 1);
        for bad in [
            &b"[1]"[..],
            b"",
            b"{",
            b"{\"a\":1}x",
            b"{\"a\":1,\"a\":1}",
            b"{\"a\":1,\"b\":1}",
            b"\"a\"",
            b"{\"a\":\"\xff\"}",
        ] {
            assert!(parse::<One>(bad).is_err(), "{bad:?}");
        }
    }
}
