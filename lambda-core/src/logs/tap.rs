//! How an invocation's output reaches the hub.

use std::sync::Arc;

use super::event::{LogEnd, LogEventKind, LogItem, LogPosition};
use super::hub::LogHub;
use super::utf8;
use crate::model::{FunctionId, FunctionName, RequestId};
use crate::output::{LogStream, OutputCapture, State};

/// Who writes.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) request_id: RequestId,
    pub(super) function_id: FunctionId,
    pub(super) function_name: FunctionName,
}

/// The hub, as one invocation knows it. It is called while the invocation's output is locked,
/// so that the hub hears everything once and in order.
#[derive(Debug, Clone)]
pub(crate) struct Tap {
    pub(super) hub: LogHub,
    pub(super) origin: Arc<Origin>,
}

impl Tap {
    /// Whether anybody listens: without that nothing is worth telling.
    pub(crate) fn is_heard(&self) -> bool {
        self.hub.is_active()
    }

    /// `bytes` came after `before`.
    pub(crate) fn output(&self, stream: LogStream, before: &[u8], bytes: &[u8]) {
        let (text, _) = utf8::decode(before, bytes);
        if !text.is_empty() {
            let kind = LogEventKind::Output { stream, text };
            self.hub.publish(&self.origin, kind);
        }
    }

    pub(crate) fn end(&self, end: LogEnd, state: &State) {
        if self.is_heard() {
            for stream in [LogStream::Stdout, LogStream::Stderr] {
                if !utf8::incomplete_suffix(state.kept(stream).last()).is_empty() {
                    let text = char::REPLACEMENT_CHARACTER.to_string();
                    let kind = LogEventKind::Output { stream, text };
                    self.hub.publish(&self.origin, kind);
                }
            }
            self.hub.publish(&self.origin, LogEventKind::End(end));
        }
        self.ended(end, state);
    }

    fn ended(&self, end: LogEnd, state: &State) {
        let kept = [LogStream::Stdout, LogStream::Stderr].map(|stream| {
            let kept = state.kept(stream);
            kept.bytes.len() + kept.end.len()
        });
        self.hub.ended(&self.origin, end, kept.iter().sum());
    }

    /// Tells what was written before the hub knew of the invocation.
    pub(crate) fn catch_up(&self, output: &OutputCapture, state: &State) {
        self.tell(output, state);
        if let Some(end) = state.finished {
            self.ended(end, state);
        }
    }

    fn tell(&self, output: &OutputCapture, state: &State) {
        if !self.is_heard() {
            return;
        }
        let mut follower = output.follow(LogPosition::default());
        while let Some(item) = follower.take(state) {
            match item {
                LogItem::Output { stream, text, .. } => {
                    let kind = LogEventKind::Output { stream, text };
                    self.hub.publish(&self.origin, kind);
                }
                LogItem::End(end) => self.hub.publish(&self.origin, LogEventKind::End(end)),
                LogItem::Skipped { .. } => {}
            }
        }
    }
}
