//! What an invocation writes: kept up to a bound, and readable while it grows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::logs::{Follower, LogEnd, LogPosition, Tap};
use crate::model::LogText;
use crate::model::limits::{OUTPUT_BYTES_MAX, OUTPUT_KEPT_BYTES_MAX};

/// One of a process's two output streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    /// File descriptor 1.
    Stdout,
    /// File descriptor 2.
    Stderr,
}

/// A piece of output, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogChunk {
    /// Which stream it was written to.
    pub stream: LogStream,
    /// Any bytes: a chunk may end in the middle of a line or of a character.
    pub bytes: Bytes,
}

/// The output of one invocation: the first MiB of each stream. More is counted as read and
/// thrown away, so that a flood neither fills the host's memory nor blocks the function.
#[derive(Debug, Clone, Default)]
pub struct OutputCapture(Arc<Shared>);

#[derive(Debug, Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) grown: Notify,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    stdout: Kept,
    stderr: Kept,
    /// Which stream the bytes came from, in order; neighbours of one stream are one run.
    pub(crate) runs: Vec<(LogStream, usize)>,
    pub(crate) finished: Option<LogEnd>,
    /// Where the platform's live log hears of it.
    tap: Option<Tap>,
}

/// What is kept of a stream once its first MiB is full, for those who follow it live: a few
/// readings of a pipe.
const WINDOW_BYTES: usize = 64 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Kept {
    pub(crate) bytes: Vec<u8>,
    pub(crate) truncated: bool,
    /// Once bytes are thrown away: the last ones of all.
    pub(crate) end: Vec<u8>,
    /// Bytes that came before `end`.
    pub(crate) end_start: u64,
    /// Line feeds among them.
    pub(crate) lines_before_end: u64,
}

/// Line feeds.
pub(crate) fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|byte| **byte == b'\n').count() as u64
}

impl Kept {
    /// Keeps the end of what does not fit any more.
    fn push_end(&mut self, bytes: &[u8]) {
        if !self.truncated {
            self.truncated = true;
            let kept = self.bytes.len().saturating_sub(OUTPUT_KEPT_BYTES_MAX);
            self.end = self.bytes[kept..].to_vec();
            self.end_start = kept as u64;
            self.lines_before_end = lines(&self.bytes[..kept]);
        }
        self.end.extend_from_slice(bytes);
        // Now and then, so that a flood is not moved about with each piece.
        if self.end.len() > 2 * WINDOW_BYTES {
            let gone = self.end.len() - WINDOW_BYTES;
            self.end_start += gone as u64;
            self.lines_before_end += lines(&self.end[..gone]);
            self.end.drain(..gone);
        }
    }

    /// All bytes that were ever written.
    pub(crate) fn total(&self) -> u64 {
        match self.truncated {
            true => self.end_start + self.end.len() as u64,
            false => self.bytes.len() as u64,
        }
    }

    /// The last bytes that were written: all of them, or those that are kept.
    pub(crate) fn last(&self) -> &[u8] {
        match self.truncated {
            true => &self.end,
            false => &self.bytes,
        }
    }

    fn end(&self) -> &[u8] {
        let end = self.last();
        &end[end.len().saturating_sub(OUTPUT_KEPT_BYTES_MAX)..]
    }
}

impl OutputCapture {
    /// Nothing written yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what was read from a stream.
    pub fn push(&self, stream: LogStream, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        {
            let mut state = self.lock();
            if let Some(tap) = state.tap.as_ref().filter(|tap| tap.is_heard()) {
                tap.output(stream, state.kept(stream).last(), bytes);
            }
            let kept = state.kept_mut(stream);
            let room = OUTPUT_BYTES_MAX - kept.bytes.len();
            let fits = bytes.len().min(room);
            kept.bytes.extend_from_slice(&bytes[..fits]);
            if fits < bytes.len() {
                kept.push_end(&bytes[fits..]);
            }
            if fits > 0 {
                match state.runs.last_mut() {
                    Some((last, len)) if *last == stream => *len += fits,
                    _ => state.runs.push((stream, fits)),
                }
            }
        }
        self.0.grown.notify_waiters();
    }

    /// Says that nothing more will be written; readers end. The first end counts.
    pub fn finish(&self, end: LogEnd) {
        {
            let mut state = self.lock();
            if state.finished.is_some() {
                return;
            }
            state.finished = Some(end);
            if let Some(tap) = &state.tap {
                tap.end(end, &state);
            }
        }
        self.0.grown.notify_waiters();
    }

    /// Has `tap` told everything: at once what was written until now.
    pub(crate) fn connect(&self, tap: Tap) {
        let mut state = self.lock();
        tap.catch_up(self, &state);
        state.tap = Some(tap);
    }

    /// Follows the output as text from `position` on, also what comes after the first MiB.
    #[must_use]
    pub fn follow(&self, position: LogPosition) -> Follower {
        Follower::new(Arc::clone(&self.0), position)
    }

    /// What one stream has so far.
    #[must_use]
    pub fn text(&self, stream: LogStream) -> LogText {
        let state = self.lock();
        let kept = state.kept(stream);
        LogText {
            text: String::from_utf8_lossy(&kept.bytes).into_owned(),
            truncated: kept.truncated,
        }
    }

