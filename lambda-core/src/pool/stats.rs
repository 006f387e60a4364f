//! What is there, in numbers.

use std::time::Duration;

use super::key::{PoolKey, SandboxClass};
use crate::model::RuntimeName;

/// What is there, in numbers: in all, for each class of sandboxes and for each runtime.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PoolStats {
    /// Being created.
    pub creating: u32,
    /// Booted, without code and without work.
    pub prewarmed: u32,
    /// With a function's code, and without work.
    pub idle: u32,
    /// Serving, or loading code ahead of the first call.
    pub busy: u32,
    /// Told to die, and still charged.
    pub removing: u32,
    /// Of those without work: frozen.
    pub frozen: u32,
    /// Memory limits of all of these together, in MiB.
    pub memory_mib: u64,
    /// Most that they may be, in MiB.
    pub memory_mib_max: u64,
    /// Most sandboxes at once.
    pub sandboxes_max: u32,
    /// Invocations that wait.
    pub waiting: u32,
    /// How long the one that came first has waited; none: nobody waits.
    pub oldest_wait: Option<Duration>,
    /// The classes that have sandboxes, or are to have some, or are waited for.
    pub classes: Vec<ClassStats>,
    /// The functions that always have warm sandboxes.
    pub provisioned: Vec<ProvisionedStats>,
    /// The back ends, by name.
    pub runtimes: Vec<RuntimeStats>,
    /// What has happened since the pool began.
    pub counters: PoolCounters,
}

impl PoolStats {
    /// All sandboxes.
    #[must_use]
    pub fn sandboxes(&self) -> u32 {
        self.creating + self.prewarmed + self.idle + self.busy + self.removing
    }
}

/// The sandboxes of one class: one runtime, language, image, size and network.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClassStats {
    /// The class.
    pub class: SandboxClass,
    /// How many are to be ready without code.
    pub prewarmed_target: u32,
    /// Booted, without code and without work.
    pub prewarmed: u32,
    /// Being created.
    pub creating: u32,
    /// With a function's code, and without work.
    pub idle: u32,
    /// Serving, or loading code ahead of the first call.
    pub busy: u32,
    /// Of those without work: frozen.
    pub frozen: u32,
    /// Of the busy ones: those that go as soon as they have served.
    pub draining: u32,
    /// Told to die, and still charged.
    pub removing: u32,
    /// Memory limits of all of these together, in MiB.
    pub memory_mib: u64,
    /// Invocations that wait for one.
    pub waiting: u32,
}

impl ClassStats {
    pub(super) fn new(class: SandboxClass, prewarmed_target: u32) -> Self {
        Self {
            class,
            prewarmed_target,
            prewarmed: 0,
            creating: 0,
            idle: 0,
            busy: 0,
            frozen: 0,
            draining: 0,
            removing: 0,
            memory_mib: 0,
            waiting: 0,
        }
    }

    /// Nothing is to be said of it.
    pub(super) fn is_empty(&self) -> bool {
        self.memory_mib == 0 && self.waiting == 0 && self.prewarmed_target == 0
    }
}

/// A function version that always has warm sandboxes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProvisionedStats {
    /// Which one.
    pub key: PoolKey,
    /// How many it is to have at least.
    pub min_warm: u32,
    /// How many it has with its code loaded, idle or serving.
    pub warm: u32,
    /// How many are being created, or load the code.
    pub coming: u32,
    /// How often making one has failed since it last succeeded.
    pub failures: u32,
}

impl ProvisionedStats {
    pub(super) fn new(key: PoolKey, min_warm: u32, failures: u32) -> Self {
        Self {
            key,
            min_warm,
            warm: 0,
            coming: 0,
            failures,
        }
    }
}

/// How one back end does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeStats {
    /// Its name.
    pub runtime: RuntimeName,
    /// Whether new sandboxes are asked of it.
    pub breaker: BreakerState,
    /// Failures to create a sandbox since it last succeeded.
    pub failures: u32,
    /// How long until it is tried again; none: at once.
    pub retry_after: Option<Duration>,
}

impl RuntimeStats {
    pub(super) fn new(
        runtime: RuntimeName,
        breaker: BreakerState,
        failures: u32,
        retry_after: Duration,
    ) -> Self {
        Self {
            runtime,
            breaker,
            failures,
            retry_after: (!retry_after.is_zero()).then_some(retry_after),
        }
    }

    /// One of which there is nothing bad to say.
    pub(super) fn well(runtime: RuntimeName) -> Self {
        Self::new(runtime, BreakerState::Closed, 0, Duration::ZERO)
    }
}

/// What the circuit breaker of a back end does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BreakerState {
    /// Nothing: sandboxes are created. After a failure or two, one at a time.
    Closed,
    /// It refuses callers that need a new sandbox, until the pause is over.
    Open,
    /// The pause is over: the next attempt decides.
    HalfOpen,
}

impl BreakerState {
    /// The name, as it stands in every API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// What has happened since the pool began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PoolCounters {
    /// Sandboxes that were handed to an invocation they were created for.
    pub cold_starts: u64,
    /// Sandboxes without code that were handed out from stock.
    pub prewarmed_starts: u64,
    /// Sandboxes with code that were handed out again.
    pub warm_starts: u64,
    /// Sandboxes that began to load code ahead of the first call.
    pub provisioned_starts: u64,
    /// Attempts to create a sandbox.
    pub creations: u64,
    /// Those that failed.
    pub create_failures: u64,
    /// Sandboxes that made room for others.
    pub evictions: u64,
    /// Sandboxes that had idled for too long.
    pub expirations: u64,
    /// Sandboxes without work that were found dead.
    pub deaths: u64,
    /// Invocations refused because too many waited.
    pub throttled_queue_full: u64,
    /// Invocations refused because no sandbox became free in time.
    pub throttled_queue_timeout: u64,
    /// Invocations refused because their sandbox could not be created.
    pub unavailable: u64,
}
