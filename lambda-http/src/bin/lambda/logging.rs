//! Log lines on stderr. One event is one line, whatever a function or a client puts into it.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::cli::LogFormat;
use crate::failure::{Failure, Result};

/// Starts logging; what is logged is set by `LAMBDA_LOG`.
pub(crate) fn init(format: LogFormat) -> Result<()> {
    let filter = match std::env::var("LAMBDA_LOG") {
        Ok(text) => EnvFilter::try_new(&text).map_err(|error| {
            Failure::usage(format!("LAMBDA_LOG is not a filter: {error}."))
                .hint("Use a level such as `debug`, or `warn,lambda_core=debug`.")
        })?,
        Err(_) => EnvFilter::new("info"),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // A line with its times for each span that ends; they are of the level debug.
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(Escaping);
    let started = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    started.map_err(|error| Failure::new(format!("Logging could not be started: {error}.")))
}

/// Makes control characters visible: they could forge lines or drive a terminal.
struct Escaping;

impl<'a> MakeWriter<'a> for Escaping {
    type Writer = EscapingWriter<io::Stderr>;

    fn make_writer(&'a self) -> Self::Writer {
        EscapingWriter(io::stderr())
    }
}

struct EscapingWriter<W>(W);

impl<W: Write> Write for EscapingWriter<W> {
    /// `buf` is one event: the subscriber formats it in full before it writes.
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(buf);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let mut escaped = String::with_capacity(line.len() + 1);
        for c in line.chars() {
            if c.is_control() {
                escaped.extend(c.escape_default());
            } else {
                escaped.push(c);
            }
        }
        escaped.push('\n');
        self.0.write_all(escaped.as_bytes())?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        let mut writer = EscapingWriter(Vec::new());
        writer
            .write_all("a\r\nINFO forged\u{1b}[2J\u{9b}2J é\n".as_bytes())
            .unwrap();
        assert_eq!(
            String::from_utf8(writer.0).unwrap(),
            "a\\r\\nINFO forged\\u{1b}[2J\\u{9b}2J é\n"
        );
    }
}
