//! The warm-container manager: keeps sandboxes of a function version for its next
//! invocations, and sandboxes without code for whoever comes next, within bounds of memory,
//! count and concurrency.
//!
//! [`state`] decides, without doing anything; [`Pool`] does what it decided.

mod breaker;
mod governor;
mod key;
mod lease;
mod manager;
mod options;
mod policy;
mod queue;
mod refusal;
pub mod state;
mod stats;
mod survey;
#[cfg(test)]
mod tests;
mod upkeep;

pub use key::{PoolKey, SandboxClass};
pub use lease::Lease;
pub use manager::{CodeLoader, Pool, PoolRequest};
pub use options::PoolOptions;
pub use policy::{EvictionPolicy, GreedyDual, IdleSandbox, LeastRecentlyUsed};
pub use stats::{
    BreakerState, ClassStats, PoolCounters, PoolStats, ProvisionedStats, RuntimeStats,
};
pub use survey::survey;
