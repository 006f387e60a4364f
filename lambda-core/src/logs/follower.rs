//! Reads one invocation's output as text while it grows.

use std::sync::Arc;

use super::utf8;
use super::{LogEnd, LogItem, LogPosition};
use crate::model::{FunctionName, InvocationEntry};
use crate::output::{LogStream, OutputCapture, Shared, State, lines, lock};

/// The largest piece of text.
const PIECE_BYTES_MAX: usize = 64 * 1024;

/// Reads an invocation's output; see [`Invocation::follow`](crate::Invocation::follow). The
/// last item is [`LogItem::End`].
#[derive(Debug)]
pub struct Follower {
    shared: Arc<Shared>,
    run: usize,
    run_read: usize,
    stdout: Cursor,
    stderr: Cursor,
    is_over: bool,
}

/// A place in one stream.
#[derive(Debug, Default)]
struct Cursor {
    /// Bytes taken from the stream.
    read: u64,
    /// Bytes that the reader has had earlier.
    skip: u64,
    /// The beginning of a character.
    begun: Vec<u8>,
    /// Line feeds in what was taken; none where that cannot be told.
    lines: Option<u64>,
}

impl Cursor {
    fn new(skip: u64) -> Self {
        Self {
            skip,
            lines: Some(0),
            ..Self::default()
        }
    }

    fn text(&mut self, bytes: &[u8]) -> String {
        self.read += bytes.len() as u64;
        self.lines = self.lines.map(|count| count + lines(bytes));
        let skipped = bytes
            .len()
            .min(usize::try_from(self.skip).unwrap_or(usize::MAX));
        self.skip -= skipped as u64;
        let (text, waiting) = utf8::decode(&self.begun, &bytes[skipped..]);
        let mut begun = std::mem::take(&mut self.begun);
        begun.extend_from_slice(&bytes[skipped..]);
        begun.drain(..begun.len() - waiting);
        self.begun = begun;
        text
    }

    /// What is left of a character that will not come any more.
    fn flush(&mut self) -> Option<String> {
        let is_begun = !std::mem::take(&mut self.begun).is_empty();
        is_begun.then(|| char::REPLACEMENT_CHARACTER.to_string())
    }
}

impl Follower {
    pub(crate) fn new(shared: Arc<Shared>, position: LogPosition) -> Self {
        Self {
            shared,
            run: 0,
            run_read: 0,
            stdout: Cursor::new(position.stdout),
            stderr: Cursor::new(position.stderr),
            is_over: false,
        }
    }

    /// The next piece; none after the end.
    ///
    /// # Cancellation
    /// Loses nothing.
    pub async fn next(&mut self) -> Option<LogItem> {
        let shared = Arc::clone(&self.shared);
        loop {
            // Registered before the look, or a push in between would be missed.
            let grown = shared.grown.notified();
            {
                let state = lock(&shared);
                if let Some(item) = self.take(&state) {
                    return Some(item);
                }
                if self.is_over {
                    return None;
                }
            }
            grown.await;
        }
    }

    /// What is there already.
    pub(super) fn take(&mut self, state: &State) -> Option<LogItem> {
        if self.is_over {
            return None;
        }
        if let Some(item) = self.take_kept(state) {
            return Some(item);
        }
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            if let Some(item) = self.take_window(stream, state) {
                return Some(item);
            }
        }
        let end = state.finished?;
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            if let Some(text) = self.cursor(stream).flush() {
                return Some(self.output(stream, text));
            }
        }
        self.is_over = true;
        Some(LogItem::End(end))
    }

    /// From the first MiB of each stream, in the order in which it was written.
    fn take_kept(&mut self, state: &State) -> Option<LogItem> {
        loop {
            let (stream, len) = *state.runs.get(self.run)?;
            if self.run_read == len {
                if self.run + 1 == state.runs.len() {
                    return None;
                }
                self.run += 1;
                self.run_read = 0;
                continue;
            }
            let fresh = (len - self.run_read).min(PIECE_BYTES_MAX);
            self.run_read += fresh;
            let cursor = self.cursor(stream);
            let start = usize::try_from(cursor.read).unwrap_or(usize::MAX);
            let text = cursor.text(&state.kept(stream).bytes[start..start + fresh]);
            if !text.is_empty() {
                return Some(self.output(stream, text));
            }
        }
    }

    /// From the last bytes of a stream that has more than is kept.
    fn take_window(&mut self, stream: LogStream, state: &State) -> Option<LogItem> {
        let kept = state.kept(stream);
        let cursor = self.cursor(stream);
        if !kept.truncated || cursor.read >= kept.total() {
            return None;
        }
        if cursor.skip > 0 {
            cursor.read = (cursor.read + cursor.skip).min(kept.total());
            cursor.skip = 0;
            cursor.lines = None;
        }
        if cursor.read < kept.end_start {
            cursor.read = kept.end_start;
            cursor.begun.clear();
            let known = cursor.lines.replace(kept.lines_before_end);
            return Some(LogItem::Skipped {
                lines: known.map(|known| (kept.lines_before_end - known).max(1)),
            });
        }
        let start = usize::try_from(cursor.read - kept.end_start).unwrap_or(usize::MAX);
        let text = cursor.text(&kept.end[start..]);
        (!text.is_empty()).then(|| self.output(stream, text))
    }

    fn cursor(&mut self, stream: LogStream) -> &mut Cursor {
        match stream {
            LogStream::Stdout => &mut self.stdout,
            LogStream::Stderr => &mut self.stderr,
        }
    }

    fn output(&self, stream: LogStream, text: String) -> LogItem {
        // What the reader had earlier counts: it is behind the place already.
        let at = |cursor: &Cursor| cursor.read + cursor.skip - cursor.begun.len() as u64;
        LogItem::Output {
            stream,
            text,
            position: LogPosition {
                stdout: at(&self.stdout),
                stderr: at(&self.stderr),
            },
        }
    }
}

/// The logs of an invocation that was asked for by its id.
#[derive(Debug)]
#[non_exhaustive]
pub struct InvocationLogs {
    /// The function's name.
    pub function_name: FunctionName,
    /// What it wrote and writes.
    pub follower: Follower,
}

impl InvocationLogs {
    /// The next piece; see [`Follower::next`].
    pub async fn next(&mut self) -> Option<LogItem> {
        self.follower.next().await
    }
}

impl InvocationLogs {
    /// An invocation that has ended, of which only the ends of its output are left.
    pub(crate) fn of_record(entry: &InvocationEntry) -> Self {
        let output = OutputCapture::new();
        output.push(LogStream::Stdout, entry.output.stdout.as_bytes());
        output.push(LogStream::Stderr, entry.output.stderr.as_bytes());
        output.finish(LogEnd::Status(entry.record.status));
        Self {
            function_name: entry.record.function_name.clone(),
            // Places in the whole output mean nothing in its end.
            follower: output.follow(LogPosition::default()),
        }
    }
}
