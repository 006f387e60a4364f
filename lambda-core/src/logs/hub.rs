//! Where all output of a platform passes, while anybody listens.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::event::{LogEnd, LogEvent, LogEventId, LogEventKind, LogPosition};
use super::follower::InvocationLogs;
use super::ring::Ring;
use super::subscription::{Subscriber, Subscription};
use super::tap::{Origin, Tap};
use crate::executor::Invocation;
use crate::model::{FunctionId, FunctionName, RequestId};
use crate::output::OutputCapture;

/// How long events are kept after the last subscriber has gone: a client whose connection
/// broke comes back within it.
const LINGER: Duration = Duration::from_secs(60);

/// Invocations that have ended and can still be followed: a record is in the store within a
/// second, and until then somebody may ask.
const ENDED_MAX: usize = 4_096;
const ENDED_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Cheap to clone; all clones are one hub.
#[derive(Debug, Clone)]
pub(crate) struct LogHub(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    epoch: u64,
    /// Whether anybody listens, or did a moment ago.
    is_active: AtomicBool,
    state: Mutex<State>,
    invocations: Mutex<Invocations>,
}

#[derive(Debug)]
struct State {
    sequence: u64,
    ring: Ring,
    /// By function; none: of all functions.
    subscribers: HashMap<Option<FunctionId>, Vec<Arc<Subscriber>>>,
    idle_since: Instant,
    is_closed: bool,
}

/// The invocations that run, and those that ended last.
#[derive(Debug, Default)]
struct Invocations {
    known: HashMap<RequestId, Known>,
    ended: VecDeque<(RequestId, usize)>,
    ended_bytes: usize,
}

#[derive(Debug)]
enum Known {
    Written(OutputCapture, Arc<Origin>),
    /// It wrote nothing. Its end is all that is kept: its capture is as large as ten of these.
    Silent(LogEnd, FunctionName),
}

impl LogHub {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self(Arc::new(Shared {
            epoch: u64::try_from(Timestamp::now().as_microsecond()).unwrap_or_default(),
            is_active: AtomicBool::new(false),
            state: Mutex::new(State {
                sequence: 0,
                ring: Ring::new(bytes_max),
                subscribers: HashMap::new(),
                idle_since: Instant::now(),
                is_closed: false,
            }),
            invocations: Mutex::default(),
        }))
    }

    /// Takes note of an invocation, from its first byte on.
    pub(crate) fn register(&self, invocation: &Invocation) {
        let target = invocation.target();
        self.connect(
            invocation.output(),
            Origin {
                request_id: invocation.request_id(),
                function_id: target.function_id,
                function_name: target.function_name.clone(),
            },
        );
    }

    pub(super) fn connect(&self, output: &OutputCapture, origin: Origin) {
        let origin = Arc::new(origin);
        let known = Known::Written(output.clone(), Arc::clone(&origin));
        let id = origin.request_id;
        self.invocations().known.insert(id, known);
        output.connect(Tap {
            hub: self.clone(),
            origin,
        });
    }

    /// An invocation that runs here, or ended a moment ago.
    pub(crate) fn follow(&self, id: RequestId, position: LogPosition) -> Option<InvocationLogs> {
        let invocations = self.invocations();
        let (function_name, output) = match invocations.known.get(&id)? {
            Known::Written(output, origin) => (&origin.function_name, output.clone()),
            Known::Silent(end, function_name) => {
                let output = OutputCapture::new();
                output.finish(*end);
                (function_name, output)
            }
        };
        Some(InvocationLogs {
            function_name: function_name.clone(),
            follower: output.follow(position),
        })
    }

    /// All invocations of `function`, or of every function, after the event `after`.
    pub(crate) fn subscribe(
        &self,
        function: Option<FunctionId>,
        after: Option<LogEventId>,
    ) -> Subscription {
        let subscriber = Arc::new(Subscriber::new(function));
        let mut state = self.state();
        if let Some(after) = after {
            let is_ours = after.epoch == self.0.epoch && after.sequence <= state.sequence;
            // What comes next is still there, or nothing has come.
            let is_whole = is_ours
                && (after.sequence == state.sequence
                    || state
                        .ring
                        .first()
                        .is_some_and(|first| first <= after.sequence + 1));
            if !is_whole {
                subscriber.gap();
            }
            let from = if is_ours { after.sequence } else { 0 };
            for event in state.ring.after(from) {
                if function.is_none_or(|function| function == event.function_id) {
                    subscriber.push(event);
                }
            }
        }
        if state.is_closed {
            subscriber.close();
        } else {
            let all = state.subscribers.entry(function).or_default();
            all.push(Arc::clone(&subscriber));
            self.0.is_active.store(true, Ordering::Release);
        }
        drop(state);
        Subscription {
            hub: self.clone(),
            subscriber,
        }
    }

    pub(super) fn unsubscribe(&self, subscriber: &Arc<Subscriber>) {
        let mut state = self.state();
        if let Some(all) = state.subscribers.get_mut(&subscriber.function) {
            if let Some(index) = all.iter().position(|other| Arc::ptr_eq(other, subscriber)) {
                all.swap_remove(index);
            }
            if all.is_empty() {
                state.subscribers.remove(&subscriber.function);
            }
        }
        state.idle_since = Instant::now();
    }

    pub(super) fn is_active(&self) -> bool {
        self.0.is_active.load(Ordering::Acquire)
    }

    pub(super) fn publish(&self, origin: &Origin, kind: LogEventKind) {
        let mut state = self.state();
        if state.subscribers.is_empty() && state.idle_since.elapsed() > LINGER {
            self.0.is_active.store(false, Ordering::Release);
            // A number is left out, so that who comes back sees that something is missing.
            state.sequence += 1;
            state.ring.clear();
            return;
        }
        state.sequence += 1;
        let event = Arc::new(LogEvent {
            id: LogEventId {
                epoch: self.0.epoch,
                sequence: state.sequence,
            },
            at: Timestamp::now(),
            request_id: origin.request_id,
            function_id: origin.function_id,
            function_name: origin.function_name.clone(),
            kind,
        });
        for key in [None, Some(origin.function_id)] {
            for subscriber in state.subscribers.get(&key).into_iter().flatten() {
                subscriber.push(&event);
            }
        }
        state.ring.push(event);
    }

    /// An invocation has ended; its output takes `bytes`.
    pub(super) fn ended(&self, origin: &Origin, end: LogEnd, bytes: usize) {
        let id = origin.request_id;
        let mut invocations = self.invocations();
        if bytes == 0
            && let Some(known) = invocations.known.get_mut(&id)
        {
            *known = Known::Silent(end, origin.function_name.clone());
        }
        invocations.ended.push_back((id, bytes));
        invocations.ended_bytes += bytes;
        while invocations.ended.len() > ENDED_MAX || invocations.ended_bytes > ENDED_BYTES_MAX {
            let Some((oldest, bytes)) = invocations.ended.pop_front() else {
                break;
            };
            invocations.ended_bytes -= bytes;
            invocations.known.remove(&oldest);
        }
    }

    /// Ends every subscription.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.is_closed = true;
        for subscriber in state.subscribers.values().flatten() {
            subscriber.close();
        }
        state.ring.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn invocations(&self) -> MutexGuard<'_, Invocations> {
        let invocations = &self.0.invocations;
        invocations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
