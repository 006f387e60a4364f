//! One who hears of many invocations.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::event::LogEvent;
use super::hub::LogHub;
use crate::model::FunctionId;

/// What waits for one subscriber, at most: some seconds of a talkative function, and together
/// with 2,000 other slow ones no danger for the host.
const QUEUE_BYTES_MAX: usize = 256 * 1024;

/// What a [`Subscription`] hears.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscriptionItem {
    /// Something happened.
    Event(Arc<LogEvent>),
    /// These lines came faster than they were read, or are too old to be resumed at.
    #[non_exhaustive]
    Skipped {
        /// How many, parts of lines counted as one; none where that is not known.
        lines: Option<u64>,
    },
}

/// Hears what functions write from now on; see
/// [`Platform::follow_function`](crate::Platform::follow_function). Dropping it ends it.
#[derive(Debug)]
pub struct Subscription {
    pub(super) hub: LogHub,
    pub(super) subscriber: Arc<Subscriber>,
}

/// The hub's end.
#[derive(Debug)]
pub(super) struct Subscriber {
    pub(super) function: Option<FunctionId>,
    queue: Mutex<Queue>,
    grown: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    events: VecDeque<Arc<LogEvent>>,
    bytes: usize,
    skipped_lines: u64,
    is_gap_unknown: bool,
    is_closed: bool,
}

impl Subscriber {
    pub(super) fn new(function: Option<FunctionId>) -> Self {
        Self {
            function,
            queue: Mutex::default(),
            grown: Notify::new(),
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn push(&self, event: &Arc<LogEvent>) {
        {
            let mut queue = self.queue();
            queue.bytes += event.bytes();
            queue.events.push_back(Arc::clone(event));
            while queue.bytes > QUEUE_BYTES_MAX
                && let Some(oldest) = queue.events.pop_front()
            {
                queue.bytes -= oldest.bytes();
                queue.skipped_lines += oldest.lines();
            }
        }
        self.grown.notify_one();
    }

    /// Says that something is missing, nobody knows how much.
    pub(super) fn gap(&self) {
        self.queue().is_gap_unknown = true;
        self.grown.notify_one();
    }

    pub(super) fn close(&self) {
        self.queue().is_closed = true;
        self.grown.notify_one();
    }
}

impl Queue {
    fn take(&mut self) -> Option<SubscriptionItem> {
        let skipped = std::mem::take(&mut self.skipped_lines);
        if std::mem::take(&mut self.is_gap_unknown) {
            return Some(SubscriptionItem::Skipped { lines: None });
        }
        if skipped > 0 {
            let lines = Some(skipped);
            return Some(SubscriptionItem::Skipped { lines });
        }
        let event = self.events.pop_front()?;
        self.bytes -= event.bytes();
        Some(SubscriptionItem::Event(event))
    }
}

impl Subscription {
    /// The next item; none once the platform is closed.
    ///
    /// # Cancellation
    /// Loses nothing.
    pub async fn next(&mut self) -> Option<SubscriptionItem> {
        loop {
            {
                let mut queue = self.subscriber.queue();
                if let Some(item) = queue.take() {
                    return Some(item);
                }
                if queue.is_closed {
                    return None;
                }
            }
            // A wake-up before this is kept: there is one reader.
            self.subscriber.grown.notified().await;
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.unsubscribe(&self.subscriber);
    }
}
