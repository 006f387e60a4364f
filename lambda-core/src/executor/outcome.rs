//! From what a sandbox answered to what a caller is told, in AWS's words.

use bytes::Bytes;

use crate::model::{FunctionError, RequestId, Status};
use crate::output::{LogStream, OutputCapture};
use crate::runtime::{SandboxEnd, SandboxReply};

/// The part of an outcome that depends on how the function ended.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) status: Status,
    pub(super) output: Option<Bytes>,
    pub(super) exit_code: Option<i32>,
    pub(super) error: Option<FunctionError>,
}

impl Ending {
    fn failed(status: Status, error: FunctionError) -> Self {
        Self {
            status,
            output: None,
            exit_code: None,
            error: Some(error),
        }
    }

    /// The handler's result.
    pub(super) fn response(result: Bytes) -> Self {
        Self {
            status: Status::Success,
            output: Some(result),
            exit_code: None,
            error: None,
        }
    }

    /// A script's exit.
    pub(super) fn exited(id: RequestId, code: i32, output: &OutputCapture) -> Self {
        Self {
            status: if code == 0 {
                Status::Success
            } else {
                Status::FunctionError
            },
            output: Some(script_output(output)),
            exit_code: Some(code),
            error: (code != 0).then(|| exit_error(id, &format!("exit status {code}"))),
        }
    }

    /// A death by signal.
    pub(super) fn signaled(id: RequestId, signal: i32) -> Self {
        let error = exit_error(id, &format!("signal: {}", signal_name(signal)));
        Self::failed(Status::Crashed, error)
    }

    /// The end of a sandbox in the middle of its work.
    pub(super) fn ended(id: RequestId, end: SandboxEnd) -> Self {
        match end {
            SandboxEnd::Exited(code) => Self {
                exit_code: Some(code),
                ..Self::failed(
                    Status::Crashed,
                    exit_error(id, &format!("exit status {code}")),
                )
            },
            SandboxEnd::Signaled(signal) => Self::signaled(id, signal),
            SandboxEnd::OutOfMemory => Self::out_of_memory(id),
            SandboxEnd::Unknown => Self::failed(
                Status::Crashed,
                FunctionError::new(
                    "Runtime.ExitError",
                    format!("RequestId: {id} Error: Runtime exited without providing a reason"),
                ),
            ),
        }
    }

    /// A kill by the kernel.
    pub(super) fn out_of_memory(id: RequestId) -> Self {
        Self::failed(
            Status::OutOfMemory,
            FunctionError::new(
                "Runtime.OutOfMemory",
                format!("RequestId: {id} Error: Runtime exited with error: signal: killed"),
            ),
        )
    }

    /// An exception, an import error, a bad result.
    pub(super) fn function_error(error: FunctionError) -> Self {
        Self::failed(Status::FunctionError, error)
    }

    /// The deadline.
    pub(super) fn timeout(id: RequestId, timeout: std::time::Duration) -> Self {
        Self::failed(
            Status::Timeout,
            FunctionError::new(
                "Sandbox.Timedout",
                format!(
                    "RequestId: {id} Error: Task timed out after {:.2} seconds",
                    timeout.as_secs_f64()
                ),
            ),
        )
    }

    /// The caller's wish.
    pub(super) fn cancelled(id: RequestId) -> Self {
        Self::failed(
            Status::Cancelled,
            FunctionError::new(
                "Sandbox.Cancelled",
                format!("RequestId: {id} Error: The invocation was cancelled"),
            ),
        )
    }

    /// A sandbox that does not keep to the protocol: the function has meddled with it.
    pub(super) fn breach(id: RequestId) -> Self {
        Self::failed(
            Status::Crashed,
            FunctionError::new(
                "Runtime.ProtocolError",
                format!("RequestId: {id} Error: The function disturbed its runtime's connection"),
            ),
        )
    }

    /// What `reply` says; none where it takes a look at the dead sandbox.
    pub(super) fn of_reply(
        id: RequestId,
        reply: SandboxReply,
        output: &OutputCapture,
    ) -> Option<Self> {
        match reply {
            SandboxReply::Response(result) => Some(Self::response(result)),
            SandboxReply::Exited(code) => Some(Self::exited(id, code, output)),
            SandboxReply::Signaled(signal) => Some(Self::signaled(id, signal)),
            SandboxReply::Failed(error) => Some(Self::function_error(error)),
            SandboxReply::OutOfMemory => Some(Self::out_of_memory(id)),
            SandboxReply::Ready => Some(Self::breach(id)),
            SandboxReply::Ended => None,
        }
    }
}

fn exit_error(id: RequestId, how: &str) -> FunctionError {
    FunctionError::new(
        "Runtime.ExitError",
        format!("RequestId: {id} Error: Runtime exited with error: {how}"),
    )
}

/// A script's output: its stdout less one final newline, as a JSON string.
fn script_output(output: &OutputCapture) -> Bytes {
    let stdout = output.text(LogStream::Stdout).text;
    let text = stdout.strip_suffix('\n').unwrap_or(&stdout);
    // A string always serialises.
    serde_json::to_vec(text).unwrap_or_default().into()
}

/// As AWS's runtime (which is written in Go) names signals.
fn signal_name(signal: i32) -> String {
    match signal {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        11 => "segmentation fault",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        other => return format!("signal {other}"),
    }
    .to_owned()
}
