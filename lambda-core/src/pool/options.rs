//! Bounds of the pool, each default with its reason.

use std::time::Duration;

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
    /// Most sandboxes that are being created at once.
    pub creating_max: u32,
    /// Most invocations that wait for a sandbox.
    pub queue_max: u32,
    /// Longest wait for a sandbox before the invocation is refused.
    pub queue_timeout: Duration,
    /// How long a sandbox stays warm without work.
    pub idle_timeout: Duration,
}

impl Default for PoolOptions {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let cores = u32::try_from(cores).unwrap_or(u32::MAX);
        Self {
            // An idle Python sandbox takes some 20 MiB; 256 stay well inside a small server.
            sandboxes_max: 256,
            memory_mib_max: 16 * 1024,
            // Enough for functions that mostly wait; one function cannot take everything.
            function_concurrency: 16,
            // Starting a container is CPU work: more at once only makes each slower.
            creating_max: cores.max(2),
            queue_max: 1_000,
            // AWS's clients give up after a minute at the latest; most users much earlier.
            queue_timeout: Duration::from_secs(10),
            // As long as other platforms keep idle sandboxes at least.
            idle_timeout: Duration::from_secs(600),
        }
    }
}
