//! The latest events, up to a number of bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::event::LogEvent;

#[derive(Debug)]
pub(super) struct Ring {
    events: VecDeque<Arc<LogEvent>>,
    bytes: usize,
    bytes_max: usize,
}

impl Ring {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            events: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    pub(super) fn push(&mut self, event: Arc<LogEvent>) {
        self.bytes += event.bytes();
        self.events.push_back(event);
        while self.bytes > self.bytes_max
            && let Some(oldest) = self.events.pop_front()
        {
            self.bytes -= oldest.bytes();
        }
    }

    pub(super) fn clear(&mut self) {
        self.events = VecDeque::new();
        self.bytes = 0;
    }

    /// The events after number `sequence`.
    pub(super) fn after(&self, sequence: u64) -> impl Iterator<Item = &Arc<LogEvent>> {
        let begin = self
            .events
            .partition_point(|event| event.id.sequence <= sequence);
        self.events.range(begin..)
    }

    /// The number of the oldest event.
    pub(super) fn first(&self) -> Option<u64> {
        self.events.front().map(|event| event.id.sequence)
    }
}
