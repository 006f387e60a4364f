//! What those who follow logs get.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::error::{Error, ErrorKind};
use crate::model::{FunctionId, FunctionName, RequestId, Status};
use crate::output::LogStream;

/// How an invocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogEnd {
    /// It ran, and this became of it.
    Status(Status),
    /// The platform could not run it.
    NotRun(ErrorKind),
}

impl fmt::Display for LogEnd {
    /// The status's word, or `not_run`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => f.write_str(status.as_str()),
            Self::NotRun(_) => f.write_str("not_run"),
        }
    }
}

/// What a [`Follower`](super::Follower) reads.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogItem {
    /// The function wrote this.
    #[non_exhaustive]
    Output {
        /// Where to.
        stream: LogStream,
        /// At most some 64 KiB; it may end in the middle of a line, never of a character.
        text: String,
        /// Where reading goes on after it.
        position: LogPosition,
    },
    /// These lines came faster than they were read.
    #[non_exhaustive]
    Skipped {
        /// How many, parts of lines counted as one; none where that is not known.
        lines: Option<u64>,
    },
    /// The invocation has ended. The last item.
    End(LogEnd),
}

/// A place in the output of one invocation: bytes of each stream. As text `12.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogPosition {
    pub(super) stdout: u64,
    pub(super) stderr: u64,
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.stdout, self.stderr)
    }
}

impl FromStr for LogPosition {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (stdout, stderr) = pair(text, '.').ok_or_else(wrong_id)?;
        Ok(Self { stdout, stderr })
    }
}

/// One thing that happened, of any invocation.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogEvent {
    /// By which a reader resumes after it.
    pub id: LogEventId,
    /// When the platform read it.
    pub at: Timestamp,
    /// The invocation.
    pub request_id: RequestId,
    /// Its function.
    pub function_id: FunctionId,
    /// The function's name.
    pub function_name: FunctionName,
    /// What happened.
    pub kind: LogEventKind,
}

/// See [`LogEvent::kind`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogEventKind {
    /// The function wrote this.
    #[non_exhaustive]
    Output {
        /// Where to.
        stream: LogStream,
        /// At most some 64 KiB; it may end in the middle of a line, never of a character.
        text: String,
    },
    /// The invocation has ended.
    End(LogEnd),
}

impl LogEvent {
    /// What it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        let text = match &self.kind {
            LogEventKind::Output { text, .. } => text.len(),
            LogEventKind::End(_) => 0,
        };
        size_of::<Self>() + text
    }

    /// How many lines are lost with it.
    pub(super) fn lines(&self) -> u64 {
        match &self.kind {
            LogEventKind::Output { text, .. } => crate::output::lines(text.as_bytes()).max(1),
            LogEventKind::End(_) => 0,
        }
    }
}

/// The number of an event, and of the platform that gave it. As text `1764060000000000-42`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogEventId {
    /// When the platform began, in Unix microseconds: numbers of another one mean nothing here.
    pub(super) epoch: u64,
    pub(super) sequence: u64,
}

impl fmt::Display for LogEventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.sequence)
    }
}

impl FromStr for LogEventId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (epoch, sequence) = pair(text, '-').ok_or_else(wrong_id)?;
        Ok(Self { epoch, sequence })
    }
}

fn pair(text: &str, separator: char) -> Option<(u64, u64)> {
    let (left, right) = text.split_once(separator)?;
    let number = |digits: &str| {
        let all = digits.bytes().all(|byte| byte.is_ascii_digit());
        all.then(|| digits.parse().ok()).flatten()
    };
    Some((number(left)?, number(right)?))
}

fn wrong_id() -> Error {
    Error::invalid("follow_logs", "This is not the id of a log event.")
        .hint("Leave the id out to read from the beginning.")
}
