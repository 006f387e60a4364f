//! What is there, in numbers.

use std::time::Duration;

use crate::model::RuntimeName;

/// What is there, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PoolStats {
    /// Being created.
    pub creating: u32,
    /// Booted, without code and without work.
    pub prewarmed: u32,
    /// With a function's code, and without work.
    pub idle: u32,
    /// Serving.
    pub busy: u32,
    /// Told to die, and still charged.
    pub removing: u32,
    /// Of those without work: frozen.
    pub frozen: u32,
    /// Memory limits of all of these together, in MiB.
    pub memory_mib: u64,
    /// Invocations that wait.
    pub waiting: u32,
    /// The back ends that have failed to create a sandbox and not succeeded since.
    pub failing: Vec<FailingRuntime>,
}

impl PoolStats {
    /// All sandboxes.
    #[must_use]
    pub fn sandboxes(&self) -> u32 {
        self.creating + self.prewarmed + self.idle + self.busy + self.removing
    }
}

/// A back end that fails.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailingRuntime {
    /// Its name.
    pub runtime: RuntimeName,
    /// Failures since it last succeeded.
    pub failures: u32,
    /// Callers that would need a new sandbox are refused at once.
    pub is_open: bool,
    /// How long until it is tried again.
    pub retry_after: Duration,
}

impl FailingRuntime {
    pub(super) fn new(
        runtime: RuntimeName,
        failures: u32,
        is_open: bool,
        retry_after: Duration,
    ) -> Self {
        Self {
            runtime,
            failures,
            is_open,
            retry_after,
        }
    }
}
