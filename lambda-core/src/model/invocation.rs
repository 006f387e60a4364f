//! One execution of a function: what goes in, what comes out, what is recorded.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{FunctionId, FunctionName, Namespace, RequestId, RuntimeName};
use super::limits::{ERROR_TYPE_KEPT_BYTES_MAX, OUTPUT_KEPT_BYTES_MAX};

macro_rules! word_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant,)+
        }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that stands for it in every API and store.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The value that `word` stands for.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

word_enum!(
    /// How an invocation ended.
    Status {
        /// The handler returned, or the script exited with 0.
        Success = "success",
        /// The function failed: an exception, an import error, a bad result, or a script's
        /// exit with another status.
        FunctionError = "function_error",
        /// It ran into its timeout, in init or in run.
        Timeout = "timeout",
        /// The kernel killed it, or a child of it, for want of memory.
        OutOfMemory = "out_of_memory",
        /// It died by a signal, or a handler ended its process.
        Crashed = "crashed",
        /// The caller cancelled it.
        Cancelled = "cancelled",
    }
);

word_enum!(
    /// What sandbox an invocation got.
    StartKind {
        /// One created for it.
        Cold = "cold",
        /// A generic one that was specialised for it.
        Prewarmed = "prewarmed",
        /// One that had served this version before.
        Warm = "warm",
    }
);

word_enum!(
    /// What is known of the death of a sandbox that was killed.
    Termination {
        /// Every process of it is gone.
        Confirmed = "confirmed",
        /// Docker has not confirmed it yet; its capacity stays charged until it does.
        Pending = "pending",
    }
);

/// What a function is called with.
#[derive(Clone, PartialEq, Eq)]
pub enum Payload {
    /// The command-line args of a script function.
    Args(Vec<String>),
    /// The event of a handler function: JSON. `null` is no args to a script function.
    Event(Bytes),
    /// No args, or the event `{}`: right for both kinds.
    Empty,
}

impl fmt::Debug for Payload {
    // Events may hold personal data and 6 MB.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Args(args) => write!(f, "Args({})", args.len()),
            Self::Event(event) => write!(f, "Event({} bytes)", event.len()),
            Self::Empty => f.write_str("Empty"),
        }
    }
}

/// Why a function failed, in AWS's terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionError {
    /// The exception's class, or one of AWS's names such as `Runtime.ExitError`.
    #[serde(rename = "type")]
    pub error_type: String,
    /// The exception's message.
    pub message: String,
    /// The stack, one frame or line each; empty where there is none.
    pub trace: Vec<String>,
}

impl FunctionError {
    /// An error without a stack.
    pub fn new(error_type: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            error_type: error_type.into(),
            message: message.into(),
            trace: Vec::new(),
        }
    }
}

/// What an invocation wrote to one of its streams.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogText {
    /// UTF-8; what was not is U+FFFD. At most 1 MiB of what was written.
    pub text: String,
    /// Whether more was written than is kept.
    pub truncated: bool,
}

/// Where the time of an invocation went. Absent parts are zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timings {
    /// Waiting for a sandbox that others used.
    pub queue: Duration,
    /// Creating the sandbox and booting the language.
    pub boot: Duration,
    /// Loading the function's code.
    pub init: Duration,
    /// The function itself.
    pub run: Duration,
    /// From the request to the answer.
    pub total: Duration,
}

/// The end of an invocation, for its caller.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Outcome {
    /// The invocation's id.
    pub request_id: RequestId,
    /// The function's id.
    pub function_id: FunctionId,
    /// The function's name.
    pub function_name: FunctionName,
    /// The version that ran.
    pub version: u32,
    /// How it ended.
    pub status: Status,
    /// JSON: the handler's result, or a script's stdout less one final newline as a string.
    /// None where a handler gave no result.
    pub output: Option<Bytes>,
    /// What it wrote to stdout.
    pub stdout: LogText,
    /// What it wrote to stderr.
    pub stderr: LogText,
    /// Where the program exited: its status.
    pub exit_code: Option<i32>,
    /// Unless it succeeded: why.
    pub error: Option<FunctionError>,
    /// What sandbox it got.
    pub start: StartKind,
    /// Where it ran.
    pub runtime: RuntimeName,
    /// Where the sandbox was killed: what is known of its death.
    pub termination: Option<Termination>,
    /// Where the time went.
    pub timings: Timings,
    /// The sandbox's memory peak in MiB so far, where it is known.
    pub max_memory_mib: Option<u32>,
}

impl Outcome {
    /// Whether the function did what it should.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.status == Status::Success
    }

    /// A script's output as text; of a handler's, only a JSON string.
    #[must_use]
    pub fn output_text(&self) -> Option<String> {
        serde_json::from_slice(self.output.as_deref()?).ok()
    }
}

/// The end of an invocation, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InvocationRecord {
    /// The invocation's id; a store keeps one record for each.
    pub request_id: RequestId,
    /// The function's namespace.
    pub namespace: Namespace,
    /// The function's id.
    pub function_id: FunctionId,
    /// The function's name when it ran.
    pub function_name: FunctionName,
    /// The version that ran.
    pub version: u32,
    /// Where it ran.
    pub runtime: RuntimeName,
    /// What sandbox it got.
    pub start: StartKind,
    /// How it ended.
    pub status: Status,
    /// Unless it succeeded: the error's type, of which [`new`](Self::new) keeps the first
    /// [`ERROR_TYPE_KEPT_BYTES_MAX`] bytes.
    pub error_type: Option<String>,
    /// When the request arrived, to the microsecond.
    pub started_at: Timestamp,
    /// Microseconds, as everything below that ends in `_us`.
    pub queue_us: u64,
    /// See [`Timings`].
    pub boot_us: u64,
    /// See [`Timings`].
    pub init_us: u64,
    /// See [`Timings`].
    pub run_us: u64,
    /// See [`Timings`].
    pub total_us: u64,
    /// See [`Outcome`].
    pub max_memory_mib: Option<u32>,
}

