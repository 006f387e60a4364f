//! What functions write, live: of one invocation, of one function, of all.
//!
//! - [`Follower`] reads one invocation from the first byte (or from where a connection broke)
//!   to its end: [`Invocation::follow`](crate::Invocation::follow),
//!   [`Platform::follow_invocation`](crate::Platform::follow_invocation). It reads what the
//!   invocation keeps anyway and has no memory of its own.
//! - [`Subscription`] hears every invocation of a function, or of all functions, from now on:
//!   [`Platform::follow_function`](crate::Platform::follow_function),
//!   [`Platform::follow_all`](crate::Platform::follow_all). Its queue is bounded.
//!
//! Whoever reads too slowly loses the oldest lines and is told how many; a run never waits.
//! Text is valid UTF-8: characters that were cut between two writes are put together, and what
//! is no UTF-8 becomes U+FFFD. While nobody subscribes, a write costs one look at a flag more.

mod event;
mod follower;
mod hub;
mod ring;
mod subscription;
mod tap;
#[cfg(test)]
mod tests;
mod utf8;

pub use event::{LogEnd, LogEvent, LogEventId, LogEventKind, LogItem, LogPosition};
pub use follower::{Follower, InvocationLogs};
pub use subscription::{Subscription, SubscriptionItem};

pub(crate) use hub::LogHub;
pub(crate) use tap::Tap;

/// Bytes of recent output that are kept for those who come back.
pub const LIVE_LOG_BYTES_DEFAULT: usize = 4 * 1024 * 1024;
