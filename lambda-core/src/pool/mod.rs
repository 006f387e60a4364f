//! The warm-container manager: keeps sandboxes of a function version for its next
//! invocations, within bounds of memory, count and concurrency.
//!
//! `state` decides, without doing anything; [`Pool`] does what it decided.

mod manager;
mod options;
mod state;
#[cfg(test)]
mod tests;

pub use manager::{Lease, Pool, PoolRequest};
pub use options::PoolOptions;
pub use state::{PoolKey, PoolStats};
