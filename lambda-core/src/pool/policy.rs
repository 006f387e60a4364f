//! Which idle sandbox makes room for another.

use std::fmt;
use std::time::Duration;

/// Decides which idle sandbox is evicted when memory or count is at its bound: the one with
/// the lowest priority. It holds no state; the pool keeps the clock.
pub trait EvictionPolicy: fmt::Debug + Send + Sync + 'static {
    /// The name, for logs and tables.
    fn name(&self) -> &'static str;

    /// How much it is worth to keep a sandbox, asked once each time it begins to idle.
    /// `clock` is the highest priority that was ever evicted, 0 at first: what is added to
    /// it ages as others are evicted.
    fn priority(&self, sandbox: &IdleSandbox, clock: f64) -> f64;
}

/// What a policy knows of a sandbox.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct IdleSandbox {
    /// When it began to idle, since the pool began.
    pub idle_since: Duration,
    /// How often its function was called for as long as the function has had sandboxes.
    pub uses: u64,
    /// What a new one would cost the next caller: boot and init.
    pub start_cost: Duration,
    /// Its memory limit in MiB.
    pub memory_mib: u32,
}

/// Greedy-dual by size and frequency, as in FaasCache (ASPLOS '21): clock + uses x start
/// cost / memory. Keeps what is called often, is dear to start, and is small.
#[derive(Debug, Clone, Copy, Default)]
pub struct GreedyDual;

impl EvictionPolicy for GreedyDual {
    fn name(&self) -> &'static str {
        "greedy-dual"
    }

    // Beyond 2^53 calls the count is rounded.
    #[allow(clippy::cast_precision_loss)]
    fn priority(&self, sandbox: &IdleSandbox, clock: f64) -> f64 {
        let worth = sandbox.uses.max(1) as f64 * sandbox.start_cost.as_secs_f64();
        clock + worth / f64::from(sandbox.memory_mib.max(1))
    }
}

/// The one that has idled longest goes first.
#[derive(Debug, Clone, Copy, Default)]
pub struct LeastRecentlyUsed;

impl EvictionPolicy for LeastRecentlyUsed {
    fn name(&self) -> &'static str {
        "LRU"
    }

    fn priority(&self, sandbox: &IdleSandbox, _clock: f64) -> f64 {
        sandbox.idle_since.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greedy_dual_keeps_the_dear_the_small_and_the_busy_and_ages() {
        let base = IdleSandbox {
            idle_since: Duration::ZERO,
            uses: 10,
            start_cost: Duration::from_millis(200),
            memory_mib: 128,
        };
        let priority = |sandbox: IdleSandbox| GreedyDual.priority(&sandbox, 0.0);
        let dear = Duration::from_secs(2);
        assert!(
            priority(IdleSandbox {
                start_cost: dear,
                ..base
            }) > priority(base)
        );
        assert!(
            priority(IdleSandbox {
                memory_mib: 1_024,
                ..base
            }) < priority(base)
        );
        assert!(priority(IdleSandbox { uses: 11, ..base }) > priority(base));
        let rare = IdleSandbox { uses: 1, ..base };
        assert!(
            GreedyDual.priority(&rare, 1.0) > priority(base),
            "the busy one has aged"
        );
    }
}
