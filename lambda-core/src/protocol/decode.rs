//! Reads requests out of bytes from a sandbox. Every byte is hostile: heads, bodies and
//! numbers of headers are bounded before anything is kept.

use bytes::{Buf, Bytes, BytesMut};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::model::limits::RESPONSE_BYTES_MAX;
use crate::model::{FunctionError, RequestId};

const HEAD_BYTES_MAX: usize = 16 * 1024;
const HEADERS_MAX: usize = 64;
/// A chunk's size line: 16 hex digits, a short extension, CRLF.
const CHUNK_LINE_BYTES_MAX: usize = 128;

/// A body up to here is copied out of the buffer that it was read into.
const COPIED_BYTES_MAX: usize = 1024;

const READ_BYTES_MIN: usize = 4 * 1024;
const READ_BYTES_MAX: usize = 64 * 1024;

/// What the sandbox asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    InitNext,
    InitError,
    InvocationNext,
    InvocationResponse(RequestId),
    InvocationError(RequestId),
}

/// One request, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) route: Route,
    /// None: it was longer than a response may be, and has been thrown away.
    pub(crate) body: Option<Bytes>,
}

/// Where the decoder stands in a request.
#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    Length {
        route: Route,
        left: usize,
        body: BytesMut,
    },
    /// A body over the limit: counted, not kept.
    Discard { route: Route, left: u64 },
    Chunks {
        route: Route,
        body: BytesMut,
        too_large: bool,
        step: Chunk,
    },
}

#[derive(Debug, Clone, Copy)]
enum Chunk {
    Size,
    Data { left: u64 },
    DataEnd,
    Trailer,
}

/// An incremental decoder: give it bytes, ask it for requests.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    state: State,
}

impl Decoder {
    /// How much room the next read should have: a large body in pieces of a few KiB would cost
    /// most of its time in system calls.
    pub(crate) fn room_bytes(&self) -> usize {
        let left = match &self.state {
            State::Length { left, .. } => *left as u64,
            State::Discard { left, .. }
            | State::Chunks {
                step: Chunk::Data { left },
                ..
            } => *left,
            State::Head | State::Chunks { .. } => 0,
        };
        usize::try_from(left)
            .unwrap_or(READ_BYTES_MAX)
            .clamp(READ_BYTES_MIN, READ_BYTES_MAX)
    }

    /// The next whole request in `input`, whose bytes are taken from it; none if there is
    /// more to read first.
    pub(crate) fn decode(&mut self, input: &mut BytesMut) -> Result<Option<Request>> {
        loop {
            match std::mem::take(&mut self.state) {
                State::Head => match parse_head(input)? {
                    None => return Ok(None),
                    Some(state) => self.state = state,
                },
                State::Length {
                    route,
                    left,
                    mut body,
                } => {
                    // The common case first: the whole body is there, and is not copied,
                    // unless that costs less than another buffer for what comes next.
                    if body.is_empty() && input.len() >= left {
                        let body = if left <= COPIED_BYTES_MAX {
                            let body = Bytes::copy_from_slice(&input[..left]);
                            input.advance(left);
                            body
                        } else {
                            input.split_to(left).freeze()
                        };
                        let body = Some(body);
                        return Ok(Some(Request { route, body }));
                    }
                    let take = left.min(input.len());
                    body.extend_from_slice(&input.split_to(take));
                    let left = left - take;
                    if left == 0 {
                        let body = Some(body.freeze());
                        return Ok(Some(Request { route, body }));
                    }
                    self.state = State::Length { route, left, body };
                    return Ok(None);
                }
                State::Discard { route, left } => {
                    let here = input.len() as u64;
                    let take = left.min(here);
                    input.advance(usize::try_from(take).unwrap_or(input.len()));
                    if take == left {
                        return Ok(Some(Request { route, body: None }));
                    }
                    self.state = State::Discard {
                        route,
                        left: left - take,
                    };
                    return Ok(None);
                }
                State::Chunks {
                    route,
                    mut body,
                    mut too_large,
                    step,
                } => match read_chunk(step, input, &mut body, &mut too_large)? {
                    ChunkRead::End => {
                        let body = (!too_large).then(|| body.freeze());
                        return Ok(Some(Request { route, body }));
                    }
                    read => {
                        let (step, more) = match read {
                            ChunkRead::Step(step) => (step, true),
                            ChunkRead::Starved(step) => (step, false),
                            ChunkRead::End => unreachable!("matched above"),
                        };
                        self.state = State::Chunks {
                            route,
                            body,
                            too_large,
                            step,
                        };
                        if !more {
                            return Ok(None);
                        }
                    }
                },
            }
        }
    }
}

fn breach(message: &'static str) -> Error {
    Error::internal("protocol_decode", message)
}