    /// The last [`OUTPUT_KEPT_BYTES_MAX`] bytes of one stream so far, however much was written.
    /// What is not UTF-8 is U+FFFD; a character that the cut would split is left out.
    #[must_use]
    pub fn end(&self, stream: LogStream) -> String {
        let state = self.lock();
        let mut end = state.kept(stream).end();
        // Only a cut can make it begin inside of a character.
        if end.len() == OUTPUT_KEPT_BYTES_MAX {
            let inside = end.iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80);
            end = &end[inside.count()..];
        }
        String::from_utf8_lossy(end).into_owned()
    }

    /// Reads from the first byte on.
    #[must_use]
    pub fn reader(&self) -> LogReader {
        LogReader {
            shared: Arc::clone(&self.0),
            run: 0,
            run_read: 0,
            stdout_read: 0,
            stderr_read: 0,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0)
    }

    #[cfg(test)]
    pub(crate) fn downgrade(&self) -> std::sync::Weak<Shared> {
        Arc::downgrade(&self.0)
    }
}

/// A poisoned lock only says that some thread panicked while it pushed bytes; they are still
/// bytes.
pub(crate) fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    shared.state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    pub(crate) fn kept(&self, stream: LogStream) -> &Kept {
        match stream {
            LogStream::Stdout => &self.stdout,
            LogStream::Stderr => &self.stderr,
        }
    }

    fn kept_mut(&mut self, stream: LogStream) -> &mut Kept {
        match stream {
            LogStream::Stdout => &mut self.stdout,
            LogStream::Stderr => &mut self.stderr,
        }
    }
}

/// Reads an invocation's output while it grows; see [`OutputCapture::reader`].
#[derive(Debug)]
pub struct LogReader {
    shared: Arc<Shared>,
    run: usize,
    run_read: usize,
    stdout_read: usize,
    stderr_read: usize,
}

impl LogReader {
    /// The next piece; none once the invocation has ended and all is read.
    ///
    /// # Cancellation
    /// Loses nothing.
    pub async fn next(&mut self) -> Option<LogChunk> {
        let shared = Arc::clone(&self.shared);
        loop {
            // Registered before the look, or a push in between would be missed.
            let grown = shared.grown.notified();
            {
                let state = lock(&shared);
                if let Some(chunk) = self.take(&state) {
                    return Some(chunk);
                }
                if state.finished.is_some() {
                    return None;
                }
            }
            grown.await;
        }
    }

    fn take(&mut self, state: &State) -> Option<LogChunk> {
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
            let read = match stream {
                LogStream::Stdout => &mut self.stdout_read,
                LogStream::Stderr => &mut self.stderr_read,
            };
            let fresh = len - self.run_read;
            let bytes = Bytes::copy_from_slice(&state.kept(stream).bytes[*read..*read + fresh]);
            *read += fresh;
            self.run_read = len;
            return Some(LogChunk { stream, bytes });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reader_sees_all_in_order_and_then_the_end() {
        let output = OutputCapture::new();
        let mut reader = output.reader();
        output.push(LogStream::Stdout, b"a");
        output.push(LogStream::Stdout, b"b");
        output.push(LogStream::Stderr, b"c");
        let first = reader.next().await.unwrap();
        assert_eq!(
            (first.stream, &first.bytes[..]),
            (LogStream::Stdout, &b"ab"[..])
        );
        output.push(LogStream::Stderr, b"d");
        assert_eq!(&reader.next().await.unwrap().bytes[..], b"cd");

        let pushed = output.clone();
        let later = tokio::spawn(async move { reader.next().await.map(|chunk| chunk.bytes) });
        pushed.push(LogStream::Stdout, b"e");
        assert_eq!(later.await.unwrap().as_deref(), Some(&b"e"[..]));

        output.finish(LogEnd::Status(crate::model::Status::Success));
        let mut late = output.reader();
        let mut all = Vec::new();
        while let Some(chunk) = late.next().await {
            all.extend_from_slice(&chunk.bytes);
        }
        assert_eq!(all, b"abcde");
    }

    #[test]
    fn an_end_begins_with_a_whole_character() {
        let output = OutputCapture::new();
        output.push(LogStream::Stderr, "short".as_bytes());
        assert_eq!(output.end(LogStream::Stderr), "short");
        let long = format!("{}x", "€".repeat(OUTPUT_KEPT_BYTES_MAX));
        output.push(LogStream::Stderr, long.as_bytes());
        let end = output.end(LogStream::Stderr);
        assert!(end.starts_with('€') && end.ends_with("€x"));
        assert!(end.len() > OUTPUT_KEPT_BYTES_MAX - 3);
    }

    #[test]
    fn a_flood_is_cut_and_marked() {
        let output = OutputCapture::new();
        for _ in 0..40 {
            output.push(LogStream::Stdout, &[b'x'; 32 * 1024]);
        }
        let text = output.text(LogStream::Stdout);
        assert_eq!(text.text.len(), OUTPUT_BYTES_MAX);
        assert!(text.truncated);
        assert_eq!(output.end(LogStream::Stdout).len(), OUTPUT_KEPT_BYTES_MAX);
        output.push(LogStream::Stdout, b"the end");
        assert!(output.end(LogStream::Stdout).ends_with("xthe end"));
        assert_eq!(output.end(LogStream::Stdout).len(), OUTPUT_KEPT_BYTES_MAX);
        assert!(!output.text(LogStream::Stderr).truncated);
    }
}
