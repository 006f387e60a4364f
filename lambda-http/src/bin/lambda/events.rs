//! The commands' reader of server-sent events.

use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::failure::{Failure, Result};

/// A server's largest event is a piece of output, escaped; another server may send anything.
const EVENT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) id: Option<String>,
    pub(crate) data: String,
}

/// A stream of events.
pub(crate) struct Events {
    body: Incoming,
    parser: Parser,
}

impl Events {
    pub(crate) fn new(body: Incoming) -> Self {
        Self {
            body,
            parser: Parser::default(),
        }
    }

    /// The next event; none where the stream ends or breaks.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.parser.next() {
                return Ok(Some(event));
            }
            if self.parser.input.len() > EVENT_BYTES_MAX {
                return Err(Failure::new("The server sends an event without an end.")
                    .hint("Is it a `lambda` server? Check --url."));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.parser.input.extend_from_slice(&data);
                    }
                }
                Some(Err(_)) | None => return Ok(None),
            }
        }
    }
}

#[derive(Default)]
struct Parser {
    input: Vec<u8>,
    read: usize,
}

impl Parser {
    /// The next whole event. Our servers end lines with a line feed alone.
    fn next(&mut self) -> Option<Event> {
        loop {
            let rest = &self.input[self.read..];
            let Some(len) = rest.windows(2).position(|pair| pair == b"\n\n") else {
                self.input.drain(..self.read);
                self.read = 0;
                return None;
            };
            let block = String::from_utf8_lossy(&rest[..len]).into_owned();
            self.read += len + 2;
            let mut event = Event::default();
            let mut data = Vec::new();
            for line in block.split('\n') {
                let (field, value) = line.split_once(':').unwrap_or((line, ""));
                let value = value.strip_prefix(' ').unwrap_or(value);
                match field {
                    "event" => value.clone_into(&mut event.name),
                    "id" => event.id = Some(value.to_owned()),
                    "data" => data.push(value),
                    _ => {}
                }
            }
            if !data.is_empty() {
                event.data = data.join("\n");
                return Some(event);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_any_pieces_and_comments_are_none() {
        let text = b": keep-alive\n\nevent: log\nid: 1.0\ndata: {\"a\":\ndata: 1}\n\nevent: x\n\nevent: end\ndata: \n\n";
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let mut events = Vec::new();
            for piece in text.chunks(size) {
                parser.input.extend_from_slice(piece);
                events.extend(std::iter::from_fn(|| parser.next()));
            }
            assert_eq!(events.len(), 2, "{events:?}");
            assert_eq!(events[0].id.as_deref(), Some("1.0"));
            assert_eq!(
                (events[0].name.as_str(), events[0].data.as_str()),
                ("log", "{\"a\":\n1}")
            );
            assert_eq!(events[1].name, "end");
        }
    }
}