fn parse_head(input: &mut BytesMut) -> Result<Option<State>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request
        .parse(&input[..input.len().min(HEAD_BYTES_MAX)])
        .map_err(|error| breach("The sandbox sent a malformed HTTP head.").source(error))?;
    let httparse::Status::Complete(head_bytes) = parsed else {
        if input.len() >= HEAD_BYTES_MAX {
            return Err(breach("The sandbox sent an HTTP head over 16 KiB."));
        }
        return Ok(None);
    };
    let route = parse_route(
        request.method.unwrap_or_default(),
        request.path.unwrap_or_default(),
    )?;
    let state = parse_body_kind(request.headers, route)?;
    input.advance(head_bytes);
    Ok(Some(state))
}

fn parse_body_kind(headers: &[httparse::Header<'_>], route: Route) -> Result<State> {
    let mut length: Option<u64> = None;
    let mut chunked = false;
    for header in headers {
        if header.name.eq_ignore_ascii_case("content-length") {
            let value = std::str::from_utf8(header.value)
                .ok()
                .filter(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| breach("The sandbox sent a malformed Content-Length."))?;
            if length
                .replace(value)
                .is_some_and(|earlier| earlier != value)
            {
                return Err(breach("The sandbox sent two different Content-Lengths."));
            }
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            if !header.value.eq_ignore_ascii_case(b"chunked") {
                return Err(breach("The sandbox sent an unknown Transfer-Encoding."));
            }
            chunked = true;
        }
    }
    if chunked && length.is_some() {
        return Err(breach("The sandbox sent a body with two lengths."));
    }
    if chunked {
        return Ok(State::Chunks {
            route,
            body: BytesMut::new(),
            too_large: false,
            step: Chunk::Size,
        });
    }
    let left = length.unwrap_or(0);
    Ok(match usize::try_from(left) {
        Ok(left) if left <= RESPONSE_BYTES_MAX => State::Length {
            route,
            left,
            body: BytesMut::new(),
        },
        _ => State::Discard { route, left },
    })
}

enum ChunkRead {
    Step(Chunk),
    Starved(Chunk),
    End,
}

fn read_chunk(
    step: Chunk,
    input: &mut BytesMut,
    body: &mut BytesMut,
    too_large: &mut bool,
) -> Result<ChunkRead> {
    Ok(match step {
        Chunk::Size => {
            let seen = &input[..input.len().min(CHUNK_LINE_BYTES_MAX)];
            match httparse::parse_chunk_size(seen)
                .map_err(|_| breach("The sandbox sent a malformed chunk."))?
            {
                httparse::Status::Complete((line, size)) => {
                    input.advance(line);
                    ChunkRead::Step(match size {
                        0 => Chunk::Trailer,
                        left => Chunk::Data { left },
                    })
                }
                httparse::Status::Partial if seen.len() == CHUNK_LINE_BYTES_MAX => {
                    return Err(breach("The sandbox sent an endless chunk size."));
                }
                httparse::Status::Partial => ChunkRead::Starved(Chunk::Size),
            }
        }
        Chunk::Data { left } => {
            let take = input.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let data = input.split_to(take);
            if body.len() + take > RESPONSE_BYTES_MAX {
                *too_large = true;
                body.clear();
            }
            if !*too_large {
                body.extend_from_slice(&data);
            }
            match left - take as u64 {
                0 => ChunkRead::Step(Chunk::DataEnd),
                left => ChunkRead::Starved(Chunk::Data { left }),
            }
        }
        Chunk::DataEnd if input.len() < 2 => ChunkRead::Starved(Chunk::DataEnd),
        Chunk::DataEnd => {
            if input[..2] != *b"\r\n" {
                return Err(breach("The sandbox sent a malformed chunk."));
            }
            input.advance(2);
            ChunkRead::Step(Chunk::Size)
        }
        // Trailers are read and thrown away, line by line, up to the empty one.
        Chunk::Trailer => {
            let seen = &input[..input.len().min(HEAD_BYTES_MAX)];
            match seen.windows(2).position(|pair| pair == b"\r\n") {
                Some(0) => {
                    input.advance(2);
                    ChunkRead::End
                }
                Some(at) => {
                    input.advance(at + 2);
                    ChunkRead::Step(Chunk::Trailer)
                }
                None if seen.len() == HEAD_BYTES_MAX => {
                    return Err(breach("The sandbox sent an endless trailer."));
                }
                None => ChunkRead::Starved(Chunk::Trailer),
            }
        }
    })
}

fn parse_route(method: &str, path: &str) -> Result<Route> {
    const INVOCATION: &str = "/2018-06-01/runtime/invocation/";
    match (method, path) {
        ("GET", "/lambda/v1/init") => return Ok(Route::InitNext),
        ("POST", "/2018-06-01/runtime/init/error") => return Ok(Route::InitError),
        ("GET", "/2018-06-01/runtime/invocation/next") => return Ok(Route::InvocationNext),
        _ => {}
    }
    let parts = path
        .strip_prefix(INVOCATION)
        .filter(|_| method == "POST")
        .and_then(|rest| rest.split_once('/'));
    let unknown = || breach("The sandbox asked for an unknown route.");
    let (id, end) = parts.ok_or_else(unknown)?;
    let id = id.parse().map_err(|_| unknown())?;
    match end {
        "response" => Ok(Route::InvocationResponse(id)),
        "error" => Ok(Route::InvocationError(id)),
        _ => Err(unknown()),
    }
}

/// How a script's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ScriptEnd {
    ExitCode(i32),
    Signal(i32),
}

