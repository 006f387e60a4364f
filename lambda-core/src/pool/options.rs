//! Bounds of the pool, each default with its reason.

use std::sync::Arc;
use std::time::Duration;

use super::key::SandboxClass;
use super::policy::{EvictionPolicy, GreedyDual};
use crate::machine;

/// Bounds of the warm-container manager.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PoolOptions {
    /// Most sandboxes at once, over all functions.
    pub sandboxes_max: u32,
    /// Most memory of all sandboxes together, in MiB, by their limits.
    pub memory_mib_max: u64,
    /// Most sandboxes of one function that names no `concurrency`.
    pub function_concurrency: u32,
    /// Sandboxes of one function whose work burns CPU; the machine's cores.
    pub cores: u32,
    /// Most sandboxes that are being created at once.
    pub creating_max: u32,
    /// Most invocations that wait for a sandbox.
    pub queue_max: u32,
    /// Longest wait for a sandbox before the invocation is refused.
    pub queue_timeout: Duration,
    /// How long a sandbox stays warm without work, and a class is kept prewarmed without use.
    pub idle_timeout: Duration,
    /// How long a sandbox idles before it is frozen; none: never.
    pub freeze_after: Option<Duration>,
    /// How many sandboxes without code are kept ready of each class that is in use.
    pub prewarmed: u32,
    /// Classes of which another number is kept ready, in use or not.
    pub prewarmed_classes: Vec<(SandboxClass, u32)>,
    /// Which idle sandbox makes room for another.
    pub eviction: Arc<dyn EvictionPolicy>,
}

impl Default for PoolOptions {
    fn default() -> Self {
        let cores = machine::cores();
        Self {
            // An idle Python sandbox takes some 20 MiB; 256 stay well inside a small server.
            sandboxes_max: 256,
            memory_mib_max: 16 * 1024,
            // Enough for functions that mostly wait; one function cannot take everything.
            function_concurrency: 16,
            cores,
            // Starting a container is CPU work: more at once only makes each slower.
            creating_max: cores.max(2),
            queue_max: 1_000,
            // AWS's clients give up after a minute at the latest; most users much earlier.
            queue_timeout: Duration::from_secs(10),
            // As long as other platforms keep idle sandboxes at least.
            idle_timeout: Duration::from_secs(600),
            // Thawing costs a call a millisecond at most; an idle gVisor sandbox burns 2 % of a
            // core until it is frozen.
            freeze_after: Some(Duration::from_secs(10)),
            // Most deployments bring one new function at a time; the next is ready within
            // half a second.
            prewarmed: 1,
            prewarmed_classes: Vec::new(),
            // docs/BENCHMARKS.md compares the policies.
            eviction: Arc::new(GreedyDual),
        }
    }
}