impl InvocationRecord {
    /// A successful cold start that took no time: what a store fills in from a row.
    #[must_use]
    pub fn started(
        request_id: RequestId,
        namespace: Namespace,
        (function_id, function_name, version): (FunctionId, FunctionName, u32),
        runtime: RuntimeName,
        started_at: Timestamp,
    ) -> Self {
        Self {
            request_id,
            namespace,
            function_id,
            function_name,
            version,
            runtime,
            start: StartKind::Cold,
            status: Status::Success,
            error_type: None,
            started_at,
            queue_us: 0,
            boot_us: 0,
            init_us: 0,
            run_us: 0,
            total_us: 0,
            max_memory_mib: None,
        }
    }

    /// The record of `outcome`, which belongs to a request that arrived at `started_at`.
    #[must_use]
    pub fn new(namespace: Namespace, started_at: Timestamp, outcome: &Outcome) -> Self {
        let type_of = |error: &FunctionError| {
            start_of(&error.error_type, ERROR_TYPE_KEPT_BYTES_MAX).to_owned()
        };
        let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        Self {
            request_id: outcome.request_id,
            namespace,
            function_id: outcome.function_id,
            function_name: outcome.function_name.clone(),
            version: outcome.version,
            runtime: outcome.runtime.clone(),
            start: outcome.start,
            status: outcome.status,
            error_type: outcome.error.as_ref().map(type_of),
            started_at,
            queue_us: micros(outcome.timings.queue),
            boot_us: micros(outcome.timings.boot),
            init_us: micros(outcome.timings.init),
            run_us: micros(outcome.timings.run),
            total_us: micros(outcome.timings.total),
            max_memory_mib: outcome.max_memory_mib,
        }
    }
}

/// What is kept beside a record for looking into one invocation, for a shorter time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InvocationOutput {
    /// The end of what it wrote to stdout: at most [`OUTPUT_KEPT_BYTES_MAX`] bytes of UTF-8.
    ///
    /// [`OUTPUT_KEPT_BYTES_MAX`]: super::limits::OUTPUT_KEPT_BYTES_MAX
    pub stdout: String,
    /// The end of what it wrote to stderr, as long.
    pub stderr: String,
    /// Unless it succeeded: the beginning of the error's message, as long.
    pub error_message: Option<String>,
}

impl InvocationOutput {
    /// What of `stdout` and `stderr` is kept: their ends.
    #[must_use]
    pub fn new(
        stdout: impl Into<String>,
        stderr: impl Into<String>,
        error_message: Option<&str>,
    ) -> Self {
        Self {
            stdout: end_of(stdout.into()),
            stderr: end_of(stderr.into()),
            error_message: error_message
                .map(|message| start_of(message, OUTPUT_KEPT_BYTES_MAX).to_owned()),
        }
    }

    /// Whether there is nothing to keep.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.stdout.is_empty() && self.stderr.is_empty() && self.error_message.is_none()
    }
}

fn end_of(mut text: String) -> String {
    let cut = text.len().saturating_sub(OUTPUT_KEPT_BYTES_MAX);
    text.drain(..text.ceil_char_boundary(cut));
    text
}

fn start_of(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// A record, with what is kept beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct InvocationEntry {
    /// The record.
    pub record: InvocationRecord,
    /// Empty where nothing was written, or where it has been removed since.
    #[serde(default, skip_serializing_if = "InvocationOutput::is_empty")]
    pub output: InvocationOutput,
}

impl InvocationEntry {
    /// A record, with what is kept beside it.
    #[must_use]
    pub fn new(record: InvocationRecord, output: InvocationOutput) -> Self {
        Self { record, output }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_streams_are_kept_and_no_character_is_split() {
        let long = "ü".repeat(OUTPUT_KEPT_BYTES_MAX);
        let text = format!("x{long}y");
        let output = InvocationOutput::new(&text, "short", Some(&text));
        assert!(output.stdout.ends_with("üy"));
        assert!(output.stdout.len() <= OUTPUT_KEPT_BYTES_MAX);
        assert!(output.stdout.len() > OUTPUT_KEPT_BYTES_MAX - 2);
        assert_eq!(output.stderr, "short");
        assert!(output.error_message.unwrap().starts_with("xü"));
        assert!(InvocationOutput::new("", "", None).is_empty());
    }

    #[test]
    fn a_record_keeps_the_beginning_of_an_error_type() {
        let outcome = Outcome {
            request_id: RequestId::new(),
            function_id: FunctionId::new(),
            function_name: FunctionName::new("f").unwrap(),
            version: 1,
            status: Status::FunctionError,
            output: None,
            stdout: LogText::default(),
            stderr: LogText::default(),
            exit_code: None,
            error: Some(FunctionError::new("ü".repeat(1_000_000), "")),
            start: StartKind::Warm,
            runtime: RuntimeName::docker(),
            termination: None,
            timings: Timings::default(),
            max_memory_mib: None,
        };
        let record = InvocationRecord::new(Namespace::default(), Timestamp::now(), &outcome);
        let kept = "ü".repeat(ERROR_TYPE_KEPT_BYTES_MAX / 2);
        assert_eq!(record.error_type, Some(kept));
    }
}