pub(crate) fn parse_script_end(body: &[u8]) -> Result<ScriptEnd> {
    serde_json::from_slice(body)
        .map_err(|error| breach("The sandbox sent a malformed script report.").source(error))
}

/// A function's error report. What cannot be read is kept as the message: a client that is
/// not ours may send anything.
pub(crate) fn parse_error_report(body: &[u8]) -> FunctionError {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Report {
        #[serde(default)]
        error_message: String,
        error_type: String,
        #[serde(default, alias = "trace")]
        stack_trace: Vec<String>,
    }
    match serde_json::from_slice::<Report>(body) {
        Ok(report) => FunctionError {
            error_type: report.error_type,
            message: report.error_message,
            trace: report.stack_trace,
        },
        Err(_) => FunctionError::new(
            "Runtime.Unknown",
            String::from_utf8_lossy(&body[..body.len().min(4096)]),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode_all(input: &[u8], step: usize) -> Result<Vec<Request>> {
        let mut decoder = Decoder::default();
        let mut buffer = BytesMut::new();
        let mut requests = Vec::new();
        for piece in input.chunks(step) {
            buffer.extend_from_slice(piece);
            while let Some(request) = decoder.decode(&mut buffer)? {
                requests.push(request);
            }
        }
        Ok(requests)
    }

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    #[test]
    fn pipelined_requests_come_out_one_by_one_however_they_are_cut() {
        let input = format!(
            "POST /2018-06-01/runtime/invocation/{ID}/response HTTP/1.1\r\nContent-Length: 4\r\n\r\nnull\
             GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n"
        );
        for step in [1, 2, 7, 1000] {
            let requests = decode_all(input.as_bytes(), step).unwrap();
            assert_eq!(requests.len(), 2, "cut every {step} bytes");
            assert_eq!(requests[0].body.as_deref(), Some(&b"null"[..]));
            assert_eq!(requests[1].route, Route::InvocationNext);
        }
    }

    #[test]
    fn chunked_bodies_are_joined() {
        let input = format!(
            "POST /2018-06-01/runtime/invocation/{ID}/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
             3\r\n[1,\r\n2;x=y\r\n2]\r\n0\r\nTrailer: x\r\n\r\n"
        );
        for step in [1, 3, 1000] {
            let requests = decode_all(input.as_bytes(), step).unwrap();
            assert_eq!(requests[0].body.as_deref(), Some(&b"[1,2]"[..]));
        }
    }

    #[test]
    fn a_body_over_the_limit_is_counted_and_not_kept() {
        let size = RESPONSE_BYTES_MAX + 1;
        let mut input = format!(
            "POST /2018-06-01/runtime/invocation/{ID}/response HTTP/1.1\r\nContent-Length: {size}\r\n\r\n"
        )
        .into_bytes();
        input.resize(input.len() + size, b'x');
        let requests = decode_all(&input, 65_536).unwrap();
        assert_eq!(requests[0].body, None);

        let mut input = format!(
            "POST /2018-06-01/runtime/invocation/{ID}/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{size:x}\r\n"
        )
        .into_bytes();
        input.resize(input.len() + size, b'x');
        input.extend_from_slice(b"\r\n0\r\n\r\n");
        let requests = decode_all(&input, 65_536).unwrap();
        assert_eq!(requests[0].body, None);
    }

    #[test]
    fn hostile_bytes_are_refused() {
        for bad in [
            "GET / HTTP/1.1\r\n\r\n".to_owned(),
            "\0\0\0\0\r\n\r\n".to_owned(),
            format!("GET /2018-06-01/runtime/invocation/{ID}/response HTTP/1.1\r\n\r\n"),
            "POST /2018-06-01/runtime/invocation/x/response HTTP/1.1\r\n\r\n".to_owned(),
            format!(
                "POST /2018-06-01/runtime/invocation/{ID}/response HTTP/1.1\r\nContent-Length: -1\r\n\r\n"
            ),
            format!(
                "POST /2018-06-01/runtime/invocation/{ID}/response HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"
            ),
            format!(
                "POST /2018-06-01/runtime/invocation/{ID}/response HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
            ),
            format!(
                "POST /2018-06-01/runtime/invocation/{ID}/response HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n"
            ),
            format!(
                "POST /2018-06-01/runtime/invocation/{ID}/response HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
            ),
            "x".repeat(HEAD_BYTES_MAX + 1),
        ] {
            assert!(decode_all(bad.as_bytes(), 1000).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn reports_of_strangers_are_kept_as_text() {
        let ours = parse_error_report(br#"{"errorType":"E","errorMessage":"m","trace":["a"]}"#);
        assert_eq!(ours.trace, ["a"]);
        assert_eq!(parse_error_report(b"\xff").message, "\u{fffd}");
    }
}
